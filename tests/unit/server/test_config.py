"""Configuration: merged, checked, documented; what is wrong is said in one line."""

from pathlib import Path

import pytest

from server.config import Config, document, keys, load
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
            "log_level",
            "media.video_codecs",
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
        environment = {key.variable: bounds.get(key.path, text)}
        config = load(environment=environment, overrides={"insecure_http": True} if key.path != "insecure_http" else {})
        value: object = config
        for part in key.path.split("."):
            value = getattr(value, part)
        assert value != key.default or kind is bool, key.path


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
        ({"TONGPING_TLS_CERT_FILE": "/c"}, "tls_cert_file and tls_key_file go together"),
        ({"TONGPING_TLS_CERT_FILE": "/c", "TONGPING_TLS_KEY_FILE": "/k"}, "tls_cert_file: cannot read /c: No such file or directory"),
        ({"TONGPING_PUBLIC_URL": "video.bank.example"}, "public_url: like https://video.bank.example, without a path"),
        ({"TONGPING_CORS_ORIGINS": "bank.example"}, "cors_origins: like https://www.bank.example, without a path"),
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
