"""The section ``[transactions]`` of the configuration."""

from typing import Annotated

from server.config_base import Section, doc


class TransactionsConfig(Section, frozen=True, kw_only=True):
    """Verification of transactions (`docs/transactions.md`) and their risk (`docs/risk.md`)."""

    policies_dir: Annotated[
        str,
        doc(
            "Folder of policies, rules and a model of your own, in place of the shipped ones or beside them (`docs/risk.md`). Empty: the "
            "shipped ones alone."
        ),
    ] = ""
    time_zone: Annotated[
        str,
        doc(
            "Where the bank's clocks are, as IANA calls it: the hour and the day of the week that rules ask for.",
            pattern="^[A-Za-z0-9_+/-]{1,64}$",
        ),
    ] = "Asia/Shanghai"
    return_origins: Annotated[
        tuple[str, ...],
        doc(
            "Where customers who were verified by themselves may be sent back to: origins like `https://app.bank.example`, with `http` on this "
            "machine alone. Empty: nowhere."
        ),
    ] = ()
    cases_per_min: Annotated[int, doc("Verifications that one API key may ask for in a minute.", ge=1, le=1_000_000)] = 600
    decision_s: Annotated[
        int,
        doc("For how long a signed decision holds: it is verified and redeemed within that, in seconds.", ge=60, le=3600),
    ] = 600
    redeems: Annotated[
        str,
        doc(
            "File in which it is written down which decisions were redeemed, so that none is a second time when an older copy of the database comes back: "
            "keep it out of backups; servers on one database share it. Empty: `redeems.jsonl` in `data_dir`."
        ),
    ] = ""
    lock_s: Annotated[int, doc("For how long five failures in a row lock a customer, in seconds.", ge=60, le=31_536_000)] = (
        86_400
    )
