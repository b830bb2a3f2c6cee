"""The sanitisers' processes as shares see them: which holds which share, started again when one dies or hangs. A part of the composition root: it knows the
server and ``media``.

Nothing goes round them: while a process is away, what would have been for it is lost, and the shares that it held are told so.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

import msgspec

from media.child import Child, ChildConfig
from media.errors import MediaUnavailableError
from server.cobrowse import orders
from server.cobrowse import process_messages as messages
from server.cobrowse.process_messages import PIECE_CHARS, Made, Seen
from server.live.cobrowse.shares import SanitiserAway

log = logging.getLogger(__name__)
_T = TypeVar("_T")
MODULE = "server.cobrowse.process"
STRIKES = 3
"""So often a process may be lost while it is at work on the same share."""
MOST_ASKED = 12 << 20
"""Of one share's events that wait: one whole picture and what comes after it."""
MOST_WAITING = 96 << 20
"""Of all shares of a process."""
HANGS_S = 8.0
"""Longest silence: a style sheet is read in one piece."""


_Plain = messages.Rules | messages.OpenShare | messages.CloseShare | messages.Take


class SanitiserEvents(Protocol):
    """Told from the loop; quick, and never raises. ``id``: of the share."""

    def cleaned(self, id: str, cleaned: orders.Cleaned) -> None: ...
    def looked(self, id: str, look: int, facts: orders.Facts | None) -> None: ...

    def sanitiser_lost(self, id: str) -> None:
        """What it was told and did not answer is lost, and what it knew."""
        ...

    def sanitiser_back(self, id: str) -> None:
        """It takes events again and knows nothing of this share's page."""
        ...

    def sanitiser_refuses(self, id: str) -> None:
        """This share ends a process each time: it is not given to one any more."""
        ...


@dataclass(slots=True)
class _Held:
    """``asked``: bytes that were not answered."""

    process: "_Process"
    rules: str
    key: bytes
    asked: int = 0
    strikes: int = 0


@dataclass(slots=True)
class _Asked:
    share: str
    size: int
    pieces: list[str] = field(default_factory=list)


class _Process:
    """One child."""

    losses = 0
    waiting = 0
    at_work = 0
    """The request that it said it is at work on."""

    def __init__(self, owner: "Sanitisers", number: int, config: ChildConfig, configure: messages.Configure) -> None:
        self._owner = owner
        self.asked: dict[int, _Asked] = {}
        self.child: Child[messages.Ready, messages.Heartbeat, messages.Reply] = Child(
            config,
            "sanitiser",
            "sanitiser",
            MODULE,
            configure=lambda: configure,
            take=self._take,
            lost=lambda: owner.lost(self),
            fields={"number": number},
        )

    def _take(self, frame: bytes) -> None:
        said = messages.decode_said(frame)
        match said:
            case messages.Ready():
                self.child.is_ready(said)
                self._owner.ready(self)
            case messages.Heartbeat():
                self.child.heartbeat = said
            case messages.Begun(request=request):
                self.at_work = request
            case Made(request=request, text=text, last=False):
                if (asked := self.asked.get(request)) is not None:
                    asked.pieces.append(text)
            case _:
                asked = self.asked.pop(said.request, None)
                if asked is not None:
                    self.waiting -= asked.size
                    self._owner.answered(asked, said)
                    if asked.pieces and isinstance(said, Made) and said.kind >= 0:
                        said = _whole(asked.pieces, said)
                self.child.answered(said.request, said)


class Sanitisers:
    """Use as ``await start()`` … ``await close()``. All methods belong to one event loop."""

    def __init__(
        self,
        processes: int,
        packs: Mapping[str, bytes],
        *,
        configure: messages.Configure | None = None,
        stop_s: float = 1.0,
        command: tuple[str, ...] = (),
        hangs_s: float = HANGS_S,
    ) -> None:
        """``packs``: the texts of all rule packs, by their hash. ``command``: of another process than ours, for tests."""
        self._packs = dict(packs)
        self._events: SanitiserEvents | None = None
        self._request = 0
        self._shares: dict[str, _Held] = {}
        self._changed = asyncio.Event()
        config = ChildConfig(
            command=command,
            heartbeat_timeout_s=hangs_s,
            stop_timeout_s=stop_s,
            backoff_max_s=2.0,
            max_write_bytes=256 << 20,
            max_pending=1_000_000,  # what waits is bounded for each share
        )
        self._processes = [_Process(self, one, config, configure or messages.Configure()) for one in range(processes)]

    def listen(self, events: SanitiserEvents) -> None:
        self._events = events

    async def start(self, within_s: float = 30.0) -> None:
        """Returns when all are ready. Raises MediaUnavailableError."""
        for one in self._processes:
            one.child.start()
        try:
            await self.wait_ready(within_s)
        except MediaUnavailableError:
            await self.close()
            raise

    async def wait_ready(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not self.is_ready:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise MediaUnavailableError("no_sanitiser", "the sanitiser is not ready") from None

    async def close(self) -> None:
        self._events = None
        await asyncio.gather(*(one.child.close() for one in self._processes))

    @property
    def is_ready(self) -> bool:
        """Whether all answer."""
        return all(one.child.ready is not None for one in self._processes)

    @property
    def restarts(self) -> int:
        return sum(one.child.restarts for one in self._processes)

    @property
    def pids(self) -> list[int]:
        return [pid for one in self._processes if (pid := one.child.pid) is not None]

    @property
    def confined(self) -> tuple[str, ...]:
        """What holds every one of them, by name."""
        held = [one.child.ready.confined for one in self._processes if one.child.ready is not None]
        return tuple(name for name in held[0] if all(name in other for other in held)) if held else ()

    # ---- shares

    def open(self, share: str, rules: str, key: bytes) -> None:
        """From now on it can be asked about this share, where its process is there. ``rules``: hash of a pack."""
        counts = {id(one): 0 for one in self._processes}
        for held in self._shares.values():
            counts[id(held.process)] += 1
        process = min(self._processes, key=lambda one: counts[id(one)])
        self._shares[share] = held = _Held(process, rules, key)
        self._open(share, held)

    def shut(self, share: str) -> None:
        held = self._shares.pop(share, None)
        if held is not None and held.process.child.ready is not None:
            try:
                self._ask(held.process, messages.CloseShare(self._next(), share))
            except MediaUnavailableError:
                held.process.child.kill("not told that a share is over")

    def asked(self, share: str) -> int:
        """Characters of events that it was told and has not answered."""
        held = self._shares.get(share)
        return held.asked if held is not None else 0

    def has_room(self, share: str) -> bool:
        """Whether this share should go on: it and all others of its process have not too much waiting."""
        held = self._shares.get(share)
        return held is None or (held.asked <= MOST_ASKED and held.process.waiting <= MOST_WAITING)

    def order(self, share: str, what: orders.Sanitise | orders.Look) -> None:
        """Carried out after those before it; ``SanitiserEvents`` has the answer. Raises SanitiserAway: it is not."""
        process = self._process(share)
        try:
            if isinstance(what, orders.Look):
                request = self._next()
                waiting = process.child.send(messages.Look(request, share, what.page, what.node), request)
                waiting.add_done_callback(partial(self._looked, share, process.losses, what.look))
            else:
                self._take(process, share, what)
        except MediaUnavailableError as error:
            # Half an event may have gone: whatever is there must not be taken for the whole of it.
            process.child.kill("not told everything")
            raise SanitiserAway from error

    def _take(self, process: _Process, share: str, what: orders.Sanitise) -> None:
        page, text = what.page, what.text
        last = max(0, len(text) - 1) // PIECE_CHARS * PIECE_CHARS
        for at in range(0, last, PIECE_CHARS):
            self._ask(process, messages.Take(self._next(), share, page, text[at : at + PIECE_CHARS], False))
        request = self._next()
        self._shares[share].asked += len(text)
        process.waiting += len(text)
        process.asked[request] = _Asked(share, len(text))
        waiting = process.child.send(messages.Take(request, share, page, text[last:], True, what.gap), request)
        waiting.add_done_callback(partial(self._cleaned, share, process.losses, what.order))

    def _cleaned(self, share: str, losses: int, order: int, future: "asyncio.Future[messages.Reply]") -> None:
        made = _reply(future, Made)
        if made is not None and self._events is not None and self._stands(share, losses):
            self._events.cleaned(
                share,
                orders.Cleaned(
                    order=order,
                    text=made.text,
                    kind=made.kind,
                    name=made.name,
                    hidden=made.hidden,
                    resync=made.resync,
                    dropped=made.dropped,
                ),
            )

    def _looked(self, share: str, losses: int, look: int, future: "asyncio.Future[messages.Reply]") -> None:
        seen = _reply(future, Seen)
        if seen is not None and self._events is not None and self._stands(share, losses):
            self._events.looked(share, look, seen if seen.known else None)

    def _stands(self, share: str, losses: int) -> bool:
        """Whether an answer is of the process that holds the share now."""
        held = self._shares.get(share)
        return held is not None and held.process.losses == losses

    def _process(self, share: str) -> _Process:
        held = self._shares.get(share)
        if held is None or held.process.child.ready is None or held.strikes >= STRIKES:
            raise SanitiserAway
        return held.process

    def _next(self) -> int:
        self._request += 1
        return self._request

    def _ask(self, process: _Process, command: _Plain) -> None:
        """What is answered by nothing that anybody waits for."""
        waiting = process.child.send(command, command.request)
        waiting.add_done_callback(_heard)

    def _open(self, share: str, held: _Held) -> None:
        if held.process.child.ready is not None and held.strikes < STRIKES:
            try:
                self._ask(held.process, messages.OpenShare(self._next(), share, held.rules, held.key))
            except MediaUnavailableError:
                held.process.child.kill("not told of a share")

    # ---- what the processes say

    def ready(self, process: _Process) -> None:
        self._changed.set()
        for name, text in self._packs.items():
            self._ask(process, messages.Rules(self._next(), name, text))
        for share, held in list(self._shares.items()):
            if held.process is process:
                self._open(share, held)
                if self._events is not None and held.strikes < STRIKES:
                    self._events.sanitiser_back(share)

    def answered(self, asked: _Asked, said: messages.Reply) -> None:
        held = self._shares.get(asked.share)
        if held is not None:
            held.asked -= asked.size

    def lost(self, process: _Process) -> None:
        self._changed.set()
        at_work = process.asked.get(process.at_work)
        process.asked.clear()
        process.losses += 1
        process.waiting = 0
        for share, held in list(self._shares.items()):
            if held.process is not process:
                continue
            held.asked = 0
            held.strikes += at_work is not None and at_work.share == share
            if self._events is None:
                continue
            if held.strikes >= STRIKES:
                self._events.sanitiser_refuses(share)
            else:
                self._events.sanitiser_lost(share)


def _whole(pieces: list[str], last: Made) -> Made:
    return msgspec.structs.replace(last, text="".join((*pieces, last.text)))


def _heard(future: "asyncio.Future[messages.Reply]") -> None:
    if not future.cancelled() and future.exception() is None and isinstance(said := future.result(), messages.Failed):
        log.error("sanitiser refused a command", extra={"code": said.code})


def _reply(future: "asyncio.Future[messages.Reply]", kind: type[_T]) -> _T | None:
    if future.cancelled() or future.exception() is not None:
        return None
    said = future.result()
    return said if isinstance(said, kind) else None
