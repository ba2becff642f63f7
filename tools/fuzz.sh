#!/bin/sh
# fuzz.sh program seconds: one fuzz target for a while; its corpus is kept in build/corpus.
set -eu
name=$(basename "$1")
corpus=build/corpus/$name
log=build/corpus/$name.log
mkdir -p "$corpus"
if "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 -artifact_prefix="$corpus-" "$corpus" >"$log" 2>&1; then
  echo "$name: $(sed -n 's/^Done //p' "$log")"
else
  tail -n 40 "$log"
  echo "$name: FAILED, see $log"
  exit 1
fi
