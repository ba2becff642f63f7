#!/bin/sh
# check_rock.sh: `make install` into an empty folder and `luarocks make` into an empty tree, then the command line tool and the
# demo from there, outside the checkout and with nothing of it on Lua's paths. Dependencies come from Debian (--deps-mode none).
set -eu
here=$(pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT INT TERM

# The tool finds its library by itself; what programs need is printed.
for lua in 5.4 luajit; do
  make --no-print-directory install PREFIX="$tree/prefix" LUA="$lua" >"$tree/said"
  grep -q "export LUA_PATH='$tree/prefix/share" "$tree/said"
  said=$(cd / && env -u LUA_PATH -u LUA_CPATH "$tree/prefix/bin/larder" --version)
  [ "$said" = "larder dev" ]
done

luarocks make --deps-mode none --lua-version 5.4 --tree "$tree/rock" larder-dev-1.rockspec

export LUA_PATH="$tree/rock/share/lua/5.4/?.lua;$tree/rock/share/lua/5.4/?/init.lua;;"
export LUA_CPATH="$tree/rock/lib/lua/5.4/?.so;;"
unset LUA_PATH_5_4 LUA_CPATH_5_4
cp examples/demo.lua examples/demo_acts.lua "$tree/"
cd "$tree"
find rock -path "*man1/larder.1" | grep -q larder.1
# shellcheck disable=SC2016 # the inner shell expands
"$here/tools/with_pg.sh" sh -c '
  set -eu
  lua5.4 demo.lua
  tool=$(find rock -type f -path "*bin/larder" | head -n 1)
  for family in auth controlplane csms content; do
    lua5.4 "$tool" --url "$LARDER_TEST_URL" check "$family"
  done'
