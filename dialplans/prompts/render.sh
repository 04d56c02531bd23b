#!/usr/bin/env bash
# Renders the prompts of catalogue.toml with espeak-ng to 8 kHz WAV files, <language>/<name>.wav.
# A file whose studio.txt in the same folder lists its name is a studio recording and is left alone.
#
#   dialplans/prompts/render.sh            render what is missing
#   dialplans/prompts/render.sh --all      render everything again
set -euo pipefail
cd "$(dirname "$0")"
all=false
[ "${1:-}" = "--all" ] && all=true
for tool in espeak-ng sox; do
  command -v "$tool" >/dev/null || { echo "render.sh: $tool is missing: apt-get install $tool" >&2; exit 3; }
done

# The voice and the words a minute: Mandarin counts syllables, so the same number sounds slower.
voice() {
  case "$1" in
    zh) echo "-v cmn -s 210" ;;
    *) echo "-v $1 -s 150" ;;
  esac
}

name=""
rendered=0
line_number=0
while IFS= read -r line; do
  line_number=$((line_number + 1))
  if [[ $line =~ ^\[prompt\.([a-z0-9_]+)\]$ ]]; then
    name=${BASH_REMATCH[1]}
  elif [[ $line =~ ^([a-z][a-z])\ *=\ *\"(.*)\"$ ]]; then
    language=${BASH_REMATCH[1]}
    text=${BASH_REMATCH[2]}
    [ -n "$name" ] || { echo "catalogue.toml:$line_number: a text outside any [prompt.NAME]" >&2; exit 1; }
    target=$language/$name.wav
    if grep -qsxF "$name" "$language/studio.txt"; then continue; fi
    if [ -e "$target" ] && ! $all; then continue; fi
    mkdir -p "$language"
    raw=$(mktemp --suffix=.wav)
    read -ra spoken <<< "$(voice "$language")"
    espeak-ng "${spoken[@]}" -w "$raw" -- "$text"
    # Level at -3 dBFS, telephone band, silence at both ends cut: what a caller hears is the words.
    sox "$raw" -r 8000 -c 1 -b 16 "$target" gain -6 highpass 200 norm -3 \
      silence 1 0.02 0.5% reverse silence 1 0.02 0.5% reverse pad 0.05 0.1
    rm -f "$raw"
    rendered=$((rendered + 1))
  elif [[ -n $line && $line != \#* && $line != version* ]]; then
    echo "catalogue.toml:$line_number: expected [prompt.NAME] or LANGUAGE = \"text\", found: $line" >&2
    exit 1
  fi
done < catalogue.toml
echo "rendered $rendered prompts"
