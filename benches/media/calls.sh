#!/usr/bin/env bash
# Calls through the bench floor, measured from outside with loadgen.c: what a call-second costs in CPU and how late packets are. The
# bare relay of relay.c runs in the same minutes, as the limit that system calls set.
#
#   benches/media/calls.sh             each kind of call once, with CALLS=200
#   benches/media/calls.sh pairs [N]   the relay and calls of KINDS ("2 3": bridged, and recorded) in turns, N=7 times, and the median
#                                      of their ratios
#   benches/media/calls.sh most        as many calls of each kind as are wanted of one core
set -euo pipefail
# shellcheck source=benches/media/common.sh
source "$(dirname "$0")/common.sh"
calls=${CALLS:-200}
read -ra kinds <<<"${KINDS:-2 3}"
names=([1]="echo" [2]="bridged" [3]="bridged, recorded" [4]="queued" [5]="queued, recorded" [6]="prompt")

once() {
  heading
  run_relay "$calls"
  local base prefix
  base=$(value cpu_ms_per_call_s)
  row "bare relay" "$base" "$calls"
  for prefix in 2 3 4 5 1 6; do
    run_calls "$prefix" "$daemon" "$calls"
    row "${names[$prefix]}" "$base" "$calls"
  done
}

# The median of numbers, one a line.
median() { sort -n | awk '{ all[NR] = $1 } END { if (NR) printf "%.2f", (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2; else printf "-" }'; }

pairs() {
  heading
  local base late turn prefix
  for ((turn = 0; turn < $1; turn++)); do
    run_relay "$calls"
    base=$(value cpu_ms_per_call_s)
    late=$(value gen_lag_us)
    row "bare relay" "$base" "$calls"
    for prefix in "${kinds[@]}"; do
      run_calls "$prefix" "$daemon" "$calls"
      row "${names[$prefix]}" "$base" "$calls"
      echo "$prefix $(awk "BEGIN { print $(value cpu_ms_per_call_s) / $base }") $((late > 1000 || $(value gen_lag_us) > 1000))" \
        >>"$folder/ratios"
    done
  done
  for prefix in "${kinds[@]}"; do
    printf '%-34s median of all %s, of those that are not void %s\n' "${names[$prefix]}" \
      "$(awk -v p=$prefix '$1 == p { print $2 }' "$folder/ratios" | median)" \
      "$(awk -v p=$prefix '$1 == p && !$3 { print $2 }' "$folder/ratios" | median)"
  done
}

most() {
  heading
  local prefix
  local -A wanted=([2]=1500 [3]=1000 [5]=1000 [6]=2000)
  for prefix in 2 3 5 6; do
    run_relay "${wanted[$prefix]}"
    local base
    base=$(value cpu_ms_per_call_s)
    row "bare relay, ${wanted[$prefix]} calls" "$base" "${wanted[$prefix]}"
    run_calls "$prefix" "$daemon" "${wanted[$prefix]}"
    row "${names[$prefix]}, ${wanted[$prefix]} calls" "$base" "${wanted[$prefix]}"
  done
}

start_floor
case ${1:-once} in
  once) once ;;
  pairs) pairs "${2:-7}" ;;
  most) most ;;
  *) echo "benches/media/calls.sh: $1 is none of once, pairs, most" >&2; exit 2 ;;
esac
printf '%s\n' "${json[@]}"
