"""Forms that bring pictures: read as they were written, refused when they are not whole."""

import contextlib
import threading
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.api import forms, pictures
from server.api.bodies_faces import CompareBatch, CompareFaces, EnrolTemplate
from server.api.problems import InvalidField
from server.errors import Invalid

B = b"x7MA4YWxk"


def form(*parts: tuple[str, bytes], more: bytes = b'; filename="a.jpg"\r\nContent-Type: image/jpeg') -> bytes:
    each = b"".join(
        b"--"
        + B
        + b'\r\nContent-Disposition: form-data; name="'
        + name.encode()
        + b'"'
        + more
        + b"\r\n\r\n"
        + content
        + b"\r\n"
        for name, content in parts
    )
    return each + b"--" + B + b"--\r\n"


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.binary(max_size=200).filter(lambda data: b"--" + B not in data)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_was_sent_is_read(parts: list[tuple[str, bytes]]) -> None:
    assert forms.parts(form(*parts), B) == parts
    assert forms.parts(b"a preamble\r\n" + form(*parts, more=b"") + b"an epilogue", B) == parts


@given(
    st.lists(st.tuples(st.sampled_from(["image", "probe"]), st.binary(max_size=60)), min_size=1, max_size=8),
    st.integers(1, 40),
)
def test_a_large_form_is_searched_in_steps(parts: list[tuple[str, bytes]], step: int) -> None:
    """A boundary that lies over the end of a step is found too."""
    whole = bytearray(form(*parts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "STEP_BYTES", step)
        read = forms.parts(whole, B)
    assert read == parts == forms.parts(bytes(whole), B)
    assert all(type(content) is bytes for _, content in read)


def test_a_search_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call over the form looks at a step of it and no more."""
    looked = []

    class Watched(bytearray):
        def find(self, what: Any, start: Any = None, end: Any = None) -> int:
            looked.append(end - start)
            return super().find(what, start, end)

    parts = [("image", bytes(3 * forms.STEP_BYTES)), ("image", b"x" * forms.STEP_BYTES)]
    assert forms.parts(Watched(form(*parts)), B) == parts
    assert len(looked) >= 5
    assert max(looked) <= forms.STEP_BYTES + 100


@given(st.binary(max_size=300))
def test_anything_at_all_is_read_or_refused(data: bytes) -> None:
    for raw in (data, b"--" + B + b"\r\n" + data, form(("a", b"1"))[:-8] + data):
        with contextlib.suppress(Invalid):
            assert all(forms._NAME.fullmatch(b"name=" + name.encode()) for name, _ in forms.parts(raw, B))


@given(st.integers(0, 10_000))
def test_a_form_cut_short_is_refused(at: int) -> None:
    whole = form(("reference", bytes(50)), ("probe", b"\r\n--" * 20))
    cut = whole[: at % (len(whole) - 4)]
    with pytest.raises(Invalid):
        forms.parts(cut, B)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no form",
        b"--" + B + b"rest\r\n",
        b"--" + B + b"\r\nContent-Type: image/png\r\n\r\nx\r\n--" + B + b"--",
        b"--" + B + b'\r\nContent-Disposition: attachment; name="a"\r\n\r\nx\r\n--' + B + b"--",
        b"--" + B + b'\r\nContent-Disposition: form-data; filename="a"\r\n\r\nx\r\n--' + B + b"--",
        b"--" + B + b'\r\nContent-Disposition: form-data; name="\xe4"\r\n\r\nx\r\n--' + B + b"--",
        b"--" + B + b"\r\n" + b"X: y\r\n" * 1000 + b"\r\nx\r\n--" + B + b"--",
        form(("a", b"eA=="), more=b"\r\nContent-Transfer-Encoding: base64"),
        form(*[("a", b"")] * (forms.MAX_PARTS + 1)),
    ],
)
def test_what_is_refused(raw: bytes) -> None:
    with pytest.raises(Invalid, match="multipart/form-data"):
        forms.parts(raw, B)


def test_boundaries() -> None:
    assert forms.boundary_of("multipart/form-data; boundary=abc") == b"abc"
    assert forms.boundary_of('multipart/form-data; charset=utf-8; boundary="a b\'c"; x=y') == b"a b'c"
    for wrong in (
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/form-data; boundary={'x' * 71}",
        "x; boundary=é",
    ):
        with pytest.raises(Invalid):
            forms.boundary_of(wrong)


def test_what_another_program_writes_is_read() -> None:
    data = aiohttp.MultipartWriter("form-data", boundary=B.decode())
    part = data.append(bytes(range(256)), {"Content-Type": "image/png"})  # type: ignore[arg-type]
    part.set_content_disposition("form-data", name="probe", filename="bild.png")
    head = b"--" + B + b"\r\n" + part._binary_headers  # type: ignore[attr-defined]
    assert forms.parts(head + bytes(range(256)) + b"\r\n--" + B + b"--\r\n", B) == [("probe", bytes(range(256)))]


def test_fields_of_a_form() -> None:
    made = pictures.from_form([("reference", b"\xff1"), ("probe", b"\xff2"), ("fmr", b"0.001")], CompareFaces)
    assert made == CompareFaces(reference=b"\xff1", probe=b"\xff2", fmr=0.001)
    batch = pictures.from_form([("reference", b"1"), ("probe", b"2"), ("reference", b"3"), ("probe", b"4")], CompareBatch)
    assert batch == CompareBatch(reference=[b"1", b"3"], probe=[b"2", b"4"])
    as_json = msgspec.json.decode(msgspec.json.encode(batch), type=CompareBatch)
    assert pictures.content_hash(as_json) == pictures.content_hash(batch)


def test_other_content_has_another_hash() -> None:
    bodies = [
        CompareBatch(reference=[b"1", b"3"], probe=[b"2", b"4"]),
        CompareBatch(reference=[b"13"], probe=[b"2", b"4"]),
        CompareBatch(reference=[b"1"], probe=[b"3", b"2", b"4"]),
        CompareBatch(reference=[b"2", b"4"], probe=[b"1", b"3"]),
        CompareBatch(reference=[b"1", b"3"], probe=[b"2", b"4"], fmr=0.001),
        EnrolTemplate(image=b"1", subject="a", consent="bc"),
        EnrolTemplate(image=b"1", subject="ab", consent="c"),
    ]
    assert len({pictures.content_hash(body) for body in bodies}) == len(bodies)


async def test_large_pictures_are_hashed_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    really = pictures.content_hash

    def watched(body: msgspec.Struct) -> bytes:
        threads.append(threading.get_ident())
        return really(body)

    monkeypatch.setattr(pictures, "content_hash", watched)
    half = bytes(pictures.ON_LOOP_BYTES // 2)
    small, large = CompareFaces(reference=half, probe=half), CompareBatch(reference=[half, half], probe=[b"1"])
    assert await pictures.hashed(small) == really(small)
    assert await pictures.hashed(large) == really(large)
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [True, False]


@pytest.mark.parametrize(
    ("parts", "kind", "field"),
    [
        ([("probe", b"1"), ("probe", b"2")], CompareFaces, "probe"),
        ([("odd", b"1")], CompareFaces, "odd"),
        ([("Odd Name", b"1")], CompareFaces, ""),
        ([("reference", b"1")], CompareFaces, "probe"),
        ([("probe", b"1"), ("fmr", b"many")], CompareFaces, "fmr"),
        ([("probe", b"1"), ("fmr", b"2")], CompareFaces, "fmr"),
        ([("image", b"1"), ("subject", b"\xff"), ("consent", b"c")], EnrolTemplate, "subject"),
        ([("image", b"1"), ("subject", "王".encode()), ("consent", b"c")], EnrolTemplate, "subject"),
        ([("reference", b"1")] * 17 + [("probe", b"1")], CompareBatch, "reference"),
    ],
)
def test_fields_that_are_refused(parts: list[tuple[str, bytes]], kind: type, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        pictures.from_form(parts, kind)
    assert refused.value.field == field
