#!/usr/bin/env bash
# run.sh: gets by key through one nginx worker, larder beside pgmoon and beside no database. See README.md here.
set -eu
cd "$(dirname "$0")/../.."
. bench/setup.sh "max_connections = 500"
tools/with_pg.sh tools/lua.sh lua5.4 bench/nginx/run.lua
