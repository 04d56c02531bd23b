#!/usr/bin/env bash
# Installs what the tests need, by name: Debian packages, npm packages by lock file, and cargo-deny and cargo-fuzz from crates.io.
# Does nothing when all is there.
set -euo pipefail
# g++ builds libFuzzer.
# asterisk-core-sounds-en-wav is the recorded speech of tests/talk_off.rs.
# iproute2 and nftables make the networks of tests/wire/nat.rs.
# chromium is the browser of tests/wire/chromium.rs.
# opusdec is the second opinion on compressed recordings.
# strace makes the disk of tests/wire/recording_disk.rs slow.
packages=(g++ chromium espeak-ng sox asterisk-core-sounds-en-wav sip-tester baresip-core kamailio linphone-cli iproute2 nftables strace opus-tools)
missing=()
for package in "${packages[@]}"; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  # The tests start a Kamailio of their own; the package's would take port 5060 of every address.
  if [ -d /run/systemd/system ] && ! dpkg -s kamailio >/dev/null 2>&1; then
    "${as_root[@]}" systemctl mask --quiet kamailio.service
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
# What Asterisk's dialplans look like, for tests/import.rs.
"$(dirname "$0")/asterisk_config.sh"
# The browser's phone: built again only where something of it has changed.
phone=tests/browser/node_modules/.phone/phone.js
cd "$(dirname "$0")/.."
if [ ! -e "$phone" ] || [ tests/browser/phone.js -nt "$phone" ] || [ tests/browser/package-lock.json -nt "$phone" ]; then
  npm ci --prefix tests/browser --no-audit --no-fund --silent
  npm run --prefix tests/browser --silent build
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
cargo deny --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny
