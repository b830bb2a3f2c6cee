"""The contract of ``server.store.ports``: what is kept of one customer, found and blanked."""

import msgspec
import pytest

from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.ids import DeliveryId, TemplateId, WebhookId
from server.domain.model import ConsentDecision, ConsentScope, FaceTemplate, Participant, Session
from server.store.ports import Store
from server.store.ports_customers import FIRST, Told
from server.transactions.risk.records import RiskDevice
from server.webhooks.records import Delivery, DeliveryState, Webhook
from tests.support import cases
from tests.support.records import T0, Records, at

POLICY = cases.policy()


async def test_cases_of_one_customer_in_pages(store: Store, make: Records) -> None:
    mine = sorted((make.case(policy_hash=POLICY.hash) for _ in range(5)), key=lambda case: case.id)
    other = msgspec.structs.replace(make.case(policy_hash=POLICY.hash), customer="c-other")
    async with store.begin() as tx:
        await tx.keep_policy(POLICY.hash, POLICY.canonical)
        for case in [other, *reversed(mine)]:
            await tx.add_case(case)
    async with store.read() as tx:
        first = await tx.customer_cases("c-7f3a", after="", limit=3)
        assert first + await tx.customer_cases("c-7f3a", after=first[-1].id, limit=3) == mine
        assert await tx.customer_cases("c-nobody", after="", limit=3) == []
        with pytest.raises(ValueError, match="limit"):
            await tx.customer_cases("c-7f3a", after="", limit=0)


async def test_the_template_of_one_person(store: Store, make: Records) -> None:
    template = FaceTemplate(
        id=TemplateId(make.id(ids.TEMPLATE)), subject="c-1", consent="x", pack_hash="ab" * 32, key=b"k", sealed=b"s", created_at=T0, created_by="AK_1",
    )  # fmt: skip
    async with store.begin() as tx:
        await tx.add_template(template)
        assert await tx.customer_template("c-1") == template
        assert await tx.customer_template("c-2") is None
        await tx.save_template(msgspec.structs.replace(template, subject=None, erased_at=at(5)))
        assert await tx.customer_template("c-1") is None


async def test_chat_and_files_are_blanked_and_stay_in_their_order(
    store: Store, make: Records, session: Session, participant: Participant
) -> None:
    other = make.session()
    person = make.participant(other.id)
    file, kept = make.file(session.id, participant.id), make.file(other.id, person.id)
    async with store.begin() as tx:
        await tx.add_session(other)
        await tx.add_participant(person)
        await tx.add_file(file)
        await tx.add_file(kept)
        await tx.add_message(make.message(session.id, participant.id, client_id="1", text="My name is Wang."))
        await tx.add_message(make.message(session.id, participant.id, client_id="2", text="", file=file.id))
        await tx.add_message(make.message(other.id, person.id, client_id="1", text="stays"))
        assert await tx.session_files(session.id) == [file.id]
        assert (await tx.blank_chat(session.id), await tx.blank_files(session.id)) == (1, 1)
        assert (await tx.blank_chat(session.id), await tx.blank_files(session.id)) == (0, 0)
    async with store.read() as tx:
        lines = await tx.list_messages(session.id, after=0, limit=10)
        assert [(line.number, line.text, line.file_id) for line in lines] == [(1, "", None), (2, "", file.id)]
        found = await tx.get_file(file.id)
        assert found == msgspec.structs.replace(file, name="", sha256="")
        assert await tx.get_file(kept.id) == kept
        assert (await tx.list_messages(other.id, after=0, limit=10))[0].text == "stays"


async def test_devices_and_callbacks(store: Store, make: Records) -> None:
    device = RiskDevice(customer=b"c" * 32, device=b"d" * 32, first_at=T0, last_at=T0)
    other = msgspec.structs.replace(device, customer=b"o" * 32)
    everything = Webhook(
        id=WebhookId(make.id(ids.WEBHOOK)), url="https://a.example/x", events=("*",), created_at=T0, created_by="ST_1"
    )
    callback = msgspec.structs.replace(
        everything, id=WebhookId(make.id(ids.WEBHOOK)), subject="VE_1", url="https://a.example/order/7"
    )
    async with store.begin() as tx:
        for one in (device, other):
            await tx.put_risk_device(one)
        for hook in (everything, callback):
            await tx.add_webhook(hook)
        assert await tx.forget_customer_devices(device.customer, at(-1)) == 0, "known only since"
        assert await tx.forget_customer_devices(device.customer, T0) == 1
        assert await tx.list_risk_devices(5) == [other]
        assert await tx.end_callbacks("VE_1", at(9)) == 1
        assert await tx.end_callbacks("VE_1", at(10)) == 0
        assert await tx.get_webhook(callback.id) == msgspec.structs.replace(callback, url="", ended_at=at(9))
        assert await tx.get_webhook(everything.id) == everything
        with pytest.raises(ValueError, match="about something"):
            await tx.end_callbacks("", at(11))


async def test_every_decision_is_found_the_earliest_first(
    store: Store, make: Records, session: Session, participant: Participant
) -> None:
    other = make.session()
    person = make.participant(other.id)
    said = [ConsentDecision.GIVEN, ConsentDecision.WITHDRAWN, ConsentDecision.GIVEN]
    mine = [make.consent(session.id, participant.id, scope=ConsentScope.FACE, decision=one) for one in said]
    mine = [msgspec.structs.replace(one, decided_at=T0) for one in mine]  # all at once: in the order in which they were written
    async with store.begin() as tx:
        await tx.add_session(other)
        await tx.add_participant(person)
        for one in (mine[0], make.consent(other.id, person.id), *mine[1:]):
            await tx.add_consent(one)
    async with store.read() as tx:
        assert await tx.all_consents(session.id) == mine
        assert await tx.all_consents(make.session().id) == []


async def test_what_was_told_is_found_by_what_it_is_about(store: Store, make: Records) -> None:
    """By subject and by session, never by a mention: the details of another's entry may name it."""
    everything, callback = (
        Webhook(id=WebhookId(make.id(ids.WEBHOOK)), url=url, events=("*",), created_at=T0, created_by="ST_1", subject=subject)
        for url, subject in (("https://a.example/x", ""), ("https://a.example/order/7", "VE_MINE"))
    )
    about = [("VE_MINE", "SE_1", {}), ("VE_OTHER", "SE_1", {}), ("VE_OTHER", "SE_2", {"case": "VE_MINE", "in": "SE_1"}),
             ("SE_1", "SE_1", {}), ("VE_MINE", "", {}), ("", "", {"case": "VE_MINE"}), ("VE_MINE", "SE_2", {})]  # fmt: skip
    told: list[Told] = []
    async with store.begin() as tx:
        for hook in (everything, callback):
            await tx.add_webhook(hook)
        for subject, session, details in about:
            event = AuditEvent(
                action=AuditAction.VERIFICATION_CREATED, at=T0, actor="AK_1", subject=subject, session=session, details=details
            )
            entry = await tx.append_audit(event)
            for hook in (callback, everything):
                made = Delivery(
                    id=DeliveryId(make.id(ids.DELIVERY)), webhook_id=hook.id, origin="https://a.example", entry=entry.number, event=event.action.value,
                    state=DeliveryState.DELIVERED, created_at=T0, subject=subject, session=session,
                )  # fmt: skip
                await tx.add_delivery(made)
                told.append(Told(delivery=made, webhook=hook, entry=entry))
        lost = msgspec.structs.replace(made, id=DeliveryId(make.id(ids.DELIVERY)), entry=999, subject="VE_MINE")
        await tx.add_delivery(lost)
    told.sort(key=lambda one: one.place)
    async with store.read() as tx:
        for wanted in ("VE_MINE", "VE_OTHER", "SE_1", "SE_2", "VE_NONE", "%", "VE_"):
            mine = [one for one in told if wanted in (one.entry.event.subject, one.entry.event.session)]
            assert await tx.told_about(wanted, after=FIRST, limit=100) == mine, wanted
            found, after = list[Told](), FIRST
            while page := await tx.told_about(wanted, after=after, limit=3):
                assert len(page) == 3 or len(found) + len(page) == len(mine)
                found, after = found + page, page[-1].place
            assert found == mine, wanted
        assert await tx.told_about("", after=FIRST, limit=100) == []
        with pytest.raises(ValueError, match="limit"):
            await tx.told_about("VE_MINE", after=FIRST, limit=0)
