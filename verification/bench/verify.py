"""``tongping bench verify``: what comparing two pictures of 640 × 480 costs on one core, ours and others' in one run. SHELL.

Every way gets the same pairs of JPEG files, turn by turn, so that what else works on the machine strikes all alike; each runs on one thread, pinned to one
core. ``p50_ms`` and ``p95_ms`` are of the whole of ours: safe reading, one face, quality, embedding, score. Ratios compare the same task (decode,
find, embed, score) by processor time: how many comparisons of ours in the time of one of theirs. At last two worker processes against one.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from verification.bench import pictures as making
from verification.bench import ways
from verification.bench.ways import Way
from verification.engine.pool import EngineConfig, EnginePool
from verification.errors import FaceRefused, VerificationError
from verification.faces.analyser import Analyser
from verification.images import read
from verification.models.install import Options, install
from verification.models.store import InstalledPack, ModelStore

EXIT_FAILED, EXIT_UNAVAILABLE = 1, 2
SLOW_EVERY = 3
"""dlib alone takes part in each third turn only: it would take most of the run."""
WARM_UP = 2
POOL_ROUNDS = 3
GOALS = {"p95_ms": 60.0, "base": 2.0, "open": 2.5, "two_workers": 1.7, "frame_p95_ms": 60.0}
PICTURES, MODELS = "TONGPING_BENCH_PICTURES", "TONGPING_BENCH_MODELS"
BESIDE = Path(__file__).resolve().parents[3] / "shared"
"""Where development data lies beside a checkout, if it does."""


@dataclass(slots=True)
class Timed:
    """Seconds of each turn."""

    wall: list[float] = field(default_factory=list)
    cpu: dict[int, float] = field(default_factory=dict)
    missed: int = 0

    def take(self, turn: int, call: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        answer = call()
        self.cpu[turn] = time.process_time() - cpu
        self.wall.append(time.perf_counter() - wall)
        self.missed += answer is None

    def percentile(self, share: float) -> float:
        """Milliseconds of the wall clock."""
        return _percentile(self.wall, share)

    def cpu_percentile(self, share: float) -> float:
        """Milliseconds of processor time: what the clock would show if nothing else worked on the machine."""
        return _percentile(self.cpu.values(), share)

    @property
    def cpu_ms(self) -> float:
        return round(1000 * statistics.median(self.cpu.values()), 2)


def _percentile(seconds: Iterable[float], share: float) -> float:
    ranked = sorted(seconds)
    return round(1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))], 2)


def ratio(others: Timed, ours: Timed) -> float:
    """Over the turns in which both took part."""
    both = [turn for turn in others.cpu if turn in ours.cpu]
    return round(sum(others.cpu[turn] for turn in both) / sum(ours.cpu[turn] for turn in both), 2)


def main(arguments: Sequence[str], *, models_dir: Path) -> int:
    """``models_dir``: where packs are installed. The exit status: 2 where nothing can be measured, 1 with ``--check`` where a goal is missed."""
    options = _options(arguments)
    try:
        with contextlib.ExitStack() as stack:
            found = _measure(options, models_dir, stack)
    except (VerificationError, OSError) as error:
        detail = error.detail if isinstance(error, VerificationError) else str(error)
        print(f"bench: {detail}", file=sys.stderr)
        return EXIT_UNAVAILABLE
    print(json.dumps(found, ensure_ascii=False) if options.json else _table(found))
    return EXIT_FAILED if options.check and found["missed_goals"] else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tongping bench verify", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument(
        "--pictures", type=Path, default=None, help=f"folder of portraits (or {PICTURES}); drawn faces do not work"
    )
    parser.add_argument("--models", type=Path, default=None, help=f"folder with models of insightface (or {MODELS}), a mirror")
    parser.add_argument(
        "--pack",
        action="append",
        default=[],
        metavar="NAME",
        help="also this installed pack, one of your own, too; may be repeated",
    )
    parser.add_argument("--compares", type=int, default=60, help="pairs that each way compares (default 60)")
    parser.add_argument("--no-workers", action="store_true", help="leave out the comparison of two workers with one")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a goal is missed")
    options = parser.parse_args(list(arguments))
    if not 4 <= options.compares <= 10_000:
        parser.error("--compares is 4 to 10000")
    return options


def _folder(given: Path | None, variable: str, beside: str) -> Path | None:
    """What was asked for must be there; what lies beside the checkout may."""
    named = given or (Path(os.environ[variable]) if os.environ.get(variable) else None)
    if named is not None:
        if not named.is_dir():
            raise FileNotFoundError(f"{named} is no folder")
        return named
    return BESIDE / beside if (BESIDE / beside).is_dir() else None


def _measure(options: argparse.Namespace, models_dir: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
    left_out: list[str] = []
    stack.enter_context(warnings.catch_warnings())
    warnings.filterwarnings("ignore", category=FutureWarning)  # of scikit-image, about how insightface calls it
    folder = _folder(options.pictures, PICTURES, "data/dev/attacks")
    beside = folder is not None and BESIDE in folder.parents  # of whose pictures those of living people
    files = making.of_folder(folder, 24, ending="_live" if beside else "") if folder else making.of_one_portrait(12)
    if len(files) < 2:
        raise FileNotFoundError("there are no portraits to compare: --pictures DIR names a folder with two or more")
    mirror = _folder(options.models, MODELS, "models")
    packs = _packs(models_dir, mirror, stack, left_out)
    packs |= {name: ModelStore(models_dir).open(name) for name in options.pack if name not in packs}
    analysers = {name: Analyser(pack) for name, pack in packs.items()}
    taking: dict[str, Way] = {}
    for name, analyser in analysers.items():
        taking[name], taking[f"{name} bare"] = ways.ours(analyser), ways.ours_bare(analyser)
    try:
        if mirror is None:
            raise FileNotFoundError("no models of insightface: --models DIR")
        workplace = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tongping-bench-")))
        taking["insightface"] = ways.insightface(ways.insightface_files(mirror), workplace)
    except (FileNotFoundError, ImportError) as error:
        left_out.append(f"insightface: {error}")
    taking["dlib"] = ways.dlib_alone(packs["base"])
    with _one_core() as core:
        timed = _turns(taking, files, options.compares)
        frames = {name: _frames(analyser, files, options.compares) for name, analyser in analysers.items()}
    found = _figures(timed, frames, list(analysers))
    found |= {
        "packs": list(analysers),
        "compares": options.compares,
        "pictures": len(files),
        "of": str(folder.name if folder else "one public-domain portrait"),
    }
    found |= {"cores": os.cpu_count(), "pinned_to": core, "cpu": platform.processor() or platform.machine()}
    found["load"] = round(os.getloadavg()[0], 2)
    if not options.no_workers and (os.cpu_count() or 1) > 1:
        found["two_workers_ratio"], found["workers"] = asyncio.run(_workers(packs["base"], files))
    found["left_out"] = left_out
    found["missed_goals"] = _missed(found)
    return found


def _packs(models_dir: Path, mirror: Path | None, stack: contextlib.ExitStack, left_out: list[str]) -> dict[str, InstalledPack]:
    """``base``, and ``open`` as it is installed or from the mirror. Raises PackError without ``base``."""
    store = ModelStore(models_dir)
    packs = {"base": store.open("base")}
    try:
        packs["open"] = store.open("open")
    except VerificationError as error:
        if mirror is None:
            left_out.append(f"open: {error.detail}")
            return packs
        beside = ModelStore(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tongping-bench-"))))
        try:
            install(beside, "base", Options(origin=str(packs["base"].folder), wait=True))
            packs["open"] = install(beside, "open", Options(origin=str(mirror), wait=True))
        except VerificationError as missing:
            left_out.append(f"open: {missing.detail}")
    return packs


@contextlib.contextmanager
def _one_core() -> Iterator[int | None]:
    """This process on one core; None where that cannot be said."""
    if not hasattr(os, "sched_setaffinity"):  # pragma: no cover - not on Linux
        yield None
        return
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


def _pairs(count: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Of ``count`` pictures, each in as many pairs as the others: neighbours, then those two apart, and so on."""
    every = ((at, (at + apart) % count) for apart in itertools.cycle(range(1, count)) for at in range(count))
    return itertools.islice(every, wanted)


def _turns(taking: dict[str, Way], files: list[bytes], compares: int) -> dict[str, Timed]:
    timed = {name: Timed() for name in taking}
    for turn, (a, b) in enumerate(_pairs(len(files), compares + WARM_UP), -WARM_UP):
        for name, way in taking.items():
            if turn < 0:
                way(files[a], files[b])
            elif name != "dlib" or turn % SLOW_EVERY == 0:
                timed[name].take(turn, lambda way=way, a=a, b=b: way(files[a], files[b]))  # type: ignore[misc]
    return timed


def _frames(analyser: Analyser, files: list[bytes], count: int) -> Timed:
    """What one frame of a live picture costs: find, judge quality and liveness, embed; it comes decoded."""
    timed = Timed()
    pictures = [read(data) for data in files]

    def look(at: int) -> float | None:
        picture = pictures[at % len(pictures)]
        try:
            face = analyser.one_face(picture)
        except FaceRefused:
            return None
        analyser.quality(picture, face)
        analyser.pad(picture, face)
        return float(analyser.embed(picture, face)[0])

    look(0)
    for turn in range(count):
        timed.take(turn, lambda turn=turn: look(turn))  # type: ignore[misc]
    return timed


def _figures(timed: dict[str, Timed], frames: dict[str, Timed], names: list[str]) -> dict[str, Any]:
    """The first pack's figures stand at the top as well."""
    found: dict[str, Any] = {}
    for name in names:
        bare = timed[f"{name} bare"]
        found[name] = {
            "p50_ms": timed[name].percentile(0.5),
            "p95_ms": timed[name].percentile(0.95),
            "cpu_ms": timed[name].cpu_ms,
            "cpu_p95_ms": timed[name].cpu_percentile(0.95),
            "same_task_cpu_ms": bare.cpu_ms,
            "ratio_vs_dlib": ratio(timed["dlib"], bare),
            "ratio_vs_insightface": ratio(timed["insightface"], bare) if "insightface" in timed else None,
            "frame_p50_ms": frames[name].percentile(0.5),
            "frame_p95_ms": frames[name].percentile(0.95),
            "frame_cpu_p95_ms": frames[name].cpu_percentile(0.95),
            "missed": timed[name].missed,
        }
    others = {
        name: {"p50_ms": timed[name].percentile(0.5), "cpu_ms": timed[name].cpu_ms, "missed": timed[name].missed}
        for name in ("insightface", "dlib")
        if name in timed
    }
    first = found[names[0]]
    top = {key: first[key] for key in ("ratio_vs_dlib", "ratio_vs_insightface", "p50_ms", "p95_ms")}
    return top | found | {"others": others}


async def _workers(pack: InstalledPack, files: list[bytes]) -> tuple[float, dict[str, float]]:
    """Comparisons a second of one and of two workers through the pool, the best of several rounds that take turns."""
    best = {1: 0.0, 2: 0.0}
    pairs = list(_pairs(len(files), 24))
    async with contextlib.AsyncExitStack() as stack:
        pools = {}
        for count in best:
            config = EngineConfig(
                workers=count, pack=pack.pack.name, models_dir=pack.folder.parent, max_waiting=len(pairs), deadline_s=60
            )
            pools[count] = await stack.enter_async_context(EnginePool(config))
        for turn in range(-1, POOL_ROUNDS):
            for count, pool in pools.items():
                began = time.perf_counter()
                await asyncio.gather(*(_compare(pool, files[a], files[b]) for a, b in pairs))
                if turn >= 0:
                    best[count] = max(best[count], len(pairs) / (time.perf_counter() - began))
    return round(best[2] / best[1], 2), {"one_per_s": round(best[1], 1), "two_per_s": round(best[2], 1)}


async def _compare(pool: EnginePool, a: bytes, b: bytes) -> None:
    with contextlib.suppress(FaceRefused):
        await pool.compare(a, b)


def _missed(found: dict[str, Any]) -> list[str]:
    missed = []
    for name in ("base", "open"):
        figures = found.get(name)
        if not figures:
            continue
        if figures["p95_ms"] > GOALS["p95_ms"]:
            missed.append(f"{name}: p95 {figures['p95_ms']} ms > {GOALS['p95_ms']:g}")
        if figures["ratio_vs_insightface"] is not None and figures["ratio_vs_insightface"] < GOALS[name]:
            missed.append(f"{name}: {figures['ratio_vs_insightface']} × insightface < {GOALS[name]:g}")
        if figures["frame_p95_ms"] > GOALS["frame_p95_ms"]:
            missed.append(f"{name}: p95 of a live frame {figures['frame_p95_ms']} ms > {GOALS['frame_p95_ms']:g}")
    if found.get("two_workers_ratio", 9) < GOALS["two_workers"]:
        missed.append(f"two workers: {found['two_workers_ratio']} × one < {GOALS['two_workers']:g}")
    return missed


def _table(found: dict[str, Any]) -> str:
    lines = [f"{'':14}{'p50 ms':>9}{'p95 ms':>9}{'cpu ms':>9}{'× dlib':>9}{'× insightface':>15}{'frame p95':>11}"]
    for name in found["packs"]:
        one = found[name]
        versus = "-" if one["ratio_vs_insightface"] is None else f"{one['ratio_vs_insightface']:.2f}"
        lines.append(
            f"{name:14}{one['p50_ms']:9.1f}{one['p95_ms']:9.1f}{one['cpu_ms']:9.1f}{one['ratio_vs_dlib']:9.2f}{versus:>15}{one['frame_p95_ms']:11.1f}"
        )
    lines += [f"{name:14}{one['p50_ms']:9.1f}{'':9}{one['cpu_ms']:9.1f}" for name, one in found["others"].items()]
    if "two_workers_ratio" in found:
        workers = found["workers"]
        lines.append(
            f"two workers {found['two_workers_ratio']} × one ({workers['two_per_s']} and {workers['one_per_s']} compares a second)"
        )
    lines += [f"left out: {what}" for what in found["left_out"]]
    lines += [f"goal missed: {what}" for what in found["missed_goals"]]
    return "\n".join(lines)
