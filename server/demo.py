"""The first accounts, and the demo session whose links ``tongping serve --demo`` prints."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from server.api.bodies import CreateInvitation, CreateSession, CreateStaff
from server.context import Context
from server.domain.grants import desk_grants
from server.domain.model import Language, Role, SessionKind, SessionStatus
from server.errors import ConfigError, Conflict
from server.services.principal import Principal, PrincipalKind

PASSWORDS = "demo-passwords.json"
REFERENCE = "DEMO"
AGENT_NAME = "李明"  # customers read "… invites you to talk"
COLLEAGUE, COLLEAGUE_NAME = "colleague", "王芳"
USES = 20
LIFETIME_S = 24 * 3600
CONTEXT_ZH = "演示会话：客户咨询银行卡挂失与补卡。"


@dataclass(frozen=True, slots=True)
class Links:
    """What is printed, one line each. ``agent_password`` is "" when it was set in an earlier, not a demo, start."""

    customer: str
    customer_code: str
    agent: str
    agent_password: str
    expert: str


def keep_passwords(data_dir: Path, passwords: dict[str, str]) -> None:
    """For later demo starts, mode 0600. Blocks. Raises ConfigError."""
    path = data_dir / PASSWORDS
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(passwords, file)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def kept_passwords(data_dir: Path) -> dict[str, str]:
    """Those of an earlier demo start; {} when there are none."""
    try:
        kept = json.loads((data_dir / PASSWORDS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(password) for name, password in kept.items()} if isinstance(kept, dict) else {}


async def with_colleague(context: Context, passwords: dict[str, str], data_dir: Path) -> dict[str, str]:
    """``passwords``, with a second agent's: who vouches for a customer does not review it, and some transactions take two who do. Raises ConfigError."""
    if not passwords or COLLEAGUE in passwords:
        return passwords
    password = secrets.token_urlsafe(12)
    try:
        await context.staff.create(
            CreateStaff(username=COLLEAGUE, name=COLLEAGUE_NAME, role=Role.AGENT, password=password), actor=""
        )
    except Conflict:  # somebody has made one
        return passwords
    passwords = {**passwords, COLLEAGUE: password}
    keep_passwords(data_dir, passwords)
    return passwords


async def make_session(context: Context, passwords: dict[str, str]) -> Links:
    """A fresh session of the account ``agent``, with counted invitations; demo sessions of earlier starts are ended."""
    async with context.store.read() as tx:
        agent = await tx.staff_by_username("agent")
    if agent is None:
        raise ConfigError("the demo needs the account `agent`, and it is not there")
    page = await context.sessions.page(status=SessionStatus.OPEN, customer_reference=REFERENCE, limit=100, cursor=None)
    for old in page.sessions:
        await context.live.end_session(old.id, "", agent.id)
    by = Principal(PrincipalKind.DESK, agent.id, agent.role, desk_grants(agent.role))
    session = await context.sessions.create(
        CreateSession(
            kind=SessionKind.VIDEO,
            language=Language.ZH,
            customer_reference=REFERENCE,
            reason="银行卡挂失",
            context=CONTEXT_ZH,
        ),
        by,
    )
    customer, expert = [
        await context.invitations.create(
            session.id,
            CreateInvitation(role=role, uses_allowed=USES, expires_in_s=LIFETIME_S, with_code=role is Role.CUSTOMER),
            agent.id,
        )
        for role in (Role.CUSTOMER, Role.EXPERT)
    ]
    return Links(
        customer=customer.link,
        customer_code=customer.code or "",
        agent=f"{context.public_url}/agent",
        agent_password=passwords.get("agent", ""),
        expert=expert.link,
    )
