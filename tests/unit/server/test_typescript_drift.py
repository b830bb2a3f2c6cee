"""The browser's types are what the server's definitions say, and say it rightly."""

import msgspec
import pytest

from server.api import bodies
from server.cobrowse import messages as cobrowse
from server.signalling import messages, typescript


def test_generated_files_are_up_to_date() -> None:
    for target, text in ((typescript.TARGET, typescript.render()), (typescript.COBROWSE_TARGET, typescript.render_cobrowse())):
        assert target.read_text(encoding="utf-8") == text, "run: python -m server.signalling.typescript"


def test_every_struct_is_declared() -> None:
    whole, of_cobrowse = typescript.render(), typescript.render_cobrowse()
    for module, text in ((messages, whole), (bodies, whole), (cobrowse, of_cobrowse)):
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


def test_of_co_browse_what_goes_both_ways_is_always_written_and_what_a_tab_alone_says_may_be_left_out() -> None:
    text = typescript.render_cobrowse()
    assert 'export interface Unmark {\n  type: "unmark";\n  id: string;\n  viewer: string;\n}' in text
    assert "  dwell_s?: number;\n" in text
    assert "export type ViewMessage = ViewHello | ViewAsk | " in text
    assert f"export const CHUNK_CHARS = {cobrowse.CHUNK_CHARS};" in text


def test_a_type_without_typescript_is_refused() -> None:
    class Odd(msgspec.Struct):
        value: complex

    writer = typescript._Writer(frozenset())
    with pytest.raises(typescript.CannotExpressError, match="complex"):
        writer.reference(Odd)
