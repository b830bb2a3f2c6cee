"""The page of the protocol names every frame with its fields."""

import re
import typing
from pathlib import Path

import msgspec
import pytest

from server.cobrowse import messages
from server.cobrowse.messages import ShareState

TEXT = (Path(__file__).parents[4] / "docs" / "cobrowse.md").read_text(encoding="utf-8")
TABLES = {
    "From the tab": messages.TabMessage,
    "To the tab": messages.ToTab,
    "From a viewer": messages.ViewMessage,
    "To a viewer": messages.ToViewer,
    "From a page on the site": messages.SiteMessage,
    "To a page on the site": messages.ToSite,
}


def rows(heading: str) -> dict[str, list[str]]:
    """Names of frames, and what stands in the second column, of the table that begins with this heading."""
    table = TEXT[TEXT.index(f"| {heading} |") :].split("\n\n")[0]
    found = {}
    for line in table.splitlines()[2:]:
        first, second = (re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:3])
        found.update(dict.fromkeys(first, second))
    return found


@pytest.mark.parametrize("heading", TABLES)
def test_every_frame_is_named_with_its_fields(heading: str) -> None:
    found = rows(heading)
    bodies = typing.get_args(TABLES[heading])
    assert set(found) == {body.__struct_config__.tag for body in bodies}
    for body in bodies:
        tag = str(body.__struct_config__.tag)
        if tag.startswith(("tab.", "view.", "consent.", "site.", "call.")) or (
            tag in ("bye", "problem", "pointer", "mark", "unmark", "act", "picture.want") and heading == "To the tab"
        ):
            assert found[tag] == [one.name for one in msgspec.structs.fields(body)]


def test_every_state_is_named() -> None:
    assert list(rows("State")) == [state.value for state in ShareState]


def test_frames_with_fields_that_are_not_known_are_refused() -> None:
    for union in TABLES.values():
        for body in typing.get_args(union):
            with pytest.raises(msgspec.ValidationError):
                msgspec.convert({"type": body.__struct_config__.tag, "nonsense": 1}, union)
