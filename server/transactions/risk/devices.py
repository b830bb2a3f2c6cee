"""Which devices customers have passed on, in memory: so that an assessment asks no disk. Sans-I/O.

The store is what counts. What is here was read there; what an attempt may have changed since is ``doubtful`` until it is read again.
Overflow: beyond ``most`` the one that was put in first goes, and from then on what is not here is doubtful too.
"""

from datetime import datetime
from enum import Enum

from server.transactions.risk.records import RiskDevice

MOST = 100_000
_HALF = 16


class Answer(Enum):
    UNKNOWN = "unknown"  # they have never passed on it
    DOUBTFUL = "doubtful"  # ask the store


class KnownDevices:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._devices: dict[bytes, tuple[datetime, datetime]] = {}
        self._doubtful: set[bytes] = set()
        self.whole = False
        """Whether everything that is stored is here; set after everything was put in."""

    def __len__(self) -> int:
        return len(self._devices)

    def since(self, customer: bytes, device: bytes) -> datetime | Answer:
        """When they first passed on it."""
        key = _key(customer, device)
        if key in self._doubtful:
            return Answer.DOUBTFUL
        found = self._devices.get(key)
        if found is not None:
            return found[0]
        return Answer.UNKNOWN if self.whole else Answer.DOUBTFUL

    def put(self, device: RiskDevice) -> None:
        """As the store has it."""
        key = _key(device.customer, device.device)
        self._doubtful.discard(key)
        if self._devices.pop(key, None) is None and len(self._devices) >= self._most:
            del self._devices[next(iter(self._devices))]
            self.whole = False
        self._devices[key] = device.first_at, device.last_at

    def none(self, customer: bytes, device: bytes) -> None:
        """The store has none."""
        key = _key(customer, device)
        self._doubtful.discard(key)
        self._devices.pop(key, None)

    def doubt(self, customer: bytes, device: bytes) -> None:
        """An attempt was made on it, here or at another server: they may have passed."""
        if len(self._doubtful) >= self._most:
            self._doubtful.clear()
            self._devices.clear()
            self.whole = False
        self._doubtful.add(_key(customer, device))

    def drop(self, customer: bytes) -> None:
        """Nothing of this customer is here any more."""
        mine = customer[:_HALF]
        for key in [key for key in self._devices if key.startswith(mine)]:
            del self._devices[key]
        self._doubtful = {key for key in self._doubtful if not key.startswith(mine)}

    def forget(self, last_before: datetime) -> None:
        """As the store does: those on which nobody has passed since then."""
        for key in [key for key, (_, last) in self._devices.items() if last < last_before]:
            del self._devices[key]


def _key(customer: bytes, device: bytes) -> bytes:
    return customer[:_HALF] + device[:_HALF]
