"""Rules and the files of policies, managed: replaced, tried, read again; what cannot be meant changes nothing."""

import asyncio
import logging
import re
from collections.abc import Mapping, Set
from pathlib import Path

import msgspec

from server.api.bodies_risk import CheckRisk, RiskReasonView, RiskRulesList, RiskRulesView, RiskView
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.errors import ConfigError, Conflict, Invalid, NotFound
from server.services.risk_generation import Generation
from server.store.ports import Store, Transaction
from server.transactions.policy_files import Policies
from server.transactions.risk.engine import RiskEngine, weigh
from server.transactions.risk.facts import FactInvalid, make_facts
from server.transactions.risk.records import StoredRules
from server.transactions.risk.rules import NAME_PATTERN, RuleSet, RulesInvalid, RulesTooCostly, read_rules

log = logging.getLogger(__name__)
MOST_RULES = 100
MOST_TEXT = 60_000
MOST_DOTS = 200


class PoliciesInvalid(Conflict):
    """Files of policies, rules or the model that cannot be meant; what was in force still is."""

    code = "policies_invalid"


class TooCostly(Invalid):
    code = RulesTooCostly.code


class RiskRules:
    """``engine``: which works with them. One change at a time, in the store and then in the engine."""

    def __init__(self, store: Store, clock: Clock, policies: Policies, engine: RiskEngine, generation: Generation) -> None:
        self._store = store
        self._clock = clock
        self._policies = policies
        self._engine = engine
        self._generation = generation
        self._changing = asyncio.Lock()
        self.asked = asyncio.Event()
        """Set it and the files are read again, as at SIGHUP."""
        self._stored: dict[str, RuleSet] = {}
        self._unread: frozenset[str] = frozenset()
        self._known: Path | None = None

    @property
    def whole(self) -> bool:
        """Whether every stored set could be read."""
        return not self._unread

    async def load(self, tx: Transaction) -> None:
        """What stands in place of files. Raises StoreUnavailable. One that this version cannot read is noted: ``whole``."""
        stored = await tx.list_risk_rules()
        read: dict[str, RuleSet] = {}
        unread: set[str] = set()
        for one in stored:
            try:
                read[one.name] = await asyncio.to_thread(
                    read_rules, one.text, name=one.name, most_parts=None
                )  # put before there was a limit
            except RulesInvalid:
                log.error("stored rules cannot be read by this version", extra={"rules": one.name})
                unread.add(one.name)
        self._install(read, unread)

    async def run(self) -> None:
        """Until it is cancelled: reads the files again whenever that was ``asked``."""
        while True:
            await self.asked.wait()
            self.asked.clear()
            try:
                await self.reload("server")
            except PoliciesInvalid:
                continue  # said in the log
            except Exception:
                log.warning("policies not reloaded", exc_info=True)

    def all(self) -> RiskRulesList:
        now = self._policies.now
        return RiskRulesList(
            rules=[self._view(one, name) for name, one in sorted(now.rules.items())],
            policies={type: policy.hash for type, policy in sorted(now.policies.items())},
            model_hash=now.model.hash,
        )

    def _view(self, rules: RuleSet, name: str) -> RiskRulesView:
        return RiskRulesView(name=name, hash=rules.hash, rules=len(rules.rules), stored=name in self._stored, text=rules.text)

    async def put(self, name: str, text: str, actor: str) -> RiskRulesView:
        """In force when this returns. Raises Invalid (the name, the text), Conflict (too many)."""
        if not re.fullmatch(NAME_PATTERN, name):
            raise Invalid("A name of a-z, 0-9, _ and -, a letter first, is needed.")
        rules = await self._read(text, name)
        async with self._changing:
            if name not in self._stored and len(self._stored) >= MOST_RULES:
                raise Conflict(f"There are {MOST_RULES} sets of rules.")
            now = self._clock.now()
            async with self._store.begin() as tx:
                before = await tx.risk_generation()
                await tx.put_risk_rules(StoredRules(name=name, text=text, created_at=now, created_by=actor))
                await self._audit(tx, AuditAction.RISK_RULES_REPLACED, actor, name, rules.hash)
                after = await tx.risk_generation()
            if self._generation.own(before, after):
                self._install(self._stored | {name: rules}, self._unread - {name})
        return self._view(rules, name)

    async def drop(self, name: str, actor: str) -> None:
        """Back to the file. Raises NotFound, Conflict (a policy asks for them and there is no file)."""
        async with self._changing:
            needed = {policy.risk.rules for policy in self._policies.now.policies.values()}
            if name in needed and name not in self._policies.from_files:
                raise Conflict("A policy asks for these rules, and there is no file of this name.")
            async with self._store.begin() as tx:
                before = await tx.risk_generation()
                if not await tx.drop_risk_rules(name):
                    raise NotFound("There are no stored rules of this name.")
                await self._audit(tx, AuditAction.RISK_RULES_REMOVED, actor, name, "")
                after = await tx.risk_generation()
            if self._generation.own(before, after):
                left = {other: rules for other, rules in self._stored.items() if other != name}
                self._install(left, self._unread - {name})

    def _install(self, stored: Mapping[str, RuleSet], unread: Set[str]) -> None:
        """Raises RulesInvalid: a policy asks for rules that nobody has."""
        self._policies.use_stored(stored, unread)
        self._stored, self._unread = dict(stored), frozenset(unread)
        self._take_over()

    def _take_over(self) -> None:
        now = self._policies.now
        self._engine.rules, self._engine.model = now.rules, now.model

    async def _audit(self, tx: Transaction, action: AuditAction, actor: str, name: str, hash: str) -> None:
        details = {"rules": name} | ({"hash": hash} if hash else {})
        await tx.append_audit(AuditEvent(action=action, at=self._clock.now(), actor=actor, details=details))

    async def _read(self, text: str, name: str) -> RuleSet:
        """Raises Invalid, TooCostly. How long it takes to read a key grows with the square of its parts: nobody writes so many."""
        if len(text) > MOST_TEXT or any(line.count(".") > MOST_DOTS for line in text.splitlines()):
            raise Invalid(f"text: {MOST_TEXT:,} characters at most, and {MOST_DOTS} full stops in a line.")
        try:
            return await asyncio.to_thread(read_rules, text, name=name)
        except RulesTooCostly as error:
            raise TooCostly(f"text: {error.detail}") from None
        except RulesInvalid as error:
            raise Invalid(f"text: {error.detail}") from None

    async def check(self, asked: CheckRisk) -> RiskView:
        """What would come of these facts; nothing is kept. Raises Invalid, UnknownType, Conflict (stored rules that cannot be read)."""
        policy = self._policies.current(asked.type)
        rules = await self._read(asked.text, "text") if asked.text else self._policies.now.rules.get(policy.risk.rules)
        if rules is None:
            raise Conflict("This version cannot read the stored rules of this type.")
        try:
            facts = make_facts({**asked.facts, "type": asked.type})
        except FactInvalid as error:
            raise Invalid(f"facts: {error}.") from None
        result = weigh(facts, (), rules, self._policies.now.model, policy.risk)
        return RiskView(
            score=result.score,
            level=result.level,
            reasons=[msgspec.convert(one, RiskReasonView, from_attributes=True) for one in result.reasons],
            rules_hash=result.rules_hash,
            model_hash=result.model_hash,
        )

    async def started(self, path: Path) -> None:
        """The audit has it where policies, rules or the model in force are others than those that were when ``path`` was written, or nobody knows which were.
        Raises StoreUnavailable."""
        self._known, hashes = path, self._hashes()
        known = await asyncio.to_thread(_known, path)
        if hashes == known:
            return
        async with self._store.begin() as tx:
            if known or await tx.audit_head():  # else the server starts for the first time
                changed = {name: hash for name, hash in sorted(hashes.items()) if (known or {}).get(name) != hash}
                gone = {name: "" for name in sorted(known or {}) if name not in hashes}
                details = {**dict([*gone.items(), *changed.items()][:50]), "when": "start"}
                event = AuditEvent(action=AuditAction.POLICIES_RELOADED, at=self._clock.now(), actor="server", details=details)
                await tx.append_audit(event)
        await self._remember()

    def _hashes(self) -> dict[str, str]:
        """Of what comes from files."""
        now = self._policies.now
        files = {f"rules {name}": one.hash for name, one in self._policies.from_files.items()}
        return {"model": now.model.hash, **files, **{type: policy.hash for type, policy in now.policies.items()}}

    async def _remember(self) -> None:
        """For the next start. Where that fails it says again what it found."""
        if self._known is not None:
            try:
                await asyncio.to_thread(_write, self._known, msgspec.json.encode(self._hashes()))
            except OSError:
                log.warning("which policies are in force is not known at the next start")

    async def reload(self, actor: str) -> RiskRulesList:
        """Read policies, rules and model again; cases that run keep the policy they began with. Raises PoliciesInvalid, and then nothing has changed."""
        async with self._changing:
            try:
                read = await asyncio.to_thread(self._policies.read_again)
            except ConfigError as error:
                log.warning("policies not reloaded", extra={"error": error.detail})
                raise PoliciesInvalid(error.detail) from None
            details = {type: policy.hash for type, policy in sorted(read.policies.items())[:50]}
            event = AuditEvent(action=AuditAction.POLICIES_RELOADED, at=self._clock.now(), actor=actor, details=details)
            async with self._store.begin() as tx:  # first: what is in force and was not written down would be nobody's doing
                await tx.append_audit(event)
            self._policies.use(read)
            self._take_over()
            await self._remember()
        log.info("policies reloaded")
        return self.all()


def _known(path: Path) -> dict[str, str] | None:
    """None where nothing of use stands there."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: Path, data: bytes) -> None:
    aside = path.with_suffix(".new")
    aside.write_bytes(data)
    aside.replace(path)
