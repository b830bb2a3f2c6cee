"""The command: one clear line and status 2 for what the operator can put right; a start, its links, and a quick stop."""

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from server.data_lock import held
from server.store.sql import open_store
from tests.support.records import Records

ROOT = Path(__file__).resolve().parents[3]


def environment(folder: Path, **more: str) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TONGPING_") and name != "PORT"}
    return {**bare, "TONGPING_DATA_DIR": str(folder / "data"), "TONGPING_MEDIA_WORKERS": "1", **more}


def tongping(folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        cwd=ROOT,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"TONGPING_PROT": "1"}, "tongping: unknown variable TONGPING_PROT; did you mean TONGPING_PORT?\n"),
        ({"PORT": "x"}, "tongping: PORT must be a whole number\n"),
        ({"TONGPING_HOST": "192.0.2.1", "TONGPING_INSECURE_HTTP": "1", "PORT": "0"}, "cannot be used"),
        ({"TONGPING_DATABASE_URL": "mysql://x"}, "is not supported"),
        ({"TONGPING_DATA_DIR": "/dev/null/x"}, "data_dir /dev/null/x cannot be made"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, more: dict[str, str], said: str) -> None:
    done = tongping(tmp_path, "serve", **more) if "PORT" in more else tongping(tmp_path, "serve", TONGPING_PORT="0", **more)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = tongping(tmp_path, "serve", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr == f"tongping: port {port} on 127.0.0.1 is in use: choose another with --port or PORT\n"


def test_a_bank_whose_port_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = tongping(tmp_path, "serve", "--demo", "--port", "0", TONGPING_DEMO_BANK_PORT=str(port))
    assert done.returncode == 2
    assert done.stderr == f"tongping: port {port} on 127.0.0.1 is in use: choose another with --port or PORT\n"


def test_a_second_server_keeps_off_the_first_ones_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with held(tmp_path / "data"):
        done = tongping(tmp_path, "serve", TONGPING_PORT="0")
    assert done.returncode == 2
    assert done.stderr.startswith(f"tongping: another server uses data_dir {tmp_path / 'data'}: ")
    assert os.listdir(tmp_path / "data") == ["server.lock"]
    with held(tmp_path / "data"):  # let go of
        pass


def test_an_unreadable_tls_key(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("not a certificate")
    done = tongping(
        tmp_path,
        "serve",
        TONGPING_PORT="0",
        TONGPING_TLS_CERT_FILE=str(tmp_path / "cert.pem"),
        TONGPING_TLS_KEY_FILE=str(tmp_path / "cert.pem"),
    )
    assert done.returncode == 2
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_database_key_and_audit(tmp_path: Path) -> None:
    assert tongping(tmp_path, "version").stdout.strip() == "0.1.0"
    assert tongping(tmp_path, "db", "upgrade").stdout == "the database is up to date\n"
    made = tongping(tmp_path, "token", "core banking")
    assert re.fullmatch(r"\S{40,120}\n", made.stdout)
    verified = tongping(tmp_path, "audit", "verify")
    assert verified.returncode == 0, verified.stderr
    assert "1 entr" in verified.stdout
    tongping(tmp_path, "token", "archive", "--recordings")
    tongping(tmp_path, "token", "checks", "--faces")
    with sqlite3.connect(tmp_path / "data" / "tongping.db") as database:
        assert database.execute("SELECT name, recordings, faces FROM api_keys ORDER BY name").fetchall() == [
            ("archive", 1, 0),
            ("checks", 0, 1),
            ("core banking", 0, 0),
        ]
    database.close()


def serve(folder: Path, *arguments: str, **more: str) -> "subprocess.Popen[str]":
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--port", "0", *arguments],
            cwd=ROOT,
            env=environment(folder, **more),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            process_group=0,
        )


def test_the_demo_prints_its_links_and_stops(tmp_path: Path) -> None:
    passwords: set[tuple[str, str]] = set()
    for number in (signal.SIGINT, signal.SIGTERM):
        process = serve(tmp_path, "--demo")
        assert process.stdout is not None
        with process.stdout as out:
            bank = re.fullmatch(r"bank  (http://127\.0\.0\.1:\d+)\n", out.readline())
            assert bank, (tmp_path / "log").read_text()
            lines = [out.readline() for _ in range(4)]
            assert re.fullmatch(r"customer  http://127\.0\.0\.1:\d+/j/[\w-]{22}\n", lines[0]), (tmp_path / "log").read_text()
            agent = re.fullmatch(r"agent  (http://127\.0\.0\.1:\d+)/agent  agent / (\S+)\n", lines[1])
            assert agent
            assert re.fullmatch(r"expert  http://127\.0\.0\.1:\d+/j/[\w-]{22}\n", lines[2])
            colleague = re.fullmatch(rf"colleague  {agent[1]}/agent  colleague / (\S+)\n", lines[3])
            assert colleague, lines[3]
            passwords.add((agent[2], colleague[1]))
            for url in (bank[1], agent[1]):
                with urllib.request.urlopen(f"{url}/healthz", timeout=60) as answer:
                    assert answer.read() == b"ok\n"
            if number is signal.SIGINT:
                os.killpg(process.pid, number)  # as a terminal does: everybody gets it
            else:
                process.send_signal(number)
            assert process.wait(timeout=60) == 0
            assert out.read() == ""
        assert "lost" not in (tmp_path / "log").read_text(), "workers end when the server says so"
    assert len(passwords) == 1, "later starts print the same passwords"
    kept = tmp_path / "data" / "demo-passwords.json"
    assert json.loads(kept.read_text()).keys() == {"agent", "supervisor", "colleague"}
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_certificate_of_its_own(tmp_path: Path) -> None:
    process = serve(tmp_path, "--tls-self-signed", "--demo")
    assert process.stdout is not None
    with process.stdout as out:
        bank, customer = out.readline(), out.readline()
        process.terminate()
        assert process.wait(timeout=60) == 0
    assert bank.startswith("bank  https://127.0.0.1:")
    assert customer.startswith("customer  https://127.0.0.1:")
    assert (tmp_path / "data" / "self-signed-key.pem").stat().st_mode & 0o777 == 0o600


def test_the_token_key_is_rotated_while_no_server_runs(tmp_path: Path) -> None:
    first = tongping(tmp_path, "keys", "rotate")
    assert (first.returncode, first.stderr) == (0, "")
    assert "older keys kept for that: 1" in first.stdout
    secrets = tmp_path / "data" / "secrets"
    key = (secrets / "token-signing.pem").read_bytes()
    with held(tmp_path / "data"):
        refused = tongping(tmp_path, "keys", "rotate")
    assert refused.returncode == 2
    assert "another server uses data_dir" in refused.stderr
    assert (secrets / "token-signing.pem").read_bytes() == key
    ended = tongping(tmp_path, "keys", "rotate", "--end-tokens")
    assert ended.returncode == 0
    assert "no token made before is read any more" in ended.stdout
    assert list(secrets.glob("token-verify-*")) == []
    decisions = tongping(tmp_path, "keys", "rotate", "--decisions")
    assert (decisions.returncode, "stay in the set: 1" in decisions.stdout) == (0, True)
    assert len(list(secrets.glob("decision-verify-*"))) == 1
    webhooks = tongping(tmp_path, "keys", "rotate", "--webhooks")
    assert (webhooks.returncode, "stay in the set: 1" in webhooks.stdout) == (0, True)
    assert len(list(secrets.glob("webhook-verify-*"))) == 1
    assert tongping(tmp_path, "keys", "rotate", "--decisions", "--end-tokens").returncode == 2
    for wrong in (["--withdraw"], ["--audit", "--withdraw"], ["--end-tokens", "--withdraw"]):
        refused = tongping(tmp_path, "keys", "rotate", *wrong)
        assert (refused.returncode, "--withdraw is for" in refused.stderr) == (2, True)
    for name in ("decision", "webhook"):
        withdrawn = tongping(tmp_path, "keys", "rotate", f"--{name}s", "--withdraw")
        assert (withdrawn.returncode, "the only one in the set" in withdrawn.stdout) == (0, True)
        assert list(secrets.glob(f"{name}-verify-*")) == []
    trail = tongping(tmp_path, "audit", "export").stdout
    assert trail.count("signing_key.rotated") == 6
    from_text = tongping(tmp_path, "keys", "rotate", TONGPING_SECRET="x" * 32)
    assert from_text.returncode == 2
    assert "set another `secret`" in from_text.stderr


def test_the_trail_of_a_database_by_url_is_exported_and_checked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/elsewhere.db"

    async def write() -> None:
        store = await open_store(url)
        make = Records()
        for _ in range(3):
            async with store.begin() as tx:
                await tx.append_audit(make.event())
        await store.close()

    asyncio.run(write())
    found = tongping(tmp_path, "audit", "export", TONGPING_DATABASE_URL=url)
    assert (found.returncode, len(found.stdout.splitlines())) == (0, 3), found.stderr
    rest = tongping(tmp_path, "audit", "export", "--after", "2", TONGPING_DATABASE_URL=url)
    assert rest.stdout.splitlines() == found.stdout.splitlines()[2:]
    unnamed = tongping(tmp_path, "audit", "verify", TONGPING_DATABASE_URL=url)
    assert (unnamed.returncode, "name an export" in unnamed.stderr) == (2, True)
    (tmp_path / "trail.jsonl").write_text(found.stdout, encoding="utf-8")
    held = tongping(tmp_path, "audit", "verify", str(tmp_path / "trail.jsonl"), TONGPING_DATABASE_URL=url)
    assert (held.returncode, "intact: 3 entries" in held.stdout) == (0, True), held.stdout
