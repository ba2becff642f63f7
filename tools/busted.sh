#!/usr/bin/env bash
# busted.sh [--asan | --valgrind] [--gc] lua5.4|luajit [busted options] spec …: the specs against the checkout.
#   --asan       the module and the interpreter of build/address
#   --valgrind   the plain ones; any fault fails the run
#   --gc         a collector that never rests
# Under ASan, tests tagged #luaossl are left out: with OpenSSL 3 luaossl 20220711 makes the text of an error from memory
# that OpenSSL has freed, and the run would end there.
# Of a folder it runs what tools/test_parts.txt does not leave to other targets.
# The specs may start programs of their own with `tools/lua.sh $LARDER_TEST_LUA`; those run under the same.
set -eu
helper=--helper=tools/busted_times.lua asan= left_out=()
while :; do
  case ${1:-} in
    --asan) asan=yes ;;
    --valgrind)
      export LARDER_UNDER="valgrind --quiet --error-exitcode=99 --leak-check=full
        --errors-for-leak-kinds=definite --child-silent-after-fork=yes" ;;
    --gc) helper=--helper=tools/busted_gc.lua ;;
    *) break ;;
  esac
  shift
done
export LARDER_TEST_LUA=$1
shift
if [ -n "$asan" ]; then
  export LARDER_BUILD=build/address LARDER_LUA=$PWD/build/address/$LARDER_TEST_LUA/lua
  export UBSAN_OPTIONS=print_stacktrace=1
  left_out+=(--exclude-tags=luaossl,slow)
fi
# What a folder's run leaves to other targets.
target=${asan:+asan}
while read -r names; do
  for name in $names; do left_out+=("--exclude-pattern=$name"); done
done < <(awk -v target="${target:-test-$LARDER_TEST_LUA}" '$1 == "without" && $2 == target { $1 = $2 = ""; print }' tools/test_parts.txt)
exec tools/lua.sh "$LARDER_TEST_LUA" tools/busted.lua "$helper" ${left_out[@]+"${left_out[@]}"} "$@"
