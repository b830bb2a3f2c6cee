"""The readable page of the OpenAPI document: rendered here, no script, nothing from elsewhere."""

from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --quiet: #5b6472; --paper: #fbfaf7; --card: #fff; --line: #1d243014;
  --accent: #0b5f6b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e6df; --quiet: #a7adb8; --paper: #14171c; --card: #1c2027;
  --line: #ffffff1f; --accent: #7fd0da; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 "Noto Sans SC", system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 32px 20px 80px; }
h1 { font-size: 28px; font-weight: 600; margin: 0 0 8px; }
h2 { font-size: 20px; font-weight: 600; margin: 40px 0 12px; }
p { margin: 0 0 12px; color: var(--quiet); max-width: 44rem; }
a { color: var(--accent); }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 16px 0; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin: 8px 0; }
summary { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; padding: 12px 16px; min-height: 44px;
  cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary code { font-size: 15px; overflow-wrap: anywhere; }
summary span { color: var(--quiet); font-size: 14px; }
.method { font: 600 13px/1.5 ui-monospace, monospace; color: var(--accent); min-width: 4rem; }
details > div { padding: 4px 16px 16px; border-top: 1px solid var(--line); overflow-x: auto; }
h3 { font-size: 14px; font-weight: 600; margin: 16px 0 4px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--quiet); }
code { font-family: ui-monospace, monospace; font-size: 14px; }
"""


def page(document: dict[str, Any]) -> str:
    """HTML of the whole document."""
    schemas: dict[str, Any] = document["components"]["schemas"]
    by_tag: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag[operation["tags"][0]].append(_operation(method, path, operation, document))
    sections = "".join(f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{"".join(found)}' for tag, found in by_tag.items())
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in (*by_tag, "types"))
    types = "".join(_type(name, schema) for name, schema in sorted(schemas.items()))
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(info["title"])} API</title><link rel="icon" href="/favicon.svg"><link rel="stylesheet" href="docs.css"></head><body><main>'
        f"<h1>{escape(info['title'])} API <code>{escape(info['version'])}</code></h1>"
        f"<p>{escape(info['description'].replace('`', ''))}</p>"
        '<p>The same as a document for machines: <a href="openapi.json">openapi.json</a></p>'
        f'<nav aria-label="Resources">{links}</nav>{sections}<h2 id="types">types</h2>{types}</main></body></html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [f"<p>{_code(operation['description'])}</p>"]
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(p['name'])}</code></td><td>{p['in']}{', required' if p.get('required') else ''}</td>"
            f"<td>{_schema(p['schema'])}</td><td>{escape(p.get('description', ''))}</td></tr>"
            for p in parameters
        )
        parts.append(f"<h3>Parameters</h3><table><tr><th>Name</th><th>Where</th><th>Type</th><th>What</th></tr>{rows}</table>")
    if body := operation.get("requestBody"):
        parts.append(f"<h3>Body</h3><p>{_content(body['content'])}</p>")
    rows = ""
    for status, response in operation["responses"].items():
        if "$ref" in response:
            response = document["components"]["responses"][status]
        rows += (
            f"<tr><td><code>{status}</code></td><td>{escape(response['description'])}</td>"
            f"<td>{_content(response.get('content', {}))}</td></tr>"
        )
    parts.append(f"<h3>Answers</h3><table><tr><th>Status</th><th>When</th><th>Body</th></tr>{rows}</table>")
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method">{method.upper()}</span>'
        f"<code>{escape(path)}</code><span>{escape(operation['summary'])}</span></summary><div>{''.join(parts)}</div></details>"
    )


def _content(content: dict[str, Any]) -> str:
    return ", ".join(
        f"<code>{escape(name)}</code>"
        if kind.get("schema", {"type": "object"}).get("type") == "object"  # a file, or a form of the same fields
        else _schema(kind["schema"])
        for name, kind in content.items()
    )


def _type(name: str, schema: dict[str, Any]) -> str:
    about = f"<p>{_code(schema['description'])}</p>" if schema.get("description") else ""
    if "enum" in schema:
        inner = f"<p>{', '.join(f'<code>{escape(str(value))}</code>' for value in schema['enum'])}</p>"
    else:
        required = set(schema.get("required", ()))
        rows = "".join(
            f"<tr><td><code>{escape(field)}</code></td><td>{_schema(kind)}</td><td>{'yes' if field in required else ''}</td></tr>"
            for field, kind in schema.get("properties", {}).items()
        )
        inner = f"<table><tr><th>Field</th><th>Type</th><th>Required</th></tr>{rows}</table>"
    return (
        f'<details id="type-{escape(name)}"><summary><code>{escape(name)}</code></summary><div>{about}{inner}</div></details>'
    )


def _schema(schema: dict[str, Any]) -> str:
    """One line of HTML for a schema."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_schema(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_schema(each) for each in schema['prefixItems'])}]"
        return f"list of {_schema(schema.get('items', {}))}"
    bounds = [f"{word} {schema[key]}" for key, word in _BOUNDS.items() if key in schema]
    return escape(" ".join([str(schema.get("format") or schema.get("type", "any")), *bounds]))


_BOUNDS = {
    "minLength": "min length",
    "maxLength": "max length",
    "minimum": "≥",
    "maximum": "≤",
    "pattern": "like",
    "default": "default",
}


def _code(text: str) -> str:
    """Text with `marks` of code."""
    parts = escape(text.replace("``", "`")).split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))
