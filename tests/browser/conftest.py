"""One Chromium and one running server for all browser tests; every test opens its own session in it and has its own deadline."""

import asyncio
import functools
import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from tests.support import asking
from tests.support.bank import Bank
from tests.support.browser import launch
from tests.support.canvas_camera import Footage, footage
from tests.support.checking import House, house
from tests.support.server_process import ServerProcess
from tests.support.watching import APPEARS_MS

expect.set_options(timeout=APPEARS_MS)  # a deadline only: its own five seconds are soon over on a busy machine
HERE = Path(__file__).resolve().parent
DEADLINE_S = 300.0
"""Several times what the slowest takes on a busy machine; ``pytest.mark.deadline(seconds)`` for another."""
LONG_TIMES = 20 if os.environ.get("TESTS_CAMPAIGN") == "long" else 1


def within(seconds: float, test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A page that never answers ends its own test and no other."""

    @functools.wraps(test)
    async def limited(*arguments: object, **named: object) -> None:
        try:
            async with asyncio.timeout(seconds) as limit:
                await test(*arguments, **named)
        except TimeoutError:
            if limit.expired():
                pytest.fail(f"not over within {seconds:.0f} s")
            raise

    return limited


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and HERE in item.path.parents and inspect.iscoroutinefunction(item.obj):
            mark = item.get_closest_marker("deadline")
            item.obj = within((mark.args[0] if mark else DEADLINE_S) * LONG_TIMES, item.obj)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """`tongping serve` as a user starts it: real store, real media workers, a folder of its own."""
    folder: Path = tmp_path_factory.mktemp("server")
    with ServerProcess(folder) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await launch(playwright)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def whole_browser() -> AsyncIterator[Browser]:
    """With all that Chromium puts around its engine, as people use it."""
    async with async_playwright() as playwright:
        chromium = await launch(playwright, whole=True)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bank(server: ServerProcess) -> AsyncIterator[Bank]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        staff = Bank(http, server.url)
        await staff.sign_in(*server.agent)
        yield staff


@pytest.fixture(scope="session")
def film() -> Footage:
    return footage()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bank_house(tmp_path_factory: pytest.TempPathFactory, film: Footage) -> AsyncIterator[House]:
    """Another server, whose face checks work with the pack ``open``."""
    del film  # skips first, where there is none
    folder = tmp_path_factory.mktemp("looking")
    with ServerProcess(folder, **asking.settings(folder)) as running:
        async with house(running) as made:
            yield made
