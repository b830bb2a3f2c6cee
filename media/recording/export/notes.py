"""What goes beside an export: chapters, the words of the chat, and the manifest of hashes. S."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from media.recording.events import Chat, Checkpoint, Event, File

CUE_US = 6_000_000
SCHEMA = "tongping-export-1"


Language = Literal["zh", "en"]
START = {"zh": "开始", "en": "Start"}


class Chapter(NamedTuple):
    start_us: int
    end_us: int
    title: str


def in_language(happened: Iterable[tuple[int, Event]], language: Language) -> Iterator[tuple[int, Event]]:
    """What was ticked off is labelled in this language, where the recording knows its words in it."""
    for at, event in happened:
        if isinstance(event, Checkpoint) and (words := event.zh if language == "zh" else event.en):
            yield at, msgspec.structs.replace(event, label=words)
        else:
            yield at, event


def checkpoint_words(event: Checkpoint) -> str:
    """Item and note, whichever there is."""
    return ": ".join(words for words in (event.label or event.key, event.note) if words)


def chapters(happened: Collection[tuple[int, Event]], duration_us: int) -> tuple[Chapter, ...]:
    """From checkpoint to checkpoint; the first begins with the recording. None without a checkpoint. A note alone begins none."""
    marks = [
        (at, checkpoint_words(event))
        for at, event in happened
        if isinstance(event, Checkpoint) and event.key and event.done and at < duration_us
    ]
    if not marks:
        return ()
    chinese = any(isinstance(event, Checkpoint) and event.label == event.zh != event.en for _, event in happened)
    if marks[0][0] > 0:
        marks.insert(0, (0, START["zh" if chinese else "en"]))
    ends = [at for at, _ in marks[1:]] + [duration_us]
    return tuple(Chapter(at, end, title) for (at, title), end in zip(marks, ends, strict=True) if end > at)


def subtitles(happened: Iterable[tuple[int, Event]], names: Mapping[str, str], duration_us: int) -> str:
    """Chat, files and checkpoints as WebVTT; "" when there are none."""
    cues = []
    for at, event in happened:
        if isinstance(event, Chat):
            words = f"<v {_voice(names.get(event.participant, event.participant))}>{_text(event.text)}"
        elif isinstance(event, File):
            words = f"<v {_voice(names.get(event.participant, event.participant))}>[{_text(event.name)}]"
        elif isinstance(event, Checkpoint) and not event.key:
            words = f"<v {_voice(names.get(event.participant, event.participant))}>{_text(event.note)}"
        elif isinstance(event, Checkpoint):
            words = f"{'✓' if event.done else '✗'} {_text(checkpoint_words(event))}"
        else:
            continue
        if at < duration_us:
            cues.append(f"{_stamp(at)} --> {_stamp(min(at + CUE_US, duration_us))}\n{words}\n")
    return "\n".join(["WEBVTT\n", *cues]) if cues else ""


def _stamp(at_us: int) -> str:
    ms = at_us // 1000
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def _text(words: str) -> str:
    """One cue's line: no markup, no arrow, no empty line that would end it."""
    plain = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "\n".join(line for line in plain.splitlines() if line.strip()) or " "


def _voice(name: str) -> str:
    return " ".join(_text(name).split())


def encode(manifest: Mapping[str, Any]) -> bytes:
    """JSON to be read by people too; the same for the same content."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1) + b"\n"
