"""A face's template as bytes: the embedding, and which recogniser made it, as another one's numbers mean nothing. Sans I/O.

``TPF2`` · the recogniser (32 bytes, ``models.identity``) · number of values (2 bytes, big-endian) · as many little-endian float32. Those of before say ``TPF1``
and the SHA-256 of the recogniser's file in its place; they are read, not made.
"""

import math
import struct

from verification.errors import TemplateRefused

MAGIC, MAGIC_OF_FILE = b"TPF2", b"TPF1"
_HEADER = struct.Struct(">4s32sH")
MAX_VALUES = 4096


def pack(recogniser: bytes, embedding: bytes) -> bytes:
    """``recogniser``: of ``models.identity``. ``embedding``: little-endian float32."""
    if len(recogniser) != 32 or not embedding or len(embedding) % 4 or len(embedding) > 4 * MAX_VALUES:
        raise ValueError("a template is a hash and 1 to 4096 values")
    return _HEADER.pack(MAGIC, recogniser, len(embedding) // 4) + embedding


def unpack(template: bytes, recogniser: bytes, file: bytes) -> bytes:
    """The embedding as little-endian float32. ``file``: SHA-256 of the recogniser's file. Raises TemplateRefused: ``template_broken``, ``template_of_another_model``."""
    if len(template) < _HEADER.size:
        raise TemplateRefused("too short for a template")
    magic, made_by, count = _HEADER.unpack_from(template)
    embedding = template[_HEADER.size :]
    if magic not in (MAGIC, MAGIC_OF_FILE) or not 0 < count <= MAX_VALUES or len(embedding) != 4 * count:
        raise TemplateRefused("not a template")
    if made_by != (recogniser if magic == MAGIC else file):
        raise TemplateRefused("another recogniser made it", code="template_of_another_model")
    if not all(math.isfinite(value) for value in struct.unpack(f"<{count}f", embedding)):
        raise TemplateRefused("values that are no numbers")
    return embedding
