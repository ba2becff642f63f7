#!/usr/bin/env bash
# run.sh: larder beside its peers and the C limit, on a server of its own. See bench/README.md for the variables.
set -eu
cd "$(dirname "$0")/.."
. bench/setup.sh "max_wal_size = '8GB'
checkpoint_timeout = '1h'"
tools/with_pg.sh tools/lua.sh lua5.4 bench/run.lua
