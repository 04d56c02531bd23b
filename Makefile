# The targets for people; each works from a fresh clone.
.PHONY: build test lint deps

build:
	cargo build --locked

# Debian packages that the tests and the prompts' script need.
deps:
	tests/install.sh

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

test: deps lint
	cargo test --locked
