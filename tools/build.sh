#!/usr/bin/env bash
# build [--clean] [PRESET] [TARGET...]: configures build/PRESET where needed and builds it, or the
# targets named. PRESET is release (default), asan, tsan, coverage or fuzz. --clean starts with an
# empty folder. Of two builds of one preset the second waits for the first.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

clean=no
if [ "${1:-}" = --clean ]; then clean=yes; shift; fi
preset=${1:-release}
[ $# -eq 0 ] || shift
folder=build/$preset

started=$SECONDS
mkdir -p build
# Whatever is started below holds the lock too: a killed script's ninja may still write.
exec {lock}>"$folder.lock"
if ! flock --nonblock "$lock"; then
  echo "build: waits for another build of $preset"
  flock "$lock"
fi
if [ "$clean" = yes ]; then rm -rf "$folder"; fi
if [ ! -f "$folder/build.ninja" ]; then cmake --preset "$preset" || exit 2; fi
ninja -C "$folder" -j "$(nproc)" "$@"
printf 'build: %s in %d s\n' "$folder" $((SECONDS - started))
