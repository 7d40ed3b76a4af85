# For people:
#
#   make                   the module and the consumer, into build/
#   make run               the whole bank example on private servers; Ctrl-C ends
#   make stop              ends it from elsewhere
#   make clean-run         deletes its data
#   make test              all tests; make test T=t/jwt.t runs one file
#   make test-crash        the daemon and its servers, killed 200 times under load
#   make test-storm        20,000 commands while nginx, its workers, the broker and
#                          the link to it are ended again and again
#   make fuzz              libFuzzer, CQRS_FUZZ seconds for each target: 600
#   make test-asan         all tests under AddressSanitizer and UBSan
#   make lint              style and static checks
#   make bench             each path beside its floor
#   make install-packages  the Debian packages that are missing; for tests and
#                          checks: make install-test-packages
#   make clean             deletes build/
#
# With ASAN=1 everything is built into build/asan, with sanitizers; with V=1 the
# commands are shown.

ASAN     ?=
V        ?=
CC        = gcc
NGX_SRC  ?= /usr/share/nginx/src

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-builtin-rules

ifeq ($(ASAN),)
BUILD    = build
FLAGS    = -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
NGX_CC   = $$(dpkg-buildflags --get CFLAGS) $$(dpkg-buildflags --get CPPFLAGS) -fPIC
NGX_LD   = $$(dpkg-buildflags --get LDFLAGS) -fPIC
LDFLAGS  = -Wl,-z,relro,-z,now -Wl,--as-needed
PLUGIN_LD = -Wl,-z,defs
else
BUILD    = build/asan
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
           -fno-omit-frame-pointer
FLAGS    = -O1 -g $(SANITIZE)
NGX_CC   = -O1 -g $(SANITIZE) -DNGX_DEBUG_PALLOC=1 -fPIC
NGX_LD   = $(SANITIZE) -fPIC
LDFLAGS  = $(SANITIZE) -Wl,--as-needed
PLUGIN_LD =
endif

CFLAGS   = -std=gnu11 -Wall -Wextra -Werror -Wmissing-prototypes -Wshadow \
           -Wpointer-arith $(FLAGS)
CPPFLAGS = -D_GNU_SOURCE -Icommon -Iconsumer -I/usr/include/postgresql
LIBS     = -lpq -lrabbitmq -lhiredis -ljansson -lwslay -ljwt -lm -lcrypto -ldl

Q        = $(if $(V),,@)
OUT      = $(abspath $(BUILD))
MODULE   = $(BUILD)/module/ngx_http_cqrs_module.so

common   = $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c))
consumer = $(patsubst %.c,$(BUILD)/%.o,$(wildcard consumer/*.c))
units    = $(patsubst t/unit/%.c,$(BUILD)/t/%,$(wildcard t/unit/*.c))

handlers = $(BUILD)/handlers/bank.so
tested   = $(patsubst t/handlers/%.c,$(BUILD)/t/handlers/%.so,\
             $(wildcard t/handlers/*.c))

.PHONY: all module consumer handlers units run stop clean-run test test-crash \
        test-storm fuzz fuzz-run test-asan lint bench install-packages \
        install-test-packages install-fuzz-packages clean force
.DELETE_ON_ERROR:
.SECONDARY:

all: module consumer handlers


# The module.  nginx's own makefile knows what is to be compiled; it is written
# anew when the configuration, the list of files or nginx itself has changed,
# for a module fits one version of nginx alone.

ngx_sources = config $(wildcard ngx_cqrs_module/*.[ch] common/*.[ch])
ngx_version = $(shell dpkg-query -W -f '$${Version}' nginx-dev 2>/dev/null)
ngx_list    = $(CURDIR) $(ngx_version) $(ngx_sources)

module: $(MODULE)

$(MODULE): $(BUILD)/module/Makefile $(ngx_sources)
	@echo "building the module"
	@cd $(NGX_SRC) && $(MAKE) --no-print-directory $(if $(V),,-s) \
	    -f $(OUT)/module/Makefile modules
	@touch $@

$(BUILD)/module/Makefile: Makefile config $(BUILD)/module/list
	@echo "configuring nginx's module build"
	@cd $(NGX_SRC) && bash -c '. ./conf_flags && ./configure \
	    "$${NGX_CONF_FLAGS[@]}" \
	    --with-cc-opt="$(NGX_CC)" --with-ld-opt="$(NGX_LD)" \
	    --add-dynamic-module=$(CURDIR) --builddir=$(OUT)/module' \
	    >$(OUT)/module/configure.log 2>&1 \
	    || { tail -n 20 $(OUT)/module/configure.log; exit 1; }
	@touch $@

$(BUILD)/module/list: force
	@mkdir -p $(@D)
	@echo '$(ngx_list)' | cmp -s - $@ || echo '$(ngx_list)' >$@


# The consumer, and the programs that test what it shares with the module.

consumer: $(BUILD)/cqrs-consumer

units: $(units) $(tested) $(BUILD)/t/crash/points.so

handlers: $(handlers)

$(BUILD)/cqrs-consumer: $(consumer) $(BUILD)/consumer_sql.o $(BUILD)/libcqrs.a
	@echo "linking $@"
	$(Q)$(CC) $(LDFLAGS) -rdynamic -o $@ $^ $(LIBS)

$(BUILD)/libcqrs.a: $(common)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "compiling $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/consumer_sql.o: $(BUILD)/consumer_sql.c
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/consumer_sql.c: tools/embed-sql $(wildcard sql/*.sql sql/*/*.sql)
	@mkdir -p $(@D)
	$(Q)tools/embed-sql sql/install.sql >$@

$(BUILD)/t/%: t/unit/%.c $(BUILD)/libcqrs.a Makefile
	@mkdir -p $(@D)
	@echo "compiling $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -o $@ $< $(LDFLAGS) \
	    $(BUILD)/libcqrs.a $(LIBS) -lcmocka -lpg_query


# Plugins that decide.  What they need of ours is one header; what they refer to
# beyond it is there, or they are not linked.

plugin = $(CC) -D_GNU_SOURCE -Iconsumer $(CFLAGS) -MMD -MP -fPIC -shared \
         -fvisibility=hidden $(PLUGIN_LD) -o $@ $< $(LDFLAGS) -ljansson

$(BUILD)/handlers/%.so: examples/bank/handler/%.c Makefile
	@mkdir -p $(@D)
	@echo "compiling $<"
	$(Q)$(plugin)

$(BUILD)/t/handlers/%.so: t/handlers/%.c Makefile
	@mkdir -p $(@D)
	@echo "compiling $<"
	$(Q)$(plugin)

# It is preloaded into the consumer by t/crash_points.t, and not itself watched by
# the sanitizers.

$(BUILD)/t/crash/points.so: t/crash/points.c Makefile
	@mkdir -p $(@D)
	@echo "compiling $<"
	$(Q)$(CC) $(CPPFLAGS) $(filter-out $(SANITIZE),$(CFLAGS)) -shared -fPIC -o $@ $< -ldl

# Fuzzers: clang's, with the sanitizers, of common/ alone.  What is found is kept
# in build/; the small corpora of t/fuzz/ are where they begin.

fuzzers = $(patsubst t/fuzz/%.c,build/fuzz/%,$(wildcard t/fuzz/*.c))

build/fuzz/%: t/fuzz/%.c $(wildcard common/*.[ch] t/unit/*.h) Makefile
	@mkdir -p $(@D)
	@echo "compiling $<"
	$(Q)clang $(CPPFLAGS) -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=undefined -o $@ $< common/*.c \
	    -Wl,--as-needed $(LIBS) -lcmocka -lpg_query

fuzz: install-fuzz-packages
	@$(MAKE) --no-print-directory fuzz-run

fuzz-run: $(fuzzers)
	@set -e; for target in $(if $(T),$(T),$(notdir $(fuzzers))); do \
	    mkdir -p build/fuzz/found/$$target; \
	    build/fuzz/$$target -max_total_time=$${CQRS_FUZZ:-600} -timeout=10 \
	        -print_final_stats=1 -verbosity=0 -artifact_prefix=build/fuzz/ \
	        build/fuzz/found/$$target t/fuzz/$$target; \
	done

-include $(wildcard $(BUILD)/common/*.d $(BUILD)/consumer/*.d $(BUILD)/t/*.d \
           $(BUILD)/handlers/*.d $(BUILD)/t/handlers/*.d)


# A sanitizer must be there before everything else in a program; Debian's nginx
# was not linked with it, so a script starts it with the libraries preloaded.

ifneq ($(ASAN),)
module: $(BUILD)/nginx

$(BUILD)/nginx: tools/asan-nginx
	@mkdir -p $(@D)
	@cp $< $@
endif


run: install-packages
	@$(MAKE) --no-print-directory all
	@tools/run start

stop:
	@tools/run stop

clean-run:
	@tools/run remove

test: install-test-packages
	@$(MAKE) --no-print-directory all units
	@tools/test $(BUILD) $(T)

test-crash: install-test-packages
	@$(MAKE) --no-print-directory all units
	@CQRS_TEST_LIMIT=7200 CQRS_CRASHES=$${CQRS_CRASHES:-200} tools/test $(BUILD) -v t/crash_points.t

test-storm: install-test-packages
	@$(MAKE) --no-print-directory all units
	@CQRS_TEST_LIMIT=7200 CQRS_STORM=$${CQRS_STORM:-20000} CQRS_LINK=all \
	    tools/test $(BUILD) -v t/command_storm.t t/command_link.t

test-asan: install-test-packages
	@$(MAKE) --no-print-directory ASAN=1 all units
	@tools/test build/asan $(T)

lint: install-test-packages
	@$(MAKE) --no-print-directory all
	@tools/lint

bench: install-test-packages
	@$(MAKE) --no-print-directory all
	@bench/run

install-packages:
	@tools/install-packages

install-test-packages:
	@tools/install-packages packages-test

install-fuzz-packages:
	@tools/install-packages packages-fuzz

clean:
	rm -rf build
