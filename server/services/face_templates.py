"""Which recogniser a kept template is of, and whether the one that works now can compare with it.

A template from before it was kept with its recogniser is known by its pack: one that works now, or came with an earlier version.
"""

import hmac
from datetime import datetime

import msgspec

from server.domain.model import FaceTemplate
from server.services.erasure_ports import ErasedPicture
from server.services.face_ports import FaceEngine
from server.store.ports import Store


def fits(engine: FaceEngine, record: FaceTemplate) -> bool:
    """Raises VerificationUnavailable: no pack works."""
    made_by = record.recogniser or engine.known_packs.get(record.pack_hash, "")
    return hmac.compare_digest(made_by, engine.recogniser)


def erased(record: FaceTemplate, now: datetime) -> FaceTemplate:
    """What is left: that it was there."""
    return msgspec.structs.replace(record, subject=None, consent="", key=b"", sealed=b"", picture=None, erased_at=now)


def without_picture(record: FaceTemplate) -> FaceTemplate:
    """The numbers stay."""
    return msgspec.structs.replace(record, picture=None)


def picture_of(record: FaceTemplate) -> ErasedPicture:
    """The one that is there, as it is written down when it is erased."""
    return ErasedPicture(template=record.id, kept_at=record.replaced_at or record.created_at)


def picture_stands(record: FaceTemplate | None, erased: ErasedPicture) -> bool:
    """Whether that one, or one before it, is there."""
    return record is not None and record.picture is not None and picture_of(record).kept_at <= erased.kept_at


async def adopt(store: Store, engine: FaceEngine) -> int:
    """Write down the recogniser of templates that do not say it, as long as their pack is known; how many. Raises VerificationUnavailable."""
    async with store.begin() as tx:
        return sum([await tx.adopt_templates(pack, recogniser) for pack, recogniser in engine.known_packs.items()])
