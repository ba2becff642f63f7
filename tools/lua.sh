#!/bin/sh
# lua.sh lua5.4|luajit file …: a Lua with the checkout's modules on its paths. LARDER_BUILD names another build
# directory, LARDER_LUA another interpreter of that kind, LARDER_UNDER a command to run it under.
set -eu
name=$1
shift
export LUA_PATH="./lua/?.lua;./lua/?/init.lua;./?.lua;;"
export LUA_CPATH="./${LARDER_BUILD:-build}/$name/?.so;;"
unset LUA_PATH_5_4 LUA_CPATH_5_4
exec ${LARDER_UNDER:-} "${LARDER_LUA:-$name}" "$@"
