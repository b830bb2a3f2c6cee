"""``tongping recordings``: what is kept, whether it is intact, and erasing it."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(no_args_is_help=True, help="Recordings on this machine; see docs/recording.md.")
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]

NOT_INTACT = 1


def _load(file: Path | None) -> Any:
    from server import config as configuration

    return configuration.load(file)


def _time(wall_us: int | None) -> str:
    return datetime.fromtimestamp(wall_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if wall_us is not None else "-"


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

    loaded = _load(config)
    reports = [
        recordings.verify(loaded, name)
        for name in names or [each.recording for each in recordings.listed(loaded) if each.state != "erased"]
    ]
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


@app.command("erase")
def recordings_erase(
    recording: str,
    config: ConfigFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a recording for good: its key is overwritten and removed first, then the files."""
    from server import recordings

    if not yes:
        typer.confirm(f"Erase {recording} for good?", abort=True)
    recordings.erase(_load(config), recording)
    print(f"{recording} is erased")


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
