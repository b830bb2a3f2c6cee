"""The sanitisers of many shares in a process of their own, which holds no key of the server, reaches no network and opens no file. SHELL.

    python -m server.cobrowse.process --control-fd N --at-work-fd M

One thread and no event loop, so that the filter of system calls can be narrow: it waits for commands (``process_messages``) and otherwise works on one slice of
one share's event after another, each share in its turn, so that a large picture holds up nobody else. It ends with the control stream. Memory that it shares with the server (``AT_WORK``) has the request that it is at work on:
should it end meanwhile, this may be why.
"""

import argparse
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Generator

import msgspec

from media import control
from media.errors import ControlError
from server import heap
from server.cobrowse.looks import Secrets
from server.cobrowse.process_messages import (
    PIECE_CHARS,
    CloseShare,
    Command,
    Configure,
    Done,
    Failed,
    Heartbeat,
    Look,
    Made,
    OpenShare,
    Ready,
    Rules,
    Seen,
    Take,
    decode_command,
)
from server.cobrowse.rules import RulePack, RulePackInvalid, read_rules
from server.cobrowse.sanitiser import DEFAULT, Sanitised, Sanitiser
from server.cobrowse.styles import Names, Sheets, Styles
from verification.engine import confine

READ_BYTES = 1 << 18
HELD_FILES = 4
SLICE_S = 0.005
"""So long one share is worked on before the next one's turn, as far as its event has pauses."""
MOST_DEBT_S = 1.0
MOST_DOCUMENTS = 32
"""Of a share, whose secret fields are remembered: those looked at last."""
MOST_TYPE = 40
"""Characters of a node's ``type`` that are told: longer than all that mean something, so that what is told of all that a node stands in is one frame."""
AT_WORK = struct.Struct("=Q")
_encode = msgspec.json.Encoder().encode
_Steps = Generator[None, None, Sanitised]


class _Share:
    """``waiting``: what is to be done, in its order; ``steps``: of an event that was begun, which is the first of them. ``debt_s``: how much longer than its turns
    it was worked on, while others wait."""

    def __init__(self, pack: RulePack, key: bytes, sheets: Sheets) -> None:
        self._pack = pack
        self._styles = Styles(Names(key), sheets)
        self.pieces: list[str] = []
        self.waiting: deque[tuple[int, Look | Take, bytes]] = deque()
        self.steps: _Steps | None = None
        self.page = 0
        self.sanitiser = Sanitiser(pack, self._styles, DEFAULT)
        self.nodes = 0
        self.debt_s = 0.0
        self._secrets: OrderedDict[int, Secrets] = OrderedDict()

    def begin(self, page: int) -> None:
        """Another document: nothing is known of it but what was secret there when it was looked at before."""
        self.page = page
        secrets = self._secrets.pop(page, None) or Secrets()
        self._secrets[page] = secrets
        if len(self._secrets) > MOST_DOCUMENTS:
            self._secrets.popitem(last=False)
        self.sanitiser = Sanitiser(self._pack, self._styles, DEFAULT, secrets)

    def counted(self) -> int:
        """How many nodes more it takes than when it was last asked."""
        before, self.nodes = self.nodes, self.sanitiser.weight
        return self.nodes - before


class Process:
    """``run`` returns when the stream is closed. Raises ControlError: what came cannot be trusted to be ours."""

    def __init__(self, stream: socket.socket, told: mmap.mmap) -> None:
        self._stream = stream
        self._told = told
        self._out = bytearray()
        self._frames = control.FrameReader()
        self._config = Configure()
        self._packs: dict[str, RulePack] = {}
        self._sheets = Sheets()  # read once for all shares
        self._shares: dict[str, _Share] = {}
        self._turns: deque[str] = deque()  # shares with something to do
        self._beat_at = 0.0
        self._nodes = 0
        self._events = 0

    def run(self) -> None:
        first = self._first()
        self._config = first
        _warm_up()
        heap.settled()
        os.dup2(self._stream.fileno(), HELD_FILES - 1)
        self._stream.detach()
        self._stream = socket.socket(fileno=HELD_FILES - 1)
        self._stream.setblocking(False)
        held = confine.confine(HELD_FILES, first.memory_bytes)
        self._say(Ready((*self._left, *held)))
        poll = select.poll()
        while True:
            wanted = select.POLLIN | (select.POLLOUT if self._out else 0)
            poll.register(self._stream, wanted)
            wait_s = 0.0 if self._turns else max(0.0, self._beat_at - time.monotonic())
            for _, ready in poll.poll(wait_s * 1000):
                if ready & (select.POLLIN | select.POLLHUP | select.POLLERR) and not self._read():
                    return
            self._write()
            if self._turns:
                self._work(self._turns.popleft())
                self._write()
            if time.monotonic() >= self._beat_at:
                self._beat()

    def _first(self) -> Configure:
        self._left = confine.leave_network()
        while True:
            data = self._stream.recv(READ_BYTES)
            if not data:
                raise ControlError("closed")
            frames = self._frames.feed(data)
            if frames:
                first = decode_command(frames[0])
                if len(frames) != 1 or not isinstance(first, Configure):
                    raise ControlError("not_configured")
                return first

    # ---- the stream

    def _read(self) -> bool:
        """False: it is closed."""
        try:
            data = self._stream.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        for frame in self._frames.feed(data):
            self._take(decode_command(frame))
        return True

    def _write(self) -> None:
        while self._out:
            try:
                sent = self._stream.send(memoryview(self._out)[:READ_BYTES])
            except BlockingIOError:
                return
            except OSError:  # the next read tells
                self._out.clear()
                return
            del self._out[:sent]

    def _say(self, message: control.Message) -> None:
        self._out += control.encode(message)

    def _beat(self) -> None:
        self._beat_at = time.monotonic() + self._config.heartbeat_s
        waiting = sum(len(self._shares[one].waiting) for one in self._turns if one in self._shares)
        self._say(Heartbeat(len(self._shares), self._nodes, waiting, self._events, time.process_time()))

    # ---- commands

    def _take(self, command: Command) -> None:
        match command:
            case Rules(request=request, hash=name, text=text):
                try:
                    self._packs[name] = read_rules(text)
                except RulePackInvalid:
                    self._say(Failed(request, "rules"))
                else:
                    self._say(Done(request))
            case OpenShare(request=request, share=id, rules=rules, key=key):
                pack = self._packs.get(rules)
                self._forget(id)
                if pack is None:
                    self._say(Failed(request, "rules"))
                    return
                self._shares[id] = _Share(pack, key, self._sheets)
                self._say(Done(request))
            case CloseShare(request=request, share=id):
                self._forget(id)
                self._say(Done(request))
            case Configure():
                raise ControlError("configured twice")
            case _:
                self._queue(command)

    def _queue(self, command: Take | Look) -> None:
        share = self._shares.get(command.share)
        if share is None:
            self._say(Failed(command.request, "share"))
            return
        raw = b""
        if isinstance(command, Take):
            share.pieces.append(command.text)
            if not command.last:
                self._say(Done(command.request))
                return
            try:
                raw = "".join(share.pieces).encode()
            except MemoryError:
                self._relieve(share)
            finally:
                share.pieces.clear()
        share.waiting.append((command.request, command, raw))
        if len(share.waiting) == 1:
            self._turns.append(command.share)

    def _forget(self, id: str) -> None:
        share = self._shares.pop(id, None)
        if share is not None:
            self._nodes -= share.nodes
            for request, _, _ in share.waiting:
                self._say(Failed(request, "share"))

    # ---- work

    def _work(self, id: str) -> None:
        share = self._shares.get(id)
        if share is None or not share.waiting:
            return
        if share.debt_s > 0 and self._turns:  # the others first
            share.debt_s -= SLICE_S
            self._turns.append(id)
            return
        request, what, raw = share.waiting[0]
        began = time.monotonic()
        try:
            done = self._did(share, request, what, raw)
        except MemoryError:
            share.steps = None
            self._relieve(share)
            self._say(Made(request, "", True, resync=True, dropped={"too_much": 1}))
            done = True
        share.debt_s = min(MOST_DEBT_S, max(0.0, time.monotonic() - began - SLICE_S))
        if not done:
            self._turns.append(id)
            return
        share.waiting.popleft()
        self._nodes += share.counted()
        if share.waiting:
            self._turns.append(id)

    def _did(self, share: _Share, request: int, what: Look | Take, raw: bytes) -> bool:
        """Whether it is done; else its turn is over."""
        AT_WORK.pack_into(self._told, 0, request)
        if isinstance(what, Look):
            self._say(_seen(request, share.sanitiser if what.page == share.page else None, what.node))
            return True
        if share.steps is None:
            if what.page != share.page:
                share.begin(what.page)
            elif what.gap:
                share.sanitiser.lose()
            share.steps = share.sanitiser.steps(raw)
        until = time.monotonic() + SLICE_S
        try:
            while time.monotonic() < until:
                next(share.steps)
        except StopIteration as done:
            share.steps = None
            made: Sanitised = done.value
            self._done(share, request, made)
            return True
        return False

    def _relieve(self, share: _Share) -> None:
        """There is no memory for this one's event: its page goes, and the largest, which has all of it."""
        if share.steps is None:
            share.sanitiser.lose()
            self._nodes += share.counted()
        self._largest_loses()

    def _largest_loses(self) -> _Share | None:
        """Of those that are not in the middle of an event."""
        largest = max((one for one in self._shares.values() if one.steps is None), key=lambda one: one.nodes, default=None)
        if largest is not None:
            largest.sanitiser.lose()
            self._nodes += largest.counted()
        return largest

    def _done(self, share: _Share, request: int, made: Sanitised) -> None:
        self._events += 1
        self._nodes += share.counted()
        event, resync, dropped, pictured = made.event, made.resync, dict(made.dropped), made.pictured
        if self._nodes > self._config.nodes and self._largest_loses() is share:
            event, resync, pictured = None, True, ()
            dropped["too_much"] = dropped.get("too_much", 0) + 1
        text, kind = ("", -1) if event is None else (_encode(event).decode(), int(event["type"]))
        pieces = [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)] or [""]
        for piece in pieces[:-1]:
            self._say(Made(request, piece, False))
        name = share.sanitiser.page.name if share.sanitiser.epoch else ""
        self._say(Made(request, pieces[-1], True, kind, name, made.paused, resync, dropped, pictured))


def _seen(request: int, sanitiser: Sanitiser | None, id: int) -> Seen:
    node = sanitiser.node(id) if sanitiser is not None else None
    if node is None:
        return Seen(request, False)
    above: list[tuple[str, str]] = []
    one = node.above
    while one is not None:
        above.append((one.tag, one.attributes.get("type", "")[:MOST_TYPE]))
        one = one.above
    return Seen(
        request,
        True,
        node.tag,
        node.attributes.get("type", "")[:MOST_TYPE],
        int(node.level),
        node.value_shown,
        node.sensitive,
        node.clickable,
        tuple(above),
    )


def _warm_up() -> None:
    """Whatever is imported late is imported now: when it is confined no file can be opened any more."""
    unicodedata.normalize("NFKC", "ﬁ")
    pack = read_rules(b'[[page]]\nurl = "https://bank.example/*"\nname = "warm"\nshow = ["h1"]\n')
    sanitiser = Sanitiser(pack, Styles(Names(b"k" * 32)))
    sheet = {"tagName": "style", "attributes": {"_cssText": "@media (width > 1px){a:hover{color:#fff;content:'x'}}"}, "id": 3}
    words = {"type": 3, "textContent": "张三 4111 1111 1111 1111 a@b.example", "id": 4}
    head = {"type": 2, "tagName": "h1", "attributes": {"style": "color: red", "class": "a b"}, "childNodes": [words], "id": 2}
    top = {"type": 0, "childNodes": [head, {"type": 2, "childNodes": [], **sheet}], "id": 1}
    for kind, data in (
        (4, {"href": "https://bänk.example/ü?x#y", "width": 1, "height": 1}),
        (4, {"href": "https://bank.example/a", "width": 1, "height": 1}),
        (2, {"node": top, "initialOffset": {"left": 0, "top": 0}}),
        (3, {"source": 0, "texts": [{"id": 4, "value": "x"}], "attributes": [], "removes": [], "adds": []}),
        (9, {}),
    ):
        made = sanitiser.take(_encode({"type": kind, "data": data, "timestamp": 1}))
        if made.event is not None:
            _encode(made.event)
    sanitiser.take(b"{")


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the server says when it is over
    parser = argparse.ArgumentParser()
    parser.add_argument("--control-fd", type=int, required=True)
    parser.add_argument("--at-work-fd", type=int, required=True)
    asked = parser.parse_args(arguments)
    try:
        Process(socket.socket(fileno=asked.control_fd), mmap.mmap(asked.at_work_fd, AT_WORK.size)).run()
    except (ControlError, OSError) as error:
        print(f"sanitiser: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
