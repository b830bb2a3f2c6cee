"""Those who hold connections and ask for nothing: slow headers, silent sockets, too many of them."""

import asyncio
from pathlib import Path

import pytest

from server import listener
from tests.support.server import app

PARTS = {
    "silent": b"",
    "half a line": b"GET /heal",
    "endless headers": b"GET /healthz HTTP/1.1\r\nHost: bank\r\nX-A: b\r\n",
    "half of the next request": b"GET /healthz HTTP/1.1\r\nHost: bank\r\n\r\nGET /healthz HTTP/1.1\r\nX-A: b\r\n",
}


@pytest.mark.parametrize("sent", PARTS.values(), ids=PARTS)
async def test_a_request_that_does_not_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(listener, "HEADERS_S", 1.0)
    async with app(tmp_path) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.server.port)
        writer.write(sent)
        async with asyncio.timeout(60):
            answered = await reader.read()
        assert (b"200 OK" in answered) == (sent.count(b"\r\n\r\n") == 1)
        writer.close()


async def test_a_header_line_now_and_then_does_not_keep_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEADERS_S", 1.0)
    async with app(tmp_path) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        ended = asyncio.create_task(reader.read())
        async with asyncio.timeout(60):
            while not (await asyncio.wait([ended], timeout=0.02))[0]:
                writer.write(b"X-More: of it\r\n")
        assert ended.exception() is not None or ended.result() == b""
        writer.close()


async def test_a_busy_connection_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEADERS_S", 1.0)
    async with app(tmp_path) as here:
        place = await here.place(await here.session())
        async with here.http.ws_connect(f"{here.url}/api/v1/signal") as socket:
            await socket.send_json({"t": "hello", "version": 1, "token": place["token"]})
            assert (await socket.receive_json())["t"] == "welcome"
            heard = asyncio.create_task(socket.receive_json())
            assert not (await asyncio.wait([heard], timeout=1.2))[0]  # longer than the time that headers have
            await socket.send_json({"t": "ping", "n": 1})
            assert (await heard)["t"] == "pong"
            assert not socket.closed


def test_no_address_takes_all_the_room() -> None:
    guard = listener.Guard(listener.Bounds(connections=5, per_address=2))
    assert [guard.admit("a") for _ in range(3)] == [True, True, False]
    assert [guard.admit("b") for _ in range(2)] == [True, True]
    assert [guard.admit(name) for name in "cd"] == [True, False]
    guard.release("a")
    assert guard.admit("a")
    unbounded = listener.Guard(listener.Bounds(connections=5, per_address=0))
    assert [unbounded.admit("proxy") for _ in range(6)] == [True] * 5 + [False]


async def test_one_connection_too_many_is_dropped_and_room_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.app.BACKLOG", 8)
    async with app(tmp_path, limits__max_connections=1, limits__max_connections_per_address=1) as here:
        held = [await asyncio.open_connection("127.0.0.1", here.server.port) for _ in range(12)]
        async with asyncio.timeout(60):
            gone = [asyncio.create_task(reader.read()) for reader, _ in held]
            done, _ = await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED)
            assert all(task.exception() is not None or task.result() == b"" for task in done)
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        for _, writer in held:
            writer.close()
        async with asyncio.timeout(60):
            while True:
                try:
                    answer = await here.get("//healthz")
                except OSError:
                    continue
                assert answer.status == 200
                break


def test_bounds_fit_what_the_process_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    limits = (1024, 4096)
    monkeypatch.setattr("resource.getrlimit", lambda what: limits)
    monkeypatch.setattr("resource.setrlimit", lambda what, pair: asked.append(pair))
    assert listener.fitting(listener.Bounds(500, 5)) == listener.Bounds(500, 5)
    assert listener.fitting(listener.Bounds(2000, 5)) == listener.Bounds(2000, 5)
    assert listener.fitting(listener.Bounds(9000, 5)) == listener.Bounds(4096 - listener.OTHER_DESCRIPTORS, 5)
    assert asked == [(2000 + listener.OTHER_DESCRIPTORS, 4096), (4096, 4096)]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost bank\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_counted_and_no_error_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    caplog.set_level("INFO")
    async with app(tmp_path) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.server.port)
        writer.write(sent)
        async with asyncio.timeout(60):
            assert (await reader.read()).startswith(b"HTTP/1.0 400")
        writer.close()
        metrics = (await here.get("//metrics")).raw.decode()
    assert "tongping_http_malformed_total 1.0" in metrics
    told = [record for record in caplog.records if record.name in ("server.http", "aiohttp.server")]
    assert [(record.levelname, record.getMessage()) for record in told] == [("INFO", "malformed request")]
