#!/usr/bin/env bash
# fmt [--check]: formats the C++ files with clang-format-19; --check only says what differs.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

case "${1:-}" in
  '') mode=(-i) ;;
  --check) mode=(--dry-run --Werror) ;;
  *) die "unknown option '$1'" ;;
esac
tree_files '*.h' '*.cc' | xargs -r -n 32 -P "$(nproc)" clang-format-19 "${mode[@]}"
