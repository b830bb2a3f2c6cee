"""Makes the verification of transactions out of its parts: a part of the composition root."""

from pathlib import Path
from typing import Any

from server.audit.events import AuditEvent
from server.audit.receipts import ReceiptSigner
from server.auth.keys import Secrets
from server.clock import Clock
from server.config import Config
from server.domain import ids
from server.domain.ids import CaseId
from server.erasures import FileJournal
from server.faces import RingSeal
from server.redeems import FileRedeems
from server.services.customer_export import CustomerExport
from server.services.customers import Customers
from server.services.evidence_ports import EvidenceStore
from server.services.face_ports import FaceEngine
from server.services.files import Files
from server.services.invitations import Invitations
from server.services.ports import MakeId
from server.services.recordings import Recordings
from server.services.risk import Risk
from server.services.sessions import Sessions
from server.services.verification_cases import Cases
from server.services.verification_ports import CallBacks, PolicySource, RiskPort
from server.services.verification_sessions import CaseSessions
from server.services.verifications import Verifications
from server.store.ports import Store, Transaction
from server.transactions.token import DecisionSigner


def verifications(
    config: Config,
    store: Store,
    clock: Clock,
    make_id: MakeId,
    own: Secrets,
    public_url: str,
    policies: PolicySource,
    risk: RiskPort,
    engine: FaceEngine,
    callbacks: CallBacks,
    templates: RingSeal,
    vault: EvidenceStore,
) -> Verifications:
    """``templates``: the seal of stored ones; what is kept with a case and its portrait are sealed under the same master keys, each as what it is."""
    signer = DecisionSigner(
        own.decisions.signing_key, own.decisions.kid, issuer=public_url, lifetime_s=config.transactions.decision_s
    )
    cases = Cases(
        store, clock, make_id, policies, templates.of("transaction details"), signer, risk, lock_s=config.transactions.lock_s
    )
    settings = config.transactions
    invitations = Invitations(store, clock, make_id, code_key=own.code_key, public_url=public_url)
    sessions = CaseSessions(cases, invitations, return_origins=settings.return_origins, per_min=settings.cases_per_min)
    return Verifications(
        cases,
        risk,
        engine,
        callbacks,
        sessions,
        templates=templates,
        portraits=templates.of("transaction portrait"),
        keys=own.decisions.verify_keys,
        vault=vault,
        redeems=FileRedeems(Path(settings.redeems) if settings.redeems else config.data_dir / "redeems.jsonl"),
        strict_portraits=config.verification.strict_enrolment,
    )


def erasures(config: Config) -> FileJournal:
    return FileJournal(Path(config.evidence.erasures) if config.evidence.erasures else config.data_dir / "erasures.jsonl")


def customers(
    journal: FileJournal,
    store: Store,
    clock: Clock,
    make_id: MakeId,
    own: Secrets,
    public_url: str,
    made: Verifications,
    sessions: Sessions,
    recordings: Recordings,
    files: Files,
    risk: Risk,
) -> tuple[Customers, CustomerExport]:
    """What hands out and erases all that is kept of one customer."""
    signer = ReceiptSigner(own.audit.signing_key, own.audit.kid, issuer=public_url)
    those = Customers(
        store, clock, make_id, made.cases, made.evidence, sessions, recordings, files, journal, signer,
        risk.customer_digest, risk.customer_erased,
    )  # fmt: skip
    made.evidence.erased = those.erased_cases
    return those, CustomerExport(store, clock, those, made.cases, made.evidence, files, made.attempts.enrolled)


async def described(tx: Transaction, event: AuditEvent) -> dict[str, Any]:
    """What webhooks say beside an event about a case: where it stands when they say it."""
    case = await tx.get_case(CaseId(event.subject)) if ids.is_id(event.subject, ids.CASE) else None
    return {} if case is None else {"type": case.type, "state": case.state.value}
