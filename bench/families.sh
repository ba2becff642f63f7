#!/usr/bin/env bash
# families.sh: the built-in families beside SQL written by hand on libpq, on a server of its own. See bench/families.lua.
set -eu
cd "$(dirname "$0")/.."
. bench/setup.sh "max_wal_size = '8GB'
checkpoint_timeout = '1h'"
tools/with_pg.sh tools/lua.sh lua5.4 bench/families.lua
