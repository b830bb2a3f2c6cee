"""What can go wrong with the TURN relay: the operator's mistakes, and a relay that does not do what it must."""


class TurnError(Exception):
    """``code`` is stable; ``detail`` is one sentence without secrets."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class SettingsError(TurnError):
    """The settings cannot work."""


class StunError(TurnError):
    """Bytes that are not the STUN message they should be."""


class ProbeError(TurnError):
    """The relay did not answer as it must."""


class RelayError(TurnError):
    """coturn cannot be started or ended by itself."""
