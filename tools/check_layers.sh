#!/bin/sh
# check_layers.sh csrc archive module.so …: holds the tree to docs/architecture.md. Every fault is printed.
set -eu
export LC_ALL=C
src=$1 archive=$2
shift 2
bad=0
fault() { echo "check-layers: $*" >&2; bad=1; }

# A core module includes itself and what stands above it in LAYERS, and no Lua; LAYERS names each module once.
awk '
  function module(path) { sub(/.*\//, "", path); sub(/\.[ch]$/, "", path); return path }
  function fault(text) { print "check-layers: " FILENAME ":" FNR ": " text; bad = 1 }
  FNR == NR { if ($1 in rank) fault($1 " is listed twice"); rank[$1] = FNR; next }
  FNR == 1 { me = module(FILENAME); seen[me] = 1; if (!(me in rank)) fault(me " is not listed in LAYERS") }
  /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    used = module(part[2])
    if (!(used in rank) || rank[used] > rank[me]) fault(me " must not include " part[2])
  }
  /^[ \t]*#[ \t]*include.*[<"\/](lua|lauxlib|lualib|luaconf|luajit)\.h/ { fault("Lua in the core") }
  END {
    for (name in rank) if (!(name in seen)) { print "check-layers: LAYERS: " name " has no file"; bad = 1 }
    exit bad
  }' "$src/core/LAYERS" "$src"/core/*.[ch] >&2 || bad=1

# Each of these headers has one user.
only() {
  for user in $(grep -l "include[ \t]*[<\"].*$1" "$src"/*/*.[ch] || true); do
    [ "$user" = "$src/core/$2" ] || fault "$user: $1 belongs to $2 alone"
  done
}
only 'libpq-fe\.h' ldr_conn.c
only 'sodium\.h' ldr_secret.c

# Every C test module is run.
for file in "$src"/test/test_*.c; do
  [ -e "$file" ] || continue
  name=$(basename "$file" .c)
  n=$(grep -c "^T(${name#test_})\$" "$src/test/test_list.h" || true)
  [ "$n" -eq 1 ] || fault "$file: test_list.h names it $n times"
done

# The archive stands without Lua; a module shows its door and nothing else.
nm -u "$archive" 2>/dev/null | awk '$1 == "U" && $2 ~ /^lua/ { print $2 }' | sort -u | {
  refers=$(tr '\n' ' ')
  [ -z "$refers" ]
} || fault "$archive refers to $(nm -u "$archive" | awk '$2 ~ /^lua/ { print $2 }' | sort -u | tr '\n' ' ')"
for module; do
  shown=$(nm -D --defined-only "$module" | awk '$3 !~ /^luaopen_/ { print $3 }' | tr '\n' ' ')
  [ -z "$shown" ] || fault "$module exports $shown"
  readelf -d "$module" | grep -q NODELETE || fault "$module could be unloaded while a thread runs in it"
  nm -D --defined-only "$module" | grep -q ' luaopen_' || fault "$module exports no luaopen_"
done

[ "$bad" -eq 0 ] && echo "check-layers: all rules hold"
exit "$bad"
