"""The composition root: makes every part, gives each what it needs, and takes all of it down again.

Together with ``server/media_plane.py`` the only file that knows the server and the media plane.
"""

import asyncio
import errno
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from media import control
from media.relay import totals
from media.supervisor import WorkerState
from server import addresses, demo, evidence, faces, listener, relaying, risk, tls, transacting
from server.api import health, middleware, pages, router
from server.api.handlers import HANDLERS
from server.api.idempotency import Idempotency
from server.archive import DiskArchive
from server.audit.keeper import AuditKeeper
from server.audit.signed import CheckpointReader, CheckpointSigner
from server.auth import keys as auth_keys
from server.auth.attempts import Throttle
from server.auth.passwords import Passwords
from server.auth.throttle import policies
from server.clock import Clock, SystemClock
from server.cobrowsing import Cobrowsing
from server.cobrowsing import opened as opened_packs
from server.config import PREFIX, Config, read_checklist
from server.context import CONTEXT, Context
from server.domain import ids
from server.errors import ConfigError
from server.housekeeping import chores, keep
from server.live.cases import CaseWatch
from server.live.hub import LiveSessions
from server.live.ports import (
    RecorderPort,
)
from server.live.recording.no_recorder import NoRecorder
from server.live.settings import LiveSettings, RecordingSettings
from server.live.together import Tables
from server.media_plane import MediaPlane, WorkerMedia
from server.pdf_work import PdfWork
from server.processes import Processes, launched
from server.recorder import RecorderProcess
from server.services.attempt_room import AttemptRoom
from server.services.disclosure import Disclosed
from server.services.entries import Entries
from server.services.faces import Faces
from server.services.files import ContentScanner, Files, FileScanner
from server.services.history import History
from server.services.ice_servers import Tried, TurnRelay
from server.services.invitations import Invitations
from server.services.keys import ApiKeys
from server.services.network_tests import NetworkTests
from server.services.pdfs import Pdfs
from server.services.recording_exports import Exports, Tool
from server.services.recordings import Recordings
from server.services.refusals import Refusals
from server.services.risk import Risk
from server.services.sessions import Sessions
from server.services.staff import StaffAccounts
from server.services.verification_live import LiveAttempts
from server.signalling.endpoint import EndpointSettings, SignallingEndpoint
from server.signalling.messages import FileLimits, MediaLimits
from server.signalling.messages_recording import ChecklistItem
from server.store.ports import Store
from server.store.sql import open_store
from server.telemetry import Metrics
from server.webhooks.http import HttpPost
from server.webhooks.service import Webhooks

if TYPE_CHECKING:
    from verification.ports import EnginePort

log = structlog.get_logger("server.app")
STOP_S = 1.0  # for each part, one after another; three of them wait for anything foreign
BACKLOG = 512

__all__ = ["MediaPlane", "Server", "WorkerMedia", "running"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers at ``url``. ``first_passwords``: of the accounts this start has made, shown once."""

    url: str
    port: int
    context: Context
    live: LiveSessions
    first_passwords: Mapping[str, str]


@asynccontextmanager
async def running(
    config: Config,
    *,
    store: Store | None = None,
    media: MediaPlane | None = None,
    clock: Clock | None = None,
    scanner: FileScanner | None = None,
    passwords: Passwords | None = None,
    recorder: RecorderPort | None = None,
    engine: "EnginePort | None" = None,
    processes: Processes | None = None,
) -> AsyncIterator[Server]:
    """Everything, up and answering; taken down on leaving. Raises ConfigError, StoreUnavailable, MediaPlaneUnavailable.

    Tests bring a store in memory, a fake media plane (and nothing is recorded unless they bring a recorder too), a clock of their own, or
    cheap passwords, a verification ``engine`` that runs already; the rest is what serves. ``processes``: those of this configuration, where they
    are launched already.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        if processes is None:
            processes = await stack.enter_async_context(launched(config, media, recorder))
        media, recorder = processes.media, processes.recorder
        if config.secret:
            own = auth_keys.from_secret(config.secret, config.secret_previous)
        else:
            own = await asyncio.to_thread(auth_keys.load_or_create, config.data_dir)
        ssl_context = await asyncio.to_thread(tls.server_context, config, clock.now())
        sock = listen(config.host, config.port)
        stack.callback(sock.close)
        port = int(sock.getsockname()[1])
        public_url = config.public_url or local_url(config, port)
        if store is None:
            store = await open_store(database_url(config))
        stack.push_async_callback(store.close)
        if isinstance(recorder, RecorderProcess):
            stack.push_async_callback(recorder.close)
        passwords = passwords or Passwords()
        stack.push_async_callback(passwords.close)
        recorder = recorder or NoRecorder()
        ring = await asyncio.to_thread(faces.template_keys, config)
        checks = faces.FaceWorkers(config, engine)
        stack.push_async_callback(checks.close)
        templates = faces.RingSeal(ring)
        vault = evidence.DiskEvidence(await asyncio.to_thread(evidence.open_vault, config))
        stack.callback(vault.close)
        packs = await opened_packs(config)
        assessed = await risk.opened(config, store, clock, make_id)
        post = HttpPost(config.webhooks.timeout_s)
        stack.push_async_callback(post.close)
        context, live, endpoint = _compose(
            config, store, media, recorder, clock, own, passwords, scanner, public_url, checks, templates, assessed, post, vault
        )
        cobrowsing: Cobrowsing | None = None
        if packs:
            cobrowsing = Cobrowsing(config, packs, context, live, make_id, _client_address(config), stop_s=STOP_S)
            stack.push_async_callback(cobrowsing.stop)
            cobrowsing.sanitisers.launch()
        await context.files.prepare()
        await asyncio.to_thread(context.recordings.exports.prepare)
        stack.push_async_callback(context.recordings.close)
        if isinstance(recorder, RecorderProcess):
            await recorder.start()
        stack.push_async_callback(media.close)
        await media.start()
        await checks.start()
        await context.audit.prepare()
        await context.customers.replay()
        await context.verifications.redemptions.replay()
        stack.push_async_callback(context.refusals.flush)
        stack.push_async_callback(context.verifications.reviews.waiting.looks.close)
        await context.risk.rules.started(config.data_dir / "policies.json")
        first_passwords = await context.staff.create_first(agent_name=demo.AGENT_NAME if config.demo else "Agent")
        await live.recover()
        app = _application(context, endpoint)
        if cobrowsing is not None:
            await cobrowsing.start()
            cobrowsing.add_routes(app)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=STOP_S,
            keepalive_timeout=listener.HEADERS_S,
            logger=listener.HttpLog(context.metrics.malformed.inc),
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(live.close, STOP_S)
        if live.pdfs is not None:
            stack.push_async_callback(live.pdfs.close, STOP_S)
        if cobrowsing is not None:
            stack.push_async_callback(cobrowsing.close)
        tasks = [
            asyncio.create_task(live.run_ticks(), name="live-ticks"),
            asyncio.create_task(context.metrics.watch_loop(), name="loop-lag"),
            asyncio.create_task(context.risk.rules.run(), name="policies-reload"),
            asyncio.create_task(context.webhooks.run(), name="webhooks"),
            asyncio.create_task(context.audit.run(config.audit.checkpoint_every_s), name="audit-checkpoints"),
            *(asyncio.create_task(keep(every_s, done), name=name) for name, every_s, done in chores(context)),
            asyncio.create_task(CaseWatch(store, live, context.verifications.sessions).run(), name="case-sessions"),
            asyncio.create_task(context.turn.run(), name="turn-probe"),
            asyncio.create_task(context.network_tests.run(), name="network-tests"),
        ]
        stack.push_async_callback(context.audit.finish, STOP_S)
        stack.push_async_callback(_stop, tasks)
        accepting = await listener.serve(runner, sock, ssl_context, listener.fitting(_bounds(config)), BACKLOG)
        stack.callback(accepting.close)
        log.info("serving", port=port, tls=ssl_context is not None)
        yield Server(public_url, port, context, live, first_passwords)


def _client_address(config: Config) -> Callable[[web.Request], str]:
    return lambda request: router.client_address(request, config.trusted_proxies)


def _bounds(config: Config) -> listener.Bounds:
    """Room for the requests of those who have a signalling connection, and for those who come."""
    limits = config.limits
    return listener.Bounds(
        connections=2 * limits.max_connections + BACKLOG,
        per_address=0 if config.trusted_proxies else 2 * limits.max_connections_per_address + BACKLOG,
    )


def _compose(
    config: Config,
    store: Store,
    media: MediaPlane,
    recorder: RecorderPort,
    clock: Clock,
    own: auth_keys.Secrets,
    passwords: Passwords,
    scanner: FileScanner | None,
    public_url: str,
    checks: faces.FaceWorkers,
    templates: faces.RingSeal,
    assessed: Risk,
    post: HttpPost,
    vault: evidence.DiskEvidence,
) -> tuple[Context, LiveSessions, SignallingEndpoint]:
    tokens = own.signer(session_lifetime_s=config.tokens.session_s, desk_lifetime_s=config.tokens.desk_s)
    verifier = own.verifier()
    limits, throttles = config.limits, config.throttle
    throttle = Throttle(
        clock,
        policies(attempts=throttles.attempts, window_s=throttles.window_s, waiting_joins=throttles.waiting_joins),
    )
    sessions = Sessions(store, clock, make_id)
    invitations = Invitations(store, clock, make_id, code_key=own.code_key, public_url=public_url)
    entries = Entries(
        store,
        clock,
        make_id,
        invitations,
        tokens,
        max_participants=limits.max_participants,
        max_waiting=limits.max_waiting,
        walk_in=config.walk_in,
    )
    files = Files(
        store,
        clock,
        make_id,
        scanner or ContentScanner(),
        folder=config.data_dir / "files",
        max_file_bytes=config.files.max_file_bytes,
        max_session_bytes=config.files.max_session_bytes,
        media_types=frozenset(config.files.media_types),
    )
    turn = TurnRelay(
        relaying.configured(config),
        clock,
        secret=relaying.shared_secret(config, own),
        credential_s=config.turn.credential_s,
        probe_s=config.turn.probe_s,
        probe=partial(relaying.probe, config),
        find=partial(relaying.beside_us, config),
    )
    live = LiveSessions(
        store=store,
        sessions=sessions,
        entries=entries,
        verifier=verifier,
        desk_tokens=tokens,
        media=media,
        clock=clock,
        make_id=make_id,
        new_key=lambda: secrets.token_urlsafe(24),
        settings=LiveSettings(
            media=MediaLimits(audio_slots=config.media.audio_slots, video_slots=config.media.video_slots),
            files=FileLimits(max_bytes=config.files.max_file_bytes, media_types=list(config.files.media_types)),
            members=limits.max_participants,
            waiting=limits.max_waiting,
            abandoned_s=limits.abandoned_s,
            recording=RecordingSettings(
                enabled=config.recording.enabled,
                checklist=tuple(
                    ChecklistItem(item=id, zh=zh, en=en) for id, zh, en in read_checklist(config.recording.checklist)
                ),
                at_start=config.recording.at_start,
                retention_days=config.recording.retention_days,
                page_wordings=frozenset(config.recording.page_wordings),
            ),
            agent_keep_s=config.live.agent_keep_s,
            disclosed=Disclosed(config.supervision.disclosed),
        ),
        ice=turn,
        recorder=recorder,
    )
    pdfs = Pdfs(store, clock, make_id, files, PdfWork())
    live.pdfs = Tables(pdfs, clock, live.settings.store_s)
    endpoint = SignallingEndpoint(
        live,
        EndpointSettings(
            origins=frozenset({public_url, *config.cors_origins}),
            sockets=limits.max_connections,
            sockets_per_address=limits.max_connections_per_address,
        ),
        _client_address(config),
    )
    recordings = Recordings(
        store,
        clock,
        DiskArchive(config),
        Exports(config.data_dir / "exports", _export_tool(config), clock, make_id, keep_s=config.recording.exports_kept_s),
        retention_days=config.recording.retention_days,
    )
    metrics = Metrics()
    for name in ("sessions", "participants", "participants_active", "desks"):
        metrics.gauge(f"tongping_live_{name}", f"Live {name.replace('_', ' ')} now", partial(_live_number, live, name))
    metrics.gauge("tongping_connections", "Open signalling sockets", lambda: endpoint.sockets)
    metrics.gauge("tongping_media_ready", "Whether a media worker answers", lambda: float(media.ready()))
    _measure_workers(metrics, media)
    _measure_turn(metrics, turn)
    _measure_recorder(metrics, recorder)
    faces.measure(metrics, checks)
    risk.measure(metrics, assessed)
    audit = AuditKeeper(
        store,
        clock,
        CheckpointSigner(own.audit.signing_key, own.audit.kid, issuer=public_url),
        CheckpointReader(own.audit.verify_keys),
        Path(config.audit.checkpoint_dir) if config.audit.checkpoint_dir else config.data_dir / "checkpoints",
    )
    metrics.gauge(
        "tongping_audit_intact", "Whether the audit trail held when it was last looked at", lambda: float(audit.intact)
    )
    metrics.gauge(
        "tongping_audit_signed_number", "The newest audit entry under a signed checkpoint", lambda: float(audit.number)
    )
    webhooks = Webhooks(
        store,
        clock,
        make_id,
        post,
        own.webhooks.signing_key,
        origins=config.webhooks.origins,
        keep_days=config.webhooks.keep_days,
        chance=secrets.SystemRandom().random,
        describe=transacting.described,
    )
    verified = transacting.verifications(
        config, store, clock, make_id, own, public_url, assessed.policies, assessed, checks, webhooks, templates, vault
    )
    erasures = transacting.erasures(config)
    customers, customer_exports = transacting.customers(
        erasures, store, clock, make_id, own, public_url, verified, sessions, recordings, files, assessed
    )
    context = Context(
        config=config,
        clock=clock,
        store=store,
        verifier=verifier,
        sessions=sessions,
        invitations=invitations,
        entries=entries,
        files=files,
        pdfs=pdfs,
        history=History(store),
        staff=StaffAccounts(store, clock, make_id, tokens, passwords, throttle, login_s=config.tokens.desk_max_s),
        keys=ApiKeys(store, clock, make_id),
        live=live,
        network_tests=NetworkTests(media, clock, make_id),
        throttle=throttle,
        refusals=Refusals(store, clock),
        idempotency=Idempotency(store, clock, secret=own.code_key, keep_s=limits.idempotency_s),
        metrics=metrics,
        public_url=public_url,
        static_dir=Path(config.static_dir) if config.static_dir else STATIC,
        media_ready=media.ready,
        turn=turn,
        recordings=recordings,
        recorder_ready=None if isinstance(recorder, NoRecorder) else (lambda: recorder.ready),
        risk=assessed,
        verifications=verified,
        customers=customers,
        customer_exports=customer_exports,
        faces=Faces(store, clock, make_id, checks, templates, config.verification, assessed.policies.keep_references, erasures),
        audit=audit,
        webhooks=webhooks,
        webhook_keys=own.webhooks.verify_keys,
        audit_keys=own.audit.verify_keys,
        faces_ready=(lambda: checks.readiness.ready) if checks.enabled else None,
    )
    metrics.gauge(
        "tongping_evidence_stuck", "Cases whose evidence is due and was not erased", lambda: float(verified.evidence.stuck)
    )
    invitations.previews = live.briefs = context.verifications.sessions
    sessions.ending = context.verifications.sessions.ending
    room = AttemptRoom(config.verification.workers * config.verification.live_attempts_per_worker or None)
    metrics.gauge("tongping_live_attempts", "Live attempts under way", lambda: float(room.taken))
    metrics.gauge("tongping_live_attempts_refused", "Live attempts refused before they began", lambda: float(room.refused))
    live.attempts = LiveAttempts(context.verifications.attempts, checks.challenges, live.taps, room)
    return context, live, endpoint


def _export_tool(config: Config) -> Tool:
    """``tongping recordings export`` of this configuration, whatever this process was started with."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name != "PORT"}
    environment[f"{PREFIX}DATA_DIR"] = str(config.data_dir.absolute())
    if config.recording.key:
        environment[f"{PREFIX}RECORDING_KEY"] = config.recording.key
    return Tool((sys.executable, "-m", "server", "recordings", "export", "--audited"), environment)


def _measure_workers(metrics: Metrics, media: MediaPlane) -> None:
    """By worker; a room's own counters are in the interface, because labels must be few."""

    def table(
        name: str, about: str, read: Callable[[WorkerState], float], *, counts: bool = False, always: bool = False
    ) -> None:
        def rows() -> list[tuple[str, float]]:
            return [(str(one.worker), read(one)) for one in media.workers() if always or one.heartbeat is not None]

        metrics.table(f"tongping_media_worker_{name}", about, "worker", rows, counts=counts)

    def said(name: str) -> Callable[[WorkerState], float]:
        return lambda one: float(getattr(one.heartbeat, name))

    table("ready", "Whether this media worker takes commands", lambda one: float(one.ready), always=True)
    table("restarts", "How often this media worker was started again", lambda one: one.restarts, counts=True, always=True)
    table("compiled", "Whether this media worker forwards in C", lambda one: float(one.compiled), always=True)
    table("lag_seconds", "How late its timers fire", lambda one: said("lag_ms")(one) / 1000)
    table(
        "lag_p99_seconds",
        "How late its timers fire, the 99th percentile of ten seconds",
        lambda one: said("lag_p99_ms")(one) / 1000,
    )
    table("rooms", "Its rooms now", said("rooms"))
    table("peers", "Its connections now", said("peers"))
    table("forwards", "Packets it has forwarded since it started", said("forwards"), counts=True)
    table("cpu_seconds", "Processor time of its process", said("cpu_s"), counts=True)
    _measure_connections(metrics, media)


def _measure_connections(metrics: Metrics, media: MediaPlane) -> None:
    """What the workers' connections counted and how they fare: sums and histograms, in which nobody can be told apart."""

    def told() -> list[tuple[str, control.Totals]]:
        beats = [(str(one.worker), one.heartbeat) for one in media.workers()]
        return [(worker, beat.totals) for worker, beat in beats if beat is not None and beat.totals is not None]

    def counts(name: str) -> list[tuple[str, float]]:
        return [(worker, all_.counts[name]) for worker, all_ in told()]

    def now(name: str) -> list[tuple[tuple[str, str], float]]:
        return [((worker, value), number) for worker, all_ in told() for value, number in all_.now[name].items()]

    def spread(name: str) -> list[tuple[str, Sequence[int], float]]:
        return [(worker, all_.spreads[name].counts, all_.spreads[name].sum) for worker, all_ in told()]

    prefix = "tongping_media_worker_"
    for name, about in totals.COUNTS.items():
        metrics.table(prefix + name, about, "worker", partial(counts, name), counts=True)
    for name, (label, _, about) in totals.NOW.items():
        metrics.grid(prefix + name, about, ("worker", label), partial(now, name))
    for name, (bounds, about) in totals.SPREADS.items():
        metrics.spread(prefix + name, about, "worker", bounds, partial(spread, name))


def _measure_turn(metrics: Metrics, turn: TurnRelay) -> None:
    """By transport; no rows where there is no relay."""

    def table(name: str, about: str, read: Callable[[Tried], float]) -> None:
        def rows() -> list[tuple[str, float]]:
            return [(one.transport, read(one)) for one in turn.tried()]

        metrics.table(f"tongping_turn_{name}", about, "transport", rows, counts=False)

    table("ready", "Whether the TURN relay gave an allocation when it was last tried", lambda one: float(not one.problem))
    table("probe_seconds", "How long that took", lambda one: one.took_s)


def _measure_recorder(metrics: Metrics, recorder: RecorderPort) -> None:
    """Nought where there is no recorder."""
    process = recorder if isinstance(recorder, RecorderProcess) else None

    def said(name: str) -> Callable[[], float]:
        return lambda: float(getattr(process.heartbeat, name)) if process is not None and process.heartbeat is not None else 0.0

    metrics.gauge("tongping_recorder_ready", "Whether the recorder takes what is recorded", lambda: float(recorder.ready))
    metrics.gauge(
        "tongping_recorder_restarts",
        "How often the recorder was started again",
        lambda: float(process.restarts if process else 0),
    )
    for name, about in {
        "recordings": "Recordings under way",
        "tracks": "Tracks that are being written",
        "pending_bytes": "Bytes that wait for the disk",
        "records": "Records it has taken since it started",
        "discarded": "Records of no open track, since it started",
        "cpu_s": "Processor time of its process, in seconds",
    }.items():
        metrics.gauge(f"tongping_recorder_{name}", about, said(name))


def _live_number(live: LiveSessions, name: str) -> float:
    return float(live.stats()[name])


STATIC = Path(__file__).resolve().parent.parent / "static" / "dist"


def _application(context: Context, endpoint: SignallingEndpoint) -> web.Application:
    app = web.Application(
        middlewares=[middleware.observe, middleware.preflight, middleware.explain],
        client_max_size=context.config.limits.max_body_bytes,
    )
    app[CONTEXT] = context
    app.on_response_prepare.append(middleware.add_headers)
    router.add_routes(app, HANDLERS)
    app.router.add_get("/api/v1/signal", endpoint.handle, name="signal")
    health.add_routes(app)
    pages.add_routes(app)
    return app


def make_id(prefix: str) -> str:
    return ids.make_id(prefix, secrets.token_bytes(ids.ID_BYTES))


def listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Raises ConfigError: in use, not ours to take, no such address."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise ConfigError(f"host {host} is not an address of this machine") from None
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    try:
        return socket.create_server(address[:2], family=family, dualstack_ipv6=host == "::" and socket.has_dualstack_ipv6())
    except OSError as error:
        reason = {
            errno.EADDRINUSE: "is in use: choose another with --port or PORT",
            errno.EACCES: "may not be used by this user: ports under 1024 need privileges",
            errno.EADDRNOTAVAIL: "cannot be used: the host is not an address of this machine",
        }.get(error.errno or 0, f"cannot be used: {error.strerror}")
        raise ConfigError(f"port {port} on {host} {reason}") from None


def local_url(config: Config, port: int) -> str:
    """Where a browser reaches a server that was not told."""
    scheme = "https" if config.tls else "http"
    host = addresses.outside_address() if config.host in {"0.0.0.0", "::", ""} else config.host  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    standard = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{shown}" if port == standard else f"{scheme}://{shown}:{port}"


def database_url(config: Config) -> str:
    return config.database_url or f"sqlite:///{config.data_dir.absolute() / 'tongping.db'}"


async def _stop(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
