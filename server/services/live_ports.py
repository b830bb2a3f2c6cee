"""What an attempt on the live stream needs: somebody who asks for actions, looks at pictures and judges. ``server/challenges.py`` binds it."""

from collections.abc import Callable
from typing import Protocol

from server.live.ports import TapPicture
from server.transactions.cues import Instruction
from server.transactions.decision import CheckedAttempt
from server.transactions.material import Material
from server.transactions.policy import Policy


class LiveCheck(Protocol):
    """One attempt: ``start``, then whatever happens, until it is ``over``; then ``result``. Times are monotonic seconds of this machine."""

    @property
    def nonce(self) -> bytes:
        """Drawn here; it fixes what is asked, and stays here."""
        ...

    @property
    def warning(self) -> bool:
        """Colours will change: tell before, and offer the other forms (WCAG 2.3.1)."""
        ...

    @property
    def lines(self) -> int:
        """How high the pictures should be, if the camera can."""
        ...

    @property
    def in_time(self) -> bool:
        """Whether pictures are to be looked at as they come now. A document may take as long as it takes."""
        ...

    @property
    def over(self) -> bool: ...

    @property
    def due_s(self) -> float | None:
        """When ``tick`` is needed at the latest; None when over."""
        ...

    def attended(self, by_agent: Callable[[], bool]) -> None:
        """``by_agent``: whether somebody who leads has been there all through it until now; asked whenever something happens. Before ``start``."""
        ...

    def start(self, now: float) -> list[Instruction]: ...
    def tick(self, now: float, looked_s: float | None = None) -> list[Instruction]:
        """``looked_s``: all pictures that came until then have been looked at. None: all."""
        ...

    def cannot(self, now: float, *, light: bool = False) -> list[Instruction]:
        """They say that they cannot do what is asked. ``light``: that they want no colours."""
        ...

    def end(self, now: float) -> list[Instruction]:
        """The pictures are over, or nobody wants to go on."""
        ...

    async def see(self, picture: TapPicture) -> list[Instruction]:
        """Pictures in their order, one at a time. Raises VerificationUnavailable and its kinds: then nothing can be said of the attempt."""
        ...

    def result(self, *, ours: bool = False, slow: bool = False) -> CheckedAttempt:
        """What there is by now. Before the end it never passes. ``ours``: we looked too late or stopped in the middle; what that explains is excused.
        ``slow``: this machine had too much to do, so that pictures may have been late by it on their way already."""
        ...

    async def material(self) -> Material:
        """What is to be kept of it, once it is over."""
        ...


class LiveChecks(Protocol):
    async def begin(self, policy: Policy, reference: bytes, *, light: bool = True) -> LiveCheck:
        """``reference``: a template of who it should be. ``light`` false: they want no colours. Raises VerificationUnavailable; Conflict where the policy asks what this pack cannot see."""
        ...
