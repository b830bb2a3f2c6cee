"""Master keys from a file or a variable's text. SHELL."""

import base64
import os
import secrets
import stat
from pathlib import Path

from media.recording.errors import RecordingKeyError
from media.recording.keys import KEY_BYTES, MAX_KEY_FILE_BYTES, KeyRing, read_master_keys
from media.recording.writer import FOLDER_MODE, write_file


def load_ring(path: str = "", text: str = "") -> KeyRing:
    """From ``text`` (keys in base64) or else the file, which nobody else may read. Raises RecordingKeyError."""
    if text or not path:
        return KeyRing(read_master_keys(text.encode()))
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            mode = os.fstat(fd).st_mode
            if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
                raise RecordingKeyError("bad_master_key", f"{path} can be read by others: chmod 600")
            return KeyRing(read_master_keys(os.read(fd, MAX_KEY_FILE_BYTES + 1)))
        finally:
            os.close(fd)
    except OSError as error:
        raise RecordingKeyError("no_master_key", f"{path}: {error.strerror}") from None


def make_key_file(path: Path) -> None:
    """A new master key in base64, mode 0600, where there is none yet. Raises RecordingKeyError."""
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        if not path.exists():
            write_file(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
    except OSError as error:
        raise RecordingKeyError("no_master_key", f"{path}: {error.strerror}") from None
