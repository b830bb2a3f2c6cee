"""Where the media workers listen: never at an address that browsers cannot be told to come to."""

import ipaddress

import pytest

from server import addresses
from server.app import WorkerMedia
from server.config import Config, MediaConfig
from server.errors import ConfigError


def test_nothing_chosen_is_everything() -> None:
    assert addresses.media_addresses((), ()) == addresses.own_addresses()


@pytest.mark.parametrize(("wildcard", "version"), [("0.0.0.0", 4), ("::", 6)])
def test_a_wildcard_becomes_the_addresses_of_its_version(wildcard: str, version: int) -> None:
    found = addresses.media_addresses((wildcard,), ())
    assert found == tuple(one for one in addresses.own_addresses() if ipaddress.ip_address(one).version == version)
    assert wildcard not in found


def test_what_is_chosen_stays_and_comes_once() -> None:
    assert addresses.media_addresses(("127.0.0.1", "0.0.0.0"), ())[0] == "127.0.0.1"
    assert addresses.media_addresses(("127.0.0.1", "0.0.0.0"), ()).count("127.0.0.1") == 1
    assert addresses.media_addresses(("0.0.0.0",), ("203.0.113.1",)) == ("0.0.0.0",)


@pytest.mark.parametrize(
    "media", [MediaConfig(announced_addresses=("0.0.0.0",)), MediaConfig(bind_addresses=("bank.example",))]
)
def test_what_cannot_work_stops_the_start(media: MediaConfig) -> None:
    with pytest.raises(ConfigError, match="media"):
        WorkerMedia(Config(media=media))
