"""The picture that a template was made from, for who reviews what was compared with it. Sealed under the key of its template and for this enrolment alone: what
erases or replaces the template erases it, and no other template's opens in its place."""

from server.domain.ids import TemplateId
from server.domain.model import FaceTemplate
from server.services.face_ports import TemplateSeal


class EnrolledPictures:
    """``seal``: of templates."""

    def __init__(self, seal: TemplateSeal) -> None:
        self._seal = seal.of("picture of an enrolment")

    def sealed(self, id: TemplateId, pack_hash: str, key: bytes, jpeg: bytes) -> bytes:
        """``key``: the template's, wrapped."""
        return self._seal.seal_under(key, id, pack_hash, jpeg)

    def opened(self, record: FaceTemplate) -> bytes | None:
        """A JPEG; None: none was kept. Raises SealBroken."""
        if record.picture is None:
            return None
        return self._seal.open(record.id, record.pack_hash, record.key, record.picture)
