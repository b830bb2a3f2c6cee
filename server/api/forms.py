"""``multipart/form-data`` (RFC 7578, RFC 2046 section 5.1) out of bytes that are there already. Sans I/O.

Names and bytes; what a part says of its type is not believed, and file names are not looked at.
"""

import re

from server.errors import Invalid

MAX_PARTS = 64
MAX_PART_HEADERS_BYTES = 2048
MEDIA_TYPE = "multipart/form-data"
STEP_BYTES = 1 << 20
"""So much is searched at a time: in a thread, others have their turn in between."""

_BOUNDARY = re.compile(r";\s*boundary=(?:\"([^\"]{1,70})\"|([^\s;\"]{1,70}))(?:\s*;|\s*$)", re.IGNORECASE)
_DISPOSITION = re.compile(rb"^content-disposition:[ \t]*form-data[ \t]*;(.*)$", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(rb"(?:^|;)[ \t]*name=(?:\"([^\"\r\n]{1,80})\"|([^\s;\"]{1,80}))", re.IGNORECASE)
_ENCODING = re.compile(rb"^content-transfer-encoding:[ \t]*([^\s]+)", re.IGNORECASE | re.MULTILINE)


def boundary_of(content_type: str) -> bytes:
    """Raises Invalid."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Invalid("multipart/form-data: the boundary is missing.")
    try:
        return (found[1] or found[2]).encode("ascii")
    except UnicodeEncodeError:
        raise Invalid("multipart/form-data: not a boundary.") from None


def parts(raw: bytes | bytearray, boundary: bytes) -> list[tuple[str, bytes]]:
    """(name, bytes) in their order. Raises Invalid for whatever is not a whole form."""
    mark = b"--" + boundary
    if raw.startswith(mark):
        at = len(mark)
    else:
        at = _find(raw, b"\r\n" + mark, 0)
        if at < 0:
            raise Invalid("multipart/form-data: no part begins.")
        at += 2 + len(mark)
    found: list[tuple[str, bytes]] = []
    while True:
        if raw.startswith(b"--", at):
            return found
        line_end = raw.find(b"\r\n", at, at + 80)
        if line_end < 0 or raw[at:line_end].strip(b" \t"):
            raise Invalid("multipart/form-data: a boundary does not end its line.")
        if len(found) >= MAX_PARTS:
            raise Invalid(f"multipart/form-data: more than {MAX_PARTS} parts.")
        head_end = raw.find(b"\r\n\r\n", line_end, line_end + MAX_PART_HEADERS_BYTES)
        if head_end < 0:
            raise Invalid("multipart/form-data: a part without an end of its headers.")
        end = _find(raw, b"\r\n" + mark, head_end + 2)
        if end < 0:
            raise Invalid("multipart/form-data: cut off.")
        name = _name(bytes(raw[line_end + 2 : head_end + 2]).replace(b"\r\n", b"\n"))
        with memoryview(raw) as whole:
            found.append((name, bytes(whole[head_end + 4 : max(end, head_end + 4)])))
        at = end + 2 + len(mark)


def _find(raw: bytes | bytearray, what: bytes, at: int) -> int:
    """As ``raw.find(what, at)``."""
    while at < len(raw):
        found = raw.find(what, at, at + STEP_BYTES + len(what) - 1)
        if found >= 0:
            return found
        at += STEP_BYTES
    return -1


def _name(headers: bytes) -> str:
    disposition = _DISPOSITION.search(headers)
    named = _NAME.search(disposition[1]) if disposition is not None else None
    if named is None:
        raise Invalid("multipart/form-data: a part without a name.")
    encoding = _ENCODING.search(headers)
    if encoding is not None and encoding[1].lower() not in {b"binary", b"8bit", b"7bit"}:
        raise Invalid("multipart/form-data: send parts as they are, not encoded.")
    try:
        return (named[1] or named[2]).decode("ascii")
    except UnicodeDecodeError:
        raise Invalid("multipart/form-data: names are ASCII.") from None
