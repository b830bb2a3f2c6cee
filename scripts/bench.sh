#!/bin/sh
# The benchmarks, each as one line of JSON. The relay's comparison needs Debian's janus (apt-get install janus).
cd "$(dirname "$0")/.." || exit 1
failed=0
.venv/bin/tongping bench join --json || failed=1
if command -v janus >/dev/null; then
    .venv/bin/tongping bench relay --vs janus --json || failed=1
else
    echo "bench: no janus here, the relay is measured alone; apt-get install janus compares it" >&2
    .venv/bin/tongping bench relay --json || failed=1
fi
.venv/bin/tongping bench recording --json || failed=1
if .venv/bin/python -c 'import dlib, insightface, onnxruntime' 2>/dev/null; then
    .venv/bin/tongping bench verify --json || failed=1
else
    echo "bench: the packages of face checks are not installed (make verification)" >&2
fi
exit $failed
