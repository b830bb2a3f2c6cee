"""The sanitisers' processes as shares see them: which holds which share, started again when one dies or hangs. A part of the composition root: it knows the
server and ``media``.

Nothing goes round them: while a process is away, what would have been for it is lost, and the shares that it held are told so.
"""

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from media.child import Child, ChildConfig
from media.errors import ControlError, MediaUnavailableError
from server.cobrowse import orders
from server.cobrowse import process_messages as messages
from server.cobrowse.process_messages import PIECE_CHARS, Made, Seen
from server.live.cobrowse.held import SanitiserAway

log = logging.getLogger(__name__)
MODULE = "server.cobrowse.process"
STRIKES = 3
"""So often a process may be lost while it is at work on the same share."""
MOST_ASKED = 12 << 20
"""Of one share's events that wait: one whole picture and what comes after it."""
MOST_WAITING = 96 << 20
"""Of all shares of a process."""
HANGS_S = 8.0
"""Longest silence: a style sheet is read in one piece."""
MOST_PIECES = 64 << 20
"""Characters of an answer that is half there; one of ours is never so long."""
AT_WORK_BYTES = 8


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
    """``number``: of the order, or of the ``look``."""

    share: str
    number: int
    size: int = 0
    look: bool = False
    pieces: list[str] = field(default_factory=list)


class _Process:
    """One child. ``asked``: what it is to answer, of the one that runs now."""

    waiting = 0
    half_there = 0
    """Characters of answers whose last piece has not come."""

    def __init__(self, owner: "Sanitisers", number: int, config: ChildConfig, configure: messages.Configure) -> None:
        self._owner = owner
        self._told: int | None = _shared()
        config = replace(config, arguments=("--at-work-fd", str(self._told)), descriptors=(self._told,))
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
            case Made(request=request, text=text, last=False):
                if (asked := self.asked.get(request)) is not None:
                    asked.pieces.append(text)
                    self.half_there += len(text)
                    if self.half_there > MOST_PIECES:
                        raise ControlError("answer_too_large")
            case _:
                asked = self.asked.pop(said.request, None)
                self.half_there -= 0 if asked is None else sum(map(len, asked.pieces))
                if asked is None:
                    self.child.answered(said.request, said)
                else:
                    self.waiting -= asked.size
                    self._owner.answered(asked, said)

    @property
    def at_work(self) -> int:
        """The request that it is at work on, or was last. What it may write there can be anything."""
        assert self._told is not None
        return int.from_bytes(os.pread(self._told, AT_WORK_BYTES, 0), sys.byteorder)

    async def close(self) -> None:
        await self.child.close()
        if self._told is not None:
            os.close(self._told)
            self._told = None


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

    def launch(self) -> None:
        """Begin to start all, and wait for none."""
        for one in self._processes:
            one.child.start()

    async def start(self, within_s: float = 30.0) -> None:
        """Returns when all are ready. Raises MediaUnavailableError."""
        self.launch()
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
        await asyncio.gather(*(one.close() for one in self._processes))

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
                process.asked[request] = _Asked(share, what.look, look=True)
                process.child.tell(messages.Look(request, share, what.page, what.node))
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
        process.asked[request] = _Asked(share, what.order, len(text))
        process.child.tell(messages.Take(request, share, page, text[last:], True, what.gap))

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
        if held is None:
            return
        held.asked -= asked.size
        if self._events is None:
            return
        try:
            match said:
                case Made() if not asked.look:
                    self._events.cleaned(asked.share, _cleaned(asked, said))
                case Seen() if asked.look:
                    self._events.looked(asked.share, asked.number, said if said.known else None)
        except Exception:  # one share's: the process and the others go on
            log.exception("what a sanitiser said could not be taken", extra={"share": asked.share})

    def lost(self, process: _Process) -> None:
        self._changed.set()
        at_work = process.asked.get(process.at_work)
        process.asked.clear()
        process.waiting = process.half_there = 0
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


def _cleaned(asked: _Asked, made: Made) -> orders.Cleaned:
    text = "".join((*asked.pieces, made.text)) if asked.pieces and made.kind >= 0 else made.text
    return orders.Cleaned(
        order=asked.number,
        text=text,
        kind=made.kind,
        name=made.name,
        hidden=made.hidden,
        resync=made.resync,
        dropped=made.dropped,
        pictured=made.pictured,
    )


def _shared() -> int:
    """A descriptor of memory that a process can write and we can read."""
    if hasattr(os, "memfd_create"):
        found = os.memfd_create("sanitiser")
    else:
        with tempfile.TemporaryFile() as file:
            found = os.dup(file.fileno())
    os.ftruncate(found, AT_WORK_BYTES)
    return found


def _heard(future: "asyncio.Future[messages.Reply]") -> None:
    if not future.cancelled() and future.exception() is None and isinstance(said := future.result(), messages.Failed):
        log.error("sanitiser refused a command", extra={"code": said.code})
