"""Every kind of secret through a share that is recorded: what lies on the disk, taken out again as a player and an export do, tells none of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from media.recording import pages
from media.recording.keys import KeyRing
from media.recording.play.pages import written
from media.recording.play.timeline import read_track
from media.recording.store import RecordingStore
from media.recording.wire import TrackInfo
from server.cobrowse.kept import CONNECTION, Kept, KeptLine
from server.cobrowse.messages import Scope, TabStep, ViewDom
from server.cobrowse.nodes import Nodes
from server.cobrowse.orders import Cleaned, Sanitise
from server.cobrowse.sanitiser import Sanitised, Sanitiser
from server.cobrowse.styles import Names, Styles
from tests.cobrowse_corpus.kinds import KINDS
from tests.cobrowse_corpus.secrets import HEAD, Secrets, leaves, said
from tests.cobrowse_corpus.whole import KEY, PACK, SHOWN, Page, whole
from tests.support.sharing import Stage

pytestmark = pytest.mark.campaign(23)

RECORDING, NOW, VIEWER = "RE_1", 1_800_000_000_000_000, "anna"
encode = msgspec.json.Encoder().encode


class Recorded:
    """A share with a viewer, a recorder and a sanitiser, which a tab tells ``events``. ``lines``: as the recorder's track gets them; ``seen``: what the viewer got."""

    def __init__(self) -> None:
        stage = self.stage = Stage()
        self.sanitiser = Sanitiser(PACK, Styles(Names(KEY)))
        self.lines: list[KeptLine] = []
        self.seen: list[ViewDom] = []
        self._kept = Kept()
        stage.hello()
        stage.do(stage.share.attach(stage.now))
        stage.come(VIEWER)
        stage.grant(Scope.VIEW)
        stage.do(stage.share.recorder_came(CONNECTION, stage.now))
        self.fetch()

    def tell(self, events: list[bytes], secrets: Secrets) -> None:
        for number, event in enumerate(events):
            self.stage.now += 0.01
            self.stage.event(event.decode())
            while self.stage.sanitise:
                self.clean(self.stage.sanitise.popleft())
            if number % 100 == 0:
                step = secrets.make("card", f"the step of the journey, {number}")
                self.stage.tab(TabStep(step=f"Card {step}", errors=1, fields=[number + 1]))
            self.fetch()

    def clean(self, order: Sanitise) -> None:
        """As the sanitiser's process does."""
        if order.gap:
            self.sanitiser.lose()
        made = self.sanitiser.take(order.text.encode())
        cleaned = Cleaned(
            order=order.order,
            text=self.text(made, order),
            kind=-1 if made.event is None else int(made.event["type"]),
            name=self.sanitiser.page.name if self.sanitiser.epoch else "",
            hidden=made.paused,
            resync=made.resync,
            dropped=made.dropped,
        )
        self.stage.do(self.stage.share.cleaned(cleaned, self.stage.now))

    def text(self, made: Sanitised, order: Sanitise) -> str:
        del order
        return "" if made.event is None else encode(made.event).decode()

    def fetch(self) -> None:
        self.stage.frames("tab")
        self.seen += self.stage.of(ViewDom, VIEWER)
        for body in self.stage.frames(CONNECTION):
            self.lines += self._kept.lines(body, {VIEWER})


class Unmasked(Recorded):
    """The recorder is handed what the tab said."""

    def text(self, made: Sanitised, order: Sanitise) -> str:
        return super().text(made, order) and order.text


def played(lines: list[KeptLine], folder: Path) -> list[str]:
    """Written to an encrypted track, and what a player gets of it."""
    store = RecordingStore(folder, KeyRing([bytes(range(32))]))
    opened = store.create(RECORDING, NOW)
    info = TrackInfo(
        track="page-SH_1",
        participant="PA_1",
        source="page",
        kind="pages",
        codec="json",
        clock_rate=0,
        zero_wall_us=NOW,
        zero_mono_us=0,
    )
    file = opened.open_track(info)
    for number, line in enumerate(lines):
        flags = (pages.BEGINS if line.begins else 0) | (pages.BLANK if line.blank else 0)
        assert opened.append(file, b"".join(pages.pack_line(number, line.text, flags)))
    assert opened.close_track(file)
    opened.finish(NOW + 1)
    opened.release()
    parts = store.parts(RECORDING)
    assert not any(HEAD.encode() in path.read_bytes() for path in parts), "it is encrypted"
    whole = b"".join(written(read_track(parts, store.data_key(RECORDING))))
    return whole.decode().splitlines()


def texts(found: list[str]) -> Iterator[str]:
    """In every way in which it can be put together."""
    lines = [json.loads(one)["line"] for one in found]
    yield from said([json.dumps(one, ensure_ascii=False) for one in lines])
    for one in lines:
        if one["type"] != "view.dom":
            words = list(leaves(one))
            yield "\n".join(words)
            yield "".join(words)


def recorded(page: Page, folder: Path, of: type[Recorded] = Recorded) -> tuple[set[str], list[Any], Recorded]:
    """What leaked; the lines; what they are of."""
    share = of()
    share.tell(page.events, page.secrets)
    found = played(share.lines, folder)
    return page.secrets.found(*texts(found)), [json.loads(one)["line"] for one in found], share


def test_nothing_of_the_corpus_is_kept(tmp_path: Path) -> None:
    page = whole()
    leaks, lines, share = recorded(page, tmp_path)
    assert leaks == set()
    kept = [one["text"] for one in lines if one["type"] == "view.dom"]
    assert kept == [one.text for one in share.seen], "what the viewer got is what is kept"
    assert sum(one["last"] for one in lines if one["type"] == "view.dom") >= 0.9 * len(page.left) / 3, (
        "and nearly all that left"
    )
    assert SHOWN in "".join(kept)
    assert {one["name"] for one in lines if one["type"] == "kept.state"} >= {"corpus"}
    assert len(KINDS) >= 116


@pytest.mark.parametrize("kind", ["words", "a password", "the address of a link", "content of a sheet"])
def test_it_is_found_where_the_recorder_gets_what_the_tab_said(kind: str, tmp_path: Path) -> None:
    page = whole(tuple(one for one in KINDS if one.name == kind))
    leaks, _, _ = recorded(page, tmp_path, Unmasked)
    assert {one.partition(", ")[0] for one in leaks} >= {kind}


def test_it_is_found_where_words_leave_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = whole(tuple(one for one in KINDS if one.name == "words"))
    monkeypatch.setattr(Nodes, "_words", lambda _self, text, _above: text)
    leaks, _, _ = recorded(page, tmp_path)
    assert {one.partition(", ")[0] for one in leaks} == {"words"}


def test_it_is_found_where_a_step_is_kept_that_numbers_somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = whole(tuple(one for one in KINDS if one.name == "words"))
    monkeypatch.setattr("server.cobrowse.tab_side.identifies", lambda _text: False)
    leaks, _, _ = recorded(page, tmp_path)
    assert {one.partition(", ")[0] for one in leaks} == {"the step of the journey"}
