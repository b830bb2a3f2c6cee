"""Presentations that are known to be alive or an attack: ``file,live,kind``, paths relative to the file; frames or clips. SHELL.

``kind`` is the species of an attack; of a living person's it is not looked at. ``identity``, if it is there, counts how many people there are.
"""

from dataclasses import dataclass
from pathlib import Path

from verification.errors import TableRefused
from verification.evaluation.table import Complaints, file_finder, rows, yes_or_no

CLIPS = frozenset({".mp4", ".webm", ".mkv", ".mov", ".avi", ".mjpeg", ".mjpg", ".gif"})
MAX_KIND = 60


@dataclass(frozen=True, slots=True)
class Presentation:
    """``line``: of the table. ``kind``: of an attack its species."""

    file: Path
    line: int
    live: bool
    kind: str
    identity: str = ""

    @property
    def is_clip(self) -> bool:
        return self.file.suffix.lower() in CLIPS


def read_labels(path: Path) -> tuple[Presentation, ...]:
    """Raises TableRefused with each bad line; also where nothing is alive, or nothing is an attack."""
    complaints = Complaints(path)
    find = file_finder(path.parent)
    seen: dict[Path, int] = {}
    found: list[Presentation] = []
    for line, row in rows(path, ("file", "live", "kind"), complaints):
        file = find(row["file"], line, complaints)
        live = yes_or_no(row, "live", line, complaints)
        if file is None or live is None:
            continue
        if seen.setdefault(file, line) != line:
            complaints.add(line, f"this file stands in line {seen[file]} already")
        elif not live and not row["kind"]:
            complaints.add(line, "an attack without its kind")
        elif len(row["kind"]) > MAX_KIND or not (row["kind"] or "x").isprintable():
            complaints.add(line, f"a kind has at most {MAX_KIND} printable characters")
        else:
            found.append(Presentation(file, line, live, row["kind"], row.get("identity", "")))
    complaints.raise_if_any()
    for live, what in ((True, "nobody is alive (live = 1)"), (False, "nothing is an attack (live = 0)")):
        if not any(one.live is live for one in found):
            raise TableRefused(f"{path}: {what}")
    return tuple(found)
