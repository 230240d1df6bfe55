#!/usr/bin/env bash
# setup [--web | --tests]: installs the Debian packages of tools/packages.txt that are missing or
# too old, and Node where there is none; with --web also, from npm, what builds the pages of web/;
# with --tests that and the processor's own client, with which a test drives psp-sim. The only place
# that installs anything; where all is there it does nothing, in well under a second. Starts no
# service.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"
from_npm=()
case "${1:-}" in
  '') ;;
  --web) from_npm=(web/proof) ;;
  --tests) from_npm=(web/proof tests/stripe_sdk) ;;
  *) die "unknown argument '$1'" ;;
esac

# Prints the packages that are missing or older than tools/packages.txt asks for.
missing_packages() {
  # dpkg-query, not the shell, fills this in.
  # shellcheck disable=SC2016
  local format='${db:Status-Status} ${Package} ${Version}\n'
  local name at_least version
  declare -A installed
  while read -r name version; do installed[$name]=$version; done < <(
    sed 's/#.*//' tools/packages.txt | awk 'NF { print $1 }' |
      xargs dpkg-query -W -f "$format" 2>/dev/null |
      sed -n 's/^installed //p')
  while read -r name _ at_least; do
    version=${installed[$name]:-}
    if [ -z "$version" ] ||
        { [ -n "$at_least" ] && dpkg --compare-versions "$version" lt "$at_least"; }; then
      echo "$name"
    fi
  done < <(sed 's/#.*//' tools/packages.txt | awk 'NF')
  # A newer Node than Debian's is as good.
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
}

install_packages() {
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "run as root, or install: $*"
    as_root=(sudo)
  fi
  # PostgreSQL's package makes and starts a server of its own unless this file says otherwise.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    "${as_root[@]}" mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' |
      "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
    apt-get -q -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold)
  "${apt[@]}" update
  "${apt[@]}" install -y --no-install-recommends "$@"
}

# What package-lock.json pins, and no script of it. Little needs it, so its absence stops nothing
# here: whatever needs it says so.
install_from_npm() {
  local stamp=$1/node_modules/.installed-from
  if cmp -s "$stamp" "$1/package-lock.json"; then return 0; fi
  echo "setup: installing what $1 needs from npm"
  if timeout 60 npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund --silent \
      --fetch-retries=0 </dev/null; then
    cp "$1/package-lock.json" "$stamp"
  else
    echo "setup: npm failed for $1" >&2
  fi
}

command -v dpkg-query >/dev/null || die 'needs Debian 12: no dpkg-query here'
mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -gt 0 ]; then
  printf 'setup: installing %s\n' "${missing[*]}"
  install_packages "${missing[@]}" </dev/null
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -eq 0 ] || die "still missing or too old: ${missing[*]}"
fi
for folder in "${from_npm[@]}"; do install_from_npm "$folder"; done
