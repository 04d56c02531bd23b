#!/usr/bin/env bash
# Asterisk 22 from Debian sid in a folder of its own, for `make interop`: below target/ or where INTEROP_ASTERISK says. The first
# run fetches about 150 MB (as root, it is a chroot); later runs need no network. Prints the folder.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${INTEROP_ASTERISK:-$PWD/target/interop/asterisk}
mirror=${INTEROP_MIRROR:-http://deb.debian.org/debian}
if [ ! -e "$root/.complete" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "make interop needs root once, to make a chroot with Asterisk in $root: run it with sudo, or set INTEROP_ASTERISK" >&2
    exit 3
  fi
  command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq --no-install-recommends debootstrap; } >&2
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase sid "$root" "$mirror" >&2
  # Nothing starts by being installed.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends asterisk >&2
  chroot "$root" apt-get clean
  chroot "$root" asterisk -V >"$root/.complete"
fi
echo "$root"
