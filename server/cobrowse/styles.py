"""Style sheets that show a page as it looks and carry nothing else. Sans-I/O.

CSS Syntax Level 3, read by tinycss2 and written anew from what is known. What could fetch (``url()``, ``@import``, fonts, ``image-set()``) or take words
from elsewhere (``attr()``, ``content`` with letters, strings) is dropped; names of classes and ids, which pages fill with customers' numbers, are exchanged
for keyed digests, the same ones in the page. A rule that is dropped leaves an empty one: scripts count rules by place (CSSOM ``insertRule``).
"""

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
from typing import Any

import tinycss2

MAX_SHEET = 1024 * 1024
"""Longer ones are not read."""
MAX_STYLE = 4096
"""Of one node's own."""
MAX_DEPTH = 12
PIECE = 400
"""Characters of a sheet that are read at once, which takes some 2 ms."""
LEAST = 40
"""Characters that as much time goes for as for beginning to read any."""
LONG = 512
"""Characters of words beyond which looking for numbers in them takes longer than a node."""
MAX_RULE = 30_000
"""Of a rule; one with rules in it, in ``_PARTED``, is read rule by rule. A longer one is dropped: it would take more than 0.2 s at once."""
MAX_KEPT = 256
MAX_KEPT_CHARS = 8 * 1024 * 1024
"""Of sheets."""
MAX_DECLARED = 4096
MAX_DECLARED_CHARS = 512 * 1024
"""Of what stands on nodes."""
MAX_NAMES = 50_000
GONE = "tp-gone{}"
"""In place of a rule that was dropped."""
_IDENT = re.compile(r"-{0,2}[A-Za-z][A-Za-z0-9_-]{0,47}|-{2}[A-Za-z0-9_-]{1,48}")
_PROPERTY = re.compile(r"-{0,2}[A-Za-z][A-Za-z0-9_-]{0,63}")
_MANY_DIGITS = re.compile(r"\d{4}")
_COLOUR = re.compile(r"(?:[0-9a-fA-F]{3,4}){1,2}")
_FAMILY = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z\u4e00-\u9fff -]{0,39}")
_PICTOGRAM = re.compile(r"[\ue000-\uf8ff\u2000-\u206f\u2190-\u25ff\u2713-\u2718 .,:;/|()*+<>«»‹›•·…–—-]{0,2}")
"""What ``content`` may say: signs of an icon font, arrows, points. Nothing that can be read."""
_MARKED = re.compile("\0([^\0]*)\0")
"""CSS Syntax Level 3, 3.3: no input has U+0000 left, nor has an escape in it."""
_ENDS = re.compile(
    r"/\*.*?(?:\*/|\Z)|\\.|\"(?:[^\"\\\n\r\f]|\\.)*+\"?|'(?:[^'\\\n\r\f]|\\.)*+'?|(?<![\w-])[uU][rR][lL]\(\s*(?![\s\"'])(?:[^)\\]|\\.)*+\)?|[(){}\[\]]",
    re.DOTALL,
)
"""What opens and closes in a sheet, and what has such signs in it that do not."""
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
_PLAIN_WORD = r"(?:-?[A-Za-z][A-Za-z-]{0,40}|[+-]?(?:[0-9]{1,6}(?:\.[0-9]{1,4})?|\.[0-9]{1,4})(?:px|em|rem|%|vh|vw|pt|fr|ms|s|deg)?|#(?:[0-9a-fA-F]{3,4}){1,2})"
_PLAIN_NAME = re.compile(r"-?[a-z][a-z-]{0,60}")
_PLAIN_VALUE = re.compile(rf"{_PLAIN_WORD}(?:(?: |, ?){_PLAIN_WORD}){{0,15}}")
_PLAIN_DECLARATION = re.compile(rf"[ \t\n]*({_PLAIN_NAME.pattern})[ \t\n]*:[ \t\n]*({_PLAIN_VALUE.pattern})[ \t\n]*")
_FUNCTIONS = frozenset(
    [
        "rgb",
        "rgba",
        "hsl",
        "hsla",
        "hwb",
        "lab",
        "lch",
        "oklab",
        "oklch",
        "color",
        "color-mix",
        "light-dark",
        "var",
        "calc",
        "min",
        "max",
        "clamp",
        "minmax",
        "repeat",
        "fit-content",
        "translate",
        "translatex",
        "translatey",
        "translatez",
        "translate3d",
        "scale",
        "scalex",
        "scaley",
        "scalez",
        "scale3d",
        "rotate",
        "rotatex",
        "rotatey",
        "rotatez",
        "rotate3d",
        "skew",
        "skewx",
        "skewy",
        "matrix",
        "matrix3d",
        "perspective",
        "cubic-bezier",
        "steps",
        "linear",
        "linear-gradient",
        "radial-gradient",
        "conic-gradient",
        "repeating-linear-gradient",
        "repeating-radial-gradient",
        "repeating-conic-gradient",
        "blur",
        "brightness",
        "contrast",
        "drop-shadow",
        "grayscale",
        "hue-rotate",
        "invert",
        "opacity",
        "saturate",
        "sepia",
        "circle",
        "ellipse",
        "inset",
        "polygon",
        "counter",
        "counters",
        "round",
        "mod",
        "rem",
        "abs",
        "sign",
        "sqrt",
        "pow",
        "env",
    ]
)
_SELECTING = frozenset(
    [
        "not",
        "is",
        "where",
        "has",
        "nth-child",
        "nth-last-child",
        "nth-of-type",
        "nth-last-of-type",
        "host",
        "host-context",
        "slotted",
        "part",
        "dir",
        "lang",
    ]
)
_ATTRIBUTES = frozenset(
    [
        "type",
        "disabled",
        "checked",
        "hidden",
        "open",
        "selected",
        "multiple",
        "readonly",
        "required",
        "dir",
        "lang",
        "role",
        "colspan",
        "rowspan",
        "align",
        "aria-hidden",
        "aria-expanded",
        "aria-selected",
        "aria-current",
        "aria-disabled",
        "aria-checked",
        "aria-pressed",
        "aria-invalid",
        "aria-busy",
        "aria-modal",
        "href",
    ]
)
_PARTED = re.compile(
    r"(?s:((?:\s|/\*.*?\*/|@[\w-]+[^;{}\"'\\]*+;|@[\w-]+\s*(?:\"[^\"\\{}]*\"|'[^'\\{}]*')\s*;)*+)@(media|supports|layer|container)\b([^{};\"'\\/]*)\{(.*)\}\s*)",
    re.IGNORECASE,
)
"""(what stands before, name, condition, rules)."""
_DATA = re.compile(r"url\(\s*(?:\"data:[^\"\\]*+\"|'data:[^'\\]*+'|data:[^)\\\s\"'(]*+)\s*\)", re.IGNORECASE)
_NESTING = frozenset({"media", "supports", "layer", "container", "scope", "starting-style"})
_KEYFRAMES = re.compile(r"(-webkit-|-moz-)?keyframes")
_FORBIDDEN = frozenset({"behavior", "-moz-binding", "src", "quotes", "-webkit-mask-box-image-source"})


class Names:
    """Classes and ids as they leave: eight characters of a keyed digest (HMAC-SHA-256), the same for the same name as long as the key is. Bounded: the oldest
    are worked out again."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._known: OrderedDict[str, str] = OrderedDict()

    def __call__(self, name: str) -> str:
        known = self._known.get(name)
        if known is None:
            digest = hmac.digest(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256)
            known = self._known[name] = "t" + base64.b32encode(digest[:5]).decode("ascii").lower()
            if len(self._known) > MAX_NAMES:
                self._known.popitem(last=False)
        return known


class Spent(Exception):
    """Reading it would take longer than its event may."""


class Allowance:
    """How many characters of CSS may still be read anew for an event. ``left``: also less by what else took time; ``_least``: by that alone."""

    def __init__(self, chars: int) -> None:
        self.left = chars
        self._least = 0

    def take(self, chars: int) -> None:
        """Raises Spent; from then on always, as what is left is below nothing."""
        self.left -= max(chars, LEAST)
        if self.left < self._least:
            raise Spent

    def lapse(self, chars: int) -> None:
        """So many of words were looked through for numbers: time, for which no CSS is refused."""
        if chars > LONG:
            self.left -= chars >> 2
            self._least -= chars >> 2


class Kept:
    """What was worked out, by digests: the newest ``most``, and of those so many ``chars`` at most."""

    def __init__(self, most: int, chars: int) -> None:
        self._most, self._most_chars = most, chars
        self._made: OrderedDict[Hashable, str] = OrderedDict()
        self.chars = 0

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: Hashable) -> str | None:
        made = self._made.get(key)
        if made is not None:
            self._made.move_to_end(key)
        return made

    def put(self, key: Hashable, made: str) -> None:
        """``key`` is new."""
        self._made[key] = made
        self.chars += len(made)
        while len(self._made) > self._most or self.chars > self._most_chars:
            self.chars -= len(self._made.popitem(last=False)[1])


class Styles:
    """Of one share. ``names``: its own; ``sheets``: what was read of any, which all shares of a process may have together."""

    def __init__(self, names: Names, sheets: "Sheets | None" = None) -> None:
        self.names = names
        self._sheets = sheets or Sheets()

    def sheet(self, text: str, allowance: Allowance | None = None) -> str:
        """A whole sheet, or some rules of one: as many rules as it had. Raises Spent."""
        if len(text) > MAX_SHEET:
            return ""
        names = self.names
        return _MARKED.sub(lambda found: names(found[1]), self._sheets.sheet(text, allowance))

    def reading(self, text: str, allowance: Allowance) -> Generator[None, None, str]:
        """``sheet``, with pauses."""
        if len(text) > MAX_SHEET:
            return ""
        yield from self._sheets.reading(text, allowance)
        return self.sheet(text, allowance)

    def declarations(self, text: str, only: frozenset[str] | None = None, allowance: Allowance | None = None) -> str:
        """What stands in ``style="…"``. ``only``: of these properties. Raises Spent."""
        if len(text) > MAX_STYLE:
            return ""
        plain = _plain(text, only)
        return self._sheets.declarations(text, only, allowance) if plain is None else plain

    def value(self, name: str, text: str, allowance: Allowance | None = None) -> str | None:
        """Of one property, or None: not that one, or not with that value. Raises Spent."""
        if len(text) > MAX_STYLE:
            return None
        if _PLAIN_NAME.fullmatch(name) and name not in _FORBIDDEN and _PLAIN_VALUE.fullmatch(text):
            return text
        return self._sheets.value(name, text, allowance)


def _plain(text: str, only: frozenset[str] | None) -> str | None:
    """``Sheets.declarations`` of what is so plain that nothing in it needs a tokeniser: most of what pages write on their nodes. None: it is not."""
    made = []
    for one in text.split(";"):
        found = _PLAIN_DECLARATION.fullmatch(one)
        if found is None:
            if one.strip(" \t\n"):
                return None
            continue
        name, value = found.groups()
        if (only is None or name in only) and name not in _FORBIDDEN:
            made.append(f"{name}:{value};")
    return "".join(made)


def pieces(text: str) -> Iterator[str]:
    """A sheet cut where a rule ends, into pieces of ``PIECE`` characters where its rules are not longer. Every piece is read as a sheet of its own: were one cut
    in the wrong place, rules would be missing, and nothing else."""
    if len(text) <= PIECE:
        yield text
        return
    begun, rule, open_ = 0, 0, list[str]()
    for found in _ENDS.finditer(text):
        one = found[0]
        if one in _CLOSED_BY:
            open_.append(_CLOSED_BY[one])
        elif open_ and one == open_[-1]:
            open_.pop()
            if one == "}" and not open_:
                end = found.end()
                if end - begun >= PIECE:
                    if begun < rule and end - rule >= PIECE:
                        yield text[begun:rule]
                        begun = rule
                    yield text[begun:end]
                    begun = end
                rule = end
    if begun < len(text):
        yield text[begun:]


class Sheets:
    """Reads sheets. In what is made names stand between marks that no sheet can have, to be exchanged for those of a share."""

    def __init__(self) -> None:
        self.kept = Kept(MAX_KEPT, MAX_KEPT_CHARS)
        self._declared = Kept(MAX_DECLARED, MAX_DECLARED_CHARS)

    def sheet(self, text: str, allowance: Allowance | None = None) -> str:
        digest = _digest(text)
        made = self.kept.get(digest)
        if made is None:
            if allowance is not None:
                allowance.take(len(text))
            made = "".join(self._parts(text, 0))
            self.kept.put(digest, made)
        return made

    def reading(self, text: str, allowance: Allowance) -> Generator[None, None, None]:
        """Read, so that ``sheet`` has it, with a pause after every piece."""
        digest = _digest(text)
        if self.kept.get(digest) is not None:
            return
        allowance.take(len(text))
        made = list[str]()
        for part in self._parts(text, 0):
            made.append(part)
            yield
        if self.kept.get(digest) is None:  # another share's turn, meanwhile
            self.kept.put(digest, "".join(made))

    def _parts(self, text: str, depth: int) -> Iterator[str]:
        """As it leaves, one piece after another."""
        for piece in pieces(text):
            found = _PARTED.fullmatch(piece) if len(piece) > 2 * PIECE and depth < MAX_DEPTH else None
            if found is None:
                yield self._piece(piece, depth)
                continue
            yield self._piece(found[1], depth) if found[1] else ""
            head = self._piece(f"@{found[2]}{found[3]}{{}}", depth)
            if head == GONE:
                yield GONE
                continue
            yield head[:-1]
            yield from self._parts(found[4], depth + 1)
            yield "}"

    def _piece(self, text: str, depth: int) -> str:
        if len(text) > MAX_RULE:
            text = _DATA.sub("url(x)", text)  # none leaves
        if len(text) > MAX_RULE:
            return GONE
        try:
            return self._sheet(text, depth)
        except RecursionError:
            return ""

    def declarations(self, text: str, only: frozenset[str] | None = None, allowance: Allowance | None = None) -> str:
        key = _digest(text), only
        made = self._declared.get(key)
        if made is None:
            if allowance is not None:
                allowance.take(len(text))
            content = tinycss2.parse_blocks_contents(text)
            kept = [one for one in content if one.type == "declaration" and (only is None or one.lower_name in only)]
            made = self._declarations(kept, 0)
            self._declared.put(key, made)
        return made

    def value(self, name: str, text: str, allowance: Allowance | None = None) -> str | None:
        if allowance is not None:
            allowance.take(len(text))
        tokens = tinycss2.parse_component_value_list(text, skip_comments=True)
        if not self._is_kept(name, tokens):
            return None
        written: str = tinycss2.serialize(tokens).strip()
        return written or None

    def _sheet(self, text: str, depth: int) -> str:
        rules = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
        return "".join(self._rule(rule, depth) or GONE for rule in rules)

    def _rule(self, rule: Any, depth: int) -> str | None:
        if depth > MAX_DEPTH:
            return None
        if rule.type == "qualified-rule":
            selector = self._selector(rule.prelude)
            inside = self._declarations(tinycss2.parse_blocks_contents(rule.content), depth + 1)
            return None if selector is None else f"{selector}{{{inside}}}"
        if rule.type != "at-rule" or rule.content is None:
            return None
        name = rule.lower_at_keyword
        prelude = tinycss2.serialize(rule.prelude).strip()
        if _KEYFRAMES.fullmatch(name):
            if not _is_ident(prelude):
                return None
            return f"@{name} {prelude}{{{''.join(self._frames(rule.content))}}}"
        if name not in _NESTING or not self._is_kept("", rule.prelude, conditions=True):
            return None
        return f"@{name} {prelude}{{{self._declarations(tinycss2.parse_blocks_contents(rule.content), depth + 1)}}}"

    def _frames(self, content: Sequence[Any]) -> Iterator[str]:
        for rule in tinycss2.parse_rule_list(content, skip_comments=True, skip_whitespace=True):
            if rule.type != "qualified-rule":
                continue
            at = tinycss2.serialize(rule.prelude).strip()
            if re.fullmatch(r"(?:from|to|\d{1,3}(?:\.\d+)?%)(?:\s*,\s*(?:from|to|\d{1,3}(?:\.\d+)?%))*", at):
                yield f"{at}{{{self._declarations(tinycss2.parse_blocks_contents(rule.content), MAX_DEPTH)}}}"

    def _declarations(self, content: Iterable[Any], depth: int) -> str:
        """What stands between braces: declarations, and rules in them."""
        made = []
        for one in content:
            if one.type == "declaration":
                name = one.name if one.name.startswith("--") else one.lower_name
                if self._is_kept(name, one.value):
                    value = tinycss2.serialize(one.value).strip()
                    made.append(f"{name}:{value}{'!important' if one.important else ''};")
            elif one.type in ("qualified-rule", "at-rule"):
                made.append(self._rule(one, depth) or GONE)
        return "".join(made)

    def _is_kept(self, name: str, tokens: Sequence[Any], *, conditions: bool = False) -> bool:
        """``conditions``: of a media or container query, where names of properties stand."""
        if not conditions and (not _PROPERTY.fullmatch(name) or name in _FORBIDDEN or _MANY_DIGITS.search(name)):
            return False
        return all(self._token(name, one, 0) for one in tokens)

    def _token(self, name: str, one: Any, depth: int) -> bool:
        kind = one.type
        if kind == "literal":
            return one.value not in ("<", ">") or not name
        if kind == "whitespace":
            return True
        if kind == "ident":
            return _is_ident(one.value)
        if kind in ("number", "percentage", "dimension"):
            unit = one.unit if kind == "dimension" else "x"
            return abs(one.value) < 1_000_000 and len(one.representation) <= 12 and _is_ident(unit)
        if kind == "hash":
            return _COLOUR.fullmatch(one.value) is not None and len(one.value) in (3, 4, 6, 8)
        if kind == "string":
            if name == "content":
                return _PICTOGRAM.fullmatch(one.value) is not None
            return name in ("font-family", "font") and _FAMILY.fullmatch(one.value) is not None
        if depth >= MAX_DEPTH:
            return False
        if kind == "function":
            return one.lower_name in _FUNCTIONS and all(self._token(name, each, depth + 1) for each in one.arguments)
        if kind in ("() block", "[] block"):
            return all(self._token(name, each, depth + 1) for each in one.content)
        return False

    def _selector(self, tokens: Sequence[Any], depth: int = 0) -> str | None:
        """With every class and id exchanged; None where something in it could carry a secret or is not known."""
        made, index = [], 0
        if depth > MAX_DEPTH:
            return None
        while index < len(tokens):
            one = tokens[index]
            after = tokens[index + 1] if index + 1 < len(tokens) else None
            if one.type == "literal" and one.value == "." and after is not None and after.type == "ident":
                made.append(f".{_marked(after.value)}")
                index += 1
            elif one.type == "hash":
                made.append(f"#{_marked(one.value)}")
            elif (one.type == "ident" and _is_ident(one.value)) or (
                one.type == "literal" and one.value in (",", ">", "+", "~", "*", ":", "|", "&", "-", ".")
            ):
                made.append(one.value)
            elif one.type == "whitespace":
                made.append(" ")
            elif one.type in ("number", "percentage", "dimension"):  # within nth-child()
                if depth == 0 or len(one.representation) > 6:
                    return None
                made.append(one.serialize())
            elif one.type == "[] block":
                attribute = self._attribute(one.content)
                if attribute is None:
                    return None
                made.append(attribute)
            elif one.type == "function" and one.lower_name in _SELECTING:
                inside = self._selector(one.arguments, depth + 1)
                if inside is None:
                    return None
                made.append(f"{one.lower_name}({inside})")
            else:
                return None
            index += 1
        return "".join(made).strip() or None

    def _attribute(self, tokens: Sequence[Any]) -> str | None:
        """``[name]`` or ``[name=word]``, of those that are the same for everybody."""
        parts = [one for one in tokens if one.type != "whitespace"]
        if not parts or parts[0].type != "ident" or parts[0].lower_value not in _ATTRIBUTES:
            return None
        name: str = parts[0].lower_value
        if len(parts) == 1:
            return f"[{name}]"
        operator, value = "".join(one.value for one in parts[1:-1] if one.type == "literal"), parts[-1]
        if (
            name == "href"
            or operator != "="
            or len(parts) != 3
            or value.type not in ("ident", "string")
            or not _is_ident(value.value)
        ):
            return None
        return f'[{name}="{value.value}"]'


def _marked(name: str) -> str:
    return f"\0{name}\0"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _is_ident(text: str) -> bool:
    """A word of the language, or one's own that says nothing of anybody."""
    return _IDENT.fullmatch(text) is not None and _MANY_DIGITS.search(text) is None
