"""The workers of face checks and the seal of templates, as the server sees them. A part of the composition root: it knows the server and
``verification``, and takes the key ring of recordings for keys of its own.

The server starts, serves and stops without any of it: what is missing is said in ``/readyz``, in the metrics and by every face check.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from media.recording.errors import RecordingError
from media.recording.keyfile import load_ring, make_key_file
from media.recording.keys import KEY_BYTES, NONCE_BYTES, KeyRing
from server import document_results, face_results
from server.api.bodies_documents import DocumentSeen
from server.api.bodies_faces import Assurance, FaceComparison, FacePack, FacePicture, FaceReason, LivenessChecked
from server.challenges import LiveChallenges, thresholds_in, unseen
from server.config import Config
from server.errors import (
    ConfigError,
    Conflict,
    Invalid,
    PictureRefused,
    VerificationBusy,
    VerificationLost,
    VerificationTimeout,
    VerificationUnavailable,
)
from server.face_metrics import measure
from server.services.face_ports import CLIP_PICTURES, ClipShown, Readiness, SealBroken
from server.transactions.policy_pack import PackSays, has_point
from verification import errors

if TYPE_CHECKING:
    from verification.engine.pool import EnginePool
    from verification.ports import EngineCounts, EnginePort, PackInfo

__all__ = ["FaceWorkers", "RingSeal", "measure", "models_folder", "template_keys"]

log = logging.getLogger(__name__)
KEY_FILE = "secrets/face.key"
LOOK_AGAIN_S = 5.0
"""For a pack that is not installed."""
TRY_AGAIN_S = 30.0
"""After workers that would not start: each try loads the models."""
RECORD = "installed.json"
PATIENCE_S = 5.0
"""A worker that is started again is waited for in the engine's line: callers are turned away when it has taken longer."""


def models_folder(config: Config) -> Path:
    return Path(config.models_dir) if config.models_dir else config.data_dir / "models"


def pack_says(config: Config) -> PackSays | None:
    """Of the pack that is installed: what a policy may ask of it. None where faces are not checked, or it cannot be read: then the workers say why. Blocks."""
    if not config.verification.enabled:
        return None
    folder, name = models_folder(config), config.verification.pack
    try:
        from verification.models.store import ModelStore

        store = ModelStore(folder)
        if not (folder / name / RECORD).is_file():
            return None
        comparison = store.manifest(name).thresholds.comparison
        points = comparison.points if comparison is not None else ()
        cannot = partial(unseen, abilities=store.manifest(name).abilities)
        return PackSays(name, tuple(point.fmr for point in points), frozenset(store.catalogue()), cannot)
    except (ImportError, OSError, errors.VerificationError):
        return None


class FaceWorkers:
    """``server/services/face_ports.py: FaceEngine``. Use as ``await start()`` … ``await close()``; it is ready when it is."""

    def __init__(self, config: Config, engine: "EnginePort | None" = None) -> None:
        """``engine``: one that runs already, for tests."""
        self._config = config
        self._engine = engine
        self._pool: EnginePool | None = None
        self._task: asyncio.Task[None] | None = None
        self._state = Readiness(False, "starting", "Face checks are starting.")
        if engine is not None:
            self._state = Readiness(True)
        elif not config.verification.enabled:
            self._state = Readiness(False, "disabled", "Face checks are switched off here.")

    @property
    def enabled(self) -> bool:
        return self._config.verification.enabled

    async def start(self) -> None:
        if self._engine is None and self.enabled:
            self._task = asyncio.create_task(self._keep(), name="face-workers")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._pool is not None:
            await self._pool.close()
            self._pool = self._engine = None

    # ---- state

    @property
    def readiness(self) -> Readiness:
        if self._engine is not None and self._engine.counts.none_s > PATIENCE_S:
            return Readiness(False, "restarting", "Face checks are starting again.")
        return self._state

    @property
    def pack(self) -> FacePack:
        return face_results.pack(self._info())

    @property
    def confined(self) -> bool:
        """Whether every worker is held in every way there is. No worker is held by nothing."""
        return not any(counts.unconfined for counts in self.counts_of.values())

    @property
    def counts_of(self) -> "Mapping[str, EngineCounts]":
        """Of the workers, by what they are for; empty without an engine."""
        return self._engine.counts_of if self._engine is not None else {}

    @property
    def challenges(self) -> LiveChallenges:
        """Attempts on the live stream, looked at by these workers."""
        return LiveChallenges(self._port, _translated, thresholds_in(models_folder(self._config)))

    def has_point(self, fmr: float) -> bool:
        return has_point(tuple(point for point, _ in self._info().points), fmr)

    @property
    def recogniser(self) -> str:
        return self._info().recogniser

    @property
    def known_packs(self) -> Mapping[str, str]:
        from verification.models.identity import FORMER_PACKS

        info = self._info()
        return {**FORMER_PACKS, info.hash: info.recogniser}

    async def _keep(self) -> None:
        """Until a pool runs, which then looks after its workers itself."""
        folder, name = models_folder(self._config), self._config.verification.pack
        while True:
            if not await asyncio.to_thread((folder / name / RECORD).is_file):
                self._missing("pack_not_installed", f"The model pack {name} is not installed: tongping models install {name}.")
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            try:
                pool = await self._started(folder)
            except ImportError:
                self._missing("packages_missing", "The packages of face checks are not installed: make verification.")
                return
            except errors.PackError as error:
                self._missing(error.code, f"The model pack {name} cannot be used: {error.detail or error.code}.")
            except errors.EngineError as error:
                self._missing(error.code, f"The workers of face checks cannot be started: {error.detail or error.code}.")
            except errors.VerificationError as error:  # what a library said, which is nobody's business
                log.error("face workers cannot be started", extra={"code": error.code, "detail": error.detail})
                self._missing(error.code, "The workers of face checks cannot be started.")
            except (ValueError, OSError) as error:
                log.warning("face workers cannot be started", extra={"error": type(error).__name__})
                self._missing("workers_unusable", "The workers of face checks cannot be started.")
            else:
                self._pool = self._engine = pool
                self._state = Readiness(True)
                return
            await asyncio.sleep(TRY_AGAIN_S)

    async def _started(self, folder: Path) -> "EnginePool":
        """Raises ImportError, VerificationError, ValueError, OSError."""
        made = await asyncio.to_thread(_load)
        from verification.engine.pool import EngineConfig

        config = self._config.verification
        pool = made(
            EngineConfig(
                workers=config.workers,
                document_workers=config.document_workers,
                pack=config.pack,
                pack_hash=config.pack_hash,
                models_dir=folder,
                threads=config.threads,
                providers=config.providers,
                memory_bytes=config.memory_bytes,
                document_memory_bytes=config.document_memory_bytes,
                deadline_s=config.deadline_s,
                max_waiting=config.max_waiting,
                require_confined=tuple(word for word in config.require_confined if word != "nothing"),
            )
        )
        await pool.start()
        try:
            if config.fmr and config.fmr not in [fmr for fmr, _ in pool.pack.points]:
                raise errors.PackError(
                    f"it has no operating point {config.fmr:g} (verification.fmr)", code="operating_point_unknown"
                )
        except BaseException:
            await pool.close()
            raise
        return pool

    def _missing(self, why: str, detail: str) -> None:
        if self._state.why != why:
            log.warning("face checks are not available", extra={"why": why, "detail": detail})
        self._state = Readiness(False, why, detail)

    def _port(self) -> "EnginePort":
        if self._engine is None or not self.readiness.ready:
            raise VerificationUnavailable(self.readiness.detail)
        return self._engine

    def _info(self) -> "PackInfo":
        """Of the pack that the workers keep to, also of those that are just started again: an answer that is there is given."""
        if self._engine is None:
            raise VerificationUnavailable(self.readiness.detail)
        with _translated():
            return self._engine.pack

    # ---- FaceEngine

    async def compare(self, reference: bytes, probe: bytes, *, fmr: float | None) -> FaceComparison:
        with _translated():
            found = await self._port().compare(reference, probe, fmr=self._point(fmr))
            return face_results.comparison(found.comparison, found.a, found.b, self._info())

    async def examine(self, image: bytes) -> FacePicture:
        with _translated():
            return face_results.picture(await self._port().quality(image))

    async def still(self, image: bytes) -> bytes:
        with _translated():
            return (await self._port().still(image)).jpeg

    async def embed(self, image: bytes) -> tuple[bytes, FacePicture]:
        with _translated():
            found = await self._port().embed(image)
            return found.template, face_results.picture(found.examined)

    async def match(self, template: bytes, probe: bytes, *, fmr: float | None) -> FaceComparison:
        with _translated():
            found = await self._port().match(template, probe, fmr=self._point(fmr))
            return face_results.comparison(found.comparison, None, found.examined, self._info())

    async def liveness(self, images: Sequence[bytes]) -> LivenessChecked:
        with _translated():
            hashes = await asyncio.to_thread(_hashes, images)
            found = await self._port().liveness(images)
            return face_results.liveness(
                found, self._info(), rules=self._rules(), assurance=Assurance.UPLOADED_PICTURES, hashes=hashes
            )

    async def clip(self, data: bytes) -> LivenessChecked:
        with _translated():
            found = await self._port().clip(data, frames=CLIP_PICTURES)
            return face_results.liveness(found, self._info(), rules=self._rules(), assurance=Assurance.UPLOADED_CLIP)

    async def shown(self, clip: bytes, template: bytes, *, fmr: float | None, stills: int) -> ClipShown:
        with _translated():
            point = self._point(fmr)
            found = await self._port().clip(clip, frames=CLIP_PICTURES, template=template, fmr=point, stills=stills)
            info = self._info()
            return ClipShown(
                liveness=face_results.liveness(found, info, rules=self._rules(), assurance=Assurance.UPLOADED_CLIP),
                compared=face_results.compared(found, info),
                stills=[(one.frame, one.still.jpeg) for one in found.stills],
            )

    async def document(self, image: bytes, *, today: date, portrait: bool = True) -> DocumentSeen:
        if not self._config.verification.document_workers:
            raise VerificationUnavailable("Documents are not read here.")
        with _translated():
            return document_results.document(await self._port().document(image, today=today, portrait=portrait), self._info())

    def reasons(self, codes: Iterable[str]) -> list[FaceReason]:
        return face_results.reasons(face_results.known(codes))

    def _point(self, fmr: float | None) -> float | None:
        """Raises Invalid."""
        if fmr is not None and fmr not in (known := [point for point, _ in self._info().points]):
            raise Invalid(f"fmr: one of {', '.join(f'{point:g}' for point in sorted(known))}.")
        return fmr or self._config.verification.fmr or None

    def _rules(self) -> face_results.LivenessRules:
        from verification.challenge.policy import Limits

        info = self._info()
        return face_results.liveness_rules(Limits(), dict(info.points)[self._config.verification.fmr or info.default_fmr])


def _load() -> type["EnginePool"]:
    """Numpy and its friends: only who checks faces loads them, and beside the event loop. Raises ImportError."""
    from verification.engine.pool import EnginePool

    return EnginePool


def _hashes(images: Sequence[bytes]) -> list[bytes]:
    return [hashlib.sha256(image).digest() for image in images]


@contextmanager
def _translated() -> Iterator[None]:
    """Every error of ``verification`` as one of the server's. Nothing that fails looks like an answer."""
    try:
        yield
    except (errors.ImageRefused, errors.FaceRefused) as error:
        raise PictureRefused(f"{error.detail[:1].upper()}{error.detail[1:]}.", (error.code,), error.picture) from error
    except errors.TemplateRefused as error:
        raise Conflict("Other models made this template: enrol the person anew.") from error
    except errors.EngineBusy as error:
        raise VerificationBusy("Too many face checks wait already.", 1) from error
    except errors.DeadlineMissed as error:
        raise VerificationTimeout("The face check took too long.", 2) from error
    except errors.VerificationError as error:
        raise VerificationLost("The face check was begun and did not come to an end.", 2) from error
    except ValueError as error:
        log.warning("a face check that cannot be made")
        raise VerificationLost("The face check cannot be made.", 2) from error


# ---- templates


def template_keys(config: Config) -> KeyRing:
    """The master keys; one is made where none is configured and none was made before. Blocks. Raises ConfigError."""
    path = config.data_dir / KEY_FILE
    try:
        if not config.verification.key:
            make_key_file(path)
        return load_ring(str(path), config.verification.key)
    except RecordingError as error:
        raise ConfigError(f"verification.key: {error.detail}") from None


class RingSeal:
    """``server/services/face_ports.py: TemplateSeal``. AES-256-GCM (NIST SP 800-38D); the associated data is the id, what is bound in, and what
    this is, so that one template put in the place of another, or said to be made with another pack, does not open."""

    def __init__(self, ring: KeyRing, what: str = "face template") -> None:
        self._ring = ring
        self._what = what

    def of(self, what: str) -> "RingSeal":
        """Under the same master keys, for something else: what is sealed by one does not open as the other."""
        return RingSeal(self._ring, what)

    def seal(self, id: str, binding: str, template: bytes) -> tuple[bytes, bytes]:
        key = secrets.token_bytes(KEY_BYTES)
        return self._ring.wrap(id, key, secrets.token_bytes(NONCE_BYTES)), self._sealed(key, id, binding, template)

    def seal_under(self, key: bytes, id: str, binding: str, plain: bytes) -> bytes:
        try:
            unwrapped = self._ring.unwrap(id, key)
        except RecordingError as error:
            log.error("a key cannot be opened", extra={"what": self._what, "id": id, "error": type(error).__name__})
            raise SealBroken from None
        return self._sealed(unwrapped, id, binding, plain)

    def _sealed(self, key: bytes, id: str, binding: str, plain: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, plain, _associated(self._what, id, binding))

    def open(self, id: str, binding: str, key: bytes, sealed: bytes) -> bytes:
        try:
            unwrapped = self._ring.unwrap(id, key)
            return AESGCM(unwrapped).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _associated(self._what, id, binding))
        except (RecordingError, InvalidTag, ValueError) as error:
            log.error("what was sealed cannot be opened", extra={"what": self._what, "id": id, "error": type(error).__name__})
            raise SealBroken from None


def _associated(what: str, id: str, binding: str) -> bytes:
    return b"\0".join([f"tongping {what} 1".encode(), id.encode(), binding.encode()])
