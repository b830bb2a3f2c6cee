"""The section ``[cobrowse]`` of the configuration."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from server.cobrowse.messages import PageRules
from server.cobrowse.rules import RulePack, read_rules
from server.config_base import Section, doc
from server.errors import ConfigError
from server.webhooks import targets

_KEY = re.compile(r"pk_[A-Za-z0-9_-]{1,60}")


class CobrowseSite(Section, frozen=True, kw_only=True):
    """One of the bank's sites whose pages can be shown to an agent: a table ``[[cobrowse.sites]]``."""

    key: str
    """Public: what the pages' script tag has as ``data-site``."""
    name: str
    origins: tuple[str, ...]
    rules: Path
    """A rule pack (``docs/cobrowse.md``)."""
    presence: bool = False
    """Staff see which pages customers are at, before anything is shown, and may offer help."""


class CobrowseConfig(Section, frozen=True, kw_only=True):
    """Customers show a page of the bank's to an agent (`docs/cobrowse.md`)."""

    sites: Annotated[
        tuple[CobrowseSite, ...],
        doc(
            "Tables `[[cobrowse.sites]]`: `key` (public, `pk_…`), `name`, `origins` (like `https://www.bank.example`; http on this machine, for the demo alone), "
            "`rules` (file of a rule pack), `presence` (true: staff see where customers are on the site, and may offer help). Empty: nothing can be shown."
        ),
    ] = ()
    processes: Annotated[int, doc("Processes in which pages are sanitised.", ge=1, le=64)] = 1
    max_shares: Annotated[int, doc("Pages that are shown at a time, those included that nobody looks at.", ge=1, le=10_000)] = (
        500
    )
    max_shares_per_address: Annotated[int, doc("Of them from one address.", ge=1, le=10_000)] = 20
    max_visitors: Annotated[
        int,
        doc(
            "Customers on sites with `presence` that staff see at a time; beyond it the oldest of the fullest address go.",
            ge=1,
            le=100_000,
        ),
    ] = 2000
    max_visitors_per_address: Annotated[int, doc("Of them from one address.", ge=1, le=10_000)] = 50
    max_viewers: Annotated[int, doc("Who may look at one page at a time.", ge=1, le=50)] = 8
    max_nodes: Annotated[
        int,
        doc("Nodes of all shown pages together in one process; beyond it the largest is drawn anew.", ge=60_000, le=50_000_000),
    ] = 2_000_000
    memory_mb: Annotated[
        int, doc("Most memory of one such process beyond what it begins with, in MiB.", ge=256, le=1 << 20)
    ] = 4096
    tab_bytes_s: Annotated[int, doc("What one page may send, in bytes per second; more waits.", ge=64 * 1024, le=1 << 30)] = (
        4 * 1024 * 1024
    )


def check_cobrowse(config: CobrowseConfig, *, demo: bool) -> None:
    """What one key alone cannot tell. Raises ConfigError."""
    seen: set[str] = set()
    for site in config.sites:
        if not _KEY.fullmatch(site.key) or site.key in seen:
            raise ConfigError(
                f"cobrowse.sites: {site.key!r} is there twice, or is not like pk_bank (1 to 60 of A-Z, a-z, 0-9, _, -)"
            )
        seen.add(site.key)
        if not 1 <= len(site.name) <= 60 or not site.name.isprintable():
            raise ConfigError(f"cobrowse.sites: {site.key}: a name has 1 to 60 characters")
        if not site.origins:
            raise ConfigError(f"cobrowse.sites: {site.key}: no origins")
        for one in site.origins:
            if "*" in one or not targets.shown(one) or not (one.startswith("https://") or demo):
                raise ConfigError(
                    f"cobrowse.sites: {site.key}: origins are like https://www.bank.example, lower case, without a path or the standard port; "
                    "http on this machine and in a demo alone"
                )


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one site: read, as the file has them, and as the pages' script is told."""

    rules: RulePack
    text: bytes
    pages: list[PageRules]


def read_packs(config: CobrowseConfig) -> dict[str, Pack]:
    """By the site's key. Blocks. Raises ConfigError: a file that cannot be read or is no rule pack."""
    packs = {}
    for site in config.sites:
        try:
            text = site.rules.read_bytes()
        except OSError as error:
            raise ConfigError(f"cobrowse.sites: {site.key}: cannot read {site.rules}: {error.strerror}") from None
        rules = read_rules(text, where=str(site.rules))
        empty: dict[str, object] = {
            "show": [],
            "values": [],
            "mask": [],
            "block": [],
            "click": [],
            "images": [],
            "pause": False,
        }
        pages = [msgspec.convert(empty | one, PageRules) for one in tomllib.loads(text.decode()).get("page", [])]
        packs[site.key] = Pack(rules, text, pages)
    return packs
