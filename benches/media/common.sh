# What the media benches share: sourced, not run. Sets $folder, builds the tools, and ends what was started.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
command -v cc >/dev/null || { echo "the media benches need a C compiler: apt-get install gcc" >&2; exit 3; }
folder=$(mktemp -d)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
cc -O2 -o "$folder/loadgen" benches/media/loadgen.c
cc -O2 -o "$folder/relay" benches/media/relay.c
window=${WINDOW:-10}
json=()

# Waits, ten seconds at most, until a command succeeds that is asked ten times a second.
await() {
  for _ in $(seq 100); do
    "$@" 2>/dev/null && return
    read -rt 0.1 <> <(:) || true
  done
  echo "$* does not come true" >&2
  return 1
}

# The value of a number (or the n-th of a list) in the line of loadgen's JSON in $line.
value() { sed -nE "s/.*\"$1\":\[?([-0-9.,]+)\]?.*/\1/p" <<<"$line" | cut -d, -f"${2:-1}"; }

# $line of the bare relay with this many calls: the same packets between the same number of port pairs.
run_relay() {
  "$folder/relay" 3 "$1" $((window + 5)) >"$folder/relay.out" 2>&1 &
  local relay=$!
  pids+=("$relay")
  for ((i = 0; i < $1; i++)); do echo "$((10000 + 4 * i)) $((10002 + 4 * i))"; done >"$folder/pairs"
  line=$("$folder/loadgen" -t "$folder/pairs" -w "$window" -p "$relay" | tail -1)
  wait "$relay" 2>/dev/null || true
}

# $line of a peer, process $2, with $3 calls to numbers that begin with $1; numbers with 1 and 6 have one party only. A caller of
# numbers with 5 is told of the recording before anybody hears him.
run_calls() {
  local mode=2 settle=3
  [[ $1 == 1 || $1 == 6 ]] && mode=1
  [[ $1 == 5 ]] && settle=8
  line=$("$folder/loadgen" -n "$3" -r 50 -w "$window" -s "$settle" -e "$1" -p "$2" -m "$mode" | tail -1)
  [[ $(value fails) == 0 ]] || { echo "calls failed: $line" >&2; return 1; }
}

# Starts the bench floor as process $daemon.
start_floor() {
  cargo build --release --locked --quiet
  TRUNKLINE__DATA_DIR="$folder/data" target/release/trunkline serve --config config/bench.toml 2>"$folder/log" &
  daemon=$!
  pids+=("$daemon")
  await is_ready || { cat "$folder/log" >&2; exit 3; }
}

# Whether the floor is open: its port is bound long before, and what it holds when it is idle is known only then.
is_ready() {
  (exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3 | grep -q ' 200 ')
}

heading() {
  printf '%-34s %8s %8s %9s %8s %8s %8s %8s\n' "" "CPU ms/" "ratio to" "latency" "p99" "lost" "generator" "void"
  printf '%-34s %8s %8s %9s %8s %8s %8s\n' "" "call-sec" "relay" "p50 ms" "ms" "%" "late ms"
}

# A line of the table and of JSON: a name, what the relay took, and how many calls. Of a prompt, which comes from us alone, what is lost
# is what the generator did not get of 50 packets a second and call. A run in which the generator was late by more than a millisecond
# is void.
row() {
  local cost ratio lost late void=
  cost=$(value cpu_ms_per_call_s)
  ratio=$(awk "BEGIN { printf \"%.2f\", $cost / $2 }")
  lost=$(value loss_pct)
  late=$(awk "BEGIN { printf \"%.1f\", $(value gen_lag_us) / 1000 }")
  [[ $1 == prompt* ]] && lost=$(awk "BEGIN { printf \"%.4f\", 100 - $(value pps_in) * 100 / (50 * $3) }")
  awk "BEGIN { exit !($late > 1) }" && void=void
  printf '%-34s %8s %8s %9s %8s %8s %8s %8s\n' "$1" "$cost" "$ratio" "$(value lat_ms)" "$(value lat_ms 2)" "$lost" "$late" "$void"
  json+=("{\"name\":\"$1\",\"value\":$cost,\"unit\":\"CPU ms per call-second\",\"peer\":\"bare relay\",\"ratio\":$ratio}")
}
