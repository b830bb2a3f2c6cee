"""``tongping face`` and ``tongping document``: what the interface says of pictures, for files on this machine. See docs/face-api.md.

A worker is started for it, held as the server's are; nothing of a picture is kept.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from server.cli_evaluate import AsJson, ConfigFile
from server.cli_models import models_folder
from server.errors import ConfigError, Invalid, PictureRefused, TongpingError

if TYPE_CHECKING:
    from server.faces import FaceWorkers

faces = typer.Typer(
    no_args_is_help=True, help="Faces in pictures on this machine, as the interface sees them; see docs/face-api.md."
)
documents = typer.Typer(no_args_is_help=True, help="Identity documents in pictures on this machine; see docs/documents.md.")

CLIPS = frozenset({".mp4", ".webm", ".mkv", ".mov"})
DEADLINE_S = 60.0
EXIT_REFUSED = 1
Pack = Annotated[str, typer.Option("--pack", help="Which model pack; the configured one otherwise.")]
Files = Annotated[list[Path], typer.Argument(help="Pictures.")]
Check = Callable[["FaceWorkers"], Awaitable[list[dict[str, Any]]]]


@faces.command("compare")
def compare(
    reference: Annotated[Path, typer.Argument(help="A picture with one face.")],
    probe: Annotated[Path, typer.Argument(help="The one to be compared with it.")],
    fmr: Annotated[
        float | None, typer.Option("--fmr", help="An operating point of the pack; the configured one otherwise.")
    ] = None,
    pack: Pack = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Whether two pictures show one person, one to one. Exit status 1 where a picture is refused, 0 for any answer."""

    async def check(engine: "FaceWorkers") -> list[dict[str, Any]]:
        a, b = _read(reference), _read(probe)
        return [await _of((reference, probe), engine, engine.compare(a, b, fmr=fmr))]

    _give(_run(check, pack, config), as_json=as_json, words=_compared)


@faces.command("quality")
def quality(files: Files, pack: Pack = "", as_json: AsJson = False, config: ConfigFile = None) -> None:
    """What each picture's face is like, and what is wrong with it. Exit status 1 where a picture is refused."""

    async def check(engine: "FaceWorkers") -> list[dict[str, Any]]:
        return [await _of((file,), engine, engine.examine(_read(file))) for file in files]

    _give(_run(check, pack, config), as_json=as_json, words=_examined)


@faces.command("liveness")
def liveness(
    files: Annotated[list[Path], typer.Argument(help="Pictures of one person in the order they were taken, or one clip.")],
    pack: Pack = "",
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Passive liveness of pictures or a clip: no more than the interface says of uploads. Exit status 1 where one is refused."""
    clips = [file for file in files if file.suffix.lower() in CLIPS]
    if clips and len(files) > 1:
        raise ConfigError("pictures, or one clip alone")

    async def check(engine: "FaceWorkers") -> list[dict[str, Any]]:
        content = [_read(file) for file in files]
        return [await _of(files, engine, engine.clip(content[0]) if clips else engine.liveness(content))]

    _give(_run(check, pack, config), as_json=as_json, words=_alive)


@documents.command("read")
def read(files: Files, pack: Pack = "", as_json: AsJson = False, config: ConfigFile = None) -> None:
    """What stands on the identity document in each picture, put to its own checks. Exit status 1 where a picture is refused."""
    from server.services.documents import CHINA

    today = datetime.now(UTC).astimezone(CHINA).date()

    async def check(engine: "FaceWorkers") -> list[dict[str, Any]]:
        async def of(data: bytes) -> msgspec.Struct:
            return (await engine.document(data, today=today, portrait=False)).read

        return [await _of((file,), engine, of(_read(file))) for file in files]

    _give(_run(check, pack, config, documents=True), as_json=as_json, words=_document)


# ---- running it


def _run(check: Check, pack: str, file: Path | None, *, documents: bool = False) -> list[dict[str, Any]]:
    """Raises ConfigError for all that is no answer."""
    try:
        return asyncio.run(_checked(check, pack, file, documents=documents))
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: make verification") from None
    except TongpingError as error:
        raise error if isinstance(error, ConfigError) else ConfigError(error.detail) from None


async def _checked(check: Check, pack: str, file: Path | None, *, documents: bool) -> list[dict[str, Any]]:
    from server import config as configuration
    from server.faces import FaceWorkers
    from verification.engine.pool import EngineConfig, EnginePool
    from verification.errors import NotInstalled, VerificationError
    from verification.models.store import ModelStore, State

    loaded = configuration.load(file)
    of = msgspec.structs.replace(
        loaded.verification,
        pack=pack or loaded.verification.pack,
        document_workers=1 if documents else 0,
        fmr=0.0 if pack else loaded.verification.fmr,
    )
    settings = EngineConfig(
        pack=of.pack,
        models_dir=models_folder(file),
        document_workers=of.document_workers,
        threads=of.threads,
        providers=of.providers,
        memory_bytes=of.memory_bytes,
        document_memory_bytes=of.document_memory_bytes,
        deadline_s=DEADLINE_S,
        require_confined=tuple(word for word in of.require_confined if word != "nothing"),
    )
    try:
        state, why_not = ModelStore(settings.models_dir).state(of.pack)
        if state is not State.INSTALLED:
            raise NotInstalled(why_not or f"{of.pack} is not installed: tongping models install {of.pack}")
        async with EnginePool(settings) as pool:
            return await check(FaceWorkers(msgspec.structs.replace(loaded, verification=of), engine=pool))
    except VerificationError as error:
        raise ConfigError(error.detail or error.code) from None


async def _of(files: Sequence[Path], engine: "FaceWorkers", answer: Awaitable[msgspec.Struct]) -> dict[str, Any]:
    """``files`` and the answer as the interface gives it, or ``refused``: why, and which of the files (null: all)."""
    names: dict[str, Any] = {"files": [str(file) for file in files]}
    try:
        told: dict[str, Any] = msgspec.to_builtins(await answer)
        return names | told
    except PictureRefused as error:
        which = None if error.picture is None else str(files[error.picture])
        why = msgspec.to_builtins(engine.reasons(error.reasons))
        return names | {"refused": {"code": error.code, "file": which, "detail": error.detail, "reasons": why}}
    except Invalid as error:
        raise ConfigError(error.detail) from None


def _read(file: Path) -> bytes:
    from server.config_verification import MIB

    most = 64 * MIB
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or 'cannot be read'}") from None
    if len(content) > most:
        raise ConfigError(f"{file}: more than {most // MIB} MiB")
    return content


# ---- telling it


def _give(found: list[dict[str, Any]], *, as_json: bool, words: Callable[[dict[str, Any]], list[str]]) -> None:
    """One JSON document, a list with an entry for each answer; else lines."""
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")
    for one in [] if as_json else found:
        refused = one.get("refused")
        lines = [f"refused: {refused['detail']}", *_reasons(refused)] if refused else words(one)
        print(f"{', '.join(one['files'])}: {lines[0]}", *(f"  {line}" for line in lines[1:]), sep="\n")
    if any("refused" in one for one in found):
        raise typer.Exit(EXIT_REFUSED)


def _reasons(of: dict[str, Any], key: str = "reasons") -> list[str]:
    return [f"{reason['code']}: {reason['advice']['en']}" for reason in of[key]]


def _compared(found: dict[str, Any]) -> list[str]:
    verdict = "match" if found["match"] else "no match"
    score = (
        f"score {found['comparison_score']:.4f}, threshold {found['threshold']:.4f} at a false match rate of {found['fmr']:g}"
    )
    wrong = [f"{which} {line}" for which in ("reference", "probe") for line in _reasons(found[which]["quality"])]
    return [f"{verdict}, {score}, pack {found['pack']['name']}", *wrong]


def _examined(found: dict[str, Any]) -> list[str]:
    quality = found["quality"]
    return [
        f"{'good' if quality['good'] else 'not good'}, {quality['size_px']:.0f} pixels between the eyes",
        *_reasons(quality),
    ]


def _alive(found: dict[str, Any]) -> list[str]:
    score = "" if found["pad_score"] is None else f", score {found['pad_score']:.3f}, accepted from {found['pad_accept']:g} on"
    return [f"{found['presentation']}{score}, pack {found['pack']['name']}", *_reasons(found), found["assurance_note"]["en"]]


def _document(found: dict[str, Any]) -> list[str]:
    fields = [
        f"{field['name']}: {field['value']}{'' if field['confirmed'] else ' (not confirmed)'}" for field in found["fields"]
    ]
    what = found["kind"] or "no document of a kind that is known"
    return [
        f"{what}, {'accepted' if found['accepted'] else 'not accepted'}",
        *fields,
        *_reasons(found),
        *_reasons(found, "cautions"),
    ]
