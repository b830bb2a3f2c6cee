"""Transactions that are verified: asked for by the bank's systems, reviewed by its staff."""

import msgspec
from aiohttp import web

from server.api.bodies_verifications import AttemptDone, UploadAttempt, VerificationView
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE, ReviewsQuery
from server.api.problems import InvalidField
from server.domain import ids
from server.domain.ids import AttemptId, CaseId
from server.services.face_ports import CLIP_PICTURES
from server.services.verification_views import attempt_view

PRIVATE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


def _id(call: Call) -> CaseId:
    return CaseId(call.id("verification", ids.CASE))


async def create_verification(call: Call) -> Reply:
    made = await call.context.verifications.create(call.who, call.body)
    return Reply(made, f"{BASE}/verifications/{made.id}")


async def get_verification(call: Call) -> Reply:
    return Reply(await call.context.verifications.get(call.who, _id(call)))


async def cancel_verification(call: Call) -> Reply:
    return Reply(await call.context.verifications.cancel(call.who, _id(call)))


async def set_portrait(call: Call) -> Reply:
    return Reply(await call.context.verifications.set_portrait(call.who, _id(call), call.body))


async def upload_attempt(call: Call) -> Reply:
    verifications, id = call.context.verifications, _id(call)
    body: UploadAttempt = call.body
    if bool(body.image) == bool(body.clip):
        raise InvalidField("Give pictures or a clip.", "image")
    call.context.faces.count(call.who, CLIP_PICTURES if body.clip else len(body.image))
    attempt, advice, case = await verifications.attempts.upload(call.who, id, body.image, body.clip)
    done = AttemptDone(attempt=attempt_view(attempt), advice=advice, verification=verifications.view(case))
    return Reply(done, f"{BASE}/verifications/{id}")


async def redeem_decision(call: Call) -> Reply:
    return Reply(await call.context.verifications.redeem(call.who, _id(call), call.body.token))


async def get_decision_keys(call: Call) -> Reply:
    return Reply(call.context.verifications.key_set())


async def list_reviews(call: Call) -> Reply:
    query: ReviewsQuery = call.query
    waiting = call.context.verifications.reviews.waiting
    return Reply(await waiting.page(call.who, **msgspec.structs.asdict(query)))


async def get_review(call: Call) -> Reply:
    return Reply(await call.context.verifications.reviews.detail(call.who, _id(call)))


async def identify_customer(call: Call) -> Reply:
    verifications = call.context.verifications
    case = await verifications.identifications.identify(call.who, _id(call), call.body.methods, call.body.note)
    return Reply(_for_staff(verifications.view(case)))


async def review_verification(call: Call) -> Reply:
    verifications = call.context.verifications
    case = await verifications.reviews.review(call.who, _id(call), call.body.decision, call.body.reason)
    return Reply(_for_staff(verifications.view(case)))


def _for_staff(view: VerificationView) -> VerificationView:
    """The signed decision is for whoever asked for it, and for nobody's browser."""
    return msgspec.structs.replace(view, result=None, result_until=None)


async def unlock_customer(call: Call) -> Reply:
    await call.context.verifications.unlock(call.who, call.body.customer)
    return Reply()


async def get_review_picture(call: Call) -> web.StreamResponse:
    attempt, name = AttemptId(call.id("attempt", ids.ATTEMPT)), call.request.match_info["name"]
    return _picture(await call.context.verifications.reviews.picture(call.who, _id(call), attempt, name))


async def get_review_reference(call: Call) -> web.StreamResponse:
    return _picture(await call.context.verifications.reviews.reference(call.who, _id(call)))


def _picture(jpeg: bytes) -> web.Response:
    return web.Response(body=jpeg, content_type="image/jpeg", headers=PRIVATE)


HANDLERS: dict[str, Handler] = {
    "create_verification": create_verification,
    "get_verification": get_verification,
    "cancel_verification": cancel_verification,
    "set_portrait": set_portrait,
    "upload_attempt": upload_attempt,
    "redeem_decision": redeem_decision,
    "get_decision_keys": get_decision_keys,
    "list_reviews": list_reviews,
    "get_review": get_review,
    "get_review_picture": get_review_picture,
    "get_review_reference": get_review_reference,
    "identify_customer": identify_customer,
    "review_verification": review_verification,
    "unlock_customer": unlock_customer,
}
