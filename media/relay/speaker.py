"""Who is speaking, from the audio levels in RTP headers (RFC 6464), with hysteresis. Sans I/O.

A level is −dBov: 0 is the loudest, 127 silence. Somebody starts to speak after ``START_S`` of levels at or above
``START_DBOV`` and stops after ``STOP_S`` without one at or above ``STOP_DBOV``: breath and a knock on the table do not count.
"""

START_DBOV = 40
STOP_DBOV = 50
START_S = 0.12
STOP_S = 0.7
MIN_INTERVAL_S = 0.25
"""Changes are told at most four times a second."""
_GAP_S = 0.2


class _Voice:
    __slots__ = ("last_at", "last_loud", "level", "loud_since", "speaking", "spoke_at")

    def __init__(self) -> None:
        self.speaking = False
        self.loud_since = -1.0
        self.last_loud = -1.0
        self.last_at = -1.0
        self.level = 127.0
        self.spoke_at = 0.0


class SpeakerDetector:
    """All participants of one room."""

    def __init__(self) -> None:
        self._voices: dict[str, _Voice] = {}
        self._told: tuple[str, ...] = ()
        self._told_at = float("-inf")

    def level(self, participant: str, raw: int, now: float) -> None:
        """Note one packet's level byte (the top bit is a voice flag and not used: not every sender sets it)."""
        voice = self._voices.get(participant)
        if voice is None:
            voice = self._voices[participant] = _Voice()
        level = raw & 0x7F
        voice.level += (level - voice.level) * 0.2
        if level <= (STOP_DBOV if voice.speaking else START_DBOV):
            if voice.loud_since < 0 or now - voice.last_loud > _GAP_S:
                voice.loud_since = now
            voice.last_loud = now
            if not voice.speaking and now - voice.loud_since >= START_S:
                voice.speaking = True
            if voice.speaking:
                voice.spoke_at = now
        voice.last_at = now

    def remove(self, participant: str) -> None:
        """Forget somebody who left, or whose microphone was closed."""
        self._voices.pop(participant, None)

    def speaks(self, participant: str) -> bool:
        """Whether this participant was among the speakers last told."""
        return participant in self._told

    def spoke_at(self, participant: str) -> float:
        """When this participant last spoke, 0 if never."""
        voice = self._voices.get(participant)
        return voice.spoke_at if voice else 0.0

    def changed(self, now: float) -> tuple[str, ...] | None:
        """The speakers, loudest first, when who speaks differs from what was last told; else None."""
        if now - self._told_at < MIN_INTERVAL_S:
            return None
        for voice in self._voices.values():
            if voice.speaking and now - voice.last_loud > STOP_S:
                voice.speaking = False
                voice.loud_since = -1.0
        speaking = sorted((v.level, p) for p, v in self._voices.items() if v.speaking)
        names = tuple(p for _, p in speaking)
        if set(names) == set(self._told):
            return None
        self._told = names
        self._told_at = now
        return names
