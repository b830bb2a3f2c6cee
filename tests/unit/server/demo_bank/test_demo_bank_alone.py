"""The demo's bank shares nothing with the server but the published verification of decisions: read from its sources, and from what it loads."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests.support.structure import imports

ROOT = Path(__file__).resolve().parents[4]
BANK = ROOT / "server" / "demo_bank"
ALLOWED = "server.transactions.token"


def test_it_imports_the_helper_and_nothing_else_of_ours() -> None:
    found = {
        (path.name, module)
        for path in BANK.glob("*.py")
        for _, module, name in imports(ast.parse(path.read_text(encoding="utf-8")), f"server/demo_bank/{path.name}")
        if module.split(".")[0] in ("server", "media", "verification", "turn", "tests")
        and not f"{module}.{name}".startswith("server.demo_bank")
    }
    assert found == {("clerk.py", ALLOWED), ("web.py", ALLOWED)}


def test_a_foreign_import_would_be_found() -> None:
    tree = ast.parse("from server.services import keys\nfrom server.demo_bank import books")
    assert [module for _, module, _ in imports(tree, "server/demo_bank/x.py")] == ["server.services", "server.demo_bank"]


def test_no_part_of_the_server_comes_with_it() -> None:
    """Neither its store nor its services are loaded, whatever the helper itself needs."""
    code = "import sys, server.demo_bank.run; print(*(name for name in sys.modules if name.startswith('server.')))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    kinds = {".".join(name.split(".")[:2]) for name in loaded.split()}
    assert kinds <= {"server.demo_bank", "server.transactions", "server.auth", "server.errors", "server.domain"}


def test_every_file_is_shipped_and_used() -> None:
    """Templates that are named by nobody, and names of templates that are not there."""
    code = "".join(path.read_text(encoding="utf-8") for path in BANK.glob("*.py"))
    there = {path.stem for path in (BANK / "pages").glob("*.html")}
    named = set(re.findall(r'\.pages?\(\s*"([a-z_]+)"', code)) | set(re.findall(r'"(at_branch|to_branch)"', code))
    assert named == there
    shipped = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '"server.demo_bank" = ["pages/*.html", "static/*"]' in shipped
