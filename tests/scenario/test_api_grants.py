"""Who may do what: every operation × every kind of caller × own and other session, against a table written by hand."""

import base64
from pathlib import Path
from typing import Any

import pytest

from server.api.operations import OPERATIONS, Operation
from server.domain.ids import ConsentId, SessionId
from server.domain.model import Consent, ConsentDecision, ConsentScope, Language, Role
from tests.support.fake_engine import FakeEngine
from tests.support.server import Here, app
from tests.support.tiny_engine import ALICE, draw

FACE = base64.b64encode(draw(ALICE)).decode()
CALLERS = (
    "nobody",
    "customer",
    "expert",
    "agent_place",
    "agent",
    "other_agent",
    "supervisor",
    "key",
    "face_key",
    "bank_key",
    "trail_key",
)
PUBLIC = frozenset(
    {
        "get_site",
        "get_audit_keys",
        "get_webhook_keys",
        "login",
        "join_waiting",
        "inspect_invitation",
        "redeem_invitation",
        "get_decision_keys",
    }
)

# The session belongs to `agent`; customer, expert and agent_place have places in it.
OWN: dict[str, frozenset[str]] = {
    "renew_login": frozenset({"agent", "other_agent", "supervisor"}),
    "logout": frozenset({"agent", "other_agent", "supervisor"}),
    "get_me": frozenset({"agent", "other_agent", "supervisor"}),
    "get_waiting": frozenset({"agent", "other_agent", "supervisor"}),
    "create_session": frozenset({"agent", "other_agent", "supervisor", "key"}),
    "list_sessions": frozenset({"agent", "other_agent", "supervisor", "key"}),
    "get_session": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "update_session": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "end_session": frozenset({"customer", "agent_place", "agent", "supervisor", "key"}),
    "enter_session": frozenset({"agent", "supervisor"}),
    "list_participants": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "remove_participant": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "list_consents": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "get_media": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "start_network_test": frozenset({"customer", "expert", "agent_place", "agent", "supervisor", "key"}),
    "create_invitation": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "list_invitations": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "revoke_invitation": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "list_messages": frozenset({"customer", "expert", "agent_place", "agent", "supervisor", "key"}),
    "send_file": frozenset({"customer", "expert", "agent_place"}),
    "get_file": frozenset({"customer", "expert", "agent_place", "agent", "supervisor", "key"}),
    "send_pdf": frozenset({"expert", "agent_place"}),
    "list_pdfs": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "get_pdf_file": frozenset({"customer", "expert", "agent_place", "agent", "supervisor", "key"}),
    "get_signed_pdf": frozenset({"customer", "expert", "agent_place", "agent", "supervisor", "key"}),
    "list_keys": frozenset({"supervisor"}),
    "create_key": frozenset({"supervisor"}),
    "revoke_key": frozenset({"supervisor"}),
    "list_staff": frozenset({"supervisor"}),
    "list_available": frozenset({"agent_place", "agent", "other_agent", "supervisor"}),
    "create_staff": frozenset({"supervisor"}),
    "disable_staff": frozenset({"supervisor"}),
    "begin_page": frozenset({"agent", "other_agent", "supervisor"}),
    "list_visitors": frozenset({"agent", "other_agent", "supervisor"}),
    "offer_help": frozenset({"agent", "other_agent", "supervisor"}),
    "withdraw_offer": frozenset({"agent", "other_agent", "supervisor"}),
    "list_audit": frozenset({"supervisor", "trail_key"}),
    "get_audit_checkpoint": frozenset({"supervisor", "trail_key"}),
    "create_webhook": frozenset({"supervisor"}),
    "list_webhooks": frozenset({"supervisor"}),
    "end_webhook": frozenset({"supervisor"}),
    "list_deliveries": frozenset({"supervisor"}),
    "replay_delivery": frozenset({"supervisor"}),
    "list_recordings": frozenset({"supervisor"}),
    "get_recording": frozenset({"supervisor"}),
    "get_recording_media": frozenset({"supervisor"}),
    "verify_recording": frozenset({"supervisor"}),
    "erase_recording": frozenset({"supervisor"}),
    "start_export": frozenset({"supervisor"}),
    "get_export": frozenset({"supervisor"}),
    "cancel_export": frozenset({"supervisor"}),
    "get_export_file": frozenset({"supervisor"}),
    "export_customer": frozenset({"supervisor", "trail_key"}),
    "erase_customer": frozenset({"supervisor", "trail_key"}),
    "list_risk_entries": frozenset({"supervisor"}),
    "add_risk_entry": frozenset({"supervisor"}),
    "find_risk_entries": frozenset({"supervisor"}),
    "remove_risk_entry": frozenset({"supervisor"}),
    "list_risk_rules": frozenset({"supervisor"}),
    "put_risk_rules": frozenset({"supervisor"}),
    "drop_risk_rules": frozenset({"supervisor"}),
    "check_risk": frozenset({"supervisor"}),
    "reload_policies": frozenset({"supervisor"}),
    "compare_faces": frozenset({"customer", "agent_place", "face_key"}),
    "compare_batch": frozenset({"customer", "agent_place", "face_key"}),
    "examine_face": frozenset({"customer", "agent_place", "face_key"}),
    "check_liveness": frozenset({"customer", "agent_place", "face_key"}),
    "enrol_template": frozenset({"face_key"}),
    "get_template": frozenset({"face_key"}),
    "replace_template": frozenset({"face_key"}),
    "erase_template": frozenset({"face_key"}),
    "erase_template_picture": frozenset({"face_key"}),
    "read_document": frozenset({"customer", "agent_place", "face_key"}),
    "compare_document": frozenset({"customer", "agent_place", "face_key"}),
    "create_verification": frozenset({"bank_key"}),
    "get_verification": frozenset({"bank_key"}),
    "cancel_verification": frozenset({"bank_key"}),
    "set_portrait": frozenset({"bank_key"}),
    "upload_attempt": frozenset({"bank_key"}),
    "redeem_decision": frozenset({"bank_key"}),
    "identify_customer": frozenset({"agent_place"}),
    "review_verification": frozenset({"agent", "other_agent", "supervisor"}),
    "list_reviews": frozenset({"agent", "other_agent", "supervisor"}),
    "get_review": frozenset({"agent", "other_agent", "supervisor"}),
    "get_review_picture": frozenset({"agent", "other_agent", "supervisor"}),
    "get_review_reference": frozenset({"agent", "other_agent", "supervisor"}),
    "unlock_customer": frozenset({"supervisor"}),
}
OWN = {
    name: who | {"face_key", "bank_key", "trail_key"} if "key" in who else who for name, who in OWN.items()
}  # these may all that any key may
# A session that another agent made, where none of the places is.
OTHER = {name: OWN[name] - {"customer", "expert", "agent_place", "agent"} | {"other_agent"} for name in OWN} | {
    "send_file": frozenset(),
    "send_pdf": frozenset(),
}


def test_the_table_is_complete() -> None:
    assert set(OWN) | PUBLIC == {operation.id for operation in OPERATIONS}


async def cast(here: Here, session: str) -> dict[str, str]:
    body = {"username": "li", "name": "Li", "role": "agent", "password": "correct horse battery"}
    await here.post("/staff", body, token=here.supervisor)
    return {
        "nobody": "",
        "customer": (await here.place(session, "customer"))["token"],
        "expert": (await here.place(session, "expert"))["token"],
        "agent_place": (await here.post(f"/sessions/{session}/enter", token=here.agent)).json["token"],
        "agent": here.agent,
        "other_agent": await here.login("li", body["password"]),
        "supervisor": here.supervisor,
        "key": here.key,
        "trail_key": (
            await here.post("/keys", {"name": "trail", "audit": True, "customers": True}, token=here.supervisor)
        ).json["secret"],
        "face_key": (await here.post("/keys", {"name": "faces", "faces": True}, token=here.supervisor)).json["secret"],
        "bank_key": (await here.post("/keys", {"name": "bank", "verifications": True}, token=here.supervisor)).json["secret"],
    }


async def agree(here: Here, session: str) -> None:
    """The customer has agreed to a check of their face, and of their document."""
    async with here.server.context.store.begin() as tx:
        customer = next(one for one in await tx.list_participants(SessionId(session)) if one.role is Role.CUSTOMER)
        for number, scope in enumerate((ConsentScope.FACE, ConsentScope.DOCUMENT)):
            await tx.add_consent(
                Consent(
                    id=ConsentId(f"CO_{'AB'[number] * 26}"),
                    session_id=customer.session_id,
                    participant_id=customer.id,
                    scope=scope,
                    decision=ConsentDecision.GIVEN,
                    wording=f"{scope.value}-1",
                    language=Language.ZH,
                    decided_at=customer.created_at,
                )
            )


async def things(here: Here, session: str, token: str) -> dict[str, str]:
    """What the paths name: in the session, and outside it."""
    place = await here.place(session)
    file = await here.post(f"/sessions/{session}/files", data=b"words", headers={"X-File-Name": "a.txt"}, token=place["token"])
    invited = await here.post(f"/sessions/{session}/invitations", {"role": "expert"}, token=token)
    key = await here.post("/keys", {"name": "spare"}, token=here.supervisor)
    return {
        "session": session,
        "participant": place["participant"],
        "file": file.json["id"],
        "invitation": invited.json["id"],
        "key": key.json["key"]["id"],
        "staff": f"ST_{'A' * 26}",
        "pdf": f"PD_{'A' * 26}",
    }


def request(operation: Operation, number: int) -> dict[str, Any]:
    bodies: dict[str, Any] = {
        "create_session": {"kind": "video"},
        "update_session": {"context": "more"},
        "end_session": {},
        "create_invitation": {"role": "expert"},
        "create_key": {"name": "k"},
        "erase_recording": {"reason": "asked for"},
        "start_export": {"format": "webm"},
        "add_risk_entry": {"list": "watch", "kind": "device", "identifier": f"d-{number}", "reason": "seen"},
        "find_risk_entries": {"kind": "device", "identifier": "d"},
        "put_risk_rules": {"text": "model_weight = 0.5"},
        "check_risk": {"type": "card_loss_report"},
        "compare_faces": {"reference": FACE, "probe": FACE},
        "compare_batch": {"reference": [FACE], "probe": [FACE]},
        "examine_face": {"image": FACE},
        "check_liveness": {"image": [FACE]},
        "enrol_template": {"image": FACE, "subject": f"s-{number}", "consent": "c-1"},
        "replace_template": {"image": FACE},
        "read_document": {"image": FACE},
        "compare_document": {"document": FACE, "probe": FACE},
        "create_verification": {
            "type": "card_loss_report",
            "customer": "c-1",
            "consent": "c-1",
            "details": {"card_last4": "4417", "request_reference": "r-1"},
        },
        "set_portrait": {"image": FACE},
        "upload_attempt": {"image": [FACE]},
        "redeem_decision": {"token": "x"},
        "identify_customer": {"methods": ["document_seen", "called_back"], "note": "seen"},
        "review_verification": {"decision": "approve", "reason": "seen"},
        "unlock_customer": {"customer": "c-1"},
        "begin_page": {"code": "123456"},
        "create_webhook": {"url": "https://core.bank.example/hooks", "events": ["*"]},
        "create_staff": {"username": f"user{number}", "name": "U", "role": "agent", "password": "correct horse battery"},
    }
    if operation.body is bytes:
        return {"data": b"words", "headers": {"X-File-Name": "a.txt"}}
    return {"body": bodies[operation.id]} if operation.id in bodies else {}


@pytest.mark.campaign(4)
@pytest.mark.parametrize("whose", ["own", "other"])
async def test_every_cell(tmp_path: Path, whose: str) -> None:
    async with app(tmp_path, engine=FakeEngine(), throttle__attempts=1000, limits__max_participants=100) as here:
        own = await here.session()
        callers = await cast(here, own)
        await agree(here, own)
        expected, owner, maker = OWN, own, callers["agent"]
        if whose == "other":
            maker = callers["other_agent"]
            owner = (await here.post("/sessions", {"kind": "video"}, token=maker)).json["id"]
            here.agent = maker
            expected = OTHER
        wrong: list[str] = []
        cells = 0
        # Ending the session, then signing out, go last; whatever else is undone is fresh each time.
        last = ("end_session", "logout")
        for operation in sorted(OPERATIONS, key=lambda operation: last.index(operation.id) if operation.id in last else -1):
            if operation.id in PUBLIC:
                continue
            if whose == "other" and not operation.in_session:
                continue
            for number, (caller, token) in enumerate(callers.items()):
                bare = operation.path.count("{") == operation.in_session
                if "{recording}" in operation.path:
                    named = {"recording": f"RE_{'A' * 26}", "export": f"EX_{'A' * 26}", "track": "PA_X.microphone.0"}
                elif "{template}" in operation.path:
                    named = {"template": f"FT_{'A' * 26}"}
                elif "/risk/" in operation.path:
                    named = {"entry": f"RL_{'A' * 26}", "rules": "spare"}
                elif "/webhooks" in operation.path:
                    named = {"webhook": f"WH_{'A' * 26}", "delivery": f"WD_{'A' * 26}"}
                elif "{visitor}" in operation.path:
                    named = {"visitor": f"VI_{'A' * 26}"}
                elif "{verification}" in operation.path:
                    named = {"verification": f"VE_{'A' * 26}", "attempt": f"AT_{'A' * 26}", "name": "first"}
                else:
                    named = {"session": owner} if bare else await things(here, owner, maker)
                path = operation.path.format(**named) + ("?name=a.pdf" if operation.id == "send_pdf" else "")
                answer = await here.call(operation.method, path, **request(operation, number), token=token)
                allowed = caller in expected[operation.id]
                refusals = {401} if caller == "nobody" else {403}
                fits = answer.status not in {401, 403} and answer.status < 500 if allowed else answer.status in refusals
                cells += 1
                if not fits:
                    wrong.append(f"{operation.id} by {caller}: {answer.status}, allowed: {allowed}")
                if operation.id == "remove_participant" and not allowed:
                    people = (await here.get(f"/sessions/{owner}/participants", token=here.supervisor)).json["participants"]
                    assert next(p for p in people if p["id"] == named["participant"])["state"] != "left"
        assert wrong == []
        assert cells == len(CALLERS) * sum(
            operation.id not in PUBLIC and (whose == "own" or operation.in_session) for operation in OPERATIONS
        )
