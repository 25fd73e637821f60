"""Puts a reply on the wire: through aiohttp, or by hand where a fault wants bytes that aiohttp would not send."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Optional

from aiohttp import web

DRIP_TICK = 0.05    # seconds between two pieces of a slow drip


@dataclass
class Shape:
    """How a reply is sent. Sizes in bytes of body."""
    cut: Optional[float] = None     # close after that many bytes; below 1: after that share of the body
    claim: int = 0                  # added to the true Content-Length
    rate: int = 0                   # bytes per second
    hang: bool = False              # after the head
    close: bool = False             # FIN right after the reply, which announced keep-alive
    chunked: bool = False
    untyped: bool = False           # no Content-Type


class Sent(web.StreamResponse):
    """Tells aiohttp that the reply has gone out by other means and the connection may go on."""

    async def prepare(self, request):
        return None

    async def write_eof(self, data=b""):
        return None

    @property
    def keep_alive(self):
        return True


def connected(request):
    return request.transport is not None and not request.transport.is_closing()


async def until_gone(request):
    while connected(request):
        await asyncio.sleep(0.05)


def reset(request):
    """RST instead of FIN."""
    if request.transport is not None:
        linger = struct.pack("ii", 1, 0)
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        request.transport.abort()


def close(request):
    if request.transport is not None:
        request.transport.close()


async def send(request, reply, shape=None):
    headers = {name: value for name, value in reply.headers.items() if value is not None}
    try:
        if shape is not None:
            await send_raw(request, reply, headers, shape)
        elif "Content-Type" not in headers:     # aiohttp would invent one
            await send_raw(request, reply, headers, Shape())
        elif reply.stream is None:
            return web.Response(status=reply.status, headers=headers, body=reply.body)
        else:
            return await send_stream(request, reply, headers)
    except ConnectionError:
        pass        # the client has left
    return Sent()


async def send_stream(request, reply, headers):
    response = web.StreamResponse(status=reply.status, headers=headers)
    if reply.length is None:
        response.enable_chunked_encoding()
    else:
        response.content_length = reply.length
    async with contextlib.aclosing(reply.stream) as stream:
        await response.prepare(request)
        if request.method != "HEAD":
            async for chunk in stream:
                await response.write(chunk)
    await response.write_eof()
    return response


async def whole(reply):
    yield reply.body


async def send_raw(request, reply, headers, shape):
    """Writes head and body to the transport; errors as of the transport."""
    length = reply.length if reply.stream is not None else len(reply.body)
    chunked = shape.chunked or length is None
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    elif reply.status not in (204, 304):
        headers["Content-Length"] = str(max(0, length + shape.claim))
    if shape.untyped:
        headers.pop("Content-Type", None)
    phrase = HTTPStatus(reply.status).phrase if reply.status in HTTPStatus._value2member_map_ else "Odd"
    headers.setdefault("Date", formatdate(usegmt=True))
    lines = [f"HTTP/1.1 {reply.status} {phrase}"] + [f"{name}: {value}" for name, value in headers.items()]
    await write(request, ("\r\n".join(lines) + "\r\n\r\n").encode())
    if shape.hang:
        await until_gone(request)
    limit = shape.cut
    if limit is not None and limit < 1:
        limit = int((length or 0) * limit)
    async with contextlib.aclosing(reply.stream or whole(reply)) as stream:
        if request.method != "HEAD" and reply.status not in (204, 304):
            await send_body(request, stream, limit, shape.rate, chunked)
    if limit is not None or shape.close:
        close(request)


async def send_body(request, stream, limit, rate, chunked):
    async for chunk in stream:
        if limit is not None:
            chunk = chunk[:limit]
            limit -= len(chunk)
        piece = max(1, int(rate * DRIP_TICK)) if rate else len(chunk)
        for start in range(0, len(chunk), piece or 1):
            part = chunk[start:start + piece]
            if rate:
                await asyncio.sleep(len(part) / rate)
            await write(request, b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if limit == 0:
            return
    if chunked and limit is None:
        await write(request, b"0\r\n\r\n")


async def write(request, data):
    if not connected(request):
        raise ConnectionResetError("the client has left")
    request.transport.write(data)
    await request.protocol._drain_helper()
