# lib.sh: what the scripts behind ./dev share. Sourced, never run.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
# Debian's interpreter: another python3 on the PATH does not see Debian's modules.
# shellcheck disable=SC2034
readonly python=/usr/bin/python3
cd "$root"

die() {
  printf '%s: %s\n' "$(basename "$0" .sh)" "$1" >&2
  exit "${2:-2}"
}

# Prints the comment at the top of the calling script when the first argument asks for help.
help_if_asked() {
  case "${1:-}" in -h | --help) ;; *) return 0 ;; esac
  awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
  exit 0
}

# A checkout that belongs to another user (a CI's volume, say) is still ours to read.
git() { command git -c safe.directory='*' "$@"; }

# Tracked and new files that match the patterns, but none that is deleted in the working tree.
tree_files() {
  git ls-files --cached --others --exclude-standard --deduplicate -- "$@" |
    while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done
}

# The commit that the work starts from: where it left main, or the commit before on main itself.
base_commit() {
  local branch base
  for branch in origin/main main; do
    base=$(git merge-base HEAD "$branch" 2>/dev/null) || continue
    if [ "$base" != "$(git rev-parse HEAD)" ]; then echo "$base"; return; fi
  done
  git rev-parse --verify --quiet HEAD~1 || git hash-object -t tree /dev/null
}

# Files that differ from base_commit, committed or not.
changed_files() {
  { git diff --name-only --diff-filter=d "$(base_commit)" -- "$@"
    git ls-files --others --exclude-standard -- "$@"; } | sort -u
}
