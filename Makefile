# larder: build, proof and installation. `make help` lists the targets.
#
#   CC     gcc (default) or clang
#   LUA    5.4 (default) or luajit: the Lua that `module`, `demo` and `install` are for.
#          Any other name builds against LUA_INCDIR (the rockspec uses LUA=rock).
#   SAN    address, thread or fuzzer: the same build under sanitizers, beside the plain one
#   V=1    shows whole command lines

VERSION := dev

LUA    ?= 5.4
SAN    ?=
PREFIX ?= /usr/local
ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
Q := $(if $(V),,@)
# What a quiet build says in place of the command line.
say = $(if $(V),,@echo '  $1 $@')

# ---- where things go ----------------------------------------------------------------------------------

OUT      := build/$(notdir $(firstword $(CC)))$(if $(SAN),-$(SAN))$(if $(filter rock,$(LUA)),-rock)
LUA_NAME := $(patsubst 5.%,lua5.%,$(LUA))
MODULES  := lua5.4 luajit rock
# build/<lua>/larder/core.so, so that one entry of package.cpath finds it.
module_of = build/$(if $(SAN),$(SAN)/)$1/larder/core.so

# A room is a folder; a room may hold others.
sources = $(sort $(shell find $1 -name '*.c'))
CORE_SRC := $(call sources,csrc/core)
LUA_SRC  := $(call sources,csrc/lua)
TEST_SRC := $(call sources,csrc/test)
FUZZ_SRC := $(wildcard csrc/fuzz/fuzz_*.c)
MODEL_SRC := $(wildcard csrc/model/*.c)
CORE_OBJ := $(CORE_SRC:csrc/%.c=$(OUT)/%.o)
TEST_OBJ := $(TEST_SRC:csrc/%.c=$(OUT)/%.o)
ARCHIVE  := $(OUT)/liblarder_core.a
C_TESTS  := $(OUT)/core_tests
MODEL    := $(OUT)/model
FUZZERS  := $(FUZZ_SRC:csrc/fuzz/%.c=$(OUT)/%)

# ---- how things are compiled --------------------------------------------------------------------------

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Wcast-qual -Wpointer-arith -Werror
SAN_address := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_thread  := -fsanitize=thread -fno-omit-frame-pointer
SAN_fuzzer  := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

BASE = -std=c11 $(WARN) -fPIC -fno-plt -fvisibility=hidden -pthread $(CFLAGS) $(SAN_$(SAN)) $(CPPFLAGS)
LINK = -pthread $(CFLAGS) $(LDFLAGS) $(SAN_$(SAN))

# Asked for when a recipe runs, not before: `make deps` may have installed the answer a moment ago. Only
# postgres/protocol is given the way to libpq's headers.
PQ_INC = -isystem $(or $(PQ_INCDIR),$(shell pg_config --includedir 2>/dev/null),/usr/include/postgresql)
LIBS   = $(if $(PQ_LIBDIR),-L$(PQ_LIBDIR) )-lpq -lsodium -lm

LUA_INC_lua5.4 = $(or $(shell pkg-config --cflags-only-I lua5.4 2>/dev/null),-I/usr/include/lua5.4)
LUA_INC_luajit = $(or $(shell pkg-config --cflags-only-I luajit 2>/dev/null),-I/usr/include/luajit-2.1)
LUA_INC_rock   = -I$(LUA_INCDIR)
LUA_LIB_lua5.4 = -llua5.4
LUA_LIB_luajit = -lluajit-5.1

VERSION_FLAG = -DLARDER_VERSION='"$(VERSION)"'

# ---- building -----------------------------------------------------------------------------------------

.PHONY: all core module
all: core $(foreach l,lua5.4 luajit,$(call module_of,$l) build/$l/bin/larder)
core: $(ARCHIVE)
module: $(call module_of,$(LUA_NAME))

$(ARCHIVE): $(CORE_OBJ)
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

$(OUT)/core/%.o: csrc/core/%.c $(OUT)/flags | deps
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BASE) $(PRIVATE_INC) -Icsrc/core -MMD -MP -c $< -o $@
$(OUT)/core/postgres/protocol/%.o: private PRIVATE_INC = $(PQ_INC)

$(OUT)/test/%.o: csrc/test/%.c $(OUT)/flags | deps
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -Icsrc/core -Icsrc/test -MMD -MP -c $< -o $@

$(OUT)/model/%.o: csrc/model/%.c $(OUT)/flags | deps
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -Icsrc/core -Icsrc/model -MMD -MP -c $< -o $@

$(OUT)/fuzz/%.o: csrc/fuzz/%.c $(OUT)/flags | deps
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BASE) -Icsrc/core -MMD -MP -c $< -o $@

$(C_TESTS): $(TEST_OBJ) $(ARCHIVE)
	$(call say,LD)
	$(Q)$(CC) $(LINK) $^ $(LIBS) -o $@

# The model defines what it takes the place of, so that nothing of that is taken from the archive.
$(MODEL)/model: $(MODEL_SRC:csrc/%.c=$(OUT)/%.o) $(ARCHIVE)
	$(call say,LD)
	$(Q)$(CC) $(LINK) $^ $(LIBS) -o $@

$(FUZZERS): $(OUT)/%: $(OUT)/fuzz/%.o $(OUT)/fuzz/support.o $(ARCHIVE)
	$(call say,LD)
	$(Q)$(CC) $(LINK) -fsanitize=fuzzer $^ $(LIBS) -o $@

# The binding, once for each Lua. It is never unloaded: a cancel on its way may outlive the Lua state.
define module_rules
$(OUT)/$1/%.o: csrc/lua/%.c $(OUT)/flags | deps
	@mkdir -p $$(@D)
	$$(call say,CC)
	$$(Q)$$(CC) $$(BASE) $$(patsubst -I%,-isystem %,$$(LUA_INC_$1)) -Icsrc/core -Icsrc $$(VERSION_FLAG) -MMD -MP -c $$< -o $$@

$(call module_of,$1): $(LUA_SRC:csrc/lua/%.c=$(OUT)/$1/%.o) $(ARCHIVE) $(call module_of,$1).from
	@mkdir -p $$(@D)
	$$(call say,LD)
	$$(Q)$$(CC) $$(LINK) -shared -Wl,-z,nodelete $$(filter %.o %.a,$$^) $$(LIBS) -o $$@

build/$(SAN)/$1/lua: tools/lua_host.c $(OUT)/flags | deps
	@mkdir -p $$(@D)
	$$(call say,LD)
	$$(Q)$$(CC) $$(BASE) $$(patsubst -I%,-isystem %,$$(LUA_INC_$1)) $$< $$(LUA_LIB_$1) -o $$@

$(call module_of,$1).from: FORCE
	$$(call note,$(OUT))

-include $(LUA_SRC:csrc/lua/%.c=$(OUT)/$1/%.d)
endef
$(foreach l,$(MODULES),$(eval $(call module_rules,$l)))

# The command line tool as a program: $1 its Lua, $2 and $3 where the files in Lua and the module are, whatever LUA_PATH says.
# luarocks writes such a program itself, so a rock's is left as it is.
tool = sed -e '1s|env lua$$|env $1|' -e '2s|.*|package.path = "$2/?.lua;$2/?/init.lua;" .. package.path; package.cpath = "$3/?.so;" .. package.cpath|' bin/larder
build/%/bin/larder: bin/larder Makefile
	@mkdir -p $(@D)
	$(Q)$(call tool,$*,$(CURDIR)/lua,$(CURDIR)/build/$*) >$@ && chmod 755 $@

# A file that is touched only when its text changes: flags and compilers are prerequisites like any other.
note = @mkdir -p $(@D); printf '%s\n' '$1' | cmp -s - $@ || printf '%s\n' '$1' > $@
$(OUT)/flags: FORCE
	$(call note,$(CC) $(BASE) $(VERSION) $(LUA_INCDIR))
.PHONY: FORCE

-include $(CORE_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(wildcard $(OUT)/fuzz/*.d $(OUT)/model/*.d)

# ---- what must be on the machine ----------------------------------------------------------------------

# DEPS=no leaves the machine as it is (package builds).
.PHONY: deps
deps: deps-build
deps-%: ; $(if $(filter no,$(DEPS)),@:,@tools/deps.sh $*)

# ---- proof --------------------------------------------------------------------------------------------

.PHONY: test test-c test-lua test-lua5.4 test-luajit test-servers test-nginx test-oom asan asan-nginx tsan valgrind test-fuzz fuzz
.PHONY: check-layers lint format format-check

SPEC      ?= spec
FUZZ_TIME ?= 10
FUZZ_RUNS ?= 50000

# Everything, part by part; the last line is the sum.
test: deps-test
	@tools/run_tests.sh

test-c: deps-test
	@$(MAKE) --no-print-directory SAN=address core-tests

.PHONY: core-tests
core-tests: $(C_TESTS) $(MODEL)/model
	$(if $(ONLY),$(if $(filter model,$(ONLY)),$(MODEL)/model),$(MODEL)/model)
	$(if $(filter-out model,$(or $(ONLY),all)),tools/with_pg.sh $(C_TESTS) $(filter-out model,$(ONLY)))

test-lua: test-lua5.4
	@$(MAKE) --no-print-directory test-luajit
# Both modules: that of the other Lua must be told by its name.
test-lua5.4 test-luajit: test-%: $(foreach l,lua5.4 luajit,$(call module_of,$l)) | deps-test
	tools/with_pg.sh tools/busted.sh $* $(BUSTED) $(SPEC)

# The essential parts against every PostgreSQL that larder is for: make test-servers SERVERS="14 18".
test-servers: $(call module_of,lua5.4) | deps-test
	@tools/servers.sh $(SERVERS)

# nginx on LuaJIT, driven by specs on Lua 5.4.
test-nginx: $(call module_of,lua5.4) $(call module_of,luajit) | deps-test
	LARDER_TEST_NGINX=yes tools/with_pg.sh tools/busted.sh lua5.4 $(BUSTED) spec/nginx

# The same with the module under ASan and UBSan inside nginx.
ASAN_NGINX_SPEC ?= spec/nginx/scope_spec.lua spec/nginx/loop_spec.lua
asan-nginx: $(call module_of,lua5.4) | deps-test
	@$(MAKE) --no-print-directory CC=gcc SAN=address build/address/luajit/larder/core.so
	LARDER_TEST_NGINX=yes LARDER_NGINX_BUILD=build/address \
	  LARDER_NGINX_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	  tools/with_pg.sh tools/busted.sh lua5.4 $(BUSTED) $(ASAN_NGINX_SPEC)

# The binding under ASan and UBSan on a collector that never rests, which is slow: fewer random operations.
asan: deps-test
	@$(MAKE) --no-print-directory CC=gcc SAN=address build/address/lua5.4/larder/core.so build/address/lua5.4/lua
	LARDER_RANDOM_OPS=$${LARDER_RANDOM_OPS:-500} tools/with_pg.sh tools/busted.sh --asan --gc lua5.4 $(BUSTED) $(SPEC)
# The specs in which the n-th allocation fails, for every n.
test-oom:
	@$(MAKE) --no-print-directory asan BUSTED='--tags=oom $(BUSTED)'

tsan: deps-test
	@$(MAKE) --no-print-directory SAN=thread core-tests
valgrind: build/lua5.4/larder/core.so | deps-test
	tools/with_pg.sh tools/busted.sh --valgrind lua5.4 $(BUSTED) $(SPEC)

# Every fuzz target: FUZZ_RUNS inputs, the same ones each time, or what chance brings in FUZZ_TIME seconds.
test-fuzz: deps-test
	@$(MAKE) --no-print-directory CC=clang SAN=fuzzer FUZZ='check $(FUZZ_RUNS)' fuzzers
fuzz: deps-test
	@$(MAKE) --no-print-directory CC=clang SAN=fuzzer FUZZ='free $(FUZZ_TIME)' fuzzers
.PHONY: fuzzers
fuzzers: $(FUZZERS)
	@bad=0; for f in $^; do tools/fuzz.sh $(FUZZ) "$$f" || bad=1; done; exit $$bad

# The installed rock, outside the checkout.
.PHONY: check-rock
check-rock: deps-test
	@tools/check_rock.sh

check-layers: all
	@tools/check_layers.sh csrc $(ARCHIVE) $(foreach l,lua5.4 luajit,$(call module_of,$l))

lint: deps-test
	luacheck --no-color $(wildcard lua bin/larder spec examples bench tools)
	@tools/check_sizes.sh $(filter-out csrc/test/%,$(FORMATTED))

FORMATTED = $(sort $(shell find csrc bench tools -name '*.[ch]'))
format: deps-test
	clang-format-14 -i $(FORMATTED)
format-check: deps-test
	clang-format-14 --dry-run --Werror $(FORMATTED)

# ---- use ----------------------------------------------------------------------------------------------

.PHONY: demo bench bench-count bench-nginx bench-compare bench-audit bench-families install man env clean help
demo: all deps-demo
	@tools/with_pg.sh tools/lua.sh $(LUA_NAME) examples/demo.lua

bench: all deps-bench
	@bench/run.sh
bench-count: all deps-bench
	@bench/count.sh
bench-nginx: all deps-bench
	@bench/nginx/run.sh
bench-families: all deps-bench
	@bench/families.sh
bench-compare: all deps-bench
	@[ -n "$(BEFORE)" ] || { echo 'use: make bench-compare BEFORE=directory of another built checkout [BENCH_WHAT="time count nginx"]' >&2; exit 2; }
	@bench/compare.sh "$(BEFORE)" .
bench-audit: all deps-bench
	@tools/with_pg.sh tools/lua.sh lua5.4 bench/audit.lua

# Where luarocks wants things, or below DESTDIR/PREFIX.
LUA_API = $(if $(filter luajit,$(LUA)),5.1,$(LUA))
LUADIR ?= $(PREFIX)/share/lua/$(LUA_API)
LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_API)
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man/man1
install: module
	install -d '$(DESTDIR)$(LUADIR)/larder' '$(DESTDIR)$(LIBDIR)/larder' '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)'
	install -m 644 docs/larder.1 '$(DESTDIR)$(MANDIR)/larder.1'
	cp -R lua/larder/. '$(DESTDIR)$(LUADIR)/larder/'
	cp -R sql '$(DESTDIR)$(LUADIR)/larder/'
	install -m 755 $(call module_of,$(LUA_NAME)) '$(DESTDIR)$(LIBDIR)/larder/core.so'
	$(if $(filter rock,$(LUA)),cat bin/larder,$(call tool,$(LUA_NAME),$(LUADIR),$(LIBDIR))) >'$(DESTDIR)$(BINDIR)/larder'
	chmod 755 '$(DESTDIR)$(BINDIR)/larder'
ifeq ($(DESTDIR)$(filter rock,$(LUA)),)
	@$(LUA_NAME) -e 'os.exit(pcall(require, "larder"))' 2>/dev/null || printf '%s\n' '' \
	  '$(LUA_NAME) does not look for modules below $(PREFIX); programs that use larder need:' \
	  "  export LUA_PATH='$(LUADIR)/?.lua;$(LUADIR)/?/init.lua;;' LUA_CPATH='$(LIBDIR)/?.so;;'"
endif

# The manual page is made from the command line itself; a spec says when it is old.
man: module
	@tools/lua.sh $(LUA_NAME) tools/man.lua >docs/larder.1

# For a shell that is to use the checkout, its tool too: eval "$$(make env)"
env:
	@echo "export PATH='$(CURDIR)/build/$(LUA_NAME)/bin':\"\$$PATH\""
	@echo "export LUA_PATH='$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;'"
	@echo "export LUA_CPATH='$(CURDIR)/build/$(LUA_NAME)/?.so;;'"

clean:
	rm -rf build

help:
	@echo 'use:    all (default) core module demo bench bench-count bench-nginx bench-compare bench-audit bench-families install env clean deps'
	@echo 'prove:  test test-c test-lua test-servers test-nginx test-oom asan asan-nginx tsan valgrind test-fuzz fuzz check-layers lint format-check format'
	@echo 'narrow: make test-lua5.4 SPEC=spec/unit/x_spec.lua BUSTED=--filter=name   make test-c ONLY=json'
