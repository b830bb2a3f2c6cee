"""What the architecture allows: which modules are sans-I/O and who may import whom. ``docs/architecture.md`` says why.

Reads sources, never imports them, so a forbidden import is found even where it would fail.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("server", "media", "verification", "turn")

# The composition root: the only files that know more than their own package.
BINDS_PACKAGES = frozenset({"server/app.py", "server/recordings.py", "server/relaying.py"})

# Sans-I/O modules by pattern. In `media` every module is one unless it is named in SHELLS.
SANS_IO = (
    "server/errors.py",
    "server/domain/*.py",
    "server/live/gates.py",
    "server/live/ports.py",
    "server/signalling/messages.py",
    "server/signalling/protocol.py",
    "server/signalling/rates.py",
    "server/api/bodies.py",
    "server/audit/chain.py",
    "server/auth/throttle.py",
    "server/auth/tokens.py",
    "server/auth/turn.py",
    "server/audit/events.py",
    "server/store/codec.py",
    "media/*.py",
    "media/*/*.py",
    "turn/*.py",
)
SHELLS = frozenset(
    {
        "media/worker.py",
        "media/heap.py",
        "media/client.py",
        "media/transport/mux.py",
        "media/transport/dtls.py",
        "media/transport/srtp.py",
        "media/transport/mmsg.py",
        "media/supervisor.py",
        "media/relay/room.py",
        "media/relay/peer.py",
        "media/transport/datachannel.py",
        "media/native/batch.py",
        "media/native/forwarder.py",
        "media/native/history.py",
        "media/native/library.py",
        "media/recording/client.py",
        "media/recording/connection.py",
        "media/recording/disk.py",
        "media/recording/feed.py",
        "media/recording/files.py",
        "media/recording/keyfile.py",
        "media/recording/live.py",
        "media/recording/process.py",
        "media/recording/store.py",
        "media/recording/verify.py",
        "media/recording/writer.py",
        "media/bench/janus.py",
        "media/bench/load.py",
        "media/bench/network.py",
        "media/bench/peers.py",
        "media/bench/relay.py",
        "turn/beside.py",
        "turn/probe.py",
        "turn/relay.py",
    }
)

PURE_STANDARD_LIBRARY = frozenset(
    """__future__ abc array base64 binascii bisect collections contextlib copy dataclasses datetime decimal enum errno fractions
    functools hashlib heapq hmac html ipaddress itertools json math operator re statistics string struct textwrap types
    typing unicodedata urllib.parse zlib""".split()  # noqa: SIM905
)
PURE_THIRD_PARTY = frozenset({"msgspec", "jwt", "cryptography", "aioice.stun"})

# Names that read a clock, a file or chance although their module is otherwise pure.
IMPURE_CALLS = frozenset(
    {"open", "input", "print", "exec", "eval", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
)


@dataclass(frozen=True, slots=True)
class Violation:
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


def sources(root: Path = ROOT) -> list[str]:
    """Every module of the packages, as ``server/domain/ids.py``."""
    return sorted(
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
        if "__pycache__" not in path.parts
    )


def is_sans_io(path: str) -> bool:
    return path not in SHELLS and any(fnmatch(path, pattern) for pattern in SANS_IO)


def sans_io_sources(root: Path = ROOT) -> list[str]:
    return [path for path in sources(root) if is_sans_io(path) and not path.endswith("__init__.py")]


def imports(tree: ast.AST, path: str) -> Iterator[tuple[int, str, str]]:
    """(line, module, name) of each import, wherever it stands; ``name`` is empty for ``import module``."""
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            for alias in node.names:
                yield node.lineno, module, alias.name


def _as_source(module: str, name: str, known: frozenset[str]) -> str | None:
    """The first-party file that an import reads, if it is one."""
    for candidate in (f"{module}.{name}" if name else module, module):
        stem = candidate.replace(".", "/")
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if path in known:
                return path
    return None


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def _only_declared(function: ast.AsyncFunctionDef) -> bool:
    """A Protocol's method: nothing but a docstring and ``...``."""
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in function.body)


def _is_pure(module: str, name: str) -> bool:
    names = {module, module.split(".")[0], f"{module}.{name}"}
    return bool(names & (PURE_STANDARD_LIBRARY | PURE_THIRD_PARTY))


def check_source(path: str, text: str, known: frozenset[str]) -> list[Violation]:
    """What one module does that it may not."""
    tree = ast.parse(text, path)
    found: list[Violation] = []
    own = path.split("/")[0]
    pure = is_sans_io(path)
    for line, module, name in imports(tree, path):
        top = module.split(".")[0]
        if top in PACKAGES:
            if top != own and path not in BINDS_PACKAGES:
                found.append(Violation(path, line, f"{own} may not import {module}; bind them in server/app.py"))
            target = _as_source(module, name, known)
            if pure and (target is None or not is_sans_io(target)) and not (target or "").endswith("__init__.py"):
                found.append(Violation(path, line, f"sans-I/O, but imports {module}.{name}, which is not"))
        elif pure and not _is_pure(module, name):
            found.append(Violation(path, line, f"sans-I/O, but imports {module}"))
    if pure:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = _dotted(node.func)
                if called in IMPURE_CALLS or called.removeprefix("datetime.") in IMPURE_CALLS:
                    found.append(Violation(path, node.lineno, f"sans-I/O, but calls {called}()"))
            elif isinstance(node, ast.Await) or (isinstance(node, ast.AsyncFunctionDef) and not _only_declared(node)):
                found.append(Violation(path, node.lineno, "sans-I/O, but asynchronous"))
    return found


def check(root: Path = ROOT) -> list[Violation]:
    """Every violation in the packages."""
    known = frozenset(sources(root))
    return [found for path in sorted(known) for found in check_source(path, (root / path).read_text(encoding="utf-8"), known)]
