"""``tongping bench cobrowse`` says what it promises; how quick anything is, it is run for."""

import json

import pytest

from server import bench_cobrowse
from server.cobrowse.rules import read_rules
from tests.support.pages import nodes_of


def test_it_measures_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_cobrowse.main(["--json", "--nodes", "1000", "--pictures", "2", "--events", "40"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nodes"] == pytest.approx(1000, abs=bench_cobrowse.ROW_NODES)
    times = {name for name in found if name.endswith("_ms")}
    assert {
        "sanitiser_snapshot_15k_ms",
        "sanitiser_slice_max_ms",
        "sanitiser_event_p95_ms",
        "reading_ms",
        "first_picture_ms",
        "first_slice_max_ms",
    } <= times
    assert all(found[name] > 0 for name in (*times, "ratio_to_reading", "picture_bytes", "share_bytes"))
    assert 5_000 < found["bytes_per_minute"] < 100_000


def test_its_page_is_as_large_as_real_ones_and_all_that_happens_is_understood() -> None:
    page = bench_cobrowse.Recorded(15_000)
    raw = page.picture()
    assert len(raw) == pytest.approx(1_760_000, rel=0.1)
    assert len(nodes_of(json.loads(raw)["data"]["node"])) == page.nodes == pytest.approx(15_000, abs=bench_cobrowse.ROW_NODES)
    made = bench_cobrowse.sanitiser(read_rules(bench_cobrowse.RULES), page)
    for one in (raw, *page.happenings(80), *page.minute()):
        taken = made.take(one)
        assert not taken.resync
        assert "unknown_node" not in taken.dropped


def test_without_json_it_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_cobrowse.main(["--nodes", "500", "--pictures", "1", "--events", "1"]) == 0
    assert "bytes_per_minute " in capsys.readouterr().out


@pytest.mark.parametrize("asked", [["--nodes", "499"], ["--nodes", "50001"], ["--pictures", "0"], ["--events", "0"]])
def test_what_it_cannot_measure(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench_cobrowse.main(asked)
    assert "--nodes is 500 to 50000" in capsys.readouterr().err
