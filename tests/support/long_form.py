"""Tests that only the long form of the suite runs (``make test LONG=1``): further variants, and others that take long, of what a test of the short form shows already.

A name is a test with all its variants, or with ``[…]`` one of them. Named on the command line (``pytest file::test``) they run as well.
"""

import os
import re
from collections.abc import Iterable

LONG = "TESTS_LONG_FORM" in os.environ or os.environ.get("TESTS_CAMPAIGN") == "long"
TESTS = """
tests/biometrics/test_documents.py::test_a_card_full_of_print_takes_no_longer_than_a_document
tests/biometrics/test_documents.py::test_a_card_is_found_among_what_touches_it[cluttered]
tests/biometrics/test_documents.py::test_a_card_is_found_among_what_touches_it[crossed]
tests/biometrics/test_documents.py::test_a_card_is_found_among_what_touches_it[touched]
tests/biometrics/test_documents.py::test_a_card_may_lie_any_way_round[90]
tests/biometrics/test_documents.py::test_a_photograph_laid_over_the_text_is_not_its_portrait[passport]
tests/biometrics/test_documents.py::test_names_that_are_printed_twice[td2-td2]
tests/biometrics/test_documents.py::test_where_no_card_lies_none_is_found[True]
tests/biometrics/test_evaluation.py::test_a_clip_is_the_mean_of_its_frames
tests/biometrics/test_evaluation.py::test_all_pairs_of_two_persons_are_formed_also_by_two_processes
tests/biometrics/test_liveness.py::test_five_of_six_pass_what_they_can_show[lp_d3]
tests/browser/test_bad_network.py::test_pictures_move_over_a_bad_line_and_are_soon_back_on_a_good_one[loss 20 %]
tests/browser/test_bad_network.py::test_voices_have_few_gaps_over_a_bad_line[delay 200 ms]
tests/browser/test_bad_network_layers.py::test_switches_of_layers_without_a_decode_error
tests/browser/test_bad_network_repair.py::test_a_dead_browser_is_noticed[19]
tests/browser/test_bad_network_repair.py::test_a_dead_line_comes_back[10.0]
tests/browser/test_verification_types.py::test_a_recording_of_the_customer_changes_nothing
tests/browser/test_verification_types.py::test_it_is_not_always_too_late_here
tests/browser/test_verification_types.py::test_who_is_watched_is_approved_in_the_workbench
tests/browser/test_verification_types.py::test_who_wants_no_check_of_the_face_is_identified_by_an_agent
tests/browser/test_voice_loss.py::test_a_voice_has_few_gaps_because_what_was_lost_is_sent_again[down-0.1]
tests/scenario/test_bench_decisions.py::test_it_plays_live_attempts_with_an_installed_pack
tests/scenario/test_document_pictures.py::test_what_telephones_take_is_read
tests/scenario/test_export_damage.py::test_a_command_that_is_killed_leaves_nothing_under_the_name[9-1]
tests/scenario/test_export_damage.py::test_memory_does_not_grow_with_the_recording
tests/scenario/test_loadtest.py::test_a_server_that_runs_is_loaded_and_its_sessions_are_ended
tests/scenario/test_loadtest.py::test_an_interrupt_ends_everything
tests/scenario/test_verification_workers.py::test_whatever_it_looks_at_it_stays_within_its_memory[base]
tests/unit/verification/evaluation/test_bench.py::test_a_short_run
""".strip().splitlines()


def left_out(ids: Iterable[str]) -> set[str]:
    """Of these node ids, those that the short form does not run."""
    whole = set(TESTS)
    return set() if LONG else {one for one in ids if one in whole or re.sub(r"\[.*", "", one) in whole}
