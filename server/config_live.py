"""The sections ``[live]`` and ``[supervision]`` of the configuration."""

from typing import Annotated, Literal

from server.config_base import Section, doc


class LiveConfig(Section, frozen=True, kw_only=True):
    """Sessions that are going on."""

    agent_keep_s: Annotated[
        int,
        doc(
            "How long the place of an agent whose connection is lost is kept, in seconds; then the customer waits again, at the front.",
            ge=20,
            le=600,
        ),
    ] = 60


class SupervisionConfig(Section, frozen=True, kw_only=True):
    """Supervisors who listen."""

    disclosed: Annotated[
        Literal["everybody", "staff", "nobody"],
        doc(
            "Who is shown that a supervisor listens: `everybody` in the session, `staff` (agents and supervisors), or `nobody` (other "
            "supervisors still see it, and the audit has it). What your law and your customers were told decides."
        ),
    ] = "everybody"
