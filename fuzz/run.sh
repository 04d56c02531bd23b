#!/usr/bin/env bash
# Runs each fuzz target for a number of seconds, from the messages of tests/data, the dialplans and the samples of other switches on;
# what a run finds stays in fuzz/corpus.
# No sanitizer, so that stable Rust will do: the code has no `unsafe`, and a panic or a broken assertion is what is looked for.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?seconds for each target}
messages=(tests/data/rfc4475 tests/data/rfc5118 tests/data/digest)
# Folders of their own, as everything below a folder is a seed.
mkdir -p fuzz/corpus/plans fuzz/corpus/sounds
cp dialplans/*.toml fuzz/corpus/plans/
cp dialplans/prompts/en/beep.wav fuzz/corpus/sounds/
cargo fuzz build --sanitizer none
for target in message uri sdp digest stream shed rtp srtp ice recording wav dialplan import; do
  seeds=("${messages[@]}")
  longest=2048
  case $target in
    # A plan is longer than a datagram.
    dialplan) seeds=(fuzz/corpus/plans) longest=8192 ;;
    wav) seeds=(fuzz/corpus/sounds) longest=8192 ;;
    import) seeds=(tests/samples) longest=8192 ;;
  esac
  mkdir -p "fuzz/corpus/$target"
  echo "fuzz: $target, $seconds s"
  log=$(mktemp)
  if ! cargo fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "${seeds[@]}" -- \
    -max_total_time="$seconds" -max_len="$longest" -timeout=5 -rss_limit_mb=1024 >"$log" 2>&1; then
    cat "$log"
    echo "fuzz: $target failed; the input is in fuzz/artifacts/$target, and \`cargo fuzz run -s none $target FILE\` repeats it" >&2
    exit 1
  fi
  tail -n 1 "$log"
  rm "$log"
done
