#!/bin/sh
# npm test, pytest (with the coverage of the sans-I/O cores measured on the way), then the coverage gate.
# With arguments only pytest runs, with them: `make test PYTEST="tests/unit -k sdp"`.
cd "$(dirname "$0")/.." || exit 1
if [ $# -gt 0 ]; then
    exec .venv/bin/pytest "$@"
fi
failed=""
.venv/bin/python scripts/bootstrap.py npm test || failed="$failed npm"
.venv/bin/python -m scripts.coverage_gate run || failed="$failed pytest"
.venv/bin/python -m scripts.coverage_gate report || failed="$failed coverage"
[ -z "$failed" ] || { echo "test: failed:$failed" >&2; exit 1; }
echo "test: all good"
