"""Configuration: one TOML file and ``TONGPING_*`` variables, validated at start, frozen afterwards. Unknown keys are fatal.

The definitions below are the documentation: ``docs/configuration.md`` is written from them (``python -m server.config``)
and a test fails when it is not. Variables win over the file: ``media.udp_port_base`` is ``TONGPING_MEDIA_UDP_PORT_BASE``,
``port`` is ``TONGPING_PORT`` or ``PORT``. A list in a variable is comma-separated.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec

from server.config_audit import AuditConfig
from server.config_base import Section as _Section
from server.config_base import doc as _doc
from server.config_cobrowse import CobrowseConfig, check_cobrowse
from server.config_evidence import EvidenceConfig
from server.config_live import LiveConfig, SupervisionConfig
from server.config_transactions import TransactionsConfig
from server.config_verification import VerificationConfig
from server.config_webhooks import WebhooksConfig
from server.errors import ConfigError, Invalid
from server.webhooks import targets

PREFIX = "TONGPING_"
FILE_VARIABLE = "TONGPING_CONFIG"
NOT_CONFIGURATION = frozenset({FILE_VARIABLE, "TONGPING_VERIFICATION"})
"""The second is of `make run`: whether it installs the packages of face checks."""
SECRET_FILE_SUFFIX = "_FILE"  # noqa: S105 - of a variable's name


VideoCodec = Literal["VP8", "H264", "VP9", "AV1"]


class MediaConfig(_Section, frozen=True, kw_only=True):
    """The media workers."""

    workers: Annotated[int, _doc("Worker processes; 0 is one for each core.", ge=0, le=256)] = 0
    bind_addresses: Annotated[
        tuple[str, ...], _doc("Addresses the workers listen on (UDP). Empty: the machine's own addresses, loopback included.")
    ] = ()
    announced_addresses: Annotated[
        tuple[str, ...], _doc("Addresses browsers are told instead of the bound ones (1:1 NAT). Empty: the bound ones.")
    ] = ()
    udp_port_base: Annotated[int, _doc("Worker n listens on this UDP port + n; 0 takes free ports.", ge=0, le=65000)] = 0
    video_codecs: Annotated[tuple[VideoCodec, ...], _doc("What publishers are asked to send, best first.", min_length=1)] = (
        "VP8",
        "H264",
        "VP9",
        "AV1",
    )
    audio_slots: Annotated[int, _doc("How many voices a page receives at once.", ge=1, le=32)] = 6
    video_slots: Annotated[int, _doc("How many pictures a page receives at once.", ge=1, le=48)] = 12
    native: Annotated[bool, _doc("Forward packets in C where `make run` could build that; else, or when false, in Python.")] = (
        True
    )
    answer_timeout_s: Annotated[float, _doc("Longest wait for a worker to answer, in seconds.", gt=0, le=60)] = 5.0


class LimitsConfig(_Section, frozen=True, kw_only=True):
    """What one caller may use up."""

    max_body_bytes: Annotated[int, _doc("Largest REST body other than a file, in bytes.", ge=1024, le=16 << 20)] = 64 * 1024
    request_timeout_s: Annotated[float, _doc("Longest time for a REST request, in seconds.", gt=0, le=600)] = 30.0
    upload_timeout_s: Annotated[float, _doc("Longest time for a file upload, in seconds.", gt=0, le=3600)] = 300.0
    max_participants: Annotated[
        int,
        _doc(
            "People in one session; its customer and staff who enter it get in besides, and as many more may wait.",
            ge=2,
            le=100,
        ),
    ] = 12
    max_waiting: Annotated[int, _doc("Customers in the waiting list.", ge=1, le=100_000)] = 200
    max_connections: Annotated[int, _doc("Signalling connections in all.", ge=1, le=1_000_000)] = 5000
    max_connections_per_address: Annotated[int, _doc("Signalling connections from one address.", ge=1, le=100_000)] = 200
    abandoned_s: Annotated[
        int,
        _doc(
            "An open session is ended when nobody has been in it for so long, in seconds, and no live invitation leads to it; 0 never.",
            ge=0,
            le=31_536_000,
        ),
    ] = 43_200
    idempotency_s: Annotated[int, _doc("How long the answer to a creating request is kept, in seconds.", ge=60)] = 86_400


class FilesConfig(_Section, frozen=True, kw_only=True):
    """Files sent in a chat."""

    max_file_bytes: Annotated[int, _doc("Largest file, in bytes.", ge=1024, le=1 << 30)] = 20 * 1024 * 1024
    media_types: Annotated[
        tuple[str, ...], _doc("What may be sent, judged by content and not by name. Only types the server can tell apart.")
    ] = (
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/gif",
        "application/pdf",
        "text/plain",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    )
    max_session_bytes: Annotated[int, _doc("All files of one session together, in bytes.", ge=1024)] = 200 * 1024 * 1024


class ThrottleConfig(_Section, frozen=True, kw_only=True):
    """Failed attempts that are allowed before the guesser must wait."""

    attempts: Annotated[int, _doc("Failures allowed within the window.", ge=1, le=1000)] = 5
    window_s: Annotated[int, _doc("The window, in seconds; then failures are forgotten.", ge=1, le=86_400)] = 300
    waiting_joins: Annotated[
        int, _doc("How often one address may join the waiting list within the window.", ge=1, le=10_000)
    ] = 10


class TokenConfig(_Section, frozen=True, kw_only=True):
    """Lifetimes of signed tokens."""

    session_s: Annotated[int, _doc("A session token, in seconds; pages renew it while connected.", ge=60, le=86_400)] = 900
    desk_s: Annotated[int, _doc("A staff member's desk token, in seconds.", ge=60, le=86_400)] = 3600
    desk_max_s: Annotated[
        int,
        _doc(
            "A login of a staff member, in seconds: however often its token is renewed, then the password again.",
            ge=60,
            le=604_800,
        ),
    ] = 43_200


class TurnConfig(_Section, frozen=True, kw_only=True):
    """The TURN relay (coturn) for customers whose network lets no UDP through. See `docs/turn.md`."""

    host: Annotated[
        str,
        _doc(
            "Name or address at which pages reach the relay. Empty: none, or the one that `make turn` runs from this `data_dir`."
        ),
    ] = ""
    port: Annotated[int, _doc("Its port for UDP and TCP.", ge=1, le=65535)] = 3478
    tls_port: Annotated[int, _doc("Its port for TLS, best 443; 0: no TLS.", ge=0, le=65535)] = 0
    tls_cert_file: Annotated[str, _doc("The relay's certificate chain (PEM). Empty: the server's own.")] = ""
    tls_key_file: Annotated[str, _doc("Private key (PEM) of that certificate.")] = ""
    secret: Annotated[
        str, _doc("At least 32 characters that server and relay share. Empty: made from the server's own secret.")
    ] = ""
    realm: Annotated[str, _doc("What the relay calls itself.", min_length=1, max_length=100)] = "tongping"
    credential_s: Annotated[
        int, _doc("How long a participant's credential lasts, in seconds; pages get a new one before that.", ge=60, le=86_400)
    ] = 1800
    listen_addresses: Annotated[
        tuple[str, ...], _doc("Addresses the relay listens on. Empty: the machine's own; loopback only where the server does.")
    ] = ()
    relay_addresses: Annotated[
        tuple[str, ...], _doc("Addresses it sends to the media workers from. Empty: those it listens on.")
    ] = ()
    peer_addresses: Annotated[
        tuple[str, ...],
        _doc("The only addresses it sends to. Empty: the media workers' (`media.announced_addresses`, or the bound ones)."),
    ] = ()
    relay_port_min: Annotated[int, _doc("Lowest UDP port it sends from.", ge=1024, le=65535)] = 49152
    relay_port_max: Annotated[int, _doc("Highest UDP port it sends from.", ge=1024, le=65535)] = 65535
    user_quota: Annotated[int, _doc("Allocations of one participant at a time.", ge=4, le=1000)] = 24
    total_quota: Annotated[int, _doc("Allocations in all.", ge=4, le=60_000)] = 2000
    session_bps: Annotated[
        int, _doc("What one allocation may carry each way, in bits per second.", ge=100_000, le=1_000_000_000)
    ] = 10_000_000
    probe_s: Annotated[
        float, _doc("How often the server tries the relay with an allocation of its own, in seconds.", ge=5, le=3600)
    ] = 30.0
    required: Annotated[bool, _doc("Whether `/readyz` fails while the relay does not answer; it says so either way.")] = True


class RecordingConfig(_Section, frozen=True, kw_only=True):
    """Recordings. See `docs/recording.md`."""

    key: Annotated[
        str,
        _doc(
            "Master keys of recordings, each 32 bytes in base64, comma-separated: the first encrypts, the others still read. "
            "Empty: one that is made once and kept in `data_dir` (`secrets/recording.key`)."
        ),
    ] = ""
    enabled: Annotated[bool, _doc("Whether sessions can be recorded. Without it no recorder is started.")] = True
    at_start: Annotated[
        Literal["manual", "ask"],
        _doc(
            "`manual`: an agent or supervisor asks for the recording. `ask`: everybody is asked for consent as soon as a customer and "
            "an agent are in the session. Either way nothing is recorded before it was given."
        ),
    ] = "manual"
    checklist: Annotated[
        tuple[str, ...],
        _doc(
            "What an agent ticks while recording, in this order: `id|中文|English` each. An id is 1 to 40 of `a-z`, `0-9`, `_`, `-`. "
            "Empty: no checklist."
        ),
    ] = (
        "identity|已核实客户身份|Identity checked",
        "product|已说明产品和费用|Product and fees explained",
        "risk|已揭示风险，客户已知悉|Risks explained and understood",
        "confirmed|客户本人确认办理|Customer confirmed in person",
    )
    retention_days: Annotated[
        int, _doc("A recording is erased so long after it ended, in days; 0 keeps it for ever.", ge=0, le=36_500)
    ] = 1825
    page_wordings: Annotated[
        tuple[str, ...],
        _doc(
            "`wording` of the bank's own texts of consent to a recording that say that a shared page is kept. Under others none is."
        ),
    ] = ()
    exports_kept_s: Annotated[
        int, _doc("How long an exported file lies ready to be fetched, in seconds; then it is removed.", ge=60, le=86_400)
    ] = 3600


class BankConfig(_Section, frozen=True, kw_only=True):
    """What customers see of the bank."""

    name_zh: Annotated[str, _doc("The bank's name in Chinese.", min_length=1, max_length=60)] = "同屏银行"
    name_en: Annotated[str, _doc("The bank's name in English.", min_length=1, max_length=60)] = "Tongping Bank"


class Config(_Section, frozen=True, kw_only=True):
    """The whole configuration."""

    host: Annotated[str, _doc("Address to serve on.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, _doc("TCP port to serve on; 0 takes a free one. `PORT` is honoured too.", ge=0, le=65535)] = 8080
    public_url: Annotated[
        str, _doc("Where browsers reach this server, without a slash at the end. Empty: made from host and port.")
    ] = ""
    data_dir: Annotated[Path, _doc("Everything this server keeps on disk: database, keys, files.")] = Path("var")
    models_dir: Annotated[
        str, _doc("Where the model packs of face checks are (`docs/models.md`). Empty: `models` in `data_dir`.")
    ] = ""
    database_url: Annotated[
        str, _doc("SQLAlchemy URL (`sqlite+aiosqlite:///…`, `postgresql+asyncpg://…`). Empty: SQLite in `data_dir`.")
    ] = ""
    secret: Annotated[
        str,
        _doc(
            "At least 32 characters that the keys of tokens, codes, decisions, webhooks and checkpoints come from: the same on all servers of a group. "
            "Empty: keys are made once and kept in `data_dir`."
        ),
    ] = ""
    secret_previous: Annotated[
        tuple[str, ...],
        _doc(
            "Values that `secret` had before, the newest first, 7 at most, without commas: what was signed with their keys is still read (`docs/transactions.md`)."
        ),
    ] = ()
    tls_cert_file: Annotated[str, _doc("Certificate chain (PEM) to serve HTTPS with; needs `tls_key_file`.")] = ""
    tls_key_file: Annotated[str, _doc("Private key (PEM) of the certificate.")] = ""
    tls_self_signed: Annotated[
        bool, _doc("Make a certificate for this machine's addresses in `data_dir`, to try it from a phone.")
    ] = False
    walk_in: Annotated[bool, _doc("Customers may join the waiting list without an appointment.")] = True
    demo: Annotated[bool, _doc("Make a demo session and accounts at start and print their links. Never in production.")] = False
    demo_bank_port: Annotated[
        int, _doc("TCP port of the demo's bank; 0 takes the next free one after `port`.", ge=0, le=65535)
    ] = 0
    development: Annotated[bool, _doc("Serve `/dev/stories`. Never in production.")] = False
    insecure_http: Annotated[
        bool, _doc("Allow plain HTTP on an address other than loopback (behind a proxy that does TLS, or to try it).")
    ] = False
    trusted_proxies: Annotated[
        int, _doc("How many proxies in front add to `X-Forwarded-For`; 0 ignores the header.", ge=0, le=10)
    ] = 0
    static_dir: Annotated[str, _doc("Where the built pages are. Empty: `static/dist` beside the server.")] = ""
    cors_origins: Annotated[tuple[str, ...], _doc("Other origins whose pages may call the API. Empty: none.")] = ()
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _doc("What is logged.")] = "info"
    media: MediaConfig = MediaConfig()
    limits: LimitsConfig = LimitsConfig()
    files: FilesConfig = FilesConfig()
    throttle: ThrottleConfig = ThrottleConfig()
    tokens: TokenConfig = TokenConfig()
    turn: TurnConfig = TurnConfig()
    recording: RecordingConfig = RecordingConfig()
    live: LiveConfig = LiveConfig()
    supervision: SupervisionConfig = SupervisionConfig()
    bank: BankConfig = BankConfig()
    verification: VerificationConfig = VerificationConfig()
    audit: AuditConfig = AuditConfig()
    webhooks: WebhooksConfig = WebhooksConfig()
    transactions: TransactionsConfig = TransactionsConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    cobrowse: CobrowseConfig = CobrowseConfig()

    @property
    def tls(self) -> bool:
        return self.tls_self_signed or bool(self.tls_cert_file)


SECRETS = frozenset({"secret", "secret_previous", "database_url", "turn.secret", "recording.key", "verification.key"})


class Key(msgspec.Struct, frozen=True):
    """One key of the configuration, as documented."""

    path: str  # e.g. media.udp_port_base
    variable: str
    type: Any
    default: object
    description: str


def keys() -> Iterator[Key]:
    """Every key, in the order of the file."""
    yield from _keys(Config, "")


def _keys(section: type[_Section], prefix: str) -> Iterator[Key]:
    hints = get_type_hints(section, include_extras=True)
    nested: list[tuple[str, type[_Section]]] = []
    for field in msgspec.structs.fields(section):
        hint = hints[field.name]
        if isinstance(hint, type) and issubclass(hint, _Section):
            nested.append((field.name, hint))
            continue
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        yield Key(
            prefix + field.name,
            PREFIX + (prefix + field.name).replace(".", "_").upper(),
            hint,
            default,
            next(meta.description or "" for meta in get_args(hint) if isinstance(meta, msgspec.Meta)),
        )
    for name, inner in nested:
        yield from _keys(inner, f"{prefix}{name}.")


def load(
    file: Path | None = None, environment: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> Config:
    """Read, merge (file < environment < ``overrides`` by dotted path) and check. Raises ConfigError, one clear line."""
    environment = os.environ if environment is None else environment
    chosen = file or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    known = {key.path: key for key in keys()}
    values = dict(_flatten(_read_file(chosen))) if chosen else {}
    for path in values:
        if path not in known:
            raise ConfigError(_unknown(f"{chosen}: unknown key {path!r}", path, known))
    values |= _from_environment(environment, known)
    for path, value in (overrides or {}).items():
        if path not in known:
            raise ConfigError(_unknown(f"unknown key {path!r}", path, known))
        values[path] = value
    config = _build(values)
    _check(config)
    return config


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _from_environment(environment: Mapping[str, str], known: Mapping[str, Key]) -> dict[str, object]:
    by_variable = {key.variable: key for key in known.values()}
    values: dict[str, object] = {}
    if environment.get("PORT"):
        values["port"] = _parse("PORT", environment["PORT"], known["port"])
    for variable, text in environment.items():
        if not variable.startswith(PREFIX) or variable in NOT_CONFIGURATION:
            continue
        key = by_variable.get(variable)
        if key is not None:
            values[key.path] = _parse(variable, text, key)
            continue
        secret = by_variable.get(variable.removesuffix(SECRET_FILE_SUFFIX))
        if variable.endswith(SECRET_FILE_SUFFIX) and secret is not None and secret.path in SECRETS:
            values[secret.path] = _parse(variable, _read_secret(variable, Path(text)), secret)
            continue
        raise ConfigError(_unknown(f"unknown variable {variable}", variable, by_variable))
    return values


def _read_secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{variable}: cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def _parse(variable: str, text: str, key: Key) -> object:
    """A variable's text as the value of ``key``; what is wrong with it is said without the text: it may be a secret."""
    plain = get_args(key.type)[0] if get_origin(key.type) is Annotated else key.type
    try:
        if plain is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.strip().lower()]
        if plain is int:
            return int(text)
        if plain is float:
            return float(text)
    except (KeyError, ValueError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[plain]
        raise ConfigError(f"{variable} must be {kind}") from None
    if get_origin(plain) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _unknown(message: str, name: str, known: Mapping[str, Key]) -> str:
    bare = {other.removeprefix(PREFIX): other for other in known}
    near = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.5)
    return f"{message}; did you mean {bare[near[0]]}?" if near else message


def _build(values: Mapping[str, object]) -> Config:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        *sections, name = path.split(".")
        table = tree
        for section in sections:
            table = table.setdefault(section, {})
        table[name] = value
    try:
        return msgspec.convert(tree, Config, strict=True, dec_hook=_decode)
    except msgspec.ValidationError as error:
        reason, _, where = str(error).partition(" - at `$.")
        raise ConfigError(f"{where.rstrip('`') or 'configuration'}: {reason}") from None


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("Expected a path")


def _check(config: Config) -> None:
    """What one key alone cannot tell."""
    if bool(config.tls_cert_file) != bool(config.tls_key_file):
        raise ConfigError("tls_cert_file and tls_key_file go together")
    if config.tls_self_signed and config.tls_cert_file:
        raise ConfigError("tls_self_signed makes its own certificate: leave tls_cert_file out")
    for name in ("tls_cert_file", "tls_key_file"):
        path = getattr(config, name)
        if path:
            try:
                Path(path).read_bytes()
            except OSError as error:
                raise ConfigError(f"{name}: cannot read {path}: {error.strerror}") from None
    _check_turn(config.turn)
    read_checklist(config.recording.checklist)
    if config.secret and len(config.secret) < 32:
        raise ConfigError("secret: at least 32 characters")
    if config.secret_previous and not config.secret:
        raise ConfigError("secret_previous: there is no `secret` that took its place")
    if len(config.secret_previous) > 7 or any(len(one) < 32 for one in config.secret_previous):
        raise ConfigError("secret_previous: 7 at most, of at least 32 characters each")
    if config.public_url:
        parts = urlsplit(config.public_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
            raise ConfigError("public_url: like https://video.bank.example, without a path")
    if not config.tls and not config.insecure_http and not is_loopback(config.host):
        raise ConfigError(
            f"host {config.host} without TLS: cameras need https away from localhost. Set tls_cert_file and tls_key_file, "
            "tls_self_signed to try it, or insecure_http behind a proxy that does TLS"
        )
    for text in config.webhooks.origins:
        try:
            right = targets.origin(text) == text
        except Invalid:
            right = False
        if not right:
            raise ConfigError(
                "webhooks.origins: like https://core.bank.example, lower case, without a path or the standard port"
            )
    for text in config.transactions.return_origins:
        if not targets.shown(text):
            raise ConfigError(
                "transactions.return_origins: like https://app.bank.example, lower case, without a path or the standard port; http on this machine alone"
            )
    check_cobrowse(config.cobrowse, demo=config.demo)
    for origin in config.cors_origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path:
            raise ConfigError("cors_origins: like https://www.bank.example, without a path")


def _check_turn(turn: TurnConfig) -> None:
    if turn.host and not re.fullmatch(r"[0-9A-Za-z.-]{1,253}|[0-9A-Fa-f:.]{2,45}", turn.host):
        raise ConfigError("turn.host: a name or an address, without a scheme or a port")
    if turn.secret and not re.fullmatch(r"[!-~]{32,}", turn.secret):
        raise ConfigError("turn.secret: at least 32 visible ASCII characters")
    if bool(turn.tls_cert_file) != bool(turn.tls_key_file):
        raise ConfigError("turn.tls_cert_file and turn.tls_key_file go together")
    if turn.tls_port == turn.port:
        raise ConfigError("turn.tls_port and turn.port must be different")
    if turn.relay_port_min > turn.relay_port_max:
        raise ConfigError("turn.relay_port_min is above turn.relay_port_max")


MOST_ITEMS = 50
_ITEM = re.compile(r"([a-z0-9_-]{1,40})\|([^|]{1,100})\|([^|]{1,100})")


def read_checklist(lines: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
    """(id, Chinese, English) of each item. Raises ConfigError."""
    items: list[tuple[str, str, str]] = []
    for number, line in enumerate(lines, 1):
        found = _ITEM.fullmatch(line)
        if found is None or not found[2].strip() or not found[3].strip() or not (found[2] + found[3]).isprintable():
            raise ConfigError(
                f"recording.checklist: item {number} is not `id|中文|English` (id: 1 to 40 of a-z, 0-9, _, -; texts: 1 to 100 characters)"
            )
        if found[1] in [id for id, _, _ in items]:
            raise ConfigError(f"recording.checklist: the id {found[1]!r} is there twice")
        items.append((found[1], found[2].strip(), found[3].strip()))
    if len(items) > MOST_ITEMS:
        raise ConfigError(f"recording.checklist: at most {MOST_ITEMS} items")
    return tuple(items)


def is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or host.startswith("127.")


def document() -> str:
    """``docs/configuration.md``, from the definitions."""
    lines = [
        "# Configuration",
        "",
        "Written from `server/config.py` by `python -m server.config`; a test fails when it is not.",
        "",
        "One TOML file (`--config FILE` or `TONGPING_CONFIG`) and variables, which win over the file. Keys of a section",
        "stand under its name: `[media]` then `workers = 2`. Unknown keys and variables stop the start. A list in a variable",
        "is comma-separated. Secrets may also come from a file: `TONGPING_SECRET_FILE`, `TONGPING_DATABASE_URL_FILE`,",
        "`TONGPING_TURN_SECRET_FILE`.",
    ]
    section: str | None = None
    for key in keys():
        name = key.path.rpartition(".")[0]
        if name != section:
            section = name
            cls = Config if not name else type(getattr(Config(), name))
            title = f"`[{name}]`" if name else "Top of the file"
            about = "" if not name else (cls.__doc__ or "").strip() + "\n"
            lines += [
                "",
                f"## {title}",
                "",
                *([about] if about else []),
                "| Key | Variable | Default | What |",
                "|---|---|---|---|",
            ]
        lines.append(f"| `{key.path.rpartition('.')[2]}` | `{key.variable}` | {_shown(key.default)} | {key.description} |")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if value in ("", ()):
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


if __name__ == "__main__":
    Path(__file__).resolve().parent.parent.joinpath("docs", "configuration.md").write_text(document(), encoding="utf-8")
