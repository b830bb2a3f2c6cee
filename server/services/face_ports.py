"""What the face service needs: an engine, a seal for templates, and advice. ``server/faces.py`` binds them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from server.api.bodies_documents import DocumentSeen
from server.api.bodies_faces import FaceComparison, FacePack, FacePicture, FaceReason, LivenessChecked

CLIP_PICTURES = 16
"""So many pictures are taken out of a clip, however long it is, and it costs as many checks."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """``why``: what is missing, as a code; ``detail``: the same in a public sentence. Both empty where it is ready."""

    ready: bool
    why: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClipShown:
    """What a clip shows of one person. ``compared``: each of ``liveness.frames`` with the template, None for those without one face. ``stills``: (which of the
    frames, JPEG as ``FaceEngine.still`` makes it), spread over the clip."""

    liveness: LivenessChecked
    compared: Sequence[FaceComparison | None]
    stills: Sequence[tuple[int, bytes]]


class FaceEngine(Protocol):
    """Pictures are files as they came. All of it raises VerificationUnavailable, -Busy, -Lost or -Timeout: nothing was found out then. What
    takes pictures raises PictureRefused; what takes ``fmr`` (None: the configured one) Invalid where the pack has no such operating point."""

    @property
    def readiness(self) -> Readiness: ...

    @property
    def confined(self) -> bool:
        """Whether every worker is held in every way there is."""
        ...

    @property
    def pack(self) -> FacePack:
        """Raises VerificationUnavailable where none works."""
        ...

    def has_point(self, fmr: float) -> bool:
        """Whether the pack was evaluated at this false match rate. Raises VerificationUnavailable."""
        ...

    @property
    def recogniser(self) -> str:
        """Of what decides the numbers of faces: templates of another one cannot be compared with. Raises VerificationUnavailable."""
        ...

    @property
    def known_packs(self) -> Mapping[str, str]:
        """Hash of a pack → its recogniser, of the one that works and of those that came with earlier versions. Raises VerificationUnavailable."""
        ...

    async def compare(self, reference: bytes, probe: bytes, *, fmr: float | None) -> FaceComparison: ...

    async def examine(self, image: bytes) -> FacePicture: ...

    async def still(self, image: bytes) -> bytes:
        """The picture as a JPEG of at most 640 pixels wide, upright, without what else its file said. Raises PictureRefused, VerificationUnavailable."""
        ...

    async def embed(self, image: bytes) -> tuple[bytes, FacePicture]:
        """The template: personal data of the most sensitive kind."""
        ...

    async def match(self, template: bytes, probe: bytes, *, fmr: float | None) -> FaceComparison:
        """Raises Conflict where other models made the template."""
        ...

    async def liveness(self, images: Sequence[bytes]) -> LivenessChecked: ...

    async def clip(self, data: bytes) -> LivenessChecked: ...

    async def shown(self, clip: bytes, template: bytes, *, fmr: float | None, stills: int) -> ClipShown:
        """All in one look at it. Raises Conflict where other models made the template."""
        ...

    async def document(self, image: bytes, *, today: date, portrait: bool = True) -> DocumentSeen:
        """What is wrong with a document is told, not raised. ``today``: the day that it must be valid on. ``portrait``: with a template of it, else its
        face is looked for and no more."""
        ...

    def reasons(self, codes: Iterable[str]) -> list[FaceReason]:
        """With what the person can do about each; codes that are none of a picture's are left out."""
        ...


class SealBroken(Exception):
    """What was sealed cannot be opened: changed, another one's, or its master key is not here."""


class TemplateSeal(Protocol):
    """Each template under a key of its own, wrapped under the master key; ``binding`` is bound in as associated data."""

    def of(self, what: str) -> "TemplateSeal":
        """Under the same master keys, for something else: what is sealed by one does not open as the other."""
        ...

    def seal(self, id: str, binding: str, template: bytes) -> tuple[bytes, bytes]:
        """(wrapped key, sealed)."""
        ...

    def seal_under(self, key: bytes, id: str, binding: str, plain: bytes) -> bytes:
        """What opens with this wrapped key, of this id, which ``seal`` made. Raises SealBroken."""
        ...

    def open(self, id: str, binding: str, key: bytes, sealed: bytes) -> bytes:
        """Raises SealBroken."""
        ...
