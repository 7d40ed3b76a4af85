# Targets for people: make, make run, make stop, make clean-run, make test,
# make test-asan, make lint, make bench, make clean.

BUILD  ?= build
NGX_SRC ?= /usr/share/nginx/src

all: module

module:
	@mkdir -p $(BUILD)/module
	cd $(NGX_SRC) && bash -c '. ./conf_flags && ./configure "$${NGX_CONF_FLAGS[@]}" \
	  --with-cc-opt="$$(dpkg-buildflags --get CFLAGS) -fPIC $$(dpkg-buildflags --get CPPFLAGS)" \
	  --with-ld-opt="$$(dpkg-buildflags --get LDFLAGS) -fPIC" \
	  --add-dynamic-module=$(CURDIR) --builddir=$(abspath $(BUILD))/module' >$(abspath $(BUILD))/module/configure.log
	cd $(NGX_SRC) && $(MAKE) -f $(abspath $(BUILD))/module/Makefile modules

.PHONY: all module
