"""PDFs that are shown otherwise elsewhere, or unpack to more than they say; and harmless ones like them."""

import base64
import zlib
from collections.abc import Callable
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String

from tests.support.pdfs import paper

Change = Callable[[Pdf], None]


def _page(key: str, value: Any) -> Change:
    return lambda pdf: pdf.pages[0].obj.__setitem__(key, value)


def _root(key: str, value: Any) -> Change:
    return lambda pdf: pdf.Root.__setitem__(key, value)


def _note(**fields: Any) -> Change:
    return _page("/Annots", Array([Dictionary(**{"Type": Name.Annot, "Rect": Array([0, 0, 595, 842]), **fields})]))


def _link(action: Any = None, **fields: Any) -> Change:
    return _note(Subtype=Name.Link, **({} if action is None else {"A": action}), **fields)


def _drawn(subtype: Object, flags: int) -> Change:
    def change(pdf: Pdf) -> None:
        over = pdf.make_stream(b"1 g 0 0 595 842 re f", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 595, 842]))
        _note(Subtype=subtype, F=flags, AP=Dictionary(N=over))(pdf)

    return change


def _layers(pdf: Pdf) -> None:
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String("a")))
    pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=Dictionary(OFF=Array([layer])))


def _picture(key: str, value: Any) -> Change:
    def change(pdf: Pdf) -> None:
        one = pdf.make_stream(b"0", Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, 0, 9, 9]))
        one[key] = value
        pdf.pages[0].obj.Resources.XObject = Dictionary(A=one)

    return change


def _packed(filters: Any, data: bytes, **fields: Any) -> bytes:
    def change(pdf: Pdf) -> None:
        one = Stream(pdf, data)
        for key, value in {"Type": Name.XObject, "Subtype": Name.Image, "Width": 9, "Height": 9, **fields}.items():
            if value is not None:
                one[f"/{key}"] = value
        one.Filter = filters
        pdf.Root.Extra = pdf.make_indirect(one)

    return paper(change=change, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)


def lzw(data: bytes, early: int = 1) -> bytes:
    codes: dict[bytes, int] = {}
    out = bits = 0
    written = bytearray()

    def put(code: int, width: int) -> None:
        nonlocal out, bits
        out, bits = out << width | code, bits + width
        while bits >= 8:
            bits -= 8
            written.append(out >> bits & 255)
            out &= (1 << bits) - 1

    next_code, word, width = 258, b"", 9
    put(256, 9)
    for byte in data:
        longer = word + bytes([byte])
        if len(longer) == 1 or longer in codes:
            word = longer
            continue
        put(codes.get(word, word[0]), width)
        codes[longer] = next_code
        next_code += 1
        width = min(12, max(9, (next_code - 1 + early).bit_length()))  # the reader is one behind
        if next_code == 4094:
            put(codes[longer[:1]] if longer[:1] in codes else longer[-1], width)
            put(256, width)
            codes, next_code, word, width = {}, 258, b"", 9
            continue
        word = longer[-1:]
    if word:
        put(codes.get(word, word[0]), width)
        width = min(12, max(9, (next_code + early).bit_length()))
    put(257, width)
    if bits:
        put(0, 8 - bits)
    return bytes(written)


def _zeros(size: int) -> bytes:
    reader = zlib.compressobj(9)
    return b"".join(reader.compress(bytes(1 << 20)) for _ in range(size >> 20)) + reader.flush()


def hostile() -> dict[str, tuple[bytes, str]]:
    """By name: a file, and why it is refused."""
    changes: dict[str, tuple[Change, str]] = {
        "turned by half a degree": (_page("/Rotate", 90.5), "bad_page"),
        "turned by 45": (_page("/Rotate", 45), "bad_page"),
        "turned by a word": (_page("/Rotate", String("90")), "bad_page"),
        "turned by yes": (_page("/Rotate", True), "bad_page"),
        "a unit of nothing": (_page("/UserUnit", 0), "bad_page"),
        "a unit of a word": (_page("/UserUnit", String("2")), "bad_page"),
        "a box of three": (_page("/MediaBox", Array([0, 0, 595])), "bad_page"),
        "a box of five": (_page("/MediaBox", Array([0, 0, 595, 842, 1])), "bad_page"),
        "a box of a word": (_page("/MediaBox", String("abcd")), "bad_page"),
        "a box with a word": (_page("/MediaBox", Array([0, 0, 595, Name.A])), "bad_page"),
        "cropped by three": (_page("/CropBox", Array([0, 0, 595])), "bad_page"),
        "a stamp over the page": (_drawn(Name.Stamp, 4), "form"),
        "a stamp in print only": (_drawn(Name.Stamp, 4 | 32), "form"),
        "a link that is drawn": (_drawn(Name.Link, 4), "form"),
        "a link with a wide border": (_link(Border=Array([0, 0, 900])), "form"),
        "a link with a wide style": (_link(BS=Dictionary(W=900)), "form"),
        "a note": (_note(Subtype=Name.FreeText, Contents=String("x")), "form"),
        "a form": (_root("/AcroForm", Dictionary(Fields=Array([Dictionary(FT=Name.Tx)]))), "form"),
        "a link that hides": (_link(Dictionary(S=Name.Hide, T=String("x"))), "active"),
        "a link that prints": (_link(Dictionary(S=Name.Named, N=Name.Print)), "active"),
        "a link that goes on": (
            _link(Dictionary(S=Name.GoTo, D=String("x"), Next=Dictionary(S=Name.GoTo, D=String("y")))),
            "active",
        ),
        "a link to a script": (_link(Dictionary(S=Name.URI, URI=String("JavaScript:alert(1)"))), "active"),
        "a link to a file": (_link(Dictionary(S=Name.URI, URI=String("file:///etc/passwd"))), "active"),
        "opened: a page of the net": (_root("/OpenAction", Dictionary(S=Name.URI, URI=String("https://a.example"))), "active"),
        "opened: layers": (_root("/OpenAction", Dictionary(S=Name.SetOCGState, State=Array([]))), "active"),
        "opened: hides": (_root("/OpenAction", Dictionary(S=Name.Hide, T=String("x"))), "active"),
        "opened: prints": (_root("/OpenAction", Dictionary(S=Name.Named, N=Name.Print)), "active"),
        "layers": (_layers, "active"),
        "a page of another file": (_picture("/Ref", Dictionary(F=String("x.pdf"), Page=0)), "active"),
        "bytes of another file": (_picture("/F", String("x")), "active"),
        "another picture in print": (_picture("/Alternates", Array([])), "active"),
        "a picture of a printer": (_picture("/OPI", Dictionary()), "active"),
        "a layer of a form": (_picture("/OC", Dictionary()), "active"),
    }
    much = _zeros(129 << 20)
    wide = zlib.compress(b"q BI /W 0060000 /H 60000 /BPC 8 /CS /G /F /Fl ID x EI Q")
    # A head that zlib refuses and readers take.
    odd = bytes([0x88, 0x1C]) + much[2:]
    return {name: (paper(change=change), why) for name, (change, why) in changes.items()} | {
        "a bomb by its short name": (_packed(Name("/Fl"), much), "too_much"),
        "a bomb with an odd head": (_packed(Name.FlateDecode, odd), "too_much"),
        "a bomb in digits": (_packed(Array([Name.ASCIIHexDecode, Name.FlateDecode]), much.hex().encode() + b">"), "too_much"),
        "a bomb in letters": (_packed(Array([Name.ASCII85Decode, Name("/Fl")]), base64.a85encode(much) + b"~>"), "too_much"),
        "a bomb of runs": (_packed(Name.RunLengthDecode, b"\x81x" * (1 << 20) + b"\x81x"), "too_much"),
        "a filter nobody knows": (_packed(Name.MyDecode, b"x"), "too_much"),
        "the wrong way round": (_packed(Array([Name.DCTDecode, Name.FlateDecode]), b"x"), "too_much"),
        "broken in its middle": (_packed(Name.FlateDecode, zlib.compress(b"abc")[:2] + b"\xff" * 9), "broken"),
        "a picture of no size": (_packed(Name.JPXDecode, b"x", Width=None), "too_much"),
        "a picture that is none": (_packed(Name.JBIG2Decode, b"x", Subtype=Name.Form), "too_much"),
        "rows without end": (
            _packed(Name.FlateDecode, zlib.compress(b"x"), DecodeParms=Dictionary(Columns=1 << 30)),
            "too_much",
        ),
        "a wide picture within": (_packed(Name.FlateDecode, wide, Subtype=Name.Form), "too_much"),
    }


def harmless() -> dict[str, bytes]:
    """Two pages of A4 each."""
    changes: dict[str, Change] = {
        "links": lambda pdf: _link(
            Dictionary(S=Name.URI, URI=String("https://bank.example/terms")), Border=Array([0, 0, 1]), F=4
        )(pdf),
        "a link without a scheme": _link(Dictionary(S=Name.URI, URI=String("www.bank.example"))),
        "a link to a page": _link(Dictionary(S=Name.GoTo, D=Array([0, Name.Fit]))),
        "a link to a place": _link(Dest=String("x")),
        "opened at a page": _root("/OpenAction", Array([0, Name.Fit])),
        "opened by going": _root("/OpenAction", Dictionary(S=Name.GoTo, D=Array([0, Name.Fit]))),
        "an empty form": _root("/AcroForm", Dictionary(Fields=Array([]))),
        "cropped": _page("/CropBox", Array([-10, -10, 595.0, 842])),
    }
    return {name: paper(change=change) for name, change in changes.items()} | {
        "a photograph": _packed(Name.DCTDecode, b"x"),
        "a photograph in letters": _packed(Array([Name.ASCII85Decode, Name.DCTDecode]), base64.a85encode(b"abcd") + b"~>"),
        "old paper": _packed(Name.LZWDecode, lzw(b"hello " * 5000)),
        "a fax": _packed(Name.CCITTFaxDecode, b"x", DecodeParms=Dictionary(Columns=2480, Rows=3508, K=-1)),
        "cut short": _packed(Name.FlateDecode, zlib.compress(bytes(range(256)) * 99)[:-6]),
    }
