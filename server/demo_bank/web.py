"""The bank's pages and the address for webhooks. SHELL.

Pages are made here, whole; a form posts and is answered with another page's address. The clerk does the work behind it.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path

from aiohttp import web

from server.demo_bank import hooks
from server.demo_bank.books import Order, TooManyOrders
from server.demo_bank.clerk import Clerk
from server.demo_bank.guard import (
    BOOKS,
    MAX_PICTURE_BYTES,
    SETTINGS,
    VISIT,
    Next,
    Stop,
    Visit,
    add_headers,
    cookie_name,
    new_token,
    set_cookie,
    visit,
)
from server.demo_bank.products import PEOPLE, TYPES, Account, FormWrong, changed, wanted
from server.demo_bank.render import Html
from server.demo_bank.transfers import TransferView, wrongs
from server.demo_bank.video import Refused, Unreachable, Video
from server.demo_bank.views import BEIJING, PERSON, Views
from server.transactions.token import DecisionRefused

log = logging.getLogger("server.demo_bank")
CLERK = web.AppKey("clerk", Clerk)
VIDEO = web.AppKey("video", Video)
NOTICES = frozenset({"transfer_now", "enrolled_now", "erased_now", "anew_now", "new_card_now"})
ASK_S = 8.0
"""So long a customer waits for the address of Tongping's page; then the order's page tells them."""
STATIC = Path(__file__).parent / "static"
_ORDER = re.compile(r"[A-Za-z0-9_-]{22}")
Handler = Callable[[web.Request, Visit], Awaitable[web.StreamResponse]]


@web.middleware
async def around(request: web.Request, handler: Next) -> web.StreamResponse:
    """What is wrong becomes a page. Headers are put on in ``on_response_prepare``."""
    try:
        return await handler(request)
    except Stop as stop:
        return await _stopped(request, stop.status, stop.words)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return await _stopped(request, error.status, "stop_large" if error.status == 413 else "stop_missing")
    except (Unreachable, Refused) as error:
        log.warning("Tongping did not do what was asked", extra={"why": str(error)})
        return await _stopped(request, 502, "unreachable")
    except Exception:
        log.exception("a page failed")
        return await _stopped(request, 500, "stop_ours")


async def _stopped(request: web.Request, status: int, words: str) -> web.Response:
    if VISIT not in request and request.method == "GET":  # at an address that is none
        with contextlib.suppress(Stop):
            await visit(request)
    found = request.get(VISIT)
    if found is None or "application/json" in request.headers.get("Accept", ""):
        return web.json_response({"error": words, "advice": []}, status=status)
    content = found.renderer.page("stop", {"text": found.renderer.word(words)})
    return page(request, found, "stop_title", content, status=status)


def page(
    request: web.Request,
    found: Visit,
    title: str,
    content: Html,
    *,
    notice: Html | None = None,
    status: int = 200,
    kind: str = "",
) -> web.Response:
    settings, r = request.app[SETTINGS], found.renderer
    values = {
        "bank": settings.name_zh if found.language == "zh" else settings.name_en,
        "title": r.word(title),
        "nonce": found.nonce,
        "sharing": r.page("sharing", {"server": settings.server_url, "site": settings.site, "nonce": found.nonce})
        if settings.site
        else Html(),
        "step": title,
        "customer": found.customer,
        "links": r.page("links", {"form_token": found.form_token}) if found.customer else Html(),
        "other": "en" if found.language == "zh" else "zh",
        "kind": kind,
        "notice": notice or Html(),
        "content": content,
    }
    response = web.Response(text=r.page("base", values), content_type="text/html", status=status)
    if request.cookies.get(cookie_name(settings)) != found.token:
        set_cookie(settings, response, found.token)
    if request.query.get("lang") == found.language:
        response.set_cookie("bank_lang", found.language, max_age=365 * 24 * 3600, path="/", samesite="Lax", httponly=True)
    return response


def to(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


def _views(request: web.Request, found: Visit) -> Views:
    return Views(found.renderer, request.app[SETTINGS], found.form_token)


def _notice(found: Visit, words: str, kind: str = "") -> Html:
    return found.renderer.page("notice", {"text": found.renderer.word(words), "kind": kind})


def anybody(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request, await visit(request))

    return handle


def customer(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """For who is signed in; others are led to where that is done."""

    async def handle(request: web.Request) -> web.StreamResponse:
        found = await visit(request)
        return await handler(request, found) if found.customer else to("/")

    return handle


async def _account(request: web.Request, found: Visit) -> Account:
    return await asyncio.to_thread(request.app[BOOKS].account, found.customer)


# ---- signing in


async def home(request: web.Request, found: Visit) -> web.StreamResponse:
    views = _views(request, found)
    if not found.customer:
        return page(request, found, "sign_in", views.sign_in())
    told = request.query.get("told", "")
    notice = _notice(found, told) if told in NOTICES else None
    return page(request, found, "home", views.home(await _account(request, found)), notice=notice)


async def sign_in(request: web.Request, found: Visit) -> web.StreamResponse:
    who = found.form.get("customer", "")
    if who not in PEOPLE:
        raise Stop(400, "stop_forged")
    token = new_token()
    await asyncio.to_thread(request.app[BOOKS].sign_in, token, who)
    response = to("/")
    set_cookie(request.app[SETTINGS], response, token)
    return response


async def sign_out(request: web.Request, found: Visit) -> web.StreamResponse:
    await asyncio.to_thread(request.app[BOOKS].sign_out, found.token)
    response = to("/")
    set_cookie(request.app[SETTINGS], response, new_token())
    return response


# ---- at the branch


async def branch(request: web.Request, found: Visit) -> web.StreamResponse:
    return page(request, found, "branch", _views(request, found).branch(await _account(request, found)))


async def enrol(request: web.Request, found: Visit) -> web.StreamResponse:
    """The photograph goes to Tongping, which keeps a template of it; the bank keeps its id and the consent."""
    account = await _account(request, found)
    if found.form.get("consent") != "yes":
        return await _not_enrolled(request, found, account, 400, [found.renderer.word("need_consent")])
    if not found.picture:
        return await _not_enrolled(request, found, account, 400, [found.renderer.word("need_picture")])
    books, video = request.app[BOOKS], request.app[VIDEO]
    wording = "\n".join(found.renderer.word(one) for one in ("consent_what", "consent_why", "consent_else", "i_agree"))
    consent = await asyncio.to_thread(books.consent, found.customer, wording)
    try:
        if account.template:
            made = await video.enrol_again(account.template, found.picture, consent)
            template = str(made["template"]["id"])
        else:
            made = await video.enrol(found.picture, account.pseudonym, consent, f"enrol-{consent.rpartition('/')[2]}")
            template = str(made["template"]["id"])
    except Refused as error:
        if error.status == 422:
            advice = [one.get(found.language, "") for one in error.advice] or [found.renderer.word("picture_refused")]
            return await _not_enrolled(request, found, account, 422, advice)
        if error.status in (404, 410) and account.template:  # erased at Tongping meanwhile
            await asyncio.to_thread(books.forgotten, found.customer)
        log.warning("a face was not enrolled", extra={"code": error.code, "status": error.status})
        words = "faces_unavailable" if error.status >= 429 else "picture_refused"
        return await _not_enrolled(request, found, account, 502, [found.renderer.word(words)])
    except Unreachable:
        return await _not_enrolled(request, found, account, 502, [found.renderer.word("unreachable")])
    await asyncio.to_thread(books.enrolled, found.customer, template, consent)
    if "application/json" in request.headers.get("Accept", ""):
        return web.json_response({"next": "/?told=enrolled_now"})
    return to("/?told=enrolled_now")


async def _not_enrolled(request: web.Request, found: Visit, account: Account, status: int, advice: list[str]) -> web.Response:
    if "application/json" in request.headers.get("Accept", ""):
        return web.json_response({"advice": advice}, status=status)
    notice = found.renderer.page("notice", {"text": " ".join(advice), "kind": "bad"})
    return page(request, found, "branch", _views(request, found).branch(account), notice=notice, status=status)


async def erase(request: web.Request, found: Visit) -> web.StreamResponse:
    account = await _account(request, found)
    await _forget(request, account)
    return to("/?told=erased_now")


async def _forget(request: web.Request, account: Account) -> None:
    if account.template:
        try:
            await request.app[VIDEO].forget(account.template)
        except Refused as error:
            if error.status not in (404, 410):
                raise
        await asyncio.to_thread(request.app[BOOKS].forgotten, account.customer)


async def anew(request: web.Request, found: Visit) -> web.StreamResponse:
    """Another pseudonym: what was counted against the first is left behind. Only a demo does that."""
    await _forget(request, await _account(request, found))
    await asyncio.to_thread(request.app[BOOKS].anew, found.customer)
    return to("/?told=anew_now")


async def new_card(request: web.Request, found: Visit) -> web.StreamResponse:
    await asyncio.to_thread(request.app[BOOKS].new_card, found.customer)
    return to("/?told=new_card_now")


# ---- orders


async def new_order(request: web.Request, found: Visit) -> web.StreamResponse:
    type = request.match_info["type"]
    if type not in TYPES:
        raise web.HTTPNotFound
    account = await _account(request, found)
    if not account.template and request.query.get("way") != PERSON:
        return page(request, found, type, _views(request, found).ways(type))
    return await _form(request, found, type, account)


def _way(account: Account) -> str:
    return "face" if account.template else PERSON


async def _form(request: web.Request, found: Visit, type: str, account: Account, wrong: str = "") -> web.Response:
    today = datetime.now(BEIJING).date().isoformat()
    order = new_token()[:22]
    content = _views(request, found).form(type, account, order, today, way=_way(account))
    notice = _notice(found, wrong, "bad") if wrong else None
    return page(request, found, type, content, notice=notice, status=400 if wrong else 200)


async def place_order(request: web.Request, found: Visit) -> web.StreamResponse:
    """Written down first, then asked for: a form that is sent twice, or a bank that stops in between, makes one order and one verification."""
    books, form = request.app[BOOKS], found.form
    account = await _account(request, found)
    type, id = form.get("type", ""), form.get("order", "")
    if type not in TYPES or not _ORDER.fullmatch(id):
        raise Stop(400, "stop_forged")
    try:
        asked = wanted(type, form, account, datetime.now(BEIJING).date())
        if account.template or form.get("way") != PERSON:
            await _enrolled(request, account)
        order = await asyncio.to_thread(books.order, id, account, type, asked.details, asked.secret, found.language)
    except FormWrong as wrong:
        return await _form(request, found, type, await _account(request, found), str(wrong))
    except TooManyOrders:
        return await _form(request, found, type, account, "wrong_many")
    except KeyError:
        raise Stop(403, "stop_forged") from None
    with contextlib.suppress(TimeoutError):  # the clerk goes on with it
        async with asyncio.timeout(ASK_S):
            order = await request.app[CLERK].ask(order.id)
    request.app[CLERK].look_at(order.id)
    return to(order.link if order.state == "waiting" and order.link and order.case_state == "open" else f"/orders/{order.id}")


async def _enrolled(request: web.Request, account: Account) -> None:
    """Raises FormWrong where there is nothing that a face could be compared with."""
    if not account.template:
        raise FormWrong("wrong_enrol")
    try:
        known = await request.app[VIDEO].template(account.template)
    except Refused as error:
        if error.status not in (404, 410):
            raise
        await asyncio.to_thread(request.app[BOOKS].forgotten, account.customer)
        raise FormWrong("wrong_enrol") from None
    if known.get("state") == "pack_changed":
        raise FormWrong("wrong_enrol_again")


async def _order(request: web.Request, found: Visit) -> Order:
    """Raises HTTPNotFound: none, or another customer's."""
    try:
        order = await asyncio.to_thread(request.app[BOOKS].get, request.match_info["order"])
    except KeyError:
        raise web.HTTPNotFound from None
    if order.customer != found.customer:
        raise web.HTTPNotFound
    return order


async def show_order(request: web.Request, found: Visit) -> web.StreamResponse:
    order = await _order(request, found)
    if not order.settled:
        request.app[CLERK].look_at(order.id)
    views = _views(request, found)
    account = await _account(request, found)
    return page(request, found, "order", views.order(order, views.change(order), by_person=not account.template))


async def order_state(request: web.Request, found: Visit) -> web.StreamResponse:
    order = await _order(request, found)
    return web.json_response({"state": order.state, "case_state": order.case_state, "version": order.version})


async def cancel_order(request: web.Request, found: Visit) -> web.StreamResponse:
    order = await _order(request, found)
    if order.case_id and not order.settled:
        try:
            await request.app[VIDEO].cancel(order.case_id)
        except Refused as error:
            log.info("not cancelled", extra={"order": order.id, "code": error.code})  # over already: the clerk sees how
        request.app[CLERK].look_at(order.id)
    return to(f"/orders/{order.id}")


async def try_changed(request: web.Request, found: Visit) -> web.StreamResponse:
    """The same decision for another detail, at the moment at which it was good: what the bank would have answered."""
    order = await _order(request, found)
    views = _views(request, found)
    if order.claims is None or order.state != "done":
        return to(f"/orders/{order.id}")
    name, value = changed(order.type, order.details)
    details = {**order.details, name: value}
    try:
        then = datetime.fromtimestamp(order.verified_at, BEIJING)
        await request.app[CLERK].verify(order.token, details, then)
    except DecisionRefused as error:
        code = error.code
    else:
        raise RuntimeError("a decision was good for other details")
    content = views.order(order, views.changed(details, order.claims["details_hash"], code))
    return page(request, found, "order", content)


async def history(request: web.Request, found: Visit) -> web.StreamResponse:
    orders = await asyncio.to_thread(request.app[BOOKS].history, found.customer)
    return page(request, found, "history", _views(request, found).history(orders))


# ---- a transfer, which moves nothing


def _transfer(found: Visit) -> TransferView:
    return TransferView(found.renderer, found.form_token, found.nonce)


async def transfer(request: web.Request, found: Visit) -> web.StreamResponse:
    wrong = wrongs(found.form, found.customer, _today()) if request.method == "POST" else {}
    if request.method == "POST" and not wrong:
        return to("/?told=transfer_now")
    content = _transfer(found).page(found.customer, _today(), found.form, wrong)
    return page(request, found, "transfer", content, status=400 if wrong else 200)


async def fees(_: web.Request, found: Visit) -> web.StreamResponse:
    """Framed by the page for transfers."""
    found.framed = True
    return web.Response(text=_transfer(found).fees(), content_type="text/html")


def _today() -> date:
    return datetime.now(BEIJING).date()


# ---- webhooks


async def hook(request: web.Request) -> web.StreamResponse:
    """Signed by Tongping, of now, about the verification of this order, and once: then somebody looks. What it says itself is not acted upon."""
    books, video = request.app[BOOKS], request.app[VIDEO]
    order = await asyncio.to_thread(books.by_hook, request.match_info["hook"])
    if order is None:
        return web.Response(status=404)
    if request.content_length is None or request.content_length > hooks.MAX_BYTES:
        return web.Response(status=413)
    body = await request.read()
    event = None
    for anew in (False, True):
        try:
            event = hooks.read(request.headers, body, await video.webhook_keys(anew=anew), time.time())
            break
        except hooks.HookRefused as error:
            if anew or str(error) != "not signed by Tongping":
                log.warning("a webhook was refused", extra={"why": str(error)})
                return web.Response(status=401)
        except Unreachable:
            return web.Response(status=503, headers={"Retry-After": "2"})
    assert event is not None
    if order.case_id and event.subject != order.case_id:
        log.warning("a webhook about something else", extra={"order": order.id})
        return web.Response(status=403)
    if await asyncio.to_thread(books.hook_came, event.id, order.id):
        request.app[CLERK].look_at(order.id)
    return web.Response(status=204)


# ---- the application


async def static(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / request.match_info["name"], headers={"Cache-Control": "no-cache"})


async def healthz(_: web.Request) -> web.StreamResponse:
    return web.Response(text="ok\n")


async def _prepare(request: web.Request, response: web.StreamResponse) -> None:
    add_headers(request.app[SETTINGS], request.get(VISIT), response)


def application() -> web.Application:
    """The pages. Give it ``SETTINGS``, ``BOOKS``, ``VIDEO`` and ``CLERK``."""
    app = web.Application(middlewares=[around], client_max_size=MAX_PICTURE_BYTES + 1024)
    app.on_response_prepare.append(_prepare)
    routes = app.router
    routes.add_get("/", anybody(home))
    routes.add_post("/sign-in", anybody(sign_in))
    routes.add_post("/sign-out", customer(sign_out))
    routes.add_get("/branch", customer(branch))
    routes.add_post("/branch", customer(enrol))
    routes.add_post("/branch/erase", customer(erase))
    routes.add_post("/anew", customer(anew))
    routes.add_post("/new-card", customer(new_card))
    routes.add_get("/new/{type}", customer(new_order))
    routes.add_post("/orders", customer(place_order))
    routes.add_get("/orders/{order}", customer(show_order))
    routes.add_get("/orders/{order}/state", customer(order_state))
    routes.add_post("/orders/{order}/cancel", customer(cancel_order))
    routes.add_post("/orders/{order}/changed", customer(try_changed))
    routes.add_get("/history", customer(history))
    routes.add_get("/transfer", customer(transfer))
    routes.add_post("/transfer", customer(transfer))
    routes.add_get("/transfer/fees", customer(fees))
    routes.add_get(r"/static/{name:bank\.css|bank\.js|transfer\.js|brand\.png|icon\.svg}", static)
    routes.add_get("/healthz", healthz)
    return app


def take_hooks(app: web.Application) -> None:
    """``app`` has the address for webhooks too, or nothing but that."""
    app.router.add_post(r"/hooks/{hook:[A-Za-z0-9_-]{32}}", hook)
