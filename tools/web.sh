#!/usr/bin/env bash
# web: builds the page that checks proofs (web/proof) into one file, build/web/proof/index.html,
# unless that is newer than all that it is made of.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"
[ $# -eq 0 ] || die "unknown argument '$1'"

readonly page=build/web/proof/index.html
readonly source=web/proof
newer_sources() {
  find $source -path $source/node_modules -prune -o -type f -newer $page -print -quit
}
if [ -f $page ] && [ -z "$(newer_sources)" ]; then exit 0; fi

tools/setup.sh --web
cmp -s $source/node_modules/.installed-from $source/package-lock.json ||
  die "npm gave not what $source needs: the page cannot be built on this machine"
npm run --prefix $source --silent build </dev/null >/dev/null
echo "web: $page"
