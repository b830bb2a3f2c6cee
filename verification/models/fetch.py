"""Files from pinned addresses, from a mirror, and from the Python package index. SHELL.

An address is https (a mirror's may be http: what counts is the hash), and is not led to another scheme. What was fetched before a
line broke is kept and asked on from there. Nothing larger than the manifest says is ever written, and no server holds anybody longer than
the time for the whole file, however slowly it answers: ``deadline.py``.
"""

import http.client
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

from verification.errors import FetchFailed, HashMismatch
from verification.models.deadline import Deadline, TimedHTTPHandler, TimedHTTPSHandler
from verification.models.files import CHUNK_BYTES, Progress, sha256_of
from verification.models.pack import Source

CONNECT_TIMEOUT_S = 20.0
WHOLE_TIMEOUT_S = 1800.0
SMALL_TIMEOUT_S = 60.0
ATTEMPTS = 3
"""How often a broken line is asked on in one go; the next run goes on as well."""


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows only from http to http or https, and from https to https."""

    max_redirections = 5

    def redirect_request(self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        allowed = {"https"} if req.type == "https" else {"http", "https"}
        if urlsplit(newurl).scheme.lower() not in allowed:
            raise FetchFailed(f"{_shown(req.full_url)} leads to an address of another kind, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(deadline: Deadline) -> urllib.request.OpenerDirector:
    """Only http and https, through the proxies of the environment; no files, no ftp. Redirects and proxies share the deadline."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        TimedHTTPHandler(deadline),
        TimedHTTPSHandler(deadline),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _SameScheme(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _shown(url: str) -> str:
    """Without what might be a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def mirror_address(base: str, file: str) -> str:
    return f"{base.rstrip('/')}/{quote(file)}"


def fetch(
    url: str,
    part: Path,
    *,
    sha256: str,
    size: int,
    progress: Progress,
    name: str,
    timeout_s: float = CONNECT_TIMEOUT_S,
    whole_timeout_s: float = WHOLE_TIMEOUT_S,
) -> None:
    """Fill ``part`` until it is the whole file; what it holds already is not asked for again, unless the whole turns out to be another file: what was there before may have come from elsewhere.

    ``timeout_s``: for connecting and for each piece; ``whole_timeout_s``: for all of it, from the first address on. Raises FetchFailed (what came is kept for next time) and HashMismatch (it is not).
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise FetchFailed(f"{_shown(url)} is neither http nor https")
    deadline = Deadline(timeout_s, time.monotonic() + whole_timeout_s)
    problem, inherited = "", part.exists() and part.stat().st_size > 0
    for _ in range(ATTEMPTS):
        have = part.stat().st_size if part.exists() else 0
        if have < size:
            problem = _fetch_rest(url, part, have, size, progress, name, deadline)
        if not part.exists() or part.stat().st_size < size:
            if problem.startswith("!"):
                break
            continue
        if part.stat().st_size == size and sha256_of(part) == sha256:
            return
        part.unlink()
        if not inherited:
            raise HashMismatch(f"what {_shown(url)} gives is not the file that the manifest names")
        problem, inherited = "what an earlier run left was of another file", False
    raise FetchFailed(f"cannot fetch {_shown(url)}: {problem.removeprefix('!')}")


def _fetch_rest(url: str, part: Path, have: int, size: int, progress: Progress, name: str, deadline: Deadline) -> str:
    """Ask for what is missing. Returns what went wrong, "" for nothing, with ``!`` in front where asking again is of no use."""
    headers = {"User-Agent": "tongping-models", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was looked at
    try:
        with _opener(deadline).open(request, timeout=deadline.each_s) as answer, part.open("ab") as out:
            if not have or answer.status != http.client.PARTIAL_CONTENT or not _goes_on(answer.headers, have):
                out.truncate(0)
                have = 0
                if answer.status == http.client.PARTIAL_CONTENT:
                    return "the server answers with another part than was asked for"
            return _receive(answer, out, have, size, progress, name)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
            return "the server has less of it than was fetched before"
        return f"!{_why(error)}"
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        return "!it takes too long" if deadline.over else _why(error)


def _why(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code}"
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)


def _goes_on(headers: Any, have: int) -> bool:
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range") or "")
    return found is not None and int(found.group(1)) == have


def _receive(answer: Any, out: IO[bytes], have: int, size: int, progress: Progress, name: str) -> str:
    """What comes is written as it comes: a piece that is waited for is no longer than what is there."""
    while chunk := answer.read1(CHUNK_BYTES):
        if have + len(chunk) > size:
            out.truncate(0)
            return "!it is larger than the manifest says"
        out.write(chunk)
        have += len(chunk)
        progress(name, have, size)
    out.flush()
    os.fsync(out.fileno())
    return "" if have == size else "the line broke off"


def fetch_small(
    url: str, most: int, *, timeout_s: float = CONNECT_TIMEOUT_S, whole_timeout_s: float = SMALL_TIMEOUT_S
) -> bytes:
    """A mirror's manifest or report, ``most`` bytes. Raises FetchFailed."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise FetchFailed(f"{_shown(url)} is neither http nor https")
    deadline = Deadline(timeout_s, time.monotonic() + whole_timeout_s)
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "tongping-models"})  # noqa: S310 - looked at above
        with _opener(deadline).open(request, timeout=timeout_s) as answer:
            content: bytes = answer.read(most + 1)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        why = "it takes too long" if deadline.over else _why(error)
        raise FetchFailed(f"cannot fetch {_shown(url)}: {why}") from None
    if len(content) > most:
        raise FetchFailed(f"{_shown(url)} is too long")
    return content


def download_package(
    source: Source,
    folder: Path,
    *,
    quiet: bool,
    retries: int = ATTEMPTS,
    timeout_s: float = CONNECT_TIMEOUT_S,
    whole_timeout_s: float = WHOLE_TIMEOUT_S,
) -> Path:
    """With pip, which knows the machine's index, proxy and certificates; it checks the hash. Returns the file in ``folder``.

    ``timeout_s``: for connecting and for each piece, of each of 1 + ``retries`` tries; ``whole_timeout_s``: for all of it. Raises FetchFailed.
    """
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{source.project}=={source.version} --hash=sha256:{source.sha256}\n", encoding="ascii")
    kind = "--only-binary" if source.file.endswith(".whl") else "--no-binary"
    command = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "download",
        "--no-input",
        "--no-deps",
        "--no-cache-dir",
    ]
    command += [kind, ":all:", "--no-build-isolation", "--require-hashes", "-r", str(wanted), "-d", str(folder)]
    command += ["--retries", str(retries), "--timeout", f"{timeout_s:g}"]
    if quiet:
        command.append("--quiet")
    try:
        done = subprocess.run(  # noqa: S603
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if quiet else sys.stderr,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
            timeout=whole_timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise FetchFailed(f"the package index did not give {source.file} in {whole_timeout_s:.0f} s") from None
    path = folder / source.file
    if done.returncode != 0 or not path.is_file():
        said = [line for line in (done.stderr or "").splitlines() if line.startswith("ERROR")]
        raise FetchFailed(f"pip cannot fetch {source.project} {source.version}: {said[-1][7:] if said else 'see above'}")
    return path
