"""docs/audit.md says which entry each operation leaves. Each is carried out here, and the entry is in the trail when the answer comes.

One way for each entry of each operation (``WAYS``); what the table says leaves none leaves none (``SILENT``).
"""

import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from server.api.operations import OPERATIONS, Access
from server.domain.ids import ParticipantId, SessionId
from server.signalling.messages_pdf import PdfAsked
from tests.scenario.test_recordings_api import closing
from tests.scenario.test_turn_api import DATA_ONLY
from tests.scenario.test_verifications_api import Bank, settings
from tests.support import page_ways, pdfs, studio
from tests.support.bank_place import takes
from tests.support.server import Answer, Here, app
from tests.support.tiny_engine import ALICE, BOB, card, draw
from tests.unit.server.test_audited import table

NOBODY = "http://127.0.0.1:9"
"""Nobody listens there."""
FACE = base64.b64encode(draw(ALICE)).decode()
CARD = base64.b64encode(card(ALICE)).decode()
CUSTOMER = "c-1"
PASSWORD = "correct horse battery"


class Office:
    """A server with everything, and the bank's system. ``did`` is the call that counts: what comes before is only the way there."""

    def __init__(self, here: Here, bank: Bank, folder: Path) -> None:
        self.here, self.bank, self.folder = here, bank, folder
        self.answer: Answer | None = None
        self._head = 0

    async def did(self, method: str, path: str, body: Any = None, *, token: str = "", **more: Any) -> None:
        assert self.answer is None, "one call counts"
        async with self.here.server.context.store.read() as tx:
            self._head = await tx.audit_head()
        self.answer = await self.here.call(method, path, body, token=token, **more)

    async def entries(self) -> list[tuple[str, str]]:
        """(action, actor) of what has come since that call began."""
        async with self.here.server.context.store.read() as tx:
            found = await tx.list_audit(after=self._head, limit=500)
        return [(entry.event.action.value, entry.event.actor) for entry in found]

    async def needs(self, method: str, path: str, body: Any = None, *, token: str = "", **more: Any) -> Any:
        """A step on the way there."""
        answer = await self.here.call(method, path, body, token=token, **more)
        assert answer.status < 300, (method, path, answer.raw)
        return answer.json if answer.raw else None

    async def key(self, **rights: bool) -> str:
        return str((await self.needs("POST", "/keys", {"name": "k", **rights}, token=self.here.supervisor))["secret"])

    async def link(self, session: str, role: str = "customer") -> str:
        return str((await self.here.invitation(session, role))["link"]).rpartition("/")[2]

    async def sent(self, session: str) -> str:
        """A file in its chat; the id."""
        place = await self.here.place(session)
        headers = {"X-File-Name": "a.txt"}
        file = await self.needs("POST", f"/sessions/{session}/files", token=place["token"], data=b"words", headers=headers)
        return str(file["id"])

    async def brought(self) -> tuple[str, str]:
        """(a session, a PDF in it)."""
        session = await self.here.session()
        place = await self.needs("POST", f"/sessions/{session}/enter", token=self.here.agent)
        path = f"/sessions/{session}/pdfs?name=a.pdf"
        return session, str((await self.needs("POST", path, token=place["token"], data=pdfs.paper()))["id"])

    async def template(self, **more: bool) -> tuple[str, str]:
        """(an enrolled template's path, the key)."""
        key = await self.key(faces=True)
        body = {"image": FACE, "subject": CUSTOMER, "consent": "consents/1", **more}
        return f"/face/templates/{(await self.needs('POST', '/face/templates', body, token=key))['template']['id']}", key

    async def recording(self) -> str:
        return f"/recordings/{await closing(self.here)}"

    async def exported(self) -> str:
        """A film that is made."""
        path = await self.recording()
        job = await self.needs("POST", f"{path}/exports", {}, token=self.here.supervisor)
        await self.here.server.context.recordings.exports.settle()
        return f"{path}/exports/{job['id']}"

    async def referred(self) -> str:
        """A case that waits for a review."""
        id = await self.bank.ready(customer=CUSTOMER)
        shown = (await self.bank.show(id, takes(count=3))).json
        assert shown["verification"]["state"] == "review", shown
        return id

    async def webhook(self) -> str:
        body = {"url": f"{NOBODY}/hooks", "events": ["session.created"]}
        return str((await self.needs("POST", "/webhooks", body, token=self.here.supervisor))["id"])


Way = Callable[[Office], Awaitable[None]]
WAYS: dict[tuple[str, str], Way] = {}
SILENT: dict[str, Way] = {}


def leaves(operation: str, *entries: str) -> Callable[[Way], Way]:
    """This way leaves these entries; without any: it leaves none at all."""

    def keep(way: Way) -> Way:
        for entry in entries:
            assert (operation, entry) not in WAYS
            WAYS[operation, entry] = way
        if not entries:
            assert operation not in SILENT
            SILENT[operation] = way
        return way

    return keep


# ---- signing in, invitations, sessions


@leaves("login", "login.succeeded")
async def _(o: Office) -> None:
    await o.did("POST", "/login", {"username": "agent", "password": o.here.server.first_passwords["agent"]})


@leaves("login", "login.failed")
async def _(o: Office) -> None:
    await o.did("POST", "/login", {"username": "agent", "password": "wrong"})


@leaves("renew_login")
async def _(o: Office) -> None:
    await o.did("POST", "/login/renew", token=o.here.agent)


@leaves("logout", "login.ended")
async def _(o: Office) -> None:
    await o.did("DELETE", "/login", token=o.here.agent)


@leaves("join_waiting", "session.created")
async def _(o: Office) -> None:
    await o.did("POST", "/waiting", {"name": "Wang", "reason": "card", "language": "zh"})


@leaves("inspect_invitation", "invitation.refused")
async def _(o: Office) -> None:
    await o.did("POST", "/invitations/inspect", {"secret": "nobody's"})


@leaves("redeem_invitation", "invitation.refused")
async def _(o: Office) -> None:
    await o.did("POST", "/invitations/redeem", {"secret": "nobody's", "name": "Wang"})


@leaves("redeem_invitation", "invitation.redeemed")
async def _(o: Office) -> None:
    secret = await o.link(await o.here.session())
    await o.did("POST", "/invitations/redeem", {"secret": secret, "name": "Wang"})


@leaves("create_session", "session.created")
async def _(o: Office) -> None:
    await o.did("POST", "/sessions", {"kind": "video"}, token=o.here.agent)


@leaves("update_session", "session.updated")
async def _(o: Office) -> None:
    await o.did("PATCH", f"/sessions/{await o.here.session()}", {"reason": "another"}, token=o.here.agent)


@leaves("end_session", "session.ended")
async def _(o: Office) -> None:
    await o.did("POST", f"/sessions/{await o.here.session()}/end", {}, token=o.here.agent)


@leaves("enter_session", "session.taken", "grants.issued")
async def _(o: Office) -> None:
    waits = await o.needs("POST", "/waiting", {"name": "Wang", "reason": "card", "language": "zh"})
    await o.did("POST", f"/sessions/{waits['session']['id']}/enter", token=o.here.agent)


@leaves("remove_participant", "participant.removed")
async def _(o: Office) -> None:
    session = await o.here.session()
    place = await o.here.place(session)
    await o.did("DELETE", f"/sessions/{session}/participants/{place['participant']}", token=o.here.agent)


@leaves("start_network_test")
async def _(o: Office) -> None:
    session = await o.here.session()
    place = await o.here.place(session)
    await o.did("POST", f"/sessions/{session}/network-tests", {"sdp": DATA_ONLY}, token=place["token"])


@leaves("create_invitation", "invitation.created")
async def _(o: Office) -> None:
    await o.did("POST", f"/sessions/{await o.here.session()}/invitations", {"role": "expert"}, token=o.here.agent)


@leaves("revoke_invitation", "invitation.revoked")
async def _(o: Office) -> None:
    session = await o.here.session()
    made = await o.here.invitation(session)
    await o.did("DELETE", f"/sessions/{session}/invitations/{made['id']}", token=o.here.agent)


@leaves("list_messages", "chat.read")
async def _(o: Office) -> None:
    await o.did("GET", f"/sessions/{await o.here.session()}/messages", token=o.here.agent)


@leaves("send_file", "file.received")
async def _(o: Office) -> None:
    session = await o.here.session()
    place = await o.here.place(session)
    headers = {"X-File-Name": "a.txt"}
    await o.did("POST", f"/sessions/{session}/files", token=place["token"], data=b"words", headers=headers)


@leaves("get_file", "file.read")
async def _(o: Office) -> None:
    session = await o.here.session()
    await o.did("GET", f"/sessions/{session}/files/{await o.sent(session)}", token=o.here.supervisor)


@leaves("send_pdf", "file.received", "pdf.received")
async def _(o: Office) -> None:
    session = await o.here.session()
    place = await o.needs("POST", f"/sessions/{session}/enter", token=o.here.agent)
    await o.did("POST", f"/sessions/{session}/pdfs?name=a.pdf", token=place["token"], data=pdfs.paper())


@leaves("get_pdf_file", "pdf.read")
async def _(o: Office) -> None:
    session, pdf = await o.brought()
    await o.did("GET", f"/sessions/{session}/pdfs/{pdf}/file", token=o.here.supervisor)


@leaves("get_signed_pdf", "pdf.read")
async def _(o: Office) -> None:
    session, pdf = await o.brought()
    signer = ParticipantId((await o.here.place(session))["participant"])
    paper, by = pdfs.hashed(pdfs.paper()), ParticipantId("PA_1")
    asked = PdfAsked(request="PR_1", page=1, x=0.1, y=0.1, width=0.4, height=0.1, by=by, of=signer, sha256=paper)
    strokes = (((0.0, 0.0), (1.0, 1.0)),)
    await o.here.server.context.pdfs.sign(SessionId(session), pdf, asked, strokes, signer, lambda: None, lambda: None)
    await o.did("GET", f"/sessions/{session}/pdfs/{pdf}/signed", token=o.here.supervisor)


# ---- keys, staff, webhooks


@leaves("create_key", "key.created")
async def _(o: Office) -> None:
    await o.did("POST", "/keys", {"name": "core"}, token=o.here.supervisor)


@leaves("revoke_key", "key.revoked")
async def _(o: Office) -> None:
    made = await o.needs("POST", "/keys", {"name": "core"}, token=o.here.supervisor)
    await o.did("DELETE", f"/keys/{made['key']['id']}", token=o.here.supervisor)


@leaves("create_staff", "staff.created")
async def _(o: Office) -> None:
    body = {"username": "li", "name": "Li", "role": "agent", "password": PASSWORD}
    await o.did("POST", "/staff", body, token=o.here.supervisor)


@leaves("disable_staff", "staff.disabled")
async def _(o: Office) -> None:
    await o.did("DELETE", f"/staff/{o.here.agent_id}", token=o.here.supervisor)


@leaves("create_webhook", "webhook.created")
async def _(o: Office) -> None:
    await o.did("POST", "/webhooks", {"url": f"{NOBODY}/hooks", "events": ["*"]}, token=o.here.supervisor)


@leaves("end_webhook", "webhook.ended")
async def _(o: Office) -> None:
    await o.did("DELETE", f"/webhooks/{await o.webhook()}", token=o.here.supervisor)


@leaves("replay_delivery", "webhook.replayed")
async def _(o: Office) -> None:
    await o.here.server.context.webhooks.feed()  # the first one begins with what comes after
    await o.webhook()
    await o.here.session()
    while await o.here.server.context.webhooks.feed():
        pass
    [one] = (await o.needs("GET", "/webhooks/deliveries", token=o.here.supervisor))["deliveries"]
    await o.did("POST", f"/webhooks/deliveries/{one['id']}/replay", token=o.here.supervisor)


# ---- recordings


@leaves("get_recording", "recording.read")
async def _(o: Office) -> None:
    await o.did("GET", await o.recording(), token=o.here.supervisor)


@leaves("get_recording_media", "recording.read")
async def _(o: Office) -> None:
    await o.did("GET", f"{await o.recording()}/tracks/TR_1c/media", token=o.here.supervisor)


@leaves("verify_recording", "recording.verified")
async def _(o: Office) -> None:
    await o.did("POST", f"{await o.recording()}/verify", token=o.here.supervisor)


@leaves("erase_recording", "recording.erased")
async def _(o: Office) -> None:
    await o.did("DELETE", await o.recording(), {"reason": "asked for"}, token=o.here.supervisor)


@leaves("start_export", "recording.exported")
async def _(o: Office) -> None:
    await o.did("POST", f"{await o.recording()}/exports", {}, token=o.here.supervisor)


@leaves("get_export_file", "recording.read")
async def _(o: Office) -> None:
    await o.did("GET", f"{await o.exported()}/file", token=o.here.supervisor)


@leaves("cancel_export")
async def _(o: Office) -> None:
    await o.did("DELETE", await o.exported(), token=o.here.supervisor)


# ---- faces and documents


@leaves("compare_faces", "face.compared")
async def _(o: Office) -> None:
    await o.did("POST", "/face/compare", {"reference": FACE, "probe": FACE}, token=await o.key(faces=True))


@leaves("compare_batch", "face.compared")
async def _(o: Office) -> None:
    await o.did("POST", "/face/compare/batch", {"reference": [FACE], "probe": [FACE]}, token=await o.key(faces=True))


@leaves("examine_face", "face.examined")
async def _(o: Office) -> None:
    await o.did("POST", "/face/quality", {"image": FACE}, token=await o.key(faces=True))


@leaves("check_liveness", "face.liveness_checked")
async def _(o: Office) -> None:
    await o.did("POST", "/face/liveness", {"image": [FACE]}, token=await o.key(faces=True))


@leaves("enrol_template", "template.enrolled")
async def _(o: Office) -> None:
    body = {"image": FACE, "subject": CUSTOMER, "consent": "consents/1"}
    await o.did("POST", "/face/templates", body, token=await o.key(faces=True))


@leaves("replace_template", "template.replaced")
async def _(o: Office) -> None:
    path, key = await o.template()
    await o.did("PUT", path, {"image": FACE}, token=key)


@leaves("erase_template", "template.erased")
async def _(o: Office) -> None:
    path, key = await o.template()
    await o.did("DELETE", path, token=key)


@leaves("erase_template_picture", "template.picture_erased")
async def _(o: Office) -> None:
    path, key = await o.template(keep_picture=True)
    await o.did("DELETE", f"{path}/picture", token=key)


@leaves("read_document", "document.read")
async def _(o: Office) -> None:
    await o.did("POST", "/documents/read", {"image": CARD}, token=await o.key(faces=True))


@leaves("compare_document", "document.compared")
async def _(o: Office) -> None:
    await o.did("POST", "/documents/compare", {"document": CARD, "probe": FACE}, token=await o.key(faces=True))


# ---- transactions


@leaves("create_verification", "verification.created")
async def _(o: Office) -> None:
    body = {"type": "test_pictures", "customer": CUSTOMER, "consent": "consents/1", "details": {"card": "4417"}}
    await o.did("POST", "/verifications", body, token=o.bank.secret)


@leaves("cancel_verification", "verification.ended")
async def _(o: Office) -> None:
    await o.did("POST", f"/verifications/{await o.bank.ready()}/cancel", token=o.bank.secret)


@leaves("set_portrait", "verification.reference_set")
async def _(o: Office) -> None:
    id = (await o.bank.ask()).json["id"]
    await o.did("PUT", f"/verifications/{id}/portrait", {"image": FACE}, token=o.bank.secret)


@leaves("upload_attempt", "verification.attempt_begun", "verification.attempt_ended")
async def _(o: Office) -> None:
    images = {"image": [base64.b64encode(image).decode() for image in takes()]}
    await o.did("POST", f"/verifications/{await o.bank.ready()}/attempts", images, token=o.bank.secret)


@leaves("redeem_decision", "verification.redeemed")
async def _(o: Office) -> None:
    id = await o.referred()
    review = {"decision": "approve", "reason": "seen"}
    approved = await o.needs("POST", f"/verifications/{id}/review", review, token=o.here.agent)
    await o.did(
        "POST", f"/verifications/{id}/redeem", {"token": approved["result"] or await _result(o, id)}, token=o.bank.secret
    )


async def _result(o: Office, id: str) -> str:
    return str((await o.bank.get(id)).json["result"])


@leaves("redeem_decision", "verification.redeem_refused")
async def _(o: Office) -> None:
    await o.did("POST", f"/verifications/{await o.bank.ready()}/redeem", {"token": "x.y.z"}, token=o.bank.secret)


@leaves("identify_customer", "verification.identified")
async def _(o: Office) -> None:
    session = await o.here.session(customer_reference=CUSTOMER)
    place = await o.needs("POST", f"/sessions/{session}/enter", token=o.here.agent)
    id = (await o.bank.ask("debit_card_password_change", session=session)).json["id"]
    body = {"methods": ["document_seen", "questions_answered"], "note": "seen"}
    await o.did("POST", f"/verifications/{id}/identification", body, token=place["token"])


@leaves("review_verification", "verification.reviewed")
async def _(o: Office) -> None:
    review = {"decision": "decline", "reason": "another person"}
    await o.did("POST", f"/verifications/{await o.referred()}/review", review, token=o.here.agent)


@leaves("list_reviews", "reviews.listed")
async def _(o: Office) -> None:
    await o.referred()
    await o.did("GET", "/reviews", token=o.here.agent)


@leaves("get_review", "verification.read")
async def _(o: Office) -> None:
    await o.did("GET", f"/reviews/{await o.referred()}", token=o.here.agent)


@leaves("get_review_picture", "evidence.read")
async def _(o: Office) -> None:
    id = await o.referred()
    detail = await o.needs("GET", f"/reviews/{id}", token=o.here.agent)
    attempt, name = detail["attempts"][0]["attempt"]["id"], detail["attempts"][0]["pictures"][0]["name"]
    await o.did("GET", f"/reviews/{id}/attempts/{attempt}/pictures/{name}", token=o.here.agent)


@leaves("get_review_reference", "evidence.read")
async def _(o: Office) -> None:
    await o.did("GET", f"/reviews/{await o.referred()}/reference", token=o.here.agent)


@leaves("unlock_customer", "customer.unlocked")
async def _(o: Office) -> None:
    await o.bank.show(await o.bank.ready(), takes(BOB))
    await o.did("POST", "/verifications/unlock", {"customer": CUSTOMER}, token=o.here.supervisor)


@leaves("export_customer", "customer.exported")
async def _(o: Office) -> None:
    await o.bank.ready()
    await o.did("POST", "/customers/export", {"customer": CUSTOMER}, token=o.here.supervisor)


@leaves("erase_customer", "customer.erased")
async def _(o: Office) -> None:
    await o.template()
    await o.did("POST", "/customers/erase", {"customer": CUSTOMER}, token=o.here.supervisor)


# ---- risk

ENTRY = {"list": "watch", "kind": "device", "identifier": "d-1", "reason": "seen"}


@leaves("list_risk_entries", "risk.lists_read")
async def _(o: Office) -> None:
    await o.did("GET", "/risk/lists", token=o.here.supervisor)


@leaves("add_risk_entry", "risk.entry_added")
async def _(o: Office) -> None:
    await o.did("POST", "/risk/lists", ENTRY, token=o.here.supervisor)


@leaves("find_risk_entries", "risk.lists_read")
async def _(o: Office) -> None:
    await o.did("POST", "/risk/lists/find", {"kind": "device", "identifier": "d-1"}, token=o.here.supervisor)


@leaves("remove_risk_entry", "risk.entry_removed")
async def _(o: Office) -> None:
    made = await o.needs("POST", "/risk/lists", ENTRY, token=o.here.supervisor)
    await o.did("DELETE", f"/risk/lists/{made['id']}", token=o.here.supervisor)


@leaves("put_risk_rules", "risk.rules_replaced")
async def _(o: Office) -> None:
    await o.did("PUT", "/risk/rules/spare", {"text": "model_weight = 0.5"}, token=o.here.supervisor)


@leaves("drop_risk_rules", "risk.rules_removed")
async def _(o: Office) -> None:
    await o.needs("PUT", "/risk/rules/spare", {"text": "model_weight = 0.5"}, token=o.here.supervisor)
    await o.did("DELETE", "/risk/rules/spare", token=o.here.supervisor)


@leaves("check_risk")
async def _(o: Office) -> None:
    await o.did("POST", "/risk/check", {"type": "test_pictures"}, token=o.here.supervisor)


@leaves("reload_policies", "policies.reloaded")
async def _(o: Office) -> None:
    await o.did("POST", "/risk/reload", token=o.here.supervisor)


# ---- pages that customers show


leaves("begin_page", "session.created", "cobrowse.attached")(page_ways.begin_page)
leaves("offer_help", "cobrowse.offered")(page_ways.offer_help)
leaves("withdraw_offer", "cobrowse.offer_withdrawn")(page_ways.withdraw_offer)


# ---- held against the table and the server

BY_ID = {one.id: one for one in OPERATIONS}
REFUSED = frozenset({"login.failed", "invitation.refused", "verification.redeem_refused"})
"""What is refused leaves these."""


def test_every_entry_of_the_table_is_carried_out() -> None:
    named = {(operation, entry) for operation, (entries, _) in table("Operation").items() for entry in entries}
    assert named == set(WAYS)
    changing = {one.id for one in OPERATIONS if one.method != "GET"}
    assert {operation for operation, (entries, _) in table("Operation").items() if not entries} & changing == set(SILENT)


async def carried_out(folder: Path, way: Way, operation: str) -> tuple[Answer, list[tuple[str, str]]]:
    made = settings(folder, webhooks__origins=(NOBODY,), recording__key=base64.b64encode(studio.MASTER).decode())
    made |= page_ways.settings(folder, operation)
    async with app(folder, **made) as here:
        office = Office(here, await Bank.of(here), folder)
        await way(office)
        assert office.answer is not None
        return office.answer, await office.entries()


@pytest.mark.parametrize(("operation", "entry"), sorted(WAYS))
async def test_an_operation_leaves_its_entry(tmp_path: Path, operation: str, entry: str) -> None:
    answer, entries = await carried_out(tmp_path, WAYS[operation, entry], operation)
    assert (answer.status >= 400) == (entry in REFUSED), answer.raw
    actors = [actor for action, actor in entries if action == entry]
    assert len(actors) == 1, entries
    if BY_ID[operation].needs is not Access.PUBLIC:
        assert actors[0], "nobody has done it"


@pytest.mark.parametrize("operation", sorted(SILENT))
async def test_what_leaves_none_leaves_none(tmp_path: Path, operation: str) -> None:
    answer, entries = await carried_out(tmp_path, SILENT[operation], operation)
    assert (answer.status < 300, entries) == (True, []), answer.raw
