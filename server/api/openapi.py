"""The OpenAPI 3.1 document, made from the table of operations and the message types: there is no second description."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from server.api import bodies, bodies_faces
from server.api.operations import BASE, OPERATIONS, PATH_PARAMETERS, Access, Operation
from server.domain.grants import Grant
from server.services import file_types
from server.version import VERSION

REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_SUCCESS = {200: "Done", 201: "Created", 202: "Begun", 204: "Done, nothing to say"}
_PROBLEMS = {
    400: "The request is not valid",
    401: "No credential, or one that does not hold",
    403: "Not allowed",
    404: "Not found",
    408: "The request took too long",
    409: "In conflict with what is there, or the Idempotency-Key was used for another request",
    410: "It is over: ended, used up, expired or withdrawn",
    413: "Too large",
    415: "Not a type that is accepted here",
    422: "A picture that nothing can be said of; which one, why, and what the person can do about it",
    417: "The Expect header asks for what is not offered",
    423: "Locked: too many attempts of this customer have failed",
    429: "Too many attempts, or full; see Retry-After",
    503: "Something this server needs is not available",
}


def document(url: str) -> dict[str, Any]:
    """The whole document, for a server at ``url``."""
    types: list[Any] = [bodies.Problem, bodies_faces.FaceProblem]
    for operation in OPERATIONS:
        types += [kind for kind in (operation.body, operation.answer) if kind not in (None, bytes)]
    schemas, components = msgspec.json.schema_components(dict.fromkeys(types), ref_template=REF)
    by_type = dict(zip(dict.fromkeys(types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(BASE + operation.path, {})[operation.method.lower()] = _operation(operation, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tongping",
            "version": VERSION,
            "description": "Sessions between a bank's customers, agents and experts. Errors are problem details (RFC 9457). "
            "Signalling is a WebSocket at `/api/v1/signal`, described in `docs/protocol.md`.",
        },
        "servers": [{"url": url}],
        "tags": [{"name": name} for name in dict.fromkeys(operation.tag for operation in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {str(status): _problem(status, about) for status, about in _PROBLEMS.items()},
            "securitySchemes": {
                "desk": {"type": "http", "scheme": "bearer", "description": "Staff: the token from `POST /login`."},
                "place": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A person in a session: the token of an `Entry`. It reaches its own session only.",
                },
                "key": {"type": "http", "scheme": "bearer", "description": "One of the bank's systems: an API key."},
            },
        },
    }


def _operation(operation: Operation, by_type: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": _who(operation),
        "tags": [operation.tag],
        "responses": _responses(operation, by_type),
    }
    if parameters := _parameters(operation):
        described["parameters"] = parameters
    if operation.body is bytes:
        described["requestBody"] = {
            "required": True,
            "description": "The bytes of the file. What it is, is judged by its content.",
            "content": {"application/octet-stream": {}},
        }
    elif operation.pictures:
        described["requestBody"] = pictures_body(operation, by_type[operation.body])
    elif operation.body is not None:
        json: dict[str, Any] = {"schema": by_type[operation.body]}
        if operation.sends is not None:
            json["example"] = _sent(operation.sends)
        described["requestBody"] = {"required": True, "content": {"application/json": json}}
    described["security"] = [{scheme: []} for scheme in _security(operation)]
    return described


def pictures_body(operation: Operation, schema: dict[str, Any]) -> dict[str, Any]:
    """The same fields either way: files in a form, base64 in JSON."""
    json: dict[str, Any] = {"schema": schema}
    if operation.sends is not None:
        json["example"] = _sent(operation.sends)
    own = msgspec.json.schema_components([operation.body], ref_template=REF)[1][operation.body.__name__]
    return {
        "required": True,
        "description": "Pictures as files of a form, or in base64 where the whole is 8 MiB at most. JPEG, PNG, WebP or HEIC.",
        "content": {
            "multipart/form-data": {"schema": _as_form(own)},
            "application/json": json,
        },
    }


def _sent(example: msgspec.Struct) -> dict[str, Any]:
    """Bytes as base64; what is left out stands for itself."""
    sent: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(example))
    return {name: value for name, value in sent.items() if value not in (None, "", [], {})}


def _as_form(schema: dict[str, Any]) -> dict[str, Any]:
    """Base64 as files; what may be null is left out of a form."""
    if schema.get("contentEncoding") == "base64":
        return {"type": "string", "format": "binary"}
    kept = {name: value for name, value in schema.items() if name not in ("default", "title")}
    if "anyOf" in kept:
        return _as_form(next(part for part in kept["anyOf"] if part != {"type": "null"}))
    if "items" in kept:
        kept["items"] = _as_form(kept["items"])
    if "properties" in kept:
        kept["properties"] = {name: _as_form(value) for name, value in kept["properties"].items()}
    return kept


def _who(operation: Operation) -> str:
    if isinstance(operation.needs, Grant):
        where = " in this session" if operation.in_session else ""
        return f"Needs the grant `{operation.needs.value}`{where}."
    return {
        Access.PUBLIC: "For anybody." + (" Throttled by address." if operation.throttled else ""),
        Access.DESK: "For staff who are signed in.",
        Access.PLACE: "For those in the session, and for those with the grant `session.read` in it.",
    }[operation.needs]


def _security(operation: Operation) -> tuple[str, ...]:
    if operation.needs is Access.PUBLIC:
        return ()
    if operation.needs is Access.DESK:
        return ("desk",)
    if operation.id in ("send_file", "send_pdf"):
        return ("place",)
    if operation.needs in (Grant.FACE_CHECK, Grant.DOCUMENT_READ):
        return ("place", "key")
    if operation.needs in (Grant.FACE_TEMPLATES, Grant.VERIFICATION_CREATE):
        return ("key",)
    if operation.needs in (Grant.VERIFICATION_REVIEW, Grant.VERIFICATION_UNLOCK):
        return ("desk",)
    return ("desk", "place", "key") if operation.in_session else ("desk", "key")


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{PATH_PARAMETERS[name]}_[A-Z2-7]{{26}}$"}
            if name in PATH_PARAMETERS
            else {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"},
        }
        for name in _PARAMETER.findall(operation.path)
    ]
    if operation.query is not None:
        schema = msgspec.json.schema_components([operation.query], ref_template=REF)[1][operation.query.__name__]
        for name, kind in schema["properties"].items():
            needed = {"required": True} if name in schema.get("required", ()) else {}
            parameters.append({"name": name, "in": "query", **needed, "schema": _query_schema(kind)})
    if operation.idempotent:
        length = "16 to 200" if operation.needs is Access.PUBLIC else "1 to 200"
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": f"Yours, for this one request: {length} visible ASCII characters, hard to guess. Sent again with the same body it gets the "
                "same answer, and nothing is done twice.",
                "schema": {"type": "string"},
            }
        )
    if operation.id == "send_file":
        parameters.append(
            {
                "name": "X-File-Name",
                "in": "header",
                "required": True,
                "description": "The file's name, percent-encoded UTF-8.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]*[A-Za-z0-9_-]$", "minLength": 1, "maxLength": 360},
            }
        )
    return parameters


def _query_schema(kind: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is left out is left out: there is no way to write null in a query."""
    if "anyOf" in kind:
        inner = [part for part in kind["anyOf"] if part != {"type": "null"}]
        return dict(inner[0]) if len(inner) == 1 else {"anyOf": inner}
    return {name: value for name, value in kind.items() if value is not None}


def _responses(operation: Operation, by_type: Mapping[Any, dict[str, Any]]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": _SUCCESS[operation.status]}
    if operation.answer is bytes:
        success["content"] = {media_type: {} for media_type in operation.media or sorted(file_types.KNOWN)}
    elif operation.answer is not None:
        success["content"] = {"application/json": {"schema": by_type[operation.answer]}}
        if operation.example is not None:
            success["content"]["application/json"]["example"] = msgspec.to_builtins(operation.example)
    if operation.status in (201, 202):
        success["headers"] = {"Location": {"description": "Where it is, or is listed.", "schema": {"type": "string"}}}
    statuses = {400, 401, 408, 413, 503}
    if operation.needs is not Access.PUBLIC:
        statuses |= {403}
    if operation.in_session or "{" in operation.path or operation.id.endswith("_invitation"):
        statuses |= {404}
    if operation.body is not None:
        statuses |= {410, 415, 417, 429}
    if (
        operation.idempotent
        or operation.method == "DELETE"
        or operation.id in {"enter_session", "end_session", "update_session"}
    ):
        statuses |= {409, 410}
    if operation.pictures:
        statuses |= {404, 409, 422}
    if operation.path.startswith(("/verifications", "/reviews")) and operation.needs is not Access.PUBLIC:
        statuses |= {404, 409, 410, 423}
    if operation.path.startswith("/risk/"):
        statuses |= {404, 409}
    if "{recording}" in operation.path:
        statuses |= {409, 410, 415, 429}
    if operation.id == "join_waiting":
        statuses |= {403}
    if operation.id == "enter_session":
        statuses |= {429}
    described = {str(operation.status): success}
    return described | {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _problem(status: int, about: str) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "description": about,
        "content": {
            "application/problem+json": {"schema": {"$ref": REF.format(name="FaceProblem" if status == 422 else "Problem")}}
        },
    }
    if status == 429:
        problem["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    if status == 401:
        problem["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return problem
