"""Tables of pairs and labels: what they say, and every bad row refused with its line."""

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.errors import TableRefused
from verification.evaluation import pairs as pairs_module
from verification.evaluation.labels import read_labels
from verification.evaluation.pairs import read_pairs
from verification.evaluation.table import MOST_TOLD, Complaints


def make(folder: Path, text: str, pictures: str = "a b c d e") -> Path:
    for name in pictures.split():
        (folder / f"{name}.jpg").write_bytes(b"picture")
    table = folder / "table.csv"
    table.write_text(text, "utf-8")
    return table


def test_pairs_and_who_they_join(tmp_path: Path) -> None:
    found = read_pairs(
        make(tmp_path, "file_a,file_b,same\na.jpg,b.jpg,1\n\nb.jpg,c.jpg,1\nd.jpg,e.jpg,true\nc.jpg, d.jpg ,0\n")
    )
    assert [path.name for path in found.pictures] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert found.lines == (2, 2, 4, 5, 5)
    assert found.mated.tolist() == [[0, 1], [1, 2], [3, 4]]
    assert found.non_mated.tolist() == [[2, 3]]
    assert found.identities[0] == found.identities[2] != found.identities[3]
    assert (found.persons, found.named, found.all_pairs) == (2, False, False)


def test_every_non_mated_pair_is_formed_once(tmp_path: Path) -> None:
    """Persons {a, b, c}, {d, e}: 3 × 2 pairs of two persons. a and c are one person although no row says so of the two."""
    found = read_pairs(make(tmp_path, "file_a,file_b,same\na.jpg,b.jpg,1\nb.jpg,c.jpg,1\nd.jpg,e.jpg,1\n"), all_pairs=True)
    assert found.all_pairs
    assert found.non_mated.tolist() == [[0, 3], [0, 4], [1, 3], [1, 4], [2, 3], [2, 4]]
    assert len(found.mated) == 3


def test_ids_say_who_is_who(tmp_path: Path) -> None:
    text = "file_a,file_b,same,id_a,id_b,fold\na.jpg,b.jpg,1,Ann,Ann,3\nc.jpg,d.jpg,0,Bo,Cy,1\na.jpg,e.jpg,0,Ann,Bo,1\n"
    found = read_pairs(make(tmp_path, text), all_pairs=True)
    assert found.named
    assert found.persons == 3
    assert len(found.non_mated) == 10 - 2  # c and e are both Bo, a and b both Ann


BAD = {
    "a.jpg,b.jpg": "2 columns instead of 3",
    "a.jpg,nobody.jpg,1": "there is no file 'nobody.jpg'",
    "a.jpg,,1": "there is no file ''",
    "a.jpg,b.jpg,maybe": "same is 'maybe' and not 1 or 0",
    "a.jpg,a.jpg,1": "a picture paired with itself",
    "b.jpg,a.jpg,1": "this pair stands in line 2 already",
    "a.jpg,c.jpg,0": "same is 0, but mated pairs join these two pictures",
}


@pytest.mark.parametrize("row", BAD)
def test_a_bad_row_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    table = make(tmp_path, f"file_a,file_b,same\na.jpg,b.jpg,1\nb.jpg,c.jpg,1\na.jpg,d.jpg,0\n{row}\n")
    with pytest.raises(TableRefused, match=re.escape(f"line 5: {BAD[row]}")):
        read_pairs(table)


def test_all_bad_rows_are_told_at_once(tmp_path: Path) -> None:
    table = make(tmp_path, "file_a,file_b,same\na.jpg,b.jpg,1\n" + "\n".join(f"{row}" for row in BAD))
    with pytest.raises(TableRefused) as refused:
        read_pairs(table)
    assert [int(line) for line in re.findall(r"line (\d+):", refused.value.detail)] == [3, 4, 5, 6, 7, 8]


def test_many_bad_rows_are_told_as_a_number() -> None:
    complaints = Complaints(Path("t.csv"))
    for line in range(MOST_TOLD + 7):
        complaints.add(line, "no")
    with pytest.raises(TableRefused, match="and 7 more"):
        complaints.raise_if_any()


IDS = {
    "a.jpg,b.jpg,1,Ann,Bo": "same is 1, but the ids are 'Ann' and 'Bo'",
    "a.jpg,b.jpg,0,Ann,Ann": "same is 0, but the ids are",
    "a.jpg,b.jpg,1,,": "id_a or id_b is empty",
    "c.jpg,b.jpg,1,Ann,Ann": "c.jpg was 'Cy' before, and now 'Ann'",
}


@pytest.mark.parametrize("row", IDS)
def test_ids_that_contradict_are_refused(tmp_path: Path, row: str) -> None:
    table = make(tmp_path, f"file_a,file_b,same,id_a,id_b\nc.jpg,d.jpg,1,Cy,Cy\n{row}\n")
    with pytest.raises(TableRefused, match=re.escape(f"line 3: {IDS[row]}")):
        read_pairs(table)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no column"),
        ("file_a,same\n", "there is no column file_b"),
        ("file_a,file_b,same,same\n", "two columns have one name"),
        ("file_a,file_b,same\na.jpg,b.jpg,0\n", "no mated pair"),
        ("file_a,file_b,same\na.jpg,b.jpg,1\n", "--all-pairs forms"),
        ('file_a,file_b,same\n"a.jpg,b.jpg,1\n', "not a table"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(TableRefused, match=why):
        read_pairs(make(tmp_path, text))


def test_files_that_are_not_there_or_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableRefused, match="No such file"):
        read_pairs(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("file_a,file_b,same\né.jpg,b.jpg,1\n".encode("latin-1"))
    with pytest.raises(TableRefused, match="UTF-8"):
        read_pairs(tmp_path / "latin.csv")


def test_too_many_pairs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "MAX_PAIRS", 2)
    with pytest.raises(TableRefused, match="3 pictures make more than 2 pairs"):
        read_pairs(make(tmp_path, "file_a,file_b,same\na.jpg,b.jpg,1\na.jpg,c.jpg,0\n"), all_pairs=True)


@given(st.lists(st.lists(st.sampled_from(["a.jpg", "b.jpg", "c.jpg", "x", "1", "0", "", '"', "é"]), max_size=5), max_size=6))
def test_whatever_the_rows_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    table = make(tmp_path_factory.mktemp("rows"), "file_a,file_b,same\n" + "\n".join(",".join(row) for row in rows))
    found = None
    with contextlib.suppress(TableRefused):
        found = read_pairs(table)
    assert found is None or (len(found.mated) and len(found.non_mated))


def test_labels(tmp_path: Path) -> None:
    text = "file,live,kind,identity\na.jpg,1,,Ann\nb.jpg,0,replay_phone,Ann\nc.jpg,0,print_paper,Bo\n"
    found = read_labels(make(tmp_path, text))
    assert [(one.line, one.live, one.kind, one.identity, one.is_clip) for one in found] == [
        (2, True, "", "Ann", False),
        (3, False, "replay_phone", "Ann", False),
        (4, False, "print_paper", "Bo", False),
    ]


LABELS = {
    "a.jpg,1,live": "this file stands in line 2 already",
    "d.jpg,0,": "an attack without its kind",
    "d.jpg,,print": "live is '' and not 1 or 0",
    "gone.jpg,1,live": "there is no file 'gone.jpg'",
    f"d.jpg,0,{'x' * 61}": "a kind has at most",
}


@pytest.mark.parametrize("row", LABELS)
def test_a_bad_label_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(TableRefused, match=f"line 4: {re.escape(LABELS[row])}"):
        read_labels(make(tmp_path, f"file,live,kind\na.jpg,1,live\nb.jpg,0,print\n{row}\n"))


@pytest.mark.parametrize(("rows", "why"), [("a.jpg,1,live", "nothing is an attack"), ("a.jpg,0,print", "nobody is alive")])
def test_labels_of_one_sort_only_are_refused(tmp_path: Path, rows: str, why: str) -> None:
    with pytest.raises(TableRefused, match=why):
        read_labels(make(tmp_path, f"file,live,kind\n{rows}\n"))


@pytest.mark.parametrize("spelt", ["./b.jpg", ".//b.jpg", "../{here}/b.jpg", "link.jpg"])
def test_one_file_is_one_picture_however_it_is_spelt(tmp_path: Path, spelt: str) -> None:
    other = spelt.format(here=tmp_path.name)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.jpg")
    with pytest.raises(TableRefused, match="line 3: this pair stands in line 2 already"):
        read_pairs(make(tmp_path, f"file_a,file_b,same\na.jpg,b.jpg,1\na.jpg,{other},1\n"))
    with pytest.raises(TableRefused, match="line 2: a picture paired with itself"):
        read_pairs(make(tmp_path, f"file_a,file_b,same\nb.jpg,{other},1\n"))
    with pytest.raises(TableRefused, match="line 3: this file stands in line 2 already"):
        read_labels(make(tmp_path, f"file,live,kind\nb.jpg,1,\n{other},1,\na.jpg,0,print\n"))
    found = read_pairs(make(tmp_path, f"file_a,file_b,same\na.jpg,b.jpg,1\nc.jpg,{other},1\nd.jpg,e.jpg,1\n"), all_pairs=True)
    assert [path.name for path in found.pictures] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert found.persons == 2  # a, b and c are one; nobody is compared with themselves
