"""All handlers by operation id: one file per resource, put together here."""

from server.api import audit, files, invitations, keys, login, media, messages, network, sessions, site, staff, waiting
from server.api.call import Handlers

HANDLERS: Handlers = (
    site.HANDLERS
    | login.HANDLERS
    | waiting.HANDLERS
    | invitations.HANDLERS
    | sessions.HANDLERS
    | media.HANDLERS
    | network.HANDLERS
    | messages.HANDLERS
    | files.HANDLERS
    | keys.HANDLERS
    | staff.HANDLERS
    | audit.HANDLERS
)
