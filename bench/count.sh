#!/usr/bin/env bash
# count.sh: client instructions of W1 to W6 beside those in bench/counts.txt. See bench/README.md.
set -eu
cd "$(dirname "$0")/.."
export BENCH_AWAKE=0 # no clock is read
. bench/setup.sh "max_wal_size = '8GB'
checkpoint_timeout = '1h'"
command -v valgrind >/dev/null || { echo "valgrind is not installed" >&2; exit 2; }
tools/with_pg.sh tools/lua.sh lua5.4 bench/count.lua
