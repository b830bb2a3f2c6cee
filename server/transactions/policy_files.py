"""The policies, rules and the model in force: what this program ships, and what the bank's own folder puts in its place or beside it.

| In `transactions.policies_dir` | |
|---|---|
| `*.toml` | policies; of a type that is shipped: in its place |
| `rules/*.toml` | rule sets, called as the file is; `default.toml`: in place of the shipped one |
| `model.toml` | the model, in place of the shipped one |

Reading is all or nothing: one bad file and everything stays as it was. A policy that was in force once is found by its hash as long as this process
lives (the newest 512); what a running case began with is stored with the case.
"""

import re
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from server.errors import ConfigError, NotFound
from server.transactions.policy import MAX_TEXT, Policy, PolicyInvalid, read_policy
from server.transactions.policy_pack import PackSays, unfit
from server.transactions.risk.model import LogisticModel, read_model
from server.transactions.risk.rules import MAX_TEXT as MAX_RULES_TEXT
from server.transactions.risk.rules import NAME_PATTERN, RuleSet, RulesInvalid, read_rules

SHIPPED = Path(__file__).parent
MOST_FILES = 200
MOST_KEPT = 512


class UnknownType(NotFound):
    """No policy of this type."""

    code = "type_unknown"


class InForce(msgspec.Struct, frozen=True):
    """``policies`` by type, ``rules`` by name."""

    policies: Mapping[str, Policy]
    rules: Mapping[str, RuleSet]
    model: LogisticModel


class Policies:
    """``stored``: rule sets that are kept elsewhere and stand before those of files. Reading blocks: not on the event loop."""

    def __init__(
        self, folder: Path | None = None, *, stored_later: bool = False, pack: Callable[[], PackSays | None] = lambda: None
    ) -> None:
        """``stored_later``: rules that a policy asks for may be among those that ``use_stored`` will bring; it is the one that refuses then. ``pack``: the one
        that is installed now, None without one; may block. What it cannot answer is ``misfits`` here, and refused by ``read_again``: a pack that was exchanged
        keeps no server from starting.

        Raises ConfigError (PolicyInvalid, RulesInvalid).
        """
        self._folder = folder
        self._pack = pack
        self._stored: Mapping[str, RuleSet] = {}
        self._kept: dict[str, Policy] = {}
        self._lock = threading.Lock()
        self._files = read_files(folder)
        self._unread: frozenset[str] = frozenset()
        self._now = self._put_together(self._files, {}, None if stored_later else self._unread)
        self.misfits = self._unfit(self._files)
        """What the policies in force ask that the model pack cannot answer; see ``look_at_pack``."""

    @property
    def now(self) -> InForce:
        return self._now

    @property
    def unfit_types(self) -> tuple[str, ...]:
        """The types of ``misfits``: no attempt of these begins."""
        return tuple(sorted({one.partition(":")[0] for one in self.misfits}))

    def types(self) -> tuple[str, ...]:
        return tuple(sorted(self._now.policies))

    def current(self, type: str) -> Policy:
        """Raises UnknownType."""
        policy = self._now.policies.get(type)
        if policy is None:
            raise UnknownType("There is no such type of transaction.")
        return policy

    def keep_references(self) -> bool:
        """Whether any in force keeps the picture that attempts are compared with."""
        return any(policy.evidence.keep_reference for policy in self._now.policies.values())

    def by_hash(self, hash: str) -> Policy | None:
        """One that is or was in force since this process started."""
        return self._kept.get(hash)

    def look_at_pack(self) -> tuple[str, ...]:
        """Hold the policies in force against the pack that is installed now: one may have come, gone or been exchanged. What of ``misfits`` is new. Blocks."""
        files = self._files
        found = self._unfit(files)
        with self._lock:
            if files is not self._files:  # a reload came between, which has looked
                return ()
            new = tuple(wrong for wrong in found if wrong not in self.misfits)
            self.misfits = found
        return new

    def read_again(self) -> InForce:
        """What the files say now, for ``use``; nothing is changed. Raises ConfigError, PolicyInvalid also for what the installed model pack cannot answer."""
        files = read_files(self._folder)
        if wrong := self._unfit(files):
            raise PolicyInvalid(wrong[0])
        self._check(files, {**files.rules, **self._stored}, self._unread)
        return files

    def use(self, files: InForce) -> InForce:
        """What ``read_again`` has read. Raises RulesInvalid, and then everything is as before: stored rules went meanwhile."""
        with self._lock:
            self._now = self._put_together(files, self._stored, self._unread)
            self._files, self.misfits = files, ()
            return self._now

    def reload(self) -> InForce:
        """Read the files again. Raises ConfigError, and then everything is as before."""
        return self.use(self.read_again())

    def use_stored(self, stored: Mapping[str, RuleSet], unread: Collection[str] = ()) -> None:
        """Rule sets from the store, in place of files of their name. ``unread``: names of those that are there and cannot be read.

        Raises RulesInvalid: a policy asks for rules that are in neither.
        """
        with self._lock:
            self._now = self._put_together(self._files, stored, frozenset(unread))
            self._stored, self._unread = dict(stored), frozenset(unread)

    @property
    def from_files(self) -> Mapping[str, RuleSet]:
        """Without what is stored."""
        return self._files.rules

    @staticmethod
    def _check(files: InForce, rules: Mapping[str, RuleSet], unread: Collection[str] | None) -> None:
        for policy in files.policies.values():
            if policy.risk.rules not in rules and unread is not None and policy.risk.rules not in unread:
                raise RulesInvalid(f"{policy.type}: risk.rules: there are no rules called {policy.risk.rules!r}")

    def _unfit(self, files: InForce) -> tuple[str, ...]:
        pack = self._pack()
        return () if pack is None else tuple(wrong for policy in files.policies.values() for wrong in unfit(policy, pack))

    def _put_together(self, files: InForce, stored: Mapping[str, RuleSet], unread: Collection[str] | None) -> InForce:
        """``unread``: rules that may be asked for and are not there; None: any."""
        rules = {**files.rules, **stored}
        self._check(files, rules, unread)
        for policy in files.policies.values():
            self._kept.pop(policy.hash, None)
            self._kept[policy.hash] = policy
        while len(self._kept) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        return InForce(files.policies, MappingProxyType(rules), files.model)


def read_files(folder: Path | None) -> InForce:
    """Everything that is shipped and in ``folder``. Raises PolicyInvalid, RulesInvalid, ConfigError (a folder that cannot be read)."""
    policies: dict[str, Policy] = {}
    rules: dict[str, RuleSet] = {}
    for path in _toml(SHIPPED / "policies"):
        policy = read_policy(read_text(path, MAX_TEXT), name=path.name)
        policies[policy.type] = policy
    for path in _toml(SHIPPED / "rules"):
        rules[path.stem] = read_rules(read_text(path, MAX_RULES_TEXT), name=path.stem)
    model_file = SHIPPED / "models" / "default.toml"
    if folder is not None:
        if not folder.is_dir():
            raise ConfigError(f"transactions.policies_dir: {folder} is not a folder")
        own: dict[str, str] = {}
        for path in _toml(folder):
            if path.name == "model.toml":
                model_file = path
                continue
            policy = read_policy(read_text(path, MAX_TEXT), name=path.name)
            if policy.type in own:
                raise PolicyInvalid(f"{path.name}: type: {policy.type} is in {own[policy.type]} already")
            own[policy.type] = path.name
            policies[policy.type] = policy
        if (folder / "rules").is_dir():
            for path in _toml(folder / "rules"):
                if not re.fullmatch(NAME_PATTERN, path.stem):
                    raise RulesInvalid(f"rules/{path.name}: a name of a-z, 0-9, _ and -, a letter first, is needed")
                rules[path.stem] = read_rules(read_text(path, MAX_RULES_TEXT), name=path.stem)
    model = read_model(read_text(model_file, MAX_RULES_TEXT), name=model_file.name)
    return InForce(MappingProxyType(policies), MappingProxyType(rules), model)


def _toml(folder: Path) -> list[Path]:
    """Its files ``*.toml``, by name; hidden ones, as editors leave them, are none."""
    try:
        found = sorted(path for path in folder.glob("*.toml") if not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read: {error.strerror}") from None
    if len(found) > MOST_FILES:
        raise ConfigError(f"{folder}: more than {MOST_FILES} files")
    return found


def read_text(path: Path, most: int) -> str:
    """A file of at most ``most`` characters. Raises ConfigError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read(most + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    if len(text) > most:
        raise ConfigError(f"{path}: more than {most} characters")
    return text
