#!/bin/sh
# What a change must pass before its tests are worth running. Says every finding, then fails.
cd "$(dirname "$0")/.." || exit 1
bin=.venv/bin
failed=""
step() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name"
}
drift() {
    $bin/python - <<'PYTHON'
import sys
from server.signalling.typescript import TARGET, render

if TARGET.read_text(encoding="utf-8") != render():
    sys.exit(f"{TARGET.name} is not what the messages say: run `make types`")
PYTHON
}
browser_types() {
    $bin/python scripts/bootstrap.py npm run --silent check
}
step "ruff check" $bin/ruff check .
step "ruff format" $bin/ruff format --check .
step "mypy" $bin/mypy
step "mypy scripts" $bin/mypy scripts
step "tsc" browser_types
step "generated types" drift
[ -z "$failed" ] || { echo "check: failed:$failed" >&2; exit 1; }
echo "check: all good"
