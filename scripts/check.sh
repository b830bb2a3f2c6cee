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
told=$(mktemp)
trap 'rm -f "$told"' EXIT
{ $bin/mypy && $bin/mypy scripts; } >"$told" 2>&1 &
typing=$!
typed() {
    wait "$typing"
    status=$?
    cat "$told"
    return $status
}
step "ruff check" $bin/ruff check .
step "ruff format" $bin/ruff format --check .
step "tsc" browser_types
step "generated types" drift
step "mypy" typed  # meanwhile
[ -z "$failed" ] || { echo "check: failed:$failed" >&2; exit 1; }
echo "check: all good"
