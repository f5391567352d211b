# litekeel: `make demo` shows it, `make test` tests all of it.
CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(DESTDIR)$(PREFIX)/bin
LIBDIR = $(DESTDIR)$(PREFIX)/lib
INCLUDEDIR = $(DESTDIR)$(PREFIX)/include
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# A directory with another sqlite3.c to build against, for example one generated with --update-limit.
SQLITE3_DIR ?=
BUILD = $(if $(SQLITE3_DIR),target/with-sqlite,target)/release
OBJECT = $(BUILD)/liblitekeel.so

.PHONY: all requirements demo test bench check header install uninstall clean

all:
	$(if $(SQLITE3_DIR),scripts/with-sqlite $(SQLITE3_DIR)) $(CARGO) build --release

demo: all
	demo/run

requirements:
	scripts/requirements.sh

test: requirements check
	$(CARGO) test --workspace
	$(CARGO) build --profile fast
	scripts/test-install
	scripts/test-node

# `make bench BENCH=--quick` measures shortly and writes nothing.
BENCH ?= --write
bench: all
	bench/open
	node bench/node/run.js $(BENCH)

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

header:
	UPDATE_HEADER=1 UPDATE_DOCS=1 $(CARGO) test --test header
	UPDATE_DOCS=1 $(CARGO) test -p litekeel-core --test reference
	UPDATE_DOCS=1 $(CARGO) test -p litekeel-cli --test recorded_output
	if command -v node >/dev/null; then node bindings-node/settings-types.js; fi

install: all
	install -d $(BINDIR) $(LIBDIR)/pkgconfig $(LIBDIR)/cmake/litekeel $(INCLUDEDIR)/litekeel
	install -m 755 $(BUILD)/litekeel $(BINDIR)/litekeel
	install -m 755 $(OBJECT) $(LIBDIR)/liblitekeel.so.$(VERSION)
	ln -sf liblitekeel.so.$(VERSION) $(LIBDIR)/liblitekeel.so.0
	ln -sf liblitekeel.so.0 $(LIBDIR)/liblitekeel.so
	install -m 644 $(BUILD)/liblitekeel.a $(LIBDIR)/liblitekeel.a
	install -m 644 include/litekeel.h $(INCLUDEDIR)/litekeel.h
	install -m 644 $$(scripts/sqlite-include)/sqlite3.h $$(scripts/sqlite-include)/sqlite3ext.h $(INCLUDEDIR)/litekeel/
	sed -e 's|@PREFIX@|$(abspath $(PREFIX))|' -e 's|@VERSION@|$(VERSION)|' packaging/litekeel.pc.in > $(LIBDIR)/pkgconfig/litekeel.pc
	install -m 644 packaging/litekeel-config.cmake $(LIBDIR)/cmake/litekeel/litekeel-config.cmake

uninstall:
	rm -f $(BINDIR)/litekeel $(LIBDIR)/liblitekeel.so* $(LIBDIR)/liblitekeel.a $(LIBDIR)/pkgconfig/litekeel.pc $(INCLUDEDIR)/litekeel.h
	rm -rf $(LIBDIR)/cmake/litekeel $(INCLUDEDIR)/litekeel

clean:
	$(CARGO) clean
