"""The demo's bank and a real server: the four transactions from the form to the effect, over HTTP and webhooks; and who tries to get round it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.demo_bank.products import LOSS, PASSWORD, PHONE, TYPES, USHIELD
from server.demo_bank.views import fingerprint
from server.webhooks import signing
from tests.scenario.test_api_people import page as opened
from tests.support.demo_bank import FORMS, Branch, Customer, bank_beside, browser
from tests.support.tiny_engine import ALICE, BOB, draw

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def branch(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Branch]:
    async with bank_beside(tmp_path_factory.mktemp("bank")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def customer(branch: Branch) -> AsyncIterator[Customer]:
    """Li Hua, with a face at the bank, as on the first day."""
    async with browser() as http:
        found = branch.customer(http)
        await found.sign_in("li")
        await found.post("/anew")
        assert (await found.enrol()).path == "/?told=enrolled_now"
        yield found


DONE = {
    PASSWORD: "Your card's new password is in force",
    LOSS: "Your card is blocked",
    PHONE: "Your number is now 150****4477",
    USHIELD: "Your U-shield's PIN has been reset",
}


@pytest.mark.parametrize("type", TYPES)
async def test_each_transaction_is_verified_redeemed_and_carried_out(branch: Branch, customer: Customer, type: str) -> None:
    before = branch.books.account("li")
    form = await customer.get(f"/new/{type}")
    sent = await customer.post("/orders", {"type": type, "order": form.field("order"), **FORMS[type]})
    assert sent.status == 303
    assert sent.path.startswith(f"{branch.here.server.context.public_url}/j/"), "straight to Tongping's page"
    id = form.field("order")
    page = await customer.until(id, "open")
    assert sent.path in page.text, "and there again by a link"
    shown = await branch.show(id)
    assert shown["verification"]["state"] == "accepted"
    page = await customer.until(id, "done")
    assert DONE[type] in page.words()
    order, account = branch.order(id), branch.books.account("li")
    assert order.hooks >= 1, "it was a webhook that said so"
    assert order.claims is not None
    assert order.claims["decision"] == "accept"
    assert order.details["request_reference"] == id
    assert order.secret_hash == ""
    changed = {
        PASSWORD: account.pin_set_at > before.pin_set_at,
        LOSS: account.card_blocked_at > 0,
        PHONE: account.phone == "15020014477",
        USHIELD: account.ushield_set_at > before.ushield_set_at,
    }
    assert changed[type]
    case = await _case(branch, id)
    assert case["redeemed_at"] == order.redeemed_at
    history = (await customer.get("/history")).words()
    assert "Carried out" in history
    assert "Uploaded pictures" in history
    secret = FORMS[type].get("new_secret")
    assert secret is None or secret not in json.dumps(order.details), "Tongping never learns it"


async def _case(branch: Branch, order: str) -> Any:
    found = await branch.here.get(f"/verifications/{branch.order(order).case_id}", token=branch.key)
    return found.json


async def test_a_changed_detail_makes_the_same_decision_worthless(branch: Branch, customer: Customer) -> None:
    id = await customer.order(PHONE)
    await branch.show(id)
    await customer.until(id, "done")
    page = await customer.post(f"/orders/{id}/changed")
    assert page.status == 200
    assert "The bank refuses: this is not what was signed" in page.words()
    signed = (branch.order(id).claims or {})["details_hash"]
    assert page.text.count(signed) >= 2
    assert branch.books.account("li").phone == "15020014477"


async def test_the_fingerprint_shown_is_the_one_that_is_signed(branch: Branch, customer: Customer) -> None:
    id = await customer.order(LOSS)
    assert fingerprint(branch.order(id).details) == (await _case(branch, id))["details_hash"]
    await customer.post(f"/orders/{id}/cancel")


async def test_somebody_else_before_the_camera_changes_nothing(branch: Branch, customer: Customer) -> None:
    id = await customer.order(PASSWORD)
    for _ in range(3):
        await branch.show(id, BOB)
    page = await customer.until(id, "refused")
    assert "Nothing was changed" in page.words()
    assert "Not the enrolled face" in page.words()
    assert branch.books.account("li").pin_set_at == 0
    assert (branch.order(id).claims or {})["decision"] == "reject"
    assert (await _case(branch, id))["redeemed_at"] is None


async def test_five_failures_lock_and_the_demo_begins_anew(branch: Branch, customer: Customer) -> None:
    first = await customer.order(PASSWORD)
    for _ in range(3):
        await branch.show(first, BOB)
    await customer.until(first, "refused")
    second = await customer.order(PASSWORD)
    for _ in range(2):
        await branch.show(second, BOB)
    await customer.until(second, "refused")
    third = await customer.order(PASSWORD)
    page = await customer.until(third, "refused")
    assert "locked for a day" in page.words()
    old = branch.books.account("li").pseudonym
    assert (await customer.post("/anew")).path == "/?told=anew_now"
    account = branch.books.account("li")
    assert (account.pseudonym == old, account.template) == (False, "")
    assert (
        "enrol your face" in (await customer.post("/orders", {"type": PASSWORD, "order": "x" * 22, **FORMS[PASSWORD]})).words()
    )
    await customer.enrol()
    await customer.post(f"/orders/{await customer.order(PASSWORD)}/cancel")


async def test_who_has_no_face_enrolled_is_asked_before_the_form_and_served_by_people(branch: Branch) -> None:
    """Without a template: an agent whom the customer asks for identifies them, another approves, and the bank carries it out."""
    here = branch.here
    async with browser() as http:
        chen = branch.customer(http)
        await chen.sign_in("chen")
        await chen.post("/anew")
        ways = await chen.get(f"/new/{PASSWORD}")
        assert ("Without your face, by a person" in ways.words(), "new_secret" in ways.text) == (True, False)
        form = await chen.get(f"/new/{PASSWORD}?way=person")
        assert form.field("way") == "person"
        fields = {"type": PASSWORD, "order": form.field("order"), "way": "person", **FORMS[PASSWORD]}
        sent = await chen.post("/orders", fields)
        id = fields["order"]
        assert sent.status == 303, sent.words()
        assert "No face is enrolled" in (await chen.until(id, "open")).words()
        assert (await _case(branch, id))["reference"] == "missing"
        entry = (await here.post("/invitations/redeem", {"secret": sent.path.rpartition("/j/")[2], "name": "Chen"})).json
        mine, desk = await opened(here, entry["token"]), await opened(here, here.agent)
        await mine.say("verification.agent", reason="declined")
        session = entry["session"]["id"]
        await desk.until(lambda one: any(body["type"] == "waiting.list" and body["entries"] for body in one.bodies))
        await desk.say("waiting.take", session=session)
        place = (await desk.told("waiting.taken"))["token"]
        agent = await opened(here, place)
        body = {"methods": ["document_seen", "questions_answered"], "note": "knew the last two payments"}
        case = branch.order(id).case_id
        assert (await here.post(f"/verifications/{case}/identification", body, token=place)).json["state"] == "review"
        assert "colleagues who were not there" in (await chen.until(id, "review")).words()
        review = {"decision": "approve", "reason": "the same"}
        assert (await here.post(f"/verifications/{case}/review", review, token=here.agent)).status == 403
        assert (await here.post(f"/verifications/{case}/review", review, token=here.supervisor)).status == 200
        done = await chen.until(id, "done")
        assert "Without a face check: an agent identified them" in done.words()
        assert ("You, to an agent" in done.words(), "You, before the camera" in done.words()) == (True, False)
        assert "Beijing time" in done.words()
        for one in (mine, desk, agent):
            await one.close()


async def test_a_person_decides_and_the_bank_waits_for_it(branch: Branch) -> None:
    async with browser() as http:
        wang = branch.customer(http)
        await wang.sign_in("wang")
        await wang.post("/anew")
        await wang.enrol()
        id = await wang.order(PHONE)
        assert (await branch.show(id))["verification"]["state"] == "review"
        page = await wang.until(id, "review")
        assert "Open the workbench" in page.words() or "open the workbench" in page.words()
        assert f"{branch.here.server.context.public_url}/agent" in page.text
        assert branch.books.account("wang").phone_set_at == 0
        case = branch.order(id).case_id
        [attempt] = (await branch.here.get(f"/reviews/{case}", token=branch.here.agent)).json["attempts"]
        assert attempt["reference"] == "enrolment", "the photograph of the branch, to hold the others against"
        picture = f"/reviews/{case}/attempts/{attempt['attempt']['id']}/pictures/reference-1"
        assert (await branch.here.get(picture, token=branch.here.agent)).raw.startswith(b"\xff\xd8\xff")
        said = await branch.here.post(
            f"/verifications/{case}/review", {"decision": "approve", "reason": "known to me"}, token=branch.here.agent
        )
        assert said.status == 200, said.json
        page = await wang.until(id, "done")
        assert "Approved by a person" in page.words()
        declined = await wang.order(USHIELD)
        await branch.show(declined)
        await wang.until(declined, "review")
        case = branch.order(declined).case_id
        await branch.here.post(
            f"/verifications/{case}/review", {"decision": "decline", "reason": "no"}, token=branch.here.agent
        )
        await wang.until(declined, "refused")
        assert branch.books.account("wang").ushield_set_at == 0


async def test_cancelling_is_told_to_the_server(branch: Branch, customer: Customer) -> None:
    id = await customer.order(LOSS)
    await customer.post(f"/orders/{id}/cancel")
    page = await customer.until(id, "refused")
    assert "It was cancelled" in page.words()
    assert (await _case(branch, id))["state"] == "cancelled"


async def test_a_decision_that_somebody_redeemed_first_is_not_carried_out(branch: Branch, customer: Customer) -> None:
    """As where the key was stolen, or the books were brought back from a backup."""
    id = await customer.order(PASSWORD)
    await branch.stop()
    case = (await branch.show(id))["verification"]
    done = await branch.here.post(f"/verifications/{case['id']}/redeem", {"token": case["result"]}, token=branch.key)
    assert done.status == 200
    await branch.start()
    page = await customer.until(id, "unclear")
    assert "this was not carried out" in page.words()
    assert branch.order(id).fault == "already_redeemed"
    assert branch.books.account("li").pin_set_at == 0


async def test_a_bank_that_died_while_it_redeemed_does_not_carry_out(branch: Branch, customer: Customer) -> None:
    id = await customer.order(PASSWORD)
    assert branch.books.begin(id)
    await branch.show(id)
    await branch.again()
    await customer.until(id, "unclear")
    assert branch.order(id).fault == "stopped"
    assert (await _case(branch, id))["redeemed_at"] is None
    assert branch.books.account("li").pin_set_at == 0


async def test_what_was_decided_while_the_bank_was_down_is_carried_out_afterwards(branch: Branch, customer: Customer) -> None:
    id = await customer.order(PASSWORD)
    await branch.stop()
    await branch.show(id)
    await branch.start()
    await customer.until(id, "done")


async def test_an_order_is_once_however_often_it_is_sent(branch: Branch, customer: Customer) -> None:
    form = await customer.get(f"/new/{LOSS}")
    fields = {"type": LOSS, "order": form.field("order"), **FORMS[LOSS]}
    await asyncio.gather(*(customer.post("/orders", fields) for _ in range(5)))
    mine = [one for one in branch.books.history("li") if one.id == fields["order"]]
    assert [one.state for one in mine] == ["waiting"]
    async with browser() as http:
        other = branch.customer(http)
        await other.sign_in("chen")
        await other.enrol()
        taken = await other.post("/orders", fields)
        assert taken.status == 403
        for path in ("", "/state"):
            assert (await other.get(f"/orders/{fields['order']}{path}")).status == 404
        for path in ("cancel", "changed"):
            assert (await other.post(f"/orders/{fields['order']}/{path}")).status == 404
    await customer.post(f"/orders/{fields['order']}/cancel")


async def test_more_than_three_open_orders_are_refused(branch: Branch, customer: Customer) -> None:
    made = [await customer.order(LOSS) for _ in range(3)]
    form = await customer.get(f"/new/{LOSS}")
    page = await customer.post("/orders", {"type": LOSS, "order": form.field("order"), **FORMS[LOSS]})
    assert (page.status, "Three of your orders are still open" in page.words()) == (400, True)
    for one in made:
        await customer.post(f"/orders/{one}/cancel")


async def test_the_branch_says_what_is_wrong_with_a_picture(branch: Branch, customer: Customer) -> None:
    assert "There was no picture" in (await customer.post("/branch", {"consent": "yes"})).words()
    assert "Please agree first" in (await customer.post("/branch", {"image": draw(ALICE)})).words()
    nobody = await customer.enrol(None)
    assert nobody.status == 422
    dark = await customer.enrol((60, 40, 30), headers={"Accept": "application/json"})
    assert dark.status == 422
    assert "dark" in json.loads(dark.text)["advice"][0]
    assert branch.books.account("li").template, "what was there is still there"


async def test_erasing_the_face_erases_it_at_the_server(branch: Branch, customer: Customer) -> None:
    template = branch.books.account("li").template
    assert (await customer.post("/branch/erase")).path == "/?told=erased_now"
    assert branch.books.account("li").template == ""
    assert (await branch.here.get(f"/face/templates/{template}", token=branch.key)).status == 410
    assert (await customer.enrol()).path == "/?told=enrolled_now"
    await branch.here.delete(f"/face/templates/{branch.books.account('li').template}", token=branch.key)
    form = await customer.get(f"/new/{LOSS}")
    page = await customer.post("/orders", {"type": LOSS, "order": form.field("order"), **FORMS[LOSS]})
    assert "enrol your face" in page.words(), "erased there, forgotten here"


async def test_its_orders_outlive_it(branch: Branch, customer: Customer) -> None:
    id = await customer.order(PASSWORD)
    await branch.again()
    assert (await customer.get(f"/orders/{id}")).status == 200, "one stays signed in"
    await branch.show(id)
    await customer.until(id, "done")
    assert (await branch.here.get("/verifications/keys")).status == 200


async def test_a_key_that_was_revoked_is_replaced_at_the_next_start(tmp_path: Path) -> None:
    async with bank_beside(tmp_path) as branch:
        customer = branch.customer()
        await customer.sign_in("li")
        id = branch.key.partition(".")[0]
        assert (await branch.here.delete(f"/keys/{id}", token=branch.here.supervisor)).status == 204
        assert (await customer.enrol()).status == 502
        await branch.again()
        assert (await customer.enrol()).path == "/?told=enrolled_now"


async def test_without_webhooks_it_asks(tmp_path: Path) -> None:
    async with bank_beside(tmp_path, callback=False) as branch:
        customer = branch.customer()
        await customer.sign_in("chen")
        await customer.enrol()
        id = await customer.order(LOSS)
        await branch.show(id)
        await customer.get(f"/orders/{id}")
        await customer.until(id, "done")
        assert branch.order(id).hooks == 0


# ---- whoever tries to get round it


async def test_a_form_from_elsewhere_is_refused(branch: Branch, customer: Customer) -> None:
    """Forged across sites: no token, another's token, a token of before signing in, another origin."""
    async with browser() as http:
        stranger = branch.customer(http)
        others = (await stranger.get()).field("form_token")
        before = branch.books.account("li")
        assert (await stranger.post("/new-card", form_token=others)).path == "/", "nobody is signed in there"
    for token in ("", others, "x" * 64, "é" * 64):
        for path in ("/sign-out", "/branch/erase", "/anew", "/new-card", "/orders", "/branch"):
            refused = await customer.post(path, form_token=token)
            assert (refused.status, "was not sent from a page of this bank" in refused.words()) == (403, True), path
    home = await customer.get()
    for origin in ("https://evil.example", "null", branch.here.url):
        refused = await customer.post("/anew", form_token=home.field("form_token"), headers={"Origin": origin})
        assert refused.status == 403, origin
    async with customer.http.post(f"{customer.url}/anew", json={"form_token": home.field("form_token")}) as answer:
        assert answer.status == 415
    assert branch.books.account("li") == before
    assert (await customer.post("/new-card", headers={"Origin": customer.url})).status == 303


async def test_signing_in_gives_another_cookie_and_signing_out_ends_it(branch: Branch) -> None:
    async with browser() as http:
        one = branch.customer(http)
        first = (await one.get()).headers["Set-Cookie"]
        assert ("HttpOnly" in first, "SameSite=Lax" in first, "Path=/" in first) == (True, True, True)
        second = (await one.post("/sign-in", {"customer": "chen"})).headers["Set-Cookie"]
        cookie = second.partition(";")[0].partition("=")[2]
        assert first.partition(";")[0] != second.partition(";")[0], "no fixed session is taken over"
        headers = {"Cookie": f"bank={cookie}"}
        async with browser() as other:
            again = branch.customer(other)
            assert "Hello, Chen Ming" in (await again.get(headers=headers)).words()
            await one.post("/sign-out")
            assert "Choose one of four" in (await again.get(headers=headers)).words()
            for path in ("/branch", "/history", f"/new/{LOSS}", "/orders/x"):
                assert (await again.get(path, headers=headers)).path == "/", path


async def test_another_name_that_points_here_is_not_answered(branch: Branch) -> None:
    async with browser() as http:
        page = await branch.customer(http).get(headers={"Host": "bank.evil.example"})
    assert page.status == 421
    assert "Li Hua" not in page.text


async def test_nothing_runs_but_what_the_bank_sent(branch: Branch, customer: Customer) -> None:
    first, second = await customer.get(), await customer.get()
    policy = first.headers["Content-Security-Policy"]
    assert policy != second.headers["Content-Security-Policy"], "another nonce each time"
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    assert first.text.count(f'nonce="{nonce}"') == 2
    assert ("unsafe" in policy, "default-src 'none'" in policy, "frame-ancestors 'none'" in policy) == (False, True, True)
    assert " style=" not in first.text
    assert " onclick" not in first.text
    for path in ("/", "/static/bank.js", "/nothing", "/orders/<script>"):
        answer = await customer.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert "<script>" not in answer.text, path


@pytest.mark.parametrize(
    ("type", "fields", "said"),
    [
        (PASSWORD, {"new_secret": "12345", "again": "12345"}, "six digits"),
        (PASSWORD, {"new_secret": "123456", "again": "123456"}, "Too easy"),
        (PASSWORD, {"new_secret": "111111", "again": "111111"}, "Too easy"),
        (PASSWORD, {"new_secret": "804152", "again": "804153"}, "not the same"),
        (PASSWORD, {"new_secret": "٨٠٤١٥٢", "again": "٨٠٤١٥٢"}, "six digits"),
        (LOSS, {"lost_on": "2999-01-01"}, "no date"),
        (LOSS, {"lost_on": "yesterday"}, "no date"),
        (PHONE, {"new_phone": "<b>1</b>"}, "11 digits"),
        (PHONE, {"new_phone": "13900139042"}, "the number that we have"),
        (USHIELD, {"new_secret": "123", "again": "123"}, "six to eight"),
    ],
)
async def test_forms_that_are_refused(branch: Branch, customer: Customer, type: str, fields: dict[str, str], said: str) -> None:
    form = await customer.get(f"/new/{type}")
    page = await customer.post("/orders", {"type": type, "order": form.field("order"), **fields})
    assert (page.status, said in page.words()) == (400, True)
    with pytest.raises(KeyError):
        branch.order(form.field("order"))


async def test_forms_that_nobody_has_are_refused(branch: Branch, customer: Customer) -> None:
    for fields in ({"type": "transfer", "order": "x" * 22}, {"type": LOSS, "order": "../x"}, {}):
        assert (await customer.post("/orders", fields)).status == 400
    assert (await customer.get("/new/transfer")).status == 404
    assert (await customer.post("/orders", {"type": LOSS, "more": "x" * 20_000})).status == 413
    assert (await customer.post("/branch", {"consent": "yes", "image": b"x" * (9 << 20)})).status == 413
    assert (await customer.post("/sign-in", {"customer": "nobody"})).status == 400


async def test_webhooks_are_taken_from_the_server_alone(branch: Branch, customer: Customer) -> None:
    """Unsigned, of another time, changed, by another key, for another order, again."""
    id, other = await customer.order(PASSWORD), await customer.order(LOSS)
    await branch.here.server.context.webhooks.settle()
    order = branch.order(id)
    key = branch.here.server.context.webhooks._key
    body = json.dumps({"type": "verification.ended", "data": {"subject": order.case_id}}).encode()

    async def told(hook: str, headers: dict[str, str], body: bytes = body) -> int:
        async with customer.http.post(f"{customer.url}/hooks/{hook}", data=body, headers=headers) as answer:
            return answer.status

    now = datetime.now(UTC)
    good = signing.sign(key, "WD_X", now, body)
    assert await told(order.hook, {}) == 401
    assert await told(order.hook, signing.sign(key, "WD_X", now - timedelta(seconds=301), body)) == 401
    assert await told(order.hook, signing.sign(key, "WD_X", now + timedelta(seconds=310), body)) == 401
    assert await told(order.hook, good, body + b" ") == 401
    assert await told(order.hook, signing.sign(Ed25519PrivateKey.generate(), "WD_X", now, body)) == 401
    assert await told(order.hook, {**good, "webhook-id": "WD_Y"}) == 401
    assert await told(branch.order(other).hook, good) == 403
    assert await told("x" * 32, good) == 404
    assert await told(order.hook, signing.sign(key, "WD_X", now, b"[]"), b"[]") == 401
    assert await told(order.hook, {"Content-Type": "application/json"}, b"x" * 70_000) == 413
    before = branch.order(id).hooks
    assert [await told(order.hook, good) for _ in range(3)] == [204, 204, 204]
    assert branch.order(id).hooks == before + 1, "taken once"
    assert branch.order(id).state == "waiting", "what it says is not acted upon: the verification has not ended"
    for one in (id, other):
        await customer.post(f"/orders/{one}/cancel")
