"""What the pages need before anybody has signed in."""

from server.api.bodies import Site, SiteMedia
from server.api.call import Call, Handler, Reply
from server.domain.model import Language
from server.version import VERSION


async def get_site(call: Call) -> Reply:
    config = call.context.config
    return Reply(
        Site(
            bank_name={Language.ZH: config.bank.name_zh, Language.EN: config.bank.name_en},
            version=VERSION,
            walk_in=config.walk_in,
            max_file_bytes=config.files.max_file_bytes,
            development=config.development,
            media=SiteMedia(
                audio_slots=config.media.audio_slots,
                video_slots=config.media.video_slots,
                relay=call.context.turn.version > 0,
            ),
        )
    )


HANDLERS: dict[str, Handler] = {"get_site": get_site}
