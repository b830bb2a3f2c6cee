"""Which elements and attributes of a page leave, and in what form. Sans-I/O.

Everything here is a list of what is let through (HTML Living Standard, SVG 2, WAI-ARIA 1.2); whatever no list names is dropped. A value leaves as itself
only where it is one of a few words or a number: those say how a page looks, not what it says.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

Kept = Callable[[str], str | None]
"""A value as it leaves, or None."""

NUMBER = re.compile(r"-?\d{1,5}(?:\.\d{1,6})?(?:px|em|rem|%|pt|vh|vw)?")
NUMBERS = re.compile(r"-?(?:\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})(?:px|%)?")
MAX_NUMBERS = 10_000
PATH = re.compile(r"[MmLlHhVvCcSsQqTtAaZz0-9eE\s,.+-]{0,20000}")
COLOUR = re.compile(r"none|currentColor|transparent|inherit|[a-z]{3,20}|#(?:[0-9a-fA-F]{3,4}){1,2}|rgba?\([\d\s,.%]{5,30}\)")
TRANSFORM = re.compile(r"(?:(?:translate|scale|rotate|skewX|skewY|matrix)\([\d\s,.eE+-]{1,80}\)[\s,]*){1,8}")


def flag(_value: str) -> str:
    return ""


def one_of(words: str) -> Kept:
    known = frozenset(words.split())

    def kept(value: str) -> str | None:
        value = value.strip().lower()
        return value if value in known else None

    return kept


def fits(pattern: re.Pattern[str]) -> Kept:
    def kept(value: str) -> str | None:
        value = value.strip()
        return value if pattern.fullmatch(value) else None

    return kept


def numbers(value: str) -> str | None:
    """A list of them, between blanks and commas."""
    parts = value.replace(",", " ").split(maxsplit=MAX_NUMBERS)
    return value.strip() if len(parts) <= MAX_NUMBERS and all(NUMBERS.fullmatch(one) for one in parts) else None


_NUMBER, _BOOL = fits(NUMBER), one_of("true false mixed undefined")

DROPPED = frozenset(
    [
        "script",
        "noscript",
        "meta",
        "base",
        "object",
        "embed",
        "applet",
        "frame",
        "frameset",
        "template",
        "portal",
        "fencedframe",
        "audio",
        "video",
        "source",
        "track",
        "param",
        "bgsound",
        "command",
        "foreignobject",
        "animate",
        "animatemotion",
        "animatetransform",
        "set",
        "discard",
        "image",
        "feimage",
        "handler",
        "listener",
        "mpath",
        "view",
        "switch",
        "cursor",
        "font-face-uri",
        "plaintext",
        "xmp",
        "noembed",
        "noframes",
        "keygen",
        "menuitem",
    ]
)
"""Elements that leave as nothing, with all that is in them; so does every one that ``ELEMENTS`` does not name and is no component of the page's own."""

ELEMENTS = frozenset(
    [
        "html",
        "head",
        "body",
        "title",
        "style",
        "link",
        "address",
        "article",
        "aside",
        "footer",
        "header",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hgroup",
        "main",
        "nav",
        "section",
        "search",
        "blockquote",
        "dd",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "hr",
        "li",
        "menu",
        "ol",
        "p",
        "pre",
        "ul",
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "br",
        "cite",
        "code",
        "data",
        "dfn",
        "em",
        "i",
        "kbd",
        "mark",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "time",
        "u",
        "var",
        "wbr",
        "area",
        "img",
        "map",
        "canvas",
        "iframe",
        "picture",
        "del",
        "ins",
        "caption",
        "col",
        "colgroup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "button",
        "datalist",
        "fieldset",
        "form",
        "input",
        "label",
        "legend",
        "meter",
        "optgroup",
        "option",
        "output",
        "progress",
        "select",
        "textarea",
        "details",
        "dialog",
        "summary",
        "slot",
        "center",
        "font",
        "big",
        "strike",
        "tt",
        "nobr",
        "svg",
        "g",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "text",
        "tspan",
        "textpath",
        "defs",
        "symbol",
        "use",
        "lineargradient",
        "radialgradient",
        "stop",
        "clippath",
        "mask",
        "pattern",
        "marker",
        "filter",
        "desc",
        "fegaussianblur",
        "feoffset",
        "feblend",
        "fecolormatrix",
        "feflood",
        "fecomposite",
        "femerge",
        "femergenode",
        "fedropshadow",
    ]
)
COMPONENT = re.compile(r"[a-z][a-z0-9._]*(?:-[a-z0-9._]+)+")
"""The name of a custom element; it leaves without its name (it may say anything) as ``tp-part``."""
COMPONENT_AS = "tp-part"
CAMEL = MappingProxyType(
    {
        "lineargradient": "linearGradient", "radialgradient": "radialGradient", "clippath": "clipPath", "textpath": "textPath",
        "fegaussianblur": "feGaussianBlur", "feoffset": "feOffset", "feblend": "feBlend", "fecolormatrix": "feColorMatrix", "feflood": "feFlood",
        "fecomposite": "feComposite", "femerge": "feMerge", "femergenode": "feMergeNode", "fedropshadow": "feDropShadow",
    }
)  # fmt: skip

INPUT_TYPES = one_of(
    "text password email tel url search number date time datetime-local month week color range checkbox radio button submit reset file image hidden"
)
NEVER_TYPES = frozenset({"password", "hidden", "file"})
"""Nothing that is entered in these leaves, whatever a rule says."""
NEVER_AUTOCOMPLETE = re.compile(r"one-time-code|current-password|new-password|cc-[a-z-]+|webauthn")
NEVER_NAMES = re.compile(
    r"(?i:pass(?!port|eng|age|ion|ive|ing|ed)|pwd|cvv|cvc|kennwort|密码|验证码|口令|动态码|密碼|驗證碼|校验码|安全码|mima(?![a-z])|yzm(?![a-z])|captcha"
    r"|(?:sms|verif(?:y|ication)|valid(?:ate|ation)?|auth(?:entication)?|security|check|dynamic)[-_]?code)"
    r"|(?:(?<![A-Za-z])(?:[Pp]in|[Oo]tp)|(?<=[a-z])(?:Pin|Otp)|(?<![A-Z])(?:PIN|OTP))(?![a-z])"
)
"""In the name or the id of a field: what pages call a password that they show."""
CONTROLS = frozenset({"input", "textarea", "select"})

GLOBAL: Mapping[str, Kept] = MappingProxyType(
    {
        "dir": one_of("ltr rtl auto"),
        "lang": fits(re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{2,4})?")),
        "hidden": flag,
        "tabindex": fits(re.compile(r"-?\d{1,3}")),
        "role": one_of(
            "alert alertdialog article banner button cell checkbox columnheader combobox complementary contentinfo dialog document feed figure form "
            "grid gridcell group heading img link list listbox listitem main menu menubar menuitem menuitemcheckbox menuitemradio navigation none note "
            "option presentation progressbar radio radiogroup region row rowgroup rowheader scrollbar search searchbox separator slider spinbutton status "
            "switch tab table tablist tabpanel textbox timer toolbar tooltip tree treegrid treeitem"
        ),
        "open": flag,
        "inert": flag,
        "popover": one_of("auto manual hint"),
        **{
            f"aria-{name}": _BOOL
            for name in [
                "hidden",
                "expanded",
                "selected",
                "disabled",
                "checked",
                "pressed",
                "invalid",
                "busy",
                "modal",
                "required",
                "readonly",
            ]
        },
        "aria-current": one_of("page step location date time true false"),
        "aria-haspopup": one_of("true false menu listbox tree grid dialog"),
        "aria-live": one_of("off polite assertive"),
        "aria-orientation": one_of("horizontal vertical"),
        "aria-sort": one_of("ascending descending none other"),
        "width": _NUMBER,
        "height": _NUMBER,
        "align": one_of("left right center justify top middle bottom char"),
        "valign": one_of("top middle bottom baseline"),
        "rr_width": _NUMBER,
        "rr_height": _NUMBER,
        "rr_scrollleft": _NUMBER,
        "rr_scrolltop": _NUMBER,
        "rr_open_mode": one_of("modal non-modal"),
    }
)
OF_ELEMENT: Mapping[str, Mapping[str, Kept]] = MappingProxyType(
    {
        "td": {"colspan": _NUMBER, "rowspan": _NUMBER},
        "th": {"colspan": _NUMBER, "rowspan": _NUMBER, "scope": one_of("row col rowgroup colgroup")},
        "col": {"span": _NUMBER},
        "colgroup": {"span": _NUMBER},
        "table": {"border": _NUMBER, "cellpadding": _NUMBER, "cellspacing": _NUMBER},
        "ol": {"reversed": flag, "type": one_of("1 a i")},
        "input": {"type": INPUT_TYPES, "disabled": flag, "readonly": flag, "required": flag, "multiple": flag, "size": _NUMBER},
        "textarea": {
            "disabled": flag,
            "readonly": flag,
            "required": flag,
            "rows": _NUMBER,
            "cols": _NUMBER,
            "wrap": one_of("hard soft off"),
        },
        "select": {"disabled": flag, "required": flag, "multiple": flag, "size": _NUMBER},
        "option": {"disabled": flag},
        "optgroup": {"disabled": flag},
        "button": {"type": one_of("button submit reset"), "disabled": flag},
        "fieldset": {"disabled": flag},
        "link": {"rel": one_of("stylesheet"), "media": one_of("all screen print")},
        "style": {"media": one_of("all screen print")},
    }
)
SVG: Mapping[str, Kept] = MappingProxyType(
    {
        **dict.fromkeys(
            [
                "x",
                "y",
                "x1",
                "y1",
                "x2",
                "y2",
                "cx",
                "cy",
                "r",
                "rx",
                "ry",
                "fx",
                "fy",
                "dx",
                "dy",
                "points",
                "offset",
                "viewbox",
                "stroke-width",
                "stroke-dasharray",
                "stroke-dashoffset",
                "stroke-miterlimit",
                "opacity",
                "fill-opacity",
                "stroke-opacity",
                "stop-opacity",
                "flood-opacity",
                "stddeviation",
                "values",
                "refx",
                "refy",
                "markerwidth",
                "markerheight",
                "font-size",
            ],
            numbers,
        ),
        "d": fits(PATH),
        **{name: fits(COLOUR) for name in ("fill", "stroke", "stop-color", "flood-color", "color")},
        "transform": fits(TRANSFORM),
        "gradienttransform": fits(TRANSFORM),
        "patterntransform": fits(TRANSFORM),
        "preserveaspectratio": fits(re.compile(r"none|x(?:Min|Mid|Max)Y(?:Min|Mid|Max)(?: (?:meet|slice))?")),
        **{
            name: one_of("userspaceonuse objectboundingbox")
            for name in ("gradientunits", "clippathunits", "maskunits", "patternunits")
        },
        "fill-rule": one_of("nonzero evenodd"),
        "clip-rule": one_of("nonzero evenodd"),
        "stroke-linecap": one_of("butt round square"),
        "stroke-linejoin": one_of("miter round bevel arcs"),
        "text-anchor": one_of("start middle end"),
        "dominant-baseline": one_of("auto middle central hanging"),
        "in": one_of("sourcegraphic sourcealpha"),
    }
)
SVG_NAMES = MappingProxyType(
    {
        "viewbox": "viewBox", "preserveaspectratio": "preserveAspectRatio", "gradientunits": "gradientUnits", "gradienttransform": "gradientTransform",
        "clippathunits": "clipPathUnits", "maskunits": "maskUnits", "patternunits": "patternUnits", "patterntransform": "patternTransform",
        "stddeviation": "stdDeviation", "refx": "refX", "refy": "refY", "markerwidth": "markerWidth", "markerheight": "markerHeight",
    }
)  # fmt: skip
REPLAYED = MappingProxyType({"rr_scrollleft": "rr_scrollLeft", "rr_scrolltop": "rr_scrollTop"})
"""Names that the replayer wants with capitals."""
STATES = frozenset(f"aria-{name}" for name in ("checked", "selected", "pressed", "current", "sort", "invalid"))
"""What somebody has chosen, in components that pages make of their own: only where words are shown."""
SHAPES = frozenset({"viewbox", "preserveaspectratio", "width", "height"})
"""What of a drawing leaves where words are masked: how large it is. Lines can be a code that a telephone reads, or a signature."""
LAYOUT = frozenset(
    [
        "display",
        "position",
        "top",
        "left",
        "right",
        "bottom",
        "width",
        "height",
        "min-width",
        "min-height",
        "max-width",
        "max-height",
        "margin",
        "margin-top",
        "margin-left",
        "margin-right",
        "margin-bottom",
        "padding",
        "padding-top",
        "padding-left",
        "padding-right",
        "padding-bottom",
        "flex",
        "flex-direction",
        "flex-wrap",
        "flex-grow",
        "flex-shrink",
        "flex-basis",
        "gap",
        "row-gap",
        "column-gap",
        "grid-template-columns",
        "grid-template-rows",
        "grid-column",
        "grid-row",
        "overflow",
        "overflow-x",
        "overflow-y",
        "visibility",
        "opacity",
        "transform",
        "z-index",
        "text-align",
        "float",
        "clear",
        "order",
        "align-items",
        "align-self",
        "align-content",
        "justify-content",
        "justify-items",
        "justify-self",
        "box-sizing",
        "vertical-align",
        "white-space",
    ]
)
"""What of a node's own style leaves where words are masked: where it stands. Colours and shadows of its own can draw a code."""
WORDS = frozenset({"placeholder", "label"})
"""Attributes that the page shows as words: masked like words."""


def element_as(tag: str) -> str | None:
    """The name by which an element leaves, or None: it does not. ``tag``: in lower case."""
    if tag in DROPPED:
        return None
    if tag in ELEMENTS:
        return CAMEL.get(tag, tag)
    return COMPONENT_AS if COMPONENT.fullmatch(tag) else None
