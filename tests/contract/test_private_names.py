"""The private names of pinned packages that ``media.transport.srtp`` and ``media.transport.dtls`` use: an update that moves one fails here."""

import inspect
from importlib.metadata import version

import pylibsrtp
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport
from aiortc.rtcsctptransport import InboundStream, RTCSctpTransport
from pylibsrtp import _binding

from media.transport import srtp
from media.transport.dtls import DtlsEndpoint


def test_the_versions_are_the_pinned_ones() -> None:
    assert version("pylibsrtp") == "1.0.0"
    assert version("aiortc") == "1.16.0"
    assert version("aioice") == "0.13.0"


def test_libsrtp_is_called_in_place() -> None:
    for name in ("srtp_protect", "srtp_unprotect", "srtp_protect_rtcp", "srtp_unprotect_rtcp"):
        assert callable(getattr(_binding.lib, name))
    assert srtp.protect is _binding.lib.srtp_protect
    session = pylibsrtp.Session()
    assert _binding.ffi.typeof(session._srtp).cname == "struct srtp_ctx_t_ * *"


def test_the_dtls_transport_has_what_we_use() -> None:
    source = inspect.getsource(RTCDtlsTransport)
    for name in (
        "_rx_srtp", "_tx_srtp", "_task", "_data_receiver", "self._transport = transport", "self.transport._recv()",
        "self.transport._send(data)", "._create_ssl_context(",
    ):  # fmt: skip
        assert name in source
    for name in ("_set_role", "start", "stop"):
        assert callable(getattr(RTCDtlsTransport, name))
    assert callable(RTCCertificate.generateCertificate)


def test_the_adapter_gives_what_the_transports_read() -> None:
    for name in ("_recv", "_send", "role", "state"):
        assert hasattr(DtlsEndpoint, name)
    assert "_handle_data" in RTCSctpTransport.__dict__


def test_what_an_association_holds_can_be_counted() -> None:
    held = inspect.getsource(RTCSctpTransport)
    for name in ("self._inbound_streams: dict[int, InboundStream]", "self._sack_misordered: set[int]"):
        assert name in held
    assert InboundStream().reassembly == []
