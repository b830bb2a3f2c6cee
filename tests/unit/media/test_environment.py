"""What children are told by their environment."""

from media import environment


def test_only_what_an_interpreter_needs() -> None:
    needed = {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C",
        "PYTHONPATH": "/code",
        "TMPDIR": "/tmp",
        "LD_LIBRARY_PATH": "/lib",
    }
    secret = {
        "TONGPING_SECRET": "a", "TONGPING_RECORDING_KEY": "b", "TONGPING_RECORDING_KEY_FILE": "c", "TONGPING_DATABASE_URL": "d",
        "AWS_SECRET_ACCESS_KEY": "e", "PGPASSWORD": "f", "PORT": "443", "xPATH": "g", "PATH_TO_KEY": "h", "MY_PYTHON": "i",
    }  # fmt: skip
    assert environment.needed(needed | secret) == needed
