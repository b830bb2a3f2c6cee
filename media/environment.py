"""What a child process is told by its environment: no more than an interpreter needs to start where this one did. Sans I/O.

Secrets may stand in the server's own environment (``TONGPING_SECRET``, ``TONGPING_RECORDING_KEY``), and a process's environment stays readable, in it and to others
of its user, for as long as it lives. So nothing is handed on that is not named here.
"""

from collections.abc import Mapping

NAMES = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"})
PREFIXES = ("LC_", "PYTHON")


def needed(environment: Mapping[str, str]) -> dict[str, str]:
    """Of ``os.environ``: where programs, libraries and modules are, language, time zone and the interpreter's own settings."""
    return {name: value for name, value in environment.items() if name in NAMES or name.startswith(PREFIXES)}
