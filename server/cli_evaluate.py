"""``tongping evaluate``: how often a model pack errs on your own pictures. See docs/verification.md."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from server.cli_models import models_folder
from server.errors import ConfigError

if TYPE_CHECKING:
    from verification.evaluation.whole import Evaluated, Said

app = typer.Typer(
    no_args_is_help=True, help="How often a model pack errs on pictures whose truth is known; see docs/verification.md."
)
SAY_EACH_S = 5.0
MAX_BPS = 20_000_000

PackName = Annotated[str, typer.Option("--pack", help="Which model pack: tongping models list.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")]
OutFolder = Annotated[
    Path | None, typer.Option("--out", help="Write the report (JSON, Markdown) and its plots (PNG) into this folder.")
]
DataName = Annotated[str, typer.Option("--data", help="What the report calls the data; the table's folder otherwise.")]
Date = Annotated[str, typer.Option("--date", metavar="YYYY-MM-DD", help="That the report gives; today otherwise.")]
Notes = Annotated[list[str] | None, typer.Option("--note", help="What to know before quoting the figures; may be repeated.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file; see docs/configuration.md.")]


class Padding(StrEnum):
    """As ``verification.evaluation.recognition.Padding``."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@app.command("recognition")
def recognition(
    pairs: Annotated[
        Path, typer.Option("--pairs", help="CSV: file_a,file_b,same (1 or 0), perhaps id_a,id_b; paths relative to it.")
    ],
    pack: PackName = "base",
    all_pairs: Annotated[
        bool,
        typer.Option(
            "--all-pairs",
            help="Form every non-mated pair of its pictures. Who is who follows from id_a,id_b, or from the mated pairs: then those must "
            "join all pictures of a person.",
        ),
    ] = False,
    padding: Annotated[
        Padding,
        typer.Option(
            help="A grey border (127, a quarter of the longer side) before a face is looked for. auto: around a picture that the face fills to a half "
            "or more, or in which none is found without it - decided for each picture by itself, never by whether the pair matches. How many is reported."
        ),
    ] = Padding.AUTO,
    processes: Annotated[
        int, typer.Option(help="That share the pictures; 0: one for each core, at most four.", min=0, max=64)
    ] = 0,
    as_json: AsJson = False,
    out: OutFolder = None,
    data: DataName = "",
    date: Date = "",
    note: Notes = None,
    config: ConfigFile = None,
) -> None:
    """FNMR at false match rates of 1e-2, 1e-3 and 1e-4, with intervals and thresholds.

    A picture without a face matches nobody; of several faces the largest is taken. A table with a bad row is refused, with the row's line.
    """
    with _told():
        from verification.evaluation import recognition as running
        from verification.evaluation.whole import evaluate_recognition
        from verification.models.store import ModelStore

        found = evaluate_recognition(
            pairs,
            ModelStore(models_folder(config)),
            pack,
            _said(data, date, note),
            all_pairs=all_pairs,
            padding=running.Padding(padding.value),
            processes=processes or min(4, len(os.sched_getaffinity(0))),
            progress=_Progress("pictures"),
        )
        _give(found, out, as_json=as_json)


@app.command("pad")
def pad(
    labels: Annotated[
        Path, typer.Option("--labels", help="CSV: file,live (1 or 0),kind; pictures or clips, paths relative to it.")
    ],
    pack: PackName = "open",
    threshold: Annotated[
        float | None,
        typer.Option(
            help="From which score on it passes; otherwise the manifest's, which is never fitted to these files.", min=0, max=1
        ),
    ] = None,
    vp8_bps: Annotated[
        int,
        typer.Option(
            "--vp8-bps", help="Also after VP8 at so many bits a second, as a call sends it; 0: not.", min=0, max=MAX_BPS
        ),
    ] = 500_000,
    as_json: AsJson = False,
    out: OutFolder = None,
    data: DataName = "",
    date: Date = "",
    note: Notes = None,
    config: ConfigFile = None,
) -> None:
    """APCER of each kind of attack and BPCER. A clip's score is the mean over its frames; without a face nothing passes."""
    with _told():
        from verification.evaluation.whole import evaluate_pad
        from verification.models.store import ModelStore

        if 0 < vp8_bps < 10_000:
            raise ConfigError("--vp8-bps is 0, or at least 10000")
        try:
            found = evaluate_pad(
                labels,
                ModelStore(models_folder(config)),
                pack,
                _said(data, date, note),
                threshold=threshold,
                vp8_bits_per_second=vp8_bps,
                progress=_Progress("presentations"),
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None
        _give(found, out, as_json=as_json)


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be evaluated is one line and exit status 2."""
    try:
        from verification.errors import VerificationError
    except ImportError:  # pragma: no cover - the package itself is always there
        raise ConfigError("the verification packages are not installed: make verification") from None
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"{error.name} is not installed: make verification") from None
    except VerificationError as error:
        raise ConfigError(error.detail or error.code) from None
    except OSError as error:
        raise ConfigError(f"{error.filename or 'the pictures'}: {error.strerror or error}") from None


def _said(data: str, date: str, notes: list[str] | None) -> "Said":
    from server.version import VERSION
    from verification.evaluation.whole import Said

    try:
        day = datetime.strptime(date, "%Y-%m-%d").date() if date else datetime.now(UTC).date()
    except ValueError:
        raise ConfigError("--date is a day like 2026-01-31") from None
    return Said(data, day.isoformat(), f"tongping {VERSION}", tuple(text.rstrip(".") for text in notes or ()))


def _give(found: "Evaluated", out: Path | None, *, as_json: bool) -> None:
    if out is not None:
        for path in found.write(out):
            print(path, file=sys.stderr)
    print(json.dumps(found.tree, ensure_ascii=False, allow_nan=False) if as_json else found.page([]))


class _Progress:
    """A line on standard error now and then."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        now = time.monotonic()
        if now - self._said >= SAY_EACH_S:
            self._said = now
            print(f"evaluate: {done} of {of} {self._what}", file=sys.stderr, flush=True)
