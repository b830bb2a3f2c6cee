"""The section ``[webhooks]`` of the configuration."""

from typing import Annotated

from server.config_base import Section, doc


class WebhooksConfig(Section, frozen=True, kw_only=True):
    """What the bank's systems are told (`docs/webhooks.md`)."""

    origins: Annotated[
        tuple[str, ...],
        doc(
            "Who may be told anything, callbacks of transactions too: origins like `https://core.bank.example`. Empty: nobody."
        ),
    ] = ()
    timeout_s: Annotated[float, doc("Longest wait for an answer, in seconds.", gt=0, le=60)] = 10.0
    keep_days: Annotated[int, doc("How long what was delivered or given up is kept, in days.", ge=1, le=3650)] = 90
