"""The state machine of a PDF that is open: every order of what people say, against a model of it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from server.domain.ids import ParticipantId, PdfId
from server.errors import CallerError, Conflict, Invalid, NotFound, TooMany
from server.pdf import together as core
from server.pdf.together import TABLE, Input, Phase, Together
from server.signalling.messages_pdf import PdfLook, PdfMark, PdfShown, PdfSignAsk, PdfSigned

AT = datetime(2026, 3, 1, tzinfo=UTC)
A, B = ParticipantId("PA_A"), ParticipantId("PA_B")
people = st.sampled_from([A, B])
names = st.sampled_from(["PD_1", "PD_2"])


def shown(id: str = "PD_1", pages: int = 3) -> PdfShown:
    return PdfShown(id=PdfId(id), name="a.pdf", pages=pages, sizes=[(595.0, 842.0)] * pages, sha256=f"hash of {id}")


def ask(pdf: str = "PD_1", **fields: Any) -> PdfSignAsk:
    return PdfSignAsk(**{"pdf": pdf, "page": 1, "x": 0.1, "y": 0.1, "width": 0.4, "height": 0.1, **fields})


def mark(name: str = "1", pdf: str = "PD_1", *, points: int = 2, **fields: Any) -> PdfMark:
    return PdfMark(**{"pdf": pdf, "mark": name, "page": 1, "kind": "ink", "points": [(0.1, 0.2)] * points, **fields})


class Model(RuleBasedStateMachine):
    """What should be: the phase, which is open, whose marks there are, which request stands, and what is signed."""

    @initialize()
    def begin(self) -> None:
        self.real = Together()
        self.open: str | None = None
        self.marks: set[tuple[ParticipantId, str]] = set()
        self.request: str | None = None
        self.signing = self.cancelled = False
        self.hash = ""
        self.numbers = 0

    def does(self, allowed: bool, act: Any) -> bool:
        before = self.real.state
        try:
            act()
        except CallerError:
            assert not allowed
            assert self.real.state == before
            return False
        assert allowed
        return True

    @rule(pdf=names, by=people)
    def opens(self, pdf: str, by: ParticipantId) -> None:
        def act() -> None:
            self.real.may_open()
            self.real.open(shown(pdf), by)

        if self.does(not self.signing, act):
            self.open, self.marks, self.request, self.hash = pdf, set(), None, f"hash of {pdf}"

    @rule()
    def closes(self) -> None:
        def act() -> None:
            self.real.may_close()
            self.real.close()

        if self.does(self.open is not None and not self.signing, act):
            self.open, self.marks, self.request = None, set(), None

    @rule(pdf=names, by=people, page=st.integers(1, 4), y=st.floats(0, 1))
    def looks(self, pdf: str, by: ParticipantId, page: int, y: float) -> None:
        if self.does(pdf == self.open and page <= 3, lambda: self.real.look(PdfLook(pdf=pdf, page=page, y=y), by)):
            assert (self.real.state.page, self.real.state.by) == (page, by)

    @rule(pdf=names, by=people, name=st.sampled_from("12"))
    def marks_it(self, pdf: str, by: ParticipantId, name: str) -> None:
        if self.does(pdf == self.open, lambda: self.real.mark(mark(name, pdf), by)):
            self.marks.add((by, name))

    @rule(pdf=names, by=people, name=st.sampled_from(["1", "2", ""]))
    def unmarks(self, pdf: str, by: ParticipantId, name: str) -> None:
        if self.does(pdf == self.open, lambda: self.real.unmark(pdf, name, by)):
            self.marks = {one for one in self.marks if one[0] != by or (name and one[1] != name)}

    @rule(pdf=names, by=people)
    def asks(self, pdf: str, by: ParticipantId) -> None:
        def act() -> None:
            self.real.may_ask(ask(pdf))
            asked = self.real.question(ask(pdf), by, A, f"PR_{self.numbers}")
            assert asked.sha256 == self.hash
            self.real.ask(asked)

        if self.does(pdf == self.open and not self.signing, act):
            self.request = f"PR_{self.numbers}"
            self.numbers += 1

    @rule(pdf=names)
    def cancels(self, pdf: str) -> None:
        def act() -> None:
            self.real.may_cancel(pdf)
            self.real.cancel()

        if self.does(pdf == self.open and self.request is not None, act):
            if self.signing:
                self.cancelled = True
            else:
                self.request = None

    @rule(pdf=names, back=st.integers(1, 2), by=people)
    def declines(self, pdf: str, back: int, by: ParticipantId) -> None:
        request = f"PR_{self.numbers - back}"

        def act() -> None:
            self.real.may_decline(pdf, request, by)
            self.real.decline()

        if self.does(pdf == self.open and request == self.request and not self.signing and by == A, act):
            self.request = None

    @rule(pdf=names, back=st.integers(1, 2), by=people)
    def signs(self, pdf: str, back: int, by: ParticipantId) -> None:
        request = f"PR_{self.numbers - back}"
        allowed = pdf == self.open and request == self.request and not self.signing and by == A
        if self.does(allowed, lambda: self.real.sign(pdf, request, by)):
            self.signing, self.cancelled = True, False

    @rule(well=st.booleans())
    def is_written(self, well: bool) -> None:
        if not self.signing:
            return
        asked = self.real.asked
        assert asked is not None
        if self.cancelled:
            with pytest.raises(Conflict):
                self.real.still(asked)
        else:
            self.real.still(asked)
        self.signing = False
        if well:  # it may have landed before it was cancelled
            self.hash = f"signed {self.request}"
            self.request = None
            self.real.signed(self.hash, AT)
        else:
            self.real.failed()
            if self.cancelled:
                self.request = None
        self.cancelled = False

    @rule()
    def is_killed(self) -> None:
        """What is being signed is asked for as before, unless that was taken back; of the rest nothing is lost that was written down."""
        before = self.real.state
        if before.pdf is None:
            return
        looked = self.real.looked(None if self.cancelled else before.asked)
        assert looked is not None
        self.real = Together()
        self.real.restore(before.pdf, looked, B, before.signed)
        if self.cancelled:
            self.request = None
        self.signing = self.cancelled = False
        asked = before.asked if self.request is not None else None
        assert self.real.state == msgspec.structs.replace(before, asked=asked, interrupted=asked is not None)

    @invariant()
    def fits(self) -> None:
        state = self.real.state
        assert (state.pdf.id if state.pdf is not None else None) == self.open
        assert {(one.by, one.mark) for one in state.marks} == self.marks
        assert (state.asked.request if state.asked is not None else None) == self.request
        assert (self.real.phase is Phase.SIGNING) == self.signing
        assert (self.real.phase is Phase.SHUT) == (self.open is None)
        if state.pdf is not None:
            assert (state.signed.sha256 if state.signed is not None else state.pdf.sha256) == self.hash


TestModel = Model.TestCase


def test_every_cell_of_the_table() -> None:
    """What is not in it is refused, and leads nowhere."""
    for phase in Phase:
        for input in Input:
            one = Together()
            one.phase = phase
            if (phase, input) in TABLE:
                one._move(input)
                assert one.phase is TABLE[phase, input]
            else:
                with pytest.raises(NotFound if phase is Phase.SHUT else Conflict):
                    one._move(input)
                assert one.phase is phase


@pytest.mark.parametrize(
    "fields",
    [{"page": 4}, {"x": 0.7}, {"y": 0.95}, {"width": 0.03}, {"height": 0.01}],
)
def test_boxes_that_are_none(fields: dict[str, Any]) -> None:
    one = Together()
    one.open(shown(), A)
    with pytest.raises(Invalid):
        one.may_ask(ask(**fields))
    assert one.state.asked is None


def test_marks_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "MOST_MARKS", 3)
    monkeypatch.setattr(core, "MOST_POINTS", 20)
    one = Together()
    one.open(shown(), A)
    for name in "123":
        one.mark(mark(name), A)
    with pytest.raises(TooMany):
        one.mark(mark("4"), A)
    one.mark(mark("3", points=16), A)  # in place of the one before
    with pytest.raises(TooMany):
        one.mark(mark("3", points=17), A)
    one.unmark("PD_1", "3", A)
    one.mark(mark("4", points=16), B)
    with pytest.raises(Invalid):
        one.mark(mark("4", points=3, kind="highlight"), B)
    assert [(found.by, found.mark) for found in one.state.marks] == [(A, "1"), (A, "2"), (B, "4")]


def test_what_is_signed_already_is_what_is_asked_about() -> None:
    one = Together()
    one.open(shown(), A, PdfSigned(sha256="signed before", at=AT))
    asked = one.question(ask(), A, B, "PR_1")
    assert asked.sha256 == "signed before"
    one.ask(asked)
    looked = one.looked(asked)
    assert looked is not None
    again = Together()
    again.restore(shown(), looked, A, PdfSigned(sha256="signed meanwhile", at=AT))
    assert (again.phase, again.state.asked, again.state.interrupted) == (Phase.OPEN, None, False), "of another file"


@pytest.mark.parametrize("looked", ["", "{}", '{"page": 0, "y": 0, "by": "PA_A", "marks": [], "asked": null}', "[1]"])
def test_what_cannot_be_read_is_open_at_its_first_page(looked: str) -> None:
    one = Together()
    one.restore(shown(), looked, B, None)
    assert (one.state.page, one.state.y, one.state.by, one.state.marks) == (1, 0.0, B, [])
