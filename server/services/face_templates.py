"""Which recogniser a kept template is of, and whether the one that works now can compare with it.

A template from before it was kept with its recogniser is known by its pack: one that works now, or came with an earlier version.
"""

import hmac
from datetime import datetime

import msgspec

from server.domain.model import FaceTemplate
from server.services.face_ports import FaceEngine
from server.store.ports import Store


def fits(engine: FaceEngine, record: FaceTemplate) -> bool:
    """Raises VerificationUnavailable: no pack works."""
    made_by = record.recogniser or engine.known_packs.get(record.pack_hash, "")
    return hmac.compare_digest(made_by, engine.recogniser)


def erased(record: FaceTemplate, now: datetime) -> FaceTemplate:
    """What is left: that it was there."""
    return msgspec.structs.replace(record, subject=None, consent="", key=b"", sealed=b"", picture=None, erased_at=now)


async def adopt(store: Store, engine: FaceEngine) -> int:
    """Write down the recogniser of templates that do not say it, as long as their pack is known; how many. Raises VerificationUnavailable."""
    async with store.begin() as tx:
        return sum([await tx.adopt_templates(pack, recogniser) for pack, recogniser in engine.known_packs.items()])
