#!/usr/bin/env bash
# Installs what the tests need, by name: Debian packages, and cargo-deny and cargo-fuzz from crates.io. Does nothing when all is there.
set -euo pipefail
# g++ builds libFuzzer.
packages=(g++ espeak-ng sox sip-tester baresip-core)
missing=()
for package in "${packages[@]}"; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
cargo deny --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny
