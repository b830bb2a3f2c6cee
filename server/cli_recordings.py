"""``tongping recordings``: what is kept, whether it is intact, and erasing it."""

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Recordings on this machine; see docs/recording.md.")
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]

NOT_INTACT = 1
LONGEST_REASON = 200
BAR = 30
POLITE = 10
"""How far an export stands back for the calls on the same machine."""


class Container(StrEnum):
    WEBM = "webm"
    MP4 = "mp4"


class Words(StrEnum):
    ZH = "zh"
    EN = "en"


class Arrangement(StrEnum):
    AUTO = "auto"
    SPEAKER = "speaker"
    GRID = "grid"


def _load(file: Path | None) -> Any:
    from server import config as configuration

    return configuration.load(file)


def _time(wall_us: int | None) -> str:
    return datetime.fromtimestamp(wall_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if wall_us is not None else "-"


def _note(config: Any, action: str, recording: str, **details: str) -> None:
    from server import recordings_written
    from server.audit.events import AuditAction

    if not recordings_written.note(config, AuditAction[action], recording, **details):
        print("no database beside these recordings: not in an audit trail", file=sys.stderr)


@app.command("list")
def recordings_list(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Every recording: state, times, tracks, size. Times are UTC."""
    from server import recordings

    found = recordings.listed(_load(config))
    if as_json:
        rows = [
            {
                "recording": each.recording,
                "state": each.state,
                "started_at": _time(each.started_wall_us) if each.started_wall_us is not None else None,
                "ended_at": _time(each.ended_wall_us) if each.ended_wall_us is not None else None,
                "tracks": each.tracks,
                "files": each.parts,
                "bytes": each.size,
                "reason": each.reason,
            }
            for each in found
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for each in found:
        times = f"{_time(each.started_wall_us):20} {_time(each.ended_wall_us):20}"
        print(
            f"{each.recording:36} {each.state:12} {times} {each.tracks:3} tracks {each.size:13,} bytes {each.reason}".rstrip()
        )
    if not found:
        print("no recordings")


@app.command("verify")
def recordings_verify(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all of them otherwise.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check every segment of every file. Exit status 1 when something was changed, is missing or foreign.

    What a crash leaves behind (a torn end, no manifest) is named, but is no change: docs/recording.md says what cannot be told.
    """
    from server import recordings
    from server.errors import ConfigError

    loaded = _load(config)
    reports = []
    for name in names or [each.recording for each in recordings.listed(loaded) if each.state != "erased"]:
        report = recordings.verify(loaded, name)
        reports.append(report)
        try:
            _note(loaded, "RECORDING_VERIFIED", name, intact="yes" if report.intact else "no")
        except ConfigError as error:  # what was found is told all the same
            print(error.detail, file=sys.stderr)
    if as_json:
        rows = [
            {
                "recording": report.recording,
                "intact": report.intact,
                "complete": report.complete,
                "ending": report.ending,
                "files": report.files,
                "segments": report.segments,
                "records": report.records,
                "bytes": report.size,
                "findings": [finding._asdict() for finding in report.findings],
            }
            for report in reports
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        for report in reports:
            verdict = "intact" if report.complete else "intact, not complete" if report.intact else "NOT INTACT"
            print(f"{report.recording}: {verdict}: {report.files} files, {report.segments} segments, {report.records} records")
            for finding in report.findings:
                place = f"segment {finding.segment}" if finding.segment >= 0 else "file"
                print(f"  {finding.file}: {place}: {finding.what}: {finding.detail}")
        if not reports:
            print("no recordings")
    if not all(report.intact for report in reports):
        raise typer.Exit(NOT_INTACT)


@app.command("export")
def recordings_export(
    recording: str,
    to: Annotated[Path, typer.Option("--to", help="The film to write; FILE.json and FILE.vtt are written beside it.")],
    format: Annotated[Container | None, typer.Option("--format", help="By FILE's name otherwise: mp4, else webm.")] = None,
    size: Annotated[str, typer.Option("--size", help="Of the picture.")] = "1280x720",
    fps: Annotated[int, typer.Option("--fps", help="Pictures a second: 10, 12, 15, 20, 24, 25 or 30.")] = 15,
    layout: Annotated[
        Arrangement, typer.Option("--layout", help="auto: of three and more, who speaks is large; a screen always is.")
    ] = Arrangement.AUTO,
    font: Annotated[Path | None, typer.Option("--font", help="For names; looked for on this machine otherwise.")] = None,
    despite_damage: Annotated[
        bool,
        typer.Option("--despite-damage", help="Also when it was changed since: what can be read, and the manifest says so."),
    ] = False,
    language: Annotated[
        Words | None,
        typer.Option("--language", help="Of what was ticked off, in film, chapters and FILE.vtt; the session's otherwise."),
    ] = None,
    audited: Annotated[bool, typer.Option("--audited", hidden=True, help="The server wrote it down already.")] = False,
    config: ConfigFile = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Lines of JSON: {done_us, all_us, eta_s} as it goes on, at the end {made}, or {refused}: why not."
        ),
    ] = False,
) -> None:
    """One film of everybody: WebM (VP9, Opus) or MP4 (H.264, AAC), with a manifest of hashes. What is not finished leaves no file."""
    from server import recordings
    from server.errors import ConfigError

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and len(size) < 12):
        raise ConfigError(f"--size is as 1280x720, not {size}")
    loaded = _load(config)
    chosen = format.value if format else "mp4" if to.suffix.lower() in (".mp4", ".m4v") else "webm"
    recordings.check(loaded, recording)
    if not audited:
        _note(loaded, "RECORDING_EXPORTED", recording, format=chosen)
    os.nice(POLITE)
    ended = _Ended()
    try:
        made = recordings.export(
            loaded,
            recording,
            to,
            progress=_Progress(as_json, ended),
            layout=layout.value,
            size=(int(width), int(height)),
            fps=fps,
            format=chosen,
            font=font,
            despite_damage=despite_damage,
            language=language.value if language else None,
        )
    except recordings.Refused as error:
        if as_json:
            print(json.dumps({"refused": error.why}))
        raise
    if as_json:
        print(json.dumps({"made": made}, ensure_ascii=False))
        return
    print(f"{to}: {made['duration_ms'] / 1000:.1f} s, {made['bytes']:,} bytes, SHA-256 {made['sha256']}")
    if made["damage"]["exported_despite"]:
        print("made despite damage: the manifest says what could not be read")


class _Ended:
    """SIGTERM and SIGINT end the command, also where one comes while a library that lets no exception through calls Python: then with the next ``check``."""

    def __init__(self) -> None:
        self._by = 0
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._heard)

    def _heard(self, number: int, _: object) -> None:
        self._by = number
        self.check()

    def check(self) -> None:
        if self._by:
            sys.exit(128 + self._by)


class _Progress:
    """How far it is: a bar on a terminal, lines of JSON, or nothing. What the command was told to do meanwhile is done here at the latest."""

    def __init__(self, as_json: bool, ended: _Ended) -> None:
        self._ended = ended
        self._json = as_json
        self._shown = as_json or sys.stderr.isatty()
        self._began = time.monotonic()
        self._told = float("-inf")

    def __call__(self, done_us: int, all_us: int) -> None:
        self._ended.check()
        now = time.monotonic()
        if not self._shown or (now - self._told < 0.5 and done_us < all_us):
            return
        self._told = now
        took = now - self._began
        left = took * (all_us - done_us) / done_us if done_us else 0.0
        if self._json:
            print(json.dumps({"done_us": done_us, "all_us": all_us, "eta_s": round(left, 1)}), flush=True)
            return
        full = BAR * done_us // max(1, all_us)
        words = f"{100 * done_us // max(1, all_us):3} %  {int(left) // 60}:{int(left) % 60:02} left"
        end = "\n" if done_us >= all_us else ""
        print(f"\r[{'#' * full}{'.' * (BAR - full)}] {words}", end=end, file=sys.stderr, flush=True)


@app.command("erase")
def recordings_erase(
    recording: str,
    reason: Annotated[str, typer.Option("--reason", prompt="Why", help="Kept beside the record, as a reviewer's.")],
    config: ConfigFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a recording for good: its key is overwritten and removed first, then the files.

    The server must be stopped: while it runs reviewers erase at /review. The record of the recording keeps the reason, the audit trail
    a receipt. Films that a killed server left in the folder of exports are removed with it.
    """
    from server import recordings_written
    from server.errors import ConfigError

    if not 1 <= len(reason) <= LONGEST_REASON:
        raise ConfigError(f"--reason has 1 to {LONGEST_REASON} characters")
    if not yes:
        typer.confirm(f"Erase {recording} for good?", abort=True)
    receipt = recordings_written.erase(_load(config), recording, reason)
    print(f"{recording} is erased: {receipt.files} files, {receipt.size:,} bytes")


@app.command("finish")
def recordings_finish(recording: str, config: ConfigFile = None) -> None:
    """Write the manifest of a recording that a crash left without one, from what is there."""
    from server import recordings

    print(f"{recording}: {recordings.finish(_load(config), recording, int(time.time() * 1e6))}")


@app.command("rewrap")
def recordings_rewrap(config: ConfigFile = None) -> None:
    """After a new master key was put first in `recording.key`: protect every recording's key with it."""
    from server import recordings

    known, changed = recordings.rewrap(_load(config))
    print(f"{changed} of {known} recordings have a new master key")
