"""The benchmark of comparisons: what it counts, what it says when something is missing, and one short run on a public-domain portrait."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.support import packs
from tests.support.portraits import portrait
from verification.bench import pictures, verify, ways
from verification.errors import HashMismatch, NotInstalled
from verification.models.pack import Task
from verification.models.store import InstalledPack


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing lies beside the checkout, and nothing is asked for by the environment."""
    monkeypatch.setattr(verify, "BESIDE", tmp_path / "nothing")
    monkeypatch.delenv(verify.PICTURES, raising=False)
    monkeypatch.delenv(verify.MODELS, raising=False)


def test_a_ratio_is_of_the_turns_that_both_took() -> None:
    ours, others = verify.Timed(cpu={0: 1.0, 1: 1.0, 2: 10.0}), verify.Timed(cpu={0: 3.0, 1: 5.0})
    assert verify.ratio(others, ours) == 4.0


def test_percentiles_of_what_was_taken() -> None:
    timed = verify.Timed(wall=[number / 1000 for number in range(100, 0, -1)])
    assert (timed.percentile(0.5), timed.percentile(0.95)) == (51, 96)
    timed.take(0, lambda: None)
    timed.take(1, lambda: 0.5)
    assert (timed.missed, set(timed.cpu)) == (1, {0, 1})


def test_every_picture_is_in_as_many_pairs() -> None:
    pairs = list(verify._pairs(4, 8))
    assert all(a != b for a, b in pairs)
    assert [sum(at in pair for pair in pairs) for at in range(4)] == [4, 4, 4, 4]


@pytest.mark.parametrize("which", ["landmarks5", "weights"])
def test_dlib_reads_the_very_bytes_that_the_manifest_names(tmp_path: Path, which: str) -> None:
    """And not whatever lies at the path."""
    pack = packs.base()
    recogniser, points = pack.pack.model(Task.RECOGNISER), pack.pack.model(Task.LANDMARKS5)
    assert recogniser is not None
    assert points is not None
    spoilt = points.file if which == "landmarks5" else recogniser.built_from
    for name in pack.pack.files:
        (tmp_path / name).symlink_to(pack.folder / name)
    content = pack.read_file(spoilt)
    (tmp_path / spoilt).unlink()
    (tmp_path / spoilt).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(HashMismatch, match=spoilt):
        ways.dlib_alone(InstalledPack(pack.pack, tmp_path))
    with pytest.raises(NotInstalled):
        pack.read_file("unknown.dat")
    assert callable(ways.dlib_alone(pack))


def test_pictures_become_jpeg_of_640_by_480(tmp_path: Path) -> None:
    Image.new("L", (100, 400)).save(tmp_path / "tall_live.png")
    Image.new("RGB", (640, 480)).save(tmp_path / "right.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    assert len(pictures.of_folder(tmp_path, 9, ending="_live")) == 1
    for data in pictures.of_folder(tmp_path, 9) + pictures.of_one_portrait(2):
        assert data[:2] == b"\xff\xd8"
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (640, 480)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--pictures", "EMPTY"), "no portraits to compare: --pictures DIR"),
        (("--pictures", "nowhere"), "nowhere is no folder"),
        (("--models", "nowhere"), "nowhere is no folder"),
        ((), "base is not installed"),
        (("--pack", "our-own"), "base is not installed"),
    ],
)
def test_what_cannot_be_measured_is_said(
    arguments: tuple[str, ...], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packs.need_packages()
    (tmp_path / "empty").mkdir()
    given = [str(tmp_path / "empty") if one == "EMPTY" else one for one in arguments]
    assert verify.main(given, models_dir=tmp_path / "none") == verify.EXIT_UNAVAILABLE
    assert why in capsys.readouterr().err


def test_a_short_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One portrait in two files: everybody finds it the same person, and ours is quicker than dlib alone."""
    packs.base()
    for name in ("a", "b"):
        Image.fromarray(portrait()).save(tmp_path / f"{name}.png")
    only_base = tmp_path / "models"
    only_base.mkdir()
    (only_base / "base").symlink_to(packs.base().folder)
    arguments = ["--json", "--compares", "4", "--no-workers", "--pictures", str(tmp_path)]
    assert verify.main(arguments, models_dir=only_base) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ratio_vs_insightface"] is None
    assert [line.split(":")[0] for line in found["left_out"]] == ["open", "insightface"]
    assert found["ratio_vs_dlib"] > 1
    assert found["base"]["missed"] == found["others"]["dlib"]["missed"] == 0
    assert 0 < found["p50_ms"] <= found["p95_ms"]
    assert "× dlib" in verify._table(found)
    assert found["packs"] == ["base"]
    assert verify.main([*arguments, "--pack", "our-own"], models_dir=only_base) == verify.EXIT_UNAVAILABLE
    assert "our-own" in capsys.readouterr().err
    (only_base / "insightface-wq8").symlink_to(packs.insightface().folder)
    assert verify.main([*arguments, "--pack", "insightface-wq8"], models_dir=only_base) == 0
    own = json.loads(capsys.readouterr().out)
    assert own["packs"] == ["base", "insightface-wq8"]
    assert own["insightface-wq8"]["missed"] == 0
    assert "insightface-wq8" in verify._table(own)
