#!/usr/bin/env bash
# with_pg.sh command …: runs a command with a throw-away PostgreSQL and hands on its exit code.
#
# The command finds in its environment
#   LARDER_TEST_URL      the server by its unix socket;  LARDER_TEST_TCP_URL  the same by TCP on 127.0.0.1
#   LARDER_TEST_PGCTL    a command line that takes a verb: `$LARDER_TEST_PGCTL restart -m immediate`
#   LARDER_TEST_PGDATA, LARDER_TEST_PGBIN, LARDER_TEST_PGLOG
# and, for `larder throwaway` (LARDER_PG_DATABASE_URL=yes), DATABASE_URL.
# When LARDER_TEST_URL is already set the command runs against that server and nothing is started.
#
# LARDER_PG_CONF adds lines to postgresql.conf and LARDER_PG_INITDB replaces the locale options of initdb. By
# default the server is awkward on purpose (a collation that is not by bytes, a half-hour time zone, another
# date style), as the servers of this world are.
set -eu

[ $# -gt 0 ] || { echo "usage: $0 command …" >&2; exit 2; }
[ -z "${LARDER_TEST_URL:-}" ] || exec "$@"

say() { echo "with_pg: $*" >&2; }

find_bin() {
  local dir
  for dir in "${LARDER_TEST_PGBIN:-}" /usr/lib/postgresql/15/bin "$(pg_config --bindir 2>/dev/null || true)" \
    "$(dirname "$(command -v initdb 2>/dev/null || echo /)")"; do
    [ -n "$dir" ] && [ -x "$dir/initdb" ] && { echo "$dir"; return; }
  done
  say "no PostgreSQL server found (Debian: apt-get install postgresql-15)"
  return 1
}

bin=$(find_bin)
top=$(mktemp -d /tmp/larder.XXXXXX) # short: a socket's path has 107 bytes at most
data=$top/data log=$top/log child=

# PostgreSQL refuses to run as root.
as=()
if [ "$(id -u)" -eq 0 ]; then
  id postgres >/dev/null 2>&1 || { say "root needs a user named postgres to run the server"; exit 1; }
  as=(runuser -u postgres --)
  chown postgres "$top"
fi

cleanup() {
  trap - EXIT INT TERM HUP
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
  "${as[@]}" "$bin/pg_ctl" -D "$data" -m immediate -w stop >/dev/null 2>&1 || true
  rm -rf "$top"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

make_cluster() {
  "${as[@]}" "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --no-sync "$@" >"$top/initdb" 2>&1
}

configure() {
  cat >>"$data/postgresql.conf" <<EOF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$top'
max_connections = 200
max_prepared_transactions = 10
fsync = off
synchronous_commit = off
full_page_writes = off
timezone = 'Asia/Kolkata'
datestyle = 'sql, dmy'
${LARDER_PG_CONF:-}
EOF
}

# A port is free when the server could take it.
start() {
  for _ in 1 2 3 4 5 6 7 8; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    echo "port = $port" >>"$data/postgresql.conf"
    "${as[@]}" "$bin/pg_ctl" -D "$data" -l "$log" -w -t 60 start >/dev/null 2>&1 && return
    grep -q 'could not bind' "$log" || break
  done
  say "the server did not start:"
  tail -n 20 "$log" >&2
  return 1
}

cd / # a directory that the user postgres may stand in
if [ -n "${LARDER_PG_INITDB:-}" ]; then
  # shellcheck disable=SC2086 # they are several
  make_cluster $LARDER_PG_INITDB || { cat "$top/initdb" >&2; exit 1; }
else
  make_cluster --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US || make_cluster --locale=C.UTF-8 ||
    { cat "$top/initdb" >&2; exit 1; }
fi
configure
# Without a client's program, which not every server comes with.
"${as[@]}" "$bin/postgres" --single -D "$data" postgres <<<'create database larder' >"$top/createdb" 2>&1 ||
  { cat "$top/createdb" >&2; exit 1; }
start
cd "$OLDPWD"

export LARDER_TEST_URL="postgresql://postgres@/larder?host=$top&port=$port"
export LARDER_TEST_TCP_URL="postgresql://postgres@127.0.0.1:$port/larder"
export LARDER_TEST_PGCTL="${as[*]} $bin/pg_ctl -D $data -l $log -w"
[ -z "${LARDER_PG_DATABASE_URL:-}" ] || export DATABASE_URL=$LARDER_TEST_URL
export LARDER_TEST_PGDATA=$data LARDER_TEST_PGBIN=$bin LARDER_TEST_PGLOG=$log

# In the background, so that a signal reaches the trap at once.
"$@" <&0 &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
