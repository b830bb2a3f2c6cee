"""Who of a session may look at the page that is shown in it. Pure."""

from server.domain.grants import Grant
from server.domain.model import Role
from server.live.member import Member


def looks(member: Member) -> bool:
    """Whether somebody of the staff may look as they are in the session: not who listens unseen, nor on hold or on the way out."""
    return (
        Grant.COBROWSE_VIEW in member.grants
        and member.participant.role is not Role.CUSTOMER
        and member.shown_to_others
        and not member.listens
        and not member.leaving
    )
