"""Who waits, by address, in the order in which they came. Each step costs the same however many there are. Sans-I/O."""

from collections import defaultdict


class Crowd:
    def __init__(self) -> None:
        self._of: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._sized: defaultdict[int, dict[str, None]] = defaultdict(dict)
        """Addresses by how many wait of them."""
        self._fullest = 0

    def add(self, id: str, address: str) -> None:
        ones = self._of[address]
        if id in ones:
            return
        ones[id] = None
        self._moved(address, len(ones) - 1, len(ones))

    def discard(self, id: str, address: str) -> None:
        ones = self._of.get(address)
        if ones is None or id not in ones:
            return
        del ones[id]
        self._moved(address, len(ones) + 1, len(ones))

    def oldest(self, address: str | None = None) -> str | None:
        """Of this address, or of one that has most."""
        if address is None:
            address = next(iter(self._sized[self._fullest]), "")
        return next(iter(self._of.get(address, ())), None)

    def _moved(self, address: str, before: int, after: int) -> None:
        self._sized[before].pop(address, None)
        if not self._sized[before]:
            del self._sized[before]
        if after:
            self._sized[after][address] = None
        else:
            del self._of[address]
        if after > self._fullest or (before == self._fullest and before not in self._sized):
            self._fullest = after
