#!/bin/sh
# fuzz.sh program seconds: one fuzz target for a while; its corpus is kept in build/corpus.
set -eu
name=$(basename "$1")
corpus=build/corpus/$name
mkdir -p "$corpus"
echo "fuzz: $name for $2 s"
exec "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=1024 -print_final_stats=0 -verbosity=0 \
  -artifact_prefix="$corpus-" "$corpus"
