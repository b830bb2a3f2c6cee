"""The section ``[audit]`` of the configuration."""

from typing import Annotated

from server.config_base import Section, doc


class AuditConfig(Section, frozen=True, kw_only=True):
    """Signed checkpoints of the audit trail (`docs/audit.md`)."""

    checkpoint_dir: Annotated[
        str,
        doc(
            "Where signed checkpoints are kept: a folder on another machine or on storage that is written once. Empty: in `data_dir`, where "
            "whoever can change the trail can remove them too."
        ),
    ] = ""
    checkpoint_every_s: Annotated[
        float, doc("Seconds between two of them; none is made where nothing happened.", ge=1, le=86_400)
    ] = 900.0
