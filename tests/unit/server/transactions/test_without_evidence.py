"""Nothing counts of what there is no evidence of, whoever asks for the decision."""

from pathlib import Path

from server.transactions.decision import AttemptKind, Outcome
from tests.support import cases
from tests.support.bank_place import BankPlace


async def test_a_pass_of_which_nothing_was_kept_is_none(tmp_path: Path) -> None:
    place = BankPlace(tmp_path)
    id = await place.ready()
    attempts = place.verifications.attempts
    attempt = await attempts.begin_attempt(id, AttemptKind.LIVE, "PA_X")
    decision, done, _ = await attempts.finish_attempt(attempt, cases.attempt(), "PA_X", evidence="")
    assert decision.outcome is not Outcome.ACCEPT
    assert decision.reasons[0] == "evidence_lost"
    assert done.checked is not None
    assert done.checked.checks == ()
