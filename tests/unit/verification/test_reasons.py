"""Every reason has an advice, every advice has words in both languages, and no words are left over."""

import pytest

from verification.advice import LANGUAGES, WORDS, advice, advice_for
from verification.reasons import ADVICE, AdviceKey, ReasonCode


def test_every_reason_has_an_advice_and_every_advice_words() -> None:
    assert set(ADVICE) == set(ReasonCode)
    assert set(ADVICE.values()) == set(AdviceKey)
    assert set(WORDS) == set(AdviceKey)


@pytest.mark.parametrize("reason", ReasonCode)
def test_advice_is_a_short_sentence_in_both_languages(reason: ReasonCode) -> None:
    chinese, english = advice(reason, "zh-CN"), advice(reason, "en")
    assert chinese.endswith("。")
    assert english.endswith(".")
    assert len(english) <= 110
    assert chinese != english
    assert advice(reason, "fr") == english
    assert reason.value == reason.name.lower()


def test_each_sentence_is_said_once_and_in_order() -> None:
    reasons = [ReasonCode.BLURRED, ReasonCode.IMAGE_BROKEN, ReasonCode.IMAGE_TRUNCATED, ReasonCode.TOO_DARK]
    said = advice_for(reasons, LANGUAGES[1])
    assert said == [advice(ReasonCode.BLURRED, "en"), advice(ReasonCode.IMAGE_BROKEN, "en"), advice(ReasonCode.TOO_DARK, "en")]
