#!/usr/bin/env bash
# The same calls through Trunkline and its peers in one run: rtpengine (Debian's rtpengine-daemon, without its kernel module, behind
# Debian's Kamailio) and Asterisk 22 (from sid, in the folder that tests/asterisk.sh makes), beside the bare relay.
#
#   benches/media/peers.sh    with CALLS=100
#
# Needs root once for Asterisk's folder, and `apt-get install rtpengine-daemon kamailio`.
set -euo pipefail
# shellcheck source=benches/media/common.sh
source "$(dirname "$0")/common.sh"
calls=${CALLS:-100}
command -v rtpengine >/dev/null && command -v kamailio >/dev/null \
  || { echo "benches/media/peers.sh needs: apt-get install rtpengine-daemon kamailio" >&2; exit 3; }
root=$(tests/asterisk.sh)
inside=/tmp/bench
rm -rf "${root:?}$inside"
mkdir -p "$root$inside/recordings"

# Ends a process and waits until it is gone, so that the next one finds its port free.
end() {
  kill "$1"
  while kill -0 "$1" 2>/dev/null; do wait "$1" || true; done
}

run() {
  run_calls "$2" "$3" "$calls" && row "$1" "$base" "$calls"
}

heading
run_relay "$calls"
base=$(value cpu_ms_per_call_s)
row "bare relay" "$base" "$calls"

start_floor
run "bridged, Trunkline" 2 "$daemon"
run "bridged and recorded, Trunkline" 3 "$daemon"
run "prompt, Trunkline" 6 "$daemon"
end "$daemon"

rtpengine --interface=127.0.0.1 --listen-ng=127.0.0.1:2223 --table=-1 --foreground --log-stderr --log-level=3 \
  --port-min=20000 --port-max=29999 --num-threads=1 2>"$folder/rtpengine" &
engine=$!
pids+=("$engine")
kamailio -DD -E -f benches/media/kamailio.cfg -Y "$folder" 2>"$folder/kamailio" &
proxy=$!
pids+=("$proxy")
await bash -c 'ss -lun | grep -q 127.0.0.1:5060' || { cat "$folder/kamailio" >&2; exit 3; }
run "bridged, rtpengine" 2 "$engine"
end "$proxy"
end "$engine"

cp dialplans/prompts/en/line_works.wav "$root$inside/"
cat >"$root$inside/asterisk.conf" <<EOF
[directories]
astetcdir => $inside
astdbdir => $inside
astkeydir => $inside
astspooldir => $inside
astrundir => $inside
astlogdir => $inside
EOF
cat >"$root$inside/pjsip.conf" <<EOF
[udp]
type = transport
protocol = udp
bind = 127.0.0.1:5060
[load]
type = endpoint
context = bench
disallow = all
allow = ulaw
direct_media = no
media_address = 127.0.0.1
bind_rtp_to_media_address = yes
[load]
type = identify
endpoint = load
match = 127.0.0.1
EOF
cat >"$root$inside/extensions.conf" <<EOF
[bench]
exten => _2.,1,Dial(PJSIP/load/sip:\${EXTEN}@127.0.0.1:5080)
exten => _3.,1,MixMonitor($inside/recordings/\${EXTEN}.wav)
same => n,Dial(PJSIP/load/sip:\${EXTEN}@127.0.0.1:5080)
exten => _6.,1,Answer()
same => n(again),Playback($inside/line_works)
same => n,Goto(again)
EOF
printf '[modules]\nautoload = yes\n' >"$root$inside/modules.conf"
: >"$root$inside/rtp.conf"
chroot "$root" asterisk -f -n -C "$inside/asterisk.conf" >"$folder/asterisk" 2>&1 </dev/null &
asterisk=$!
pids+=("$asterisk")
await chroot "$root" asterisk -C "$inside/asterisk.conf" -rx 'core waitfullybooted' >/dev/null
run "bridged, Asterisk" 2 "$asterisk"
run "bridged and recorded, Asterisk" 3 "$asterisk"
run "prompt, Asterisk" 6 "$asterisk"
end "$asterisk"
rm -rf "${root:?}$inside"
printf '%s\n' "${json[@]}"
