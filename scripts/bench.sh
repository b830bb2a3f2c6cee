#!/bin/sh
# Both benchmarks, each as one line of JSON. The relay's comparison needs Debian's janus (apt-get install janus).
cd "$(dirname "$0")/.." || exit 1
failed=0
.venv/bin/tongping bench join --json || failed=1
if command -v janus >/dev/null; then
    .venv/bin/tongping bench relay --vs janus --json || failed=1
else
    echo "bench: no janus here, the relay is measured alone; apt-get install janus compares it" >&2
    .venv/bin/tongping bench relay --json || failed=1
fi
exit $failed
