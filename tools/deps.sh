#!/bin/sh
# Makes sure that the Debian packages of a task (build, test or bench) are installed: root gets them from
# apt, anybody else the line to type. On other systems the compiler says what it misses.
# shellcheck disable=SC2086 # lists of packages are split on purpose
set -eu

build="gcc libc6-dev lua5.4 liblua5.4-dev luajit2 libluajit2-5.1-dev libpq-dev libsodium-dev
  lua-cjson lua-argparse lua-filesystem lua-term"
server="postgresql-15"
web="nginx libnginx-mod-http-lua wrk lua-socket"
test="$build $server $web python3-minimal binutils lua-busted lua-check lua-posix lua-cqueues lua-luv lua-copas lua-luaossl clang-format-14 clang
  libclang-rt-14-dev valgrind procps luarocks pgbouncer postgresql-client-15 prometheus
  lua-readline zsh fish man-db"
bench="$build $server $web lua-sql-postgres lua-dbi-postgresql python3-psycopg2 lua-cqueues lua-luv"

case ${1:-build} in
  build) want=$build ;;
  demo) want="$build $server $web" ;;
  test) want=$test ;;
  bench) want=$bench ;;
  *) echo "usage: $0 [build|demo|test|bench]" >&2; exit 2 ;;
esac

command -v dpkg-query >/dev/null || exit 0

have=" $(dpkg-query -W -f '${db:Status-Status}=${Package}\n' $want 2>/dev/null | sed -n 's/^installed=//p' | tr '\n' ' ')"
missing=
for p in $want; do
  case $have in *" $p "*) ;; *) missing="$missing $p" ;; esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "larder needs a few packages; please type:" >&2
  echo "  sudo apt-get install --no-install-recommends$missing" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt_get() { apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }
get() { apt_get install -y --no-install-recommends $missing; }

# Only the programs are wanted: no service of theirs (nginx on port 80, a database cluster) is started here.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

echo "installing$missing"
apt-cache show $missing >/dev/null 2>&1 || apt_get update
get || { apt_get update && get; }
