"""What is refused of a PDF, how large its pages are, and where a signature comes to lie."""

import io

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pikepdf import Array, Name, Pdf

from server.pdf import unpacking
from server.pdf.jobs import Box, Done, Job, PdfRefused, Why, decode_done, decode_job, encode
from server.pdf.reading import read
from server.pdf.signing import sign
from tests.support import pdf_shapes as shapes
from tests.support import pdfs

HOSTILE = pdfs.hostile() | shapes.hostile()
HARMLESS = shapes.harmless()
STROKES = (((0.0, 0.0), (0.5, 1.0), (1.0, 0.0)), ((0.25, 0.5),))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_refused(name: str) -> None:
    data, why = HOSTILE[name]
    with pytest.raises(PdfRefused) as refused:
        read(data)
    assert refused.value.why.value == why


def test_what_is_taken() -> None:
    assert read(pdfs.paper(300)) == (pdfs.A4,) * 300
    assert read(pdfs.bomb(100 << 20)) == (pdfs.A4,)  # large, and no bomb


@pytest.mark.parametrize("name", HARMLESS)
def test_what_banks_send_is_taken(name: str) -> None:
    assert read(HARMLESS[name]) == (pdfs.A4,) * 2


@pytest.mark.parametrize("early", [0, 1])
def test_what_is_packed_by_lzw_is_counted(early: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 3 + b"ab" * 20_000
    for size in (0, 1, 700, len(data)):
        assert unpacking._lzw(shapes.lzw(data[:size], early), early) == size
    monkeypatch.setattr(unpacking, "MOST_UNPACKED", len(data) - 1)
    with pytest.raises(PdfRefused, match="too_much"):
        unpacking._lzw(shapes.lzw(data, early), early)


def test_what_is_packed_by_runs_is_counted() -> None:
    assert unpacking._run_length(b"\x02abc" + b"\xffx" + b"\x81y" + b"\x80ignored") == 3 + 2 + 128


OPEN = [
    b"(abc",
    b"<41",
    b"[ 1 2",
    b"<< /A 1",
    b"BI /W 1 /H 1",
    b"BI /W 1 /H 1 /BPC 8 /CS /G ID xyz",
    b"BT /F1 9 Tf",
    b"BT 7 Tr",
    b"0 0 9 9 re W",
]


@pytest.mark.parametrize("content", OPEN)
def test_what_is_left_open_ends_before_the_signature(content: bytes) -> None:
    """The page's own content stands in a stream of its own, with names of its own."""
    data = pdfs.paper(1, change=lambda pdf: pdf.pages[0].contents_add(content))
    _, signed = sign(data, Job(Box(1, 0.1, 0.1, 0.2, 0.1), STROKES, "x"))
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        page = pdf.pages[0].obj
        steps = [(str(step.operator), [str(one) for one in step.operands]) for step in pikepdf.parse_content_stream(page)]
        assert content not in page.Contents.read_bytes()
        assert page.Resources.XObject.Page.read_bytes().strip().endswith(content)
        assert set(page.Resources.keys()) == {"/XObject"}
        assert "/Font" in page.Resources.XObject.Page.Resources
    between = steps[steps.index(("Do", ["/Page"])) : steps.index(("Do", ["/Signature"]))]
    assert [operator for operator, _ in between] == ["Do", "Q", "q", "BT", "ET", "n", "Q", "q", "cm"]


@given(st.binary(max_size=400), st.integers(0, 2000), st.integers(0, 40))
def test_damage_is_refused_or_harmless(noise: bytes, at: int, gone: int) -> None:
    data = pdfs.paper(1)
    damaged = data[:at] + noise + data[at + gone :]
    try:
        assert 1 <= len(read(damaged)) <= 300
    except PdfRefused:
        pass


def framed(rotate: int, *, unit: float = 1.0) -> bytes:
    """A page of 400 × 300 units that is shown from (50, 20) on, turned."""

    def change(pdf: Pdf) -> None:
        page = pdf.pages[0].obj
        page.MediaBox, page.CropBox = Array([0, 0, 600, 500]), Array([50, 20, 450, 320])
        page.Rotate = rotate
        if unit != 1.0:
            page.UserUnit = unit

    return pdfs.paper(1, change=change)


@pytest.mark.parametrize(
    ("rotate", "size"), [(0, (400, 300)), (90, (300, 400)), (180, (400, 300)), (270, (300, 400)), (-90, (300, 400))]
)
def test_pages_are_as_large_as_they_are_shown(rotate: int, size: tuple[float, float]) -> None:
    assert read(framed(rotate)) == (size,)
    assert read(framed(rotate, unit=2.0)) == ((size[0] * 2, size[1] * 2),)


@pytest.mark.parametrize(
    ("rotate", "first"),
    [  # the upper left corner of the box as it is shown, which is at a tenth of the width and a fifth of the height
        (0, (50 + 40, 320 - 60)),
        (90, (50 + 80, 20 + 30)),
        (180, (450 - 40, 20 + 60)),
        (270, (450 - 80, 320 - 30)),
    ],
)
def test_where_a_signature_lies(rotate: int, first: tuple[float, float]) -> None:
    box = Box(1, 0.1, 0.2, 0.5, 0.25)
    sizes, signed = sign(framed(rotate), Job(box, STROKES, "2026-11-23 PR_X"))
    drawn = pdfs.drawn(signed)
    assert [len(line) for line in drawn] == [3, 2]
    assert drawn[0][0] == pytest.approx(first, abs=0.02)
    assert read(signed) == sizes == read(framed(rotate))
    doubled = pdfs.drawn(sign(framed(rotate, unit=2.0), Job(box, STROKES, ""))[1])
    assert doubled[0] == [pytest.approx(point, abs=0.02) for point in drawn[0]]


@pytest.mark.parametrize("content", [b"q 2 0 0 2 0 0 cm q", b"Q Q 1 0 0 1 5 5 cm", b"", b"q BT /F1 9 Tf (x) Tj ET Q"])
def test_whatever_the_page_does_the_signature_is_drawn_as_on_an_empty_one(content: bytes) -> None:
    data = pdfs.paper(1, change=lambda pdf: pdf.pages[0].contents_add(content))
    _, signed = sign(data, Job(Box(1, 0.1, 0.1, 0.2, 0.1), STROKES, "x"))
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        depth, states = 0, [True]  # whether the state is that of the beginning
        for step in pikepdf.parse_content_stream(pdf.pages[0]):
            operator = str(step.operator)
            if operator == "q":
                depth, states = depth + 1, [*states, states[-1]]
            elif operator == "Q":
                depth, states = depth - 1, states[:-1]
                assert states, "more is taken back than there is"
            elif operator == "cm" and depth != 1:
                states[-1] = False
            elif operator == "Do" and step.operands[0] == Name.Signature:
                assert depth == 1
                assert states[0]
    assert len(pdfs.drawn(signed)) == 2


def _content(pdf: Pdf, number: int) -> bytes:
    if Name.XObject in pdf.pages[number].obj.Resources:
        return pdf.pages[number].obj.Resources.XObject.Page.read_bytes()
    return pikepdf.unparse_content_stream(pikepdf.parse_content_stream(pdf.pages[number]))


def test_the_line_beside_it_and_other_pages() -> None:
    data = pdfs.paper(3)
    _, signed = sign(data, Job(Box(2, 0.1, 0.5, 0.4, 0.1), STROKES, "2026-11-23 07:00:00 UTC  PR_(A)\\é"))
    with pikepdf.open(io.BytesIO(signed)) as pdf, pikepdf.open(io.BytesIO(data)) as before:
        assert [Name.XObject in page.obj.Resources for page in pdf.pages] == [False, True, False]
        form = pdf.pages[1].obj.Resources.XObject.Signature
        assert b"(2026-11-23 07:00:00 UTC  PR_A) Tj" in form.read_bytes()
        for number in (0, 2):
            assert _content(pdf, number) == _content(before, number)
        assert b"(Page 2) Tj" in _content(pdf, 1)
    twice = sign(signed, Job(Box(2, 0.1, 0.1, 0.4, 0.1), STROKES, "x"))[1]
    with pikepdf.open(io.BytesIO(twice)) as pdf:  # the first is in what the page was
        assert "/Signature" in pdf.pages[1].obj.Resources.XObject.Page.Resources.XObject
    assert len(read(twice)) == 3
    _, again = sign(signed, Job(Box(1, 0.1, 0.5, 0.4, 0.1), STROKES, "x"))
    assert len(pdfs.drawn(again, 1)) == len(pdfs.drawn(again, 2)) == 2
    with pytest.raises(PdfRefused):
        sign(data, Job(Box(4, 0.1, 0.5, 0.4, 0.1), STROKES, "x"))


def test_what_goes_over_the_pipe() -> None:
    job = Job(Box(1, 0.1, 0.2, 0.3, 0.4), STROKES, "x")
    assert decode_job(encode(job, b"file")) == (job, b"file")
    done = Done(Why.ACTIVE, confined=("calls",))
    assert decode_done(encode(done, b"")) == (done, b"")
    for sizes in (((float("nan"), 100.0),), ((-1.0, 100.0),), ((float("inf"), 100.0),), (pdfs.A4,) * 301):
        with pytest.raises(ValueError, match="no pages"):
            decode_done(encode(Done(None, sizes), b""))
    for cut in (b"", b"\xff\xff\xff\xff", encode(done, b"")[:-1]):
        with pytest.raises(Exception, match=r".") as refused:
            decode_done(cut)
        assert isinstance(refused.value, ValueError)
