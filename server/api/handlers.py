"""All handlers by operation id: one file per resource, put together here."""

from server.api import (
    audit,
    cobrowse,
    customers,
    documents,
    faces,
    files,
    invitations,
    keys,
    login,
    media,
    messages,
    network,
    pdfs,
    recordings,
    risk,
    sessions,
    site,
    staff,
    verifications,
    waiting,
    webhooks,
)
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
    | pdfs.HANDLERS
    | keys.HANDLERS
    | staff.HANDLERS
    | audit.HANDLERS
    | webhooks.HANDLERS
    | recordings.HANDLERS
    | risk.HANDLERS
    | faces.HANDLERS
    | documents.HANDLERS
    | verifications.HANDLERS
    | customers.HANDLERS
    | cobrowse.HANDLERS
)
