"""The states of a share."""

import pytest

from server.cobrowse.messages import ShareState
from server.cobrowse.states import TABLE, Happened, after


def test_nothing_leads_out_of_the_end_and_everything_to_it() -> None:
    assert {state for state, _ in TABLE} == set(ShareState) - {ShareState.ENDED}
    for state in ShareState:
        assert after(state, Happened.ENDED) is ShareState.ENDED
        assert after(ShareState.ENDED, Happened.RESUMED) is ShareState.ENDED


@pytest.mark.parametrize("state", [ShareState.IDLE, ShareState.PAUSED])
def test_nobody_sees_before_it_is_attached_or_while_it_is_paused(state: ShareState) -> None:
    assert after(state, Happened.SEEN) is state


def test_a_code_is_used_once() -> None:
    assert [state for state in ShareState if after(state, Happened.ATTACHED) is not state] == [ShareState.IDLE]
