rockspec_format = "3.0"
package = "larder"
version = "dev-1"

source = { url = "." } -- built from the checkout: `luarocks make`

description = {
  summary = "Typed data stores on PostgreSQL with an in-memory twin",
  detailed = [[
    larder gives Lua programs stores that are declared once and behave the same on PostgreSQL and in memory, with a
    pool, transactions, migrations and bulk data migration, from a C11 core on libpq. It runs on Lua 5.4 and on LuaJIT 2.1
    (also OpenResty's), whose rocks are those of Lua 5.1; Lua 5.1 itself, 5.2 and 5.3 cannot load it.]],
  license = "MIT",
  labels = { "postgresql", "database" },
}

supported_platforms = { "unix" }

dependencies = {
  "lua >= 5.1, ~= 5.2, ~= 5.3, < 5.5", -- 5.1: LuaJIT
  "lua-cjson >= 2.1.0",
  "argparse >= 0.7",
  "luafilesystem >= 1.8",
  "lua-term >= 0.7",
}

external_dependencies = {
  PQ = { library = "pq" }, -- the Makefile asks pg_config for the header's place
  SODIUM = { header = "sodium.h", library = "sodium" },
}

build = {
  type = "make",
  build_target = "module",
  build_variables = {
    DEPS = "no",
    LUA = "rock",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    PQ_LIBDIR = "$(PQ_LIBDIR)",
  },
  install_variables = {
    DEPS = "no",
    LUA = "rock",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    PQ_LIBDIR = "$(PQ_LIBDIR)",
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    BINDIR = "$(BINDIR)",
    MANDIR = "$(PREFIX)/man/man1",
  },
}
