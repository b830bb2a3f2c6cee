"""A server without a recorder: nothing is recorded, and it says so."""

from collections.abc import Mapping

from server.live.ports import PageLine, RecorderEvents, RecorderUnavailable, RecordingEnd


class NoRecorder:
    """See ``ports.RecorderPort``."""

    @property
    def ready(self) -> bool:
        return False

    def listen(self, events: RecorderEvents) -> None:
        del events  # there is nothing to tell

    async def begin(self, recording: str) -> int:
        raise RecorderUnavailable("there is no recorder")

    async def tell(self, recording: str, event: Mapping[str, object], mono_us: int) -> None:
        raise RecorderUnavailable("there is no recorder")

    async def page(self, recording: str, line: PageLine, mono_us: int) -> None:
        raise RecorderUnavailable("there is no recorder")

    async def pause(self, recording: str, paused: bool) -> None:
        raise RecorderUnavailable("there is no recorder")

    async def end(self, recording: str) -> RecordingEnd:
        raise RecorderUnavailable("there is no recorder")
