"""Names of staff beside their ids, for people who read who did something. The audit has ids alone."""

from collections.abc import Iterable, Mapping

from server.api.bodies_verifications import StaffRef
from server.domain.ids import StaffId
from server.domain.model import Staff
from server.store.ports import Transaction


async def staff_named(tx: Transaction, ids: Iterable[str]) -> dict[str, Staff]:
    """Accounts of these ids, also disabled ones; what is no account's id is not in it."""
    found = {id: await tx.get_staff(StaffId(id)) for id in sorted(set(ids))}
    return {id: staff for id, staff in found.items() if staff is not None}


def staff_ref(id: StaffId, known: Mapping[str, Staff]) -> StaffRef:
    """Of an account that is there no more the id, without a name."""
    staff = known.get(id)
    return StaffRef(id=id, name=staff.name if staff is not None else "", active=staff is not None and staff.disabled_at is None)
