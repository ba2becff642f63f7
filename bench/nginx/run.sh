#!/usr/bin/env bash
# run.sh: gets by key through one nginx worker, larder beside pgmoon and beside no database. See README.md here.
set -eu
cd "$(dirname "$0")/../.."

awake=()
stop() { [ ${#awake[@]} -eq 0 ] || kill "${awake[@]}" 2>/dev/null || true; }
trap stop EXIT

# As in bench/run.sh: idle-priority loops keep a virtual machine's cores from halting.
if [ "${BENCH_AWAKE:-1}" != 0 ]; then
  for _ in $(seq "$(nproc)"); do
    chrt --idle 0 sh -c 'while :; do :; done' &
    awake+=($!)
  done
fi

mkdir -p build/bench
"${CC:-gcc}" -std=c11 -O2 -isystem "$(pg_config --includedir 2>/dev/null || echo /usr/include/postgresql)" \
  bench/limit.c -o build/bench/limit -lpq -pthread

export LARDER_PG_INITDB=--locale=C.UTF-8
export LARDER_PG_CONF="shared_buffers = '1GB'
max_connections = 500
autovacuum = off
timezone = 'UTC'
datestyle = 'iso, mdy'"
unset LARDER_TEST_URL
tools/with_pg.sh tools/lua.sh lua5.4 bench/nginx/run.lua
