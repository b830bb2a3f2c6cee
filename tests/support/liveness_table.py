"""Campaign 20 as a table: every species and every living clip, one script after another, a line of JSON each; ends when it is told to, or after so many scripts.

python -m tests.support.liveness_table OUT.jsonl [SCRIPTS] [full|narrow]     # measures, and goes on where OUT ends
python -m tests.support.liveness_table OUT.jsonl table                       # Markdown
"""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.support import packs
from tests.support.liveness_attacks import LIVE, RESIDUAL, SPECIES, Lab
from tests.support.liveness_tricks import RESIDUAL_TRICKS, TRICKS
from verification.challenge.verdict import Verdict
from verification.faces.analyser import Analyser

ATTACKS = {**SPECIES, **TRICKS, **RESIDUAL, **RESIDUAL_TRICKS}


def measure(out: Path, scripts: int, how: str) -> None:
    """Each species and clip once, then each with the next script: whenever it ends, all have nearly as many."""
    done = {(row["what"], row["how"], row["script"]) for row in rows(out)}
    lab = replace(Lab(Analyser(packs.open_pack())), full=how != "", narrow=how == "narrow")
    lenient = replace(lab, lenient=True)
    runs: dict[str, Callable[[int], Verdict]] = {
        f"live {name}": lambda number, name=name: lab.live(name, number) for name in LIVE
    }  # type: ignore[misc]
    runs |= {name: lambda number, attack=attack: attack(lenient, number) for name, attack in ATTACKS.items()}  # type: ignore[misc]
    for script in range(scripts):
        for what, run in runs.items():
            if (what, how, script) in done:
                continue
            began = time.process_time()
            verdict = run(script)
            row = {
                "what": what,
                "how": how,
                "script": script,
                "outcome": verdict.outcome.value,
                "refused": [
                    check.name
                    for check in verdict.checks
                    if check.outcome.value == "fail" or (check.outcome.value == "refer" and check.score > 0)
                ],
                "reasons": [reason.value for reason in verdict.reasons],
                "pad": round(verdict.check("pad").score, 4),
                "light": round(verdict.check("light").score, 4),
                "cpu_s": round(time.process_time() - began, 2),
            }
            with out.open("a") as file:
                file.write(json.dumps(row) + "\n")


def rows(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.read_text().splitlines()] if out.is_file() else []


def table(out: Path) -> None:
    """One line a species: how many as they are, how many through every model or VP8, how many accepted, and what refused them."""
    told: dict[str, list[dict[str, object]]] = defaultdict(list)
    for row in rows(out):
        told[str(row["what"])].append(row)
    for what, found in told.items():
        counts = Counter(str(row["how"]) for row in found)
        n = " + ".join(f"{counts[how]}{'' if not how else f' {how}'}" for how in ("", "full", "narrow") if counts[how])
        accepted = sum(row["outcome"] == "pass" for row in found)
        by = Counter(check for row in found for check in row["refused"])  # type: ignore[attr-defined]
        why = ", ".join(f"{check} {count}" for check, count in by.most_common())
        pads, lights = ([float(str(row[key])) for row in found] for key in ("pad", "light"))
        spread = f"pad {min(pads):.2f} to {max(pads):.2f}, light {min(lights):.2f} to {max(lights):.2f}"
        print(f"| `{what}` | {n} | {accepted} | {why} | {spread} | {sum(float(str(row['cpu_s'])) for row in found):.0f} s |")


if __name__ == "__main__":
    place, many, how = [*sys.argv[1:], *("8", "")[len(sys.argv) - 2 :]]
    if many == "table":
        table(Path(place))
    else:
        measure(Path(place), int(many), how)
