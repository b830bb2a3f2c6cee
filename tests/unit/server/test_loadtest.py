"""``tongping loadtest`` without a load: what it refuses, what it reads of a server, what it makes of what was counted."""

import asyncio
import io
import json
import math
import os
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from media.bench.tally import Measured, Second
from server.cli import app
from server.errors import ConfigError
from server.loadtest import plot, report, run, scrape, settings
from server.loadtest.counted import loaded

RUNNER = CliRunner()


def asked(**changes: Any) -> settings.Settings:
    return settings.Settings(**{"rooms": 5, "people": 3, "duration_s": 10, **changes})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rooms": 0}, "--rooms is between 1 and 200"),
        ({"rooms": 201}, "--rooms"),
        ({"people": 1}, "--people is between 2 and 12"),
        ({"people": 13}, "--people"),
        ({"duration_s": 0.5}, "--duration"),
        ({"duration_s": 3601}, "--duration"),
        ({"duration_s": math.nan}, "--duration"),
        ({"ramp": -1}, "--ramp"),
        ({"ramp": 101}, "--ramp"),
        ({"ramp": math.inf}, "--ramp"),
        ({"processes": -1}, "--processes"),
        ({"processes": 33}, "--processes"),
        ({"plot": Path("/tmp/plot.svg")}, "--plot names a .png file"),
        ({"plot": Path("/no/such/folder/plot.png")}, "--plot: there is no folder"),
    ],
)
def test_what_is_out_of_bounds_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        settings.check(asked(**changes))


def test_the_bounds_themselves_are_fine(tmp_path: Path) -> None:
    settings.check(asked(rooms=200, people=12, duration_s=3600, ramp=100, processes=32, plot=tmp_path / "a.png"))
    settings.check(asked(rooms=1, people=2, duration_s=1))


@given(st.integers(1, 200), st.integers(2, 12), st.integers(0, 32))
def test_every_room_has_a_process_and_no_process_is_without(rooms: int, people: int, processes: int) -> None:
    shares = asked(rooms=rooms, people=people, processes=processes).shares()
    assert sum(shares) == rooms
    assert min(shares) >= 1
    assert max(shares) - min(shares) <= 1
    assert len(shares) == min(processes, rooms) if processes else len(shares) <= (os.cpu_count() or 1)


ADDRESSES = {
    "here": ["127.0.0.1", "::1"],
    "lab": ["10.1.2.3", "fd00::7"],
    "bank": ["93.184.215.14"],
    "both": ["10.1.2.3", "93.184.215.14"],
    "mapped": ["::ffff:93.184.215.14"],
    "any": ["0.0.0.0"],
    "zoned": ["fe80::1%eth0"],
    "none": [],
}


def resolve(host: str) -> list[str]:
    if host not in ADDRESSES:
        raise OSError("no such host")
    return ADDRESSES[host]


@pytest.mark.parametrize("host", ["here", "lab", "zoned"])
def test_this_machine_and_private_networks_may_be_loaded(host: str) -> None:
    assert settings.check_target(f"https://{host}:8443/", owned=False, resolve=resolve) == f"https://{host}:8443"


@pytest.mark.parametrize("host", ["bank", "both", "mapped", "any"])
def test_any_other_server_must_be_said_to_be_ones_own(host: str) -> None:
    with pytest.raises(ConfigError, match="--i-own-this-server"):
        settings.check_target(f"https://{host}", owned=False, resolve=resolve)
    assert settings.check_target(f"https://{host}", owned=True, resolve=resolve) == f"https://{host}"


@pytest.mark.parametrize(
    "url",
    ["", "here", "ftp://here", "http://", "http://user:word@here", "http://user@here", "http://here:99999", "http://here/path",
     "http://here/?a=b", "http://here#x", "http://nowhere", "http://none", "http://[::1"],
)  # fmt: skip
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="--url"):
        settings.check_target(url, owned=True, resolve=resolve)


def test_an_ipv6_host_keeps_its_brackets() -> None:
    found = settings.check_target("http://[::1]:8080", owned=False, resolve=lambda host: [host])
    assert found == "http://[::1]:8080"


@pytest.mark.parametrize(
    "arguments",
    [["--rooms", "500"], ["--people", "1"], ["--rooms", "x"], ["--username", "agent"], ["--insecure"], ["--i-own-this-server"],
     ["--url", "http://127.0.0.1:1"], ["--plot", "a.svg"]],
)  # fmt: skip
def test_the_command_refuses_before_it_starts_anything(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TONGPING_LOADTEST_KEY", raising=False)
    result = RUNNER.invoke(app, ["loadtest", *arguments])
    assert result.exit_code == 2 or isinstance(result.exception, ConfigError)
    assert result.stdout == ""


def test_a_server_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TONGPING_LOADTEST_PASSWORD", "secret-word")
    result = RUNNER.invoke(app, ["loadtest", "--url", "http://127.0.0.1:1", "--username", "agent", "--json"])
    assert result.exit_code == 1
    assert result.stderr.startswith("loadtest: POST /login: ")
    assert "secret-word" not in result.output


METRICS = """# HELP tongping_media_worker_cpu_seconds_total Processor time of its process
tongping_media_worker_cpu_seconds_total{worker="0"} 2.5
tongping_media_worker_cpu_seconds_total{worker="1"} 1.5
tongping_media_worker_forwards_total{worker="0"} 1000
tongping_media_worker_forwards_total{worker="1"} 500
tongping_media_worker_lag_p99_seconds{worker="0"} 0.004
tongping_media_worker_restarts_total{worker="0"} 0
tongping_media_worker_leg_rtt_seconds_bucket{worker="0",le="0.1"} 5
tongping_event_loop_lag_seconds_bucket{le="0.001"} 90
tongping_event_loop_lag_seconds_bucket{le="1.0"} 99
tongping_event_loop_lag_seconds_bucket{le="+Inf"} 100
tongping_http_requests_total{method="GET",route="/a b",status="200"} 7
not a line of it
tongping_media_worker_rooms{worker="0"} many
"""


def test_of_the_servers_metrics_ours_are_read() -> None:
    found = scrape.read(METRICS, 9.0, 0.5)
    assert found.workers == {"0": scrape.Worker(2.5, 1000, 0.004, 0), "1": scrape.Worker(1.5, 500)}
    assert found.lag == ((0.001, 90), (1.0, 99), (math.inf, 100))
    assert (found.at, found.server_cpu_s) == (9.0, 0.5)


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    scrape.read(text, 0.0)


def seen(
    at: float, cpu_s: float, forwards: float, lag_s: float = 0.003, restarts: float = 0, quick: float = 0
) -> scrape.Scrape:
    worker = scrape.Worker(cpu_s, forwards, lag_s, restarts)
    return scrape.Scrape(at, {"0": worker}, ((0.005, quick), (0.025, quick + at), (math.inf, quick + at)), cpu_s / 10)


def test_between_two_answers() -> None:
    found = scrape.between(seen(0, 1.0, 1000), seen(10, 2.0, 51_000, 0.007))
    assert found.forwards == 50_000
    assert found.cpu_us_per_forward == pytest.approx(20)
    assert found.worker_cpu_percent == pytest.approx(10)
    assert found.server_cpu_percent == pytest.approx(1)
    assert found.worker_lag_p99_ms == 7
    assert found.server_lag_p99_ms == 25
    assert not found.restarted


def test_of_a_worker_that_was_started_again_nothing_is_said() -> None:
    for later in (seen(10, 2.0, 500, restarts=1), seen(10, 0.1, 500), scrape.Scrape(10.0)):
        found = scrape.between(seen(0, 1.0, 1000), later)
        assert found.restarted
        assert (found.forwards, found.cpu_us_per_forward, found.worker_lag_p99_ms) == (None, None, None)


def test_lags_beyond_the_last_bucket_count_as_its_bound() -> None:
    first = scrape.Scrape(0, {}, ((0.25, 0), (1.0, 0), (math.inf, 0)))
    last = scrape.Scrape(1, {}, ((0.25, 0), (1.0, 0), (math.inf, 5)))
    assert scrape.between(first, last).server_lag_p99_ms == 1000
    assert scrape.between(first, first).server_lag_p99_ms is None
    assert scrape.between(scrape.Scrape(0), scrape.Scrape(0)).server_cpu_percent is None


SHOWN = {"rooms": 5, "people": 3, "duration_s": 2.0, "ramp": 0.0, "own_server": True, "load_processes": 1, "cores": 2}
KEYS = {
    *SHOWN, "joined", "joins_per_s", "join_p50_ms", "join_p95_ms", "warm_up_s", "flows", "packets", "received", "loss", "duplicates",
    "latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "sent_mbps", "forwards_per_s", "cpu_us_per_forward", "worker_cpu_percent",
    "server_cpu_percent", "event_loop_lag_p99_ms", "worker_lag_p99_ms", "server_lag_p99_ms", "load_lag_p99_ms", "load_thread_percent",
    "load_refused", "load_was_the_limit", "failures", "series",
}  # fmt: skip


def counted(**changes: Any) -> report.Loaded:
    parts = Measured(
        [Second(1000, 990, {100: 400, 110: 10}, {50: 60}), Second(1000, 1000, {100: 500}, {50: 60})], bits=4_000_000
    )
    found = msgspec.structs.replace(parts, thread_s=0.4, elapsed_s=2.0, **changes)
    return loaded([msgspec.json.encode(found)])


def made(load: report.Loaded, scrapes: list[scrape.Scrape], failures: dict[str, int] | None = None) -> dict[str, Any]:
    joined = report.Joined([(0.0, 0.5), (0.5, 0.1), (1.0, 1.0)], 3.21, True)
    return report.figures(SHOWN, joined, load, scrapes, failures or {})


def test_the_figures_have_the_names_that_were_agreed() -> None:
    found = made(counted(), [seen(0, 1.0, 0), seen(1, 1.1, 5000), seen(2, 1.2, 10_000)])
    assert found.keys() == KEYS
    assert (found["joined"], found["joins_per_s"], found["join_p95_ms"]) == (3, 1.5, 1000)
    assert (found["packets"], found["received"], found["loss"]) == (2000, 1990, 0.005)
    assert (found["latency_p50_ms"], found["latency_p95_ms"], found["latency_p99_ms"]) == (0.1, 0.1, 0.11)
    assert (found["sent_mbps"], found["forwards_per_s"]) == (2.0, 995)
    assert found["cpu_us_per_forward"] == 20
    assert found["event_loop_lag_p99_ms"] == 25
    assert (found["worker_lag_p99_ms"], found["server_lag_p99_ms"]) == (3, 25)
    assert found["load_thread_percent"] == 20
    assert found["load_was_the_limit"] == []
    assert [row["loss"] for row in found["series"]] == [0.01, 0]
    assert found["series"][0]["worker_cpu_percent"] == 10
    assert json.loads(json.dumps(found)) == found


def test_the_workers_lag_is_of_the_measured_time_where_that_is_long_enough() -> None:
    joining = [seen(at, at, at, 0.2) for at in range(10)]
    assert made(counted(), [*joining, seen(10, 10, 10, 0.004), seen(11, 11, 11, 0.003)])["worker_lag_p99_ms"] == 4
    assert made(counted(), joining)["worker_lag_p99_ms"] == 200


def test_without_metrics_what_the_server_would_say_is_null() -> None:
    found = made(counted(), [])
    assert found.keys() == KEYS
    for name in ("cpu_us_per_forward", "worker_cpu_percent", "server_cpu_percent", "event_loop_lag_p99_ms"):
        assert found[name] is None
    assert "not known" in report.table(found)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seconds": [Second(10, 10, {100: 10}, {600: 10})]}, "sent late"),
        ({"thread_s": 1.9, "elapsed_s": 2.0}, "worked 95 %"),
        ({"skipped": 7}, "left out 7"),
    ],
)
def test_a_load_that_was_itself_the_limit_is_said_so(changes: dict[str, Any], why: str) -> None:
    whole = Measured([Second(10, 10, {100: 10}, {50: 10})], thread_s=0.1, elapsed_s=2.0)
    found = made(loaded([msgspec.json.encode(msgspec.structs.replace(whole, **changes))]), [])
    assert len(found["load_was_the_limit"]) == 1
    assert why in found["load_was_the_limit"][0]
    assert "THE LOAD WAS THE LIMIT" in report.table(found)


def test_failures_are_counted_and_shown_with_their_reasons() -> None:
    found = made(counted(), [seen(0, 1, 1), seen(2, 2, 2, restarts=1)], {"signalling: too_many": 3})
    assert found["failures"] == {"signalling: too_many": 3, "a media worker was started again": 1}
    assert "failed 3 times: signalling: too_many" in report.table(found)


async def test_of_many_processes_the_one_that_fails_is_told_and_the_others_are_waited_for_no_more() -> None:
    async def dies() -> None:
        raise settings.LoadtestFailed("it ended")

    async with asyncio.timeout(60):
        with pytest.raises(settings.LoadtestFailed, match="it ended"):
            await run._all([asyncio.Event().wait(), dies()])


def test_nobody_and_nothing_is_no_fault() -> None:
    found = report.figures(SHOWN, report.Joined([], 0, False), loaded([]), [], {})
    assert (found["joined"], found["joins_per_s"], found["join_p95_ms"], found["loss"]) == (0, None, None, 1.0)
    assert "did not carry everything" in report.table(found)
    assert plot.draw(found).startswith(b"\x89PNG\r\n\x1a\n")


def test_a_moment_without_length_has_no_rate() -> None:
    assert report.joins_per_s([(1.0, 0.0)]) is None


def picture(data: bytes) -> Any:
    """As another decoder reads it: (width, height, rows of RGB)."""
    with av.open(io.BytesIO(data)) as container:
        frame = next(container.decode(video=0)).reformat(format="rgb24")
        plane = frame.planes[0]
        raw = bytes(plane)
        rows = [raw[at : at + 3 * frame.width] for at in range(0, plane.line_size * frame.height, plane.line_size)]
        return frame.width, frame.height, rows


def test_the_plot_is_a_png_with_every_curve() -> None:
    rows = 40 * [{"at_s": 1, "latency_p95_ms": 3.0, "loss": 0.005, "worker_lag_p99_ms": 2.0, "load_lag_p99_ms": 1.0,
                  "worker_cpu_percent": 15.0, "server_cpu_percent": 5.0}]  # fmt: skip
    found = made(counted(), []) | {"series": rows, "cpu_us_per_forward": 20.5}
    width, height, lines = picture(plot.draw(found))
    assert (width, height) == (plot.WIDTH, plot.TOP + 4 * plot.TALL + 3 * plot.GAP + plot.BOTTOM + 8)
    middle = [line[3 * (width // 2) : 3 * (width // 2) + 3] for line in lines]
    for panel in plot.PANELS:
        for line in panel.lines:
            assert bytes(line.colour) in middle, line.name


def test_what_is_not_known_is_a_gap_and_a_lone_value_a_dot() -> None:
    rows = [{"at_s": at, "latency_p95_ms": 2.0 if at == 1 else None, "loss": None, "worker_lag_p99_ms": None, "load_lag_p99_ms": None,
             "worker_cpu_percent": None, "server_cpu_percent": None} for at in range(4)]  # fmt: skip
    found = made(counted(), []) | {"series": rows, "cpu_us_per_forward": None}
    _, _, lines = picture(plot.draw(found))
    blue = bytes(plot.PANELS[0].lines[0].colour)
    panel = lines[plot.TOP : plot.TOP + plot.TALL + 1]
    drawn = {at // 3 for line in panel for at in range(0, len(line), 3) if line[at : at + 3] == blue}
    assert 2 <= len(drawn) <= 8


def test_many_seconds_become_few_points_and_the_highest_stays() -> None:
    values: list[tuple[float | None, float]] = [(float(number == 1777), 100.0) for number in range(3600)]
    found = plot.thinned(values)
    assert len(found) <= plot.MOST_POINTS
    assert max(value for value in found if value is not None) == 100
    assert plot.thinned([(None, 1.0)] * 3) == [None] * 3


@given(st.floats(1e-6, 1e9))
def test_an_axis_ends_at_a_round_number_not_far_above(value: float) -> None:
    found = plot.nice(value)
    assert value * (1 - 1e-6) <= found <= 2.51 * value
    assert f"{found:.0e}"[0] in "125"


def test_nothing_has_an_axis_too() -> None:
    assert plot.nice(0) == 1
