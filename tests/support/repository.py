"""The repository's own files, for the tests that read them."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_IGNORED = {".git", ".venv", "node_modules", "dist", "__pycache__", "var", "build", "test-output"}
_IGNORED_SUFFIXES = ("_cache", ".egg-info", ".hypothesis")


@cache
def own_files() -> tuple[Path, ...]:
    """Tracked files, and new ones that git does not ignore; without git, everything but what builds leave."""
    try:
        out = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            timeout=30,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return tuple(
            path
            for path in sorted(ROOT.rglob("*"))
            if path.is_file()
            and not (set(path.relative_to(ROOT).parts) & _IGNORED)
            and not any(part.endswith(_IGNORED_SUFFIXES) for part in path.parts)
        )
    return tuple(path for name in sorted(out.decode().split("\0")) if name and (path := ROOT / name).is_file())


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
