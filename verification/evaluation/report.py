"""What was found, as JSON (what a manifest's thresholds cite) and as a page. Sans I/O: texts in, texts out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verification.evaluation.metrics import OperatingPoint, PadRates, Rate
from verification.models.pack import Pack, Task

Tree = dict[str, Any]
SELF_TESTED = "self-tested: run by the makers of this software on development pictures, not by a laboratory and not blind"


@dataclass(frozen=True, slots=True)
class About:
    """``data``: the data set in words; ``table_sha256``: of the table of pairs or labels. ``date``: ISO 8601. ``notes``: what to know before quoting."""

    data: str
    table: str
    table_sha256: str
    date: str
    software: str
    notes: tuple[str, ...] = ()

    def as_tree(self) -> Tree:
        return {
            "data": {"name": self.data, "table": self.table, "sha256": self.table_sha256},
            "date": self.date,
            "software": self.software,
            "notes": [SELF_TESTED, *self.notes],
        }


def pack_tree(pack: Pack, tasks: Sequence[Task]) -> Tree:
    """The models that had a part in it, by hash and settings. Not the manifest's own hash: the manifest cites this report."""
    models = [model for task in tasks for model in pack.models.get(task, ())]
    return {
        "name": pack.name,
        "version": pack.version,
        "models": [
            {
                "task": m.task.value,
                "kind": m.kind,
                "file": m.file,
                "sha256": m.sha256,
                "library": m.library,
                "settings": m.settings,
            }
            for m in models
        ],
    }


def point_tree(point: OperatingPoint, persons: tuple[tuple[float, float], tuple[float, float]] | None) -> Tree:
    """``fmr`` is the rate that was aimed at, ``counted`` what there was. ``persons``: intervals of FMR and FNMR from drawing persons anew."""
    tree: Tree = {
        "fmr": point.target,
        "fnmr": point.fnmr.value,
        "threshold": point.threshold,
        "supported": point.supported,
        "counted": {"fmr": point.fmr.as_tree(), "fnmr": point.fnmr.as_tree()},
    }
    if persons is not None:
        tree["by_persons"] = {"fmr": list(persons[0]), "fnmr": list(persons[1])}
    return tree


def pad_tree(rates: PadRates) -> Tree:
    return {
        "threshold": rates.threshold,
        "bpcer": rates.bpcer.value,
        "apcer": {kind: one.value for kind, one in rates.apcer.items()},
        "worst_apcer": rates.worst.value,
        "counted": {"bpcer": rates.bpcer.as_tree(), "apcer": {kind: one.as_tree() for kind, one in rates.apcer.items()}},
    }


def to_json(tree: Tree) -> bytes:
    return json.dumps(tree, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


# ------------------------------------------------------------ words


def percent(value: float) -> str:
    """Three digits: 2.64 %, 0.100 %, 0.0098 %."""
    if value <= 0:
        return "0 %"
    return f"{float(f'{100 * value:.3g}'):.10f}".rstrip("0").rstrip(".") + " %"


def with_interval(one: Rate | Mapping[str, Any]) -> str:
    tree = one.as_tree() if isinstance(one, Rate) else one
    return f"{percent(tree['rate'])} ({percent(tree['low'])} to {percent(tree['high'])}; {tree['count']} of {tree['n']:,})"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heading, ["---"] * len(heading), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def recognition_page(tree: Tree, plots: Sequence[str] = ()) -> str:
    """Markdown. ``plots``: files, relative to the page."""
    n = tree["n"]
    lines = [f"# Comparison: `{tree['pack']['name']}` on {tree['data']['name']}", ""]
    lines += [
        f"{tree['date']}, {tree['software']}. {n['pictures']:,} pictures of {n['identities']:,} people, {n['mated']:,} mated and "
        f"{n['non_mated']:,} non-mated pairs{' (every one there is)' if tree['all_pairs'] else ''}; of the pictures {n['no_face']} without a "
        f"face, which match nobody, {n['padded']} tight crops that got a grey border, {n['several_faces']} with several faces.",
        "",
    ]
    rows = []
    for point in tree["operating_points"]:
        counted, persons = point["counted"], point.get("by_persons")
        rows.append(
            [
                f"{point['fmr']:g}" + ("" if point["supported"] else " (too few pairs)"),
                f"{point['threshold']:.4f}",
                with_interval(counted["fmr"]),
                with_interval(counted["fnmr"]),
                f"{percent(persons['fnmr'][0])} to {percent(persons['fnmr'][1])}" if persons else "",
            ]
        )
    heading = ["FMR aimed at", "threshold", "FMR counted (95 %)", "FNMR (95 %)", "FNMR, persons drawn anew"]
    lines += _table(heading, rows)
    if tree.get("manifest_points"):
        lines += ["", "At the thresholds that the manifest has now:", ""]
        rows = [
            [
                f"{point['fmr']:g}",
                f"{point['threshold']:.4f}",
                with_interval(point["counted"]["fmr"]),
                with_interval(point["counted"]["fnmr"]),
            ]
            for point in tree["manifest_points"]
        ]
        lines += _table(["FMR it says", "threshold", "FMR counted (95 %)", "FNMR (95 %)"], rows)
    lines += ["", f"Equal error rate {percent(tree['equal_error'])}.", ""]
    return "\n".join(lines + _ending(tree, plots))


def pad_page(tree: Tree, plots: Sequence[str] = ()) -> str:
    n = tree["n"]
    lines = [f"# Passive detection: `{tree['pack']['name']}` on {tree['data']['name']}", ""]
    people = f" of {n['identities']} people" if n["identities"] else ""
    lines += [
        f"{tree['date']}, {tree['software']}. {n['bona_fide']:,} bona fide presentations and {n['attacks']:,} attacks"
        f"{people}; {n['no_face']} without a face, which pass nowhere. "
        f"Threshold {tree['threshold']:g}, {tree['threshold_from']}.",
        "",
    ]
    beside = tree.get("vp8")
    heading = ["", "as the file is"]
    if beside:
        heading.append(f"after VP8 at {beside['bits_per_second'] // 1000} kbit/s")
    rows = [
        ["**BPCER**", with_interval(tree["counted"]["bpcer"])] + ([with_interval(beside["counted"]["bpcer"])] if beside else [])
    ]
    for kind, counted in tree["counted"]["apcer"].items():
        rows.append(
            [f"APCER {kind}", with_interval(counted)] + ([with_interval(beside["counted"]["apcer"][kind])] if beside else [])
        )
    lines += _table(heading, rows)
    lines += [""]
    if referred := tree.get("refer"):
        passing = ", ".join(f"{kind} {with_interval(one)}" for kind, one in referred["counted"]["apcer"].items())
        lines += [
            f"From {referred['threshold']:g} (`refer`) on a person may decide instead. Bona fide under it: {with_interval(referred['counted']['bpcer'])}. "
            f"Attacks that reach it: {passing}.",
            "",
        ]
    return "\n".join(lines + _ending(tree, plots))


def _ending(tree: Tree, plots: Sequence[str]) -> list[str]:
    lines = [line for plot in plots for line in (f"![]({plot})", "")]
    lines += [f"- {note[:1].upper()}{note[1:]}." for note in tree["notes"]]
    lines += ["", "Models:", ""]
    lines += _table(
        ["task", "kind", "file", "sha256"],
        [
            [m["task"], m["kind"], m["file"] or m["library"], f"`{m['sha256'][:16]}…`" if m["sha256"] else ""]
            for m in tree["pack"]["models"]
        ],
    )
    return [*lines, "", f"Table of the pictures: sha256 `{tree['data']['sha256'][:16]}…`.", ""]
