"""A PDF that is looked at together, on the whole server: brought, opened, marked, signed; what nobody may; what is kept of it, handed out and erased."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from server.domain.ids import SessionId
from server.errors import DependencyError
from server.pdf.jobs import MAX_BYTES, PdfRefused, Why
from server.pdf_work import PdfWork
from server.services.pdfs import MOST_PDFS
from tests.support import pdfs
from tests.support.cobrowsing import Branch, Person
from tests.support.server import Answer, app

NOBODY = f"PD_{'A' * 26}"
BOX = {"page": 2, "x": 0.1, "y": 0.6, "width": 0.5, "height": 0.1}
STROKES = [[[0.0, 0.2], [0.5, 1.0], [1.0, 0.2]], [[0.3, 0.5], [0.7, 0.5]]]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Branch]:
    async with app(tmp_path) as server:
        made = Branch(server)
        await made.begin()
        yield made
        await made.close()


async def bring(
    here: Branch, data: bytes | None = None, *, by: Person | None = None, name: str = "合同.pdf", **more: Any
) -> Answer:
    token = (by or here.agent).token
    return await here.here.post(
        f"/sessions/{here.session}/pdfs?name={name}", data=pdfs.paper() if data is None else data, token=token, **more
    )


async def opened(here: Branch) -> str:
    """One that everybody sees."""
    id = str((await bring(here)).json["id"])
    told = len(here.customer.got("pdf.state"))
    await here.agent.tell("pdf.open", pdf=id)
    await here.customer.next("pdf.state", told)
    return id


async def said(person: Person, type: str, **fields: Any) -> str:
    """The code with which it was refused."""
    before = len(person.got("error"))
    await person.tell(type, **fields)
    return str((await person.next("error", before))["code"])


async def asked(here: Branch, pdf: str, **fields: Any) -> dict[str, Any]:
    told = len(here.customer.got("pdf.state"))
    await here.agent.tell("pdf.sign.ask", pdf=pdf, **{**BOX, **fields})
    found: dict[str, Any] = (await here.customer.next("pdf.state", told))["asked"]
    return found


async def trail(here: Branch) -> list[tuple[str, str, dict[str, str]]]:
    """What the audit has of PDFs: (action, actor, details)."""
    async with here.here.server.context.store.read() as tx:
        entries = [one.event for one in await tx.list_audit(after=0, limit=1000)]
    return [(one.action.value, one.actor, one.details) for one in entries if one.action.value.startswith("pdf.")]


async def fetched(here: Branch, pdf: str, what: str, person: Person) -> Answer:
    return await here.here.get(f"/sessions/{here.session}/pdfs/{pdf}/{what}", token=person.token)


async def test_opened_turned_marked_and_signed(here: Branch) -> None:
    data = pdfs.paper()
    answer = await bring(here, data)
    assert answer.status == 201
    made = answer.json
    id, path = made["id"], f"/sessions/{here.session}/pdfs"
    assert answer.headers["Location"] == f"/api/v1{path}/{id}"
    assert {name: made[name] for name in ("name", "pages", "sizes", "sha256", "bytes", "opened")} == {
        "name": "合同.pdf", "pages": 2, "sizes": [[595.0, 842.0]] * 2, "sha256": pdfs.hashed(data), "bytes": len(data), "opened": False,
    }  # fmt: skip
    assert (await fetched(here, id, "file", here.customer)).status == 404
    assert (await fetched(here, id, "file", here.agent)).raw == data

    await here.agent.tell("pdf.open", pdf=id)
    for person in (here.customer, here.agent):
        state = await person.next("pdf.state")
        assert state["pdf"] == {name: made[name] for name in ("id", "name", "pages", "sizes", "sha256")}
        assert (state["page"], state["by"], state["marks"], state["asked"], state["signed"]) == (
            1,
            here.agent.participant,
            [],
            None,
            None,
        )
    sent = await fetched(here, id, "file", here.customer)
    assert (sent.raw, sent.headers["Content-Type"]) == (data, "application/pdf")
    assert "sandbox" in sent.headers["Content-Security-Policy"]

    await here.customer.tell("pdf.look", pdf=id, page=2, y=0.25)
    assert await here.agent.next("pdf.looked") == {"type": "pdf.looked", "page": 2, "y": 0.25, "by": here.customer.participant}
    await here.agent.tell("pdf.mark", pdf=id, mark="m1", page=2, kind="highlight", points=[[0.1, 0.1], [0.5, 0.20004]])
    mark = {"mark": "m1", "by": here.agent.participant, "page": 2, "kind": "highlight", "points": [[0.1, 0.1], [0.5, 0.2]]}
    assert await here.customer.next("pdf.marked") == {"type": "pdf.marked", **mark}
    await here.customer.tell("pdf.mark", pdf=id, mark="m1", page=1, kind="ink", points=[[0, 0], [1, 1], [0, 1]])
    await here.agent.next("pdf.marked")
    await here.customer.tell("pdf.unmark", pdf=id)
    assert await here.agent.next("pdf.unmarked") == {"type": "pdf.unmarked", "by": here.customer.participant, "mark": ""}
    expert = await here.expert()  # comes later
    late = await expert.next("pdf.state")
    assert (late["page"], late["y"], late["by"], late["marks"]) == (2, 0.25, here.customer.participant, [mark])

    request = await asked(here, id)
    assert request == {
        **BOX,
        "request": request["request"],
        "by": here.agent.participant,
        "of": here.customer.participant,
        "sha256": made["sha256"],
    }
    told = len(here.agent.got("pdf.state"))
    await here.customer.tell("pdf.sign", pdf=id, request=request["request"], strokes=STROKES)
    state = await here.agent.next("pdf.state", told)
    assert state["asked"] is None
    signed = await fetched(here, id, "signed", here.customer)
    assert state["signed"]["sha256"] == pdfs.hashed(signed.raw) != made["sha256"]
    assert [len(line) for line in pdfs.drawn(signed.raw, 2)] == [3, 2]
    left, top = pdfs.drawn(signed.raw, 2)[0][0]
    assert (left, top) == pytest.approx((59.5, 842 * (1 - 0.6 - 0.02)), abs=0.1)
    assert (await fetched(here, id, "file", here.agent)).raw == data

    again = await asked(here, id, page=1)  # another page of what is signed now
    assert again["sha256"] == state["signed"]["sha256"]
    told = len(here.agent.got("pdf.state"))
    await here.customer.tell("pdf.sign", pdf=id, request=again["request"], strokes=STROKES)
    newest = (await here.agent.next("pdf.state", told))["signed"]["sha256"]
    both = (await fetched(here, id, "signed", here.agent)).raw
    assert len(pdfs.drawn(both, 1)) == len(pdfs.drawn(both, 2)) == 2
    [listed] = (await here.here.get(path, token=here.agent.token)).json["pdfs"]
    assert (listed["opened"], listed["sha256"], listed["signed_sha256"]) == (True, made["sha256"], newest)

    third = await asked(here, id)
    told = len(here.agent.got("pdf.state"))
    await here.customer.tell("pdf.sign.decline", pdf=id, request=third["request"])
    assert (await here.agent.next("pdf.state", told))["asked"] is None
    await here.agent.tell("pdf.close")
    closed = await here.customer.until(lambda: [one for one in here.customer.got("pdf.state") if one["pdf"] is None])
    assert closed[0]["marks"] == []

    agent, customer = here.agent.participant, here.customer.participant
    entries = await trail(here)
    assert [(action, actor) for action, actor, _ in entries] == [
        ("pdf.received", agent), ("pdf.opened", agent), ("pdf.signature_asked", agent), ("pdf.signed", customer),
        ("pdf.signature_asked", agent), ("pdf.signed", customer), ("pdf.signature_asked", agent), ("pdf.signature_declined", customer),
        ("pdf.closed", agent),
    ]  # fmt: skip
    first, second = (details for action, _, details in entries if action == "pdf.signed")
    assert (first["page"], first["before"], first["after"]) == ("2", made["sha256"], again["sha256"])
    assert (first["request"], first["asked_by"]) == (request["request"], agent)
    assert (second["before"], second["after"]) == (first["after"], newest)
    assert not any("合同" in str(details) for _, _, details in entries)


async def test_what_nobody_may(here: Branch) -> None:
    """Messages and requests that are made by hand."""
    for person in (here.customer,):
        assert (await bring(here, by=person)).code == "not_allowed"
        assert await said(person, "pdf.open", pdf=NOBODY) == "not_allowed"
        assert await said(person, "pdf.close") == "not_allowed"
        assert await said(person, "pdf.sign.ask", pdf=NOBODY, **BOX) == "not_allowed"
        assert await said(person, "pdf.sign.cancel", pdf=NOBODY) == "not_allowed"
        assert await said(person, "pdf.look", pdf=NOBODY, page=1, y=0) == "not_found"
    id = str((await bring(here)).json["id"])
    assert await said(here.customer, "pdf.look", pdf=id, page=1, y=0) == "not_found"  # nobody has opened it
    id = await opened(here)
    expert = await here.expert()
    await expert.next("pdf.state")
    assert await said(here.customer, "pdf.sign", pdf=id, request="PR_X", strokes=STROKES) == "conflict"
    request = (await asked(here, id))["request"]
    for person in (expert, here.agent):
        assert await said(person, "pdf.sign", pdf=id, request=request, strokes=STROKES) == "not_allowed"
        assert await said(person, "pdf.sign.decline", pdf=id, request=request) == "not_allowed"
    assert await said(here.customer, "pdf.sign", pdf=NOBODY, request=request, strokes=STROKES) == "not_found"
    assert await said(here.customer, "pdf.sign", pdf=id, request=f"PR_{'A' * 26}", strokes=STROKES) == "conflict"
    for strokes in (
        [],
        [[]],
        [[[0, 0]]],
        [[[0, 0], [0.001, 0.001]]],
        [[[0, 0], [1.01, 1]]],
        [[[-1, 0], [1, 1]]],
        [[[0, 0]]] * 61,
        [[[0, 0]] * 501],
    ):
        assert await said(here.customer, "pdf.sign", pdf=id, request=request, strokes=strokes) == "invalid"
    for wrong in ({"page": 3}, {"page": 301}, {"x": 0.9}, {"width": 0.001}, {"height": 0}, {"y": 2}):
        assert await said(here.agent, "pdf.sign.ask", pdf=id, **{**BOX, **wrong}) == "invalid"
    assert await said(here.customer, "pdf.look", pdf=id, page=3, y=0) == "invalid"
    assert (
        await said(here.customer, "pdf.mark", pdf=id, mark="1", page=1, kind="highlight", points=[[0, 0], [1, 1], [1, 0]])
        == "invalid"
    )
    assert await said(here.customer, "pdf.mark", pdf=id, mark="1", page=1, kind="stamp", points=[[0, 0], [1, 1]]) == "invalid"
    assert (await asked(here, id))["request"] != request  # asked anew: the one before is none any more
    assert await said(here.customer, "pdf.sign", pdf=id, request=request, strokes=STROKES) == "conflict"
    await here.agent.tell("pdf.close")
    await here.customer.until(lambda: here.customer.got("pdf.state")[-1]["pdf"] is None)
    assert await said(here.customer, "pdf.sign", pdf=id, request=request, strokes=STROKES) == "not_found"

    other = Branch(here.here)
    await other.begin()
    assert await said(other.agent, "pdf.open", pdf=id) == "not_found"
    assert (await fetched(other, id, "file", other.agent)).status == 404
    assert (await fetched(here, id, "file", other.agent)).status == 403
    assert (await fetched(here, id, "signed", here.customer)).status == 404
    assert other.customer.got("pdf.state") == []
    await other.close()
    assert [action for action, _, _ in await trail(here) if action == "pdf.signed"] == []


async def test_a_supervisor_who_listens_sees_and_does_nothing(here: Branch) -> None:
    id = await opened(here)
    supervisor = await here.person(
        (await here.here.post(f"/sessions/{here.session}/enter", {}, token=here.here.supervisor)).json
    )
    assert (await supervisor.next("pdf.state"))["pdf"]["id"] == id
    assert (await bring(here, by=supervisor)).code == "not_allowed"
    for type, fields in {
        "pdf.open": {"pdf": id},
        "pdf.close": {},
        "pdf.look": {"pdf": id, "page": 1, "y": 0},
        "pdf.mark": {"pdf": id, "mark": "1", "page": 1, "kind": "ink", "points": [[0, 0], [1, 1]]},
        "pdf.sign.ask": {"pdf": id, **BOX},
    }.items():
        assert await said(supervisor, type, **fields) == "not_allowed", type


async def test_on_hold_nothing_is_seen_or_said(here: Branch) -> None:
    id = await opened(here)
    hold = {"participant": here.customer.participant}
    await here.agent.tell("participant.hold", **hold, held=True)
    await here.customer.until(lambda: here.customer.got("pdf.state")[-1]["pdf"] is None)
    assert await said(here.customer, "pdf.look", pdf=id, page=2, y=0) == "not_allowed"
    assert (await fetched(here, id, "file", here.customer)).status == 403
    await here.agent.tell("pdf.mark", pdf=id, mark="1", page=1, kind="ink", points=[[0, 0], [1, 1]])
    await here.agent.tell("participant.hold", **hold, held=False)
    back = await here.customer.until(
        lambda: here.customer.got("pdf.state")[-1]["pdf"] is not None and here.customer.got("pdf.state")[-1]
    )
    assert [one["mark"] for one in back["marks"]] == ["1"]
    assert here.customer.got("pdf.marked") == []
    expert = await here.expert()
    await expert.next("pdf.state")
    path = f"/sessions/{here.session}/pdfs"
    assert (await here.here.get(path, token=expert.token)).status == 200
    await here.agent.tell("participant.hold", participant=expert.participant, held=True)
    await expert.until(lambda: expert.got("pdf.state")[-1]["pdf"] is None)
    assert (await here.here.get(path, token=expert.token)).status == 403


async def test_who_waits_to_be_let_in_is_told_of_nothing(here: Branch) -> None:
    await here.agent.tell("session.waiting_room", on=True)
    await here.agent.next("session.changed")
    waiting = await here.expert()
    id = await opened(here)
    for type, fields in {"pdf.open": {"pdf": id}, "pdf.look": {"pdf": id, "page": 1, "y": 0}, "pdf.close": {}}.items():
        assert await said(waiting, type, **fields) == "not_allowed", type
    assert (await fetched(here, id, "file", waiting)).status == 403
    assert [one["type"] for one in waiting.frames if one["type"].startswith("pdf.")] == []
    await here.agent.tell("participant.admit", participant=waiting.participant, admitted=True)
    assert (await waiting.next("pdf.state"))["pdf"]["id"] == id


async def test_looking_too_often_costs_nobody_but_who_does(here: Branch) -> None:
    id = await opened(here)
    for number in range(25):
        await here.customer.tell("pdf.look", pdf=id, page=1, y=number / 100)
    assert (await here.customer.next("error"))["code"] == "too_many"
    await here.agent.tell("pdf.look", pdf=id, page=2, y=0.5)
    await here.customer.next("pdf.looked")


async def test_a_signature_that_cannot_be_written_is_still_asked_for(here: Branch, tmp_path: Path) -> None:
    id = await opened(here)
    request = (await asked(here, id))["request"]
    [file] = (tmp_path / "data" / "files").iterdir()
    file.write_bytes(b"something else")
    assert await said(here.customer, "pdf.sign", pdf=id, request=request, strokes=STROKES) == "internal"
    file.write_bytes(pdfs.paper())
    told = len(here.agent.got("pdf.state"))
    await here.customer.tell("pdf.sign", pdf=id, request=request, strokes=STROKES)
    assert (await here.agent.next("pdf.state", told))["signed"] is not None


async def test_a_signed_file_with_other_pages_is_not_kept(
    here: Branch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the process says that made it."""
    id = await opened(here)
    request = (await asked(here, id))["request"]

    for other in (pdfs.paper(3), b"no PDF at all", pdfs.hostile()["a script in an object stream"][0]):

        async def lies(*_: object, made: bytes = other) -> bytes:
            return made

        monkeypatch.setattr(here.here.server.context.pdfs._worker, "sign", lies)
        assert await said(here.customer, "pdf.sign", pdf=id, request=request, strokes=STROKES) == "internal"
    assert (await fetched(here, id, "signed", here.agent)).status == 404
    assert len(list((tmp_path / "data" / "files").iterdir())) == 1
    assert "pdf.signed" not in [action for action, _, _ in await trail(here)]


async def test_what_was_signed_is_told_also_where_the_session_has_much_to_do(
    here: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await opened(here)
    request = (await asked(here, id))["request"]
    live = here.here.server.context.live.find(SessionId(here.session))
    assert live is not None
    post = live.actor.post
    monkeypatch.setattr(live.actor, "post", lambda command: "_sign" not in command.__qualname__ and post(command))
    told = len(here.agent.got("pdf.state"))
    await here.customer.tell("pdf.sign", pdf=id, request=request, strokes=STROKES)
    assert (await here.agent.next("pdf.state", told))["signed"] is not None
    await here.agent.tell("pdf.close")
    await here.customer.until(lambda: here.customer.got("pdf.state")[-1]["pdf"] is None)


@pytest.mark.parametrize("what", ["cancelled", "held", "removed"])
async def test_what_is_no_longer_so_while_it_is_written_does_not_land(
    here: Branch, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await opened(here)
    request = (await asked(here, id))["request"]
    worker = here.here.server.context.pdfs._worker
    begun, go = asyncio.Event(), asyncio.Event()
    sign = worker.sign

    async def slowly(*given: Any) -> bytes:
        begun.set()
        await go.wait()
        return await sign(*given)

    monkeypatch.setattr(worker, "sign", slowly)
    await here.customer.tell("pdf.sign", pdf=id, request=request, strokes=STROKES)
    await begun.wait()
    if what == "cancelled":
        await here.agent.tell("pdf.sign.cancel", pdf=id)
        await here.agent.tell("pdf.look", pdf=id, page=2, y=0)  # after it, in the order of one connection
        await here.customer.next("pdf.looked")
    else:
        whom = {"participant": here.customer.participant}
        fields = {"held": True} if what == "held" else {}
        await here.agent.tell(f"participant.{'hold' if what == 'held' else 'remove'}", **whom, **fields)
        await here.customer.until(
            lambda: here.customer.got("pdf.state")[-1]["pdf"] is None
        ) if what == "held" else await here.customer.over()
    go.set()
    live = here.here.server.context.live
    await live.pdfs.settle()
    await live.settle()
    actions = [action for action, _, _ in await trail(here)]
    assert "pdf.signed" not in actions
    assert (await fetched(here, id, "signed", here.agent)).status == 404
    if what == "cancelled":
        assert here.customer.got("error")[-1]["code"] == "conflict"
        assert here.agent.got("pdf.state")[-1]["asked"] is None


async def test_only_who_is_asked_signs(here: Branch) -> None:
    id = await opened(here)
    assert await said(here.agent, "pdf.sign.ask", pdf=id, **BOX, of=here.agent.participant) == "not_found"
    other = await here.person(await here.here.place(here.session))
    assert await said(here.agent, "pdf.sign.ask", pdf=id, **BOX) == "conflict", "which of the two"
    request = await asked(here, id, of=here.customer.participant)
    assert request["of"] == here.customer.participant
    answer = {"pdf": id, "request": request["request"]}
    assert await said(other, "pdf.sign", **answer, strokes=STROKES) == "not_allowed"
    assert await said(other, "pdf.sign.decline", **answer) == "not_allowed"
    told = len(here.agent.got("pdf.state"))
    await here.customer.tell("pdf.sign", **answer, strokes=STROKES)
    assert (await here.agent.next("pdf.state", told))["signed"] is not None
    assert [actor for action, actor, _ in await trail(here) if action == "pdf.signed"] == [here.customer.participant]


async def endless() -> AsyncIterator[bytes]:
    yield pdfs.paper()
    for _ in range(MAX_BYTES >> 20):
        yield bytes(1 << 20)


async def test_what_is_not_taken_in(here: Branch, tmp_path: Path) -> None:
    hostile = pdfs.hostile()
    for name in ("truncated", "encrypted", "a script in an object stream", "301 pages", "a page as a town", "a bomb"):
        data, why = hostile[name]
        answer = await bring(here, data)
        assert (answer.status, answer.code) == (415, f"pdf_{why}"), name
    assert (await bring(here, b"words")).code == "unsupported_media_type"
    for large in (io.BytesIO(pdfs.paper() + bytes(MAX_BYTES)), endless()):  # one that says how long it is, one that does not
        path = f"{here.here.url}/api/v1/sessions/{here.session}/pdfs?name=a.pdf"
        async with here.here.http.post(path, data=large, headers={"Authorization": f"Bearer {here.agent.token}"}) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (413, "too_large")
    assert (await bring(here, name="")).status == (await bring(here, name="%2F")).status == 400
    assert list((tmp_path / "data" / "files").iterdir()) == []
    key = {"Idempotency-Key": "1"}
    first, again = await bring(here, headers=key), await bring(here, headers=key)
    assert first.json["id"] == again.json["id"]
    for _ in range(MOST_PDFS - 1):
        assert (await bring(here)).status == 201
    assert (await bring(here)).code == "conflict"
    assert len(list((tmp_path / "data" / "files").iterdir())) == MOST_PDFS


async def test_it_is_handed_out_and_erased_with_the_customer(here: Branch, tmp_path: Path) -> None:
    id = await opened(here)
    unseen = str((await bring(here, pdfs.paper(1))).json["id"])
    request = (await asked(here, id))["request"]
    told = len(here.agent.got("pdf.state"))
    await here.customer.tell("pdf.sign", pdf=id, request=request, strokes=STROKES)
    signed = (await here.agent.next("pdf.state", told))["signed"]["sha256"]
    await here.here.post(f"/sessions/{here.session}/end", {}, token=here.here.agent)
    supervisor = here.here.supervisor
    package = await here.here.post("/customers/export", {"customer": "C-7"}, token=supervisor)
    with zipfile.ZipFile(io.BytesIO(package.raw)) as archive:
        files = {pdfs.hashed(archive.read(name)) for name in archive.namelist() if name.startswith("files/")}
    assert files == {pdfs.hashed(pdfs.paper()), signed}
    assert (await here.here.get(f"/sessions/{here.session}/pdfs/{unseen}/file", token=supervisor)).status == 200
    assert (await here.here.post("/customers/erase", {"customer": "C-7", "request": "r-1"}, token=supervisor)).status == 200
    assert list((tmp_path / "data" / "files").iterdir()) == []
    assert (await here.here.get(f"/sessions/{here.session}/pdfs", token=supervisor)).json["pdfs"] == []
    assert (await here.here.get(f"/sessions/{here.session}/pdfs/{id}/file", token=supervisor)).status == 404
    async with here.here.server.context.store.read() as tx:
        for pdf in await tx.session_pdfs(SessionId(here.session)):
            file = await tx.get_file(pdf.file_id)
            assert file is not None
            assert (file.name, file.sha256) == ("", "")


async def test_a_process_for_each_that_can_do_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    work = PdfWork(longest_s=300.0)
    assert await work.read(pdfs.paper()) == (pdfs.A4,) * 2
    assert caplog.messages == []  # wholly confined
    with pytest.raises(PdfRefused, match="too_many_pages"):
        await work.read(pdfs.written([pdfs.CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1000000 >>", pdfs.PAGE]))
    lies = pdfs.claiming(300_000).replace(b"/Count 300000", b"/Count 1     ")
    with pytest.raises(PdfRefused) as refused:
        await work.read(lies)
    assert refused.value.why in (Why.TOO_MUCH, Why.TOO_MANY_PAGES)  # whichever limit it meets first


async def test_a_process_that_hangs_dies_or_lies() -> None:
    data = pdfs.paper()
    with pytest.raises(PdfRefused, match="too_much"):
        await PdfWork(("sleep", "60"), longest_s=0.2).read(data)
    with pytest.raises(PdfRefused, match="too_much"):
        await PdfWork(("sh", "-c", "kill -9 $$")).read(data)
    for command in (("true",), ("echo", "words"), ("sh", "-c", "cat /dev/zero | head -c 50")):
        with pytest.raises(DependencyError):
            await PdfWork(command).read(data)
    with pytest.raises(DependencyError):
        await PdfWork(("/nowhere",)).read(data)
    async with asyncio.timeout(30):  # nothing holds its place
        assert await PdfWork().read(data)
