"""The TURN relay beside the server: its configuration out of ours, its process, and whether it works.

A part of the composition root: the only file that knows the server and ``turn``.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from server import addresses, data_lock, tls
from server.auth import keys as auth_keys
from server.auth.turn import derived_secret, turn_credential
from server.clock import SystemClock
from server.config import Config, is_loopback
from server.errors import ConfigError
from server.services.ice_servers import PROBE_USER, Tried, TurnAddress
from turn import beside
from turn import probe as turn_probe
from turn import relay as turn_relay
from turn.errors import TurnError
from turn.settings import Settings, render

PROBE_LIFE = timedelta(seconds=60)


def configured(config: Config) -> TurnAddress | None:
    turn = config.turn
    return TurnAddress(turn.host, turn.port, turn.tls_port) if turn.host else None


def beside_us(config: Config) -> TurnAddress | None:
    found = beside.find(_folder(config))
    return TurnAddress(*found) if found is not None else None


def _folder(config: Config) -> Path:
    return config.data_dir.absolute() / "turn"


def shared_secret(config: Config, own: auth_keys.Secrets) -> str:
    return config.turn.secret or derived_secret(own.code_key)


def _own_secrets(config: Config) -> auth_keys.Secrets:
    if config.secret:
        return auth_keys.from_secret(config.secret, config.secret_previous)
    data_lock.make_folder(config.data_dir)
    return auth_keys.load_or_create(config.data_dir)


def settings(config: Config) -> Settings:
    """What coturn is started with. Raises ConfigError."""
    turn, folder = config.turn, _folder(config)
    listen = turn.listen_addresses or ((addresses.LOOPBACK[0],) if _local_only(config) else addresses.own_addresses())
    workers = config.media.announced_addresses or addresses.media_addresses(config.media.bind_addresses, ())
    if not all(map(is_loopback, listen)):  # other machines come here: never lead them to what listens on this one's loopback
        workers = tuple(worker for worker in workers if not is_loopback(worker))
    if not (turn.peer_addresses or workers):
        raise ConfigError("turn.peer_addresses: name the media workers' addresses; none but loopback is known")
    certificate = _certificate(config) if turn.tls_port else ("", "")
    try:
        return Settings(
            listen=listen,
            relay=turn.relay_addresses or listen,
            peers=tuple(turn.peer_addresses or workers),
            realm=turn.realm,
            secret=shared_secret(config, _own_secrets(config)),
            folder=str(folder),
            port=turn.port,
            tls_port=turn.tls_port,
            tls_cert_file=certificate[0],
            tls_key_file=certificate[1],
            relay_port_min=turn.relay_port_min,
            relay_port_max=turn.relay_port_max,
            user_quota=turn.user_quota,
            total_quota=turn.total_quota,
            session_bps=turn.session_bps,
        )
    except TurnError as error:
        raise ConfigError(f"turn: {error.detail}") from None


def _local_only(config: Config) -> bool:
    return is_loopback(config.turn.host or config.host)


def _certificate(config: Config) -> tuple[str, str]:
    """The relay's own, the server's, or one made here that pages do not trust. Raises ConfigError."""
    chosen = config.turn.tls_cert_file, config.turn.tls_key_file
    if not chosen[0]:
        chosen = config.tls_cert_file, config.tls_key_file
    if not chosen[0]:
        folder = _folder(config)
        data_lock.make_folder(folder)
        names = dict.fromkeys((*addresses.own_addresses(), "localhost", *([config.turn.host] if config.turn.host else [])))
        made = tls.self_signed(folder, tuple(names), SystemClock().now())
        chosen = str(made[0]), str(made[1])
    for path in chosen:
        if not os.access(path, os.R_OK):
            raise ConfigError(f"turn: the certificate {path} cannot be read")
    return str(Path(chosen[0]).absolute()), str(Path(chosen[1]).absolute())


def configuration(config: Config) -> str:
    """``turnserver.conf``. Raises ConfigError."""
    return render(settings(config))


def write(config: Config, path: Path) -> None:
    """Raises ConfigError."""
    chosen = settings(config)
    data_lock.make_folder(_folder(config))
    try:
        turn_relay.write(chosen, path)
    except TurnError as error:
        raise ConfigError(error.detail) from None


def _address(config: Config) -> TurnAddress:
    host = addresses.LOOPBACK[0] if _local_only(config) else addresses.outside_address()
    return configured(config) or TurnAddress(host, config.turn.port, config.turn.tls_port)


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[tuple[list[str], Awaitable[int]]]:
    """coturn, running: the URLs of the relay, and its exit status should it end by itself. Raises ConfigError."""
    chosen, folder = settings(config), _folder(config)
    address = _address(config)
    try:
        with beside.told(folder, beside.Place(address.host, address.port, address.tls_port)):
            async with turn_relay.running(chosen, folder) as relay:
                yield address.urls(), relay.ended()
    except TurnError as error:
        raise ConfigError(error.detail or error.code) from None


async def try_it(config: Config) -> list[tuple[str, str, float]]:
    """(URL, problem or "", seconds) of each way to the relay, now. Raises ConfigError."""
    address = configured(config) or beside_us(config)
    if address is None:
        raise ConfigError("there is no relay: set turn.host, or start one with `tongping turn serve`")
    made = turn_credential(shared_secret(config, _own_secrets(config)), PROBE_USER, SystemClock().now() + PROBE_LIFE)
    tried = await probe(config, address, lambda: (made.username, made.password))
    return [(url, one.problem, one.took_s) for url, one in zip(address.urls(), tried, strict=True)]


async def probe(config: Config, address: TurnAddress, credential: Callable[[], tuple[str, str]]) -> Sequence[Tried]:
    targets = [turn_probe.Target(address.host, port, transport) for transport, port in address.transports()]
    context = await asyncio.to_thread(_trust, config) if address.tls_port else None
    results = await turn_probe.probe_all(targets, credential, context)
    return [Tried(result.target.transport, result.problem, result.took_s) for result in results]


def _trust(config: Config) -> ssl.SSLContext:
    """The machine's authorities, and the relay's own certificate where this machine has it."""
    context = ssl.create_default_context()
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for path in (config.turn.tls_cert_file or config.tls_cert_file, str(_folder(config) / tls.CERTIFICATE)):
        if path and Path(path).is_file():
            context.load_verify_locations(path)
    return context
