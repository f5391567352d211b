# litekeel: `make demo` shows it, `make test` tests all of it.
CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
# Where the installed files are at run time; DESTDIR goes in front of them when they are copied.
prefix = $(abspath $(PREFIX))
BINDIR ?= $(prefix)/bin
LIBDIR ?= $(prefix)/lib
INCLUDEDIR ?= $(prefix)/include
SHAREDIR ?= $(prefix)/share/litekeel
MANDIR ?= $(prefix)/share/man
# Where shells look for completions of their own accord.
BASH_COMPLETION ?= $(prefix)/share/bash-completion/completions/litekeel
ZSH_COMPLETION ?= $(prefix)/share/zsh/site-functions/_litekeel
FISH_COMPLETION ?= $(prefix)/share/fish/vendor_completions.d/litekeel.fish
# Whether programs carry the path of the library: by default where the loader does not look by itself.
RPATH ?= $(if $(filter /usr/lib /usr/lib64 /usr/lib/%-linux-gnu /lib /lib64,$(LIBDIR)),no,yes)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# A directory with another sqlite3.c to build against, for example one generated with --update-limit.
SQLITE3_DIR ?=
# The cargo profile: `fast` links quickly.
PROFILE ?= release
BUILD = $(if $(SQLITE3_DIR),target/with-sqlite,target)/$(PROFILE)
OBJECT = $(BUILD)/liblitekeel.so

.PHONY: all packages docs demo demo-scale test test-long test-scale test-platforms test-here bench bench-contention check header install uninstall clean

all:
	$(if $(SQLITE3_DIR),scripts/with-sqlite $(SQLITE3_DIR)) $(CARGO) build --profile $(PROFILE)

demo:
	scripts/requirements.sh demo
	$(MAKE) all
	demo/run

# Litestream and a libSQL server, pinned and installed under target/, killed while Node and C write through litekeel.
demo-scale:
	scripts/requirements.sh scale
	$(MAKE) all
	demo/scale/run

test:
	scripts/requirements.sh test
	$(MAKE) check
	$(CARGO) test --workspace
	scripts/test-read-lock short
	$(CARGO) test -p litekeel-ffi --features panic-injection
	$(CARGO) test -p litekeel-ffi --features remote --test remote_database
	$(CARGO) build --release
	scripts/test-install
	scripts/test-downstream
	scripts/test-closing short
	scripts/test-node

# What `make test` leaves out for its length: more hosts, more platforms, larger counts. SOAK=1 adds the soak counts.
test-long:
	scripts/requirements.sh long
	scripts/test-read-lock full
	$(CARGO) build --release
	scripts/test-closing full
	scripts/test-scale
	scripts/test-installers
	scripts/test-debian --built target/release
	scripts/test-platforms

# Beside the real Litestream and the real libSQL server, pinned and installed under target/.
test-scale:
	scripts/test-scale

# Builds for other platforms and runs there what can run here (docs/platforms.md).
test-platforms:
	scripts/test-platforms

# What can be tested on a system other than Linux (macOS), for the machine that this runs on.
test-here:
	$(CARGO) test -p litekeel-core -p litekeel-ffi
	scripts/test-platforms host

# What npm and whoever has no Node get, for this machine's platform; `make packages PLATFORMS=` makes them for every one.
PLATFORMS ?= host
packages:
	packaging/build-all $(PLATFORMS)
	node bindings-node/pack.js packages

# `make bench BENCH=--quick` measures shortly and writes nothing.
BENCH ?= --write
bench: all
	bench/open
	bench/c/run
	node bench/node/run.js $(BENCH)
	node bench/node/memory.js $(BENCH)

# The documentation as a book, in target/docs.
docs:
	scripts/docs

# Needs a quiet machine, and takes two minutes.
bench-contention:
	bench/contention/run

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc -q --no-deps -p litekeel-core

header:
	UPDATE_HEADER=1 UPDATE_DOCS=1 $(CARGO) test --test header
	UPDATE_HEADER=1 $(CARGO) test --test manual_page
	UPDATE_DOCS=1 $(CARGO) test --test third_party
	UPDATE_DOCS=1 $(CARGO) test -p litekeel-core --test reference
	UPDATE_DOCS=1 $(CARGO) test -p litekeel-node --lib layout
	UPDATE_DOCS=1 $(CARGO) test -p litekeel-cli --test recorded_output
	if command -v node >/dev/null; then node bindings-node/settings-types.js && node bindings-node/api-page.js; fi

install: all
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(LIBDIR)/cmake/litekeel $(INCLUDEDIR)/litekeel $(SHAREDIR))
	install -m 755 $(BUILD)/litekeel $(DESTDIR)$(BINDIR)/litekeel
	install -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3 $(dir $(addprefix $(DESTDIR),$(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)))
	$(BUILD)/litekeel man $(DESTDIR)$(MANDIR)/man1
	install -m 644 include/litekeel.h.3 $(DESTDIR)$(MANDIR)/man3/
	$(BUILD)/litekeel completions bash > $(DESTDIR)$(BASH_COMPLETION)
	$(BUILD)/litekeel completions zsh > $(DESTDIR)$(ZSH_COMPLETION)
	$(BUILD)/litekeel completions fish > $(DESTDIR)$(FISH_COMPLETION)
	install -m 755 $(OBJECT) $(DESTDIR)$(LIBDIR)/liblitekeel.so.$(VERSION)
	ln -sf liblitekeel.so.$(VERSION) $(DESTDIR)$(LIBDIR)/liblitekeel.so.0
	ln -sf liblitekeel.so.0 $(DESTDIR)$(LIBDIR)/liblitekeel.so
	install -m 644 $(BUILD)/liblitekeel.a $(DESTDIR)$(LIBDIR)/liblitekeel.a
	install -m 644 include/litekeel.h $(DESTDIR)$(INCLUDEDIR)/litekeel.h
	install -m 644 include/litekeel/packed.h include/litekeel/litekeel.hpp $(DESTDIR)$(INCLUDEDIR)/litekeel/
	install -m 644 $$(scripts/sqlite-include)/sqlite3.h $$(scripts/sqlite-include)/sqlite3ext.h $(DESTDIR)$(INCLUDEDIR)/litekeel/
	install -m 644 include/litekeel.symbols packaging/litekeel.supp docs/events.md THIRD-PARTY.md $(DESTDIR)$(SHAREDIR)/
	scripts/package-files $(VERSION) $(prefix) $(LIBDIR) $(INCLUDEDIR) $(RPATH) $(DESTDIR)$(LIBDIR)

uninstall:
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,liblitekeel.so liblitekeel.so.0 liblitekeel.so.$(VERSION) liblitekeel.a pkgconfig/litekeel.pc pkgconfig/litekeel-static.pc)
	rm -f $(DESTDIR)$(MANDIR)/man1/litekeel.1 $(DESTDIR)$(MANDIR)/man1/litekeel-*.1 $(DESTDIR)$(MANDIR)/man3/litekeel.h.3
	rm -f $(addprefix $(DESTDIR),$(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION))
	rm -f $(DESTDIR)$(BINDIR)/litekeel $(DESTDIR)$(INCLUDEDIR)/litekeel.h
	rm -rf $(addprefix $(DESTDIR),$(LIBDIR)/cmake/litekeel $(INCLUDEDIR)/litekeel $(SHAREDIR))

clean:
	$(CARGO) clean
