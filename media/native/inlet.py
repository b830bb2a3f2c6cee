"""Receiving in C: what ``inlet.c`` knows of addresses, peers and streams, and what is done with what it leaves to Python.

C knows an address once a packet from it has come through ``Mux`` and its peer was connected, and a stream once a packet of it has come
through ``Forwarder.on_rtp``. Both are Python's word, and are taken back by it: an address by the ``version`` of its ``IceSession``, a stream
when its ``Uplink`` is retired, a peer with everything by ``Inbox.close``, a gate by its ``flag``. C runs only while the loop waits, so
whatever Python changes holds from the next packet on.
"""

import secrets
from itertools import count
from typing import Any

from media.native.batch import NativeBatch
from media.native.forwarder import NativeForwarder
from media.native.library import Library
from media.native.selector import MediaSelector
from media.native.uplink import NativeUplink
from media.relay.forward import Route
from media.relay.peer import Peer
from media.relay.publication import Publication
from media.transport import srtp
from media.transport.ice_lite import IceSession
from media.transport.mmsg import RECEIVE_BATCH
from media.transport.mux import BUSY_S, COALESCE_S, LONGEST_GAP_S, READINGS, Mux

SWEEP = 64
"""Addresses that C knows before those that are nobody's any more are looked for; then twice as many as were left."""


class Origin:
    """An address of a peer. ``version`` and ``seen``: the session's, and what it was when this was made."""

    __slots__ = ("_kept", "seen", "struct", "version")

    def __init__(self, library: Library, key: bytes, session: IceSession, inbox: "Inbox") -> None:
        ffi = library.ffi
        self.version = session.version
        self.seen = self.version[0]
        origin = self.struct = ffi.new("struct tp_origin *")
        version = ffi.from_buffer("uint64_t[]", session.version)
        heard = ffi.from_buffer("double[]", session.heard, require_writable=True)
        self._kept = version, heard, inbox.struct
        origin.inbox = inbox.struct
        origin.version = version
        origin.seen = self.seen
        origin.heard = heard if key == session.selected else ffi.NULL
        origin.length = len(key)
        ffi.memmove(origin.key, key, len(key))

    @property
    def stale(self) -> bool:
        return self.version[0] != self.seen


class Inbox:
    """What C knows of a peer that sends. ``known``: by SSRC, what was made known, or cannot be."""

    __slots__ = ("_inlet", "_library", "known", "number", "struct")

    def __init__(self, library: Library, inlet: "Inlet", number: int, peer: Peer) -> None:
        ffi = library.ffi
        self._library = library
        self._inlet = inlet
        self.number = number
        self.known: dict[int, NativeUplink] = {}
        inbox = self.struct = ffi.new("struct tp_inbox *")
        inbox.number = number
        inbox.rx = ffi.cast("void *", srtp.address(peer.rx))
        ffi.memmove(inbox.role, peer.reader.roles, 256)
        peer.feedback.pending = self.pending

    def pending(self) -> list[tuple[int, float]]:
        """What came with which transport-wide number since the last call, and when."""
        inbox, ffi = self.struct, self._library.ffi
        total = inbox.arrivals
        if not total:
            return []
        inbox.arrivals = 0
        return list(zip(ffi.unpack(inbox.arrival, total), ffi.unpack(inbox.arrived_at, total), strict=True))

    def learn(self, peer: Peer, route: Route, forwarder: NativeForwarder) -> None:
        """From now on packets of this stream are C's. What has lost its SSRC is forgotten."""
        uplink, publication = route.uplink, route.publication
        assert isinstance(uplink, NativeUplink)
        for ssrc, old in list(self.known.items()):
            now = peer.routes.get(ssrc)
            if now is None or now.uplink is not old:
                self.forget(ssrc)
        self.known[uplink.ssrc] = uplink
        source, lib = uplink.struct, self._library.lib
        video = {"vp8": lib.TP_VP8, "vp9": lib.TP_VP9, "h264": lib.TP_H264, "av1": lib.TP_AV1}
        source.codec = lib.TP_VOICE if uplink.kind == "audio" else video.get(uplink.codec, lib.TP_NO_CODEC)
        source.payload_type = peer.payload_types.get(publication.mid, -1)
        source.published = forwarder.mirror(publication).struct
        source.fast = source.codec != lib.TP_NO_CODEC
        self._inlet.sources[uplink.number] = publication, uplink
        self._tell()

    def forget(self, ssrc: int) -> None:
        uplink = self.known.pop(ssrc)
        uplink.retire()
        self._inlet.sources.pop(uplink.number, None)
        self._tell()

    def _tell(self) -> None:
        structs = [uplink.struct for uplink in self.known.values() if uplink.struct.fast][: self._library.lib.TP_SOURCES]
        self.struct.source[0 : len(structs)] = structs
        self.struct.sources = len(structs)

    def close(self) -> None:
        for ssrc in list(self.known):
            self.forget(ssrc)
        self.struct.rx = self._library.ffi.NULL
        self._inlet.peers.pop(self.number, None)


class Inlet:
    """``media.transport.mux.Reading``. ``sources``: by the number of its ``Uplink``, what C may speak of; ``peers``: by that of their inbox."""

    def __init__(self, library: Library, forwarder: NativeForwarder, selector: MediaSelector, mux: Mux) -> None:
        ffi, lib = library.ffi, library.lib
        self._library = library
        self._forwarder = forwarder
        self._selector = selector
        self._mux = mux
        self.sources: dict[int, tuple[Publication, NativeUplink]] = {}
        self.peers: dict[int, Peer] = {}
        self._origins: dict[bytes, Origin] = {}
        self._sweep_at = SWEEP
        self._numbers = count(1)
        if len(mux.endpoints) > lib.TP_ENDPOINTS:
            raise ValueError("too many addresses")
        assert lib.TP_RECEIVE == RECEIVE_BATCH
        inlet = self.struct = forwarder.inlet = ffi.new("struct tp_inlet *")
        inlet.unprotect, inlet.unprotect_rtcp = srtp.unprotect_addresses()
        inlet.protect = srtp.protect_address()
        inlet.coalesce, inlet.busy, inlet.longest_gap, inlet.readings = COALESCE_S, BUSY_S, LONGEST_GAP_S, READINGS
        inlet.headers = ffi.cast("uint64_t *", mux.batch.headers())
        inlet.seed = secrets.randbits(32)
        inlet.endpoints = len(mux.endpoints)
        for at, endpoint in zip(inlet.endpoint, mux.endpoints, strict=False):
            assert isinstance(endpoint.batch, NativeBatch)
            at.fd = endpoint.sock.fileno()
            at.tag = endpoint.tag[0]
            at.batch = endpoint.batch.struct
            at.gap = LONGEST_GAP_S
        self._serve: Any = lib.tp_serve
        self._resume: Any = lib.tp_resume
        self._fileno = selector.fileno()

    def start(self) -> None:
        self._selector.serve = self.serve

    def close(self) -> None:
        self._selector.serve = None

    # ---- while the loop waits

    def serve(self, timeout: float) -> bool:
        """Wait so many seconds (-1: for ever), less if something else is to be read. Whether that may be so."""
        why = self._serve(self.struct, self._fileno, timeout)
        lib = self._library.lib
        if why < lib.TP_RAW:
            return bool(why == lib.TP_OTHER)
        self._python(why)
        return True

    def take(self, endpoint: int, now: float) -> None:
        """Read one endpoint's socket, without waiting."""
        self._python(self._library.lib.tp_take(self.struct, endpoint, now))

    def _python(self, why: int) -> None:
        """What C leaves to Python of a batch, and the rest of it."""
        lib = self._library.lib
        while why >= lib.TP_RAW:
            try:
                self._one(why)
            except Exception:
                self._mux.failed()
            why = self._resume(self.struct)

    def _one(self, why: int) -> None:
        lib, inlet, mux = self._library.lib, self.struct, self._mux
        now = inlet.now
        if inlet.levels:
            self._levels()
        if why == lib.TP_ASKED:
            found = self.sources.get(inlet.source)
            if found is not None:
                self._forwarder.after(*found, inlet.seq, inlet.asked > 0, inlet.startable > 0, now)
            return
        i, size = inlet.index, inlet.size
        endpoint = mux.endpoints[inlet.at]
        mux.batch.look(i)
        key = mux.batch.keys[i] + endpoint.tag
        if why == lib.TP_RAW:
            media = 128 <= mux.batch.views[i][0] <= 191
            if media:
                self._feedback()
            mux.take(endpoint, i, now)
            if media:
                self._learn(key)
            return
        session = mux.ice.by_address.get(key)
        if session is None:
            return
        peer: Any = session.owner
        heard = session.last_media
        view = mux.batch.views[i]
        if why == lib.TP_RTP:
            self._forwarder.on_rtp(peer, view, size, now)
            self._learn_stream(peer)
        elif why == lib.TP_RTCP:
            self._feedback()
            peer.on_plain_rtcp(view, size, now)
        else:
            peer.counts["srtp_refused" if why == lib.TP_REFUSED else "srtcp_refused"] += 1
        if key != session.selected:
            session.last_media = heard

    # ---- making things known to C

    def _learn(self, key: bytes) -> None:
        session = self._mux.ice.by_address.get(key)
        peer: Any = session.owner if session is not None else None
        if session is None or not peer.ready:
            return
        if peer.inbox is None:
            inbox = peer.inbox = Inbox(self._library, self, next(self._numbers), peer)
            self.peers[inbox.number] = peer
        origin = Origin(self._library, key, session, peer.inbox)
        self._forget(key)
        self._origins[key] = origin
        self._library.lib.tp_link(self.struct, origin.struct)
        if len(self._origins) > self._sweep_at:
            self._sweep()

    def _forget(self, key: bytes) -> None:
        old = self._origins.pop(key, None)
        if old is not None:
            self._library.lib.tp_unlink(self.struct, old.struct)

    def _sweep(self) -> None:
        for key, origin in list(self._origins.items()):
            if origin.stale:
                self._forget(key)
        self._sweep_at = max(SWEEP, 2 * len(self._origins))

    def _learn_stream(self, peer: Peer) -> None:
        """Of which a packet has just come."""
        inbox = peer.inbox
        ssrc = peer.reader.ssrc
        route = peer.routes.get(ssrc)
        if isinstance(inbox, Inbox) and route is not None and not route.rtx and inbox.known.get(ssrc) is not route.uplink:
            inbox.learn(peer, route, self._forwarder)

    # ---- what waits for the next tick

    def settle(self) -> None:
        self._levels()
        self._feedback()

    def _levels(self) -> None:
        """Of who is still heard."""
        inlet = self.struct
        total, inlet.levels = inlet.levels, 0
        for entry in inlet.level[0:total]:
            found = self.sources.get(entry.source)
            if found is not None and found[0].gate.open:
                found[0].on_level(found[0].participant, entry.level, entry.at)

    def _feedback(self) -> None:
        """Of who is still there."""
        inlet, ffi = self.struct, self._library.ffi
        total, inlet.told = inlet.told, 0
        for told in inlet.telling[0:total]:
            peer = self.peers.get(told.inbox)
            if peer is None:
                continue
            try:
                peer.feedback.receive(ffi.buffer(told.data, told.length)[:], told.at)
            except Exception:
                self._mux.failed()
