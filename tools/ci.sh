#!/usr/bin/env bash
# ci [--full]: what a change must pass, step by step; stops at the first step that fails, by name.
# --full is for the night: it builds without ccache, checks every file, freezes PostgreSQL for half
# a minute, fuzzes for ten minutes each, and adds the thread sanitizer and coverage.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"
exec </dev/null

readonly BUILD_SECONDS_MAX=360
full=no
case "${1:-}" in
  '') ;;
  --full) full=yes ;;
  *) die "unknown option '$1'" ;;
esac

times=()
print_times() {
  printf '\n'
  [ ${#times[@]} -eq 0 ] || printf '%s\n' "${times[@]}"
}

# Runs one step: its name, then its command.
step() {
  local name=$1 started=$SECONDS
  shift
  printf '\n==== %s\n' "$name"
  if ! "$@"; then
    print_times
    print_totals
    printf 'ci: FAILED at %s after %d s\n' "$name" $((SECONDS - started))
    exit 1
  fi
  times+=("$(printf '%6d s  %s' $((SECONDS - started)) "$name")")
}

print_totals() {
  if [ -d build/results ]; then "$python" tools/test_totals.py build/results | tail -n 1; fi
}

# The folder is empty; with --full there is no ccache either, and a limit.
clean_release_build() {
  local started=$SECONDS
  tools/build.sh --clean release || return 1
  if [ "$full" = yes ] && [ $((SECONDS - started)) -gt $BUILD_SECONDS_MAX ]; then
    printf 'ci: the build takes more than %d s\n' $BUILD_SECONDS_MAX
    return 1
  fi
}

# Unit tests under sanitizers; llvm-symbolizer on the PATH gives their reports names.
sanitized_tests() {
  tools/build.sh "$1" &&
    PATH=/usr/lib/llvm-19/bin:$PATH UBSAN_OPTIONS=print_stacktrace=1 \
      ctest --test-dir "build/$1" --output-on-failure --no-tests=error --parallel "$(nproc)"
}

coverage() {
  tools/build.sh coverage &&
    ctest --test-dir build/coverage --output-on-failure --no-tests=error --parallel "$(nproc)" &&
    gcovr --root . --object-directory build/coverage --filter src/ --exclude '.*_test\.cc' \
      --txt build/coverage/coverage.txt --print-summary
}

rm -rf build/results
step setup tools/setup.sh --tests
step format tools/fmt.sh --check
if [ "$full" = yes ]; then export SR_NO_CCACHE=1 STRONGROOM_FROZEN_SECONDS=30; fi
step 'clean release build' clean_release_build
step layers "$python" tools/check_layers.py
if [ "$full" = yes ]; then
  step 'lint of all files' tools/lint.sh --all
else
  step lint tools/lint.sh
fi
step test tools/test.sh
step 'unit tests under ASan and UBSan' sanitized_tests asan
if [ "$full" = yes ]; then
  step 'unit tests under TSan' sanitized_tests tsan
  step coverage coverage
  step 'fuzzing, 10 minutes each' tools/fuzz.sh --seconds 600
else
  # The same inputs each time: it says whether a change broke something. The night looks for more.
  step 'fuzzing, 1 minute each' tools/fuzz.sh --seconds 60 --seed 1
fi
print_times
print_totals
printf 'ci: passed in %d s\n' "$SECONDS"
