"""What a PDF must not hold: what runs, loads, sends, or shows one thing here and another elsewhere. Only in the confined process (``process.py``)."""

import re
from decimal import Decimal
from typing import Any

from pikepdf import Array, Dictionary, Name, Stream, String

from server.pdf.jobs import PdfRefused, Why

_KEYS = frozenset(
    {
        "/JS",
        "/JavaScript",
        "/EmbeddedFiles",
        "/EF",
        "/XFA",
        "/AA",
        "/RichMediaContent",
        "/RichMediaSettings",
        "/OCProperties",  # layers: shown here, switched off elsewhere or in print
        "/OC",
    }
)
_STREAM_KEYS = frozenset({"/F", "/FFilter", "/FDecodeParms", "/Ref", "/Alternates", "/OPI"})
"""Its bytes, or another picture in place of it, are somewhere else."""
_VALUES = {
    "/S": frozenset(
        {
            "/JavaScript",
            "/Launch",
            "/SubmitForm",
            "/ResetForm",
            "/ImportData",
            "/GoToR",
            "/GoToE",
            "/GoTo3DView",
            "/Rendition",
            "/RichMediaExecute",
            "/Movie",
            "/Sound",
            "/SetOCGState",
            "/Hide",
        }
    ),
    "/Subtype": frozenset({"/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D"}),
    "/Type": frozenset({"/EmbeddedFile", "/OCG", "/OCMD"}),
}
_SCHEME = re.compile(rb"\s*([A-Za-z][A-Za-z0-9+.\-]*):")
_SCHEMES = frozenset({b"http", b"https", b"mailto", b"tel"})
WIDEST_BORDER = 4
"""Of a link: a wide one covers the page."""


def check(one: Any) -> None:
    """A dictionary, or the one of a stream. Raises PdfRefused (active, form)."""
    keys = set(one.keys())
    if keys & _KEYS or (isinstance(one, Stream) and keys & _STREAM_KEYS):
        raise PdfRefused(Why.ACTIVE)
    for key, active in _VALUES.items():
        value = one.get(key) if key in keys else None
        if isinstance(value, Name) and str(value) in active:
            raise PdfRefused(Why.ACTIVE)
    if "/OpenAction" in keys:
        _opens(one.get("/OpenAction"))
    if "/AcroForm" in keys:
        _form(one.get("/AcroForm"))
    if "/Annots" in keys:
        notes = one.get("/Annots")
        if not isinstance(notes, Array):
            raise PdfRefused(Why.BROKEN)
        for note in notes:
            _annotation(note)


def _opens(action: Any) -> None:
    """When the file is opened: a place in it, and nothing else."""
    if isinstance(action, Dictionary) and (action.get("/S") != Name.GoTo or "/Next" in action):
        raise PdfRefused(Why.ACTIVE)


def _form(form: Any) -> None:
    fields = form.get("/Fields") if isinstance(form, Dictionary) else None
    if not isinstance(form, Dictionary) or not isinstance(fields, Array | None) or fields:
        raise PdfRefused(Why.FORM)


def _annotation(note: Any) -> None:
    """Only a link that draws nothing over the page: whatever else is drawn after it, and by each reader and printer in its own way."""
    if not isinstance(note, Dictionary):
        raise PdfRefused(Why.BROKEN)
    if note.get("/Subtype") != Name.Link or "/AP" in note or _border(note) > WIDEST_BORDER:
        raise PdfRefused(Why.FORM)
    action = note.get("/A")
    if action is None:
        return
    if not isinstance(action, Dictionary) or "/Next" in action or action.get("/S") not in (Name.GoTo, Name.URI):
        raise PdfRefused(Why.ACTIVE)
    if action.S == Name.URI:
        target = action.get("/URI")
        scheme = _SCHEME.match(bytes(target)) if isinstance(target, String) else None
        if not isinstance(target, String) or (scheme is not None and scheme[1].lower() not in _SCHEMES):
            raise PdfRefused(Why.ACTIVE)


def _border(note: Any) -> Decimal:
    border, style = note.get("/Border"), note.get("/BS")
    if style is not None:
        return number(style.get("/W", 1))
    return number(border[2]) if border is not None else Decimal(1)


def number(value: Any) -> Decimal:
    """Raises PdfRefused: it is none, and readers make of it what they like."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PdfRefused(Why.BROKEN)
    found = Decimal(value)
    if not found.is_finite():
        raise PdfRefused(Why.BROKEN)
    return found
