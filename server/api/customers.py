"""What is kept of one customer: handed out, and erased. The customer's name is in no address."""

import asyncio
import logging

from aiohttp import web

from server.api.bodies_customers import CustomerErased, EraseCustomer, ErasedCounts, ExportCustomer
from server.api.call import Call, Handler, Reply
from server.errors import TongpingError
from server.services.customer_export import Package

log = logging.getLogger(__name__)
WRITE_S = 60.0
"""Longest wait for who reads slowly, for each piece."""
WHOLE_S = 3600.0
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Type": "application/zip",
    "Content-Disposition": 'attachment; filename="customer.zip"',
}


async def export_customer(call: Call) -> web.StreamResponse:
    """What cannot be read any further ends the connection, so that nobody takes it for the whole."""
    body: ExportCustomer = call.body
    package = await call.context.customer_exports.export(call.who, body.customer)
    try:
        return await _send(call, package)
    finally:
        await package.close()


async def _send(call: Call, package: Package) -> web.StreamResponse:
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(call.request)
    try:
        async with asyncio.timeout(WHOLE_S):
            async for piece in package:
                async with asyncio.timeout(WRITE_S):
                    await response.write(piece)
    except ConnectionResetError:
        return response
    except (TongpingError, OSError) as error:  # a timeout, and a disk that fails in the middle, are OSErrors
        log.warning("an export was cut short", extra={"code": getattr(error, "code", type(error).__name__)})
        if call.request.transport is not None:
            call.request.transport.abort()
        return response
    await response.write_eof()
    return response


async def erase_customer(call: Call) -> Reply:
    body: EraseCustomer = call.body
    done = await call.context.customers.erase(call.who, body.customer, request=body.request, recordings=body.recordings)
    return Reply(
        CustomerErased(
            id=done.erasure.id,
            at=done.erasure.at,
            erased=ErasedCounts(**done.counts),
            recordings_kept=done.kept,
            sessions_kept=done.others,
            receipt=done.receipt,
        )
    )


HANDLERS: dict[str, Handler] = {"export_customer": export_customer, "erase_customer": erase_customer}
