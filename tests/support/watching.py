"""What a test reads off a page through ``instrument.js``, whichever browser shows it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

APPEARS_MS = 30_000  # a deadline only: a busy machine is slow, not wrong


@dataclass(slots=True)
class Flow:
    """How much arrived over a measured stretch of the statistics' own clock."""

    per_s: float
    energy: float
    packets: int


class Watcher(ABC):
    """A page with ``instrument.js`` in it."""

    @abstractmethod
    async def evaluate(self, script: str, argument: object = None) -> Any:
        """Call a function of the page's language with one argument; its awaited result, as JSON would carry it."""

    async def inbound(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self.evaluate("() => window.__tp.inbound()")
        return rows

    async def slots(self) -> list[dict[str, Any]]:
        """What signalling last said of the lines that show somebody; ``held``: not sent, for want of room on the way here."""
        shown: list[dict[str, Any]] = await self.evaluate(
            "() => [...window.__tp.slots.values()].filter((one) => one.participant)"
        )
        return shown

    async def until(self, condition: str, argument: object, timeout_s: float) -> Any:
        """The first true answer of an asynchronous function of the page, asked ten times a second."""
        script = f"""async ([argument, timeout_ms]) => {{
            const ask = {condition};
            const deadline = performance.now() + timeout_ms;
            for (;;) {{
                const answer = await ask(argument);
                if (answer || performance.now() > deadline) return answer || null;
                await new Promise((resolve) => setTimeout(resolve, 100));
            }}
        }}"""
        answer = await self.evaluate(script, [argument, timeout_s * 1000])
        assert answer is not None, (
            f"not within {timeout_s:.0f} s: {condition} of {argument}; received: {await self.inbound()}; slots: {await self.slots()}"
        )
        return answer

    async def _row(self, role: str, source: str, condition: str, argument: object, timeout_s: float) -> dict[str, Any]:
        """The statistics of somebody's source as soon as ``condition`` on ``row`` holds."""
        script = f"""async ([role, source, argument]) => {{
            const rows = await window.__tp.inbound();
            const row = rows.find((one) => one.role === role && one.source === source);
            return row && ({condition}) ? row : null;
        }}"""
        row: dict[str, Any] = await self.until(script, [role, source, argument], timeout_s)
        return row

    async def receives(self, role: str, source: str, *, within_s: float = 30) -> dict[str, Any]:
        """Wait for the first decoded frame of a picture, or the first packet of a voice."""
        condition = "row.packets > argument" if source == "microphone" else "row.frames > argument"
        return await self._row(role, source, condition, 0, within_s)

    async def goes_on(self, role: str, source: str, frames: int) -> None:
        """Wait until more than so many frames were decoded."""
        await self._row(role, source, "row.frames > argument", frames, APPEARS_MS / 1000)

    async def flow(self, role: str, source: str, *, over_s: float = 3) -> Flow:
        """Frames (or packets) a second, and sound energy, over at least ``over_s`` of the statistics' clock."""
        first = await self.receives(role, source)
        last = await self._row(role, source, "row.at_ms >= argument", first["at_ms"] + over_s * 1000, over_s + 30)
        took_s = (last["at_ms"] - first["at_ms"]) / 1000
        counted = "packets" if source == "microphone" else "frames"
        return Flow(
            per_s=(last[counted] - first[counted]) / took_s,
            energy=last["energy"] - first["energy"],
            packets=last["packets"] - first["packets"],
        )

    async def shut(self, role: str, source: str) -> None:
        """Wait until signalling says that this source of theirs is not let through."""
        script = """async ([role, source]) => {
            const person = [...window.__tp.people.values()].find((one) => one.role === role);
            return person?.tracks.some((track) => track.source === source && !track.open);
        }"""
        await self.until(script, [role, source], APPEARS_MS / 1000)

    async def all_packets(self) -> dict[str, int]:
        """Packets that ever arrived, by receiving line, whomever it shows."""
        return {row["mid"]: row["packets"] for row in await self.inbound()}

    async def is_cut_off_from(self, role: str) -> None:
        """Signalling says that nothing of this person is let through, and for half a second nothing was."""
        script = """async ([role, quiet_ms]) => {
            const person = [...window.__tp.people.values()].find((one) => one.role === role);
            if (!person || person.tracks.some((track) => track.open)) return false;
            const rows = await window.__tp.inbound();
            const total = rows.reduce((sum, row) => sum + row.packets, 0);
            const now_ms = Math.max(...rows.map((row) => row.at_ms));
            const seen = (window.__tp.quiet ??= { total, since_ms: now_ms });
            if (seen.total !== total) window.__tp.quiet = { total, since_ms: now_ms };
            return now_ms - window.__tp.quiet.since_ms >= quiet_ms;
        }"""
        await self.until(script, [role, 500], APPEARS_MS / 1000)
