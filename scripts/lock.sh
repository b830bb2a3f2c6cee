#!/bin/sh
# Writes requirements/*.txt anew from pyproject.toml: the newest versions that it allows, with the hash of every file.
# Needs the network and uv (https://docs.astral.sh/uv/), which it installs into a folder of its own.
set -eu
cd "$(dirname "$0")/.."
tools=${TMPDIR:-/tmp}/tongping-lock-tools
[ -x "$tools/bin/uv" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet uv; }
compile() {
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header "$@"
}
compile pyproject.toml requirements/build.in -o requirements/runtime.txt
compile pyproject.toml --extra verification -c requirements/runtime.txt \
    --override requirements/overrides.txt -o requirements/verification.txt
compile pyproject.toml --extra dev -c requirements/runtime.txt -c requirements/verification.txt -o requirements/dev.txt
compile requirements/node.in -o requirements/node.txt
