"""``tongping models``: what it prints, and that every refusal is one line and exit status 2."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from server import cli
from server.audit.verify import export_database
from server.store.sql import open_store
from tests.support import packs, tiny_pack
from verification.models.catalogue import shipped


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs the command in a data folder of its own: (exit status, standard output, standard error)."""
    monkeypatch.setenv("TONGPING_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.delenv("TONGPING_MODELS_DIR", raising=False)

    def go(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tongping", "models", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return go


def test_the_list_says_what_to_know(run) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = run("list")
    assert status == 0
    for name, pack in shipped().items():
        assert f"{name} {pack.version}  not installed" in out
        assert pack.licence in out
        for warning in pack.warnings:
            assert warning in out
    assert "(to be accepted)" in out


def test_the_list_says_what_models_can_run_on(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    packs.need_packages()
    last = run("list")[1].splitlines()[-1]
    assert last.startswith("providers: ")
    assert "CPUExecutionProvider" in last
    assert "Azure" not in last
    assert last.endswith("; configured: cpu")
    monkeypatch.setenv("TONGPING_VERIFICATION_PROVIDERS", "nonsense,cpu")
    status, out, _ = run("list")
    assert status == 0
    assert "configured: nonsense, cpu: workers will not start, nonsense is not in this ONNX Runtime; there are " in out


def test_the_list_without_onnx_runtime(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(sys.modules, "verification.engine.session", None)
    assert "providers: none, ONNX Runtime is not installed" in run("list")[1]


def test_an_own_pack_is_installed_verified_and_removed(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tiny_pack.write(tmp_path / "own")
    status, _, said = run("install", "--from", str(folder), "tiny")
    assert status == 0
    assert "tiny 7 installed" in said
    assert (tmp_path / "var" / "models" / "tiny" / "detector.onnx").is_file()
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
    assert "tiny 7  installed" in run("list")[1]
    assert "evaluation.json" in run("list")[1]
    status, out, _ = run("verify")
    assert (status, "2 files are right" in out) == (0, True)
    assert run("verify", "--pack", "tiny")[0] == 0
    assert "freed" in run("remove", "--pack", "tiny")[1]
    assert run("verify")[1] == "no pack is installed\n"


def test_what_is_installed_and_removed_is_in_the_trail_of_the_server(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = str(tiny_pack.write(tmp_path / "own"))
    assert run("install", "--from", folder, "tiny")[0] == 0
    base = tmp_path / "var" / "tongping.db"
    assert not base.exists(), "no server has begun: there is no trail"

    async def made() -> None:
        await (await open_store(f"sqlite:///{base}", migrate=True)).close()

    asyncio.run(made())
    assert run("install", "--from", folder, "tiny")[0] == 0
    digest = run("verify", "tiny")[1].split()[-1]
    assert run("remove", "tiny")[0] == 0
    assert run("remove", "tiny")[0] == 2
    told = [json.loads(line)["entry"] for line in export_database(base)]
    assert [(one["action"], one["actor"], one["subject"]) for one in told] == [
        ("models.installed", "command-line", "tiny"),
        ("models.removed", "command-line", "tiny"),
    ]
    assert told[0]["details"] == {"hash": digest, "version": "7"}


def test_a_pack_by_its_hash(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = str(tiny_pack.write(tmp_path / "own"))
    status, _, said = run("install", "--from", folder, "--sha256", "ab" * 32, "tiny")
    assert (status, "not the one that was given" in said) == (2, True)
    assert run("install", "--from", folder, "--sha256", "ab" * 32, "tiny", "other")[0] == 2
    assert run("install", "--from", folder, "tiny")[0] == 0
    digest = run("verify", "tiny")[1].split()[-1]
    assert run("install", "--from", folder, "--sha256", digest, "tiny")[0] == 0
    assert "--sha256" in run("install", "--from", "http://127.0.0.1:1/", "tiny")[2]


def test_what_is_not_evaluated_is_said_when_it_is_installed(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tree = tiny_pack.tree()
    assert "not evaluated" not in run("install", "--from", str(tiny_pack.write(tmp_path / "own")), "tiny")[2]
    del tree["thresholds"]["comparison"]["evaluation"]
    said = run("install", "--from", str(tiny_pack.write(tmp_path / "other", tree)), "tiny")[2]
    assert "note: not evaluated: comparison 0.4 at FMR 0.001" in said


def test_models_dir_says_where(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("TONGPING_MODELS_DIR", str(tmp_path / "elsewhere"))
    run("install", "--from", str(tiny_pack.write(tmp_path / "own")), "tiny")
    assert (tmp_path / "elsewhere" / "tiny").is_dir()


def test_a_licence_is_shown_and_must_be_accepted(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tree = tiny_pack.tree() | {"accept_licence": True, "licence": "research", "licence_text": "For research only."}
    folder = str(tiny_pack.write(tmp_path / "own", tree))
    status, _, said = run("install", "--from", folder, "tiny")
    assert status == 2
    assert "For research only." in said
    assert said.splitlines()[-1].startswith("tongping: tiny is licensed for research")
    assert run("install", "--from", folder, "--accept-licence", "tiny")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["install"], "say which pack"),
        (["install", "nope"], "there is no pack 'nope'"),
        (["install", "--pack", "base", "--from", "/nowhere"], "has neither"),
        (["install", "tiny", "--from", "ftp://example.org"], "neither http nor https"),
        (["verify", "base"], "not installed"),
        (["remove", "../.."], "is not installed"),
    ],
)
def test_what_is_refused_is_one_line(run, arguments: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    status, out, error = run(*arguments)
    assert (status, out) == (2, "")
    assert error.splitlines()[-1].startswith("tongping: ")
    assert said in error.splitlines()[-1]


def test_a_changed_file_is_told(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("install", "--from", str(tiny_pack.write(tmp_path / "own")), "tiny")
    (tmp_path / "var" / "models" / "tiny" / "detector.onnx").write_bytes(b"x")
    assert "detector.onnx is missing or has another size" in run("list")[1]
    status, _, said = run("verify")
    assert status == 2
    assert said == "tongping: detector.onnx is not the file that the manifest names: install the pack again\n"


def test_an_own_pack_whose_manifest_was_edited_is_listed_and_not_right(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("install", "--from", str(tiny_pack.write(tmp_path / "own")), "tiny")
    manifest = tmp_path / "var" / "models" / "tiny" / "manifest.toml"
    manifest.write_bytes(manifest.read_bytes().replace(b"0.4", b"0.1"))
    assert "tiny  damaged: the manifest of tiny is not the one that was installed" in run("list")[1]
    status, _, said = run("verify")
    assert status == 2
    assert said == "tongping: the manifest of tiny is not the one that was installed: install it again\n"


def test_at_set_up_what_cannot_be_fetched_is_said_and_left(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """`base` from what is there; `open` not, its mirror has nothing of it."""
    ready = packs.base()
    status, out, said = run("install", "base", "open", "--set-up", "--from", str(ready.folder))
    assert status == 0
    assert out.strip() == str(tmp_path / "var" / "models")
    assert "base 1 installed" in said
    assert "models: open is not installed" in said
    assert "tongping models install open" in said


def test_without_an_index_set_up_goes_on_without_models(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    status, out, said = run("install", "base", "open", "--set-up")
    assert (status, out.strip()) == (0, str(tmp_path / "var" / "models"))
    assert "models: base is not installed (pip cannot fetch face_recognition_models 0.3.0" in said
    assert "open" not in said


def test_the_list_of_one_pack(run) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = run("list", "--pack", "base")
    assert status == 0
    assert "base 1  not installed" in out
    assert "open 1" not in out
    status, _, said = run("list", "--pack", "nobody")
    assert (status, "there is no pack 'nobody': base" in said) == (2, True)
