#!/usr/bin/env bash
# The sample files of Debian's asterisk-config, which tests/import.rs reads, in target/asterisk-config: they are GPL and no part of
# this repository. Asterisk is in sid alone, whose index apt reads into a folder of its own; nothing is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$PWD/target/asterisk-config
[ ! -e "$folder/etc/asterisk/extensions.conf" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$folder"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] ${INTEROP_MIRROR:-http://deb.debian.org/debian} sid main" >"$work/sid.list"
options=(-qq -o "Dir::Etc::sourcelist=$work/sid.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none
  -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o Acquire::Retries=5)
apt-get "${options[@]}" update
(cd "$work" && apt-get "${options[@]}" download asterisk-config)
dpkg -x "$work"/asterisk-config_*.deb "$folder"
