#!/usr/bin/env bash
# standby.sh start DIR: makes a standby of the server of LARDER_TEST_URL that follows it, with its files in DIR (which is
#   made), and prints the query of its URL: host=…&port=….
# standby.sh promote DIR: makes it a primary.  standby.sh stop DIR: ends it and removes DIR.
set -eu

as=()
[ "$(id -u)" -ne 0 ] || as=(runuser -u postgres --)
bin=${LARDER_TEST_PGBIN:?}
control() { "${as[@]}" "$bin/pg_ctl" -D "$1/data" -l "$1/log" -w "${@:2}" >/dev/null 2>&1; }

start() {
  local dir=$1 host port listen backup=$bin/pg_basebackup # of the server's own version, where it has one
  host=$(sed -n 's/.*[?&]host=\([^&]*\).*/\1/p' <<<"$LARDER_TEST_URL")
  port=$(sed -n 's/.*[?&]port=\([^&]*\).*/\1/p' <<<"$LARDER_TEST_URL")
  mkdir -p "$dir"
  [ "$(id -u)" -ne 0 ] || chown postgres "$dir"
  cd / # a directory that the user postgres may stand in
  [ -x "$backup" ] || backup=pg_basebackup
  "${as[@]}" "$backup" -h "$host" -p "$port" -U postgres -D "$dir/data" -R -X stream -c fast >"$dir/backup" 2>&1 ||
    { cat "$dir/backup" >&2; return 1; }
  for _ in 1 2 3 4 5 6 7 8; do
    listen=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    printf "port = %s\nunix_socket_directories = '%s'\n" "$listen" "$dir" >>"$dir/data/postgresql.conf"
    if control "$dir" start; then
      echo "host=$dir&port=$listen"
      return 0
    fi
    grep -q 'could not bind' "$dir/log" || break
  done
  tail -n 20 "$dir/log" >&2
  return 1
}

case ${1:-} in
  start) start "$2" ;;
  promote) cd / && control "$2" promote ;;
  stop)
    cd /
    control "$2" stop -m immediate || true
    rm -rf "$2"
    ;;
  *) echo "usage: $0 start DIR | promote DIR | stop DIR" >&2; exit 2 ;;
esac
