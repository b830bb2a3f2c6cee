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
BINDS_PACKAGES = frozenset(
    {
        "server/app.py",
        "server/bench_camera.py",
        "server/bench_live.py",
        "server/benches.py",
        "server/cli_evaluate.py",
        "server/cli_evidence.py",
        "server/cli_faces.py",
        "server/cli_models.py",
        "server/document_results.py",
        "server/evidence.py",
        "server/face_keys.py",
        "server/face_results.py",
        "server/challenges.py",
        "server/documents_shown.py",
        "server/faces.py",
        "server/loadtest/counted.py",
        "server/media_plane.py",
        "server/one_shot.py",
        "server/pdf/process.py",
        "server/loadtest/process.py",
        "server/archive.py",
        "server/cobrowse/drawing.py",
        "server/cobrowse/process.py",
        "server/cobrowse/process_messages.py",
        "server/cobrowsing.py",
        "server/recorder.py",
        "server/recordings.py",
        "server/relaying.py",
        "server/sanitisers.py",
    }
)

# Sans-I/O modules by pattern. In `media` every module is one unless it is named in SHELLS.
SANS_IO = (
    "server/errors.py",
    "server/domain/*.py",
    "server/live/gates.py",
    "server/live/ports.py",
    "server/signalling/base.py",
    "server/signalling/messages*.py",
    "server/signalling/protocol.py",
    "server/signalling/rates.py",
    "server/api/bodies*.py",
    "server/cobrowse/*.py",
    "server/api/forms.py",
    "server/pdf/jobs.py",
    "server/pdf/together.py",
    "server/audit/chain.py",
    "server/auth/throttle.py",
    "server/auth/tokens.py",
    "server/auth/turn.py",
    "server/audit/events.py",
    "server/audit/receipts.py",
    "server/audit/signed.py",
    "server/webhooks/records.py",
    "server/webhooks/schedule.py",
    "server/webhooks/signing.py",
    "server/webhooks/targets.py",
    "server/auth/jwks.py",
    "server/store/codec.py",
    "server/transactions/brief.py",
    "server/transactions/case.py",
    "server/transactions/cues.py",
    "server/transactions/decision.py",
    "server/transactions/details.py",
    "server/transactions/lock.py",
    "server/transactions/material.py",
    "server/transactions/policy.py",
    "server/transactions/policy_codes.py",
    "server/transactions/policy_details.py",
    "server/transactions/policy_pack.py",
    "server/transactions/policy_sense.py",
    "server/transactions/risk/*.py",
    "server/transactions/token.py",
    "media/*.py",
    "media/*/*.py",
    "turn/*.py",
    "verification/advice.py",
    "verification/challenge/*.py",
    "verification/documents/fields_cn.py",
    "verification/documents/mrz.py",
    "verification/documents/reading.py",
    "verification/documents/resident_id.py",
    "verification/documents/showing.py",
    "verification/documents/zone.py",
    "verification/evidence/format.py",
    "verification/engine/belief.py",
    "verification/engine/calls.py",
    "verification/engine/clip_blocks.py",
    "verification/engine/clip_boxes.py",
    "verification/engine/clip_packets.py",
    "verification/engine/messages.py",
    "verification/engine/template.py",
    "verification/errors.py",
    "verification/faces/compare.py",
    "verification/faces/quality.py",
    "verification/headers/*.py",
    "verification/evaluation/report.py",
    "verification/evaluation/metrics.py",
    "verification/models/builders.py",
    "verification/models/dlib_onnx.py",
    "verification/models/dlib_weights.py",
    "verification/models/graph.py",
    "verification/models/identity.py",
    "verification/models/manifest.py",
    "verification/models/minifas_onnx.py",
    "verification/models/onnx_format.py",
    "verification/models/pack.py",
    "verification/models/settings.py",
    "verification/models/torch_weights.py",
    "verification/ports.py",
    "verification/reasons.py",
    "verification/types.py",
)
SHELLS = frozenset(
    {
        "media/worker.py",
        "media/child.py",
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
        "media/native/inlet.py",
        "media/native/library.py",
        "media/native/selector.py",
        "media/native/uplink.py",
        "media/recording/client.py",
        "media/recording/connection.py",
        "media/recording/disk.py",
        "media/recording/feed.py",
        "media/recording/export/__init__.py",
        "media/recording/export/canvas.py",
        "media/recording/export/film.py",
        "media/recording/export/job.py",
        "media/recording/export/lettering.py",
        "media/recording/export/sound.py",
        "media/recording/export/stage.py",
        "media/recording/export/writer.py",
        "media/recording/files.py",
        "media/recording/keyfile.py",
        "media/recording/live.py",
        "media/recording/process.py",
        "media/recording/store.py",
        "media/recording/play/timeline.py",
        "media/recording/verify.py",
        "media/recording/writer.py",
        "media/bench/clip.py",
        "media/bench/flow.py",
        "media/bench/janus.py",
        "media/bench/load.py",
        "media/bench/network.py",
        "media/bench/peers.py",
        "media/bench/recording.py",
        "media/bench/relay.py",
        "media/tap/client.py",
        "media/tap/confine.py",
        "media/tap/decoder.py",
        "media/tap/outlet.py",
        "server/cobrowse/drawing.py",
        "server/cobrowse/process.py",
        "turn/beside.py",
        "verification/challenge/observe.py",
        "turn/probe.py",
        "turn/relay.py",
    }
)

PURE_STANDARD_LIBRARY = frozenset(
    """__future__ abc array base64 binascii bisect collections contextlib copy dataclasses datetime decimal difflib enum errno fractions
    functools hashlib heapq hmac html ipaddress itertools json math operator re statistics string struct textwrap tomllib types
    typing unicodedata urllib.parse zlib""".split()  # noqa: SIM905
)
PURE_THIRD_PARTY = frozenset({"msgspec", "tinycss2", "jwt", "cryptography", "aioice.stun", "numpy"})

# Names that read a clock, a file or chance although their module is otherwise pure.
IMPURE_CALLS = frozenset(
    {"open", "input", "print", "exec", "eval", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
    | {
        "np.load",
        "np.save",
        "np.savez",
        "np.fromfile",
        "np.memmap",
        "np.loadtxt",
        "np.random.default_rng",
        "np.random.RandomState",
    }
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
