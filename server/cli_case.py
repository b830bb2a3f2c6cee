"""``tongping evidence report``: one verification as a folder, with everything that it is checked with."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.domain import ids
from server.domain.ids import CaseId
from server.domain.model import Language
from server.errors import ConfigError, Invalid

if TYPE_CHECKING:
    from server.config import Config


def report(
    case: Annotated[str, typer.Argument(help="The verification (VE_…).")],
    folder: Annotated[Path, typer.Argument(help="A folder that is not there yet.")],
    language: Annotated[Language, typer.Option(help="Of the report.")] = Language.ZH,
    config: Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")] = None,
) -> None:
    """Write one verification as a folder that a court could read: report with pictures and hashes, record, signed decision, audit trail, keys.

    Also while a server runs. It holds faces and is not encrypted: mode 0700, for whoever it is made for. That it was made is in the audit.
    """
    from server import config as configuration

    if not ids.is_id(case, ids.CASE):
        raise Invalid("a verification is named VE_ and 26 letters")
    if folder.exists():
        raise ConfigError(f"{folder} is there already")
    files = asyncio.run(_files(configuration.load(config), CaseId(case), language))
    try:
        folder.mkdir(mode=0o700, parents=True)
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be written: {error.strerror}") from None
    print(f"{folder / 'report.html'}: {len(files)} files; README.txt says how to check them")


async def _files(config: "Config", id: CaseId, language: Language) -> dict[str, bytes]:
    from server import risk
    from server.app import database_url, make_id
    from server.audit.keeper import read_folder
    from server.audit.signed import CheckpointReader
    from server.auth import keys
    from server.auth.jwks import key_set
    from server.clock import SystemClock
    from server.evidence import DiskEvidence, open_vault
    from server.faces import RingSeal, template_keys
    from server.services.case_folder import CaseFolder
    from server.services.verification_cases import Cases
    from server.services.verification_evidence import VerificationEvidence
    from server.store.sql import open_store
    from server.transactions.token import DecisionSigner

    clock, settings = SystemClock(), config.transactions
    own = keys.from_secret(config.secret, config.secret_previous) if config.secret else keys.load_or_create(config.data_dir)
    seal = RingSeal(template_keys(config)).of("transaction details")
    elsewhere = Path(config.audit.checkpoint_dir) if config.audit.checkpoint_dir else config.data_dir / "checkpoints"
    kept = read_folder(elsewhere, CheckpointReader(own.audit.verify_keys)) if elsewhere.is_dir() else []
    store = await open_store(database_url(config), migrate=False)
    vault = DiskEvidence(open_vault(config))
    try:
        assessed = await risk.opened(config, store, clock, make_id)
        signer = DecisionSigner(own.decisions.signing_key, own.decisions.kid, issuer="", lifetime_s=settings.decision_s)
        cases = Cases(store, clock, make_id, assessed.policies, seal, signer, assessed, lock_s=settings.lock_s)
        evidence = VerificationEvidence(cases, vault)
        folder = CaseFolder(cases, evidence, kept, key_set(own.decisions.verify_keys), key_set(own.audit.verify_keys))
        return await folder.files(id, language, "command-line")
    finally:
        vault.close()
        await store.close()
