"""Verifies a recording on disk: every track file, then the manifest against them. SHELL: blocks on the disk, reads everything.

What a crash can leave behind (``check.NOT_TAMPERING``) is told apart from what it cannot, as far as that can be: see
``docs/recording.md``, "What verify cannot find".
"""

from pathlib import Path
from typing import NamedTuple

from media.recording import manifest
from media.recording.check import NOT_TAMPERING, Finding, TrackCheck, What
from media.recording.errors import RecordingError, RecordingFormatError, RecordingKeyError
from media.recording.files import TrackReader, by_track, part_of
from media.recording.format import TrackCipher, read_file_name
from media.recording.manifest import Manifest, PartEntry
from media.recording.store import KEY_FILE, RESERVE_FILE, RecordingStore, check_part
from media.recording.writer import INDEX_SUFFIX


class Report(NamedTuple):
    """``ending``: the manifest's, "" without one. ``intact``: nothing was found that a crash does not leave behind.

    ``complete``: nothing at all was found.
    """

    recording: str
    ending: str
    findings: tuple[Finding, ...]
    files: int
    segments: int
    records: int
    size: int

    @property
    def intact(self) -> bool:
        return all(finding.what in NOT_TAMPERING for finding in self.findings)

    @property
    def complete(self) -> bool:
        return not self.findings


def verify(store: RecordingStore, recording: str) -> Report:
    """Raises RecordingStoreError when there is no such recording or it cannot be read at all."""
    folder = store.path(recording)
    try:
        data_key = store.data_key(recording)
    except RecordingKeyError as error:
        return Report(recording, "", (Finding(KEY_FILE, -1, What.KEY, error.detail),), 0, 0, 0, 0)
    findings: list[Finding] = []
    made: Manifest | None = None
    try:
        made = store.manifest(recording, data_key)
        if made is None:
            findings.append(
                Finding(
                    manifest.FILE, -1, What.UNFINISHED, "no manifest: whether whole files or ends are missing cannot be told"
                )
            )
    except RecordingFormatError as error:
        findings.append(Finding(manifest.FILE, -1, What.MANIFEST, error.detail))
    listed = {entry.file: entry for entry in made.parts} if made is not None else {}
    paths = store.parts(recording)
    ciphers = _ciphers(paths, data_key)
    segments = records = total = 0
    for path in paths:
        entry = listed.pop(path.name, None)
        checked, size, digest = check_part(path, data_key, recording, ciphers)
        found = list(checked.findings)
        if made is not None:
            found = _compare(path.name, entry, checked, size, digest, found)
        findings += found
        segments += checked.segments
        records += checked.records
        total += size
    findings += [Finding(name, -1, What.MISSING, "the manifest lists it") for name in listed]
    findings += [
        Finding(path.name, -1, What.UNLISTED, "no file of a recording")
        for path in sorted(folder.iterdir())
        if not _known(path.name)
    ]
    if made is None:
        findings += _holes(paths)
    return Report(recording, made.ending if made else "", tuple(findings), len(paths), segments, records, total)


def _known(name: str) -> bool:
    track = name.removesuffix(INDEX_SUFFIX)
    return name in (KEY_FILE, manifest.FILE, RESERVE_FILE) or name.endswith(".tmp") or read_file_name(track) is not None


def _ciphers(paths: tuple[Path, ...], data_key: bytes) -> list[TrackCipher]:
    found = []
    for path in paths:
        try:
            with TrackReader(path, data_key) as reader:
                found.append(reader.cipher)
        except RecordingError:
            continue  # the check of that file says so
    return found


def _compare(
    name: str, entry: PartEntry | None, checked: TrackCheck, size: int, digest: str, found: list[Finding]
) -> list[Finding]:
    """What the manifest adds: a file as it was when the recording ended is right even where it was torn by a crash before."""
    if entry is None:
        return [*found, Finding(name, -1, What.UNLISTED, "the manifest does not list it")]
    if size == entry.size and digest == entry.sha256:
        if entry.damaged:
            return found
        return [finding for finding in found if finding.what not in NOT_TAMPERING]
    if any(finding.what not in NOT_TAMPERING for finding in found):
        return found
    if size < entry.size:
        gone = (
            f"segments {checked.segments} to {entry.segments - 1}" if checked.segments < entry.segments else "no whole segment"
        )
        detail = f"{entry.size - size} bytes are missing, {gone}"
        return [Finding(name, min(checked.segments, entry.segments - 1), What.TRUNCATED, detail)]
    return [*found, Finding(name, -1, What.CHANGED, "it is not what the manifest lists")]


def _holes(paths: tuple[Path, ...]) -> list[Finding]:
    """Parts of a track count from 0: one that is missing in between was removed."""
    seen = {track: {part_of(path)[1] for path in own} for track, own in by_track(paths).items()}
    return [
        Finding(f"{track}.{part:04d}.track", -1, What.MISSING, f"there is a part {max(parts)}")
        for track, parts in seen.items()
        for part in range(max(parts))
        if part not in parts
    ]
