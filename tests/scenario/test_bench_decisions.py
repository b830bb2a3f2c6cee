"""``tongping bench decisions`` says what it promises; how quick anything is, it is run for."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server import bench_decisions, challenges
from server.transactions.case import Attempt
from server.transactions.policy import Policy
from tests.support import packs
from verification.challenge.policy import ChallengePolicy

QUICK = ["--json", "--decisions", "5", "--cases", "4", "--seconds", "0.2"]
NOBODY = ["--attempts", "0", "--people", "0"]


def figures(capsys: pytest.CaptureFixture[str], *asked: str) -> dict[str, Any]:
    assert bench_decisions.main([*QUICK, *asked]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_it_measures_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, *NOBODY, "--folder", str(tmp_path))
    times = {name for name in found if name.endswith("_ms")}
    assert {"risk_p99_ms", "decision_p99_ms", "seal_p99_ms", "in_flight_p99_ms"} <= times
    assert all(found[name] > 0 for name in times)
    assert (found["decisions"], found["cases_in_flight"]) == (5, 4)
    assert list(tmp_path.iterdir()) == []


def test_only_cases_that_are_under_way_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not those that were asked for: one is decided too early, and the time of another is over."""
    count = bench_decisions.Bench.under_way

    async def with_others(self: bench_decisions.Bench, attempts: Sequence[Attempt]) -> int:
        over = await self.begun(200_000)
        await self.decided(over)
        late = msgspec.structs.replace(await self.begun(200_001), until=datetime(2026, 1, 1, tzinfo=UTC))
        return await count(self, [*attempts[1:], over, late])

    monkeypatch.setattr(bench_decisions.Bench, "under_way", with_others)
    assert figures(capsys, *NOBODY, "--folder", str(tmp_path))["cases_in_flight"] == 3


def test_it_plays_live_attempts_with_an_installed_pack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    packs.base()
    whole = challenges.challenge_policy

    def few_colours(policy: Policy) -> ChallengePolicy:
        """Attempts are in real time."""
        return replace(whole(policy), colours=4, colour_s=(1.0, 1.0))

    monkeypatch.setattr(challenges, "challenge_policy", few_colours)
    asked = ("--attempts", "1", "--people", "1", "--actions", "1", "--models-dir", str(packs.FOLDER), "--folder", str(tmp_path))
    found = figures(capsys, *asked)
    assert found["live_attempts_per_core"] in (0, 1)
    assert found["live_attempts_per_core_by_cpu"] >= 0
    assert list(found["live_levels"]) == ["1"]
    assert found["open_to_decision_actions"] == 1
    assert found["open_to_decision_without_light_actions"] == 3
    assert 5 < found["open_to_decision_p50_s"] < 120
    parts = found["open_to_decision_parts_s"]
    assert list(parts) == ["begin", "settle", "actions", "colours", "decision"]
    assert sum(parts.values()) == pytest.approx(found["open_to_decision_p50_s"], abs=0.1)
    assert found["live_picture_cpu_ms"] > 0
    assert list(tmp_path.iterdir()) == []


def test_without_a_pack_it_says_what_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packs.need_packages()
    found = figures(capsys, "--models-dir", str(tmp_path))
    assert (found["live_attempts_per_core"], found["open_to_decision_p50_s"]) == (None, None)
    assert "base" in found["left_out"][0]
    assert found["decision_p99_ms"] > 0


def test_without_a_portrait_it_says_what_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packs.base()
    found = figures(capsys, "--models-dir", str(packs.FOLDER), "--pictures", str(tmp_path))
    assert "--pictures" in found["left_out"][0]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["--cases", "0"], "at least one of each"),
        (["--attempts", "-1"], "--attempts is 0 to 32"),
        (["--people", "51"], "--people 0 to 50"),
        (["--actions", "4"], "--actions 1 to 3"),
    ],
)
def test_it_refuses_what_cannot_be_measured(asked: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench_decisions.main(asked)
    assert why in capsys.readouterr().err
