#!/usr/bin/env bash
# with_pg.sh command …: a command with a throw-away PostgreSQL; what users have as `larder throwaway`.
exec "$(dirname "$0")/../lua/larder/testing/with_pg.sh" "$@"
