"""What waits for a connection, bounded, and when a new picture is asked for. Sans-I/O.

Four kinds wait apart: what is said (in order; a newer state takes the place of an older), pointers (the newest of each viewer), the page's events, which
can be dropped and begun anew with a picture, and its images, behind all else. A slow connection loses only its own.
"""

from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from server.cobrowse.assets import Gallery, Image
from server.cobrowse.messages import CHUNK_CHARS, Act, Body, Bye, Mark, Pointer, TabState, ViewDom, ViewState, WantPicture
from server.cobrowse.sanitiser import EventType

MOST_BYTES = 2_000_000
"""Of changes that wait for one viewer. A picture waits beside them, but only one."""
MOST_AGE_S = 2.0
MOST_PICTURE_BYTES = 16 * 1024 * 1024
"""What comes in has at most 8 MiB; words that are masked may be longer than they were."""
MOST_SAID = 1024
"""A frame counts 1, one that is large more."""
PICTURE_EVERY_S = 5.0
PICTURE_PATIENCE_S = 10.0
"""So long a picture that was asked for is waited for."""
_NEWEST_ONLY = (TabState, ViewState, WantPicture)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One sanitised event. ``size``: bytes of its text."""

    page: int
    text: str
    kind: int
    size: int


class Reel:
    """A page's events on their way to one viewer; what they get begins with a picture and has no gaps behind it."""

    def __init__(self) -> None:
        self._events: deque[tuple[Event, float]] = deque()
        self._offset = 0
        """Of the first event, so many characters were taken."""
        self._n = 0
        self._changes = self._pictures = 0
        """Bytes of them that wait."""
        self._lost = True

    @property
    def wants_picture(self) -> bool:
        """Nothing is under way, and nothing more can come without one."""
        return self._lost and not self._events

    @property
    def waits(self) -> bool:
        return bool(self._events)

    @property
    def bytes(self) -> int:
        return self._changes + self._pictures

    def clear(self) -> None:
        """Nothing of what was there leaves any more."""
        self._events.clear()
        self._offset = self._changes = self._pictures = 0
        self._lost = True

    def push(self, event: Event, now: float) -> None:
        if self._events and self._events[0][0].page != event.page:
            self.clear()
        if event.kind == EventType.META:
            self._begin(event, now)
        elif self._lost:
            return
        elif event.kind == EventType.FULL_SNAPSHOT:
            if self._pictures + event.size > MOST_PICTURE_BYTES:
                self.clear()
            else:
                self._put(event, now)
        elif self._overflows(event, now):
            self._drop_changes()
        else:
            self._put(event, now)

    def take(self) -> ViewDom | None:
        if not self._events:
            return None
        event, _ = self._events[0]
        begins = self._offset == 0
        text = event.text[self._offset : self._offset + CHUNK_CHARS]
        self._offset += len(text)
        self._n += begins
        last = self._offset >= len(event.text)
        if last:
            self._events.popleft()
            self._offset = 0
            self._count(event, -1)
        return ViewDom(page=event.page, n=self._n, text=text, last=last, picture=event.kind == EventType.META)

    def _begin(self, event: Event, now: float) -> None:
        """A new picture takes the place of all that waits, but not of one that is half there: who is slow would never see a whole one."""
        if self._offset and _is_picture(self._events[0][0]):
            self._drop_changes()
            return
        self.clear()
        self._lost = False
        self._put(event, now)

    def _put(self, event: Event, now: float) -> None:
        self._events.append((event, now))
        self._count(event, 1)

    def _count(self, event: Event, sign: int) -> None:
        if _is_picture(event):
            self._pictures += sign * event.size
        else:
            self._changes += sign * event.size

    def _overflows(self, event: Event, now: float) -> bool:
        if self._changes + event.size > MOST_BYTES:
            return True
        oldest = next((since for one, since in self._events if not _is_picture(one)), now)
        return now - oldest > MOST_AGE_S

    def _drop_changes(self) -> None:
        self._lost = True
        if self._offset and not _is_picture(self._events[0][0]):
            self._offset = 0
        self._events = deque((one, since) for one, since in self._events if _is_picture(one))
        self._changes = 0


def _is_picture(event: Event) -> bool:
    return event.kind in (EventType.META, EventType.FULL_SNAPSHOT)


class Line:
    """All that waits for one connection. ``reel``, ``gallery``: a viewer's."""

    def __init__(self) -> None:
        self._said: deque[Body] = deque()
        self._weight = 0
        self._pointers: dict[str, Pointer] = {}
        self._bye: Bye | None = None
        self._stirred = False
        self.reel = Reel()
        self.gallery = Gallery()

    @property
    def over(self) -> bool:
        """Nothing more can be said: ``end`` was called."""
        return self._bye is not None

    @property
    def waits(self) -> bool:
        """Whether ``take`` has something."""
        return self._bye is not None or bool(self._said or self._pointers) or self.reel.waits or self.gallery.waits

    @property
    def weight(self) -> int:
        return self._weight

    def stirred(self) -> bool:
        """Whether something new waits since this was last asked."""
        stirred, self._stirred = self._stirred, False
        return stirred

    def say(self, body: Body) -> None:
        """What must not be lost; where there is no room the connection is over, and may come again."""
        if not self.offer(body):
            self.end(Bye(code="too_many", again=True))

    def offer(self, body: Body) -> bool:
        """False: there is no room, and it was not taken."""
        if self._bye is not None:
            return True
        if isinstance(body, _NEWEST_ONLY):
            self.drop(lambda one: type(one) is type(body))
        if self._weight + _weight(body) > MOST_SAID:
            return False
        self._said.append(body)
        self._weight += _weight(body)
        self._stirred = True
        return True

    def point(self, pointer: Pointer) -> None:
        if self._bye is None:
            self._pointers[pointer.viewer] = pointer
            self._stirred = True

    def show(self, event: Event, now: float) -> None:
        if self._bye is None:
            self.reel.push(event, now)
            self._stirred = True

    def illustrate(self, page: int, shown: Mapping[int, Image]) -> None:
        if self._bye is None and self.gallery.offer(page, shown):
            self._stirred = True

    def blind(self) -> None:
        """Nothing of the page leaves any more."""
        self.reel.clear()
        self.gallery.clear()

    def drop(self, which: Callable[[Body], bool]) -> None:
        """Of what was said and of pointers."""
        if any(map(which, self._said)):
            self._said = deque(one for one in self._said if not which(one))
            self._weight = sum(map(_weight, self._said))
        if any(map(which, self._pointers.values())):
            self._pointers = {viewer: one for viewer, one in self._pointers.items() if not which(one)}

    def end(self, bye: Bye) -> None:
        """The last frame; what waits is not said any more."""
        if self._bye is not None:
            return
        self._bye = bye
        self._said.clear()
        self._pointers.clear()
        self.blind()
        self._weight = 0
        self._stirred = True

    def take(self) -> Body | None:
        """The next frame. After ``end`` the Bye, each time."""
        if self._bye is not None:
            return self._bye
        if self._said:
            body = self._said.popleft()
            self._weight -= _weight(body)
            return body
        if self._pointers:
            return self._pointers.pop(next(iter(self._pointers)))
        return self.reel.take() or self.gallery.take()


def _weight(body: Body) -> int:
    if isinstance(body, Mark):
        return 1 + len(body.spots) // 2
    return 1 + len(body.value) // 64 if isinstance(body, Act) else 1


class Pictures:
    """One picture for all who wait for one, and not too often: making one takes the customer's browser a while."""

    def __init__(self) -> None:
        self._wanted = False
        self._asked_at: float | None = None
        self._not_before: float | None = None

    def want(self) -> None:
        """Whoever asks while one is under way gets that one."""
        if self._asked_at is None:
            self._wanted = True

    def fresh(self) -> None:
        """Another document: what was asked of the one before does not come, and nothing was asked of this one."""
        self.forget()
        self._not_before = None

    def forget(self) -> None:
        """Nobody waits any more."""
        self._wanted, self._asked_at = False, None

    def came(self) -> None:
        """Asked for or not: whoever waits has it."""
        self.forget()

    def due(self, now: float) -> bool:
        """Whether to ask for one now; whoever is told so does."""
        if self._asked_at is not None and now >= self._asked_at + PICTURE_PATIENCE_S:
            self._asked_at, self._wanted = None, True
        if not self._wanted or (self._not_before is not None and now < self._not_before):
            return False
        self._wanted, self._asked_at, self._not_before = False, now, now + PICTURE_EVERY_S
        return True

    def next_deadline(self) -> float | None:
        if self._asked_at is not None:
            return self._asked_at + PICTURE_PATIENCE_S
        return (self._not_before or 0.0) if self._wanted else None
