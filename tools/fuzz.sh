#!/usr/bin/env bash
# fuzz [NAME] [--seconds N] [--seed N]: builds the fuzzers (preset fuzz) and runs each, or NAME, for
# N seconds (default 60) from fuzz/corpus/NAME, with fuzz/NAME.dict where there is one. What it
# learns goes to build/fuzz/found/NAME, what breaks it to build/fuzz/broken/NAME; the first finding
# fails the run. With the same seed and nothing found before, it tries the same inputs again.
# An input worth keeping is copied to fuzz/corpus/NAME by hand: every test run replays it.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"
export PATH=/usr/lib/llvm-19/bin:$PATH  # llvm-symbolizer, for the reports

name=
seconds=60
seed=0  # libFuzzer takes a random one
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) [ $# -ge 2 ] || die 'needs a number: --seconds N'; seconds=$2; shift ;;
    --seed) [ $# -ge 2 ] || die 'needs a number: --seed N'; seed=$2; shift ;;
    -*) die "unknown option '$1'" ;;
    *) name=$1 ;;
  esac
  shift
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die 'needs a number: --seconds N'
[[ $seed =~ ^[0-9]+$ ]] || die 'needs a number: --seed N'

run_fuzzer() {
  local fuzzer=$1 program=$2
  local found=build/fuzz/found/$fuzzer broken=build/fuzz/broken/$fuzzer corpus=fuzz/corpus/$fuzzer
  local options=(-max_total_time="$seconds" -seed="$seed" -timeout=10 -rss_limit_mb=2048
    -print_final_stats=1 -artifact_prefix="$broken/" -print_funcs=0)
  if [ -f "fuzz/$fuzzer.dict" ]; then options+=(-dict="fuzz/$fuzzer.dict"); fi
  [ -d "$corpus" ] || die "there is no $corpus"
  mkdir -p "$found" "$broken"
  printf 'fuzz: %s for %d s\n' "$fuzzer" "$seconds"
  "$program" "${options[@]}" "$found" "$corpus" 2>&1 | grep -vE '^stat::(slowest|new_units)' ||
    die "$fuzzer broke: the input is in $broken" 1
}

mapfile -t fuzzers < <(sed -n 's/^sr_fuzzer(\([a-z0-9_]*\).*/\1/p' fuzz/CMakeLists.txt |
  grep -x "${name:-.*}")
[ ${#fuzzers[@]} -gt 0 ] || die "there is no fuzzer${name:+ $name}"
tools/build.sh fuzz "${fuzzers[@]/%/_fuzz}"
for fuzzer in "${fuzzers[@]}"; do run_fuzzer "$fuzzer" "build/fuzz/fuzz/${fuzzer}_fuzz"; done
printf 'fuzz: %d fuzzers, nothing found\n' ${#fuzzers[@]}
