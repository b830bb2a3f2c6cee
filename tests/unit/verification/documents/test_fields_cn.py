"""Lines of text become the fields of a resident identity card, and nothing that contradicts itself passes."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.documents import fields_cn
from verification.documents.fields_cn import back, front, is_back, is_front, rows
from verification.documents.reading import Line
from verification.documents.resident_id import check_character
from verification.reasons import ReasonCode

TODAY = date(2026, 11, 22)
NUMBER = "11010519900307123" + check_character("11010519900307123")
UNREADABLE, CHECK = ReasonCode.DOCUMENT_UNREADABLE, ReasonCode.DOCUMENT_CHECK_FAILED
CONTRADICTORY = ReasonCode.DOCUMENT_CONTRADICTORY


def line(text: str, x: float, y: float, sure: float = 0.95) -> Line:
    return Line(text, sure, (x, y - 20, x + 30 * len(text), y + 20))


FRONT = (
    line("姓名 张小明", 70, 110),
    line("性别 男", 70, 210),
    line("民族 汉", 280, 212),
    line("出生 1990 年 3 月 7 日", 70, 300),
    line("住址 北京市朝阳区样本路88号", 70, 390),
    line("样本小区6号楼3单元502室", 170, 440),
    line("公民身份号码", 70, 570),
    line(NUMBER, 350, 568),
)
BACK = (
    line("中华人民共和国", 300, 110),
    line("居民身份证", 340, 220),
    line("签发机关 北京市公安局朝阳分局", 240, 470),
    line("有效期限", 240, 550),
    line("2016.05.09-2036.05.09", 420, 552),
)


def changed(lines: tuple[Line, ...], old: str, new: str, sure: float | None = None) -> list[fields_cn.Row]:
    assert any(old in one.text for one in lines)
    return rows([replace(one, text=one.text.replace(old, new), sure=one.sure if sure is None or old not in one.text else sure) for one in lines])  # fmt: skip


def test_a_front() -> None:
    found = front(rows(FRONT[::-1]), TODAY)
    assert found.reasons == ()
    assert {field.name: field.value for field in found.fields} == {
        "name": "张小明",
        "sex": "M",
        "ethnicity": "汉",
        "birth": "1990-03-07",
        "address": "北京市朝阳区样本路88号样本小区6号楼3单元502室",
        "number": NUMBER,
    }
    assert {field.name for field in found.fields if field.proven} == {"sex", "birth", "number"}
    assert is_front(rows(FRONT))
    assert not is_back(rows(FRONT))


def test_nobody_is_born_tomorrow_whatever_the_number_says() -> None:
    assert front(rows(FRONT), date(1990, 3, 6)).reasons == (CONTRADICTORY,)
    assert front(rows(FRONT), date(1990, 3, 7)).reasons == ()


def test_a_number_of_another_kind_of_card_makes_it_an_unknown_one() -> None:
    number = "81000019900307123" + check_character("81000019900307123")
    assert ReasonCode.DOCUMENT_TYPE_UNKNOWN in front(changed(FRONT, NUMBER, number), TODAY).reasons


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        (NUMBER, NUMBER[:-2] + ("0" if NUMBER[-2] != "0" else "1") + NUMBER[-1], {CHECK}),
        (NUMBER, NUMBER[:-1], {UNREADABLE}),
        (NUMBER, "", {UNREADABLE}),
        ("3 月 7 日", "3 月 8 日", {CONTRADICTORY}),
        ("3 月 7 日", "13 月 7 日", {UNREADABLE}),
        ("1990 年", "2090 年", {CONTRADICTORY}),
        ("性别 男", "性别 女", {CONTRADICTORY}),
        ("性别 男", "性别", {UNREADABLE}),
        ("民族 汉", "民族 汗", {UNREADABLE}),
        ("姓名 张小明", "姓名", {UNREADABLE}),
        ("姓名 张小明", "姓名 张2明", {UNREADABLE}),
        ("住址 北京市朝阳区样本路88号", "", {UNREADABLE}),
    ],
)
def test_a_front_that_is_wrong(old: str, new: str, reasons: set[ReasonCode]) -> None:
    found = front(changed(FRONT, old, new), TODAY)
    assert set(found.reasons) == reasons
    if CONTRADICTORY in reasons:
        assert not all(field.proven for field in found.fields if field.name in ("sex", "birth"))


def test_what_was_not_surely_read_is_not_taken_for_read() -> None:
    for text in ("张小明", "民族 汉", "样本小区"):
        assert front(changed(FRONT, text, text, sure=0.5), TODAY).reasons == (UNREADABLE,)
    assert back(changed(BACK, "签发机关", "签发机关", sure=0.5), TODAY).reasons == (UNREADABLE,)
    assert back(changed(BACK, "2016", "2016", sure=0.5), TODAY).reasons == (UNREADABLE,)


def test_names_and_ethnicities_of_many_peoples() -> None:
    named = front(changed(FRONT, "张小明", "阿卜杜拉·买买提"), TODAY)
    assert named.reasons == ()
    assert named.fields[0].value == "阿卜杜拉·买买提"
    assert len(fields_cn.ETHNICITIES) == 56
    assert front(changed(FRONT, "民族 汉", "民族 维吾尔族"), TODAY).reasons == ()


def test_letters_in_the_number_are_said_to_be_corrected() -> None:
    found = front(changed(FRONT, NUMBER, NUMBER.replace("1", "I", 1)), TODAY)
    number = found.fields[-1]
    assert (number.value, number.proven, number.corrected) == (NUMBER, True, True)


def test_a_back() -> None:
    found = back(rows(BACK), TODAY)
    assert found.reasons == ()
    assert (found.begins, found.expires) == (date(2016, 5, 9), date(2036, 5, 9))
    assert [field.value for field in found.fields] == ["北京市公安局朝阳分局", "2016-05-09", "2036-05-09"]
    assert not any(field.proven for field in found.fields)
    assert is_back(rows(BACK))
    forever = back(changed(BACK, "2036.05.09", "长期"), TODAY)
    assert (forever.reasons, forever.expires, forever.fields[-1].value) == ((), None, fields_cn.LONG_TERM)
    leap = back(changed(changed_lines(BACK, "2016.05.09", "2016.02.29"), "2036.05.09", "2026.03.01"), date(2026, 3, 1))
    assert leap.reasons == ()


def changed_lines(lines: tuple[Line, ...], old: str, new: str) -> tuple[Line, ...]:
    return tuple(replace(one, text=one.text.replace(old, new)) for one in lines)


@pytest.mark.parametrize(
    ("old", "new", "reasons"),
    [
        ("2036.05.09", "2026.05.09", {ReasonCode.DOCUMENT_EXPIRED}),
        ("2016.05.09-2036", "2026.12.09-2046", {CONTRADICTORY, ReasonCode.DOCUMENT_NOT_YET_VALID}),
        ("2036.05.09", "2037.05.09", {CONTRADICTORY}),
        ("2036.05.09", "2006.05.09", {CONTRADICTORY, ReasonCode.DOCUMENT_EXPIRED}),
        ("2036.05.09", "2036.15.09", {UNREADABLE}),
        ("2016.05.09-2036.05.09", "", {UNREADABLE}),
        ("北京市公安局朝阳分局", "北京市", {UNREADABLE}),
        ("签发机关", "", {UNREADABLE}),
    ],
)
def test_a_back_that_is_wrong(old: str, new: str, reasons: set[ReasonCode]) -> None:
    assert set(back(changed(BACK, old, new), TODAY).reasons) == reasons


def test_a_card_is_valid_until_the_end_of_its_last_day() -> None:
    assert back(rows(BACK), date(2036, 5, 9)).reasons == ()
    assert back(rows(BACK), date(2036, 5, 10)).reasons == (ReasonCode.DOCUMENT_EXPIRED,)


@given(st.lists(st.builds(line, st.text(max_size=30), st.floats(0, 1000), st.floats(0, 600), st.floats(0, 1)), max_size=12))
def test_any_text_is_read_or_refused(lines: list[Line]) -> None:
    found = rows(lines)
    assert front(found, TODAY).reasons
    assert back(found, TODAY).reasons
