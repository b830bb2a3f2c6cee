"""One verification as a folder that a court could read: all of it is checked on a machine that knows nothing but the folder."""

import asyncio
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from server.audit.chain import Checkpoint
from server.audit.signed import CheckpointSigner
from server.case_report import Page
from server.cli import app as cli
from server.clock import SystemClock
from server.domain.ids import CaseId, StaffId
from server.domain.model import Language
from server.errors import TongpingError
from server.services import case_folder
from server.services.case_folder import CaseFolder
from server.services.verification_evidence import Kept
from server.store.sql import open_store
from server.transactions.case import Review
from server.transactions.decision import CheckOutcome, CheckResult, Outcome
from server.transactions.material import Facts
from server.transactions.policy import Check
from tests.scenario.test_verifications_api import DETAILS, Bank, settings
from tests.support.bank_place import takes
from tests.support.cases import attempt
from tests.support.records import T0, Records
from tests.support.server import app


class Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def run(*arguments: str) -> tuple[int, str]:
    done = await asyncio.to_thread(CliRunner().invoke, cli, arguments)
    error = done.exception
    return done.exit_code, done.output + (error.detail if isinstance(error, TongpingError) else repr(error) if error else "")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_everything_in_it_is_checked_by_itself(tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        other = await bank.ready(customer="c-other")
        id = await bank.ready(customer="c-7")
        assert (await bank.show(id, takes())).json["attempt"]["outcome"] == "accept"
        result = (await bank.get(id)).json
        await bank.post(f"/{id}/redeem", {"token": result["result"]})
        await here.get("/audit/checkpoint", token=here.supervisor)
    await store.close()
    file = tmp_path / "tongping.toml"
    file.write_text(f'data_dir = "{data}"\n[transactions]\npolicies_dir = "{tmp_path}/policies"\n')
    folder = tmp_path / "court"
    status, text = await run("evidence", "report", id, str(folder), "--language", language, "--config", str(file))
    assert status == 0, text
    listed = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    sums = {path: digest for digest, path in listed}
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert sums == {path: hashlib.sha256(content).hexdigest() for path, content in found.items() if path != "SHA256SUMS"}
    assert folder.stat().st_mode & 0o777 == 0o700

    page = found["report.html"].decode()
    tags = Reader(page).tags
    assert f'lang="{language}"' in page
    images = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert images
    assert all(image in found and hashlib.sha256(found[image]).hexdigest() in page for image in images if image is not None)
    assert not any(tag in ("script", "link", "iframe", "object") or "http" in str(attributes) for tag, attributes in tags)
    assert other not in page
    assert json.loads(found["case.json"])["decided"]["rules_hash"] in page

    read_me = found["README.txt"].decode()
    monkeypatch.chdir(folder)
    [audit] = re.findall(r"tongping (audit verify .*)", read_me)
    assert (await run(*audit.split()))[0] == 0
    [decision] = re.findall(r"tongping (verify-decision .*) \"", read_me)
    details = tmp_path / "DETAILS.json"
    details.write_text(str(DETAILS).replace("'", '"'))
    words = decision.replace("DETAILS.json", str(details)).split()
    status, text = await run(*words, found["decision.jws"].decode())
    assert (status, text.splitlines()[-1]) == (0, "accepted"), text
    details.write_text('{"card": "6222020200112233", "amount": "9250.00"}')
    assert (await run(*words, found["decision.jws"].decode()))[0] == 1
    trail = folder / "audit" / "trail.jsonl"
    trail.write_text(trail.read_text().replace('"outcome":"accept"', '"outcome":"reject"'))
    assert (await run(*audit.split()))[0] == 1

    assert "is there already" in (await run("evidence", "report", id, str(folder), "--config", str(file)))[1]
    assert "VE_" in (await run("evidence", "report", "x", str(tmp_path / "no"), "--config", str(file)))[1]
    nobody = await run("evidence", "report", f"VE_{'A' * 26}", str(tmp_path / "no"), "--config", str(file))
    assert nobody[0] != 0
    assert not (tmp_path / "no").exists()


def test_no_text_is_taken_for_html() -> None:
    bad = '<img src=x onerror="alert(1)">&'
    case = msgspec.structs.replace(
        Records().case(), customer=bad, consent=bad, reviews=(Review(by=StaffId("ST_1"), at=T0, approved=False, note=bad),)
    )
    for language in Language:
        page = Page(language, {}, {}).written(case, [], None, [], [], T0)
        assert "<img" not in page
        assert page.count("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;") == 3


def test_evidence_from_before_what_was_agreed_to_was_sealed_has_the_ids() -> None:
    records = Records()
    case = records.case()
    tried = msgspec.structs.replace(
        records.attempt(case.id), ended_at=T0, outcome=Outcome.ACCEPT, checked=attempt(), evidence="ab"
    )
    old = Facts(
        schema=1, case=case.id, type=case.type, attempt=tried.id, number=1, assurance=tried.assurance, session=None, started_at=T0,
        started_by="system", sealed_at=T0, consents=("consents/1", "CO_1", "CO_2"), policy_hash="", details_hash="", checked=attempt(),
        played={}, pictures=(),
    )  # fmt: skip
    form = msgspec.json.decode(msgspec.json.encode(old))
    del form["agreed"]
    kept = Kept(
        attempt=tried, name="at", digest="ab", facts=msgspec.json.decode(msgspec.json.encode(form), type=Facts), pictures=()
    )
    assert "has the consents' ids alone: CO_1 CO_2;" in Page(Language.EN, {}, {}).written(case, [tried], None, [kept], [], T0)
    assert "只记了同意的编号：CO_1 CO_2；" in Page(Language.ZH, {}, {}).written(case, [tried], None, [kept], [], T0)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh", ("张&lt;b&gt;敏 (ST_1)", "账号已于", "账号已不存在", "一般不计为客户的失败", "too_slow（因我方原因，不作数）")),
        (
            "en",
            (
                "张&lt;b&gt;敏 (ST_1)",
                "switched off at",
                "no such account any more",
                "as a rule no failure",
                "too_slow (through us, does not count)",
            ),
        ),
    ],
)
def test_people_are_named_and_what_ended_through_us_is_marked(language: str, words: tuple[str, ...]) -> None:
    records = Records()
    gone = StaffId(records.id("ST"))
    zhang = msgspec.structs.replace(records.staff("zhang"), id=StaffId("ST_1"), name="张<b>敏")
    left = msgspec.structs.replace(records.staff("left"), name="Left", disabled_at=T0)
    by = (zhang.id, left.id, gone)
    case = msgspec.structs.replace(records.case(), reviews=tuple(Review(by=one, at=T0, approved=True, note="") for one in by))
    late = CheckResult(
        name=Check.CHALLENGE, outcome=CheckOutcome.REFER, score=None, reasons=("too_slow", "nod_missing"), excused=("too_slow",)
    )
    ended = {"ended_at": T0, "outcome": Outcome.REFER, "reasons": ("engine_lost",)}
    ours = msgspec.structs.replace(records.attempt(case.id), checked=attempt(checks=(late,), fault="engine_lost"), **ended)
    theirs = msgspec.structs.replace(records.attempt(case.id), checked=attempt(checks=(), fault="camera_off"), **ended)
    page = Page(Language(language), {}, {zhang.id: zhang, left.id: left}).written(case, [ours, theirs], None, [], [], T0)
    assert [page.count(one) for one in words] == [1] * len(words)
    assert f"({left.id}, " in page
    assert gone in page


async def test_a_checkpoint_of_what_is_not_there_and_a_late_refusal_keep_nobody_from_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older copy of the database came back: the newest checkpoint saw entries that it does not have. And the token is shown once more, long after."""
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        assert (await bank.show(id, takes())).json["attempt"]["outcome"] == "accept"
        result = (await bank.get(id)).json["result"]
        await bank.post(f"/{id}/redeem", {"token": result})
        for _ in range(3):
            await bank.ask(customer="c-other")
        monkeypatch.setattr(case_folder, "MOST_ENTRIES", 30)
        for number in range(30):
            await bank.ask(customer=f"c-{number + 10}")
        here.server.context.verifications.cases.clock = Later()
        assert (await bank.post(f"/{id}/redeem", {"token": result})).status == 410
        context = here.server.context
        async with store.read() as tx:
            head = await tx.audit_head()
        signer = CheckpointSigner(Ed25519PrivateKey.generate(), "k", issuer="https://video.bank.example")
        ahead = signer.sign(Checkpoint(number=head + 5, hash=b"\0" * 32), datetime.now(UTC))
        made = CaseFolder(context.verifications.cases, context.verifications.evidence, [ahead], {}, {})
        async with asyncio.timeout(20):
            files = await made.files(CaseId(id), Language.EN, "command-line")
    await store.close()
    assert "audit/checkpoint.jws" not in files
    assert b"saw entries that are not there" in files["README.txt"]
    trail = [msgspec.json.decode(line)["entry"]["action"] for line in files["audit/trail.jsonl"].splitlines()]
    assert trail[-1] == "verification.redeemed"


class Later(SystemClock):
    def now(self) -> datetime:
        return super().now() + timedelta(days=400)
