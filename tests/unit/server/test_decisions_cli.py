"""``tongping verify-decision``: files in, one clear answer and an exit status out."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from server.auth.jwks import key_set
from server.cli import app
from server.errors import Invalid
from server.transactions.decision import AttemptKind, Outcome
from server.transactions.details import details_hash
from server.transactions.risk.result import RiskLevel
from server.transactions.token import DecisionSigner
from tests.support.cases import DETAILS, HASH
from tests.support.records import at

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BANK = "AK_" + "A" * 26
WHEN = "2026-03-01T08:31:00Z"


CASE = "VE_" + "A" * 26


def token(decision: Outcome = Outcome.ACCEPT) -> str:
    signer = DecisionSigner(KEY, "k1", issuer="https://video.bank.example", lifetime_s=300)
    return signer.sign(
        audience=BANK, jti="DE_1", case=CASE, customer="c-7f3a", type="card_loss_report",
        details_hash=details_hash(DETAILS), decision=decision, reasons=(), policy_hash=HASH, pack_hash=HASH,
        assurance=AttemptKind.LIVE, risk_level=RiskLevel.LOW, now=at(0),
    )[0]  # fmt: skip


def run(folder: Path, held: str, *more: str, details: Any = DETAILS, audience: str = BANK, stdin: str = "") -> Result:
    (folder / "keys.json").write_text(json.dumps(key_set({"k1": KEY.public_key()})))
    (folder / "details.json").write_text(json.dumps(details))
    options = [
        "--jwks",
        str(folder / "keys.json"),
        "--details",
        str(folder / "details.json"),
        "--audience",
        audience,
        "--case",
        CASE,
    ]
    return CliRunner().invoke(app, ["verify-decision", *options, "--at", WHEN, *more, held], input=stdin)


def test_an_accepted_one(tmp_path: Path) -> None:
    for done in (run(tmp_path, token()), run(tmp_path, "-", stdin=token() + "\n")):
        assert done.exit_code == 0, done.output
        assert done.output.splitlines()[-1] == "accepted"
        assert json.loads(done.output.rpartition("\n")[0].rpartition("\n")[0])["customer"] == "c-7f3a"


def test_one_that_was_not_accepted(tmp_path: Path) -> None:
    done = run(tmp_path, token(Outcome.REJECT))
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "not accepted: reject")


@pytest.mark.parametrize(
    ("more", "how", "code"),
    [
        ([], {"details": {"card": "6222020200112234"}}, "other_details"),
        ([], {"audience": "AK_" + "B" * 26}, "wrong_audience"),
        (["--issuer", "https://elsewhere.example"], {}, "wrong_issuer"),
        (["--case", "VE_" + "B" * 26], {}, "other_case"),
        (["--type", "debit_card_password_change"], {}, "other_type"),
        (["--customer", "c-other"], {}, "other_customer"),
        (["--at", "2026-03-01T09:30:00"], {}, "expired"),
        (["--at", "2025-03-01T09:30:00+08:00"], {}, "not_yet"),
    ],
)
def test_what_is_refused(tmp_path: Path, more: list[str], how: dict[str, Any], code: str) -> None:
    done = run(tmp_path, token(), *more, **how)
    assert (done.exit_code, done.output.partition(":")[0], done.output.split(": ")[1]) == (1, "refused", code)


def test_without_a_time_it_is_now(tmp_path: Path) -> None:
    done = run(tmp_path, token(), "--at", "")
    assert done.output.startswith(("refused: expired", "refused: not_yet"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--at", "noon"], "is not a time"),
        (["--jwks", "/nowhere/keys.json"], "cannot be read"),
        (["--jwks", "http://keys.example/jwks"], "begins with https://"),
        (["--jwks", "file:///etc/passwd"], "begins with https://"),
        (["--jwks", "http://127.0.0.1:1/jwks"], "cannot be read"),
        (["--details", "/nowhere/details.json"], "cannot be read"),
    ],
)
def test_mistakes(tmp_path: Path, more: list[str], said: str) -> None:
    done = run(tmp_path, token(), *more)
    assert isinstance(done.exception, Invalid)
    assert said in done.exception.detail


def test_files_that_are_too_large_or_no_keys(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 70_000)
    text = tmp_path / "text.json"
    text.write_bytes(b"\xff")
    for more, said in (
        (["--jwks", str(large)], "more than 65536 bytes"),
        (["--details", str(large)], "more than 8192 bytes"),
        (["--jwks", str(text)], "not a set of keys"),
        (["--details", str(text)], "not UTF-8"),
    ):
        done = run(tmp_path, token(), *more)
        assert isinstance(done.exception, Invalid)
        assert said in done.exception.detail
    empty = tmp_path / "empty.json"
    empty.write_text("{}")
    assert run(tmp_path, token(), "--jwks", str(empty)).output.startswith("refused: keys_invalid")
