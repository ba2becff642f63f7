#!/bin/sh
# Makes docs/inside/messages.md anew from the sources.
set -eu
cd "$(dirname "$0")/.."
exec tools/lua.sh lua5.4 -e '
  local file = assert(io.open("docs/inside/messages.md", "w"))
  file:write(require("tools.messages").page())
  file:close()'
