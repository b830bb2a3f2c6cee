"""What is kept of one customer: handed out, and erased. The customer's name is in no address."""

from aiohttp import web

from server.api.bodies_customers import CustomerErased, EraseCustomer, ErasedCounts, ExportCustomer
from server.api.call import Call, Handler, Reply


async def export_customer(call: Call) -> web.StreamResponse:
    body: ExportCustomer = call.body
    packed = await call.context.customer_exports.export(call.who, body.customer)
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="customer.zip"'}
    return web.Response(body=packed, content_type="application/zip", headers=headers)


async def erase_customer(call: Call) -> Reply:
    body: EraseCustomer = call.body
    done = await call.context.customers.erase(call.who, body.customer, request=body.request, recordings=body.recordings)
    return Reply(
        CustomerErased(
            id=done.erasure.id,
            at=done.erasure.at,
            erased=ErasedCounts(**done.counts),
            recordings_kept=done.kept,
            receipt=done.receipt,
        )
    )


HANDLERS: dict[str, Handler] = {"export_customer": export_customer, "erase_customer": erase_customer}
