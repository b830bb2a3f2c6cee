"""The composition root: makes every part, gives each what it needs, and takes all of it down again.

The only file that knows the server and the media plane; it also turns the media package's errors into the server's.
"""

import asyncio
import errno
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import structlog
from aiohttp import web

from media import control
from media import ports as media_ports
from media.client import MediaClient
from media.errors import MediaRefusedError, MediaUnavailableError
from media.relay import totals
from media.supervisor import SupervisorConfig, WorkerState
from server import addresses, data_lock, demo, listener, relaying, tls
from server.api import health, middleware, pages, router
from server.api.handlers import HANDLERS
from server.api.idempotency import Idempotency
from server.auth import keys as auth_keys
from server.auth.attempts import Throttle
from server.auth.passwords import Passwords
from server.auth.throttle import policies
from server.clock import Clock, SystemClock
from server.config import Config
from server.context import CONTEXT, Context
from server.domain import ids
from server.errors import ConfigError, MediaPlaneUnavailable
from server.live.hub import LiveSessions
from server.live.ports import MediaEvents, MediaPort, MediaRefused, MediaUnavailable, NetworkState, SlotAssignment
from server.live.settings import LiveSettings
from server.services.entries import Entries
from server.services.files import ContentScanner, Files, FileScanner
from server.services.history import History
from server.services.ice_servers import Tried, TurnRelay
from server.services.invitations import Invitations
from server.services.keys import ApiKeys
from server.services.network_tests import NetworkTests
from server.services.sessions import Sessions
from server.services.staff import StaffAccounts
from server.signalling.endpoint import EndpointSettings, SignallingEndpoint
from server.signalling.messages import FileLimits, MediaLimits
from server.store.ports import Store
from server.store.sql import open_store
from server.telemetry import Metrics

log = structlog.get_logger("server.app")
HOUSEKEEPING_S = 3600.0
STOP_S = 1.0  # for each part, one after another; three of them wait for anything foreign
BACKLOG = 512


class MediaPlane(MediaPort, Protocol):
    """A media port with a life."""

    def ready(self) -> bool: ...
    def workers(self) -> Sequence[WorkerState]: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...


class _Told:
    """What the media plane says, in the server's types."""

    def __init__(self, events: MediaEvents) -> None:
        self._events = events
        self.on_speaking = events.on_speaking
        self.on_peer = events.on_peer
        self.on_track = events.on_track
        self.on_encodings = events.on_encodings
        self.on_rooms_lost = events.on_rooms_lost

    def on_slots(self, room: str, participant: str, slots: Sequence[media_ports.SlotAssignment]) -> None:
        self._events.on_slots(room, participant, [SlotAssignment(*slot) for slot in slots])

    def on_network(self, room: str, participant: str, state: media_ports.NetworkState) -> None:
        self._events.on_network(room, participant, NetworkState(*state))


class WorkerMedia:
    """``media.client.MediaClient`` as ``server/live/ports.py: MediaPort``, with the server's errors."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError."""
        chosen = config.media
        try:
            settings = SupervisorConfig(
                workers=chosen.workers or os.cpu_count() or 1,
                worker=control.Configure(
                    bind=addresses.media_addresses(chosen.bind_addresses, chosen.announced_addresses),
                    port=chosen.udp_port_base,
                    announced=tuple(chosen.announced_addresses),
                    video_codecs=tuple(chosen.video_codecs),
                    native=chosen.native,
                ),
                request_timeout_s=chosen.answer_timeout_s,
                stop_timeout_s=STOP_S,
            )
        except ValueError as error:
            raise ConfigError(f"media: {error}") from None
        self._client = MediaClient(settings)

    def ready(self) -> bool:
        return bool(self._client.supervisor.ready())

    def workers(self) -> Sequence[WorkerState]:
        return self._client.supervisor.states()

    async def start(self) -> None:
        """Raises MediaPlaneUnavailable when no worker is ready in time."""
        try:
            await self._client.start()
        except MediaUnavailableError as error:
            raise MediaPlaneUnavailable("no media worker could be started; see the log") from error

    async def close(self) -> None:
        await self._client.close()

    def listen(self, events: MediaEvents) -> None:
        self._client.listen(_Told(events))

    async def connect(self, room: str, participant: str, offer_sdp: str) -> str:
        try:
            return await self._client.connect(room, participant, offer_sdp)
        except MediaRefusedError as error:
            raise MediaRefused(error.code, error.detail) from error
        except MediaUnavailableError as error:
            raise MediaUnavailable(error.code) from error

    async def set_gates(
        self, room: str, participant: str, open_sources: frozenset[str], circle: str = "", only: frozenset[str] | None = None
    ) -> None:
        try:
            await self._client.set_gates(room, participant, open_sources, circle, only)
        except MediaUnavailableError as error:
            raise MediaUnavailable(error.code) from error

    async def set_receive(self, room: str, participant: str, video: int, sizes: Mapping[str, int]) -> None:
        try:
            await self._client.set_receive(room, participant, video, sizes)
        except MediaUnavailableError as error:
            raise MediaUnavailable(error.code) from error

    async def disconnect(self, room: str, participant: str) -> None:
        try:
            await self._client.disconnect(room, participant)
        except MediaUnavailableError as error:
            raise MediaUnavailable(error.code) from error

    async def close_room(self, room: str) -> None:
        try:
            await self._client.close_room(room)
        except MediaUnavailableError as error:
            raise MediaUnavailable(error.code) from error

    async def stats(self, room: str) -> Mapping[str, object]:
        try:
            return await self._client.stats(room)
        except MediaUnavailableError as error:
            raise MediaUnavailable(error.code) from error


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
) -> AsyncIterator[Server]:
    """Everything, up and answering; taken down on leaving. Raises ConfigError, StoreUnavailable, MediaPlaneUnavailable.

    Tests bring a store in memory, a fake media plane, a clock of their own, or cheap passwords; the rest is what serves.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(data_lock.make_folder, config.data_dir)
        stack.enter_context(data_lock.held(config.data_dir))
        if config.secret:
            own = auth_keys.from_secret(config.secret)
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
        media = media or WorkerMedia(config)
        passwords = passwords or Passwords()
        stack.push_async_callback(passwords.close)
        context, live, endpoint = _compose(config, store, media, clock, own, passwords, scanner, public_url)
        await asyncio.to_thread(context.files.prepare)
        await media.start()
        stack.push_async_callback(media.close)
        first_passwords = await context.staff.create_first(agent_name=demo.AGENT_NAME if config.demo else "Agent")
        await live.recover()
        app = _application(context, endpoint)
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
        tasks = [
            asyncio.create_task(live.run_ticks(), name="live-ticks"),
            asyncio.create_task(context.metrics.watch_loop(), name="loop-lag"),
            asyncio.create_task(_keep_house(context), name="housekeeping"),
            asyncio.create_task(context.turn.run(), name="turn-probe"),
            asyncio.create_task(context.network_tests.run(), name="network-tests"),
        ]
        stack.push_async_callback(_stop, tasks)
        accepting = await listener.serve(runner, sock, ssl_context, listener.fitting(_bounds(config)), BACKLOG)
        stack.callback(accepting.close)
        log.info("serving", port=port, tls=ssl_context is not None)
        yield Server(public_url, port, context, live, first_passwords)


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
    clock: Clock,
    own: auth_keys.Secrets,
    passwords: Passwords,
    scanner: FileScanner | None,
    public_url: str,
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
            abandoned_s=limits.abandoned_s,
        ),
        ice=turn,
    )
    endpoint = SignallingEndpoint(
        live,
        EndpointSettings(
            origins=frozenset({public_url, *config.cors_origins}),
            sockets=limits.max_connections,
            sockets_per_address=limits.max_connections_per_address,
        ),
        lambda request: router.client_address(request, config.trusted_proxies),
    )
    metrics = Metrics()
    for name in ("sessions", "participants", "participants_active", "desks"):
        metrics.gauge(f"tongping_live_{name}", f"Live {name.replace('_', ' ')} now", partial(_live_number, live, name))
    metrics.gauge("tongping_connections", "Open signalling sockets", lambda: endpoint.sockets)
    metrics.gauge("tongping_media_ready", "Whether a media worker answers", lambda: float(media.ready()))
    _measure_workers(metrics, media)
    _measure_turn(metrics, turn)
    context = Context(
        config=config,
        clock=clock,
        store=store,
        verifier=verifier,
        sessions=sessions,
        invitations=invitations,
        entries=entries,
        files=files,
        history=History(store),
        staff=StaffAccounts(store, clock, make_id, tokens, passwords, throttle, login_s=config.tokens.desk_max_s),
        keys=ApiKeys(store, clock, make_id),
        live=live,
        network_tests=NetworkTests(media, clock, make_id),
        throttle=throttle,
        idempotency=Idempotency(store, clock, secret=own.code_key, keep_s=limits.idempotency_s),
        metrics=metrics,
        public_url=public_url,
        static_dir=Path(config.static_dir) if config.static_dir else STATIC,
        media_ready=media.ready,
        turn=turn,
    )
    return context, live, endpoint


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


async def _keep_house(context: Context) -> None:
    while True:
        await asyncio.sleep(HOUSEKEEPING_S)
        try:
            await context.idempotency.forget_old()
            await context.staff.forget_logins()
        except Exception:
            log.warning("housekeeping failed", exc_info=True)


async def _stop(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def relay_bench(arguments: Sequence[str]) -> int:
    """``tongping bench relay``; the exit status."""
    from media.bench.relay import main

    return main(list(arguments))
