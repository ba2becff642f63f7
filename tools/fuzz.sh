#!/usr/bin/env bash
# fuzz.sh check RUNS program: one fuzz target on its seeds (csrc/fuzz/seeds) and on what comes of them: RUNS inputs, with a
#   fixed seed, so that the same tree tries the same inputs everywhere: addresses, which the fuzzer's table of comparisons and
#   its measure of the stack depend on, are the same each time (where the system allows it) or not used.
# fuzz.sh free SECONDS program: for a while, from a seed that is printed; the corpus is kept in build/corpus.
#
# An input that breaks a promise is printed as a line of csrc/fuzz/seeds, where it belongs once it is mended.
set -eu
export LC_ALL=C
SEED=20260101

name=$(basename "$3")
corpus=build/corpus/$name
seeds=build/corpus/$name-seeds
log=build/corpus/$name.log

# The lines of the target's seeds as files, in their order.
unpack() {
  local line n=1000
  rm -rf "$seeds"
  mkdir -p "$seeds"
  while IFS= read -r line; do
    case $line in '' | '#'*) continue ;; esac
    printf '%b' "$line" >"$seeds/$n"
    n=$((n + 1))
  done <"csrc/fuzz/seeds/${name#fuzz_}.txt"
}

as_line() { od -An -v -tx1 "$1" | tr -d '\n' | sed 's/ /\\x/g'; }

run() {
  local found
  rm -f "$corpus"-{crash,leak,oom,slow-unit,timeout}-*
  if "${under[@]}" "$program" "$@" -rss_limit_mb=1024 -artifact_prefix="$corpus-" >"$log" 2>&1; then
    echo "$name: $(sed -n 's/^Done //p' "$log")"
    return
  fi
  tail -n 40 "$log"
  for found in "$corpus"-{crash,leak,oom,timeout}-*; do
    [ ! -f "$found" ] || printf '%s: this input, as a line of csrc/fuzz/seeds/%s.txt:\n%s\n' "$name" "${name#fuzz_}" "$(as_line "$found")"
  done
  echo "$name: FAILED ($*), see $log"
  return 1
}

program=$3 under=(env)
mkdir -p "$corpus"
unpack
case $1 in
  check)
    printf '%s,' "$seeds"/* | sed 's/,$//' >"$seeds.list" # in order, which that of a directory is not
    under=(env -i PATH=/usr/bin:/bin)
    ! setarch -R true 2>/dev/null || under=(setarch -R env -i PATH=/usr/bin:/bin)
    run -seed=$SEED -runs="$2" -use_cmp=0 -timeout=120 -seed_inputs="@$seeds.list"
    ;;
  free)
    seed=$((RANDOM * 32768 + RANDOM))
    echo "$name: seed $seed"
    run -seed=$seed -max_total_time="$2" -timeout=25 "$corpus" "$seeds"
    ;;
  *) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
esac
