"""Configuration: merged, checked, documented; what is wrong is said in one line."""

from pathlib import Path

import pytest

from server.config import Config, document, keys, load
from server.config_cobrowse import read_packs
from server.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


def file(folder: Path, text: str) -> Path:
    path = folder / "tongping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_need_nothing() -> None:
    assert load(environment={}) == Config()


def test_file_then_variables_then_options(tmp_path: Path) -> None:
    path = file(tmp_path, 'port = 1000\nhost = "127.0.0.2"\n[media]\nworkers = 3\nvideo_codecs = ["H264"]\n')
    environment = {"PORT": "2000", "TONGPING_MEDIA_WORKERS": "4", "TONGPING_CONFIG": str(path), "OTHER": "x"}
    config = load(environment=environment, overrides={"walk_in": False})
    assert (config.port, config.host, config.walk_in) == (2000, "127.0.0.2", False)
    assert (config.media.workers, config.media.video_codecs) == (4, ("H264",))
    assert load(environment={**environment, "TONGPING_PORT": "3000"}).port == 3000


def test_every_variable_is_read() -> None:
    shown = {bool: "true", int: "90", float: "9", str: "x"}
    for key in keys():
        if key.path in {
            "public_url",
            "tls_cert_file",
            "tls_key_file",
            "turn.tls_cert_file",
            "turn.tls_key_file",
            "cors_origins",
            "secret_previous",
            "webhooks.origins",
            "transactions.return_origins",
            "cobrowse.sites",
            "log_level",
            "media.video_codecs",
            "recording.at_start",
            "supervision.disclosed",
            "verification.require_confined",
        }:
            continue
        kind = type(key.default)
        text = shown.get(kind, "x")
        if "media.announced" in key.path:
            text = "192.0.2.1"
        bounds = {"trusted_proxies": "2", "media.audio_slots": "9", "media.video_slots": "9", "host": "127.0.0.3"}
        bounds |= {"limits.idempotency_s": "100", "limits.max_body_bytes": "5000", "files.max_file_bytes": "5000"}
        bounds |= {"files.max_session_bytes": "5000", "secret": "x" * 32, "turn.secret": "x" * 32}
        bounds |= {"turn.relay_port_min": "50000", "turn.relay_port_max": "60000", "turn.session_bps": "200000"}
        bounds |= {
            "verification.memory_bytes": "200000000",
            "verification.document_memory_bytes": "300000000",
            "verification.threads": "9",
            "verification.pack_hash": "ab" * 32,
        }
        bounds |= {"verification.max_body_bytes": "70000", "webhooks.keep_days": "9", "verification.fmr": "0.01"}
        bounds |= {"cobrowse.processes": "2", "cobrowse.max_viewers": "9", "cobrowse.max_nodes": "90000"}
        bounds |= {"cobrowse.memory_mb": "512", "cobrowse.tab_bytes_s": "90000"}
        bounds |= {"recording.checklist": "one|一|One,two|二|Two"}
        environment = {key.variable: bounds.get(key.path, text)}
        config = load(environment=environment, overrides={"insecure_http": True} if key.path != "insecure_http" else {})
        value: object = config
        for part in key.path.split("."):
            value = getattr(value, part)
        assert value != key.default or kind is bool, key.path


@pytest.mark.parametrize(
    "origin",
    [
        "app.bank.example", "http://app.bank.example", "https://app.bank.example/", "https://APP.bank.example", "https://app.bank.example:443",
        "javascript:alert(1)", "https://user@app.bank.example", "http://127.evil.example", "http://localhost.evil.example", "//app.bank.example",
    ],
)  # fmt: skip
def test_where_customers_may_not_be_sent_back_to(origin: str) -> None:
    with pytest.raises(ConfigError, match=r"transactions\.return_origins"):
        load(environment={"TONGPING_TRANSACTIONS_RETURN_ORIGINS": origin})


def test_where_customers_may_be_sent_back_to() -> None:
    text = "https://app.bank.example,https://10.0.0.9:8443,http://localhost:8010,http://127.0.0.1,http://[::1]:9"
    config = load(environment={"TONGPING_TRANSACTIONS_RETURN_ORIGINS": text})
    assert ",".join(config.transactions.return_origins) == text


def test_secrets_that_were_there_before(tmp_path: Path) -> None:
    now, before = "n" * 32, ("b" * 32, "a" * 40)
    given = {"TONGPING_SECRET": now, "TONGPING_SECRET_PREVIOUS": ",".join(before)}
    assert load(environment=given).secret_previous == before
    (tmp_path / "previous").write_text(before[0] + "\n", encoding="utf-8")
    from_file = {"TONGPING_SECRET": now, "TONGPING_SECRET_PREVIOUS_FILE": str(tmp_path / "previous")}
    assert load(environment=from_file).secret_previous == before[:1]
    for environment in (
        {"TONGPING_SECRET_PREVIOUS": before[0]},
        {"TONGPING_SECRET": now, "TONGPING_SECRET_PREVIOUS": "too short"},
        {"TONGPING_SECRET": now, "TONGPING_SECRET_PREVIOUS": ",".join([before[0]] * 8)},
    ):
        with pytest.raises(ConfigError, match="secret_previous") as refused:
            load(environment=environment)
        assert before[0] not in str(refused.value)


def test_what_only_the_setup_reads_is_no_unknown_variable() -> None:
    """`TONGPING_VERIFICATION=0 make run` hands it on to the server."""
    assert load(environment={"TONGPING_VERIFICATION": "0"}) == load(environment={})


ORIGINS = "webhooks.origins: like https://core.bank.example, lower case, without a path or the standard port"
BAD_ITEM = "recording.checklist: item {} is not `id|中文|English` (id: 1 to 40 of a-z, 0-9, _, -; texts: 1 to 100 characters)"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TONGPING_PROT": "1"}, "unknown variable TONGPING_PROT; did you mean TONGPING_PORT?"),
        ({"TONGPING_ZZZZZZZZZZ": "1"}, "unknown variable TONGPING_ZZZZZZZZZZ"),
        ({"PORT": "many"}, "PORT must be a whole number"),
        ({"PORT": "70000"}, "port: Expected `int` <= 65535"),
        ({"TONGPING_WALK_IN": "perhaps"}, "TONGPING_WALK_IN must be true or false"),
        ({"TONGPING_LIMITS_REQUEST_TIMEOUT_S": "x"}, "TONGPING_LIMITS_REQUEST_TIMEOUT_S must be a number"),
        ({"TONGPING_DATABASE_URL_FILE": "/nowhere"}, "TONGPING_DATABASE_URL_FILE: cannot read /nowhere: No such file or directory"),
        ({"TONGPING_RECORDING_CHECKLIST": "one"}, BAD_ITEM.format(1)),
        ({"TONGPING_RECORDING_CHECKLIST": "a|一|One,B|二|Two"}, BAD_ITEM.format(2)),
        ({"TONGPING_RECORDING_CHECKLIST": "a|一| "}, BAD_ITEM.format(1)),
        ({"TONGPING_RECORDING_CHECKLIST": "a|一|x\ty"}, BAD_ITEM.format(1)),
        ({"TONGPING_RECORDING_CHECKLIST": "a|一|One,a|二|Two"}, "recording.checklist: the id 'a' is there twice"),
        ({"TONGPING_RECORDING_CHECKLIST": ",".join(f"i{n}|一|x" for n in range(51))}, "recording.checklist: at most 50 items"),
        ({"TONGPING_RECORDING_AT_START": "always"}, "recording.at_start: Invalid enum value 'always'"),
        ({"TONGPING_TLS_CERT_FILE": "/c"}, "tls_cert_file and tls_key_file go together"),
        ({"TONGPING_TLS_CERT_FILE": "/c", "TONGPING_TLS_KEY_FILE": "/k"}, "tls_cert_file: cannot read /c: No such file or directory"),
        ({"TONGPING_PUBLIC_URL": "video.bank.example"}, "public_url: like https://video.bank.example, without a path"),
        ({"TONGPING_CORS_ORIGINS": "bank.example"}, "cors_origins: like https://www.bank.example, without a path"),
        ({"TONGPING_WEBHOOKS_ORIGINS": "https://a.example/x"}, ORIGINS),
        ({"TONGPING_WEBHOOKS_ORIGINS": "https://a.example,https://a.example:443"}, ORIGINS),
        ({"TONGPING_WEBHOOKS_ORIGINS": "ftp://a.example"}, ORIGINS),
        ({"TONGPING_MEDIA_VIDEO_CODECS": "MPEG"}, "media.video_codecs[0]: Invalid enum value 'MPEG'"),
        ({"TONGPING_CONFIG": "/nowhere"}, "cannot read the configuration /nowhere: No such file or directory"),
    ],
)  # fmt: skip
def test_what_is_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(environment=environment)
    assert refused.value.detail == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "unknown key 'prot'; did you mean port?"),
        ("[media]\nworker = 1", "unknown key 'media.worker'; did you mean media.workers?"),
        ('port = "80"', "port: Expected `int`, got `str`"),
        ("port = ", "is not valid TOML"),
        ("[walk_in]\nx = 1", "unknown key 'walk_in.x'; did you mean walk_in?"),
    ],
)
def test_what_is_refused_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r".") as refused:
        load(file(tmp_path, text), environment={})
    assert message in refused.value.detail


def test_plain_http_for_others_needs_to_be_said() -> None:
    with pytest.raises(ConfigError, match="without TLS"):
        load(environment={"TONGPING_HOST": "0.0.0.0"})
    assert load(environment={"TONGPING_HOST": "0.0.0.0", "TONGPING_INSECURE_HTTP": "true"}).host == "0.0.0.0"
    assert load(environment={"TONGPING_HOST": "::", "TONGPING_TLS_SELF_SIGNED": "1"}).tls


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@db/x\n")
    config = load(environment={"TONGPING_DATABASE_URL_FILE": str(tmp_path / "url")})
    assert config.database_url == "postgresql://u:p@db/x"


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as refused:
        load(environment={"TONGPING_SECRET": "short-canary"})
    assert "canary" not in refused.value.detail


def test_the_document_is_today_s() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == document()
    assert all(key.description for key in keys())


SITE = """
[[cobrowse.sites]]
key = "pk_bank"
name = "Bank"
origins = ["https://www.bank.example", "https://app.bank.example:8443"]
rules = "bank.toml"
"""


def test_a_site_whose_pages_can_be_shown(tmp_path: Path) -> None:
    (site,) = load(file(tmp_path, SITE), environment={}).cobrowse.sites
    assert (site.key, site.name, site.rules) == ("pk_bank", "Bank", Path("bank.toml"))
    assert site.origins == ("https://www.bank.example", "https://app.bank.example:8443")
    local = SITE.replace("https://www.bank.example", "http://127.0.0.1:8081")
    assert load(file(tmp_path, "demo = true\n" + local), environment={}).cobrowse.sites[0].origins[0] == "http://127.0.0.1:8081"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pk_bank", "bank"), "cobrowse.sites: 'bank' is there twice, or is not like pk_bank"),
        (("pk_bank", "pk_"), "cobrowse.sites: 'pk_' is there twice, or is not like pk_bank"),
        (('name = "Bank"', 'name = ""'), "cobrowse.sites: pk_bank: a name has 1 to 60 characters"),
        (("https://www", "http://www"), "cobrowse.sites: pk_bank: origins are like https://www.bank.example"),
        (("https://www.bank.example", "http://127.0.0.1:8081"), "cobrowse.sites: pk_bank: origins are like https://www.bank.example"),
        (("https://www.bank.example", "https://www.bank.example/x"), "cobrowse.sites: pk_bank: origins are like"),
        (("https://www.bank.example", "https://*.bank.example"), "cobrowse.sites: pk_bank: origins are like"),
        (("[\"https://www.bank.example\", \"https://app.bank.example:8443\"]", "[]"), "cobrowse.sites: pk_bank: no origins"),
        (("rules =", "rule ="), "cobrowse.sites[0]: Object contains unknown field `rule`"),
        (('rules = "bank.toml"', ""), "cobrowse.sites[0]: Object missing required field `rules`"),
        (("[[cobrowse.sites]]", SITE + "[[cobrowse.sites]]"), "cobrowse.sites: 'pk_bank' is there twice"),
    ],
)  # fmt: skip
def test_a_site_that_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(file(tmp_path, SITE.replace(*change)), environment={})
    assert refused.value.detail.startswith(message)


def test_rules_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    config = load(file(tmp_path, SITE.replace("bank.toml", str(tmp_path / "bank.toml"))), environment={}).cobrowse
    with pytest.raises(ConfigError, match="cannot read"):
        read_packs(config)
    (tmp_path / "bank.toml").write_text("[[pages]]", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"only \[\[page\]\] is known"):
        read_packs(config)
    (tmp_path / "bank.toml").write_text(
        '[[page]]\nurl = "https://www.bank.example/"\nname = "home"\nshow = ["h1"]\n', encoding="utf-8"
    )
    pack = read_packs(config)["pk_bank"]
    assert (pack.pages[0].show, pack.pages[0].pause, pack.rules.pages[0].name) == (["h1"], False, "home")
