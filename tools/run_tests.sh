#!/usr/bin/env bash
# run_tests.sh: every part of the proof, one after the other. A part is counted by the summary of its own runner;
# one that ends without a summary, or fails in spite of it, is a failure; so is one that left out what tools/test_parts.txt wants.
# What was skipped is listed. The last line is the sum of all parts.
set -u
export LC_ALL=C
PART_TIMEOUT=${PART_TIMEOUT:-1500} # seconds
logs=build/test-logs
mkdir -p "$logs"
make=("${MAKE:-make}" --no-print-directory -j"$(nproc)") # what is built; the tests of a part run one after the other
passed=0 failed=0 skipped=0 table= broken= left_out=

# The lines of a failed part's log that tell why; the end of the log is all that is seen of many a run.
broken_in() {
  echo "==== $2"
  case $1 in
    core) grep -B 5 '^not ok ' "$3" | grep -v '^ok ' ;;
    busted) grep -A 8 '^not ok ' "$3" | grep -v '^ok ' ;;
    *) tail -n 15 "$3" ;;
  esac | head -n 60
  grep -A 12 -E 'WARNING: ThreadSanitizer|ERROR: .*Sanitizer|runtime error' "$3" | head -n 40
}

# part kind title target…: kind is `gate` (one pass or one failure) or the runner that counts.
part() {
  local kind=$1 title=$2 log p f s missing status=0 start=$SECONDS
  shift 2
  log=$logs/${1#*=}.log
  printf '\n==== %s\n' "$title"
  timeout "$PART_TIMEOUT" "${make[@]}" "$@" 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  p=0 f=0 s=0
  if [ "$kind" = gate ]; then
    [ "$status" -eq 0 ] && p=1 || f=1
  else
    read -r p f s <<<"$(tools/tally.sh "$kind" "$log")" || true
    if [ -z "$p" ]; then
      p=0 f=1 s=0
      echo "==== $title: ended without a summary (exit code $status)"
    elif [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
      f=1
      echo "==== $title: failed in spite of its summary (exit code $status)"
    elif [ "$p" -eq 0 ] && [ "$f" -eq 0 ]; then
      f=1
      echo "==== $title: ran no test"
    fi
  fi
  if [ "$kind" = busted ]; then
    missing=$(tools/check_parts.sh "${1#*=}" "$log") || { f=$((f + 1)) && printf '==== %s\n' "$missing" && broken+="==== $title"$'\n'"$missing"$'\n'; }
    left_out+=$(sed -n "s/^ok [0-9]* - # SKIP */$title: /p" "$log" | sort -u)$'\n'
  fi
  [ "$f" -eq 0 ] || broken+=$(broken_in "$kind" "$title" "$log")$'\n'
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  table+=$(printf '%7d %7d %8d %6ds  %s' "$p" "$f" "$s" $((SECONDS - start)) "$title")$'\n'
}

part gate "builds without a warning, gcc" all
part gate "builds without a warning, clang" CC=clang core module
part gate "layers and exported names" check-layers
part gate "the installed rock runs the demo" check-rock
part gate "luacheck" lint
part gate "clang-format" format-check
part core "C core under ASan and UBSan" test-c
part core "threads under TSan" tsan ONLY="loop resolve hosts reactor tasks loss segment spool dead_letters writer writer_end pool"
part gate "decoders and parsers fuzzed, the same inputs each time" test-fuzz
part busted "Lua 5.4" test-lua5.4 BUSTED=--output=TAP
part busted "LuaJIT" test-luajit BUSTED=--output=TAP
part busted "nginx with lua-nginx-module" test-nginx BUSTED=--output=TAP
part busted "the module under ASan inside nginx" asan-nginx BUSTED=--output=TAP
part busted "binding under ASan, restless collector, Lua 5.4" asan BUSTED=--output=TAP

printf '\n passed  failed  skipped   time\n%s\n' "$table"
[ "$skipped" -eq 0 ] || printf 'skipped:\n%s\n\n' "$(sed '/^$/d' <<<"$left_out")"
[ -z "$broken" ] || printf '%s\n' "$broken"
closing="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || closing+=", $skipped skipped"
echo "$closing"
[ "$failed" -eq 0 ]
