#!/bin/sh
# check_rock.sh: `luarocks make` into an empty tree, then the demo and the command line tool from there, outside the
# checkout and with nothing of it on Lua's paths. Dependencies come from Debian (--deps-mode none).
set -eu
here=$(pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT INT TERM
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
