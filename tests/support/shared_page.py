"""A page that is co-browsed, by the rules of a bank, and what viewers have of it."""

import json

from server.cobrowse.nodes import Limits
from server.cobrowse.rules import read_rules
from server.cobrowse.sanitiser import DEFAULT, Sanitised, Sanitiser
from server.cobrowse.styles import Names, Styles
from tests.support.pages import Json, Recorder, nodes_of

NAMES = Names(b"k" * 32)
STYLES = Styles(NAMES)
PACK = read_rules(
    b"""
[[page]]
url = "https://bank.example/transfers/*"
name = "transfer/{id}"
show = ["h1", "label", ".shown", "button", "option"]
values = ["#amount", "#note", "#kind", "#secret", "[type=checkbox]"]
mask = [".balance", "[data-private]"]
block = ["#photo"]

[[page]]
url = "https://bank.example/login"
name = "login"
pause = true
"""
)


class Share:
    """A page that is shared, and what viewers have of it."""

    def __init__(self, recorder: Recorder, limits: Limits = DEFAULT) -> None:
        self.recorder = recorder
        self.sanitiser = Sanitiser(PACK, STYLES, limits)
        self.meta = self.take(recorder.meta())
        self.picture = self.take(recorder.picture())

    def take(self, raw: bytes) -> Sanitised:
        made = self.sanitiser.take(raw)
        json.dumps(made.event)
        return made

    def of(self, node: Json) -> Json:
        """As it left in the first picture."""
        assert self.picture.event is not None
        return nodes_of(self.picture.event["data"]["node"])[node["id"]]

    def left(self, raw: bytes) -> Json | None:
        made = self.take(raw)
        return None if made.event is None else made.event["data"]
