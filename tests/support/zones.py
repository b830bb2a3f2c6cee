"""Machine readable zones made by the rules of ICAO Doc 9303, with nobody behind them. Independent of the reader under test."""

from hypothesis import strategies as st

from verification.documents.mrz import Format


def digit(text: str) -> str:
    """Doc 9303-3, 4.9."""
    total = 0
    for place, character in enumerate(text):
        value = 0 if character == "<" else int(character, 36)
        total += value * (7, 3, 1)[place % 3]
    return str(total % 10)


def td3(
    *,
    issuer: str = "UTO",
    names: str = "ERIKSSON<<ANNA<MARIA",
    number: str = "L898902C3",
    nationality: str = "UTO",
    birth: str = "740812",
    sex: str = "F",
    expiry: str = "320415",
    optional: str = "ZE184226B",
    optional_check: str = "",
) -> tuple[str, str]:
    number, optional = number.ljust(9, "<"), optional.ljust(14, "<")
    optional += optional_check or digit(optional)
    first = f"P<{issuer}{names}".ljust(44, "<")
    under = number + digit(number), birth + digit(birth), expiry + digit(expiry) + optional
    return first, under[0] + nationality + under[1] + sex + under[2] + digit("".join(under))


def td2(
    *,
    issuer: str = "UTO",
    names: str = "ERIKSSON<<ANNA<MARIA",
    number: str = "D23145890",
    nationality: str = "UTO",
    birth: str = "740812",
    sex: str = "F",
    expiry: str = "320415",
    optional: str = "",
) -> tuple[str, str]:
    number = number.ljust(9, "<")
    first = f"I<{issuer}{names}".ljust(36, "<")
    under = number + digit(number), birth + digit(birth), expiry + digit(expiry) + optional.ljust(7, "<")
    return first, under[0] + nationality + under[1] + sex + under[2] + digit("".join(under))


def td1(
    *,
    issuer: str = "UTO",
    names: str = "ERIKSSON<<ANNA<MARIA",
    number: str = "D23145890",
    nationality: str = "UTO",
    birth: str = "740812",
    sex: str = "F",
    expiry: str = "320415",
    optional: str = "",
    optional2: str = "",
) -> tuple[str, str, str]:
    number, more = number.ljust(9, "<"), optional2.ljust(11, "<")
    under = number + digit(number) + optional.ljust(15, "<"), birth + digit(birth), expiry + digit(expiry)
    second = under[1] + sex + under[2] + nationality + more + digit("".join(under) + more)
    return f"I<{issuer}{under[0]}", second, names.ljust(30, "<")


_letters = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=8)
_dates = st.dates().map(lambda day: f"{day:%y%m%d}")
_common: dict[str, st.SearchStrategy[str]] = {
    "issuer": st.sampled_from(("UTO", "CHN", "D<<", "GBR")),
    "names": st.tuples(_letters, _letters).map("<<".join),
    "number": st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=9),
    "nationality": st.sampled_from(("UTO", "CHN", "D<<", "GBR")),
    "birth": _dates,
    "sex": st.sampled_from("MF<"),
    "expiry": _dates,
    "optional": st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", max_size=7),
}


def any_zone() -> st.SearchStrategy[tuple[str, ...]]:
    return st.one_of(st.builds(td1, **_common), st.builds(td2, **_common), st.builds(td3, **_common))


def checked_places(format_: Format) -> list[int]:
    """Of all characters under a check digit, and of the digits, in the lines joined together."""
    spans = {
        Format.TD1: ((5, 37), (38, 45), (48, 60)),
        Format.TD2: ((36, 46), (49, 56), (57, 72)),
        Format.TD3: ((44, 54), (57, 64), (65, 88)),
    }
    return [place for begin, end in spans[format_] for place in range(begin, end)]
