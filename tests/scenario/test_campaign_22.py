"""Campaign 22: of a transaction no word, token, secret or picture is in a log, whether it goes well or not."""

import base64
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from server.webhooks.records import DeliveryState
from tests.scenario.test_verifications_api import Bank, b64, settings
from tests.scenario.test_webhooks import Receiver, receiver
from tests.support.bank_place import PICTURES, takes
from tests.support.fake_engine import FakeEngine
from tests.support.log_lines import written
from tests.support.server import app
from tests.support.tiny_engine import ALICE, BOB, draw
from verification import errors

CUSTOMER, CARD = "canary-customer", "6222029977553311"
DETAILS = {"card": CARD, "payee": "Canary Payee 金丝雀"}
TYPE = "canary_transaction"
POLICY = PICTURES.replace("test_pictures", TYPE).replace("Change of a debit card's password", "Canary Title")
POLICY = POLICY.replace("修改借记卡密码", "金丝雀业务") + '\n[details.payee]\ntype = "string"\nrequired = false\n'
RULES = """
model_weight = 0.0

[[rule]]
name = "canary_rule"
when = "known(amount) and amount >= 1000000"
action = "reject"
reason = { zh = "金丝雀理由", en = "Canary Rule" }
"""
PART = 24
"""Characters of something long of which any that stand there give it away."""


def marked(picture: bytes) -> bytes:
    """The same with a canary's words in its file."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "canary-comment")
    out = io.BytesIO()
    Image.open(io.BytesIO(picture)).save(out, "PNG", pnginfo=text)
    return out.getvalue()


def forms(secret: bytes) -> Iterator[str]:
    """As which it might stand in a text: of its beginning, middle and end."""
    for start in (0, len(secret) // 6 * 3, len(secret) - PART):
        part = secret[start : start + PART]
        yield from (b64(part)[:PART], base64.urlsafe_b64encode(part).decode()[:PART], part.hex(), repr(part)[2:-1])


class Planted:
    """What must be nowhere; ``in_``: which of it is. A file of policies that cannot be read is named, with what is wrong there: by its own name alone."""

    def __init__(self) -> None:
        self.words: set[str] = {"canary", "Canary", "金丝雀", "\\u91d1\\u4e1d\\u96c0", CARD}

    def text(self, *secrets: str) -> None:
        for secret in secrets:
            assert len(secret) >= PART
            self.words |= {secret[start : start + PART] for start in range(len(secret) - PART + 1)}

    def token(self, token: str) -> None:
        """By its signature: what it says is ids and times, and in part the same of all."""
        self.text(token.rpartition(".")[2])

    def picture(self, *pictures: bytes) -> None:
        for one in pictures:
            self.words |= set(forms(one))

    def secrets_of(self, folder: Path) -> None:
        """Every file of the server's own."""
        for file in (path for path in folder.rglob("*") if path.is_file()):
            content = file.read_bytes().strip()
            self.words |= set(forms(content)) | {content[:PART].decode("latin-1")}

    def in_(self, log: str) -> list[str]:
        return sorted(word for word in self.words if word in log)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with written() as out:
        yield out


@pytest.fixture
async def to() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


def placed(folder: Path, **more: Any) -> dict[str, Any]:
    made = settings(folder, transactions__return_origins=("https://bank.example",), **more)
    (folder / "policies" / "ours.toml").write_text(POLICY, encoding="utf-8")
    (folder / "policies" / "rules" / "default.toml").write_text(RULES, encoding="utf-8")
    return made


def fields(to: Receiver) -> dict[str, Any]:
    return {
        "customer": CUSTOMER, "details": DETAILS, "consent": "consents/canary", "signals": {"device": "canary-device", "address": "198.51.100.77"},
        "callback": f"{to.url}/hooks?canary=1", "link": {"return_url": "https://bank.example/canary"},
    }  # fmt: skip


def looked(log: io.StringIO, planted: Planted, *events: str) -> None:
    """Nothing that was planted is there, and these are: something was written at all."""
    text = log.getvalue()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {*events} <= {line["event"] for line in lines}
    assert planted.in_(text) == []
    plain = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    assert planted.in_(plain) == []


@pytest.mark.campaign(22)
async def test_of_a_transaction_that_is_decided_reviewed_told_and_erased(
    tmp_path: Path, log: io.StringIO, to: Receiver
) -> None:
    planted = Planted()
    planted.words.add("198.51.100.77")
    portrait, shown, others = marked(draw(ALICE)), [marked(one) for one in takes()], takes(BOB)
    planted.picture(portrait, *shown, *others)
    to.answers = [500]
    async with app(tmp_path, **placed(tmp_path, webhooks__origins=(to.url,))) as here:
        bank = await Bank.of(here, "canary-system")
        planted.text(bank.secret)
        planted.token(here.supervisor)
        planted.token(here.agent)
        hook = {"url": f"{to.url}/hooks?secret=canary", "events": ["verification.*"]}
        assert (await here.post("/webhooks", hook, token=here.supervisor)).status == 201

        async def ready(images: list[bytes]) -> tuple[str, dict[str, Any]]:
            made = await bank.ask(TYPE, **fields(to))
            assert made.status == 201, made.json
            id = str(made.json["id"])
            put = await here.call("PUT", f"/verifications/{id}/portrait", {"image": b64(portrait)}, token=bank.secret)
            assert put.status == 200
            done = await bank.show(id, images, headers={"Idempotency-Key": f"canary-{id}"})
            assert done.status == 201, done.json
            return id, done.json["verification"]

        accepted, view = await ready(shown)
        assert view["state"] == "accepted"
        planted.token(view["result"])
        for token in (view["result"][:-4] + "AAAA", view["result"], view["result"]):
            await bank.post(f"/{accepted}/redeem", {"token": token})
        _, view = await ready(others)
        assert view["verdict"]["outcome"] == "reject"
        approved, view = await ready(shown[:3])
        assert view["state"] == "review"
        words = {"decision": "approve", "reason": "Canary Reason"}
        assert (await here.post(f"/verifications/{approved}/review", words, token=here.agent)).status == 200
        planted.token((await bank.get(approved)).json["result"])
        for path in (f"/reviews/{approved}", f"/reviews/{approved}/reference", "/reviews"):
            await here.get(path, token=here.supervisor)
        entry = {"list": "watch", "kind": "customer", "value": CUSTOMER, "reason": "Canary Entry"}
        await here.post("/risk/lists", entry, token=here.supervisor)
        await here.post("/risk/lists/find", {"kind": "customer", "value": CUSTOMER}, token=here.supervisor)
        async with to.arrived:
            await to.arrived.wait_for(lambda: "verification.redeemed" in to.types())
        await here.server.context.webhooks.settle()
        deliveries = (await here.get(f"/webhooks/deliveries?state={DeliveryState.DELIVERED}", token=here.supervisor)).json
        assert deliveries["deliveries"]
        planted.text(*(headers["webhook-signature"].removeprefix("v1a,") for headers, _ in to.got))
        out = await here.post("/customers/export", {"customer": CUSTOMER}, token=here.supervisor)
        assert out.status == 200
        asked = {"customer": CUSTOMER, "request": "canary-request"}
        case = (await bank.ask(TYPE, **fields(to))).json["id"]
        assert (await here.post("/customers/erase", asked, token=here.supervisor)).code == "something_runs"
        await bank.post(f"/{case}/cancel")
        await here.server.context.webhooks.settle()
    planted.secrets_of(tmp_path / "data" / "secrets")
    looked(log, planted, "request", "serving")


@pytest.mark.campaign(22)
async def test_of_a_transaction_that_is_refused_or_fails(tmp_path: Path, log: io.StringIO, to: Receiver) -> None:
    planted = Planted()
    portrait, broken = marked(draw(ALICE)), b"canary-picture" + bytes(range(64))
    planted.picture(portrait, broken)
    engine = FakeEngine()
    async with app(tmp_path, **placed(tmp_path, webhooks__origins=(to.url,)) | {"engine": engine}) as here:
        bank = await Bank.of(here)
        planted.text(bank.secret)
        bad: list[dict[str, Any]] = [
            {"type": "canary_unknown"}, {"type": "Canary!"}, {"customer": "Canary Wang"}, {"details": {**DETAILS, "canary": "1"}},
            {"details": {"card": "canary"}}, {"details": "canary"}, {"callback": "https://canary.example/"}, {"link": {"return_url": "canary:"}},
            {"signals": {"address": "canary"}}, {"template": "canary"}, {"session": "canary"}, {"canary": "Canary"},
        ]  # fmt: skip
        for wrong in bad:
            answer = await bank.ask(**{"type": TYPE, **fields(to), **wrong})
            assert 400 <= answer.status < 500, (wrong, answer.json)

        async def asked() -> str:
            return str((await bank.ask(TYPE, **fields(to))).json["id"])

        async def put(id: str, image: bytes) -> int:
            return (await here.call("PUT", f"/verifications/{id}/portrait", {"image": b64(image)}, token=bank.secret)).status

        id = await asked()
        assert await put(id, broken) == 422
        engine.next_error = errors.EngineLost("canary-engine")
        assert await put(id, portrait) == 503
        assert await put(id, portrait) == 200
        engine.next_error = errors.EngineLost("canary-engine")
        lost = await bank.show(id, takes())
        assert (lost.status, lost.json["attempt"]["outcome"]) == (201, "refer")
        id = await asked()
        assert await put(id, portrait) == 200
        engine.next_error = RuntimeError("canary-engine")
        assert (await bank.show(id, takes())).status == 500
        for token in ("canary.canary.canary", "canary", "", 5):
            assert (await bank.post(f"/{id}/redeem", {"token": token})).status >= 400
        assert (await here.get(f"/verifications/{id}", token="canary.token.of-nobody")).status == 401
        assert (await bank.post("/canary/redeem", {"token": "canary"})).status == 404
        for file, text in (
            ("policies/rules/default.toml", RULES.replace('"reject"', '"no_action"')),
            ("policies/rules/default.toml", RULES),
            ("policies/ours.toml", POLICY.replace('type = "digits"', 'type = "no_kind"')),
        ):
            (tmp_path / file).write_text(text, encoding="utf-8")
            assert (await here.post("/risk/reload", token=here.supervisor)).status == (200 if text == RULES else 409)
        assert (await here.call("PUT", "/risk/rules/spare", {"text": "Canary ="}, token=here.supervisor)).status >= 400
    planted.secrets_of(tmp_path / "data" / "secrets")
    looked(log, planted, "request", "policies not reloaded")


def test_what_was_planted_is_found() -> None:
    planted = Planted()
    planted.picture(bytes(range(200)))
    planted.text("abcdefghijklmnopqrstuvwxyz0123456789")
    planted.token(f"head.payload.{'s' * 40}")
    for line in (
        f"x {b64(bytes(range(200)))}", bytes(range(200)).hex(), repr(bytes(range(200))), "…qrstuvwxyz0123456789", "hijklmnopqrstuvwxyz012345", "s" * 30,
        '"金丝雀"', json.dumps("金丝雀"), CARD,
    ):  # fmt: skip
        assert bool(planted.in_(line)) is (line != "…qrstuvwxyz0123456789"), line
    assert planted.in_("head. VE_7 accepted") == []
