"""Benchmarks of ``media`` and ``verification`` for the command line. A part of the composition root."""

from collections.abc import Sequence


def relay(arguments: Sequence[str]) -> int:
    """``tongping bench relay``; the exit status."""
    from media.bench.relay import main

    return main(list(arguments))


def recording(arguments: Sequence[str]) -> int:
    """``tongping bench recording``; the exit status."""
    from media.bench.recording import main

    return main(list(arguments))


def verify(arguments: Sequence[str]) -> int:
    """``tongping bench verify``; the exit status."""
    from server.cli_models import models_folder
    from verification.bench.verify import main

    return main(list(arguments), models_dir=models_folder(None))
