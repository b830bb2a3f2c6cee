#!/bin/sh
# Serves with the stories route (/dev/stories) and builds the pages again whenever a source changes. Ctrl+C ends both.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python scripts/bootstrap.py npm run --silent build -- --watch --logLevel warn &
builder=$!
trap 'kill "$builder" 2>/dev/null || true' EXIT INT TERM
.venv/bin/tongping serve --demo --development --port "${1:-8080}"
