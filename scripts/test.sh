#!/bin/sh
# npm test and pytest with the coverage of the sans-I/O cores measured on the way, then the coverage gate (scripts/suite.py).
# With arguments only pytest runs, with them: `make test PYTEST="tests/unit -k sdp"`.
cd "$(dirname "$0")/.." || exit 1
if [ $# -gt 0 ]; then
    exec .venv/bin/pytest "$@"
fi
exec .venv/bin/python -m scripts.suite
