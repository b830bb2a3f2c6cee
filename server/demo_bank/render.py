"""Pages from the files in ``pages/``. ``{{name}}`` is a value, escaped unless it is ``Html``; ``{{t:key}}`` words of the language; ``{{icon:name}}`` a drawing.

A name that is not given is a mistake of ours and raises KeyError: nothing is left out in silence.
"""

import functools
import html
import re
from collections.abc import Mapping
from pathlib import Path

from server.demo_bank.drawings import ICONS
from server.demo_bank.words import WORDS, Language

_TAG = re.compile(r"\{\{(?:(t|icon):)?([a-z0-9_]+)\}\}")
_FOLDER = Path(__file__).parent / "pages"


class Html(str):
    """Markup that is put in as it is."""

    __slots__ = ()


class Renderer:
    """For one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._which = 0 if language == "zh" else 1

    def word(self, key: str, **values: str) -> str:
        """Plain text, not escaped. Raises KeyError."""
        return WORDS[key][self._which].format(**values) if values else WORDS[key][self._which]

    def known(self, key: str, otherwise: str) -> str:
        """Words for a code that may be new to us."""
        return self.word(key) if key in WORDS else otherwise

    def page(self, name: str, values: Mapping[str, str]) -> Html:
        """``pages/NAME.html`` with these values."""

        def put(tag: re.Match[str]) -> str:
            kind, key = tag.groups()
            if kind == "t":
                return html.escape(self.word(key))
            if kind == "icon":
                return icon(key)
            value = values[key]
            return value if isinstance(value, Html) else html.escape(value)

        return Html(_TAG.sub(put, _read(name)))

    def pages(self, name: str, rows: list[dict[str, str]]) -> Html:
        """One after the other."""
        return Html("".join(self.page(name, row) for row in rows))


@functools.lru_cache(maxsize=64)
def _read(name: str) -> str:
    return (_FOLDER / f"{name}.html").read_text(encoding="utf-8")


def icon(name: str) -> Html:
    """Decoration: words stand beside it."""
    return Html(f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{ICONS[name]}</svg>')
