"""What coturn is started with: every option is one of the installed coturn's, and what cannot work is refused."""

import ipaddress
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from turn.errors import SettingsError
from turn.ranges import DENIED, SPECIAL_IPV4, SPECIAL_IPV6, coturn_range, denied_networks
from turn.settings import Settings, render

GOOD: dict[str, Any] = {
    "listen": ("192.0.2.1", "2001:db8::1"),
    "relay": ("192.0.2.1",),
    "peers": ("10.0.0.5", "2001:db8::5"),
    "realm": "bank.example",
    "secret": "s" * 32,
    "folder": "/var/lib/tongping/turn",
}


def options(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def test_who_may_be_reached() -> None:
    text = render(Settings(**GOOD))
    allowed = [value for name, value in options(text) if name == "allowed-peer-ip"]
    denied = [value for name, value in options(text) if name == "denied-peer-ip"]
    assert allowed == ["10.0.0.5", "2001:db8::5"]
    assert denied == [coturn_range(network) for network in denied_networks()]
    assert denied[-2:] == ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
    assert ("allow-loopback-peers", "") not in options(text)
    assert ("allow-loopback-peers", "") in options(render(Settings(**GOOD | {"peers": ("127.0.0.1",)})))


def test_every_special_range_is_named() -> None:
    """By Python's own knowledge of the registries: whatever is not global is within a range that we name."""
    named = [ipaddress.ip_network(text) for text in (*SPECIAL_IPV4, *SPECIAL_IPV6)]
    for text in ("0.1.2.3", "10.9.9.9", "100.64.0.1", "127.8.8.8", "169.254.169.254", "172.31.0.1", "192.168.3.3", "224.0.0.251",
                 "255.255.255.255", "198.18.0.1", "::", "::1", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::",
                 "fe80::1", "fd00::1", "ff02::1", "fec0::1", "2001::1", "100::1"):  # fmt: skip
        address = ipaddress.ip_address(text)
        assert any(address in network for network in named if network.version == address.version), text
    assert len(set(DENIED)) == len(DENIED)


def test_a_range_is_written_out() -> None:
    assert coturn_range(ipaddress.ip_network("10.0.0.0/8")) == "10.0.0.0-10.255.255.255"
    assert coturn_range(ipaddress.ip_network("::1/128")) == "::1"


def test_tls_only_where_there_is_a_certificate() -> None:
    plain = options(render(Settings(**GOOD)))
    assert ("no-tls", "") in plain
    assert ("no-dtls", "") in plain
    files = {"tls_port": 443, "tls_cert_file": "/c.pem", "tls_key_file": "/k.pem"}
    secured = dict(options(render(Settings(**GOOD | files))))
    assert (secured["tls-listening-port"], secured["cert"], secured["pkey"]) == ("443", "/c.pem", "/k.pem")
    assert {"no-tlsv1", "no-tlsv1_1", "no-dtls"} <= set(secured)
    assert "no-tls" not in secured


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"listen": ()}, "no_listen_address"),
        ({"peers": ()}, "no_peer_address"),
        ({"relay": ("relay.example",)}, "bad_relay_address"),
        ({"peers": ("10.0.0.0/8",)}, "bad_peer_address"),
        ({"peers": ("10.0.0.1-10.0.0.9",)}, "bad_peer_address"),
        ({"peers": ("0.0.0.0",)}, "bad_peer_address"),
        ({"peers": ("::",)}, "bad_peer_address"),
        ({"peers": ("224.0.0.1",)}, "bad_peer_address"),
        ({"peers": ("255.255.255.255",)}, "bad_peer_address"),
        ({"peers": ("::ffff:10.0.0.1",)}, "bad_peer_address"),
        ({"peers": (*(f"10.0.{n}.1" for n in range(256)), "10.9.9.9")}, "too_many_peers"),
        ({"secret": "short"}, "bad_secret"),
        ({"secret": "s" * 32 + "\nno-auth"}, "bad_secret"),
        ({"realm": "a\nno-auth"}, "bad_realm"),
        ({"realm": ""}, "bad_realm"),
        ({"port": 0}, "bad_port"),
        ({"tls_port": 3478, "tls_cert_file": "c", "tls_key_file": "k"}, "bad_port"),
        ({"tls_port": 443}, "no_certificate"),
        ({"tls_port": 443, "tls_cert_file": "c\nno-auth", "tls_key_file": "k"}, "bad_path"),
        ({"folder": "/x\nno-auth"}, "bad_path"),
        ({"relay_port_min": 60000, "relay_port_max": 50000}, "bad_relay_ports"),
        ({"relay_port_min": 80}, "bad_relay_ports"),
    ],
)
def test_what_cannot_work_is_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings(**GOOD | change)
    assert refused.value.code == code
    assert GOOD["secret"] not in str(refused.value)


def test_the_secret_is_not_in_what_is_printed() -> None:
    assert GOOD["secret"] not in repr(Settings(**GOOD))


def test_every_line_is_an_option_of_the_installed_coturn() -> None:
    binary = shutil.which("turnserver", path="/usr/bin:/usr/local/bin")
    if binary is None:
        pytest.skip("needs coturn; as root: apt-get install -y --no-install-recommends coturn")
    said = subprocess.run([binary, "-h"], capture_output=True, text=True, check=False, timeout=20)
    known = set(re.findall(r"--([a-z0-9][a-zA-Z0-9_-]+)", said.stdout + said.stderr))
    files = {"tls_port": 443, "tls_cert_file": "/c.pem", "tls_key_file": "/k.pem", "peers": ("127.0.0.1",)}
    for text in (render(Settings(**GOOD)), render(Settings(**GOOD | files))):
        assert {name for name, _ in options(text)} <= known


def test_the_folder_is_where_it_writes() -> None:
    values = dict(options(render(Settings(**GOOD))))
    assert Path(values["pidfile"]).parent == Path(values["userdb"]).parent == Path(GOOD["folder"])
    assert values["log-file"] == "stdout"
