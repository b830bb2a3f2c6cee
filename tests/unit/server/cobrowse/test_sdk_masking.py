"""The script in the bank's page masks first, by the same names as the server, whatever a rule shows."""

import re
from pathlib import Path

from server.cobrowse import allowed, looks
from server.cobrowse.net import MASK

SDK = Path(__file__).resolve().parents[4] / "static" / "src" / "sdk"
MASKING = (SDK / "masking.ts").read_text(encoding="utf-8")


def written(name: str) -> str:
    """What stands behind ``const NAME =``."""
    found = re.search(rf"^(?:export )?const {name} = (.*?);$", MASKING, re.MULTILINE | re.DOTALL)
    assert found is not None, name
    return found[1]


def words(text: str) -> set[str]:
    return set(re.findall(r'"([^"]*)"', text))


def test_names_of_fields_that_are_never_shown() -> None:
    parts = re.findall(r"^  /(.+)/(i?),$", written("NEVER_NAMES"), re.MULTILINE)
    assert "|".join(f"(?i:{part})" if flag else part for part, flag in parts) == allowed.NEVER_NAMES.pattern


def test_kinds_of_fields_that_are_never_shown() -> None:
    assert words(written("NEVER_TYPES")) == allowed.NEVER_TYPES
    assert written("NEVER_AUTOCOMPLETE") == f"/{allowed.NEVER_AUTOCOMPLETE.pattern}/"


def test_which_are_fields_and_which_of_them_are_called_what_they_hold() -> None:
    fields = re.search(r"isElement\(node\) && \[(.+)\]\.includes\(node\.localName\)", MASKING)
    assert fields is not None
    assert words(fields[1]) == allowed.CONTROLS
    assert words(written("NO_WORDS")) == looks._NO_WORDS


def test_the_mask() -> None:
    assert f'export const MASK = "{MASK}";' in (SDK / "net.ts").read_text(encoding="utf-8")
