"""The codes that an attempt can be referred by: what ``refer.reasons`` of a policy may name. Sans-I/O.

Those of the checks are ``verification.reasons.ReasonCode``, which a test compares; the others are ours.
"""

import difflib
from collections.abc import Iterable, Iterator

FAULTS = frozenset(
    """deadline_missed engine_busy engine_lost engine_unavailable evidence_lost operating_point_unknown pack_changed put_on_hold reference_changed
    stopped_by_staff stream_gap stream_lost""".split()  # noqa: SIM905
)
"""Why an attempt did not come to its end."""
THEIRS = frozenset({"camera_off", "consent_withdrawn", "customer_gone", "stream_too_fast", "stream_unreadable"})
"""Codes that there are, which no policy makes anything but a refusal."""
CHECKS = frozenset(
    """action_before_asked action_missed action_other action_replaced actions_left_none assurance_missing attempt_ended blurred clip_broken
    clip_format_unknown clip_too_large clip_too_long deadline_missed document_back_missing document_blurred document_check_failed document_contradictory
    document_cut_off document_expired document_glare document_name_unconfirmed document_no_portrait document_not_found document_not_shown
    document_not_yet_valid document_other_person document_portrait_unclear document_portrait_unsure document_too_dark document_too_small
    document_type_unknown document_unreadable engine_busy engine_lost evidence_missing eyes_closed face_changed face_cut_off face_lost face_still
    face_tilted face_too_near face_too_small face_turned face_up_or_down image_animated image_broken image_empty image_foreign_data image_format_unknown
    image_too_large image_too_many_pixels image_too_small image_truncated light_behind light_declined light_early light_late light_unanswered light_unseen
    low_contrast no_face no_match not_settled observation_invalid occluded pad_attack pad_too_few pad_unavailable pad_unsure picture_of_document
    portrait_unsure several_faces stream_frozen stream_gap stream_jumped stream_looped stream_rate stream_repeated stream_size stream_times
    stream_too_long stream_too_short too_bright too_dark uneven_light""".split()  # noqa: SIM905
)
"""What a check can say."""
UNSURE = frozenset({"match_unsure", "pad_unsure", "challenge_unsure", "light_unsure", "document_unsure"})
KNOWN = FAULTS | THEIRS | CHECKS | UNSURE | {"decision_fault"}


def unknown(codes: Iterable[str]) -> Iterator[str]:
    """What is wrong with each that is none of them, with the one that may be meant."""
    for code in sorted(set(codes) - KNOWN):
        near = difflib.get_close_matches(code, sorted(KNOWN), n=1, cutoff=0.6)
        yield f"there is no code {code!r}" + (f"; did you mean {near[0]}?" if near else "")
