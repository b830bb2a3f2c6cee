"""``tongping face`` and ``tongping document``: what the interface says of pictures, for files; every refusal is told, and what cannot be done is one line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from server import cli
from tests.support import cards, packs
from tests.support.portraits import portrait

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """(exit status, standard output, standard error)."""
    packs.base()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TONGPING_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("TONGPING_MODELS_DIR", str(packs.FOLDER))
    Image.fromarray(portrait()).save("face.png")
    Image.new("RGB", (300, 300), (90, 120, 150)).save("wall.png")

    def go(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tongping", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return go


def test_two_pictures_of_one_person_match(run: Run) -> None:
    status, out, _ = run("face", "compare", "face.png", "face.png", "--json")
    (found,) = json.loads(out)
    assert (status, found["match"], found["fmr"], found["pack"]["name"]) == (0, True, 1e-3, "base")
    assert found["comparison_score"] == pytest.approx(1, abs=1e-3)
    assert found["files"] == ["face.png", "face.png"]
    status, out, _ = run("face", "compare", "face.png", "face.png", "--fmr", "1e-4", "--pack", "base")
    assert status == 0
    assert out.startswith("face.png, face.png: match, score 1.0000, threshold ")
    assert "at a false match rate of 0.0001, pack base" in out


def test_a_picture_that_is_refused_is_named_with_what_to_do(run: Run) -> None:
    status, out, _ = run("face", "compare", "face.png", "wall.png", "--json")
    (found,) = json.loads(out)
    assert status == 1
    assert (found["refused"]["code"], found["refused"]["file"]) == ("no_face", "wall.png")
    assert set(found["refused"]["reasons"][0]["advice"]) == {"zh", "en"}
    status, out, _ = run("face", "quality", "face.png", "wall.png")
    assert status == 1
    good, refused, advice = out.splitlines()
    assert good.startswith("face.png: good, ")
    assert refused == "wall.png: refused: No face is found."
    assert advice.startswith("  no_face: ")


def test_pictures_are_no_proof_of_life(run: Run) -> None:
    packs.open_pack()
    status, out, _ = run("face", "liveness", "face.png", "--pack", "open", "--json")
    (found,) = json.loads(out)
    assert (status, found["presentation"], found["assurance"]) == (0, "undetermined", "uploaded_pictures")
    status, out, _ = run("face", "liveness", "face.png")
    assert status == 0
    assert out.startswith("face.png: undetermined, pack base")
    assert "pad_unavailable" in out


def test_documents_are_read(run: Run) -> None:
    packs.need_packages()
    Path("card.jpg").write_bytes(cards.jpeg(cards.photograph(cards.front(face=portrait()))))
    status, out, _ = run("document", "read", "card.jpg", "wall.png", "--json")
    card, wall = json.loads(out)
    assert (status, card["accepted"], card["kind"]) == (0, True, "cn_resident_id_front")
    assert {field["name"]: field["value"] for field in card["fields"]}["number"] == cards.resident_number()
    assert (wall["accepted"], wall["kind"]) == (False, None)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("face", "compare", "face.png", "nothing.png"), "nothing.png: No such file"),
        (("face", "quality", "."), ".: Is a directory"),
        (("face", "compare", "face.png", "face.png", "--fmr", "0.5"), "fmr: one of 0.0001, 0.001, 0.01"),
        (("face", "quality", "face.png", "--pack", "nobody"), "there is no pack 'nobody'"),
        (("face", "quality", "face.png", "--pack", "insightface"), "insightface is not installed: tongping models install"),
        (("face", "liveness", "a.mp4", "face.png"), "pictures, or one clip alone"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, arguments: tuple[str, ...], why: str) -> None:
    status, out, said = run(*arguments)
    assert (status, out, why in said, said.count("\n")) == (2, "", True, 1), said


def test_a_clip_without_a_face(run: Run) -> None:
    import av

    with av.open("clip.mp4", "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.thread_count = 1
        for _ in range(20):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((96, 128, 3), 90, np.uint8), "rgb24")))
        out.mux(stream.encode(None))
    status, said, _ = run("face", "liveness", "clip.mp4", "--json")
    (found,) = json.loads(said)
    assert status in (0, 1)
    assert "refused" in found or found["presentation"] != "bona_fide"
    assert status == ("refused" in found)
