"""The arithmetic of the join benchmark; the measuring itself is a benchmark, not a test."""

import json

import pytest

from server.bench_join import BenchFailed, Join, from_marks, main, percentile, steps, summarise

MARKS = {"token": 100.0, "hello": 105.0, "welcome": 115.0, "offer": 120.0, "answer": 150.0, "frame": 400.0}


def test_a_join_is_token_to_frame_and_knows_what_was_waited_for() -> None:
    assert from_marks(MARKS) == Join(total_ms=300.0, waited_ms=40.0)


def test_a_page_that_missed_a_point_is_not_counted() -> None:
    with pytest.raises(BenchFailed, match="frame, welcome"):
        from_marks({name: at for name, at in MARKS.items() if name not in {"frame", "welcome"}})


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 21)]
    assert percentile(values, 50) == 10
    assert percentile(values, 95) == 19
    assert percentile([7.0], 95) == 7
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_the_result_is_json_with_the_names_that_were_agreed() -> None:
    found = json.loads(summarise([Join(300.04, 40.0), Join(200.0, 20.0)], [7.0, 9.0], cores=2).as_json())
    assert found == {
        "joins": 2,
        "p50_ms": 200.0,
        "p95_ms": 300.0,
        "waited_ms": 40.0,
        "server_ms": 9.0,
        "server_p50_ms": 7.0,
        "cores": 2,
    }


def test_a_timeline_is_the_median_of_each_step_in_order_of_time() -> None:
    pages = [
        {"token": 100.0, "frame": 400.0, "peer": 40.0},
        {"token": 10.0, "frame": 210.0, "peer": 0.0},
        {"token": 0.0, "frame": 900.0},
    ]
    found = steps(pages, [{"connected": 80, "checked": 50}, {}, {"connected": 90}])
    assert found == {"page": {"peer": -60.0, "token": 0.0, "frame": 300.0}, "relay": {"checked": 50, "connected": 80}}
    assert list(found["page"]) == ["peer", "token", "frame"]
    assert json.loads(summarise([Join(300.0, 40.0)], [7.0], 2, found).as_json())["timeline"] == found


def test_a_senseless_number_of_joins_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--joins", "0"])
    assert ended.value.code == 2
    assert "between 1 and 1000" in capsys.readouterr().err
