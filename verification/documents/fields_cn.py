"""What stands on a Chinese resident identity card (GB 11643, GA 448), from lines of text that were read off it. Sans I/O.

The number proves itself (``resident_id``) and, where they agree with it, birth and sex. Name, ethnicity, address, issuer and validity are under
no check digit: they are what the reader read, refused where the card could not say so.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from verification.documents import resident_id
from verification.documents.reading import DocumentField, Line
from verification.documents.resident_id import NumberRefused, ResidentId
from verification.reasons import ReasonCode

LEAST_SURE = 0.75
LONG_TERM = "long_term"
YEARS = (5, 10, 20)
"""How long one is valid (resident identity card law, article 5), or without end."""

ETHNICITIES = frozenset(
    """汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 景颇 柯尔克孜
    土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲
    门巴 珞巴 基诺""".split()  # noqa: SIM905
)
"""GB/T 3304."""

ROW_LABELS = ("姓名", "性别", "民族", "出生")
TEXT_SHARE = 0.66
"""Of the front's width; the portrait is to the right of it."""
_FRONT_LABELS = ("姓名", "性别", "民族", "出生", "住址", "公民身份号码")
_BACK_LABELS = ("居民身份证", "签发机关", "有效期限")
_NAME = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003134f]{2,15}|[\u3400-\u9fff]{1,12}(?:·[\u3400-\u9fff]{1,12}){1,4}"
)
_BIRTH = re.compile(r"出生\D{0,2}(\d{4})年(\d{1,2})月(\d{1,2})日?")
_VALIDITY = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})\D{1,3}(?:(\d{4})\.?(\d{2})\.?(\d{2})|(长期))")
_ALIKE = str.maketrans(
    {"別": "别", "証": "证", "證": "证", "．": ".", "，": ".", ",": ".", "。": ".", "•": "·", "・": "·", ":": ".", "：": "."}
)


@dataclass(frozen=True, slots=True)
class Row:
    """Lines that stand beside one another, joined without blanks."""

    text: str
    sure: float


@dataclass(frozen=True, slots=True)
class Side:
    """``expires``: None: never, or it does not say."""

    fields: tuple[DocumentField, ...]
    reasons: tuple[ReasonCode, ...]
    begins: date | None = None
    expires: date | None = None


def rows(lines: Sequence[Line]) -> list[Row]:
    """From the top down, each from left to right."""
    groups: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.middle):
        if groups and abs(line.middle - groups[-1][0].middle) < 0.5 * min(line.height, groups[-1][0].height):
            groups[-1].append(line)
        else:
            groups.append([line])
    found = []
    for group in groups:
        group.sort(key=lambda line: line.box[0])
        text = "".join("".join(line.text.split()) for line in group).translate(_ALIKE)
        found.append(Row(text, min(line.sure for line in group)))
    return found


def is_front(rows: Iterable[Row]) -> bool:
    return _labels(rows, _FRONT_LABELS) >= 3


def is_back(rows: Iterable[Row]) -> bool:
    return _labels(rows, _BACK_LABELS) >= 2


def _labels(rows: Iterable[Row], labels: Sequence[str]) -> int:
    text = "\n".join(row.text for row in rows)
    return sum(label in text for label in labels)


def front(rows: Sequence[Row], today: date) -> Side:
    fields: list[DocumentField] = []
    reasons: list[ReasonCode] = []
    number, number_sure = _number(rows, reasons)
    _name(rows, fields, reasons)
    _sex(rows, number, fields, reasons)
    _ethnicity(rows, fields, reasons)
    _birth(rows, number, today, fields, reasons)
    _address(rows, fields, reasons)
    if number is not None:
        fields.append(DocumentField("number", number.number, number_sure, True, number.corrected > 0))
    return Side(tuple(fields), tuple(dict.fromkeys(reasons)))


def back(rows: Sequence[Row], today: date) -> Side:
    fields: list[DocumentField] = []
    reasons: list[ReasonCode] = []
    found = _after(rows, "签发机关")
    issuer = found.text.strip(".") if found else ""
    if found is None or found.sure < LEAST_SURE or len(issuer) < 4 or not issuer.endswith("局"):
        reasons.append(ReasonCode.DOCUMENT_UNREADABLE)
    if found is not None and issuer:
        fields.append(DocumentField("issuer", issuer, found.sure))
    begins, expires = _validity(rows, fields, reasons)
    if begins is not None and begins > today:
        reasons.append(ReasonCode.DOCUMENT_NOT_YET_VALID)
    if expires is not None and expires < today:
        reasons.append(ReasonCode.DOCUMENT_EXPIRED)
    return Side(tuple(fields), tuple(dict.fromkeys(reasons)), begins, expires)


def _after(rows: Sequence[Row], label: str) -> Row | None:
    """What follows ``label`` in its row."""
    for row in rows:
        _, found, rest = row.text.partition(label)
        if found:
            return Row(rest, row.sure)
    return None


def _number(rows: Sequence[Row], reasons: list[ReasonCode]) -> tuple[ResidentId | None, float]:
    candidates = [row for row in (_after(rows, "号码"),) if row is not None]
    candidates += [row for row in rows if sum(character.isdigit() for character in row.text) >= 15 and row.text[:1].isalnum()]
    why = ReasonCode.DOCUMENT_UNREADABLE
    for row in candidates:
        try:
            return resident_id.from_read(row.text), row.sure
        except NumberRefused as refused:
            if refused.code == "place":  # its check character is right: a number of another card, such as a residence permit
                why = ReasonCode.DOCUMENT_TYPE_UNKNOWN
            elif refused.code not in ("length", "character"):
                why = ReasonCode.DOCUMENT_CHECK_FAILED
    reasons.append(why)
    return None, 0.0


def _name(rows: Sequence[Row], fields: list[DocumentField], reasons: list[ReasonCode]) -> None:
    found = _after(rows, "姓名")
    name = found.text.strip(".") if found else ""
    if found is None or not _NAME.fullmatch(name) or found.sure < LEAST_SURE:
        reasons.append(ReasonCode.DOCUMENT_UNREADABLE)
    if found is not None and name:
        fields.append(DocumentField("name", name, found.sure))


def _sex(rows: Sequence[Row], number: ResidentId | None, fields: list[DocumentField], reasons: list[ReasonCode]) -> None:
    found = _after(rows, "性别")
    sex = {"男": "M", "女": "F"}.get(found.text[:1]) if found else None
    if found is None or sex is None:
        reasons.append(ReasonCode.DOCUMENT_UNREADABLE)
        return
    agrees = number is not None and number.male == (sex == "M")
    if number is not None and not agrees:
        reasons.append(ReasonCode.DOCUMENT_CONTRADICTORY)
    fields.append(DocumentField("sex", sex, found.sure, agrees))


def _ethnicity(rows: Sequence[Row], fields: list[DocumentField], reasons: list[ReasonCode]) -> None:
    found = _after(rows, "民族")
    ethnicity = found.text.strip(".").removesuffix("族") if found else ""
    if found is None or ethnicity not in ETHNICITIES or found.sure < LEAST_SURE:
        reasons.append(ReasonCode.DOCUMENT_UNREADABLE)
        return
    fields.append(DocumentField("ethnicity", ethnicity, found.sure))


def _birth(
    rows: Sequence[Row], number: ResidentId | None, today: date, fields: list[DocumentField], reasons: list[ReasonCode]
) -> None:
    for row in rows:
        match = _BIRTH.search(row.text)
        day = _day(*match.groups()) if match else None
        if day is None:
            continue
        agrees = number is not None and number.birth == day
        if day > today or (number is not None and not agrees):
            reasons.append(ReasonCode.DOCUMENT_CONTRADICTORY)
        fields.append(DocumentField("birth", day.isoformat(), row.sure, agrees))
        return
    reasons.append(ReasonCode.DOCUMENT_UNREADABLE)


def _address(rows: Sequence[Row], fields: list[DocumentField], reasons: list[ReasonCode]) -> None:
    """All rows from its label to the number's."""
    parts: list[Row] = []
    for row in rows:
        if "号码" in row.text:
            break
        _, label, rest = row.text.partition("住址")
        if label:
            parts.append(Row(rest, row.sure))
        elif parts:
            parts.append(row)
    address, sure = "".join(part.text for part in parts).strip("."), min((part.sure for part in parts), default=0.0)
    if len(address) < 6 or sure < LEAST_SURE:
        reasons.append(ReasonCode.DOCUMENT_UNREADABLE)
    if address:
        fields.append(DocumentField("address", address, sure))


def _validity(rows: Sequence[Row], fields: list[DocumentField], reasons: list[ReasonCode]) -> tuple[date | None, date | None]:
    for row in rows:
        match = _VALIDITY.search(row.text)
        if match is None:
            continue
        begins = _day(*match.groups()[:3])
        expires = None if match[7] else _day(*match.groups()[3:6])
        if begins is None or (expires is None and not match[7]) or row.sure < LEAST_SURE:
            break
        if expires is not None and not _whole_years(begins, expires):
            reasons.append(ReasonCode.DOCUMENT_CONTRADICTORY)
        fields.append(DocumentField("valid_from", begins.isoformat(), row.sure))
        fields.append(DocumentField("valid_until", expires.isoformat() if expires else LONG_TERM, row.sure))
        return begins, expires
    reasons.append(ReasonCode.DOCUMENT_UNREADABLE)
    return None, None


def _whole_years(begins: date, expires: date) -> bool:
    """To the day, but for one who was given it on 29 February."""
    same = (begins.month, begins.day) == (expires.month, expires.day)
    leap = (begins.month, begins.day) == (2, 29) and (expires.month, expires.day) in ((2, 28), (3, 1))
    return (same or leap) and expires.year - begins.year in YEARS


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
