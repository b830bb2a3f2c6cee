"""How many bytes a stream is for whoever shows it. Only in the confined process (``process.py``).

As lenient as readers are: short names of filters, no sums checked. What cannot be counted is refused.
"""

import base64
import re
import zlib
from typing import Any

from pikepdf import Array, Name, Stream

from server.pdf.jobs import PdfRefused, Why

MOST_UNPACKED = 128 << 20
"""Of one stream."""
MAX_PIXELS = 100_000_000
WIDEST_ROW = 1 << 20
"""Of what a predictor or a fax goes by."""
_PART = 1 << 20
_NAMES = {
    "/A85": "/ASCII85Decode",
    "/AHx": "/ASCIIHexDecode",
    "/Fl": "/FlateDecode",
    "/LZW": "/LZWDecode",
    "/RL": "/RunLengthDecode",
    "/DCT": "/DCTDecode",
    "/CCF": "/CCITTFaxDecode",
}
_TEXT = frozenset({"/ASCII85Decode", "/ASCIIHexDecode"})
_PACKED = frozenset({"/FlateDecode", "/LZWDecode", "/RunLengthDecode"})
_PICTURE = frozenset({"/DCTDecode", "/CCITTFaxDecode", "/JPXDecode", "/JBIG2Decode"})
_SPACE = re.compile(rb"[\0\t\n\f\r ]+")
_WIDE = re.compile(rb"/(?:W|H|Width|Height)[\0\t\n\f\r ]*\+?0*[1-9][0-9]{4}")
"""Of a picture in the content itself: 10,000 pixels or more one way."""


def unpacked(stream: Any) -> int:
    """Raises PdfRefused (too much, broken)."""
    names = _filters(stream)
    _sized(stream, names)
    if not set(names) & (_TEXT | _PACKED):
        return 0 if set(names) & _PICTURE else _plain(stream, stream.read_raw_bytes())
    data = stream.read_raw_bytes()
    if names and names[0] in _TEXT:
        data = _from_text(names.pop(0), data)
    if not names or names[0] in _PICTURE:
        return len(data)
    content = len(names) == 1 and not _is(stream, "/Subtype", "/Image") and not _is(stream, "/Type", "/ObjStm")
    if names[0] == "/FlateDecode":
        return _flate(data, content)
    return _run_length(data) if names[0] == "/RunLengthDecode" else _lzw(data, _early(stream))


def _filters(stream: Any) -> list[str]:
    found = stream.get("/Filter")
    given = list(found) if isinstance(found, Array) else [found] if found is not None else []
    if not all(isinstance(one, Name) for one in given):
        raise PdfRefused(Why.BROKEN)
    names = [_NAMES.get(str(one), str(one)) for one in given]
    rest = list(names)
    for kind in (_TEXT, _PACKED, _PICTURE):  # each once, in this order: packed twice is a bomb
        if rest and rest[0] in kind:
            del rest[0]
    if rest:
        raise PdfRefused(Why.TOO_MUCH)
    return names


def _sized(stream: Any, names: list[str]) -> None:
    """A picture says how large it is."""
    picture = _is(stream, "/Subtype", "/Image")
    if set(names) & _PICTURE and not picture:
        raise PdfRefused(Why.TOO_MUCH)
    if picture:
        width, height = stream.get("/Width"), stream.get("/Height")
        if not (_whole(width) and _whole(height)) or width * height > MAX_PIXELS:
            raise PdfRefused(Why.TOO_MUCH)
    parameters = stream.get("/DecodeParms", stream.get("/DP"))
    for one in list(parameters) if isinstance(parameters, Array) else [parameters]:
        for key in ("/Columns", "/Rows", "/Colors"):
            value = one.get(key) if one is not None else None
            if value is not None and (not isinstance(value, int) or value > WIDEST_ROW):
                raise PdfRefused(Why.TOO_MUCH)


def _is(stream: Any, key: str, name: str) -> bool:
    return bool(stream.get(key) == Name(name))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _plain(stream: Stream, data: bytes) -> int:
    if not _is(stream, "/Subtype", "/Image") and _WIDE.search(data):
        raise PdfRefused(Why.TOO_MUCH)
    return len(data)


def _from_text(name: str, data: bytes) -> bytes:
    data = _SPACE.sub(b"", data)
    try:
        if name == "/ASCIIHexDecode":
            digits = data.split(b">", 1)[0].decode("ascii")
            return bytes.fromhex(digits + "0" * (len(digits) % 2))
        return base64.a85decode(data.removeprefix(b"<~").split(b"~", 1)[0])
    except ValueError:
        raise PdfRefused(Why.BROKEN) from None


def _flate(data: bytes, content: bool) -> int:
    """Without the head of two bytes: readers do not ask it how far back anything lies."""
    reader, total, before, at = zlib.decompressobj(-zlib.MAX_WBITS), 0, b"", 2
    try:
        while not reader.eof and (reader.unconsumed_tail or at < len(data)):
            packed = reader.unconsumed_tail
            if not packed:
                packed, at = data[at : at + _PART], at + _PART
            part = reader.decompress(packed, _PART)
            total += len(part)
            if total > MOST_UNPACKED or (content and _WIDE.search(before + part)):
                raise PdfRefused(Why.TOO_MUCH)
            before = part[-64:]
    except zlib.error:
        raise PdfRefused(Why.BROKEN) from None
    return total


def _run_length(data: bytes) -> int:
    total = at = 0
    while at < len(data) and data[at] != 128:
        length = data[at]
        total, at = (total + length + 1, at + length + 2) if length < 128 else (total + 257 - length, at + 2)
        if total > MOST_UNPACKED:
            raise PdfRefused(Why.TOO_MUCH)
    return total


def _early(stream: Any) -> int:
    parameters = stream.get("/DecodeParms", stream.get("/DP"))
    found = [
        one.get("/EarlyChange", 1) for one in (parameters if isinstance(parameters, Array) else [parameters]) if one is not None
    ]
    return 0 if 0 in found else 1


def _lzw(data: bytes, early: int) -> int:
    """Of each code only how much it stands for."""
    lengths: list[int] = [1] * 256 + [0, 0]
    total = held = bits = previous = 0
    width = 9
    for byte in data:
        held, bits = (held << 8 | byte) & 0xFFFFFF, bits + 8
        if bits < width:
            continue
        bits -= width
        code = held >> bits & (1 << width) - 1
        if code == 257:
            break
        if code == 256:
            lengths, previous, width = lengths[:258], 0, 9
            continue
        if code > len(lengths) or (code == len(lengths) and not previous):
            raise PdfRefused(Why.BROKEN)
        length = lengths[code] if code < len(lengths) else previous + 1
        if previous and len(lengths) < 4096:
            lengths.append(previous + 1)
        previous = length
        total += length
        if total > MOST_UNPACKED:
            raise PdfRefused(Why.TOO_MUCH)
        width = min(12, max(9, (len(lengths) + early).bit_length()))
    return total
