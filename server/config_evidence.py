"""The section ``[evidence]`` of the configuration."""

from typing import Annotated

from server.config_base import Section, doc


class EvidenceConfig(Section, frozen=True, kw_only=True):
    """What is kept of verifications, sealed (`docs/evidence.md`)."""

    erasures: Annotated[
        str,
        doc(
            "File in which it is written down what was erased, so that it stays erased when an older copy of the database comes back: keep it out of "
            "backups; servers on one database share it. Empty: `erasures.jsonl` in `data_dir`."
        ),
    ] = ""
    dir: Annotated[str, doc("Folder of the evidence; servers on one database share it. Empty: `evidence` in `data_dir`.")] = ""
