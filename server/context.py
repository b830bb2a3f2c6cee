"""What the API and the signalling find in the application: bound once in ``server/app.py``, frozen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.audit.keeper import AuditKeeper
from server.clock import Clock
from server.config import Config
from server.services.customer_export import CustomerExport
from server.services.customers import Customers
from server.services.entries import Entries
from server.services.faces import Faces
from server.services.files import Files
from server.services.history import History
from server.services.ice_servers import TurnRelay
from server.services.invitations import Invitations
from server.services.keys import ApiKeys
from server.services.network_tests import NetworkTests
from server.services.pdfs import Pdfs
from server.services.ports import Live, Throttle
from server.services.recordings import Recordings
from server.services.refusals import Refusals
from server.services.risk import Risk
from server.services.sessions import Sessions
from server.services.staff import StaffAccounts
from server.services.verifications import Verifications
from server.store.ports import Store
from server.webhooks.service import Webhooks

if TYPE_CHECKING:
    from server.api.idempotency import Idempotency
    from server.auth.tokens import TokenVerifier
    from server.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Context:
    config: Config
    clock: Clock
    store: Store
    verifier: "TokenVerifier"
    sessions: Sessions
    invitations: Invitations
    entries: Entries
    files: Files
    pdfs: Pdfs
    history: History
    staff: StaffAccounts
    keys: ApiKeys
    live: Live
    network_tests: NetworkTests
    throttle: Throttle
    refusals: Refusals
    idempotency: "Idempotency"
    metrics: "Metrics"
    public_url: str  # without a slash at the end
    static_dir: Path
    media_ready: Callable[[], bool]  # at least one worker answers
    turn: TurnRelay
    recordings: Recordings
    recorder_ready: Callable[[], bool] | None  # None: this server does not record
    risk: Risk
    faces: Faces
    audit: AuditKeeper
    webhooks: Webhooks
    webhook_keys: Mapping[str, Ed25519PublicKey]
    audit_keys: Mapping[str, Ed25519PublicKey]
    verifications: Verifications
    customers: Customers
    customer_exports: CustomerExport
    faces_ready: Callable[[], bool] | None  # None: face checks are switched off here


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)
