"""Campaign 19 through the product: what was shown is uploaded over HTTP, kept in the real vault, decided, reviewed, tampered with, moved under other keys,
erased; and nothing plain of it is anywhere. The vault's own part is ``tests/unit/verification/evidence``.
"""

import asyncio
import hashlib
import io
import json
import logging
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image
from typer.testing import CliRunner

from server.cli import app as cli
from server.domain.ids import AttemptId, CaseId
from server.domain.model import Language
from server.evidence import evidence_keys, open_vault
from server.services.case_folder import CaseFolder
from server.store.sql import open_store
from tests.scenario.test_verifications_api import CALM, Bank, b64, settings
from tests.support.bank_place import PICTURES, takes
from tests.support.server import Answer, Here, app, config
from tests.support.signalling import ManualClock
from tests.support.tiny_engine import ALICE, BOB, draw
from verification.evidence.format import EvidenceError
from verification.evidence.vault import FileVault

pytestmark = pytest.mark.campaign(19)

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
"""Every byte of a picture's files is changed, not seven."""
REFERRED = CALM.replace('action = "reject"', 'action = "refer"')
LARGE = {"card": "6222020200112233", "amount": "2000000.00"}
CANARY = "consents/CANARY-19"
ENROLLED = draw(ALICE, size=(220, 180))
REFERENCE = "reference-1"


class House:
    """A server with a database on disk, and what it has kept."""

    def __init__(self, here: Here, bank: Bank, folder: Path) -> None:
        self.here, self.bank = here, bank
        self.evidence = folder / "data" / "evidence"

    async def referred(self, **fields: Any) -> tuple[str, str]:
        """A case in review, and its attempt."""
        id = await self.bank.ready(details=LARGE, consent=CANARY, **fields)
        done = await self.bank.show(id, takes())
        assert (done.status, done.json["verification"]["state"]) == (201, "review"), done.json
        return id, str(done.json["attempt"]["id"])

    async def referred_by_template(self, customer: str = "c-1", picture: bytes = b"") -> tuple[str, str]:
        """The same, of a customer whose enrolment's picture is kept."""
        here = self.here
        faces = (await here.post("/keys", {"name": f"faces {customer}", "faces": True}, token=here.supervisor)).json["secret"]
        body = {"image": b64(picture or draw(ALICE)), "subject": customer, "consent": CANARY, "keep_picture": True}
        made = (await here.post("/face/templates", body, token=faces)).json["template"]
        assert made["picture_kept"]
        id = (await self.bank.ask(customer=customer, details=LARGE, consent=CANARY, template=made["id"])).json["id"]
        done = await self.bank.show(id, takes())
        assert (done.status, done.json["verification"]["state"]) == (201, "review"), done.json
        return id, str(done.json["attempt"]["id"])

    async def detail(self, id: str) -> Any:
        return (await self.here.get(f"/reviews/{id}", token=self.here.supervisor)).json

    async def picture(self, id: str, attempt: str, name: str = "upload-1", token: str = "") -> Answer:
        path = f"/reviews/{id}/attempts/{attempt}/pictures/{name}"
        return await self.here.get(path, token=token or self.here.supervisor)

    async def audit(self, action: str) -> list[Any]:
        found: list[Any] = []
        while True:
            path = f"/audit?limit=100&after={found[-1]['number'] if found else 0}"
            page = (await self.here.get(path, token=self.here.supervisor)).json["entries"]
            if not page:
                return [entry for entry in found if entry["action"] == action]
            found += page

    def of(self, attempt: str) -> Path:
        return self.evidence / attempt.lower()


@asynccontextmanager
async def house(folder: Path, *, clock: ManualClock | None = None) -> AsyncIterator[House]:
    if not (folder / "policies").exists():
        made = settings(folder)
        (folder / "policies" / "rules" / "default.toml").write_text(REFERRED, encoding="utf-8")
    else:
        made = settings_again(folder)
    (folder / "data").mkdir(exist_ok=True)
    store = await open_store(f"sqlite:///{folder / 'data' / 'tongping.db'}", migrate=True)
    async with app(folder, store=store, clock=clock, **made) as here:
        yield House(here, await Bank.of(here), folder)


def settings_again(folder: Path) -> dict[str, Any]:
    from tests.support.fake_engine import FakeEngine

    return {"engine": FakeEngine(), "transactions__policies_dir": str(folder / "policies")}


async def test_what_was_shown_is_kept_and_seen_by_whoever_reviews_it_and_each_look_is_written_down(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        id, attempt = await there.referred()
        detail = await there.detail(id)
        (shown,) = detail["attempts"]
        assert [one["name"] for one in shown["pictures"]] == [f"upload-{number}" for number in range(1, 11)]
        assert {one["kind"] for one in shown["pictures"]} == {"upload"}
        assert (detail["reference_picture"], shown["evidence_lost"]) == (True, False)
        seen = await there.picture(id, attempt)
        assert (seen.status, seen.headers["Content-Type"], seen.headers["Cache-Control"]) == (200, "image/jpeg", "no-store")
        picture = Image.open(io.BytesIO(seen.raw))
        assert (picture.format, picture.size, dict(picture.getexif())) == ("JPEG", (160, 120), {})
        reference = await there.here.get(f"/reviews/{id}/reference", token=there.here.supervisor)
        assert Image.open(io.BytesIO(reference.raw)).format == "JPEG"
        looks = await there.audit("evidence.read")
        assert [one["details"].get("picture") for one in looks] == ["upload-1", "reference"]
        assert {(one["subject"], one["actor"]) for one in looks} == {(id, there.here.supervisor_id)}
        ended = (await there.audit("verification.attempt_ended"))[-1]
        vault = open_vault(there.here.server.context.config)
        assert ended["details"]["evidence"] == vault.digest(attempt.lower())
        assert (await there.audit("verification.reference_set"))[-1]["details"]["evidence"]


async def test_who_may_not_review_it_sees_no_picture_and_nobody_does_once_it_is_decided(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        here = there.here
        id, attempt = await there.referred(session=await here.session(customer_reference="c-1"))
        other, other_attempt = await there.referred(customer="c-2")
        assert (await there.picture(id, attempt, token=here.agent)).code == "not_allowed"  # it is their own session
        assert (await here.get(f"/reviews/{id}/reference", token=here.agent)).code == "not_allowed"
        for wrong in ("upload-11", "manifest", "reference", "..", "key"):
            assert (await there.picture(id, attempt, wrong)).status == 404, wrong
        assert [one["details"]["picture"] for one in await there.audit("evidence.read")] == ["upload-11"]
        assert (await there.picture(id, other_attempt)).status == 404
        assert (await there.picture(id, "AT_" + "A" * 26)).status == 404
        assert (await there.picture(other, other_attempt, token=here.agent)).status == 200
        decline = {"decision": "decline", "reason": "somebody else"}
        assert (await here.post(f"/verifications/{id}/review", decline, token=here.supervisor)).status == 200
        assert (await there.picture(id, attempt)).code == "not_in_review"
        assert (await here.get(f"/reviews/{id}/reference", token=here.supervisor)).code == "not_in_review"


async def test_a_changed_swapped_replayed_or_missing_file_is_never_shown(tmp_path: Path) -> None:
    async with house(tmp_path, clock=ManualClock()) as there:
        id, attempt = await there.referred()
        _, other = await there.referred(customer="c-2")
        folder = there.of(attempt)
        for name in ("key", "manifest", "0000.blob"):
            whole = (folder / name).read_bytes()
            some = {0, 7, 8, 20, 40, len(whole) // 2, len(whole) - 1}
            for at in range(len(whole)) if LONG else some:
                changed = bytearray(whole)
                changed[at] ^= 1 << at % 8
                (folder / name).write_bytes(changed)
                assert (await there.picture(id, attempt)).code == "evidence_changed", (name, at)
            (folder / name).write_bytes(whole)
            print(f"{name}: {len(whole)} bytes, {len(whole) if LONG else len(some)} changed, none shown")
            with away(folder / name):
                assert (await there.picture(id, attempt)).status in (404, 410), name
        assert (await there.picture(id, attempt)).status == 200
        first, second = folder / "0000.blob", folder / "0001.blob"
        both = first.read_bytes(), second.read_bytes()
        first.write_bytes(both[1])
        second.write_bytes(both[0])
        assert (await there.picture(id, attempt)).code == "evidence_changed"
        first.write_bytes(both[0])
        second.write_bytes(both[1])
        for name in ("key", "manifest", "0000.blob"):  # of another case, under the same master key
            whole = (folder / name).read_bytes()
            (folder / name).write_bytes((there.of(other) / name).read_bytes())
            assert (await there.picture(id, attempt)).code == "evidence_changed", name
            (folder / name).write_bytes(whole)
        kept = folder.with_suffix(".kept")
        folder.rename(kept)
        shutil.copytree(there.of(other), folder)
        assert (await there.picture(id, attempt)).code == "evidence_changed"
        assert (await there.detail(id))["attempts"][0]["evidence_lost"]
        shutil.rmtree(folder)
        assert (await there.detail(id))["attempts"][0]["pictures"] == []
        kept.rename(folder)
        assert len((await there.detail(id))["attempts"][0]["pictures"]) == 10


async def test_the_picture_of_an_enrolment_is_seen_and_never_another_one(tmp_path: Path) -> None:
    """It is sealed with the attempt: changed, exchanged for another case's or for a newer one, it is not shown, and nobody approves by what is left."""
    async with house(tmp_path) as there:
        here = there.here
        id, attempt = await there.referred_by_template(picture=draw(ALICE, size=(200, 160)))
        _, other = await there.referred_by_template("c-2")
        assert (await there.detail(id))["attempts"][0]["reference"] == "enrolment"
        seen = await there.picture(id, attempt, REFERENCE)
        assert (seen.status, seen.headers["Content-Type"], seen.headers["Cache-Control"]) == (200, "image/jpeg", "no-store")
        assert Image.open(io.BytesIO(seen.raw)).size == (200, 160)
        assert (await there.picture(id, other, REFERENCE)).status == 404
        assert (await here.get(f"/reviews/{id}/reference", token=here.supervisor)).status == 404
        assert (await there.picture(id, attempt, REFERENCE, token=there.bank.secret)).status == 403
        folder, theirs = there.of(attempt), there.of(other)
        blob = folder / "0000.blob"
        whole = blob.read_bytes()
        approve = {"decision": "approve", "reason": "the same"}
        for at in range(len(whole)) if LONG else (0, 7, 8, 20, 40, len(whole) // 2, len(whole) - 1):
            blob.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
            assert (await there.picture(id, attempt, REFERENCE)).code == "evidence_changed", at
        refused = await here.post(f"/verifications/{id}/review", approve, token=here.supervisor)
        assert (refused.status, refused.code) == (409, "evidence_lost")
        for wrong in ((theirs / "0000.blob").read_bytes(), (folder / "0001.blob").read_bytes(), whole[:-1], b""):
            blob.write_bytes(wrong)
            assert (await there.picture(id, attempt, REFERENCE)).code == "evidence_changed"
        blob.write_bytes(whole)
        with away(blob):
            assert (await there.picture(id, attempt, REFERENCE)).status == 410
        kept = folder.with_suffix(".kept")
        folder.rename(kept)
        shutil.copytree(theirs, folder)
        assert (await there.picture(id, attempt, REFERENCE)).code == "evidence_changed"
        assert (await there.detail(id))["attempts"][0]["reference"] == "lost"
        shutil.rmtree(folder)
        kept.rename(folder)
        assert (await there.picture(id, attempt, REFERENCE)).raw == seen.raw
        assert (await here.post(f"/verifications/{id}/review", approve, token=here.supervisor)).status == 200
        assert (await there.picture(id, attempt, REFERENCE)).code == "not_in_review"
        report = await case_folder(there, id)
        assert report["pictures/1/reference-1.jpg"] == seen.raw
        assert b"pictures/1/reference-1.jpg" in report["report.html"]
        assert hashlib.sha256(seen.raw).hexdigest() in report["SHA256SUMS"].decode()
    assert (await verified(tmp_path)).exit_code == 0


async def case_folder(there: House, id: str) -> dict[str, bytes]:
    context = there.here.server.context
    made = CaseFolder(context.verifications.cases, context.verifications.evidence, [], {}, {})
    return await made.files(CaseId(id), Language.EN, "test")


async def test_who_has_the_key_cannot_put_another_picture_there(tmp_path: Path) -> None:
    """All of it sealed anew, rightly: the record and the audit name another digest."""
    async with house(tmp_path) as there:
        id, attempt = await there.referred()
        vault = open_vault(there.here.server.context.config)
        name = attempt.lower()
        was = vault.manifest(name)
        pictures = {blob.name: vault.read(name, blob.name) for blob in was.blobs}
        vault.erase(name)
        draft = vault.begin(name)
        for blob in was.blobs:
            draft.add(blob.name, blob.kind, pictures["upload-2"] if blob.name == "upload-1" else pictures[blob.name])
        draft.seal(type=was.type, created_s=was.created_s, keep_until_s=was.keep_until_s, facts=was.facts)
        vault.verify(name)
        assert (await there.picture(id, attempt)).code == "evidence_changed"
        assert (await there.detail(id))["attempts"][0]["evidence_lost"]
    done = await verified(tmp_path)
    assert (done.exit_code, f"{name}: evidence_changed" in done.output) == (1, True), done.output


async def test_nothing_plain_of_it_is_on_disk_or_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="server")
    uploaded = takes()
    async with house(tmp_path) as there:
        id, attempt = await there.referred()
        seen = (await there.picture(id, attempt)).raw
        reference = (await there.here.get(f"/reviews/{id}/reference", token=there.here.supervisor)).raw
        by_template, second = await there.referred_by_template("c-2", ENROLLED)
        enrolled = (await there.picture(by_template, second, REFERENCE)).raw
        canaries = [window for whole in (seen, reference, enrolled, ENROLLED, *uploaded) for window in windows(whole)]
        assert len(canaries) > 30
        for path in (path for path in (tmp_path / "data").rglob("*") if path.is_file()):
            data = path.read_bytes()
            assert not any(canary in data for canary in canaries), path
            if there.evidence in path.parents:
                assert not any(
                    word in data for word in (b"\xff\xd8\xff", CANARY.encode(), b"upload", b"c-1", LARGE["card"].encode())
                ), path
    said = capfd.readouterr()
    written = (caplog.text + said.out + said.err).encode()
    assert not any(canary in written or repr(canary)[2:-1].encode() in written for canary in canaries)
    assert CANARY.encode() not in written


def windows(whole: bytes) -> Iterator[bytes]:
    """What of a picture is like nothing else."""
    for at in range(len(whole) // 4, len(whole) - 24, max(24, len(whole) // 20)):
        window = whole[at : at + 24]
        if len(set(window)) > 16:
            yield window


async def test_what_cannot_be_kept_is_not_accepted(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        id = await there.bank.ready()  # accepted otherwise
        shutil.move(there.evidence, tmp_path / "elsewhere")
        there.evidence.write_bytes(b"")
        done = (await there.bank.show(id, takes())).json
        assert (done["attempt"]["outcome"], done["attempt"]["reasons"][0]) == ("reject", "evidence_lost")
        assert done["verification"]["state"] == "open"
        assert (await there.bank.ask(customer="c-2")).status == 201
        there.evidence.unlink()
        shutil.move(tmp_path / "elsewhere", there.evidence)
        assert (await there.bank.show(id, takes())).json["attempt"]["outcome"] == "accept"
        attempts = await there.audit("verification.attempt_ended")
        assert [bool(one["details"].get("evidence")) for one in attempts] == [False, True]


async def test_another_master_key_and_the_old_one_is_forgotten(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        id, attempt = await there.referred()
        before = (await there.picture(id, attempt)).raw
        wrapped = (there.of(attempt) / "key").read_bytes()
        blobs = {path.name: path.read_bytes() for path in there.of(attempt).iterdir() if path.name != "key"}
        old = evidence_keys(there.here.server.context.config)
    done = await tongping(tmp_path, "templates", "rewrap", "--new-key", "--forget-old")
    assert (done.exit_code, "of 2 pieces of evidence 2 are now" in done.output) == (0, True), done.output
    vault, name = open_vault(config(tmp_path)), attempt.lower()
    assert vault.read(name, "upload-1") == before
    assert vault.verify(name)
    folder = tmp_path / "data" / "evidence" / name
    assert (folder / "key").read_bytes() != wrapped
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "key"} == blobs
    with pytest.raises(EvidenceError, match="master key"):
        FileVault(folder.parent, old).read(name, "upload-1")
    assert (await tongping(tmp_path, "evidence", "rewrap")).output.startswith("0 of 2")
    assert (await verified(tmp_path)).exit_code == 0


async def test_it_is_erased_when_its_time_is_over_and_the_trail_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    async with house(tmp_path, clock=clock) as there:
        evidence = there.here.server.context.verifications.evidence
        accepted = await there.bank.ready()
        attempt = (await there.bank.show(accepted, takes())).json["attempt"]["id"]
        cancelled = await there.bank.ready(customer="c-2")
        await there.bank.show(cancelled, takes(BOB))  # it fails
        await there.bank.post(f"/{cancelled}/cancel")
        assert len(list(there.evidence.iterdir())) == 4
        clock.seconds += timedelta(days=29, hours=23).total_seconds()
        assert await evidence.erase_due() == 0
        clock.seconds += 3700
        assert await evidence.erase_due() == 1  # what ended without a decision
        assert len(list(there.evidence.iterdir())) == 2
        copy = shutil.copytree(there.of(attempt), tmp_path / "copy")
        (copy / "key").unlink()
        clock.seconds += timedelta(days=150).total_seconds()
        assert await evidence.erase_due() == 1
        assert await evidence.erase_due() == 0
        assert list(there.evidence.iterdir()) == []
        store = there.here.server.context.store
        async with store.read() as tx:
            case = await tx.get_case(accepted)  # type: ignore[arg-type]
        assert case is not None
        assert await evidence.evidence_of(case) == []
        shutil.copytree(copy, there.of(attempt))
        (there.of(attempt) / "key").write_bytes(bytes(92))
    erased = await erasures(tmp_path)
    assert erased == [(cancelled, "2"), (accepted, "2")]
    done = await verified(tmp_path)
    assert (done.exit_code, "still there, and the trail says that it was erased" in done.output) == (1, True)


async def test_what_belongs_to_nothing_is_swept_and_what_nobody_knows_stays(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        evidence = there.here.server.context.verifications.evidence
        _, attempt = await there.referred()
        id = await there.bank.ready(customer="c-2")
        vault = open_vault(there.here.server.context.config)
        for name in (f"{id.lower()}.left", "at_" + "a" * 26):
            draft = vault.begin(name)
            draft.add("upload-1", "upload", b"left")
            draft.seal(type="test", created_s=0.0, keep_until_s=4e9)
        vault.begin(f"{id.lower()}.begun")
        old_enough = [f"{id.lower()}.left", f"{id.lower()}.begun", "at_" + "a" * 26, attempt.lower()]
        assert await evidence.sweep() == 0  # all of it is young
        for name in old_enough:
            os.utime(there.evidence / name, (0, 0))
        assert await evidence.sweep() == 2
        left = {path.name for path in there.evidence.iterdir()}
        assert not {f"{id.lower()}.left", f"{id.lower()}.begun"} & left
        assert {"at_" + "a" * 26, attempt.lower()} < left
        async with there.here.server.context.store.read() as tx:
            events = [entry.event for entry in await tx.list_audit(after=0, limit=100)]
        swept = [(one.subject, one.details) for one in events if one.action.value == "evidence.erased"]
        assert swept == [(id, {"count": "1", "why": "swept", "evidence": name}) for name in sorted(old_enough[:2])]
    done = await verified(tmp_path)
    assert (done.exit_code, "3 are what the trail names, 0 are not; 0 cases were erased" in done.output) == (0, True), (
        done.output
    )


async def test_evidence_of_an_attempt_whose_end_nobody_has_seen_waits_for_the_right_database(tmp_path: Path) -> None:
    """In a copy of the database from before its decision it was under way, and was lost with the server that the copy was made from."""
    async with house(tmp_path, clock=ManualClock()) as there:
        context = there.here.server.context
        evidence = context.verifications.evidence
        _, id = await there.referred()
        os.utime(there.evidence / id.lower(), (0, 0))
        for days, why, swept in ((29, "attempt_lost", 0), (0, "attempt_cut", 1)):
            async with context.store.begin() as tx:
                attempt = await tx.get_attempt(AttemptId(id))
                assert attempt is not None
                assert attempt.ended_at is not None
                ended = attempt.ended_at - timedelta(days=days)
                await tx.save_attempt(msgspec.structs.replace(attempt, evidence="", reasons=(why,), ended_at=ended))
            assert await evidence.sweep() == swept


async def test_the_trail_and_the_vault_are_held_against_each_other_offline(tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        _, attempt = await there.referred()
        await there.referred(customer="c-2")
    done = await verified(tmp_path)
    assert (done.exit_code, "4 are what the trail names, 0 are not" in done.output) == (0, True), done.output
    export = tmp_path / "export.jsonl"
    export.write_bytes((await tongping(tmp_path, "audit", "export")).stdout_bytes)
    folder = tmp_path / "data" / "evidence" / attempt.lower()
    with away(folder / "0003.blob"):
        done = await verified(tmp_path, str(export))
        assert (done.exit_code, f"{attempt.lower()}: evidence_missing" in done.output) == (1, True), done.output
        assert (await verified(tmp_path, "--digests")).exit_code == 0
    with away(folder):
        assert (await verified(tmp_path, "--digests")).exit_code == 1
    listed = (await tongping(tmp_path, "evidence", "list")).output.splitlines()
    assert len(listed) == 4
    assert any(line.startswith(f"{attempt.lower()}  test_pictures  ") and line.split()[-2] == "10" for line in listed)
    (tmp_path / "no.jsonl").write_text("nothing\n")
    assert (await verified(tmp_path, str(tmp_path / "no.jsonl"))).exit_code != 0


@contextmanager
def away(path: Path) -> Iterator[None]:
    aside = path.parent.parent / "aside"
    path.rename(aside)
    yield
    aside.rename(path)


async def tongping(folder: Path, *words: str) -> Any:
    """On a terminal, which has no loop of its own."""
    environment = {"TONGPING_DATA_DIR": str(config(folder).data_dir)}
    return await asyncio.to_thread(lambda: CliRunner().invoke(cli, [*words], env=environment))


async def verified(folder: Path, *words: str) -> Any:
    return await tongping(folder, "evidence", "verify", *words)


async def erasures(folder: Path) -> list[tuple[str, str]]:
    events = [json.loads(line)["entry"] for line in (await tongping(folder, "audit", "export")).output.splitlines()]
    return [(event["subject"], event["details"]["count"]) for event in events if event["action"] == "evidence.erased"]


def test_the_policy_of_these_tests_keeps_for_half_a_year() -> None:
    assert "retention_days" not in PICTURES
    assert ALICE != BOB
