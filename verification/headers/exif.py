"""The one thing that is wanted of a picture's metadata: which way up it is (EXIF 2.32, 4.6.4). Sans I/O."""

import struct


def exif_orientation(tiff: bytes) -> int:
    """1 to 8 of the first directory; 1 where it says nothing that makes sense."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (directory,) = struct.unpack(order + "I", tiff[4:8])
    if directory + 2 > len(tiff):
        return 1
    (entries,) = struct.unpack(order + "H", tiff[directory : directory + 2])
    for index in range(min(entries, 512)):
        entry = tiff[directory + 2 + 12 * index : directory + 14 + 12 * index]
        if len(entry) < 12:
            return 1
        tag, kind, count, value = struct.unpack(order + "HHIH", entry[:10])
        if tag == 0x0112:
            return value if kind == 3 and count == 1 and 1 <= value <= 8 else 1
    return 1
