"""docs/audit.md says of every operation and every command which entry it leaves, or why it leaves none. This holds that against what there is."""

import re
from typing import Any

import typer

from server.api.operations import OPERATIONS
from server.audit.events import AuditAction
from server.cli import app
from tests.support.repository import ROOT

ROW = re.compile(r"\| `([a-z0-9_ -]+)` \|([^|]*)\|([^|]*)\|$")
EVENT = re.compile(r"`([a-z_]+\.[a-z_]+)`")


def table(head: str) -> dict[str, tuple[list[str], str]]:
    """name → (entries, why there is none)."""
    _, _, after = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8").partition(f"| {head} | Entry | None, because |\n")
    found: dict[str, tuple[list[str], str]] = {}
    for line in after.splitlines()[1:]:
        if not line.startswith("|"):
            break
        row = ROW.match(line)
        assert row is not None, line
        assert row[1] not in found, f"{row[1]} stands there twice"
        found[row[1]] = EVENT.findall(row[2]), row[3].strip()
    return found


def commands(group: Any, before: str = "") -> set[str]:
    found: set[str] = set()
    for name, command in group.commands.items():
        found |= commands(command, f"{before}{name} ") if hasattr(command, "commands") else {f"{before}{name}"}
    return found


def test_every_operation_says_which_entry_it_leaves() -> None:
    assert table("Operation").keys() == {one.id for one in OPERATIONS}


def test_every_command_says_which_entry_it_leaves() -> None:
    assert table("Command").keys() == commands(typer.main.get_command(app))


def test_an_entry_is_one_that_the_server_writes_and_none_has_a_reason() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "server").rglob("*.py") if path.name != "events.py")
    for name, (entries, why) in {**table("Operation"), **table("Command")}.items():
        assert entries or why, f"{name}: neither an entry nor a reason"
        for entry in entries:
            assert f"AuditAction.{AuditAction(entry).name}" in written, entry


def test_what_changes_something_for_good_has_an_entry() -> None:
    """Those that change nothing of anybody's, or whose change is another operation's entry."""
    free = {"renew_login", "start_network_test", "cancel_export", "check_risk"}
    for operation in OPERATIONS:
        if operation.method != "GET" and operation.id not in free:
            assert table("Operation")[operation.id][0], operation.id
