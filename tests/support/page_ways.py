"""Operations about pages that customers show, carried out: ``scenario/test_audited_operations.py``. ``office``: its ``Office``."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.cobrowsing import Branch, site

OPERATIONS = frozenset({"begin_page", "offer_help", "withdraw_offer"})


def settings(folder: Path, operation: str) -> dict[str, object]:
    """A site, where the operation is one of these."""
    return {"cobrowse__sites": [site(folder, presence=True)]} if operation in OPERATIONS else {}


async def _visited(office: Any) -> str:
    """Somebody on the site; the path of an offer to them."""
    await Branch(office.here).visitor()
    async with asyncio.timeout(30):
        while not (found := (await office.needs("GET", "/cobrowse/visitors", token=office.here.agent))["visitors"]):  # noqa: ASYNC110 - REST tells when asked
            await asyncio.sleep(0.02)
    return f"/cobrowse/visitors/{found[0]['id']}/offer"


async def begin_page(office: Any) -> None:
    tab = await (await Branch(office.here).tab()).hello()
    await tab.next("tab.state")
    await office.did("POST", "/cobrowse/sessions", {"code": tab.state["code"]}, token=office.here.agent)


async def offer_help(office: Any) -> None:
    await office.did("POST", await _visited(office), token=office.here.agent)


async def withdraw_offer(office: Any) -> None:
    path = await _visited(office)
    await office.needs("POST", path, token=office.here.agent)
    await office.did("DELETE", path, token=office.here.agent)
