"""What a verification worker is not able to do, and that it works all the same."""

import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.engine_pools import engine, script, works_again
from tests.support.tiny_engine import ALICE, COMMAND, USER, draw, install
from tests.unit.verification.pictures import HEIC, HEIC_TURNED
from verification.engine.calls import FATAL, MACHINES
from verification.errors import EngineError, FaceRefused, ImageRefused, NotConfined

ROOT = Path(__file__).resolve().parents[2]
HELPER = ROOT / "tests" / "support" / "confined_engine.py"
LINUX = pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in MACHINES, reason="seccomp")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("models")).parent


@pytest.fixture
def everybody_s_models() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder))
        Path(folder).chmod(0o755)
        yield Path(folder)


@LINUX
@pytest.mark.parametrize("words", [(), ("root",)])
def test_what_it_is_not_able_to_do(words: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, str(HELPER), *words], capture_output=True, check=True, timeout=60, cwd="/")
    outcomes: dict[str, str] = json.loads(done.stdout)
    assert outcomes.pop("call recvmsg") == "did"  # by which pictures come: the one thing of all these
    assert outcomes.pop("call clone3") == "did"  # it is told that there is no such call: no child came of it
    assert outcomes["children"] == "no"
    assert {name: outcome for name, outcome in outcomes.items() if outcome not in ("no", "killed")} == {}
    killed = {name for name, outcome in outcomes.items() if outcome == "killed"}
    assert killed >= {"a socket", "a local socket", "a signal"}
    tried = {name.removeprefix("call ") for name in outcomes if name.startswith("call ")}
    assert len(tried) > 70
    assert {name.removeprefix("call ") for name in killed if name.startswith("call ")} == tried & FATAL.keys()
    assert outcomes["others are harmed"] == outcomes["files are changed"] == "no"


@LINUX
async def test_it_is_told_no_secret_and_holds_no_file(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGPING_SECRET", "canary-secret")
    monkeypatch.setenv("OF_THE_BANK", "canary-of-others")
    async with engine(models) as pool:
        assert {"limits", "privileges", "calls"} <= set(pool.pack.confined)
        looked_at(pool.pids()[0])


def looked_at(pid: int) -> None:
    """What the kernel shows of a worker."""
    found = Path(f"/proc/{pid}/environ").read_bytes() if os.geteuid() == 0 else b"OMP_NUM_THREADS"
    assert b"OMP_NUM_THREADS" in found
    assert b"canary" not in found
    assert b"TONGPING" not in found
    status = Path(f"/proc/{pid}/status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status
    if os.geteuid() == 0:
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        open_files = {os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()}
        assert {name for name in open_files if not name.startswith(("socket:", "/dev/null"))} == set()


async def test_one_that_is_not_held_is_not_worked_with(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    command = script("pass", info="replace(INFO, confined=('limits', 'privileges'))")
    with pytest.raises(NotConfined, match="by calls"):
        async with engine(models, command=command):
            pass
    for changes in ({"require_confined": ("limits",)}, {"require_confined": ()}, {"providers": ("cuda",)}):
        async with engine(models, command=command, **changes) as pool:
            assert pool.counts.unconfined == 1
    assert "not wholly confined" in caplog.text
    async with engine(models, command=script("pass")) as pool:
        assert pool.counts.unconfined == 0


@LINUX
async def test_an_ordinary_user_s_worker(everybody_s_models: Path) -> None:
    async with engine(everybody_s_models, command=(*COMMAND, "user"), pack="tiny") as pool:
        assert {"limits", "privileges", "calls"} <= set(pool.pack.confined)
        assert "user" not in pool.pack.confined
        await works_again(pool)


async def test_heic_whose_decoder_makes_a_thread(models: Path) -> None:
    async with engine(models) as pool:
        sizes = [(seen.width, seen.height) for seen in [await pool.quality(data) for data in (HEIC, HEIC_TURNED)]]
        assert sizes == [(128, 96), (96, 128)]
        assert pool.counts.restarts == 0


OTHERS = """
import _thread, os, sys, threading, time
if os.geteuid() == 0:
    os.setgroups([]), os.setresgid({user}, {user}, {user}), os.setresuid({user}, {user}, {user})
threading.stack_size(32 << 10)
for _ in range({count}):
    _thread.start_new_thread(time.sleep, (600.0,))
print(flush=True)
sys.stdin.read()
"""


@contextmanager
def threads_of_others(count: int, user: int = USER) -> Iterator[None]:
    """Of another process of the user that ``tiny_engine user`` works as, or of this one."""
    code = OTHERS.format(user=user, count=count)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield


@LINUX
async def test_others_of_the_same_user_have_many_threads(everybody_s_models: Path) -> None:
    """Before it begins and afterwards: it can make those that HEIC takes."""
    with threads_of_others(700):
        async with engine(everybody_s_models, command=(*COMMAND, "user"), pack="tiny") as pool:
            assert (await pool.quality(HEIC)).width == 128
            with threads_of_others(700):
                assert (await pool.quality(HEIC)).width == 128
            assert (pool.counts.restarts, pool.counts.lost) == (0, 0)


@LINUX
def test_the_kernel_s_count_is_found() -> None:
    nobody_else = USER + 1
    code = f"""
import os, resource
from verification.engine.confine import counted_tasks
if os.geteuid() == 0:
    os.setgroups([]), os.setresgid({nobody_else}, {nobody_else}, {nobody_else}), os.setresuid({nobody_else}, {nobody_else}, {nobody_else})
before = resource.getrlimit(resource.RLIMIT_NPROC)
print(counted_tasks())
assert resource.getrlimit(resource.RLIMIT_NPROC) == before
"""

    def counted() -> int:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT, timeout=60)
        return int(done.stdout)

    few = counted()
    with threads_of_others(1500, nobody_else):
        many = counted()
    if os.geteuid() == 0:
        assert few < 40
        assert many == pytest.approx(1501, abs=40)
    else:  # this user's other processes come and go
        assert many > few + 1000


async def test_two_threads_and_large_pictures(models: Path) -> None:
    async with engine(models, threads=2) as pool:
        large = draw(ALICE, size=(2560, 1440))
        same = await pool.compare(large, draw(ALICE, size=(1280, 720), kind="WEBP"))
        assert same.comparison.match
        frame = bytes(3 * 1920 * 1080)
        assert (await pool.analyse(frame, 1920, 1080)).faces == 0


SEEDS = 40


async def test_hostile_pictures_are_refused_or_end_at_most_their_own_call(models: Path) -> None:
    chance = random.Random(11)
    seeds = [draw(ALICE, kind=kind) for kind in ("PNG", "JPEG", "WEBP")]
    async with engine(models) as pool:
        refused = 0
        for number in range(SEEDS):
            data = bytearray(seeds[number % 3])
            for _ in range(chance.choice((1, 3, 30))):
                data[chance.randrange(len(data))] = chance.randrange(256)
            if chance.random() < 0.2:
                del data[chance.randrange(len(data)) :]
            try:
                await pool.quality(bytes(data))
            except (ImageRefused, FaceRefused):
                refused += 1
            except EngineError:
                await pool.wait_ready()
        assert refused > 5
        assert (await pool.compare(draw(ALICE), draw(ALICE))).comparison.match
