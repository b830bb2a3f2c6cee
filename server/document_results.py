"""What the engine says of an identity document, in the words of the interface. A part of the composition root, as ``face_results.py``."""

from typing import TYPE_CHECKING

from server import face_results
from server.api.bodies_documents import DocumentClarity, DocumentKind, DocumentRead, DocumentSeen, DocumentValue

if TYPE_CHECKING:
    from verification.ports import DocumentSeen as Seen
    from verification.ports import PackInfo


def document(found: "Seen", info: "PackInfo") -> DocumentSeen:
    reading, clear = found.reading, found.reading.clarity
    kind = DocumentKind(reading.type.value) if reading.type is not None else None
    read = DocumentRead(
        accepted=reading.accepted and kind is not None and not reading.expired,
        kind=kind,
        fields=[
            DocumentValue(
                name=field.name,
                value=field.value,
                confidence=field.confidence,
                confirmed=field.confirmed,
                proven=field.proven,
                corrected=field.corrected,
            )
            for field in reading.fields
        ],
        expired=reading.expired,
        reasons=face_results.reasons(reading.reasons),
        cautions=face_results.reasons(reading.cautions),
        corners=[[x, y] for x, y in reading.corners],
        clarity=DocumentClarity(
            width_px=clear.width_px,
            sharpness=clear.sharpness,
            glare=clear.glare,
            brightness=clear.brightness,
            hidden=clear.hidden,
        )
        if clear is not None
        else None,
        portrait=reading.portrait is not None,
        reader=reading.models,
        pack=face_results.pack(info),
    )
    return DocumentSeen(read=read, template=found.template)
