"""`tongping risk check`: files are read as the server reads them, and mistakes are one clear line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli import app
from server.errors import ConfigError
from server.transactions.policy_files import SHIPPED

POLICY = 'type = "limit_change"\ntitle = { zh = "a", en = "b" }\nassurance = ["match"]\n'
RULES = "[[rule]]\nname = 'large'\nwhen = 'amount > 10'\nscore = 0.6\nreason = { zh = 'a', en = 'b' }\n"


def check(*args: str | Path) -> str:
    done = CliRunner().invoke(app, ["risk", "check", *map(str, args)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def write(folder: Path, **texts: str) -> list[Path]:
    found = []
    for name, text in texts.items():
        path = folder / f"{name}.{'json' if name == 'facts' else 'toml'}"
        path.write_text(text, encoding="utf-8")
        found.append(path)
    return found


def test_files_of_every_kind(tmp_path: Path) -> None:
    files = write(tmp_path, policy=POLICY, own=RULES, model="intercept = -2.0")
    said = check(*files)
    assert "limit_change: match; hash " in said
    assert "1 rules; hash " in said
    assert "0 features; hash " in said


def test_a_folder_with_what_is_shipped(tmp_path: Path) -> None:
    write(tmp_path, policy=POLICY + "[risk]\nrules = 'own'\n")
    (tmp_path / "rules").mkdir()
    write(tmp_path / "rules", own=RULES)
    said = check(tmp_path)
    assert "policy limit_change" in said
    assert "policy ushield_pin_reset" in said
    assert "rules own: 1 rules" in said
    assert "model: " in said


def test_what_would_come_of_facts(tmp_path: Path) -> None:
    policy, rules, facts = write(tmp_path, policy=POLICY, default=RULES, facts='{"amount": 11, "listed_watch": true}')
    said = check(policy, rules, "--facts", facts)
    result = json.loads(said[said.index("{") :])
    assert result["level"] == "refer"
    assert [reason["code"] for reason in result["reasons"]][:2] == ["listed_watch", "large"]
    assert "took_ms" not in result
    said = check(rules, "--facts", facts, "--type", "card_loss_report")
    assert json.loads(said[said.index("{") :])["score"] >= 0.6


@pytest.mark.parametrize(
    ("texts", "more", "why"),
    [
        ({"policy": POLICY + "attempts = 9"}, (), "attempts: Expected `int` <= 5"),
        ({"own": RULES.replace("> 10", ">")}, (), "when: character 9"),
        ({"model": "intercept = 'x'"}, (), "intercept: Expected `float`"),
        ({"own": "a = ["}, (), "not valid TOML"),
        ({"policy": POLICY + "[risk]\nrules = 'gone'"}, (), "there are no rules called 'gone'"),
        ({"own": RULES, "facts": "{"}, (), "not valid JSON"),
        ({"own": RULES, "facts": "[]"}, (), "an object is needed"),
        ({"own": RULES, "facts": "{}"}, (), "name a policy"),
        ({"own": RULES, "facts": '{"type": "nothing_known"}'}, (), "there is none for 'nothing_known'"),
        ({"policy": POLICY, "facts": '{"colour": 1}'}, (), "there is no fact 'colour'"),
        ({"policy": POLICY, "facts": '{"amount": "1"}'}, (), "amount must be a number"),
    ],
)
def test_mistakes(tmp_path: Path, texts: dict[str, str], more: tuple[str, ...], why: str) -> None:
    files = [path for path in write(tmp_path, **texts) if path.suffix == ".toml"]
    facts = ["--facts", str(tmp_path / "facts.json")] if "facts" in texts else []
    with pytest.raises(ConfigError) as caught:
        check(*files, *facts, *more)
    assert why in caught.value.detail


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        check(tmp_path / "none.toml")


def test_the_example_of_the_page(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "risk.md").read_text(encoding="utf-8")
    facts = tmp_path / "facts.json"
    facts.write_text(page.split("echo '")[1].split("'")[0], encoding="utf-8")
    said = check(SHIPPED / "rules" / "default.toml", "--facts", facts, "--type", "reserved_phone_change")
    assert json.loads(said[said.index("{") :])["level"] == "reject"
    rules = tmp_path / "own.toml"
    rules.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    assert "1 rules" in check(rules)
    model = tmp_path / "model.toml"
    model.write_text(page.split("```toml\n")[2].split("```")[0], encoding="utf-8")
    assert "1 features" in check(model)
