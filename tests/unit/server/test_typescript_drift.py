"""The browser's types are what the server's definitions say, and say it rightly."""

import msgspec
import pytest

from server.api import bodies
from server.signalling import messages, typescript


def test_generated_file_is_up_to_date() -> None:
    written = typescript.TARGET.read_text(encoding="utf-8")
    assert written == typescript.render(), "run: python -m server.signalling.typescript"


def test_every_struct_is_declared() -> None:
    text = typescript.render()
    for module in (messages, bodies):
        for name, value in vars(module).items():
            if isinstance(value, type) and issubclass(value, msgspec.Struct) and value not in typescript._ABSTRACT:
                assert f"export interface {name} {{" in text, name


def test_what_a_client_may_leave_out_is_optional_only_where_the_client_writes_it() -> None:
    text = typescript.render()
    assert (
        'export interface ChatSend {\n  type: "chat.send";\n  client_id: string;\n  text?: string;\n  file?: FileId | null;\n}'
        in text
    )
    assert "  resume?: Resume | null;" in text
    assert "  snapshot: Snapshot | null;" in text
    assert "  disabled: boolean;" in text


def test_unions_enums_and_ids() -> None:
    text = typescript.render()
    assert "export type ServerFrame = Welcome | ServerMessage | Ack | Pong | Bye;" in text
    assert 'export type Source = "microphone" | "camera" | "screen";' in text
    assert "export type SessionId = string;" in text
    assert "  body: ServerBody;" in text
    assert "  bank_name: Record<Language, string>;" in text
    assert "  participant: ParticipantId | null;" in text


def test_a_type_without_typescript_is_refused() -> None:
    class Odd(msgspec.Struct):
        value: complex

    writer = typescript._Writer(frozenset())
    with pytest.raises(typescript.CannotExpressError, match="complex"):
        writer.reference(Odd)
