"""What one person in a session may put on the bank's disk, and what it costs to find out that it may not."""

import asyncio
import gzip
import struct
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from server.services import file_types, files
from tests.support.server import Here, app

MEGABYTES = 20 << 20
HEAD = {"X-File-Name": "a.txt"}


def endless_jpeg() -> bytes:
    return b"\xff\xd8" + b"\xff\xe0\x00\x02" * (MEGABYTES // 4)


def endless_zip() -> bytes:
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 2, 0, 0, 0, 0, 0, 0) + b"aa"
    count = MEGABYTES // len(entry)
    body = entry * count
    return b"PK\x03\x04" + bytes(30) + body + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 1, 1, len(body), 34, 0)


@pytest.mark.parametrize("make", [lambda: b"a" * MEGABYTES, endless_jpeg, endless_zip], ids=["text", "jpeg", "zip"])
def test_looking_at_a_large_file_is_quick(make: Callable[[], bytes]) -> None:
    """It runs beside the event loop under one interpreter lock. Seconds of this process's CPU; each took 1 to 5 of them."""
    data = make()
    before = time.thread_time()
    kind = file_types.detect(data)
    if kind is not None:
        file_types.danger(data, kind)
    assert time.thread_time() - before < 0.5


@pytest.mark.parametrize("name", [b"/JavaScript", b"/J#61vaScript", b"/#4a#61#76#61Script", b"/L#61unch", b"/Embedded#46ile"])
def test_a_pdf_hides_nothing_behind_escapes(name: bytes) -> None:
    assert file_types.danger(b"%PDF-1.7\n1 0 obj << " + name + b" 2 0 R >> endobj", file_types.PDF) == "active_pdf"
    assert file_types.danger(b"%PDF-1.7\n1 0 obj << /Name#20s 2 0 R >> endobj", file_types.PDF) is None


async def waiting(here: Here) -> tuple[str, str]:
    entry = (await here.post("/waiting", {"name": "Li", "reason": "card", "language": "en"})).json
    return entry["session"]["id"], entry["token"]


async def test_who_waits_fills_no_disk(tmp_path: Path) -> None:
    """Anybody on the internet can wait."""
    async with app(tmp_path) as here:
        session, token = await waiting(here)
        sent = await here.post(f"/sessions/{session}/files", data=b"words", headers=HEAD, token=token)
        assert (sent.status, sent.code) == (403, "not_allowed")
        assert (await here.post(f"/sessions/{session}/enter", token=here.agent)).status == 200
        assert (await here.post(f"/sessions/{session}/files", data=b"words", headers=HEAD, token=token)).status == 201
        assert len(list((tmp_path / "data" / "files").iterdir())) == 1


async def test_files_at_once_are_bounded(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        place, other = await here.place(session), await here.place(session, "expert")
        more = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"words"
            await more.wait()
            yield b" end"

        async def upload() -> int:
            auth = {"Authorization": f"Bearer {place['token']}", **HEAD}
            async with here.http.post(f"{here.url}/api/v1/sessions/{session}/files", data=slow(), headers=auth) as answer:
                return answer.status

        running = [asyncio.create_task(upload()) for _ in range(files.COMING_IN_PER_PERSON)]
        for _ in range(100_000):
            if here.server.context.files.coming_in == len(running):
                break
            await asyncio.sleep(0)
        refused = await here.post(f"/sessions/{session}/files", data=b"words", headers=HEAD, token=place["token"])
        assert (refused.status, refused.code) == (429, "too_many")
        assert (await here.post(f"/sessions/{session}/files", data=b"w", headers=HEAD, token=other["token"])).status == 201
        more.set()
        assert await asyncio.gather(*running) == [201] * len(running)
        assert here.server.context.files.coming_in == 0
        again = await here.post(f"/sessions/{session}/files", data=b"words", headers=HEAD, token=place["token"])
        assert again.status == 201


async def test_a_bomb_in_the_transfer_encoding_is_cut_off(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(64 << 20), 9)
    async with app(tmp_path) as here:
        session = await here.session()
        token = (await here.place(session))["token"]
        packed = {"Content-Encoding": "gzip", **HEAD}
        assert (await here.post(f"/sessions/{session}/files", data=bomb, headers=packed, token=token)).status == 413
        login = await here.post("/login", data=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})
        assert login.status == 413
        assert list((tmp_path / "data" / "files").iterdir()) == []


async def test_a_reference_tells_no_stranger_whose_session_it_is(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session(customer_reference="C-SECRET")
        body = {"username": "li", "name": "Li", "role": "agent", "password": "correct horse battery"}
        await here.post("/staff", body, token=here.supervisor)
        stranger = await here.login("li", body["password"])
        for token, found in ((here.agent, 1), (here.supervisor, 1), (here.key, 1), (stranger, 0)):
            page = (await here.get("/sessions?customer_reference=C-SECRET", token=token)).json
            assert [view["id"] for view in page["sessions"]] == [session] * found
        assert (await here.get("/sessions", token=stranger)).json["sessions"] == []
