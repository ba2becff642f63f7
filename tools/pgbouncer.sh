#!/usr/bin/env bash
# pgbouncer.sh start DIR MODE: starts PgBouncer in front of the server of LARDER_TEST_URL, in transaction or session
#   mode, with its files in DIR (which is made), and prints the URL to use in place of LARDER_TEST_URL.
# pgbouncer.sh stop DIR: ends it and removes DIR.
set -eu

start() {
  local dir=$1 mode=$2 host port log as=()
  host=$(sed -n 's/.*[?&]host=\([^&]*\).*/\1/p' <<<"$LARDER_TEST_URL")
  port=$(sed -n 's/.*[?&]port=\([^&]*\).*/\1/p' <<<"$LARDER_TEST_URL")
  mkdir -p "$dir"
  log=$dir/log
  echo '"postgres" ""' >"$dir/users"
  if [ "$(id -u)" -eq 0 ]; then # it refuses to run as root
    as=(runuser -u postgres --)
    chown -R postgres "$dir"
  fi
  for _ in 1 2 3 4 5 6 7 8; do
    local listen=$((32000 + (RANDOM * 32768 + RANDOM) % 12000))
    cat >"$dir/ini" <<EOF
[databases]
larder = host=$host port=$port user=postgres dbname=larder
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $listen
unix_socket_dir =
auth_type = any
auth_file = $dir/users
pool_mode = $mode
default_pool_size = $([ "$mode" = session ] && echo 100 || echo 4)
max_client_conn = 200
ignore_startup_parameters = extra_float_digits,options
logfile = $log
pidfile = $dir/pid
EOF
    "${as[@]}" pgbouncer -q -d "$dir/ini" >/dev/null 2>&1 || continue
    for _ in $(seq 50); do
      if [ -s "$dir/pid" ]; then
        echo "postgres://postgres@127.0.0.1:$listen/larder"
        return 0
      fi
      sleep 0.05
    done
  done
  cat "$log" >&2
  return 1
}

stop() {
  kill -INT "$(cat "$1/pid")" 2>/dev/null || true
  rm -rf "$1"
}

case ${1:-} in
  start) start "$2" "$3" ;;
  stop) stop "$2" ;;
  *) echo "usage: $0 start DIR transaction|session | stop DIR" >&2; exit 2 ;;
esac
