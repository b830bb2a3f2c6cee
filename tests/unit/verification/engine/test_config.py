"""How a pool is set up: what must hold its workers, on each kind of machine."""

import platform
import sys

import pytest

from verification.engine.config import EngineConfig


@pytest.mark.parametrize(
    ("system", "machine", "providers", "required", "wanted"),
    [
        ("linux", "x86_64", ("cpu",), ("auto",), {"limits", "privileges", "calls"}),
        ("linux", "aarch64", ("CPUExecutionProvider",), ("auto",), {"limits", "privileges", "calls"}),
        ("linux", "riscv64", ("cpu",), ("auto",), {"limits", "privileges"}),
        ("linux", "x86_64", ("cuda", "cpu"), ("auto",), {"privileges"}),
        ("darwin", "arm64", ("cpu",), ("auto",), {"limits"}),
        ("darwin", "arm64", ("coreml",), ("auto",), set()),
        ("darwin", "arm64", ("cpu",), ("auto", "network"), {"limits", "network"}),
        ("linux", "x86_64", ("cpu",), ("limits", "user"), {"limits", "user"}),
        ("linux", "x86_64", ("cpu",), (), set()),
    ],
)
def test_what_must_hold_a_worker(
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    machine: str,
    providers: tuple[str, ...],
    required: tuple[str, ...],
    wanted: set[str],
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert EngineConfig(providers=providers, require_confined=required).confined == wanted


def test_what_there_is_not() -> None:
    with pytest.raises(ValueError, match="by the name of landlock: calls, limits, network, privileges, user"):
        EngineConfig(require_confined=("auto", "landlock"))
