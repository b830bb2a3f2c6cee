"""Pairs of pictures that are known to show the same person or two: ``file_a,file_b,same``, paths relative to the file. SHELL.

``id_a,id_b`` may say who it is. Without them who belongs together follows from the mated pairs: pictures that a chain of them joins show one person.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from verification.errors import TableRefused
from verification.evaluation.table import Complaints, file_finder, rows, yes_or_no

MAX_PAIRS = 20_000_000
"""More are refused: they would take more than half a gigabyte."""


@dataclass(frozen=True, slots=True)
class PairSet:
    """``pictures``: each once, and ``lines``: where it is named first. ``mated``, ``non_mated`` (n, 2): which two of them, each pair once a row of
    the table, or once at all where every non-mated pair was formed. ``identities`` (pictures,): a number for each person, from 0.
    ``named``: the table itself says who is who."""

    file: Path
    pictures: tuple[Path, ...]
    lines: tuple[int, ...]
    mated: NDArray[np.int32]
    non_mated: NDArray[np.int32]
    identities: NDArray[np.int32]
    named: bool
    all_pairs: bool = False

    @property
    def persons(self) -> int:
        return int(self.identities.max()) + 1 if self.identities.size else 0


def read_pairs(path: Path, *, all_pairs: bool = False) -> PairSet:
    """``all_pairs``: instead of the table's non-mated pairs, every pair of its pictures that show two persons.

    Raises TableRefused with each bad line: columns, answers and files that are not there, a picture paired with itself, a pair that
    stands there twice, one that contradicts ``id_a,id_b`` or what follows from the mated pairs. Also where there is no mated or no non-mated pair at all.
    """
    complaints = Complaints(path)
    reader = _Reader(path, complaints)
    for line, row in rows(path, ("file_a", "file_b", "same"), complaints):
        reader.row(line, row)
    found = reader.whole()
    if all_pairs:
        found = _every_non_mated(found)
    if not len(found.mated):
        raise TableRefused(f"{path}: there is no mated pair (same = 1)")
    if not len(found.non_mated):
        hint = "" if all_pairs else "; --all-pairs forms those of its pictures"
        raise TableRefused(f"{path}: there is no non-mated pair (same = 0){hint}")
    return found


class _Reader:
    def __init__(self, path: Path, complaints: Complaints) -> None:
        self._path, self._complaints = path, complaints
        self._find_file = file_finder(path.parent)
        self._numbers: dict[Path, int] = {}
        self._pictures: list[Path] = []
        self._lines: list[int] = []
        self._names: dict[int, str] = {}
        self._seen: dict[tuple[int, int], int] = {}
        self._pairs: list[tuple[int, int, int, bool]] = []
        self._named: bool | None = None

    def row(self, line: int, row: Mapping[str, str]) -> None:
        first, second = (self._picture(row[column], line) for column in ("file_a", "file_b"))
        same = yes_or_no(row, "same", line, self._complaints)
        if first is None or second is None or same is None:
            return
        if first == second:
            self._complaints.add(line, "a picture paired with itself")
            return
        before = self._seen.setdefault((min(first, second), max(first, second)), line)
        if before != line:
            self._complaints.add(line, f"this pair stands in line {before} already")
            return
        if self._named is None:
            self._named = "id_a" in row and "id_b" in row
        if self._named and not self._identified(line, row, first, second, same):
            return
        self._pairs.append((line, first, second, same))

    def _picture(self, name: str, line: int) -> int | None:
        path = self._find_file(name, line, self._complaints)
        if path is None:
            return None
        if path not in self._numbers:
            self._numbers[path] = len(self._pictures)
            self._pictures.append(path)
            self._lines.append(line)
        return self._numbers[path]

    def _identified(self, line: int, row: Mapping[str, str], first: int, second: int, same: bool) -> bool:
        if not row["id_a"] or not row["id_b"]:
            self._complaints.add(line, "id_a or id_b is empty")
            return False
        if (row["id_a"] == row["id_b"]) != same:
            self._complaints.add(line, f"same is {int(same)}, but the ids are {row['id_a']!r} and {row['id_b']!r}")
            return False
        for picture, name in ((first, row["id_a"]), (second, row["id_b"])):
            if self._names.setdefault(picture, name) != name:
                self._complaints.add(
                    line, f"{self._pictures[picture].name} was {self._names[picture]!r} before, and now {name!r}"
                )
                return False
        return True

    def whole(self) -> PairSet:
        """Raises TableRefused where there was a complaint, or now is."""
        identities = self._identities()
        for line, first, second, same in self._pairs:
            if not same and identities[first] == identities[second]:
                self._complaints.add(line, "same is 0, but mated pairs join these two pictures")
        self._complaints.raise_if_any()
        return PairSet(
            file=self._path,
            pictures=tuple(self._pictures),
            lines=tuple(self._lines),
            mated=_as_pairs([(a, b) for _, a, b, same in self._pairs if same]),
            non_mated=_as_pairs([(a, b) for _, a, b, same in self._pairs if not same]),
            identities=identities,
            named=bool(self._named),
        )

    def _identities(self) -> NDArray[np.int32]:
        """By the table's names, else by which pictures mated pairs join."""
        if self._named:
            labels = [self._names.get(picture, "") for picture in range(len(self._pictures))]
            return np.unique(np.array(labels), return_inverse=True)[1].astype(np.int32)
        above = list(range(len(self._pictures)))

        def root(picture: int) -> int:
            while above[picture] != picture:
                above[picture] = picture = above[above[picture]]
            return picture

        for _, first, second, same in self._pairs:
            if same:
                above[root(first)] = root(second)
        return np.unique(np.array([root(picture) for picture in above], np.int64), return_inverse=True)[1].astype(np.int32)


def _as_pairs(pairs: list[tuple[int, int]]) -> NDArray[np.int32]:
    return np.array(pairs, np.int32).reshape(-1, 2)


def _every_non_mated(found: PairSet) -> PairSet:
    count = len(found.pictures)
    if count * (count - 1) // 2 > MAX_PAIRS:
        raise TableRefused(f"{found.file}: {count} pictures make more than {MAX_PAIRS} pairs")
    first, second = np.triu_indices(count, 1)
    other = found.identities[first] != found.identities[second]
    pairs = np.column_stack([first[other], second[other]]).astype(np.int32)
    return PairSet(
        file=found.file,
        pictures=found.pictures,
        lines=found.lines,
        mated=found.mated,
        non_mated=pairs,
        identities=found.identities,
        named=found.named,
        all_pairs=True,
    )
