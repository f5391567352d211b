# litekeel: `make test` runs every suite, `make check` the formal ones.
CARGO ?= cargo
.PHONY: all test check clean header

all:
	$(CARGO) build --release

test: check
	$(CARGO) test --workspace

check:
	$(CARGO) fmt --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

clean:
	$(CARGO) clean
