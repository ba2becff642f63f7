# setup.sh: what the benches share; sourced from the top of the checkout. $1: more settings of the server.
# shellcheck shell=bash

awake=()
stop() { [ ${#awake[@]} -eq 0 ] || kill "${awake[@]}" 2>/dev/null || true; }
trap stop EXIT

# A halted core of a virtual machine wakes slowly, and whether it was halted depends on everything else. One loop a
# core, which runs only when nobody else wants it, keeps the clock fair.
if [ "${BENCH_AWAKE:-1}" != 0 ]; then
  for _ in $(seq "$(nproc)"); do
    chrt --idle 0 sh -c 'while :; do :; done' &
    awake+=($!)
  done
fi

mkdir -p build/bench
for program in limit families; do
  "${CC:-gcc}" -std=c11 -O2 -isystem "$(pg_config --includedir 2>/dev/null || echo /usr/include/postgresql)" \
    "bench/$program.c" -o "build/bench/$program" -lpq -pthread
done

"${CC:-gcc}" -std=c11 -O2 -shared -fPIC bench/fixed_clock.c -o build/bench/fixed_clock.so

for lua in lua5.4 luajit; do
  mkdir -p "build/bench/$lua"
  # shellcheck disable=SC2046 # several flags
  "${CC:-gcc}" -std=c11 -O2 -shared -fPIC $(pkg-config --cflags "$lua") \
    -isystem "$(pg_config --includedir 2>/dev/null || echo /usr/include/postgresql)" bench/peers/bare.c -o "build/bench/$lua/bare.so" -lpq
done

# Bytes as collation, and memory enough that no workload waits for a disk.
export LARDER_PG_INITDB=--locale=C.UTF-8
export LARDER_PG_CONF="shared_buffers = '1GB'
autovacuum = off
timezone = 'UTC'
datestyle = 'iso, mdy'
$1"
unset LARDER_TEST_URL
