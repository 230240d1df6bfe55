#!/usr/bin/env bash
# build [--clean] [PRESET] [TARGET...]: configures build/PRESET where needed and builds it, or the
# targets named. PRESET is release (default), asan, tsan, coverage or fuzz. --clean starts with an
# empty folder.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

clean=no
if [ "${1:-}" = --clean ]; then clean=yes; shift; fi
preset=${1:-release}
[ $# -eq 0 ] || shift
folder=build/$preset

started=$SECONDS
if [ "$clean" = yes ]; then rm -rf "$folder"; fi
if [ ! -f "$folder/build.ninja" ]; then cmake --preset "$preset" || exit 2; fi
ninja -C "$folder" -j "$(nproc)" "$@"
printf 'build: %s in %d s\n' "$folder" $((SECONDS - started))
