#!/bin/sh
# Makes docs/reference.md anew from the annotations, with the pages that show each function.
set -eu
cd "$(dirname "$0")/.."
exec tools/lua.sh lua5.4 -e '
  local file = assert(io.open("docs/reference.md", "w"))
  file:write(require("tools.reference").page(require("spec.support.book").used))
  file:close()'
