"""Staff accounts and their logins."""

import secrets
from datetime import datetime, timedelta

import msgspec

from server.api.bodies import CreateStaff, Login, LoginRequest, StaffView
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.grants import desk_grants
from server.domain.ids import LoginId, StaffId
from server.domain.model import Role, Staff, StaffLogin, login_stands
from server.errors import Conflict, Invalid, NotFound, Unauthenticated
from server.services.ports import MakeId, Passwords, Throttle, TokenIssuer
from server.store.ports import Store

STAFF_ROLES = frozenset({Role.AGENT, Role.EXPERT, Role.SUPERVISOR})
LOGIN = "login"  # the throttle's scope


class StaffAccounts:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        make_id: MakeId,
        tokens: TokenIssuer,
        passwords: Passwords,
        throttle: Throttle,
        *,
        login_s: int,
    ) -> None:
        """``login_s``: how long a login lasts, however often its token is renewed."""
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self._tokens = tokens
        self._passwords = passwords
        self._throttle = throttle
        self._login_s = login_s

    async def login(self, request: LoginRequest, address: str) -> Login:
        """Raises TooMany (throttled by user name and by address) and Unauthenticated, the same for every wrong pair."""
        username = request.username.strip().lower()
        self._throttle.check(LOGIN, f"address:{address}")
        self._throttle.check(LOGIN, f"name:{username}")
        async with self._store.read() as tx:
            staff = await tx.staff_by_username(username)
        if staff is None:
            await self._passwords.verify_nobody(request.password)
            right = False
        else:
            right = await self._passwords.verify(staff.password_hash, request.password) and staff.disabled_at is None
        fresh_hash = None
        if staff is not None and right and self._passwords.needs_rehash(staff.password_hash):
            fresh_hash = await self._passwords.hash(request.password)
        now = self._clock.now()
        login: StaffLogin | None = None
        async with self._store.begin() as tx:
            if staff is not None and fresh_hash is not None:
                staff = msgspec.structs.replace(await tx.get_staff(staff.id) or staff, password_hash=fresh_hash)
                await tx.save_staff(staff)
            if staff is not None and right:
                login = StaffLogin(
                    id=LoginId(self._make_id(ids.LOGIN)),
                    staff_id=staff.id,
                    created_at=now,
                    ends_at=now + timedelta(seconds=self._login_s),
                )
                await tx.add_login(login)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.LOGIN_SUCCEEDED if right else AuditAction.LOGIN_FAILED,
                    at=now,
                    actor=staff.id if staff is not None and right else "",
                    subject=staff.id if staff is not None else "",
                    details={"login": login.id} if login is not None else {},
                )
            )
        if staff is None or login is None:
            self._throttle.failed(LOGIN, f"name:{username}")
            self._throttle.failed(LOGIN, f"address:{address}")
            raise Unauthenticated("User name or password is wrong.")
        self._throttle.succeeded(LOGIN, f"name:{username}")
        self._throttle.succeeded(LOGIN, f"address:{address}")
        return self._login(staff, login, now)

    async def renew(self, id: StaffId, login_id: LoginId) -> Login:
        """A fresh desk token; it ends with the login at the latest. Raises Unauthenticated as ``signed_in`` does."""
        staff, login = await self.signed_in(id, login_id)
        try:
            return self._login(staff, login, self._clock.now())
        except ValueError:  # it ended in this very moment
            raise Unauthenticated("Please sign in again.") from None

    async def signed_in(self, id: StaffId, login_id: LoginId) -> tuple[Staff, StaffLogin]:
        """Raises Unauthenticated: the account was disabled, the login was ended or has lasted too long."""
        async with self._store.read() as tx:
            staff, login = await tx.get_staff(id), await tx.get_login(login_id)
        if staff is None or staff.disabled_at is not None:
            raise Unauthenticated("This account is not active.")
        if login is None or not login_stands(login, id, self._clock.now()):
            raise Unauthenticated("Please sign in again.")
        return staff, login

    async def logout(self, login_id: LoginId) -> None:
        """From now on nothing of this login opens anything. Again changes nothing. Then call ``LiveSessions.login_ended``."""
        now = self._clock.now()
        async with self._store.begin() as tx:
            login = await tx.get_login(login_id)
            if login is None or login.ended_at is not None:
                return
            await tx.save_login(msgspec.structs.replace(login, ended_at=now))
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.LOGIN_ENDED,
                    at=now,
                    actor=login.staff_id,
                    subject=login.staff_id,
                    details={"login": login.id},
                )
            )

    async def forget_logins(self) -> int:
        """Those that were over a month ago: the audit still has them."""
        async with self._store.begin() as tx:
            return await tx.forget_logins(self._clock.now() - timedelta(days=30))

    async def active(self, id: StaffId) -> Staff:
        """Raises Unauthenticated when there is no such account or it is disabled."""
        async with self._store.read() as tx:
            staff = await tx.get_staff(id)
        if staff is None or staff.disabled_at is not None:
            raise Unauthenticated("This account is not active.")
        return staff

    async def all(self) -> list[Staff]:
        async with self._store.read() as tx:
            return await tx.list_staff()

    async def create(self, request: CreateStaff, actor: str) -> Staff:
        """Raises Conflict (user name taken), Invalid (a role that is not staff)."""
        if request.role not in STAFF_ROLES:
            raise Invalid("role: staff are agents, experts or supervisors.")
        password_hash = await self._passwords.hash(request.password)
        now = self._clock.now()
        staff = Staff(
            id=StaffId(self._make_id(ids.STAFF)),
            username=request.username,
            name=request.name,
            role=request.role,
            password_hash=password_hash,
            created_at=now,
        )
        async with self._store.begin() as tx:
            if await tx.staff_by_username(request.username) is not None:
                raise Conflict("This user name is taken.")
            await tx.add_staff(staff)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.STAFF_CREATED,
                    at=now,
                    actor=actor,
                    subject=staff.id,
                    details={"role": staff.role.value},
                )
            )
        return staff

    async def disable(self, id: StaffId, actor: str) -> None:
        """They cannot sign in any more, and their tokens end. Again changes nothing. Raises NotFound, Conflict (oneself)."""
        if id == actor:
            raise Conflict("Nobody disables their own account.")
        now = self._clock.now()
        async with self._store.begin() as tx:
            staff = await tx.get_staff(id)
            if staff is None:
                raise NotFound("There is no such account.")
            if staff.disabled_at is not None:
                return
            await tx.save_staff(msgspec.structs.replace(staff, disabled_at=now))
            await tx.append_audit(AuditEvent(action=AuditAction.STAFF_DISABLED, at=now, actor=actor, subject=id))

    async def create_first(self, *, agent_name: str = "Agent") -> dict[str, str]:
        """On a store without staff: ``agent`` and ``supervisor``. Answers user name → password, {} when there is staff.

        Generated passwords; whoever calls shows them or keeps them, this service does not.
        """
        if await self.all():
            return {}
        made: dict[str, str] = {}
        for username, name, role in (("agent", agent_name, Role.AGENT), ("supervisor", "Supervisor", Role.SUPERVISOR)):
            password = secrets.token_urlsafe(12)
            await self.create(CreateStaff(username=username, name=name, role=role, password=password), actor="")
            made[username] = password
        return made

    def _login(self, staff: Staff, login: StaffLogin, now: datetime) -> Login:
        grants = desk_grants(staff.role)
        token, expires_at = self._tokens.desk_token(
            staff=staff.id, login=login.id, role=staff.role, grants=grants, now=now, until=login.ends_at
        )
        return Login(token=token, expires_at=expires_at, staff=staff_view(staff), grants=sorted(grants))


def staff_view(staff: Staff) -> StaffView:
    return StaffView(
        id=staff.id,
        username=staff.username,
        name=staff.name,
        role=staff.role,
        disabled=staff.disabled_at is not None,
    )
