"""Where the demo's bank listens, and what alone the server is told because of it."""

import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server import demo_beside
from server.cobrowse.rules import read_rules
from server.config import Config, load
from server.errors import ConfigError


def config(folder: Path, **overrides: object) -> Config:
    values: dict[str, object] = {"port": 0, "data_dir": str(folder)}
    return load(environment={}, overrides={**values, **{name.replace("__", "."): value for name, value in overrides.items()}})


def test_the_server_is_told_of_the_bank_and_of_nothing_else(tmp_path: Path) -> None:
    given = config(tmp_path, webhooks__origins=["https://core.bank.example"])
    with closing(demo_beside.place(given)) as place:
        port = place.sock.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        assert (place.url, place.callback_url, place.hooks) == (url, url, None)
        assert place.config.webhooks.origins == ("https://core.bank.example", url)
        assert place.config.transactions.return_origins == (url,)
        (site,) = place.config.cobrowse.sites
        assert (site.key, site.origins) == ("pk_demo", (url,))
        assert read_rules(site.rules.read_bytes()).page(f"{url}/history").name == "history"
        back: Any = msgspec.structs.replace(
            place.config, webhooks=given.webhooks, transactions=given.transactions, cobrowse=given.cobrowse
        )
        assert back == given


def test_it_is_next_to_the_server_or_further_on(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, closing(demo_beside.place(config(tmp_path))) as free:
        port = server.getsockname()[1]
        with (
            closing(demo_beside.place(config(tmp_path, port=port))) as first,
            closing(demo_beside.place(config(tmp_path, port=port))) as second,
        ):
            found = [one.sock.getsockname()[1] for one in (first, second)]
            assert found[0] != found[1]
            assert all(0 < one - port <= demo_beside.PORTS_TRIED for one in found)
        assert free.sock.getsockname()[1] > 0
        with closing(demo_beside.place(config(tmp_path, port=65535))) as last:
            assert last.sock.getsockname()[1] != 65535
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is in use"):
            demo_beside.place(config(tmp_path, demo_bank_port=port))


def test_under_tls_webhooks_come_in_on_this_machine_alone(tmp_path: Path) -> None:
    with closing(demo_beside.place(config(tmp_path, host="0.0.0.0", tls_self_signed=True))) as place:
        assert place.hooks is not None
        assert place.hooks.getsockname()[0] == "127.0.0.1"
        assert place.url.startswith("https://")
        assert place.callback_url == f"http://127.0.0.1:{place.hooks.getsockname()[1]}"
        assert place.config.webhooks.origins == (place.callback_url,)
        assert place.config.transactions.return_origins == (place.url,)


def test_nobody_is_sent_back_over_plain_http_to_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.addresses.outside_address", lambda: "192.0.2.7")
    with closing(demo_beside.place(config(tmp_path, host="0.0.0.0", insecure_http=True))) as place:
        assert place.url.startswith("http://192.0.2.7:")
        assert place.config.transactions.return_origins == ()
