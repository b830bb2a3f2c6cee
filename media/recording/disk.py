"""Threads that write: whatever touches the disk happens here, never on the recorder's event loop. SHELL.

Work with one key runs in order, in one thread. The queues have no bound of their own: who submits looks at ``pending_bytes`` and stops
reading its input (``media.recording.process``). One more thread makes what was written last, at most every ``sync_s``.
"""

import logging
import queue
import threading
import zlib
from collections.abc import Callable

from media.recording.store import OpenRecording

log = logging.getLogger(__name__)

THREADS = 2


class Disk:
    """``close`` waits for everything that was submitted."""

    def __init__(self, sync_s: float, threads: int = THREADS) -> None:
        self._sync_s = sync_s
        self._lock = threading.Lock()
        self._pending = 0
        self._queues: list[queue.SimpleQueue[tuple[int, Callable[[], None]] | None]] = [
            queue.SimpleQueue() for _ in range(threads + 1)
        ]
        self._attached: dict[str, OpenRecording] = {}
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(each,), name=f"recorder-disk-{n}", daemon=True)
            for n, each in enumerate(self._queues)
        ]
        self._syncing = threading.Thread(target=self._sync, name="recorder-sync", daemon=True)
        for thread in (*self._threads, self._syncing):
            thread.start()

    @property
    def pending_bytes(self) -> int:
        """Of work that is not done yet."""
        return self._pending

    def submit(self, key: str, cost: int, work: Callable[[], None]) -> None:
        """``cost``: bytes it holds."""
        with self._lock:
            self._pending += cost
        self._queues[zlib.crc32(key.encode()) % (len(self._queues) - 1)].put((cost, work))

    def submit_long(self, work: Callable[[], None]) -> None:
        """In a thread of its own, for what reads whole files: in order with other long work only."""
        self._queues[-1].put((0, work))

    def after(self, done: Callable[[], None]) -> None:
        """Call it, in one of the threads, when everything submitted so far (but long work) is done."""
        waiting = len(self._queues) - 1

        def passed() -> None:
            nonlocal waiting
            with self._lock:
                waiting -= 1
                last = not waiting
            if last:
                done()

        for each in self._queues[:-1]:
            each.put((0, passed))

    def attach(self, opened: OpenRecording) -> None:
        """Make what it writes last from now on."""
        with self._lock:
            self._attached[opened.recording] = opened

    def detach(self, recording: str) -> None:
        with self._lock:
            self._attached.pop(recording, None)

    def close(self) -> None:
        for each in self._queues:
            each.put(None)
        for thread in self._threads:
            thread.join()
        self._stopping.set()
        self._syncing.join()

    def _run(self, work: "queue.SimpleQueue[tuple[int, Callable[[], None]] | None]") -> None:
        while (job := work.get()) is not None:
            cost, act = job
            try:
                act()
            except Exception:
                log.exception("disk work failed")
            with self._lock:
                self._pending -= cost

    def _sync(self) -> None:
        while not self._stopping.wait(self._sync_s):
            with self._lock:
                attached = list(self._attached.values())
            for opened in attached:
                try:
                    opened.sync()
                except OSError as error:
                    failure = error
                    self.submit(opened.recording, 0, lambda opened=opened, failure=failure: opened.fail(failure))  # type: ignore[misc]
