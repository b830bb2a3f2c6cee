"""What one publisher's SSRCs are: layers of its sources, and their retransmissions. Sans I/O.

RFC 8843 section 9.2 (which section an SSRC is of), RFC 8852 (which layer), RFC 4588 (retransmissions). Browsers send mid and
rid in the first packets of a stream only: what is learnt stays.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from media.relay.forward import Route
from media.relay.publication import Publication
from media.relay.uplink import PublisherClock, Uplink
from media.wire.rtp import RtpReader
from media.wire.sdp_answer import NegotiatedSection

MAX_SSRCS = 24
"""Media and RTX SSRCs of one peer; ignored beyond."""
MAX_STRANGE_SSRCS = 64
"""SSRCs that belong to nothing: beyond this the peer is closed, because SRTP keeps state for each."""
MAX_SSRCS_EVER = 128
"""SSRCs that ever belonged to something, for the same reason."""


class Incoming:
    """``publications``, ``payload_types`` and ``red_types`` (of a voice with redundancy): by mid. ``routes``: what is known, by SSRC. ``flooded``: too many SSRCs came."""

    def __init__(self, counts: Counter[str], make: Callable[..., Uplink] = Uplink) -> None:
        """``make``: the forwarder's ``uplink``."""
        self._counts = counts
        self._make = make
        self._clock = PublisherClock()
        self._sections: dict[str, NegotiatedSection] = {}
        self._rtx_types: set[int] = set()
        self._static: dict[int, str] = {}
        self._rtx_of: dict[int, int] = {}
        self._strange: set[int] = set()
        self._ever: set[int] = set()
        self.routes: dict[int, Route] = {}
        self.publications: dict[str, Publication] = {}
        self.payload_types: dict[str, int] = {}
        self.red_types: dict[str, int] = {}
        self.flooded = False

    def add(self, section: NegotiatedSection, publication: Publication) -> None:
        """A section that publishes."""
        codec = section.codecs[0]
        self._sections[section.mid] = section
        self.publications[section.mid] = publication
        self.payload_types[section.mid] = codec.payload_type
        if codec.red_payload_type is not None:
            self.red_types[section.mid] = codec.red_payload_type
        if codec.rtx_payload_type is not None:
            self._rtx_types.add(codec.rtx_payload_type)
        self._announced(section)

    def renegotiated(self, sections: tuple[NegotiatedSection, ...]) -> None:
        """The same sections again, perhaps with other SSRCs announced."""
        self._static.clear()
        self._rtx_of.clear()
        for section in sections:
            if section.role == "publish":
                self._announced(section)

    def _announced(self, section: NegotiatedSection) -> None:
        if not section.rids and section.ssrcs:  # with rids an SSRC's layer is only known from its first packets
            for ssrc in section.ssrcs[:4]:
                self._static[ssrc] = section.mid
        for media, rtx in list((section.fid or {}).items())[:8]:
            self._rtx_of[rtx] = media

    def learn(self, reader: RtpReader, now: float) -> Route | None:
        """What a new SSRC is, by its mid, its rid, the SDP, or the only section it can be of; None when nobody knows yet."""
        ssrc = reader.ssrc
        route = None
        if len(self.routes) < MAX_SSRCS:
            if reader.pt in self._rtx_types and reader.pt not in self.payload_types.values():
                route = self._rtx(reader)
            else:
                route = self._media(reader, now)
        if route is not None:
            self.routes[ssrc] = route
            self._ever.add(ssrc)
            if len(self._ever) > MAX_SSRCS_EVER:
                self.flooded = True
                return None
            return route
        self._counts["ssrc_unknown"] += 1
        self._strange.add(ssrc)
        if len(self._strange) > MAX_STRANGE_SSRCS:
            self.flooded = True
        return None

    def _mid(self, reader: RtpReader) -> str:
        if reader.mid:
            return reader.mid.decode("ascii", "replace")
        known = self._static.get(reader.ssrc)
        if known is not None:
            return known
        fitting = [mid for mid, number in self.payload_types.items() if reader.pt in (number, self.red_types.get(mid))]
        return fitting[0] if len(fitting) == 1 else ""

    def _media(self, reader: RtpReader, now: float) -> Route | None:
        mid = self._mid(reader)
        publication = self.publications.get(mid)
        section = self._sections.get(mid)
        if publication is None or section is None or reader.pt not in (self.payload_types[mid], self.red_types.get(mid)):
            return None
        rid = reader.rid.decode("ascii", "replace")
        if section.rids and rid not in section.rids:
            return None
        if not section.rids:
            rid = ""
        codec = section.codecs[0]
        uplink = self._make(
            reader.ssrc, section.kind, codec.name.lower(), codec.clock_rate, self._clock, mid=mid, rid=rid, nack=codec.nack
        )
        old = publication.layers.get(rid)
        publication.layers[rid] = uplink
        if old is not None:  # the sender took a new SSRC: show that from its next key frame on
            for ssrc, route in list(self.routes.items()):
                if route.uplink is old:
                    del self.routes[ssrc]
            old.retire()
            for downlink in publication.steered:
                if old in (downlink.uplink, downlink.pending):
                    downlink.want(uplink, publication.codec_key, now)
        else:
            for downlink in publication.steered:
                if downlink.uplink is None and downlink.pending is None:
                    downlink.want(uplink, publication.codec_key, now)
        return Route(publication, uplink, rtx=False)

    def _rtx(self, reader: RtpReader) -> Route | None:
        media = self.routes.get(self._rtx_of.get(reader.ssrc, -1))
        if media is not None and not media.rtx:
            return Route(media.publication, media.uplink, rtx=True)
        mid = reader.mid.decode("ascii", "replace")
        publication = self.publications.get(mid)
        if publication is None:
            return None
        uplink = publication.layers.get((reader.rrid or reader.rid).decode("ascii", "replace"))
        return Route(publication, uplink, rtx=True) if uplink is not None else None


def extension_ids(sections: tuple[NegotiatedSection, ...]) -> Mapping[str, int]:
    """By name. Ids are one space per bundle (RFC 8843 section 9.1): the first section that has one says it for all."""
    names = ("mid", "rid", "rrid", "twcc", "audio_level")
    return {
        name: next((n for s in sections if s.role == "publish" and (n := getattr(s.extensions, name))), 0) for name in names
    }
