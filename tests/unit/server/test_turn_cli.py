"""`tongping turn config` and what it is made of: our configuration in, coturn's out, mistakes in one clear line."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server import relaying
from server.cli import app
from server.config import load
from server.errors import ConfigError


def configured(folder: Path, **overrides: object) -> str:
    values = {name.replace("__", "."): value for name, value in overrides.items()}
    return relaying.configuration(load(environment={}, overrides={"data_dir": str(folder), **values}))


def values(text: str, name: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.partition("=")[0] == name]


def test_the_workers_addresses_are_the_only_ones(tmp_path: Path) -> None:
    bound = configured(tmp_path, media__bind_addresses=["192.0.2.7"], turn__listen_addresses=["192.0.2.1"])
    assert values(bound, "allowed-peer-ip") == ["192.0.2.7"]
    assert values(bound, "listening-ip") == values(bound, "relay-ip") == ["192.0.2.1"]
    announced = configured(tmp_path, media__bind_addresses=["0.0.0.0"], media__announced_addresses=["203.0.113.9"])
    assert values(announced, "allowed-peer-ip") == ["203.0.113.9"]
    chosen = configured(tmp_path, turn__peer_addresses=["10.0.0.5", "10.0.0.6"], media__announced_addresses=["203.0.113.9"])
    assert values(chosen, "allowed-peer-ip") == ["10.0.0.5", "10.0.0.6"]


def test_on_one_machine_it_listens_on_loopback_only(tmp_path: Path) -> None:
    text = configured(tmp_path)
    assert values(text, "listening-ip") == ["127.0.0.1"]
    assert "127.0.0.1" in values(text, "allowed-peer-ip")
    assert "no-tls" in text.splitlines()


def test_who_comes_from_elsewhere_is_not_led_to_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.addresses.own_addresses", lambda: ("192.0.2.7", "2001:db8::7", "127.0.0.1", "::1"))
    public = {"turn__host": "relay.bank.example", "turn__listen_addresses": ["192.0.2.1"]}
    for text in (configured(tmp_path, **public), configured(tmp_path, turn__host="192.0.2.7")):
        assert values(text, "allowed-peer-ip") == ["192.0.2.7", "2001:db8::7"]
        assert "allow-loopback-peers" not in text.splitlines()
    with pytest.raises(ConfigError, match="none but loopback"):
        configured(tmp_path, media__bind_addresses=["127.0.0.1"], **public)
    asked_for = configured(tmp_path, turn__peer_addresses=["127.0.0.1"], **public)
    assert values(asked_for, "allowed-peer-ip") == ["127.0.0.1"]


def test_the_secret_is_the_same_on_every_side(tmp_path: Path) -> None:
    assert values(configured(tmp_path), "static-auth-secret") == values(configured(tmp_path), "static-auth-secret")
    shared = {"secret": "a secret that several nodes share, 32"}
    one, other = configured(tmp_path / "a", **shared), configured(tmp_path / "b", **shared)
    assert values(one, "static-auth-secret") == values(other, "static-auth-secret")
    assert values(configured(tmp_path, turn__secret="t" * 32), "static-auth-secret") == ["t" * 32]


def test_tls_takes_the_chosen_certificate_or_makes_one(tmp_path: Path) -> None:
    made = configured(tmp_path, turn__tls_port=5349)
    (certificate,) = values(made, "cert")
    assert Path(certificate).is_file()
    assert Path(certificate).is_absolute()
    files = {"turn__tls_cert_file": certificate, "turn__tls_key_file": values(made, "pkey")[0]}
    assert values(configured(tmp_path / "other", turn__tls_port=443, **files), "cert") == [certificate]
    with pytest.raises(ConfigError, match="cannot be read"):
        configured(tmp_path, turn__tls_port=443, turn__tls_cert_file="/no/such", turn__tls_key_file="/no/such")


def test_it_is_written_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGPING_DATA_DIR", str(tmp_path / "data"))
    target = tmp_path / "turnserver.conf"
    done = CliRunner().invoke(app, ["turn", "config", "--write", str(target)])
    assert done.exit_code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "use-auth-secret" in target.read_text()
    assert values(target.read_text(), "static-auth-secret")[0] not in done.output
    shown = CliRunner().invoke(app, ["turn", "config"])
    assert shown.output == target.read_text()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"turn.host": "turn:relay.example"}, "turn.host: a name or an address, without a scheme or a port"),
        ({"turn.secret": "short"}, "turn.secret: at least 32 visible ASCII characters"),
        ({"turn.tls_cert_file": "x"}, "turn.tls_cert_file and turn.tls_key_file go together"),
        ({"turn.tls_port": 3478}, "turn.tls_port and turn.port must be different"),
        ({"turn.relay_port_min": 60000, "turn.relay_port_max": 50000}, "turn.relay_port_min is above turn.relay_port_max"),
        ({"turn.peer_addresses": ["10.0.0.0/8"]}, "turn: '10.0.0.0/8' is not an IP address"),
        ({"turn.peer_addresses": ["0.0.0.0"]}, "turn: 0.0.0.0 is not the address of one media worker"),
        ({"turn.listen_addresses": ["relay.example"]}, "turn: 'relay.example' is not an IP address"),
        ({"turn.realm": "two words"}, "turn: the realm has visible ASCII characters only"),
        ({"turn.user_quota": 1}, "turn.user_quota: Expected `int` >= 4"),
    ],
)
def test_mistakes_are_one_clear_line(tmp_path: Path, overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        relaying.configuration(load(environment={}, overrides={"data_dir": str(tmp_path), **overrides}))
    assert refused.value.detail == message
