"""How often drawn documents are read from drawn photographs, and how long that takes: the table of docs/documents.md.

    python -m tests.bench.documents [--count 60] [--seed 1]

Each photograph has a random place, size, lean, tilt, way round, light, blur and noise within what the advice asks for; half of the tables
are cluttered. A reading is right when it is accepted and every value is what was drawn; wrong when it is accepted and one is not that is told as
confirmed; marked when it is accepted and all that are not what was drawn are told as not confirmed.
"""

import argparse
import time
from datetime import date

import cv2
import numpy as np

from tests.support import analysers, cards, portraits, zones
from verification.documents.reader import DocumentReader
from verification.types import Picture

TODAY = date(2026, 11, 22)
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚"
KINDS = ("front", "back", "td1", "td2", "passport", "bank card", "table")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def shot(rng: np.random.Generator) -> cards.Shot:
    turn = int(rng.choice([0, 0, 0, 90, 180, 270]))
    largest = 0.52 if turn in (90, 270) else 0.74
    return cards.Shot(
        fill=float(rng.uniform(0.42, largest)),
        tilt=float(rng.uniform(-0.5, 0.5)),
        lean=float(rng.uniform(-12, 12)),
        turn=turn,
        shift=(float(rng.uniform(-0.04, 0.04)), float(rng.uniform(-0.03, 0.03))),
        blur=float(rng.uniform(0.6, 2.2)),
        light=float(rng.uniform(0.45, 1.05)),
        noise=float(rng.uniform(1, 5)),
        cluttered=bool(rng.integers(2)),
        seed=int(rng.integers(1 << 30)),
    )


def front(rng: np.random.Generator) -> tuple[Picture, dict[str, str]]:
    birth = date(1950, 1, 1).toordinal() + int(rng.integers(20_000))
    day, male = date.fromordinal(birth), bool(rng.integers(2))
    sequence = 2 * int(rng.integers(1, 499)) + male
    number = cards.resident_number(f"110105{day:%Y%m%d}{sequence:03}")
    name = str(rng.choice(list(SURNAMES))) + "".join(rng.choice(list(GIVEN), int(rng.integers(1, 3))))
    person = cards.Person(name, "男" if male else "女", "汉", (day.year, day.month, day.day), number=number)
    values = {
        "name": name,
        "number": number,
        "birth": day.isoformat(),
        "sex": "M" if male else "F",
        "address": "".join(person.address),
    }
    return cards.front(person, face=portraits.portrait()), values


def back(rng: np.random.Generator) -> tuple[Picture, dict[str, str]]:
    begins = date(2017, 1, 1).toordinal() + int(rng.integers(3000))
    day = date.fromordinal(begins)
    if (day.month, day.day) == (2, 29):
        day = date(day.year, 3, 1)
    until = day.replace(year=day.year + 20)
    values = {"valid_from": day.isoformat(), "valid_until": until.isoformat(), "issuer": "北京市公安局朝阳分局"}
    return cards.back(begins=f"{day:%Y.%m.%d}", ends=f"{until:%Y.%m.%d}"), values


def zone(rng: np.random.Generator, make: str) -> tuple[Picture, dict[str, str]]:
    surname, given = ("".join(rng.choice(list(LETTERS), int(rng.integers(3, 9)))) for _ in range(2))
    number = "".join(rng.choice(list(LETTERS + "0123456789"), 9))
    lines = {"td1": zones.td1, "td2": zones.td2, "passport": zones.td3}[make](names=f"{surname}<<{given}", number=number)
    values = {"surname": surname, "given_names": given, "number": number}
    if make == "td1":  # its names are printed on the other side
        return cards.td1(lines, face=portraits.portrait()), values
    draw = {"td2": cards.td2, "passport": cards.passport}[make]
    return draw(lines, face=portraits.portrait(), names=(surname, given)), values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="photographs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    reader = DocumentReader(analysers.base())
    print("kind | n | right | refused | marked | wrong | confirmed names | p50 ms | p95 ms | reasons")
    for kind in arguments.kinds:
        rng = np.random.default_rng([arguments.seed, KINDS.index(kind)])
        right = wrong = marked = names = 0
        times: list[float] = []
        reasons: dict[str, int] = {}
        for _ in range(arguments.count):
            values: dict[str, str] = {}
            how = shot(rng)
            if kind == "table":
                picture = cards.table(*how.size, seed=how.seed, cluttered=how.cluttered)
            else:
                if kind == "front":
                    card, values = front(rng)
                elif kind == "back":
                    card, values = back(rng)
                elif kind == "bank card":
                    card = cards.bank_card()
                else:
                    card, values = zone(rng, kind)
                picture = cards.photograph(card, how)
            begun = time.process_time()
            reading, _ = reader.read(picture, TODAY)
            times.append((time.process_time() - begun) * 1000)
            if reading.accepted:
                off = [name for name, value in values.items() if reading.values.get(name) != value]
                sure = {field.name for field in reading.fields if field.confirmed}
                bad = not values or bool(sure & set(off))
                right, wrong, marked = right + (not off and not bad), wrong + bad, marked + (bool(off) and not bad)
                names += not reading.cautions
                if off or bad:
                    print(
                        "  wrong:" if bad else "  marked:",
                        {name: (values[name], reading.values.get(name)) for name in off},
                        how,
                    )
            for reason in reading.reasons:
                reasons[reason.value] = reasons.get(reason.value, 0) + 1
        refused = arguments.count - right - wrong - marked
        p50, p95 = np.percentile(times, 50), np.percentile(times, 95)
        print(
            f"{kind} | {arguments.count} | {right} | {refused} | {marked} | {wrong} | {names} | {p50:.0f} | {p95:.0f} | {reasons}",
            flush=True,
        )


if __name__ == "__main__":
    main()
