"""The relay benchmark in its smallest form: that it measures, and what it says when it cannot."""

import os
import subprocess

import pytest

from media.bench import relay
from media.bench.network import BenchError, Namespace


def test_a_small_run_forwards_everything() -> None:
    affinity = os.sched_getaffinity(0)
    settings = relay.Settings(seconds=0.5, rate=200, subscribers=2, payload_bytes=200, profiles=("gcm",), warm_up_s=0.2)
    figures = relay.run(settings)
    assert figures["lossless"]
    assert figures["ours"]["forwards"] == 200
    assert figures["ours"]["cpu_us_per_forward"] > 0
    assert figures["ours"]["loop_lag_p99_ms"] >= 0
    assert figures["ours"]["feedbacks_per_s"] > 10
    assert figures["ours"]["load_core_percent"] > 0
    assert 0 < figures["ours"]["p50_ms"] <= figures["ours"]["p95_ms"]
    assert figures["room_5x5"]["ours"]["forwards"] == 5 * 4 * 10
    assert figures["settings"]["profile"] == "SRTP_AEAD_AES_128_GCM"
    assert "ratio" not in figures
    assert os.sched_getaffinity(0) == affinity


def test_without_janus_the_comparison_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert relay.main(["--vs", "janus", "--json"]) == relay.EXIT_UNAVAILABLE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "apt-get install janus" in printed.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may make a namespace")
def test_without_root_the_comparison_says_so() -> None:
    with pytest.raises(BenchError, match="root"):
        Namespace()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_namespace_is_gone_afterwards() -> None:
    try:
        with Namespace() as namespace:
            assert namespace.name in names()
    except BenchError as error:
        pytest.skip(str(error))
    assert namespace.name not in names()


def names() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "arguments", [["--seconds", "0"], ["--rate", "-1"], ["--subscribers", "0"], ["--burst", "0"], ["--vs", "nobody"]]
)
def test_impossible_arguments(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        relay.main(arguments)
    assert caught.value.code == 2


def test_bursts_send_as_much() -> None:
    settings = relay.Settings(
        seconds=0.5, rate=90, subscribers=2, payload_bytes=200, profiles=("cm",), warm_up_s=0.2, room=False, burst=8
    )
    figures = relay.run(settings)
    assert figures["lossless"]
    assert figures["ours"]["forwards"] == 90
