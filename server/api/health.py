"""For load balancers and monitoring: ``/healthz`` (the process lives), ``/readyz`` (it can serve), ``/metrics``."""

import asyncio

import msgspec
from aiohttp import web

from server.context import CONTEXT
from server.errors import TongpingError

PROBE_S = 2.0


async def healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """200 when everything is there, else 503; says which part is missing, which policies the model pack cannot answer, and nothing more."""
    context = request.app[CONTEXT]
    checks: dict[str, bool | list[str]] = {
        "store": await _store_answers(request),
        "media": context.media_ready(),
        "pages": await asyncio.to_thread((context.static_dir / "index.html").is_file),
    }
    ready = all(checks.values())
    checks["risk"] = context.risk.ready  # without it every transaction goes to a person
    if unfit := context.risk.policies.unfit_types:
        checks["policies_unfit"] = list(unfit)  # the other types are verified, and calls go on
    if context.recorder_ready is not None:
        checks["recorder"] = context.recorder_ready()  # calls go on without it
    if context.faces_ready is not None:
        checks["verification"] = context.faces_ready()  # so they do without this
        if checks["verification"]:
            checks["verification_confined"] = context.faces.engine.confined
    if context.turn.configured:
        checks["turn"] = context.turn.ready
        ready = ready and (context.turn.ready or not context.config.turn.required)
    return web.Response(body=msgspec.json.encode(checks), status=200 if ready else 503, content_type="application/json")


async def metrics(request: web.Request) -> web.Response:
    return web.Response(
        body=request.app[CONTEXT].metrics.render(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def _store_answers(request: web.Request) -> bool:
    try:
        async with asyncio.timeout(PROBE_S):
            await request.app[CONTEXT].store.ping()
    except (TongpingError, TimeoutError):
        return False
    return True


def add_routes(app: web.Application) -> None:
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
