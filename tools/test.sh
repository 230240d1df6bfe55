#!/usr/bin/env bash
# test [unit|functional] [ARGUMENT...]: builds the release and runs every test: unit tests (ctest),
# then tests of running processes and of the tools (pytest on tests/). With one kind named, further
# arguments go to ctest or pytest. Ends with `N passed, N failed` over all of them; results stand in
# build/results.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

readonly results=$root/build/results
failed=no

unit_tests() {
  rm -rf "$results/unit"
  mkdir -p "$results/unit/cases"
  GTEST_OUTPUT="xml:$results/unit/cases/" ctest --test-dir build/release --output-on-failure \
    --parallel "$(nproc)" --output-junit "$results/unit/ctest.xml" "$@" || failed=yes
}

# In a worker per core. Each makes itself a network of its own (tests/conftest.py), or two would now
# and then choose the same free port.
functional_tests() {
  rm -rf "$results/functional"
  mkdir -p "$results/functional"
  local status=0 workers=()
  if [ $# -eq 0 ] && "$python" tests/support/own_network.py 2>/dev/null; then
    workers=(--numprocesses="$(nproc)" --dist=loadfile)
  fi
  "$python" -m pytest -p no:cacheprovider -ra --junitxml="$results/functional/pytest.xml" \
    "${workers[@]}" "${@:-tests}" || status=$?
  [ "$status" -eq 0 ] || failed=yes
}

kind=all
case "${1:-}" in
  unit | functional) kind=$1; shift ;;
  '') ;;
  *) die "unknown kind of test '$1'" ;;
esac

if [ "$kind" = unit ]; then tools/setup.sh; else tools/setup.sh --tests; fi
tools/build.sh release
rm -rf "$results"
if [ "$kind" != functional ]; then unit_tests "$@"; fi
if [ "$kind" != unit ]; then functional_tests "$@"; fi
"$python" tools/test_totals.py "$results" || failed=yes
[ "$failed" = no ]
