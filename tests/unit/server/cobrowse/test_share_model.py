"""A share in any order of what tabs, viewers, the sanitiser, the store and the clock do, beside a naive account of who may what: nobody ever gets what they may not
at that instant, and nothing grows without bound."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from server.cobrowse import assets, backlog, feed
from server.cobrowse.messages import (
    ActKind,
    Scope,
    ShareState,
    TabDone,
    TabStep,
)
from server.cobrowse.messages import ActOutcome as Outcome
from tests.support.share_play import SECRET, TABS, VIEWERS, Play
from tests.support.sharing import CHANGE, META, PICTURE, Facts


class Sharing(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.play = Play()

    def teardown(self) -> None:
        play = self.play
        for connection in [*play.documents, *play.seats.values()]:
            play.fetch(connection, 10_000)

    # ------------------------------------------------------------ what happens: few rules, so that each has its turn

    @initialize(on=st.sampled_from([True, True, True, False]))
    def begins(self, on: bool) -> None:
        if on:
            self.play.all_is_well(True, True)

    @rule(grants=st.booleans(), draws=st.booleans())
    def goes_on(self, grants: bool, draws: bool) -> None:
        self.play.all_is_well(grants, draws)

    @rule(
        how=st.sampled_from(["new", "new", "again", "goes", "looked at", "looked at", "sanitiser", "stops", "ends"]),
        tab=st.sampled_from(TABS),
    )
    def documents_come_and_go(self, how: str, tab: str) -> None:
        document = next((one for one in self.play.documents.values() if one.tab == tab), None)
        if how == "sanitiser":
            self.play.sanitiser_dies()
        elif how in ("new", "again") or document is None:
            self.play.hello(tab, how == "again")
        elif how == "goes":
            self.play.tab_goes(document)
        elif how == "looked at":
            self.play.customer_looks_at(document)
        elif self.play.count > 30:
            self.play.stops(document, how == "ends")

    @rule(
        what=st.sampled_from(["change", "change", "change", "drawn", "meta", "picture", "hidden", "missing", "step", "done"]),
        tab=st.sampled_from(TABS),
        long=st.booleans(),
        act=st.integers(0, 12),
        outcome=st.sampled_from(Outcome),
    )
    def a_page_says(self, what: str, tab: str, long: bool, act: int, outcome: Outcome) -> None:
        document = next((one for one in self.play.documents.values() if one.tab == tab), self.play.front)
        if document is None:
            return
        match what:
            case "missing":
                self.play.events_are_missing(document)
            case "drawn":
                self.play.some_page_is_drawn(document)
            case "step":
                self.play.stage.tab(TabStep(step="Amount", errors=1, dwell_s=1, fields=[6, 7][: 1 + long]), document.connection)
            case "done":
                self.play.stage.tab(TabDone(act=str(act), outcome=outcome), document.connection)
            case _:
                kind = {"change": CHANGE, "picture": PICTURE}.get(what, META)
                self.play.says_event(document, kind, what == "hidden", long)

    @rule(
        how=st.sampled_from(["no", "no", "no to all", "pause", "resume", "take", "yes and no", "blink", "turn away"]),
        tab=st.sampled_from(TABS),
        viewer=st.sampled_from(VIEWERS),
        scope=st.sampled_from(Scope),
    )
    def customer_takes_back(self, how: str, tab: str, viewer: str, scope: Scope) -> None:
        document = next((one for one in self.play.documents.values() if one.tab == tab), self.play.front)
        if document is None:
            return
        if how in ("pause", "resume"):
            self.play.pauses(document, how == "pause")
        elif how == "take":
            self.play.takes_control_back(document)
        elif how == "yes and no":
            self.play.customer_answers(document, viewer, scope, True, True)
            self.play.customer_answers(document, viewer, scope, False, True)
        elif how in ("blink", "turn away"):
            self.events_under_way(how == "blink")
        else:
            self.play.customer_answers(document, viewer if how == "no" else "", scope, False, True)

    def events_under_way(self, blink: bool) -> None:
        """While the customer pauses and goes on, or comes to a page that is never shown."""
        play = self.play
        play.all_is_well(True, True)
        if (front := play.front) is None:
            return
        play.some_page_is_drawn(front)
        if blink:
            play.pauses(front, True)
            play.pauses(front, False)
        else:
            play.says_event(front, META, True, False)
        while play.stage.sanitise:
            play.sanitises_one(False)
        self.all_fetch(3)

    @rule(
        tab=st.sampled_from(TABS),
        viewer=st.sampled_from(["", *VIEWERS, *VIEWERS]),
        scope=st.sampled_from(Scope),
        right=st.sampled_from([True, True, False]),
        stored=st.sampled_from([True, True, False, None]),
    )
    def customer_says_yes(self, tab: str, viewer: str, scope: Scope, right: bool, stored: bool | None) -> None:
        """``stored`` None: later."""
        document = next((one for one in self.play.documents.values() if one.tab == tab), self.play.front)
        if document is not None:
            self.play.customer_answers(document, viewer, scope, True, right)
        while self.play.stage.records and stored is not None:
            self.play.stores(stored)

    @rule(
        how=st.sampled_from(["comes", "comes", "goes", "leaves", "asks", "releases"]),
        viewer=st.sampled_from(VIEWERS),
        scope=st.sampled_from(Scope),
    )
    def viewers_come_and_go(self, how: str, viewer: str, scope: Scope) -> None:
        if how == "comes" and self.play.state not in (ShareState.IDLE, ShareState.ENDED):
            self.play.comes(viewer)
        elif how == "goes":
            self.play.viewer_goes(viewer)
        elif how == "leaves":
            self.play.viewer_leaves(viewer)
        elif self.play.seats.get(viewer):
            self.play.asks_or_releases(viewer, scope, how == "releases")

    @rule(
        viewer=st.sampled_from(VIEWERS),
        kind=st.sampled_from(ActKind),
        page=st.none() | st.integers(1, 4),
        forged=st.booleans(),
        what=st.sampled_from(["pointer", "mark", "unmark", "resync"]),
        other=st.booleans(),
    )
    def a_viewer_tries(self, viewer: str, kind: ActKind, page: int | None, forged: bool, what: str, other: bool) -> None:
        if self.play.seats.get(viewer):
            self.play.does(viewer, kind, page, Facts(level=4), forged, True)
            self.play.draws(self.play.seats[viewer], what, other)

    @rule(
        kinds=st.lists(st.sampled_from(ActKind), min_size=1, max_size=3),
        facts=st.sampled_from([Facts(level=4), Facts(level=4), SECRET]),
        now=st.sampled_from([True, True, False]),
        well=st.booleans(),
    )
    def viewers_are_busy(self, kinds: list[ActKind], facts: Facts, now: bool, well: bool) -> None:
        if well:
            self.play.all_is_well(True, True)
        self.play.everybody_is_busy(kinds, facts, now)

    @rule(
        what=st.sampled_from(["sanitised", "sanitised", "sanitised", "looked", "stored", "not stored"]),
        times=st.integers(1, 6),
        resync=st.booleans(),
        facts=st.sampled_from([Facts(level=4), SECRET, None]),
    )
    def answers_come(self, what: str, times: int, resync: bool, facts: Facts | None) -> None:
        if what == "looked" and self.play.stage.looks:
            self.play.looked_late(facts)
        elif what in ("stored", "not stored") and self.play.stage.records:
            self.play.stores(what == "stored")
        for _ in range(min(times, len(self.play.stage.sanitise))):
            self.play.sanitises_one(resync)

    @rule(seconds=st.sampled_from([0.1, 1, 5, 5, 11, 31, 61]))
    def the_clock_goes_on(self, seconds: float) -> None:
        self.play.time_passes(seconds)

    @rule(most=st.sampled_from([1, 3, 1000]))
    def all_fetch(self, most: int) -> None:
        for connection in [*self.play.documents, *self.play.seats.values()]:
            self.play.fetch(connection, most)
        self.play.whoever_was_cut_off_fetches()

    # ------------------------------------------------------------ always

    @invariant()
    def nobody_has_more_than_was_given(self) -> None:
        core = self.play.share._core
        assert self.play.share.state is self.play.state
        assert {viewer: seat.granted for viewer, seat in core.seats.items()} == self.play.granted

    @invariant()
    def memory_is_bounded(self) -> None:
        core = self.play.share._core
        assert core.feed.bytes <= feed.MOST_BYTES
        assert core.assets.bytes <= assets.MOST_BYTES
        for line in core.lines.values():
            assert line.weight <= backlog.MOST_SAID
            assert line.reel.bytes <= backlog.MOST_BYTES + backlog.MOST_PICTURE_BYTES

    @invariant()
    def time_goes_on(self) -> None:
        self.play.stage.now += 0.5


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=50, stateful_step_count=40)
