"""Policies against the codes that there are, and against the model pack that is installed."""

import logging
from functools import partial
from pathlib import Path

import pytest

from server.challenges import unseen
from server.errors import Conflict
from server.risk import look_at_pack
from server.transactions import policy_codes
from server.transactions.case import CaseState
from server.transactions.decision import BROKEN_OFF
from server.transactions.policy import PolicyInvalid, read_policy, restore_policy
from server.transactions.policy_files import Policies
from server.transactions.policy_pack import PackSays, has_point
from tests.support.bank_place import PICTURES, BankPlace
from tests.unit.server.transactions.test_verifications import takes, upload
from verification.reasons import ReasonCode
from verification.types import Ability

OWN = 'type = "limit_change"\ntitle = { zh = "a", en = "b" }\n'
PACK = PackSays("base", (1e-3, 1e-4, 1e-5, 1e-6), frozenset({"base", "open"}))


def own(fields: str = 'assurance = ["match"]\n') -> str:
    return OWN + fields


def test_every_code_of_a_check_is_known_and_no_other() -> None:
    unsaid = {code for code in ReasonCode if code not in policy_codes.CHECKS}
    assert unsaid == set()
    assert {code for code in policy_codes.CHECKS if code not in set(ReasonCode)} == set()
    assert policy_codes.THEIRS == BROKEN_OFF


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            'assurance = ["match"]\n[refer]\nreasons = ["no_such_reason_code"]\n',
            "refer.reasons: there is no code 'no_such_reason_code'",
        ),
        ('assurance = ["match"]\n[refer]\nreasons = ["engine_lots"]\n', "did you mean engine_lost?"),
        ('assurance = ["match", "challenge"]\n[challenge]\nalso_require = ["device_attestation"]\n', "no attempt could pass"),
        ('assurance = ["match", "challenge"]\n[challenge]\nalso_require = ["agent", "second_channel"]\n', "second_channel"),
    ],
)
def test_what_nothing_can_say_or_satisfy_is_refused(fields: str, error: str) -> None:
    with pytest.raises(PolicyInvalid, match=r"own\.toml: ") as found:
        read_policy(own(fields), name="own.toml")
    assert error in found.value.detail


def test_what_an_earlier_version_has_kept_is_read_all_the_same() -> None:
    canonical = read_policy(own(), name="own.toml").canonical.replace(b'"engine_busy"', b'"engine_gone_by"')
    assert "engine_gone_by" in restore_policy(canonical).refer.reasons


def test_a_policy_that_the_pack_cannot_answer_is_told_at_the_start_and_refused_at_a_reload(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(own("fmr = 3.3e-4\n" + 'assurance = ["match"]\n'), encoding="utf-8")
    started = Policies(tmp_path, pack=lambda: PACK)
    assert started.misfits == (
        "limit_change: fmr: the model pack base was not evaluated at 0.00033; there are 1e-06, 1e-05, 0.0001, 0.001",
    )
    assert "limit_change" in started.types(), "whoever exchanged the pack has not stopped the server"
    file.write_text(own(), encoding="utf-8")
    started.reload()
    before = started.current("limit_change").hash
    file.write_text(
        own('assurance = ["match", "pad"]\n[thresholds.no-such-pack]\npad_accept = 0.9\npad_refer = 0.8\n'), encoding="utf-8"
    )
    with pytest.raises(
        PolicyInvalid, match=r"limit_change: thresholds\.no-such-pack: there is no such model pack; there are base, open"
    ):
        started.reload()
    assert started.current("limit_change").hash == before


def test_a_challenge_that_the_pack_cannot_see_is_named_at_the_start_and_refused_at_a_reload(tmp_path: Path) -> None:
    """``base`` sees both turns and coming closer."""
    few = partial(unseen, abilities=frozenset({Ability.COLOURS, Ability.TURN_LEFT, Ability.TURN_RIGHT, Ability.COME_CLOSER}))
    pack = PackSays("base", PACK.points, PACK.names, few)
    asked = 'assurance = ["match", "challenge"]\nattempt_s = 180\n[challenge]\nactions = %d\n'
    file = tmp_path / "own.toml"
    file.write_text(own(asked % 4), encoding="utf-8")
    policies = Policies(tmp_path, pack=lambda: pack)
    told = (
        "limit_change: challenge: the model pack base cannot see what it asks: 4 different actions asked for, this pack sees 3"
    )
    assert told in policies.misfits
    assert "limit_change" in policies.unfit_types
    assert "debit_card_password_change" not in policies.unfit_types
    with pytest.raises(PolicyInvalid, match="challenge: the model pack base cannot see"):
        policies.read_again()
    assert unseen(read_policy(own(asked % 3), name="own.toml"), frozenset({Ability.TURN_LEFT})) != ""
    assert unseen(read_policy(own(), name="own.toml"), frozenset()) != "", "a live attempt is played by one, whatever must pass"


async def test_what_does_not_fit_follows_the_pack_and_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pack comes under a server that runs, is exchanged for one that fits, and goes."""
    file = tmp_path / "own.toml"
    file.write_text(own("fmr = 3.3e-4\n" + 'assurance = ["match"]\n'), encoding="utf-8")
    installed: list[PackSays | None] = [None]
    policies = Policies(tmp_path, pack=lambda: installed[0])
    assert policies.unfit_types == ()
    installed[0] = PACK
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            await look_at_pack(policies)
            assert policies.unfit_types == ("limit_change",)
    assert [vars(record)["detail"] for record in caplog.records] == list(policies.misfits)
    installed[0] = PackSays("base", (*PACK.points, 3.3e-4), PACK.names)
    await look_at_pack(policies)
    assert policies.unfit_types == ()
    installed[0] = PACK
    await look_at_pack(policies)
    assert policies.unfit_types == ("limit_change",), "it is one again"
    installed[0] = None
    await look_at_pack(policies)
    assert policies.unfit_types == ()


def test_a_reload_between_a_look_and_its_answer_stands(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(own("fmr = 3.3e-4\n" + 'assurance = ["match"]\n'), encoding="utf-8")

    def pack() -> PackSays | None:
        if looks and looks.pop():
            file.write_text(own(), encoding="utf-8")
            policies.reload()
        return PACK

    looks: list[bool] = []
    policies = Policies(tmp_path, pack=pack)
    looks[:] = [False, True]  # the look's own question is the last of them
    assert policies.look_at_pack() == ()
    assert policies.misfits == ()


def test_where_no_pack_is_installed_nothing_is_asked_of_it(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(own("fmr = 3.3e-4\n" + 'assurance = ["match"]\n'), encoding="utf-8")
    policies = Policies(tmp_path, pack=lambda: None)
    assert policies.misfits == ()
    policies.reload()


def test_a_point_is_the_same_however_it_was_written() -> None:
    assert has_point((1e-4,), 0.0001)
    assert has_point((1e-4,), 1.0000000001e-4)
    assert not has_point((1e-4,), 1.1e-4)


async def test_an_upload_that_the_pack_cannot_answer_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.bank_place.PICTURES", "fmr = 3.3e-4\n" + PICTURES)
    place = BankPlace(tmp_path)
    id = await place.ready("test_pictures")
    with pytest.raises(Conflict, match="no operating point"):
        await upload(place, id, takes())
    case = await place.case(id)
    assert (case.state, case.attempts_used) == (CaseState.OPEN, 0)
    async with place.store.read() as tx:
        assert await tx.list_attempts(id) == []
