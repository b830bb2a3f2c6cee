"""Face and document checks: who is it, and is it a living person. Knows neither the server nor the media plane."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
"""Before anything imports ONNX Runtime: as PyPI has it, it keeps a database in the home folder and calls its maker."""
