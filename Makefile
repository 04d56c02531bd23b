# The targets for people; each works from a fresh clone.
.PHONY: build run demo test lint deps fuzz soak interop bench bench-sip bench-media bench-ways bench-peers bench-acd

# The dev profile is lightly optimised (Cargo.toml), so it starts soon and carries a demo floor with ease.
build:
	cargo build --locked

# The demo floor without bots; Ctrl-C stops it in order.
run: build
	target/debug/trunkline serve --config config/demo.toml

# The same floor with bots that call and answer.
demo: build
	target/debug/trunkline demo

# What the tests need: Debian packages by name, cargo-deny and cargo-fuzz.
deps:
	tests/install.sh

lint:
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --test interop -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet
	cargo deny --log-level error check bans licenses sources

test: deps lint
	cargo test --locked
	fuzz/run.sh 5

# Seconds for each fuzz target.
FUZZ_SECONDS ?= 60

# What strangers send (messages, URIs, SDP, digests, streams, SRTP, ICE's checks), and what people write (dialplans, ours and those of other
# switches); `make test` does the same for five seconds each.
fuzz: deps
	fuzz/run.sh $(FUZZ_SECONDS)

# A flood of eight methods beside calls, for so many seconds; `make test` sends a few thousand of each. And so many random days of
# the ACD beside its model; `make test` plays 40.
SOAK_SECONDS ?= 90
SOAK_SEEDS ?= 400

soak:
	SOAK_SEEDS=$(SOAK_SEEDS) cargo test --locked --test acd_model beside::
	SOAK_SECONDS=$(SOAK_SECONDS) cargo test --locked --test wire flood:: -- --nocapture

# Asterisk 22 as trunk, registrar and phone, from a chroot that the first run makes.
interop:
	asterisk=$$(tests/asterisk.sh) && INTEROP_ASTERISK=$$asterisk cargo test --locked --test interop

bench: bench-sip bench-media bench-acd

# What signalling costs: a message read, the highest clean rate, overload, milliseconds from INVITE to 200, memory of a call,
# what a trace costs.
bench-sip:
	cargo bench --locked --quiet --bench sip

# CPU milliseconds per call-second: bridged, recorded, queued, beside a bare relay.
bench-media:
	benches/media/calls.sh

# The ways in which a thread can relay packets. Apart from the others: needs `apt-get install liburing-dev`.
bench-ways:
	benches/media/ways.sh

# The same beside peers. Apart from the others: needs `apt-get install rtpengine-daemon kamailio`, and root once for Asterisk, which
# it installs into target/.
bench-peers:
	benches/media/peers.sh

# The ACD at 5,000 agents and 10,000 waiting: events a second, microseconds of an event, bytes of an agent and a waiting caller.
bench-acd:
	cargo bench --locked --quiet --bench acd
