"""``Uplink`` whose figures and ring are in memory that C shares: whoever reads or writes them notices no difference."""

from operator import attrgetter
from typing import Any

from media.native.library import Library
from media.relay.uplink import PublisherClock, RingEntry, Uplink
from media.wire.payload import READERS


def _shared(name: str) -> Any:
    """A figure of ``struct tp_source``."""

    def put(uplink: "NativeUplink", value: Any) -> None:
        setattr(uplink.struct, name, value)

    return property(attrgetter(f"struct.{name}"), put)


class NativeUplink(Uplink):
    """``struct``: what C notes packets in, as long as it is told to (``inlet.Inbox``)."""

    __slots__ = ("_by_tid", "_library", "struct")

    max_seq = _shared("max_seq")
    cycles = _shared("cycles")
    packets = _shared("packets")
    octets = _shared("octets")
    last_at = _shared("last_at")
    last_ts = _shared("last_ts")
    last_pid = _shared("last_pid")
    last_tl0 = _shared("last_tl0")
    top_tid = _shared("top_tid")
    unheard = _shared("unheard")
    _jitter = _shared("jitter")
    _transit = _shared("transit")

    def __init__(
        self,
        library: Library,
        ssrc: int,
        kind: str,
        codec: str,
        rate: int,
        clock: PublisherClock,
        *,
        mid: str = "",
        rid: str = "",
        nack: bool = False,
    ) -> None:
        ffi, lib = library.ffi, library.lib
        self._library = library
        self.struct: Any = ffi.gc(ffi.new("struct tp_source *"), lib.tp_close)
        super().__init__(ssrc, kind, codec, rate, clock, mid=mid, rid=rid, nack=nack)
        source = self.struct
        if not lib.tp_open(source, len(self._ring)):
            raise MemoryError
        self._ring = []
        self._by_tid: Any = ffi.from_buffer("int64_t[]", self.by_tid, require_writable=True)
        source.by_tid = self._by_tid
        source.number, source.ssrc, source.rate = self.number, ssrc, rate

    def retire(self) -> None:
        """Nothing of it is C's any more: it has lost its SSRC."""
        self.struct.fast = 0

    def keep(self, entry: RingEntry) -> None:
        self._library.lib.tp_keep(
            self.struct,
            entry.ts,
            entry.seq,
            entry.marker,
            entry.payload,
            len(entry.payload),
            entry.level,
            entry.primary,
            entry.at,
        )

    def kept(self, seq: int) -> RingEntry | None:
        source = self.struct
        entry = source.ring[seq & source.mask]
        if not entry.used or entry.seq != seq:
            return None
        payload = bytes(self._library.ffi.buffer(entry.payload, entry.size))
        read = READERS.get(self.codec) if self.kind == "video" else None
        header = read(payload, 0, len(payload)) if read is not None else None
        return RingEntry(seq, entry.ts, entry.marker, payload, header, entry.level, entry.primary, entry.at)

    def clear_ring(self) -> None:
        self._library.lib.tp_forget(self.struct)
