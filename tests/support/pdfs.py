"""PDFs for tests: good ones, and those that nobody should open."""

import hashlib
import io
import zlib
from collections.abc import Callable
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, String

A4 = (595.0, 842.0)


def hashed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def paper(pages: int = 2, *, change: Callable[[Pdf], None] | None = None, **saving: Any) -> bytes:
    """Pages with a line of text; ``change`` is done to it before it is saved. The same each time."""
    with pikepdf.new() as pdf:
        font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
        for number in range(1, pages + 1):
            page = pdf.add_blank_page(page_size=A4)
            page.obj.Resources = Dictionary(Font=Dictionary(F1=font))
            page.contents_add(f"BT /F1 12 Tf 72 700 Td (Page {number}) Tj ET".encode())
        if change is not None:
            change(pdf)
        out = io.BytesIO()
        if "encryption" not in saving:
            saving["deterministic_id"] = True
        pdf.save(out, **saving)
        return out.getvalue()


def drawn(data: bytes, page: int = 1) -> list[list[tuple[float, float]]]:
    """The lines that the signature draws, in the page's own units."""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        one = pdf.pages[page - 1]
        instructions = list(pikepdf.parse_content_stream(one))
        places = [
            i
            for i, found in enumerate(instructions)
            if str(found.operator) == "Do" and str(found.operands[0]).startswith("/Signature")
        ]
        assert len(places) == 1
        a, b, c, d, e, f = (float(number) for number in instructions[places[0] - 1].operands)
        assert str(instructions[places[0] - 1].operator) == "cm"
        form = one.obj.Resources.XObject[str(instructions[places[0]].operands[0])]
        found: list[list[tuple[float, float]]] = []
        for step in pikepdf.parse_content_stream(form):
            if str(step.operator) in ("m", "l"):
                x, y = (float(number) for number in step.operands)
                if str(step.operator) == "m":
                    found.append([])
                found[-1].append((round(a * x + c * y + e, 2), round(b * x + d * y + f, 2)))
        return found


def written(objects: list[bytes], root: int = 1) -> bytes:
    """A PDF of these objects, numbered from 1, with its table."""
    out, places = bytearray(b"%PDF-1.7\n"), list[int]()
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + one + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root {root} 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"


def claiming(count: int) -> bytes:
    """One page that says there are so many, again and again the same."""
    return written([CATALOG, b"<< /Type /Pages /Kids [" + b"3 0 R " * count + b"] /Count %d >>" % count, PAGE])


def stream(head: bytes, data: bytes) -> bytes:
    return b"<< " + head + b" /Length %d >>\nstream\n" % len(data) + data + b"\nendstream"


def bomb(size: int) -> bytes:
    """A page whose content unpacks to so much."""
    page = PAGE[:-2] + b"/Contents 4 0 R >>"
    reader = zlib.compressobj(9)
    packed = b"".join(reader.compress(bytes(1 << 20)) for _ in range(size >> 20)) + reader.flush()
    return written([CATALOG, PAGES, page, stream(b"/Filter /FlateDecode", packed)])


def _action(kind: str) -> Callable[[Pdf], None]:
    def change(pdf: Pdf) -> None:
        pdf.Root.OpenAction = Dictionary(S=Name(f"/{kind}"), F=String("x"))

    return change


def _script(pdf: Pdf) -> None:
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array([String("a"), Dictionary(S=Name.JavaScript)])))


def _hidden_script(pdf: Pdf) -> None:
    """That nothing leads to but a link's next action."""
    link = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]))
    link.A = Dictionary(
        S=Name.URI, URI=String("https://bank.example"), Next=Array([Dictionary(S=Name.JavaScript, JS=String("app.alert(1)"))])
    )
    pdf.pages[0].obj.Annots = Array([link])


def _attached(pdf: Pdf) -> None:
    file = pdf.make_stream(b"MZ", Type=Name.EmbeddedFile)
    pdf.Root.Names = Dictionary(
        EmbeddedFiles=Dictionary(Names=Array([String("a.exe"), Dictionary(Type=Name.Filespec, EF=Dictionary(F=file))]))
    )


def _form(pdf: Pdf) -> None:
    pdf.Root.AcroForm = Dictionary(Fields=Array([]), XFA=String("<xdp/>"))


def _on_page(pdf: Pdf) -> None:
    pdf.pages[0].obj.AA = Dictionary(O=Dictionary(S=Name.Named))


def _compressed_script(pdf: Pdf) -> None:
    _hidden_script(pdf)


def _sized(width: float, height: float) -> Callable[[Pdf], None]:
    def change(pdf: Pdf) -> None:
        pdf.pages[0].obj.MediaBox = Array([0, 0, width, height])

    return change


def _picture(pdf: Pdf) -> None:
    pdf.pages[0].obj.Resources.XObject = Dictionary(
        I=pdf.make_stream(b"x", Type=Name.XObject, Subtype=Name.Image, Width=60_000, Height=60_000, Filter=Name.DCTDecode)
    )


def _packed_twice(pdf: Pdf) -> None:
    inner = zlib.compress(zlib.compress(bytes(1 << 20)))
    made = pikepdf.Stream(pdf, inner)
    made.Filter = Array([Name.FlateDecode, Name.FlateDecode])
    pdf.Root.Extra = pdf.make_indirect(made)


def _deep(pdf: Pdf) -> None:
    one: Any = Array([])
    for _ in range(200):
        one = Array([one])
    pdf.Root.Extra = one


def hostile() -> dict[str, tuple[bytes, str]]:
    """By name: a file, and why it is refused."""
    good = paper()
    return {
        "nothing": (b"%PDF-1.7\n", "broken"),
        "noise": (b"%PDF-1.7\n" + bytes(range(256)) * 40, "broken"),
        "truncated": (good[: len(good) // 3], "broken"),
        "no pages": (written([CATALOG, b"<< /Type /Pages /Kids [] /Count 0 >>"]), "bad_page"),
        "pages in a circle": (written([CATALOG, b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"]), "broken"),
        "encrypted": (paper(encryption=pikepdf.Encryption(owner="o", user="u")), "encrypted"),
        "encrypted for nobody": (paper(encryption=pikepdf.Encryption(owner="o", user="")), "encrypted"),
        "a script": (paper(change=_script), "active"),
        "a script in a link": (paper(change=_hidden_script), "active"),
        "a script in an object stream": (
            paper(change=_compressed_script, object_stream_mode=pikepdf.ObjectStreamMode.generate),
            "active",
        ),
        "a program": (paper(change=_action("Launch")), "active"),
        "a form that sends": (paper(change=_action("SubmitForm")), "active"),
        "another file": (paper(change=_action("GoToR")), "active"),
        "a file within": (paper(change=_attached), "active"),
        "a form of scripts": (paper(change=_form), "active"),
        "what happens on a page": (paper(change=_on_page), "active"),
        "301 pages": (paper(301), "too_many_pages"),
        "a page as a town": (paper(change=_sized(1e5, 1e5)), "bad_page"),
        "a page as a stamp": (paper(change=_sized(5, 5)), "bad_page"),
        "a page without end": (paper(change=_sized(1e9, 842)), "bad_page"),
        "a picture of 3.6 gigapixels": (paper(change=_picture), "too_much"),
        "a bomb": (bomb(256 << 20), "too_much"),
        "packed twice": (
            paper(change=_packed_twice, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none),
            "too_much",
        ),
        "200 lists in lists": (paper(change=_deep), "too_much"),
    }
