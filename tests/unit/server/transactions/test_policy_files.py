"""Files of policies and rules: what is shipped, what the bank puts in its place, and that a bad file changes nothing."""

from pathlib import Path

import pytest

from server.errors import ConfigError
from server.transactions import policy_files
from server.transactions.policy import (
    REFERRED_BY_DEFAULT,
    ChallengeRules,
    Policy,
    PolicyInvalid,
    ReferRules,
    RiskLimits,
    read_policy,
)
from server.transactions.policy_files import Policies, UnknownType
from server.transactions.risk.expression import FUNCTIONS
from server.transactions.risk.facts import rows
from server.transactions.risk.rules import RulesInvalid, read_rules
from verification.reasons import ReasonCode

OWN = 'type = "{type}"\ntitle = {{ zh = "a", en = "b" }}\nassurance = ["match"]\nattempts = {attempts}\n'
RULE = "[[rule]]\nname = 'a'\nwhen = 'amount > {n}'\nscore = 0.1\nreason = {{ zh = 'a', en = 'b' }}\n"


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def own(type: str = "limit_change", attempts: int = 2) -> str:
    return OWN.format(type=type, attempts=attempts)


def test_what_is_shipped() -> None:
    shipped = Policies()
    assert shipped.types() == ("card_loss_report", "debit_card_password_change", "reserved_phone_change", "ushield_pin_reset")
    for type in shipped.types():
        policy = shipped.current(type)
        assert policy.type == type
        assert shipped.by_hash(policy.hash) is policy
        assert policy.refer.reasons <= set(ReasonCode)
        assert policy.title.zh
        assert policy.title.en
    assert {file.stem for file in (policy_files.SHIPPED / "policies").glob("*.toml")} == set(shipped.types())
    strictest, laxest = shipped.current("ushield_pin_reset"), shipped.current("card_loss_report")
    assert strictest.fmr <= laxest.fmr
    assert strictest.risk.refer_at < laxest.risk.refer_at
    with pytest.raises(UnknownType):
        shipped.current("limit_change")
    assert shipped.by_hash("0" * 64) is None


def test_types_in_the_shipped_rules_are_shipped_types() -> None:
    named = {type for rule in Policies().now.rules["default"].rules for type in rule.types}
    assert named <= set(Policies().types())


def test_own_policies_come_beside_and_in_place_of_the_shipped(tmp_path: Path) -> None:
    write(tmp_path, "limit.toml", own() + "[risk]\nrules = 'strict'\n")
    write(tmp_path, "loss.toml", own("card_loss_report", 1))
    write(tmp_path, "rules/strict.toml", RULE.format(n=1))
    write(tmp_path, "model.toml", "intercept = -1.0")
    write(tmp_path, ".limit.toml.swp.toml", "half a file")
    write(tmp_path, "notes.txt", "no policy")
    found = Policies(tmp_path)
    assert len(found.types()) == 5
    assert found.current("card_loss_report").attempts == 1
    assert set(found.now.rules) == {"default", "strict"}
    assert found.now.model.intercept == -1.0


@pytest.mark.parametrize(
    ("name", "text", "error", "why"),
    [
        ("b.toml", "type = ", PolicyInvalid, "b.toml: not valid TOML"),
        ("b.toml", own("limit_change"), PolicyInvalid, "b.toml: type: limit_change is in a.toml already"),
        ("b.toml", own("other_type") + "[risk]\nrules = 'none'", RulesInvalid, "other_type: risk.rules: there are no rules called 'none'"),
        ("b.toml", "#" * 70_000, ConfigError, "more than"),
        ("rules/strict.toml", RULE.format(n="x"), RulesInvalid, "strict: rule 1 (a): when: character 10"),
        ("rules/Not a name.toml", RULE.format(n=1), RulesInvalid, "a name of a-z"),
        ("model.toml", "intercept = 'x'", RulesInvalid, "model.toml: intercept"),
    ],
)  # fmt: skip
def test_one_bad_file_keeps_everything_as_it_was(
    tmp_path: Path, name: str, text: str, error: type[Exception], why: str
) -> None:
    write(tmp_path, "a.toml", own())
    found = Policies(tmp_path)
    before = found.now
    write(tmp_path, "a.toml", own(attempts=5))
    write(tmp_path, name, text)
    with pytest.raises(error) as caught:
        found.reload()
    assert why in str(caught.value)
    assert found.now is before
    assert found.current("limit_change").attempts == 2
    (tmp_path / name).unlink()
    assert found.reload().policies["limit_change"].attempts == 5


def test_a_running_case_finds_its_policy_after_a_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_files, "MOST_KEPT", 6)
    write(tmp_path, "a.toml", own())
    found = Policies(tmp_path)
    first = found.current("limit_change").hash
    write(tmp_path, "a.toml", own(attempts=5))
    found.reload()
    kept = found.by_hash(first)
    assert kept is not None
    assert kept.attempts == 2
    write(tmp_path, "a.toml", own(attempts=4))
    found.reload()
    assert found.by_hash(first) is None  # the newest six: five in force and one more
    assert found.by_hash(found.current("limit_change").hash) is not None


def test_stored_rules_stand_before_files(tmp_path: Path) -> None:
    write(tmp_path, "a.toml", own() + "[risk]\nrules = 'stored'\n")
    with pytest.raises(RulesInvalid, match="stored"):
        Policies(tmp_path)
    (tmp_path / "a.toml").unlink()
    found = Policies(tmp_path)
    mine = read_rules(RULE.format(n=3), name="default")
    found.use_stored({"default": mine, "stored": mine})
    assert found.now.rules["default"] is mine
    assert found.from_files["default"] is not mine
    write(tmp_path, "a.toml", own() + "[risk]\nrules = 'stored'\n")
    found.reload()
    assert found.now.rules["default"] is mine
    with pytest.raises(RulesInvalid, match="no rules called 'stored'"):
        found.use_stored({})
    assert found.now.rules["stored"] is mine


def test_a_folder_that_is_not_there_or_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        Policies(tmp_path / "none")
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        Policies(tmp_path)
    (tmp_path / "a.toml").unlink()
    (tmp_path / "a.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        Policies(tmp_path)


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_files, "MOST_FILES", 4)
    for number in range(5):
        write(tmp_path, f"p{number}.toml", own(f"type_{number}"))
    with pytest.raises(ConfigError, match="more than 4 files"):
        Policies(tmp_path)


PAGE = (Path(__file__).parents[4] / "docs" / "risk.md").read_text(encoding="utf-8").splitlines()


def test_the_page_has_every_fact_and_function() -> None:
    assert set(rows()) <= set(PAGE)
    assert {
        f"| `{name}` | {sum(1 for _ in one.args)}{' or more' if one.more else ''} | {one.about} |"
        for name, one in FUNCTIONS.items()
    } <= set(PAGE)


def test_the_shipped_policies_read_as_they_are_kept() -> None:
    for path in (policy_files.SHIPPED / "policies").glob("*.toml"):
        assert read_policy(path.read_text(encoding="utf-8"), name=path.name).canonical


POLICIES_PAGE = (Path(__file__).parents[4] / "docs" / "policies.md").read_text(encoding="utf-8")


def test_the_page_of_policies_has_every_key_and_reads_as_it_stands() -> None:
    for part in (Policy, ChallengeRules, ReferRules, RiskLimits):
        for key in part.__struct_fields__:
            assert f"`{key}`" in POLICIES_PAGE or f"`[{key}" in POLICIES_PAGE, key
    found = read_policy(POLICIES_PAGE.split("```toml\n")[1].split("```")[0], name="the page")
    assert (found.type, found.reviewers, set(found.details)) == ("limit_change", 2, {"limit", "currency"})
    assert ", ".join(f"`{code}`" for code in sorted(REFERRED_BY_DEFAULT)) in POLICIES_PAGE
    for policy in Policies().now.policies.values():
        row = next(line for line in POLICIES_PAGE.splitlines() if line.startswith(f"| `{policy.type}` |"))
        assert f"| {policy.fmr:g} | {policy.attempts} | {policy.risk.refer_at:g} | {policy.reviewers} |" in row
