"""Face checks without a call, and templates. One to one only: nobody is searched for."""

from server.api.bodies_faces import (
    CheckLiveness,
    CompareBatch,
    CompareFaces,
    EnrolTemplate,
    ExamineFace,
    ReplaceTemplate,
)
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE
from server.api.problems import InvalidField
from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import TemplateId
from server.errors import NotAllowed, NotFound


def _id(call: Call) -> TemplateId:
    return TemplateId(call.id("template", ids.TEMPLATE))


async def compare_faces(call: Call) -> Reply:
    body: CompareFaces = call.body
    faces = call.context.faces
    if bool(body.reference) == bool(body.template):
        raise InvalidField("Give a reference or a template.", "reference")
    if not body.template:
        return Reply(await faces.compare(call.who, body.reference, body.probe, body.fmr))
    if Grant.FACE_TEMPLATES not in call.grants:
        raise NotAllowed(f"This needs the grant {Grant.FACE_TEMPLATES.value}.")
    if not ids.is_id(body.template, ids.TEMPLATE):
        raise NotFound("There is no such template.")
    return Reply(await faces.compare_with(call.who, TemplateId(body.template), body.probe, body.fmr))


async def compare_batch(call: Call) -> Reply:
    body: CompareBatch = call.body
    if len(body.reference) != len(body.probe):
        raise InvalidField("As many probes as references.", "probe")
    return Reply(await call.context.faces.compare_batch(call.who, body.reference, body.probe, body.fmr))


async def examine_face(call: Call) -> Reply:
    body: ExamineFace = call.body
    return Reply(await call.context.faces.examine(call.who, body.image))


async def check_liveness(call: Call) -> Reply:
    body: CheckLiveness = call.body
    if bool(body.image) == bool(body.clip):
        raise InvalidField("Give pictures or a clip.", "image")
    return Reply(await call.context.faces.liveness(call.who, body.image, body.clip))


async def enrol_template(call: Call) -> Reply:
    body: EnrolTemplate = call.body
    made = await call.context.faces.enrol(call.who, body.image, body.subject, body.consent, keep_picture=body.keep_picture)
    return Reply(made, f"{BASE}/face/templates/{made.template.id}")


async def get_template(call: Call) -> Reply:
    return Reply(await call.context.faces.template(_id(call)))


async def replace_template(call: Call) -> Reply:
    body: ReplaceTemplate = call.body
    made = await call.context.faces.replace(call.who, _id(call), body.image, body.consent, keep_picture=body.keep_picture)
    return Reply(made)


async def erase_template(call: Call) -> Reply:
    await call.context.faces.erase(call.who, _id(call))
    return Reply()


async def erase_template_picture(call: Call) -> Reply:
    await call.context.faces.erase_picture(call.who, _id(call))
    return Reply()


HANDLERS: dict[str, Handler] = {
    "compare_faces": compare_faces,
    "compare_batch": compare_batch,
    "examine_face": examine_face,
    "check_liveness": check_liveness,
    "enrol_template": enrol_template,
    "get_template": get_template,
    "replace_template": replace_template,
    "erase_template": erase_template,
    "erase_template_picture": erase_template_picture,
}
