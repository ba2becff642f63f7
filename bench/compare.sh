#!/usr/bin/env bash
# compare.sh BEFORE AFTER: two built trees of larder on the same workloads, in turns. See bench/README.md.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 BEFORE AFTER (directories with a build of larder)" >&2; exit 2; }
before=$(realpath "$1") after=$(realpath "$2")
export BENCH_BEFORE=$before BENCH_AFTER=$after
for tree in "$before" "$after"; do
  [ -e "$tree/build/${BENCH_LUA:-lua5.4}/larder/core.so" ] || { echo "$tree is not built: make all" >&2; exit 2; }
done
cd "$(dirname "$0")/.."
. bench/setup.sh "max_wal_size = '8GB'
checkpoint_timeout = '1h'
max_connections = 500"
tools/with_pg.sh tools/lua.sh lua5.4 bench/compare.lua
