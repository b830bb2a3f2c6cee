"""``tongping risk``: rules, models and policies looked at before a server reads them."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from server.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Rules, models and policies of transactions (docs/risk.md).")
MAX_FACTS = 64 * 1024


@app.callback()
def risk() -> None:
    """Rules, models and policies of transactions (docs/risk.md)."""


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(help="Policies, rules and models (TOML), or one folder as transactions.policies_dir.")
    ],
    facts: Annotated[
        Path | None, typer.Option("--facts", help="Facts (JSON object): print what these files make of them.")
    ] = None,
    type: Annotated[
        str, typer.Option("--type", help="The policy whose limits hold; else that of the file, or of the fact `type`.")
    ] = "",
) -> None:
    """Read them as a server does. Exit status 2, with place and reason, for the first that cannot be meant.

    With --facts: the risk of such a transaction, as JSON. What the files do not have is taken from what is shipped.
    """
    from server.transactions.policy import Policy
    from server.transactions.policy_files import InForce, read_files
    from server.transactions.risk.model import LogisticModel

    folder = files[0] if len(files) == 1 and files[0].is_dir() else None
    found: InForce = read_files(folder)
    policies, rules, model = dict(found.policies), dict(found.rules), found.model
    given: list[Policy] = []
    for path in [] if folder is not None else files:
        one = _read(path)
        if isinstance(one, Policy):
            policies[one.type] = one
            given.append(one)
        elif isinstance(one, LogisticModel):
            model = one
        else:
            rules[one.name] = one
        print(f"{path}: {_said(one)}")
    if folder is not None:
        for policy in policies.values():
            print(f"policy {_said(policy)}")
        for name, rule_set in rules.items():
            print(f"rules {name}: {_said(rule_set)}")
        print(f"model: {_said(model)}")
    for policy in policies.values():
        if policy.risk.rules not in rules:
            raise ConfigError(f"{policy.type}: risk.rules: there are no rules called {policy.risk.rules!r}")
    if facts is None:
        return
    values = _facts(facts)
    wanted = type or (given[-1].type if given else str(values.get("type", "")))
    if wanted not in policies:
        raise ConfigError("--type: name a policy" + (f"; there is none for {wanted!r}" if wanted else ""))
    print(_assessed(values | {"type": wanted}, policies[wanted], rules, model))


def _read(path: Path) -> Any:
    """A Policy, a RuleSet or a LogisticModel, by what is in it. Raises ConfigError."""
    from server.transactions.policy import read_policy
    from server.transactions.policy_files import read_text
    from server.transactions.risk.model import read_model
    from server.transactions.risk.rules import MAX_TEXT, read_rules

    text = read_text(path, MAX_TEXT)
    try:
        keys = set(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    if keys & {"type", "assurance", "title"}:
        return read_policy(text, name=str(path))
    if keys & {"intercept", "feature"}:
        return read_model(text, name=str(path))
    rules = read_rules(text, name=str(path))
    rules.name = path.stem
    return rules


def _said(one: Any) -> str:
    from server.transactions.policy import Policy
    from server.transactions.risk.model import LogisticModel

    if isinstance(one, Policy):
        return f"{one.type}: {', '.join(sorted(one.assurance))}; hash {one.hash}"
    if isinstance(one, LogisticModel):
        return f"{len(one.features)} features; hash {one.hash}"
    return f"{len(one.rules)} rules; hash {one.hash}"


def _facts(path: Path) -> dict[str, object]:
    from server.transactions.policy_files import read_text

    try:
        values = msgspec.json.decode(read_text(path, MAX_FACTS))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: an object is needed, each fact with its value")
    return values


def _assessed(values: dict[str, object], policy: Any, rules: dict[str, Any], model: Any) -> str:
    from server.transactions.risk.engine import weigh
    from server.transactions.risk.facts import FactInvalid, make_facts

    try:
        facts = make_facts(values)
    except FactInvalid as error:
        raise ConfigError(f"--facts: {error}") from None
    result = msgspec.to_builtins(weigh(facts, (), rules[policy.risk.rules], model, policy.risk))
    del result["took_ms"]
    return msgspec.json.format(msgspec.json.encode(result), indent=2).decode()
