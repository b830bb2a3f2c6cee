"""The figures of the recording benchmark; the measuring itself is in tests/scenario/test_bench_recording.py."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.bench.recorded import Round, Track, Verified, figures, read_track, unharmed
from media.bench.recording import MAX_RECORDINGS, main, orders
from media.bench.tally import Measured, Second
from media.recording.records import Gap, GapReason, Kind, Record, pack_gap


def packet(seq: int) -> Record:
    return Record(Kind.RTP, 0, 0, b"\x80\x60" + (seq & 0xFFFF).to_bytes(2, "big") + bytes(20))


def test_a_whole_track_misses_nothing_also_across_the_wrap_and_out_of_order() -> None:
    whole = [packet(seq) for seq in (65533, 65534, 0, 65535, 1, 2, 2)]
    assert read_track(whole) == Track(6, 0, 0, 0)


def test_what_is_not_there_is_missing_and_gaps_tell_what_was_dropped() -> None:
    gap = Record(Kind.GAP, 0, 0, pack_gap(Gap(7, 1, 2, GapReason.OVERFLOW)))
    opened = Record(Kind.GATE_OPEN, 0, 0, b"")
    assert read_track([opened, packet(10), packet(11), gap, packet(14)]) == Track(3, 2, 1, 7)
    assert read_track([]) == Track(0, 0, 0, 0)


@given(st.integers(0, 65535), st.lists(st.integers(1, 50), min_size=1, max_size=200))
def test_every_hole_is_counted(first: int, steps: list[int]) -> None:
    seqs = [first]
    for step in steps:
        seqs.append(seqs[-1] + step)
    assert read_track(packet(seq) for seq in seqs) == Track(len(seqs), sum(steps) - len(steps), 0, 0)


def measured(latency: int, received: int = 100) -> Measured:
    return Measured([Second(100, received, {latency: 50}, {50: 60})], thread_s=0.5, elapsed_s=2.0)


def one(recording: bool, **changes: Any) -> Round:
    own = {
        "measured": measured(100 + 20 * recording), "window_s": 1.0, "elapsed_s": 2.0, "workers_s": 0.4 + 0.1 * recording,
        "recorder_s": 0.2 * recording, "others_s": 0.1, "lag_p99_ms": 3.0 + recording, "size": 3000 * recording,
        "recorded_s": 3.0 * recording,
    }  # fmt: skip
    return Round(recording, **{**own, **changes})


WHOLE = Verified(2, 2, (), ())
KEYS = {
    "recordings", "loss", "loss_without", "latency_p95_ms", "latency_p95_without_ms", "latency_p95_added_ms", "cpu_percent",
    "cpu_without_percent", "worker_cpu_percent", "recorder_cpu_percent", "worker_us_per_forward", "loop_lag_p99_ms", "forwards_per_s",
    "tracks", "recorded_packets", "missing_packets", "gaps", "dropped_packets", "verified", "verify", "findings", "recorder_failures",
    "disk_bytes_per_s", "load_lag_p99_ms", "load_thread_percent", "load_was_the_limit", "others_percent", "quiet", "rounds",
}  # fmt: skip


def test_the_figures_have_the_names_that_were_agreed() -> None:
    found = figures(2, [one(False), one(True)], [Track(10, 0, 0, 0), Track(5, 0, 0, 0)], WHOLE)
    assert found.keys() == KEYS
    assert (found["recordings"], found["loss"], found["loss_without"]) == (2, 0, 0)
    assert (found["latency_p95_without_ms"], found["latency_p95_ms"]) == (0.1, 0.12)
    assert found["latency_p95_added_ms"] == 0.02
    assert (found["cpu_percent"], found["cpu_without_percent"]) == (35, 20)
    assert (found["worker_cpu_percent"], found["recorder_cpu_percent"]) == (25, 10)
    assert found["worker_us_per_forward"] == 2500
    assert (found["forwards_per_s"], found["disk_bytes_per_s"], found["loop_lag_p99_ms"]) == (100, 1000, 4)
    assert (found["tracks"], found["recorded_packets"], found["verified"], found["verify"]) == (2, 15, 2, "complete")
    assert (found["load_was_the_limit"], found["quiet"], found["others_percent"]) == ([], True, 5)
    assert [each["recording"] for each in found["rounds"]] == [False, True]
    assert json.loads(json.dumps(found)) == found
    assert unharmed(found, 10)


@pytest.mark.parametrize(
    ("rounds", "tracks", "verified"),
    [
        ([one(False), one(True, measured=measured(120, 99))], [], WHOLE),
        ([one(False), one(True, measured=measured(700))], [], WHOLE),
        ([one(False), one(True)], [Track(10, 1, 0, 0)], WHOLE),
        ([one(False), one(True)], [Track(10, 0, 1, 0)], WHOLE),
        ([one(False), one(True)], [], Verified(2, 1, ("changed",), ())),
        ([one(False), one(True)], [], Verified(0, 0, (), ())),
        ([one(False), one(True)], [], Verified(2, 2, (), ("the recorder was lost",))),
    ],
)
def test_harm_to_calls_or_recordings_is_seen(rounds: list[Round], tracks: list[Track], verified: Verified) -> None:
    assert not unharmed(figures(2, rounds, tracks, verified), 10)


def test_a_loss_without_recording_is_not_the_recordings() -> None:
    found = figures(2, [one(False, measured=measured(100, 50)), one(True)], [], WHOLE)
    assert (found["loss"], found["loss_without"]) == (0, 0.5)
    assert unharmed(found, 10)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seconds": [Second(10, 10, {100: 10}, {600: 10})]}, "sent late"),
        ({"thread_s": 1.8}, "worked 90 %"),
        ({"skipped": 4}, "left out 4"),
    ],
)
def test_a_load_that_was_itself_the_limit_is_said_so(changes: dict[str, Any], why: str) -> None:
    late = msgspec.structs.replace(measured(100), **changes)
    found = figures(2, [one(False), one(True, measured=late)], [], WHOLE)
    assert len(found["load_was_the_limit"]) == 1
    assert why in found["load_was_the_limit"][0]


def test_others_who_work_make_it_not_quiet() -> None:
    assert not figures(2, [one(False, others_s=1.0), one(True)], [], WHOLE)["quiet"]


def test_nothing_forwarded_is_no_fault() -> None:
    nothing = Measured([Second()], elapsed_s=0.0)
    found = figures(1, [one(False, measured=nothing), one(True, measured=nothing)], [], WHOLE)
    assert (found["loss"], found["worker_us_per_forward"]) == (1, None)


@given(st.integers(1, 20))
def test_with_and_without_are_as_many_and_neither_is_always_later(rounds: int) -> None:
    found = orders(rounds)
    assert len(found) == 2 * rounds
    assert sum(found) == rounds
    assert [found[at] != found[at + 1] for at in range(0, len(found), 2)] == [True] * rounds


@pytest.mark.parametrize(
    "arguments",
    [["--recordings", "0"], ["--recordings", str(MAX_RECORDINGS + 1)], ["--seconds", "0.1"], ["--seconds", "nan"], ["--rounds", "0"],
     ["--workers", "99"], ["--folder", "/no/such/folder"], ["--what"]],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""
