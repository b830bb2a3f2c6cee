"""What goes into the figures: which frames, which scores, which border; with a judge whose answers can be worked out by hand."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from verification.evaluation import recognition, whole
from verification.evaluation.labels import read_labels
from verification.evaluation.pad import mean_score, run
from verification.evaluation.pairs import read_pairs
from verification.evaluation.recognition import Padding, Recognition, scores, with_border
from verification.evaluation.vp8 import STILL_FPS, held, through_vp8
from verification.faces.compare import comparison_score
from verification.images import read
from verification.models.catalogue import shipped
from verification.types import Box, Embedding, Face, Picture

NOISE = np.random.default_rng(7).integers(0, 255, (120, 160, 3)).astype(np.uint8)
FIVE = np.zeros((5, 2), np.float32)


def detail(picture: Picture) -> float:
    """0 (a wall) to 1 (noise); a codec takes most of it away."""
    return min(1.0, float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F).std()) / 300)


@dataclass
class Told:
    score: float


class Judge:
    """A face in whatever is not black, and detail is what is alive."""

    pack, has_pad = shipped()["open"], True

    def detect(self, picture: Picture) -> list[Face]:
        return [Face(Box(0, 0, 10, 10), 1.0, FIVE)] if picture.any() else []

    def pad(self, picture: Picture, _face: Face) -> Told:
        return Told(detail(picture))


class Says(Judge):
    """The mean of a picture's bytes, as a share."""

    def pad(self, picture: Picture, _face: Face) -> Told:
        return Told(float(picture.mean()) / 255)


def grey(share: float) -> Picture:
    return np.full((48, 64, 3), round(share * 255), np.uint8)


def table(folder: Path, rows: list[tuple[str, ...]]) -> Path:
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "table.csv"


def presentations(folder: Path) -> Path:
    Image.fromarray(NOISE).save(folder / "alive.png")
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(folder / "wall.png")
    return table(folder, [("file", "live", "kind"), ("alive.png", "1", ""), ("wall.png", "0", "wall")])


def test_a_clip_scores_the_mean_of_its_frames_that_have_a_face() -> None:
    analyser: Any = Says()
    assert mean_score(analyser, [grey(0.2), grey(0.9)]) == (pytest.approx(0.55, abs=0.01), 2)
    assert mean_score(analyser, [grey(0.2), grey(0.0), grey(0.9), grey(0.4)]) == (pytest.approx(0.5, abs=0.01), 3)
    assert mean_score(analyser, [grey(0.0)]) == (-np.inf, 0)


def test_twelve_frames_of_a_clip_are_looked_at_from_its_first_to_its_last(tmp_path: Path) -> None:
    """34 frames from black (no face) to bright: the mean of twelve that are spread evenly is that of all."""
    with av.open(str(tmp_path / "clip.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
        for at in range(34):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey(0.1 + 0.8 * at / 33), "rgb24").reformat(format="bgr0")))
        out.mux(stream.encode(None))
    Image.fromarray(grey(0.5)).save(tmp_path / "wall.png")
    labels = table(tmp_path, [("file", "live", "kind"), ("clip.mkv", "1", ""), ("wall.png", "0", "wall")])
    analyser: Any = Says()
    clip, wall = run(read_labels(labels), analyser, labels)
    assert (clip.frames, wall.frames) == (12, 1)
    assert clip.score == pytest.approx(0.5, abs=0.01)
    assert wall.score == pytest.approx(0.5, abs=0.01)


def test_a_still_picture_after_the_codec_is_judged_by_the_second_half_of_what_arrived(tmp_path: Path) -> None:
    labels = presentations(tmp_path)
    analyser: Any = Judge()
    alive, _ = run(read_labels(labels), analyser, labels, vp8_bits_per_second=100_000)
    sent = list(through_vp8(held(read((tmp_path / "alive.png").read_bytes())), bits_per_second=100_000, fps=STILL_FPS))
    wanted, first = (float(np.mean([detail(sent[at]) for at in frames])) for frames in (range(15, 30, 3), range(0, 15, 3)))
    assert alive.vp8 == pytest.approx(wanted)
    assert abs(wanted - first) > 1e-3, "the halves cannot be told apart"
    assert alive.score == pytest.approx(detail(NOISE))


def test_figures_after_the_codec_are_those_of_what_went_through_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is alive by its detail has less of it, so nobody passes any more; the column beside says that everybody did."""
    store: Any = type("Store", (), {"open": lambda self, name: None})()
    monkeypatch.setattr(whole, "Analyser", lambda opened: Judge())
    said = whole.Said("made up", "2026-01-31", "tongping 0")
    found = whole.evaluate_pad(presentations(tmp_path), store, "open", said, threshold=0.65, vp8_bits_per_second=50_000)
    assert (found.tree["bpcer"], found.tree["apcer"]) == (0.0, {"wall": 0.0})
    assert (found.tree["vp8"]["bpcer"], found.tree["vp8"]["apcer"]) == (1.0, {"wall": 0.0})
    turned = [line for line in found.page([]).splitlines() if line.startswith("| **BPCER**")]
    assert turned == ["| **BPCER** | 0 % (0 % to 100 %; 0 of 1) | 100 % (0 % to 100 %; 1 of 1) |"]


@pytest.mark.parametrize("kind", ["dlib_resnet", "arcface"])
def test_a_pair_scores_what_a_comparison_gives(kind: str) -> None:
    """For every kind of recogniser, and the likest pair has the highest score."""
    random = np.random.default_rng(3)
    people = random.normal(size=(5, 16)).astype(np.float32)
    people[1] = people[0] + 0.05
    pairs = np.array([(a, b) for a in range(5) for b in range(a)], np.int32)
    found = scores(kind, people.astype(np.float64), pairs)
    wanted = [comparison_score(kind, people[a], people[b]) for a, b in pairs]
    assert found == pytest.approx(wanted, abs=1e-6)
    assert tuple(pairs[int(found.argmax())]) == (1, 0)


@pytest.mark.parametrize("kind", ["dlib_resnet", "arcface"])
def test_whoever_has_no_face_is_like_nobody(kind: str) -> None:
    people = np.array([[1.0, 0.0], [np.nan, np.nan], [0.0, 1.0]])
    found = scores(kind, people, np.array([[0, 1], [0, 2]], np.int32))
    assert found[0] == -np.inf
    assert np.isfinite(found[1])
    with pytest.raises(ValueError, match="are not known"):
        scores("something", people, np.array([[0, 2]], np.int32))


def test_a_border_is_a_quarter_of_the_longer_side_in_grey() -> None:
    bordered = with_border(np.zeros((40, 80, 3), np.uint8))
    assert bordered.shape == (80, 120, 3)
    assert (bordered[:20] == 127).all()
    assert (bordered[:, -20:] == 127).all()
    assert not bordered[20:60, 20:100].any()


@dataclass
class Finder:
    """A face so wide in the picture as it is, and one so wide in the bordered picture; None: no face."""

    plain: float | None
    bordered: float | None

    def detect(self, picture: Picture) -> list[Face]:
        width = self.bordered if picture.shape[0] == 80 else self.plain
        return [Face(Box(0, 0, width, width), 1.0, FIVE)] if width is not None else []

    def embed(self, picture: Picture, face: Face) -> Embedding:
        return np.array([picture.shape[0], face.box.width], np.float32)


@pytest.mark.parametrize(
    ("plain", "bordered", "padding", "seen"),
    [
        (19, 30, Padding.AUTO, (40, 19)),  # less than half of the shorter side: not tight
        (20, 30, Padding.AUTO, (80, 30)),  # half of it
        (39, None, Padding.AUTO, (40, 39)),  # none any more with a border: the first look holds
        (None, 30, Padding.AUTO, (80, 30)),
        (None, None, Padding.AUTO, None),
        (39, 30, Padding.NEVER, (40, 39)),
        (None, 30, Padding.NEVER, None),
        (10, 30, Padding.ALWAYS, (80, 30)),
        (10, None, Padding.ALWAYS, None),
    ],
)
def test_which_pictures_get_a_border(
    tmp_path: Path, plain: float | None, bordered: float | None, padding: Padding, seen: tuple[float, float] | None
) -> None:
    Image.fromarray(np.zeros((40, 80, 3), np.uint8)).save(tmp_path / "a.png")
    analyser: Any = Finder(plain, bordered)
    found = recognition.look(analyser, (tmp_path / "a.png").read_bytes(), padding)
    assert (None if found.embedding is None else tuple(found.embedding)) == seen
    if seen is not None:
        assert found.padded is (seen[0] == 80)
        assert found.faces == 1


def family(folder: Path, mated: list[float], non_mated: list[float]) -> Recognition:
    """As many people as there are ``mated`` scores, two pictures each; ``non_mated``: of the first pictures of neighbours."""
    for at in range(2 * len(mated)):
        (folder / f"{at}.png").write_bytes(b"x")
    rows = [(f"{2 * at}.png", f"{2 * at + 1}.png", "1") for at in range(len(mated))]
    rows += [(f"{2 * at}.png", f"{2 * at + 2}.png", "0") for at in range(len(non_mated))]
    pairs = read_pairs(table(folder, [("file_a", "file_b", "same"), *rows]))
    return Recognition(pairs, np.array(mated, np.float32), np.array(non_mated, np.float32), 0, 0, 0)


def test_intervals_over_persons_are_of_the_errors(tmp_path: Path) -> None:
    """Of mated pairs those below the threshold are wrong, of the others those from it on."""
    fmr, fnmr = whole._by_persons(family(tmp_path, [0.9] * 19 + [0.1], [0.5] + [0.1] * 18), 0.5)
    assert (fmr[0], fnmr[0]) == (0, 0)
    assert 1 / 19 < fmr[1] < 0.5
    assert 1 / 20 < fnmr[1] < 0.3
    assert whole._by_persons(family(tmp_path, [0.9] * 6, [0.1] * 5), 0.5) == ((0.0, 0.5), (0.0, 0.5))
    assert whole._by_persons(family(tmp_path, [0.1] * 6, [0.9] * 5), 0.5) == ((0.5, 1.0), (0.5, 1.0))
