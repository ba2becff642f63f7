#!/bin/sh
# check_layers.sh csrc archive module.so …: holds the tree to docs/architecture.md. Every fault is printed.
set -eu
export LC_ALL=C
src=$1 archive=$2
shift 2
bad=0
fault() { echo "check-layers: $*" >&2; bad=1; }

# The core knows no Lua.
for user in $(grep -rlE 'include[ \t]*[<"].*(lua|lauxlib|lualib|luaconf|luajit)\.h' "$src/core" || true); do
  fault "$user: Lua in the core"
done

# Rooms: by symbols, by included headers, by `require`. What lies in a build folder without its source is old.
rooms() {
  find "$2" -name '*.o' | while read -r object; do
    name=${object#"$2"/}
    [ -e "$3/${name%.o}.c" ] || rm -f "$object"
  done
  python3 tools/rooms_check.py "tools/rooms/$1.map" "$2" --include "$3" >"$2/rooms.txt" || {
    grep 'rooms-check:' "$2/rooms.txt" >&2
    fault "the rooms of $3: see tools/rooms/$1.map"
  }
}
objects=$(dirname "$archive")
rooms core "$objects/core" "$src/core"
rooms binding "$objects/lua5.4" "$src/lua"
python3 tools/rooms_check.py tools/rooms/library.map lua/larder >"$objects/rooms.txt" || {
  grep 'rooms-check:' "$objects/rooms.txt" >&2
  fault "the rooms of lua/larder: see tools/rooms/library.map"
}

# Each of these headers belongs to one room.
only() {
  for user in $(grep -rl "include[ \t]*[<\"].*$1" "$src" || true); do
    case $user in "$src/core/$2"/*) ;; *) fault "$user: $1 belongs to $2 alone" ;; esac
  done
}
only 'libpq-fe\.h' postgres/protocol
only 'sodium\.h' crypto

# Every C test module is run.
for file in $(find "$src/test" -name 'test_*.c'); do
  name=$(basename "$file" .c)
  n=$(grep -c "^T(${name#test_})\$" "$src/test/support/test_list.h" || true)
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
