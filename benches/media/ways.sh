#!/usr/bin/env bash
# The ways in which one thread can relay packets (ways.c), beside the bare relay: why the media threads take the one they do.
#
#   benches/media/ways.sh [N]    each way N=3 times by turns, with CALLS=200
#
# Needs `apt-get install liburing-dev`.
set -euo pipefail
# shellcheck source=benches/media/common.sh
source "$(dirname "$0")/common.sh"
calls=${CALLS:-200}
cc -O2 -o "$folder/ways" benches/media/ways.c -luring
names=([1]="recvfrom, sendto" [2]="the same until empty" [3]="connected sockets" [4]="connected, ticks of 1 ms"
  [5]="edge-triggered, recvmmsg" [6]="io_uring" [7]="io_uring, ticks of 1 ms")
heading
for ((turn = 0; turn < ${1:-3}; turn++)); do
  # Waits until the ports are free that io_uring held.
  "$folder/ways" 1 "$calls" 0
  run_relay "$calls"
  base=$(value cpu_ms_per_call_s)
  row "bare relay" "$base" "$calls"
  for way in 1 2 3 4 5 6 7; do
    "$folder/ways" "$way" "$calls" $((window + 5)) &
    relay=$!
    pids+=("$relay")
    line=$("$folder/loadgen" -t "$folder/pairs" -w "$window" -p "$relay" | tail -1)
    wait "$relay"
    row "${names[$way]}" "$base" "$calls"
  done
done
printf '%s\n' "${json[@]}"
