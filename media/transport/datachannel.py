"""The data channel "pointer": small text messages that one participant's gate lets through to the others of the room.

SCTP by aiortc over our DTLS (RFC 8831, RFC 8832). A message is text of at most ``MAX_MESSAGE_BYTES``; it leaves as JSON
``{"from": participant, "data": text}``. Anything else, anything too fast and anything while the gate is shut is dropped
and counted; a receiver that does not read loses messages, never the others.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities

from media.transport.dtls import DtlsEndpoint

LABEL = "pointer"
MAX_MESSAGE_BYTES = 1024
RATE_PER_S = 60.0
BURST = 120.0
MAX_BUFFERED_BYTES = 65536
START_DEADLINE_S = 15.0
MAX_CHANNELS = 4
MAX_STREAMS = 64
MAX_HELD_CHUNKS = 512
"""Pieces of messages that are not whole, and numbers after a gap. aiortc bounds neither, and looks through all for each piece."""

Relay = Callable[[str], None]


class TokenBucket:
    """``take`` says whether one more is within ``rate`` per second and ``burst``; ``now`` in seconds."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class _Guard:
    """Stands between DTLS and SCTP: what SCTP raises on a peer's bytes is counted and does not end the connection.

    A peer that makes SCTP hold more than pointers ever need loses its whole connection: it costs everybody's worker.
    """

    def __init__(self, inner: Any, counts: Counter[str]) -> None:
        self._inner = inner
        self._counts = counts

    async def _handle_data(self, data: bytes) -> None:
        try:
            await self._inner._handle_data(data)
        except ConnectionError:
            raise
        except Exception:
            self._counts["sctp_error"] += 1
        if self._too_much():
            self._counts["sctp_held"] += 1
            raise ConnectionError("the association holds too much")

    def _too_much(self) -> bool:
        streams = self._inner._inbound_streams
        return (
            len(streams) > MAX_STREAMS
            or len(self._inner._sack_misordered) > MAX_HELD_CHUNKS
            or sum(len(stream.reassembly) for stream in streams.values()) > MAX_HELD_CHUNKS
        )


class PointerChannel:
    """One peer's association. ``relay`` is called with each accepted text."""

    def __init__(self, dtls: DtlsEndpoint, counts: Counter[str], relay: Relay, clock: Callable[[], float]) -> None:
        self._dtls = dtls
        self._counts = counts
        self._relay = relay
        self._clock = clock
        self._bucket = TokenBucket(RATE_PER_S, BURST, clock())
        self._channels: list[Any] = []
        self._sctp = RTCSctpTransport(dtls.transport)
        self._sctp.on("datachannel", self._on_channel)

    async def start(self, port: int, max_message_bytes: int) -> None:
        """Begin; returns at once, the association comes up by itself."""
        async with asyncio.timeout(START_DEADLINE_S):
            await self._sctp.start(RTCSctpCapabilities(max_message_bytes or 65536), port)
        self._dtls.transport._data_receiver = _Guard(self._sctp, self._counts)

    def _on_channel(self, channel: Any) -> None:
        self._channels = [known for known in self._channels if known.readyState != "closed"]
        if channel.label != LABEL or len(self._channels) >= MAX_CHANNELS:
            self._counts["channel_refused"] += 1
            channel.close()
            return
        self._channels.append(channel)
        channel.on("message", self._on_message)

    def _on_message(self, message: str | bytes) -> None:
        if not isinstance(message, str) or len(message.encode("utf-8", "replace")) > MAX_MESSAGE_BYTES:
            self._counts["pointer_refused"] += 1
        elif not self._bucket.take(self._clock()):
            self._counts["pointer_throttled"] += 1
        else:
            self._relay(message)

    def send(self, sender: str, text: str) -> None:
        """Pass on somebody else's message; dropped while the channel is not open or the receiver lags."""
        for channel in self._channels:
            if channel.readyState != "open":
                continue
            if channel.bufferedAmount > MAX_BUFFERED_BYTES:
                self._counts["pointer_lagging"] += 1
                continue
            channel.send(json.dumps({"from": sender, "data": text}, ensure_ascii=False, separators=(",", ":")))
            return

    async def stop(self) -> None:
        with contextlib.suppress(Exception):
            await self._sctp.stop()
