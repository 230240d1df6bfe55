#!/usr/bin/env bash
# lint [--all]: the rules of tools/tidy.py, the documents against the tree (tools/check_docs.py) and
# the shell and Python checkers on the whole tree (they are quick), then clang-tidy-19 on the C++ of
# src/ that differs from main, or on all of it. Tests, benchmarks and fuzzers are left to the
# warnings of two compilers: what clang-tidy finds there is mostly GoogleTest's own.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

# Prints the sources to check for the changed files given: a header stands for its own source, else
# for the first ones that include it.
sources_of_change() {
  local file
  for file in "$@"; do
    case $file in
      *.cc) echo "$file" ;;
      *.h)
        if [ -f "${file%.h}.cc" ]; then echo "${file%.h}.cc"; continue; fi
        { git grep -l --untracked -F "#include \"${file#src/}\"" -- '*.cc' || true; } | head -n 2
        ;;
    esac
  done | sort -u
}

all=no
case "${1:-}" in
  '') ;;
  --all) all=yes ;;
  *) die "unknown option '$1'" ;;
esac

status=0
"$python" tools/tidy.py || status=1
"$python" tools/check_docs.py || status=1
tree_files dev '*.sh' .ci/run | xargs -r shellcheck -x -P tools || status=1
tree_files '*.py' | xargs -r pyflakes3 || status=1

if [ "$all" = yes ]; then
  mapfile -t sources < <(tree_files 'src/*.cc')
else
  mapfile -t changed < <(changed_files '*.h' '*.cc')
  mapfile -t sources < <(sources_of_change "${changed[@]}")
fi
# Sources for another configuration have no command here.
database=build/release/compile_commands.json
[ -f "$database" ] || cmake --preset release >/dev/null
ninja -C build/release build.ninja >/dev/null
mapfile -t sources < <(for source in "${sources[@]}"; do
  case $source in *_test.cc | src/*/testing/*) continue ;; src/*) ;; *) continue ;; esac
  if grep -qF "\"file\": \"$root/$source\"" "$database"; then echo "$source"; fi
done)
printf 'lint: clang-tidy on %d files\n' ${#sources[@]}
[ ${#sources[@]} -gt 0 ] || exit "$status"
# Its counts of what it suppressed in others' headers are left out; the rest is printed on failure.
# shellcheck disable=SC2016  # $0 is the inner shell's: the file
printf '%s\n' "${sources[@]}" | xargs -n 1 -P "$(nproc)" sh -c '
  report=$(clang-tidy-19 -p build/release --quiet --extra-arg=-Wno-unknown-warning-option \
    --extra-arg=-Wno-error "$0" 2>&1) && exit 0
  printf "%s\n" "$report" | grep -vE "^[0-9]+ warnings? (generated|treated)"
  exit 1' || status=1
exit "$status"
