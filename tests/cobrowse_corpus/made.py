"""The corpus as a recorder that masks nothing would tell it, made without a browser: pictures, and changes of every sort."""

import base64
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import quote

from tests.cobrowse_corpus.kinds import Kind
from tests.support.pages import Json, Recorder, added, event, happens, mutation, nodes_of

VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)


def forms(secret: str) -> dict[str, str]:
    """As ``plant.js`` has them."""
    half = len(secret) // 2
    return {
        "s": secret,
        "r": secret[::-1],
        "z": "\u200b".join(secret),
        "w": "".join(chr(ord(one) + 0xFEE0) for one in secret),
        "g": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "h": "-".join(secret[at : at + 3] for at in range(0, len(secret), 3)),
        "a": secret[:half],
        "b": secret[half:],
        "u": "".join(f"%{ord(one):02x}" for one in secret),
        "e": base64.b64encode(secret.encode()).decode(),
    }


def filled(text: str, secret: str) -> str:
    for form, value in forms(secret).items():
        text = text.replace(f"{{{form}}}", value)
    return text


class _Reader(HTMLParser):
    """Elements as rrweb numbers them, drawings and frames among them."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(convert_charrefs=True)
        self.recorder = recorder
        self.top = recorder.element("div", {})
        self.open: list[Json] = [self.top]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes: Json = {name: value or "" for name, value in attrs}
        more = {"isSVG": True} if tag == "svg" or any(one.get("isSVG") for one in self.open) else {}
        made = self.recorder.element(tag, attributes, **more)
        self.open[-1]["childNodes"].append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        while len(self.open) > 1:
            if self.open.pop()["tagName"] == tag:
                return

    def handle_data(self, data: str) -> None:
        above = self.open[-1]
        above["childNodes"].append(self.recorder.text(data))
        if above["tagName"] == "style":
            above["attributes"]["_cssText"] = data
        elif above["tagName"] == "textarea":
            above["attributes"]["value"] = data

    def handle_comment(self, data: str) -> None:
        made = self.recorder.text(data)
        self.open[-1]["childNodes"].append({**made, "type": 5})


def box(recorder: Recorder, kind: Kind, secret: str) -> Json:
    """What stands in the page, in a ``div``. What only a script does is not there."""
    reader = _Reader(recorder)
    reader.feed(filled(kind.html, secret))
    reader.close()
    return reader.top


def within(recorder: Recorder, kind: Kind, secret: str) -> Json:
    """In a shadow root."""
    made = box(recorder, kind, secret)
    made["isShadow"] = True
    host = recorder.element("x-host", {}, made)
    return {**host, "isShadowHost": True}


def framed(recorder: Recorder, kind: Kind, secret: str) -> Json:
    """In a page of its own within the page."""
    body = recorder.element("body", {}, box(recorder, kind, secret))
    html = recorder.element("html", {}, recorder.element("head", {}), body)
    inner = {"type": 0, "childNodes": [html], "id": recorder.text("")["id"]}
    return recorder.element("iframe", {"rr_src": f"/frame/{secret}"}, inner)


def exchanged(text: str, before: str, after: str) -> str:
    was, now = forms(before), forms(after)
    for form in sorted(was, key=lambda one: -len(was[one])):
        if was[form] in text:
            return text.replace(was[form], now[form])
    return text.replace(before.lower(), after.lower())


def changed(top: Json, before: str, after: str) -> Iterator[bytes]:
    """Everything in it that told one secret tells another: words, attributes, what is entered, and styles in every way that scripts change them."""
    texts, attributes, entered, styles = list[Json](), list[Json](), list[bytes](), list[bytes]()
    for id, node in nodes_of(top).items():
        if (words := node.get("textContent")) is not None:
            if (now := exchanged(words, before, after)) != words:
                texts.append({"id": id, "value": now})
            continue
        own = {
            name: now
            for name, value in node.get("attributes", {}).items()
            if (now := exchanged(str(value), before, after)) != value
        }
        if own:
            attributes.append({"id": id, "attributes": own})
            attributes.append(
                {
                    "id": id,
                    "attributes": {
                        "style": {"--card": after, "background": f"url(/{after})", "content": [f"'{after}'", "important"]}
                    },
                }
            )
        if "value" in own:
            entered.append(happens(5, id=id, text=after, isChecked=True, userTriggered=True))
        if "_cssText" in own:
            sheet = own["_cssText"]
            styles.append(happens(8, id=id, adds=[{"rule": sheet, "index": 0}]))
            styles.append(happens(8, id=id, replace=sheet, replaceSync=sheet))
            for name, value in (
                ("--card", after),
                ("content", f"'{after}'"),
                ("background", f"url(/{after})"),
                (f"--{after}", "1"),
            ):
                styles.append(
                    happens(
                        13,
                        id=id,
                        index=[0],
                        set={"property": name, "value": value, "priority": after},
                        remove={"property": after},
                    )
                )
            styles.append(happens(15, id=id, styleIds=[7], styles=[{"styleId": 7, "rules": [{"rule": sheet, "index": 0}]}]))
    yield mutation(texts=texts, attributes=attributes)
    yield from entered
    yield from styles


def forged(top: Json, secret: str) -> Iterator[bytes]:
    """Events of every sort that a recorder or somebody in its place could send, with the secret wherever there is room for one."""
    node = top["id"]
    more = {"secret": secret, secret: secret, "value": secret, "text": secret, "name": secret, "id": node}
    for source in range(20):
        yield happens(source, **more)
        yield happens(source, positions=[{"x": 1, "y": 1, "id": node, "timeOffset": 0, secret: secret}], **more)
    yield happens(9, type=0, commands=[{"property": "fillText", "args": [secret, 1, 1]}], **more)
    yield happens(10, family=secret, fontSource=f"url(/{secret})", buffer=False, descriptors={"a": secret})
    yield happens(11, level="log", payload=[secret], trace=[secret])
    yield happens(14, ranges=[{"start": node, "startOffset": 0, "end": node, "endOffset": 3, secret: secret}])
    yield event(5, {"tag": secret, "payload": {"a": secret}})
    yield event(6, {"plugin": secret, "payload": {"a": secret}})
    yield event(7, {"a": secret})
    yield event(0, {"href": f"https://bank.example/{quote(secret)}"})
    yield event(
        4, {"href": f"https://bank.example/corpus/{secret}?a={secret}#{secret}", "width": 1280, "height": 800, "title": secret}
    )


__all__ = ["added", "box", "changed", "exchanged", "filled", "forged", "forms", "framed", "within"]
