from collections.abc import Callable

import pytest
import tinycss2
from hypothesis import given, settings
from hypothesis import strategies as st

from server.cobrowse import styles as css
from server.cobrowse.styles import GONE, MAX_KEPT, Allowance, Kept, Names, Sheets, Spent, Styles

NAMES = Names(b"k" * 32)


@pytest.fixture
def styles() -> Styles:
    return Styles(NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "h1{color:red;}",
        "h1, p > a + b ~ c{margin:0 auto;font:bold 12px/1.5 Arial, sans-serif;}",
        "*{box-sizing:border-box;}",
        "a:hover, li:nth-child(2n+1)::before{color:#ff0000;}",
        "p{width:calc(100% - 2px);background:linear-gradient(90deg,#fff,rgba(0,0,0,.5));}",
        ":root{--gap:4px;--Main-colour:#1a2b3c;}",
        "p{color:var(--Main-colour)!important;}",
        "@media (min-width:600px) and (orientation:landscape){h1{color:red;}}",
        "@keyframes fade{from{opacity:0;}50%,60%{opacity:.5;}to{opacity:1;}}",
        '[type="text"]{color:red;}[disabled]{opacity:.5;}',
        'p{font-family:"Noto Sans", "微软雅黑", serif;}',
        'i::before{content:"\ue912";}i::after{content:"→";}q::before{content:"";}',
        "@supports (display:grid){p{display:grid;}}",
        "ul{color:red;& li{color:blue;}}",
    ],
)
def test_what_stays_as_it_is(styles: Styles, text: str) -> None:
    made = styles.sheet(text)
    assert made.replace(" ", "") == text.replace(" ", "").replace("\\e912", "\ue912")


def test_classes_and_ids_are_exchanged_as_in_the_page(styles: Styles) -> None:
    made = styles.sheet("#main .client-622202 > a.on:not(.off){color:red;}")
    assert made == f"#{NAMES('main')} .{NAMES('client-622202')} > a.{NAMES('on')}:not(.{NAMES('off')}){{color:red;}}"
    assert NAMES("a") != Names(b"other key" * 4)("a")
    assert (
        styles.sheet(r".\36 222\:x{color:red}") == f".{NAMES('6222:x')}{{color:red;}}"
    )  # as the page writes it and as it means it


@pytest.mark.parametrize(
    "text",
    [
        "@import url(https://evil.example/x.css);",
        '@import "x";',
        '@charset "utf-8";',
        "@font-face{font-family:x;src:url(https://evil.example/x)}",
        "@namespace svg url(http://www.w3.org/2000/svg);",
        "@page{margin:0}",
        '@property --x{syntax:"*";inherits:false}',
        'input[value^="6222"]{color:red}',
        '[data-card="6222"]{color:red}',
        '[class*="client"]{color:red}',
        'a[href^="https://secret"]{color:red}',
        'p[title="Li Si"]{color:red}',
        ':lang("secret words"){color:red}',
        "a 12345{color:red}",
        "} p{color:red",
    ],
)
def test_rules_that_leave_an_empty_one(styles: Styles, text: str) -> None:
    """As many as there were: scripts count them."""
    there = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    assert styles.sheet(text) == GONE * len(there) != ""


@pytest.mark.parametrize(
    "declaration",
    [
        "background:url(https://evil.example/x)",
        "background:URL(x)",
        r"background:\75 rl(x)",
        'background:url("x")',
        'background:image-set("x" 1x)',
        "background:-webkit-image-set(url(x) 1x)",
        "background:cross-fade(url(a), url(b))",
        "background:element(#a)",
        "background:paint(x)",
        'background:src("x")',
        'content:"Balance 12"',
        "content:attr(title)",
        'content:"a"',
        '--name:"Li Si"',
        "--card:6222020200112233",
        "--card:a6222b",
        "--x:url(a)",
        "--balance-12345:1px",
        "width:expression(alert(1))",
        "behavior:url(x)",
        "-moz-binding:url(x)",
        "color:#62220",
        "z-index:1234567",
        'quotes:"a" "b"',
        'font-family:"Client 6222"',
        "animation-name:client6222",
        "src:local(x)",
        'grid-template-areas:"secret words"',
        "color:" + "(" * 50 + ")" * 50,
    ],
)
def test_declarations_that_are_dropped(styles: Styles, declaration: str) -> None:
    assert styles.sheet(f"p{{{declaration};color:red}}") == "p{color:red;}"
    assert styles.declarations(f"{declaration};color:red") == "color:red;"
    name, _, value = declaration.partition(":")
    assert styles.value(name, value) is None


def test_comments_and_what_does_not_end_carry_nothing(styles: Styles) -> None:
    assert styles.sheet("/* Li Si */h1{/* Li Si */color:red/* Li Si */}/* Li") == "h1{color:red;}"
    assert styles.sheet("h1{color:red;</style><script>alert(1)</script>") == "h1{color:red;}"
    assert "<" not in styles.sheet("h1{color:red}</style><img src=x>{}")


def test_what_nests_without_end_and_what_is_too_long(styles: Styles) -> None:
    assert styles.sheet("a{" * 5000 + "color:red" + "}" * 5000).count("{") < 100
    assert styles.sheet("@media screen{" * 300 + "}" * 300).count("@media") < 20
    assert styles.sheet(" " * (2 * 1024 * 1024 + 1)) == styles.declarations("a" * (2 * 1024 * 1024 + 1)) == ""


def test_what_is_kept_is_bounded_by_number_and_by_length() -> None:
    sheets = Sheets()
    for number in range(MAX_KEPT + 50):
        sheets.sheet(f"p{{width:{number}px}}")
    assert len(sheets.kept) == MAX_KEPT
    assert sheets.kept.chars == sum(len(f"p{{width:{number}px;}}") for number in range(50, MAX_KEPT + 50))
    kept = Kept(9, 10)
    for key in ("a", "b", "c"):
        kept.put(key, "1234")
    assert (len(kept), kept.chars, kept.get("a"), kept.get("b")) == (2, 8, None, "1234")
    kept.put("d", "1234")  # what was asked for last stays
    assert (kept.get("b"), kept.get("c")) == ("1234", None)


def test_shares_have_what_was_read_together_but_names_of_their_own() -> None:
    sheets, text = Sheets(), ".a#b{color:red}"
    other = Names(b"o" * 32)
    for names in (NAMES, other):
        assert Styles(names, sheets).sheet(text) == f".{names('a')}#{names('b')}{{color:red;}}"
    assert len(sheets.kept) == 1
    Styles(other, sheets).sheet(text, Allowance(0))  # what is known takes no time


@pytest.mark.parametrize(
    "text", [".a\0b{color:red}", r".a\0 b{color:red}", r".a\000000b{color:red}", "#\0x\0{color:red}", "\0.x\0 p{}"]
)
def test_no_name_and_nothing_else_carries_the_mark_that_stands_around_names(text: str) -> None:
    assert "\0" not in Styles(NAMES).sheet(text)
    assert Sheets().sheet(text).count("\0") in (0, 2)


READ: dict[str, Callable[[Styles, str, Allowance], str | None]] = {
    "sheet": lambda styles, colour, allowance: styles.sheet(f"p{{color:rgb({colour})}}", allowance),
    "declarations": lambda styles, colour, allowance: styles.declarations(f"color:rgb({colour})", None, allowance),
    "value": lambda styles, colour, allowance: styles.value("color", f"rgb({colour})", allowance),
}


@pytest.mark.parametrize("what", READ)
def test_beyond_its_allowance_nothing_more_is_read(styles: Styles, what: str) -> None:
    allowance, read = Allowance(40), READ[what]
    assert read(styles, "10%,20%,30%", allowance)
    for colour in ("0.1,0.2,0.3,0.44444444444444", "1,1,1"):
        with pytest.raises(Spent):
            read(styles, colour, allowance)
    assert styles.declarations("color: red", None, allowance) == "color:red;", "what needs no tokeniser takes no time"


PARTS = [
    "h1{color:red}", ".a > b, c{x:y;width:3px}", "@media (min-width:3px){a{b:c}.d{e:f}}", "@import url(x);", "/* } { */", '/* " */', "p::before{content:'}'}", 'p{content:"{"}',
    '[a="}"]{b:c}', "url(}x) p{a:b}", "p{background:url(a}b)}", "p{background:url( 'a}b' )}", "\\} a{b:c}", "} ", "{ ", "( ", ")", "[ ", "]", ";", "'x\n", '"x\n', "'a\\\n}b'",
    "@keyframes f{from{a:b}to{c:d}}", "a{b:c;& d{e:f}}", "<!-- a{b:c} -->", "/* unended", "'unended", "url(", "url(a\\)}b) q{r:s}", "my-url(}) a{b:c}", "'a\r}b'", "'a\f}b'", "\\\n}",
]  # fmt: skip


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PARTS), max_size=9).map("".join))
def test_a_sheet_in_pieces_is_the_same_sheet(text: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(css, "PIECE", 10**9)
        whole = Sheets().sheet(text)
        patched.setattr(css, "PIECE", 1)
        assert "".join(css.pieces(text)) == text
        sheets = Sheets()
        paused = sum(1 for _ in sheets.reading(text, Allowance(1000)))
        assert sheets.sheet(text, Allowance(0)) == whole == Sheets().sheet(text)
        assert paused >= len(list(css.pieces(text)))
        assert sum(1 for _ in sheets.reading(text, Allowance(0))) == 0, "what is known is not read again"


DECLARED = st.lists(
    st.sampled_from([
        "color", "width", "-webkit-x", "--own", "COLOR", "src", "behavior", "margin-top", "a1", "", ":", ":", ":", ": ", ":\n", " ", ";", ";", "; ", "red", "-x", "x-", "auto",
        "3px", "-3.5em", "+.5", "3e2px", "1234567px", "12345", "0", "100%", "3xy", "#fff", "#12345", "#1234abcd", "#ffg", ",", ", ", " ,", "  ", "/", "!important", "(", "url(x)",
        "rgb(1,2,3)", "\t", "\x0b", "\xa0", "\\65", "/**/", '"x"', "initial", "{", "}", "@x", "u+1", "-->", "--", "-", ".", "\0",
    ]),
    max_size=9,
).map("".join)  # fmt: skip


@settings(max_examples=500)
@given(DECLARED, st.sampled_from([None, frozenset({"width", "color"})]))
def test_what_is_plain_is_read_as_everything_else_is(text: str, only: frozenset[str] | None) -> None:
    sheets = Sheets()
    assert Styles(NAMES, sheets).declarations(text, only) == sheets.declarations(text, only)
    for name in ("color", "-x", "COLOR", "src", "a1", "--own"):
        assert Styles(NAMES, sheets).value(name, text) == sheets.value(name, text)


WORDS = st.text(st.sampled_from(list("SECRETab1234:;{}()[]\"'\\/*@#.,-+ \n\u2028<!>=|~^$url")), max_size=80)


@given(
    WORDS, st.sampled_from(["", "@media ", "p{content:", "p{--x:", "@import ", "p{background:url(", "[a=", ".x{y:", "/*", '"'])
)
def test_whatever_comes_no_secret_and_nothing_that_fetches_leaves(words: str, before: str) -> None:
    """`SECRET` stands for words that only strings and addresses may carry."""
    made = Styles(NAMES).sheet(f'{before}"SECRET {words}"; url(SECRET{words}); p{{content:"SECRET{words}"}}')
    lowered = made.lower()
    assert '"secret' not in lowered
    assert "url(" not in lowered
    assert "@import" not in lowered
    assert "<" not in made
