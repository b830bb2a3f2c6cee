"""Identity documents: read one, compare its portrait with a face. Nothing of either is kept."""

from server.api.bodies_documents import CompareDocument, ReadDocument
from server.api.call import Call, Handler, Reply


async def read_document(call: Call) -> Reply:
    body: ReadDocument = call.body
    return Reply(await call.context.faces.documents.read(call.who, body.image))


async def compare_document(call: Call) -> Reply:
    body: CompareDocument = call.body
    return Reply(await call.context.faces.documents.compare(call.who, body.document, body.probe, body.fmr))


HANDLERS: dict[str, Handler] = {"read_document": read_document, "compare_document": compare_document}
