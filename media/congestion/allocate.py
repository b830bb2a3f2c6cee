"""Who gets how much of one subscriber's estimate: which layer of each picture, or none for now. S.

Sound always. Then every picture its lowest layer, in order: screen, who speaks, tall, the others; then higher layers in the
same order, screens and speakers as far as they go, the others step by step in turn. No picture gets a layer taller than the
smallest one that fills its slot.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

Kind = Literal["audio", "screen", "camera"]
HELD = -1

UP_MARGIN = 1.15
"""A higher layer must fit with this much to spare …"""
UP_AFTER_S = 2.0
"""… for this long."""
RELAPSE_S = 5.0
"""Lowered again within this time after it was raised: the next wait is twice as long, up to ``MAX_UP_AFTER_S``."""
MAX_UP_AFTER_S = 16.0
SURE = 1.5
"""Where there is so many times what there was when it was raised in vain, that says nothing any more: it is raised as the first time."""
COLLAPSED = 0.25
"""Where no more than this part is left of what there was when it was raised, the path has changed: it was not raised in vain."""
SOON_BEFORE_S = 1.5
"""So long before a layer is raised it is named, so that it comes when it is."""
HOLD_AFTER_S = 2.5
"""A picture goes on with its lowest layer although that does not fit, until it has not fitted for this long …"""
GRACE_BPS = 250_000
"""… where that is at most so much beyond the budget: a moment without feedback, or of a machine without time, holds nobody."""
SOON_S = 0.4
"""What could not have even its lowest layer and can again is raised the first time after so long: the path was away and is back. So is
what is drawn taller than before."""
FILLS = 0.9
"""A layer fills a slot from this part of its height on."""


class Layer(NamedTuple):
    """``rid``: empty where there is one encoding. ``temporal``: highest temporal id forwarded. ``bitrate_bps``: of it and all it
    needs, smoothed. ``height``: lines."""

    rid: str
    temporal: int
    bitrate_bps: int
    height: int


class Want(NamedTuple):
    """``key``: whatever names the publication at this subscriber. ``slot_height``: drawn lines, 0 = not seen (costs nothing)."""

    key: Hashable
    kind: Kind
    slot_height: int
    speaking: bool
    layers: Sequence[Layer]


class Choice(NamedTuple):
    """``layer`` is None while held. ``reason``: "size" = all that its slot needs, "bandwidth" = less than that, "unseen"."""

    layer: Layer | None
    reason: Literal["size", "bandwidth", "unseen"]

    @property
    def held(self) -> bool:
        """True where the path is the reason that nothing is sent."""
        return self.layer is None and self.reason == "bandwidth"


class Allocation(NamedTuple):
    """``demand_bps``: what would be sent if everything fitted (feed it to ``Estimator.demand_bps``). ``held``: pictures. ``soon``: what
    some will have in a moment if nothing changes."""

    choices: dict[Hashable, Choice]
    total_bps: int
    demand_bps: int
    held: int
    soon: Mapping[Hashable, Layer] = MappingProxyType({})


class _State:
    """``layer``: what stands at ``level`` of the ladder; ladders change when layers come, go, or are measured anew."""

    __slots__ = (
        "height",
        "layer",
        "level",
        "raised_at",
        "raised_room",
        "relapsed",
        "short",
        "short_since",
        "since",
        "vain_room",
        "wait",
    )

    def __init__(self, level: int) -> None:
        self.level = level
        self.layer: Layer | None = None
        self.since: float | None = None
        self.short_since: float | None = None
        self.short = False
        self.height = 0
        self.raised_at = -1e9
        self.raised_room = self.vain_room = 0.0
        self.relapsed = False
        self.wait = UP_AFTER_S


def usable(want: Want) -> list[Layer]:
    """The layers that make sense for this slot, each more expensive and not worse than the one before; empty when unseen."""
    if want.kind != "audio" and want.slot_height <= 0:
        return []
    layers = sorted(want.layers, key=lambda layer: (layer.height, layer.temporal, layer.bitrate_bps, layer.rid))
    if want.kind != "audio":
        tall = [layer.height for layer in layers if layer.height >= FILLS * want.slot_height]
        if tall:
            layers = [layer for layer in layers if layer.height <= tall[0]]
    steps: list[Layer] = []
    for layer in layers:
        while steps and steps[-1].bitrate_bps >= layer.bitrate_bps:
            steps.pop()
        steps.append(layer)
    return steps


def _rank(want: Want) -> tuple[int, int, int]:
    kind = 0 if want.kind == "screen" else 1
    return kind, 0 if want.speaking else 1, -want.slot_height


class Allocator:
    """One per subscriber; remembers what it gave for hysteresis. Same calls, same answers."""

    __slots__ = ("_states",)

    def __init__(self) -> None:
        self._states: dict[Hashable, _State] = {}

    def allocate(self, wants: Sequence[Want], budget_bps: float, now: float) -> Allocation:
        """Lower layers at once, higher ones after ``UP_AFTER_S`` in which they fitted ``UP_MARGIN`` times over.

        A held picture gets its lowest layer without that margin. Somebody new gets at once what fits. Keys must differ. Ties go to who comes first in ``wants``.
        """
        ladders = {want.key: usable(want) for want in wants}
        sound = sum(ladder[-1].bitrate_bps for want in wants if want.kind == "audio" and (ladder := ladders[want.key]))
        pictures = sorted((want for want in wants if want.kind != "audio" and ladders[want.key]), key=_rank)
        room = budget_bps - sound
        steps = list(_steps(pictures, ladders))
        target = _fill(steps, ladders, room)
        safe = _fill(steps, ladders, budget_bps / UP_MARGIN - sound)
        soon = self._settle(pictures, ladders, target, safe, room, now)
        return self._answer(wants, ladders, sound, soon)

    def _settle(
        self,
        pictures: Sequence[Want],
        ladders: dict[Hashable, list[Layer]],
        target: dict[Hashable, int],
        safe: dict[Hashable, int],
        room: float,
        now: float,
    ) -> dict[Hashable, Layer]:
        before = self._states
        states = self._states = {}
        soon: dict[Hashable, Layer] = {}
        for want in pictures:
            key = want.key
            state = before.get(key)
            if state is None:
                state = _State(target[key])
            elif state.layer is not None:
                state.level = _find(ladders[key], state.layer, state.level)
            states[key] = state
            if 0 < state.height < want.slot_height:
                state.short = True
            state.height = want.slot_height
            goal = max(min(safe[key], target[key]), min(target[key], 0))
            if goal <= state.level:
                state.since = None
            elif state.since is None:
                state.since = now
            wait = SOON_S if state.short else UP_AFTER_S if room > SURE * state.vain_room else state.wait
            if state.since is not None and now - state.since >= wait - SOON_BEFORE_S:
                soon[key] = ladders[key][goal]
            if state.since is not None and now - state.since >= wait:
                state.level = goal
                state.raised_room = room
                state.short = False
                state.since = None
                state.raised_at = now
                state.relapsed = False
            elif state.wait > UP_AFTER_S and now - state.raised_at > 2 * MAX_UP_AFTER_S:
                state.wait = UP_AFTER_S
        over = sum(_cost(ladders[key], state.level) for key, state in states.items()) > room
        beyond = 0
        for key, state in states.items():
            if target[key] > HELD or not over or state.level == HELD:
                state.short_since = None
            elif state.short_since is None:
                state.short_since = now
                state.short = True
            if over and state.level > target[key]:
                state.level = target[key]
                if state.short_since is not None and now - state.short_since < HOLD_AFTER_S:
                    beyond += _cost(ladders[key], 0)
                    state.level = 0 if beyond <= GRACE_BPS else HELD
                state.since = None
                changed = room <= COLLAPSED * state.raised_room
                if now - state.raised_at <= RELAPSE_S and not state.relapsed and not changed:
                    state.relapsed = True
                    state.vain_room = state.raised_room
                    state.wait = min(2 * state.wait, MAX_UP_AFTER_S)
            state.layer = ladders[key][state.level] if state.level > HELD else None
        return soon

    def _answer(
        self, wants: Sequence[Want], ladders: dict[Hashable, list[Layer]], sound: int, soon: Mapping[Hashable, Layer]
    ) -> Allocation:
        choices: dict[Hashable, Choice] = {}
        total = demand = sound
        held = 0
        for want in wants:
            ladder = ladders[want.key]
            if not ladder:
                choices[want.key] = Choice(None, "unseen")
                continue
            level = len(ladder) - 1 if want.kind == "audio" else self._states[want.key].level
            choices[want.key] = Choice(
                ladder[level] if level > HELD else None, "size" if level == len(ladder) - 1 else "bandwidth"
            )
            if want.kind != "audio":
                held += level == HELD
                total += _cost(ladder, level)
                demand += ladder[-1].bitrate_bps
        return Allocation(choices, total, demand, held, soon)


def _steps(pictures: Sequence[Want], ladders: dict[Hashable, list[Layer]]) -> Iterable[tuple[Hashable, int]]:
    """(key, level) in the order in which the budget is spent."""
    for want in pictures:
        yield want.key, 0
    first = [want for want in pictures if want.kind == "screen" or want.speaking]
    for want in first:
        for level in range(1, len(ladders[want.key])):
            yield want.key, level
    others = [want for want in pictures if want.kind != "screen" and not want.speaking]
    for level in range(1, max((len(ladders[want.key]) for want in others), default=0)):
        for want in others:
            if level < len(ladders[want.key]):
                yield want.key, level


def _fill(steps: Iterable[tuple[Hashable, int]], ladders: dict[Hashable, list[Layer]], room: float) -> dict[Hashable, int]:
    """Each step if it fits and the one below it was taken: of all that fit, the first in the order of ``steps``."""
    levels = dict.fromkeys(ladders, HELD)
    spent = 0
    for key, level in steps:
        if levels[key] != level - 1:
            continue
        more = _cost(ladders[key], level) - _cost(ladders[key], level - 1)
        if spent + more <= room:
            levels[key] = level
            spent += more
    return levels


def _find(ladder: Sequence[Layer], layer: Layer, level: int) -> int:
    """Where this layer, which stood at ``level``, stands now; else the best one that is not above it."""
    if level < len(ladder) and ladder[level][:2] == layer[:2]:
        return level
    best = 0
    for index, found in enumerate(ladder):
        if (found.rid, found.temporal) == (layer.rid, layer.temporal):
            return index
        if (found.height, found.temporal) <= (layer.height, layer.temporal):
            best = index
    return best


def _cost(ladder: Sequence[Layer], level: int) -> int:
    return ladder[level].bitrate_bps if level > HELD else 0
