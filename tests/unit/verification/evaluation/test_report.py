"""Reports and plots of figures that are made up: what they say, and that a manifest can cite them."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from verification.errors import ManifestInvalid
from verification.evaluation import metrics, plots, report
from verification.models.catalogue import shipped
from verification.models.cited import COMPARING, LIVING, check_report
from verification.models.pack import ComparisonThresholds, Evaluation, OperatingPoint, Pack, PadThresholds, Thresholds

ABOUT = report.About("made up", "pairs.csv", "ab" * 32, "2026-01-31", "tongping 0", ("drawn by a die",))
MATED = np.linspace(0.4, 1.0, 50)
NON_MATED = np.linspace(-0.5, 0.45, 2000)
BONA_FIDE = np.array([0.9, 0.8, 0.6])
ATTACKS = {"replay": np.array([0.1, 0.8]), "print": np.array([0.2])}


def but(pack: str, thresholds: Thresholds) -> Pack:
    return replace(shipped()[pack], thresholds=thresholds)


def recognition_tree() -> report.Tree:
    points = [metrics.operating_point(MATED, NON_MATED, target) for target in (1e-2, 1e-3, 1e-4)]
    fmr, fnmr = metrics.at_threshold(MATED, NON_MATED, 0.4)
    return {
        "kind": "recognition",
        **ABOUT.as_tree(),
        "pack": report.pack_tree(shipped()["base"], COMPARING),
        "all_pairs": True,
        "n": {"pictures": 70, "identities": 20, "mated": 50, "non_mated": 2000, "no_face": 1, "several_faces": 0, "padded": 3},
        "operating_points": [report.point_tree(point, ((0.0, 0.1), (0.02, 0.3))) for point in points],
        "manifest_points": [{"fmr": 1e-3, "threshold": 0.4, "counted": {"fmr": fmr.as_tree(), "fnmr": fnmr.as_tree()}}],
        "equal_error": 0.012,
    }


def test_a_report_of_comparison_can_be_cited() -> None:
    tree = recognition_tree()
    content = report.to_json(tree)
    point = tree["operating_points"][1]
    evaluation = Evaluation(report="made-up.json", sha256="0" * 64, n={"mated": 50})
    said = OperatingPoint(fmr=point["fmr"], threshold=point["threshold"], fnmr=point["fnmr"])

    def citing(of: OperatingPoint) -> Pack:
        return but("base", Thresholds(comparison=ComparisonThresholds(points=(of,), default_fmr=of.fmr, evaluation=evaluation)))

    check_report(citing(said), evaluation, content)
    with pytest.raises(ManifestInvalid, match=r"is not what made-up\.json found"):
        check_report(citing(OperatingPoint(fmr=said.fmr, threshold=said.threshold + 0.01)), evaluation, content)


def test_a_page_says_how_many_and_how_sure() -> None:
    page = report.recognition_page(recognition_tree(), ["x-det.png"])
    for words in (
        "70 pictures of 20 people",
        "50 mated",
        "2,000 non-mated",
        "self-tested"[1:],
        "Drawn by a die",
        "![](x-det.png)",
    ):
        assert words in page, words
    assert "too few pairs" in page, "2,000 pairs cannot show a rate of 1e-4"
    assert "dlib_face_recognition_resnet_model_v1.onnx" in page


def test_a_report_of_attacks_can_be_cited_and_read() -> None:
    rates = metrics.pad_rates(BONA_FIDE, ATTACKS, 0.7)
    tree = {
        "kind": "pad",
        **ABOUT.as_tree(),
        "pack": report.pack_tree(shipped()["open"], LIVING),
        "threshold_from": "the manifest's",
        "n": {"presentations": 6, "bona_fide": 3, "attacks": 3, "clips": 0, "identities": 2, "no_face": 0},
        **report.pad_tree(rates),
        "refer": report.pad_tree(metrics.pad_rates(BONA_FIDE, ATTACKS, 0.5)),
        "vp8": {"bits_per_second": 500_000, **report.pad_tree(rates)},
    }
    evaluation = Evaluation(report="made-up.json", sha256="0" * 64, n={"attacks": 3})
    limits = PadThresholds(accept=0.7, refer=0.5, evaluation=evaluation)
    check_report(but("open", Thresholds(pad=limits)), evaluation, report.to_json(tree))
    page = report.pad_page(tree)
    assert "APCER replay" in page
    assert "after VP8 at 500 kbit/s" in page
    assert "33.3 % (" in page
    assert "From 0.5 (`refer`) on a person may decide instead. Bona fide under it: 0 % (0 % to 100 %; 0 of 3)." in page
    assert "Attacks that reach it: print 0 % (0 % to 100 %; 0 of 1), replay 50 % (" in page
    assert json.loads(report.to_json(tree))["apcer"] == {"print": 0.0, "replay": 0.5}


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 %"), (0.0264, "2.64 %"), (0.001, "0.1 %"), (0.0000977, "0.00977 %"), (1, "100 %")]
)
def test_percentages(value: float, text: str) -> None:
    assert report.percent(value) == text


def test_plots_are_pictures_of_curves() -> None:
    curve = metrics.det(MATED, NON_MATED)
    det = plots.det_plot(
        "t", {"base": curve}, [plots.Mark(1e-2, 0.1, "10 % at 0.01"), plots.Mark(0.9, 0.9, "far")], (2000, 50), ("FMR", "FNMR")
    )
    scores = plots.score_plot(
        "t", {"mated": np.append(MATED, -np.inf), "non-mated": NON_MATED}, {"here": 0.4, "end": 1.0}, "score"
    )
    pad = plots.pad_det("t", np.array([0.9, 0.8, -np.inf]), {"replay": np.array([0.1, 0.8])}, [])
    passing = plots.passing_plot(
        "t", {f"a species of attack {at}": np.array([0.1, 0.8, -np.inf]) for at in range(7)}, {"accept": 0.7}
    )
    for png in (det, scores, pad, passing):
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.size == (plots.WIDTH, plots.HEIGHT)
            colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
        assert any(blue > 150 and red < 90 for red, _, blue in colours), "the first curve is blue"
