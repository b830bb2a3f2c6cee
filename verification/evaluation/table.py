"""Tables (CSV) of pictures: every bad row is refused, with its line, before anything is run. SHELL."""

import csv
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from verification.errors import TableRefused

MAX_TABLE_BYTES = 256 << 20
MOST_TOLD = 20
"""So many bad lines are told one by one, the rest as a number."""

YES_NO: Mapping[str, bool] = {"1": True, "0": False, "true": True, "false": False, "yes": True, "no": False}


@dataclass(slots=True)
class Complaints:
    """What is wrong, by line of the file (its heading is line 1)."""

    file: Path
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, what: str) -> None:
        self.found.append((line, what))

    def raise_if_any(self) -> None:
        """Raises TableRefused with all of them."""
        if not self.found:
            return
        self.found.sort()
        told = [f"line {line}: {what}" for line, what in self.found[:MOST_TOLD]]
        if len(self.found) > MOST_TOLD:
            told.append(f"and {len(self.found) - MOST_TOLD} more")
        raise TableRefused(f"{self.file}: " + "; ".join(told))


def rows(path: Path, needed: Sequence[str], complaints: Complaints) -> Iterator[tuple[int, Mapping[str, str]]]:
    """(line, column → text without spaces around it). Rows of another length than the heading's are complained of and left out.

    Raises TableRefused for what is no table: unreadable, not UTF-8, without one of the ``needed`` columns.
    """
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise TableRefused(f"{path}: more than {MAX_TABLE_BYTES >> 20} MiB")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            heading = [name.strip() for name in next(reader, [])]
            missing = [name for name in needed if name not in heading]
            if missing or len(set(heading)) != len(heading):
                what = f"there is no column {', '.join(missing)}" if missing else "two columns have one name"
                raise TableRefused(f"{path}: line 1: {what}")
            for row in reader:
                if not any(text.strip() for text in row):
                    continue
                if len(row) != len(heading):
                    complaints.add(reader.line_num, f"{len(row)} columns instead of {len(heading)}")
                    continue
                yield reader.line_num, dict(zip(heading, (text.strip() for text in row), strict=True))
    except OSError as error:
        raise TableRefused(f"{path}: {error.strerror or 'cannot be read'}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableRefused(f"{path}: not a table in UTF-8: {error}") from None


def yes_or_no(row: Mapping[str, str], column: str, line: int, complaints: Complaints) -> bool | None:
    """1 or 0; None after a complaint."""
    answer = YES_NO.get(row[column].lower())
    if answer is None:
        complaints.add(line, f"{column} is {row[column]!r} and not 1 or 0")
    return answer


def file_finder(folder: Path) -> Callable[[str, int, Complaints], Path | None]:
    """Makes a file's path of what a row says, relative to ``folder``; None after a complaint. Looks at each file once, and one file has one path: that by which
    it was named first, however it is spelt afterwards."""
    known: dict[str, Path | None] = {}
    files: dict[tuple[int, int], Path] = {}

    def look(name: str) -> Path | None:
        if not name or "\0" in name:
            return None
        path = folder / name
        try:
            about = path.stat()
        except OSError:
            return None
        return files.setdefault((about.st_dev, about.st_ino), path) if stat.S_ISREG(about.st_mode) else None

    def find(name: str, line: int, complaints: Complaints) -> Path | None:
        if name not in known:
            known[name] = look(name)
        if known[name] is None:
            complaints.add(line, f"there is no file {name!r}")
        return known[name]

    return find
