#!/usr/bin/env bash
# Calls through the bench floor, measured from outside with benches/loadgen.c: what a call-second costs in CPU, how late packets are, how
# fast INVITEs are answered. The bare relay of benches/relay.c runs in the same minutes, as the limit that system calls set.
#
#   benches/calls.sh media     bridged, recorded, queued, IVR: CPU milliseconds per call-second
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-media}
calls=${CALLS:-200}
window=${WINDOW:-10}

command -v cc >/dev/null || { echo "benches/calls.sh: a C compiler is missing: apt-get install gcc" >&2; exit 3; }
folder=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
cc -O2 -o "$folder/loadgen" benches/loadgen.c
cc -O2 -o "$folder/relay" benches/relay.c
cargo build --release --locked --quiet
TRUNKLINE__DATA_DIR="$folder/data" target/release/trunkline serve --config config/bench.toml 2>"$folder/log" &
daemon=$!
pids+=("$daemon")
# Ready once the page for probes answers.
ready=false
for _ in $(seq 100); do
  if (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; then ready=true; break; fi
  kill -0 "$daemon" 2>/dev/null || break
  read -rt 0.1 <> <(:) || true
done
$ready || { echo "benches/calls.sh: the bench floor does not start:" >&2; cat "$folder/log" >&2; exit 3; }

# The value of a number (or the n-th of a list) in a line of loadgen's JSON.
value() { sed -nE "s/.*\"$1\":\[?([-0-9.,]+)\]?.*/\1/p" <<<"$3" | cut -d, -f"$2"; }

json=()
row() { printf '%-28s %10s %8s %10s %10s %8s\n' "$@"; }
result() { json+=("{\"name\":\"$1\",\"value\":$2,\"unit\":\"$3\",\"peer\":$4,\"ratio\":$5}"); }

media() {
  row "" "CPU ms/" "ratio to" "latency" "p99" "lost"
  row "" "call-sec" "relay" "p50 ms" "ms" "%"
  # The bare relay: the same packets between the same number of port pairs.
  "$folder/relay" 3 "$calls" $((window + 4)) >"$folder/relay.out" 2>&1 &
  local relay=$!
  pids+=("$relay")
  for ((i = 0; i < calls; i++)); do echo "$((10000 + 4 * i)) $((10002 + 4 * i))"; done >"$folder/pairs"
  local line base
  line=$("$folder/loadgen" -t "$folder/pairs" -w "$window" -p "$relay" | tail -1)
  wait "$relay" 2>/dev/null || true
  base=$(value cpu_ms_per_call_s 1 "$line")
  row "bare relay" "$base" 1.00 "$(value lat_ms 1 "$line")" "$(value lat_ms 2 "$line")" "$(value loss_pct 1 "$line")"
  local names=([1]="echo" [2]="bridged" [3]="bridged, recorded" [4]="queued" [5]="queued, recorded" [6]="prompt")
  for prefix in 2 3 4 5 1 6; do
    local mode=2
    [[ $prefix == 1 || $prefix == 6 ]] && mode=1
    line=$("$folder/loadgen" -n "$calls" -r 50 -w "$window" -e "$prefix" -p "$daemon" -m "$mode" | tail -1)
    local cost ratio
    cost=$(value cpu_ms_per_call_s 1 "$line")
    ratio=$(awk "BEGIN { printf \"%.2f\", $cost / $base }")
    local lost
    lost=$(value loss_pct 1 "$line")
    # A prompt comes from us alone, so nothing that the caller sent can be missed.
    [[ $prefix == 6 ]] && lost=-
    row "${names[$prefix]}" "$cost" "$ratio" "$(value lat_ms 1 "$line")" "$(value lat_ms 2 "$line")" "$lost"
    result "${names[$prefix]}" "$cost" "CPU ms per call-second" '"bare relay"' "$ratio"
    [[ $(value fails 1 "$line") == 0 ]] || { echo "calls failed: $line" >&2; exit 1; }
  done
}

case $what in
  media) media ;;
  *) echo "benches/calls.sh: $what is no bench: media" >&2; exit 2 ;;
esac
printf '%s\n' "${json[@]}"
