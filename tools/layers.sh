#!/usr/bin/env bash
# layers [--partial]: checks the law of layers (tools/layers.txt) on the release build: what each
# file sees, what each target links, which symbols stand in the executables. Everything must be
# built; --partial checks what is.
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

exec "$python" tools/check_layers.py "$@"
