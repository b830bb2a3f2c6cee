"""``tongping models``: the model packs of face and document checks. See docs/models.md."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.errors import ConfigError

if TYPE_CHECKING:
    from verification.models.pack import Pack
    from verification.models.store import ModelStore

app = typer.Typer(no_args_is_help=True, help="Model packs of face and document checks; see docs/models.md.")
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]
Names = Annotated[list[str] | None, typer.Argument(help="Packs, by name.")]
PackOption = Annotated[list[str] | None, typer.Option("--pack", help="The same as naming it; may be repeated.")]
SETUP_TIMEOUT_S, SETUP_WHOLE_TIMEOUT_S = 5.0, 60.0
SAY_EACH_S = 5.0


def models_folder(config: Path | None) -> Path:
    """Where packs are: `models_dir`, or `models` in `data_dir`, which is made if it is not there."""
    from server import config as configuration
    from server.data_lock import make_folder

    loaded = configuration.load(config)
    if loaded.models_dir:
        return Path(loaded.models_dir)
    make_folder(loaded.data_dir)
    return loaded.data_dir / "models"


@contextmanager
def _told() -> Iterator[None]:
    """What the engine refuses is one line and exit status 2, as everything that the operator can put right."""
    from verification.errors import VerificationError

    try:
        yield
    except VerificationError as error:
        raise ConfigError(error.detail or error.code) from None
    except OSError as error:
        raise ConfigError(f"{error.filename or 'the models'}: {error.strerror or error}") from None


def _store(config: Path | None) -> "ModelStore":
    from verification.models.store import ModelStore

    return ModelStore(models_folder(config))


def _note(file: Path | None, removed: bool, pack: str, version: str = "", hash: str = "") -> None:
    """In the audit of the server that has this configuration. Before its first start there is no trail, and no server that the pack could be of."""
    import asyncio

    from server import config as configuration
    from server.app import database_url
    from server.audit.events import AuditAction, AuditEvent
    from server.clock import SystemClock
    from server.store.sql import open_store

    loaded = configuration.load(file)
    url = database_url(loaded)
    if url.startswith("sqlite") and not Path(url.partition(":///")[2]).exists():
        return

    async def write() -> None:
        store = await open_store(url, migrate=True)
        try:
            async with store.begin() as tx:
                action = AuditAction.MODELS_REMOVED if removed else AuditAction.MODELS_INSTALLED
                details = {name: value for name, value in (("version", version), ("hash", hash)) if value}
                at = SystemClock().now()
                await tx.append_audit(AuditEvent(action=action, at=at, actor="command-line", subject=pack, details=details))
        finally:
            await store.close()

    asyncio.run(write())


def _chosen(names: list[str] | None, packs: list[str] | None) -> list[str]:
    chosen = list(dict.fromkeys([*(names or []), *(packs or [])]))
    if not chosen:
        raise ConfigError("say which pack: tongping models list")
    return chosen


@app.command("list")
def list_packs(only: PackOption = None, config: ConfigFile = None) -> None:
    """Every pack: what it is, whether it is installed, its licence, and what to know before production. --pack: those alone."""
    with _told():
        store = _store(config)
        known = store.catalogue()
        for name in only or []:
            if name not in known and name not in store.installed():
                raise ConfigError(f"there is no pack {name!r}: {', '.join(known)}")
        for name, pack in known.items():
            if only and name not in only:
                continue
            state, why = store.state(name)
            print(f"{name} {pack.version}  {state.value.replace('_', ' ')}{f': {why}' if why else ''}  {pack.hash[:12]}")
            print(f"  {pack.summary}")
            print(f"  licence: {pack.licence}{' (to be accepted)' if pack.needs_acceptance else ''}")
            print(f"  fetched: {_size(pack.fetched_bytes)}, kept: {_size(sum(size for _, size in pack.files.values()))}")
            print(f"  thresholds: {_thresholds(pack)}")
            for warning in pack.warnings:
                print(f"  note: {warning}")
        for name in store.installed():
            if name not in known and (not only or name in only):
                print(f"{name}  {store.state(name)[0].value}: {store.state(name)[1]}")
    print(f"folder: {store.folder}")
    print(_providers(config))


def _providers(config: Path | None) -> str:
    """What models can run on here, and whether what is configured is among it."""
    from server import config as configuration
    from verification.errors import ProviderMissing

    wanted = configuration.load(config).verification.providers
    try:
        from verification.engine.session import available_providers, provider_names
    except ImportError:
        return "providers: none, ONNX Runtime is not installed (make verification)"
    said = f"providers: {', '.join(available_providers())}; configured: {', '.join(wanted)}"
    try:
        provider_names(wanted)
    except ProviderMissing as missing:
        return f"{said}: workers will not start, {missing.detail}"
    return said


def _thresholds(pack: "Pack") -> str:
    comparison, pad = pack.thresholds.comparison, pack.thresholds.pad
    said = []
    if comparison is not None:
        points = ", ".join(f"{point.threshold:g} at FMR {point.fmr:g}" for point in comparison.points)
        said.append(f"comparison {points} ({comparison.evaluation.report if comparison.evaluation else 'not evaluated'})")
    if pad is not None:
        cited = pad.evaluation.report if pad.evaluation else "not evaluated"
        said.append(f"attacks: accept {pad.accept:g}, refer {pad.refer:g} ({cited})")
    return "; ".join(said)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


@app.command("install")
def install(
    names: Names = None,
    pack: PackOption = None,
    origin: Annotated[
        str, typer.Option("--from", metavar="DIR|URL", help="A mirror of the files, or your own pack; nothing else is asked.")
    ] = "",
    sha256: Annotated[
        str,
        typer.Option(
            "--sha256", help="The pack's hash, as `models verify` prints it where it is installed: no other is taken."
        ),
    ] = "",
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licence that is shown, and it holds for you.")
    ] = False,
    set_up: Annotated[
        bool, typer.Option("--set-up", hidden=True, help="What cannot be fetched quickly is said and left.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Fetch, build and check packs. Goes on where it was cut off; an installed pack stays as it was until the new one is whole."""
    from verification.errors import PackError
    from verification.models import fetch
    from verification.models.install import Options, install, pack_named

    chosen = _chosen(names, pack)
    if sha256 and len(chosen) > 1:
        raise ConfigError("--sha256 is of one pack")
    with _told():
        store = _store(config)
        for name in chosen:
            wanted = pack_named(name, origin, sha256)
            _show_licence(wanted, short=set_up)
            options = Options(
                origin=origin,
                pack_hash=sha256,
                accept_licence=accept_licence,
                quiet=set_up or not sys.stderr.isatty(),
                wait=set_up,
                retries=1 if set_up else fetch.ATTEMPTS,
                timeout_s=SETUP_TIMEOUT_S if set_up else fetch.CONNECT_TIMEOUT_S,
                whole_timeout_s=fetch.WHOLE_TIMEOUT_S if not set_up or name == "base" else SETUP_WHOLE_TIMEOUT_S,
                progress=_Progress(quiet=set_up),
            )
            began = time.monotonic()
            try:
                installed = install(store, name, options)
            except PackError as error:
                if not set_up:
                    raise
                print(
                    f"models: {name} is not installed ({error.detail}); later: tongping models install {name}", file=sys.stderr
                )
                if name == "base":  # whose weights the others need too
                    break
                continue
            _note(config, False, name, wanted.version, installed.pack.hash)
            print(
                f"{name} {wanted.version} installed in {installed.folder} in {time.monotonic() - began:.1f} s", file=sys.stderr
            )
    if set_up:
        print(store.folder.absolute())


def _show_licence(pack: "Pack", *, short: bool) -> None:
    print(f"{pack.name}: {pack.licence}", file=sys.stderr)
    if short:
        return
    if pack.licence_text:
        print(pack.licence_text.strip(), file=sys.stderr)
    for warning in pack.warnings:
        print(f"note: {warning}", file=sys.stderr)
    if any(one is not None and one.evaluation is None for one in (pack.thresholds.comparison, pack.thresholds.pad)):
        print(f"note: not evaluated: {_thresholds(pack)}", file=sys.stderr)


class _Progress:
    """One line that grows on a terminal; elsewhere a line now and then."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._said = 0.0

    def __call__(self, file: str, done: int, total: int) -> None:
        now = time.monotonic()
        terminal = sys.stderr.isatty()
        if self._quiet or (done not in {0, total} and now - self._said < (0.1 if terminal else SAY_EACH_S)):
            return
        self._said = now
        text = f"{file}: {_size(done)} of {_size(total)}"
        print(
            f"\r\x1b[K{text}" if terminal else text, end="" if terminal and done < total else "\n", file=sys.stderr, flush=True
        )


@app.command("verify")
def verify(names: Names = None, pack: PackOption = None, config: ConfigFile = None) -> None:
    """Hash every file of the packs (all installed ones where none is named), look at shapes and thresholds. Exit status 2 when one is not right."""
    with _told():
        store = _store(config)
        chosen = list(dict.fromkeys([*(names or []), *(pack or [])])) or store.installed()
        for name in chosen:
            installed = store.verify(name)
            print(
                f"{name} {installed.pack.version}: {len(installed.pack.files)} files are right, pack hash {installed.pack.hash}"
            )
    if not chosen:
        print("no pack is installed")


@app.command("remove")
def remove(names: Names = None, pack: PackOption = None, config: ConfigFile = None) -> None:
    """Remove packs from the folder. Workers that run keep what they loaded."""
    chosen = _chosen(names, pack)
    with _told():
        store = _store(config)
        for name in chosen:
            if name in store.installed():  # written down first: an entry too many, never a removal without one
                _note(config, True, name)
            print(f"{name} removed, {_size(store.remove(name))} freed")
