"""A verification worker: one process, one pack, one request at a time. SHELL.

    python -m verification.engine.worker SOCKET

``SOCKET``: an inherited SOCK_SEQPACKET descriptor to the pool (``messages.py``, ``frames.py``). What it decodes was made by strangers, and decoders and models are
large: so it loads and tries everything first, then gives up whatever that does not take (``confine.py``), and only then says that it is
ready. Its end is the end of its socket, at the latest; a request that runs out of memory is its last.
"""

import os
import resource
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from verification.engine import confine, frames, memory, messages
from verification.errors import BadMessage, VerificationError

if TYPE_CHECKING:
    from verification.engine import desk  # libraries that load slowly, and not before the network is gone

HELD_FILES = 4
"""The socket and the three standard streams."""

BUFFER_BYTES = 1 << 20
UNTOUCHED_BYTES = 32 << 20
"""Stacks, and what allocators keep for later."""
CPU = "CPUExecutionProvider"


class Closed(Exception):
    """The pool is gone, or wants no more."""


class GivenUp(Exception):
    """Nobody waits for this request any more."""


class OutOfMemory(Exception):
    """There was no room for a request: what is left of this process is not to be relied on."""


def open_desk(order: messages.Open) -> "desk.Desk":
    """Load the pack. Raises VerificationError."""
    from verification.engine import desk
    from verification.engine.session import provider_names
    from verification.faces.analyser import Analyser
    from verification.images import DEFAULT_LIMITS, DOCUMENT_LIMITS
    from verification.models.identity import recogniser_identity
    from verification.models.pack import Task
    from verification.models.store import ModelStore
    from verification.ports import PackInfo

    providers = provider_names(order.providers)
    installed = ModelStore(Path(order.models_dir)).open(order.pack)
    analyser = Analyser(installed, threads=order.threads, providers=providers)
    documents, limits = None, DEFAULT_LIMITS
    if order.documents:
        from verification.documents.reader import DocumentReader

        documents = DocumentReader(analyser, threads=order.threads)
        limits = DOCUMENT_LIMITS
        memory.give_back_large()
    pack = installed.pack
    recogniser, comparison, pad = pack.model(Task.RECOGNISER), pack.thresholds.comparison, pack.thresholds.pad
    assert recogniser is not None
    assert comparison is not None
    info = PackInfo(
        name=pack.name,
        version=pack.version,
        hash=pack.hash,
        recogniser=recogniser_identity(pack),
        abilities=analyser.abilities,
        has_pad=analyser.has_pad,
        has_mesh=analyser.has_mesh,
        reads_documents=documents is not None,
        providers=providers,
        points=tuple((point.fmr, point.threshold) for point in comparison.points),
        default_fmr=comparison.default_fmr,
        pad_accept=pad.accept if pad else None,
        pad_refer=pad.refer if pad else None,
    )
    return desk.Desk(analyser, info, bytes.fromhex(recogniser.sha256), documents=documents, limits=limits)


def _warm_up(made: "desk.Desk") -> None:
    from verification.engine.warm_up import warm_up

    warm_up(made)


class Worker:
    """``run`` until the pool closes the socket: raises Closed then, OutOfMemory."""

    def __init__(self, stream: socket.socket, made: "desk.Desk") -> None:
        self._stream = stream
        self._desk = made

    def run(self) -> None:
        while True:
            request, block = receive(self._stream)
            if isinstance(request, messages.Ping):
                send(self._stream, messages.Pong(request.request))
            elif isinstance(request, messages.Leave):
                pass  # it crossed the answer
            elif isinstance(request, messages.Request):
                self._work(request, block)
            else:
                raise BadMessage("opened twice")

    def _work(self, request: messages.AnyRequest, block: int | None) -> None:
        if block is None:
            raise BadMessage("a request without its pictures")
        parts = frames.take(block, request.sizes)
        full = False
        answer: messages.AnyAnswer | messages.Refused
        try:
            answer = self._desk.answer(request, parts, sign=lambda: self._sign(request.request))
        except Exception as error:
            full = ran_out(error)
            answer = messages.Refused(request.request, "work", "out_of_memory" if full else "failed", type(error).__name__)
        send(self._stream, answer)
        if full:
            raise OutOfMemory

    def _sign(self, number: int) -> None:
        """Between two pictures. Raises GivenUp, Closed, BadMessage."""
        send(self._stream, messages.At(number))
        try:
            data = self._stream.recv(messages.MAX_MESSAGE_BYTES + 1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            raise Closed from error
        if not data:
            raise Closed
        if messages.decode_for_worker(data) != messages.Leave(number):
            raise BadMessage("asked while at work")
        raise GivenUp


def ran_out(error: BaseException) -> bool:
    """Whether an error of any library says that there was no memory: Python's own, C++'s, ONNX Runtime's, OpenCV's (-4)."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "alloc" in text or "insufficient memory" in text or getattr(error, "code", 0) == -4


def receive(stream: socket.socket) -> tuple[messages.Open | messages.Ping | messages.Leave | messages.AnyRequest, int | None]:
    """A message, and the descriptor that came with it. Raises Closed, BadMessage."""
    try:
        data, descriptors, flags, _ = socket.recv_fds(stream, messages.MAX_MESSAGE_BYTES + 1, 1)
    except OSError as error:
        raise Closed from error
    if not data:
        raise Closed
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise BadMessage("a message cut short")
    return messages.decode_for_worker(data), descriptors[0] if descriptors else None


def send(stream: socket.socket, message: messages.Message) -> None:
    """Raises Closed."""
    try:
        stream.send(messages.encode(message))
    except OSError as error:
        raise Closed from error


def serve(stream: socket.socket, opener: Callable[[messages.Open], "desk.Desk"] = open_desk) -> int:
    """From the order to open on. What ``main`` exits with."""
    held = confine.leave_network()
    try:
        order, _ = receive(stream)
        if not isinstance(order, messages.Open):
            raise BadMessage("not told what to open")
        try:
            made = opener(order)
            _warm_up(made)
        except VerificationError as error:
            send(stream, messages.Refused(0, "start", error.code, error.detail))
            return 1
        except Exception as error:
            send(stream, messages.Refused(0, "start", "engine_cannot_start", f"{type(error).__name__}: {error}"[:500]))
            return 1
        plain = made.info.providers == (CPU,)
        held += confine.confine(HELD_FILES, room(order.memory_bytes), calls=plain)
        send(stream, messages.Ready(replace(made.info, confined=held)))
        Worker(stream, made).run()
    except (Closed, BadMessage, OutOfMemory):
        return 1
    return 0


def room(memory_bytes: int) -> int:
    """How much more address space a request may take, so that a decoder that asks for too much is told so before this process is ended for it: what is left of
    ``memory_bytes``, and ``UNTOUCHED_BYTES`` that are taken and never used."""
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return memory_bytes
    return max(memory_bytes // 2, memory_bytes - resident + UNTOUCHED_BYTES)


def main(arguments: list[str], opener: Callable[[messages.Open], "desk.Desk"] = open_desk) -> int:
    os.dup2(int(arguments[0]), HELD_FILES - 1)
    stream = socket.socket(fileno=HELD_FILES - 1)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    return serve(stream, opener)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
