"""One simulated BMC: its tree, its services, and the way of a request through them."""

import asyncio
import collections
import hashlib
import json
import re
import ssl
import sys
import time
import traceback
import weakref
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

import faults
import generate
import methods
import query
import transfer
import wire
from actions import Actions
from auth import Auth
from events import Events
from power import Power
from reply import Refused, Reply, encode, error, json_reply, refuse
from tasks import Tasks
from tree import ROOT, Tree, clean, load_mockup

MOST_BODY = 16 * 1024 * 1024    # of requests that are not uploads
MOST_SHOWN = 4096               # of a request's body in its record
MOST_RECORDS = 100000
MOST_REQUESTS = 2000
METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE")


class Call:
    """One request, decoded. `path` has no trailing slash; `target` is path and query as they came."""

    def __init__(self, request, tree):
        self.request = request
        self.method = request.method
        self.headers = request.headers
        self.target = request.raw_path
        raw, _, query_text = self.target.partition("?")
        # some BMCs have members whose very name is percent-encoded
        self.path = clean(raw) if "%" in raw and tree.find(raw) else clean(unquote(raw))
        self.query_text = unquote(query_text)
        self.query = parse_qsl(query_text, keep_blank_values=True)
        self.body_sha256 = None
        self.body_size = 0
        self._body = None

    def connected(self):
        return wire.connected(self.request)

    async def proceed(self):
        """The low-level server leaves Expect to its handlers."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            await self.request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def body(self):
        if self._body is None:
            await self.proceed()
            parts, size = [], 0
            async for part in self.request.content.iter_any():
                size += len(part)
                if size > MOST_BODY:
                    refuse(413, "PayloadTooLarge")
                parts.append(part)
            self._body = b"".join(parts)
            self.body_size = size
            self.body_sha256 = hashlib.sha256(self._body).hexdigest()
        return self._body

    def shown_body(self):
        """What has been read of it, as text; None for what is long, and of uploads, which are not kept."""
        return self._body.decode(errors="replace") if self._body is not None and len(self._body) <= MOST_SHOWN else None

    async def json(self):
        body = await self.body()
        try:
            value = json.loads(body) if body.strip() else {}
        except ValueError:
            refuse(400, "MalformedJSON")
        if not isinstance(value, dict):
            refuse(400, "UnrecognizedRequestBody")
        return value


class Traffic:
    """What came in; bounded, the oldest detail goes first."""

    def __init__(self):
        self.requests = collections.deque(maxlen=MOST_REQUESTS)
        self.executions = collections.deque(maxlen=MOST_RECORDS)
        self.number = 0
        self.reset()

    def reset(self):
        self.counts = collections.Counter()
        self.transports = weakref.WeakSet()
        self.total = self.connections = self.most_at_once = 0
        self.now = 0

    def seen(self, call):
        self.total += 1
        key = f"{call.method} {call.target.partition('?')[0]}"
        if key in self.counts or len(self.counts) < MOST_RECORDS:
            self.counts[key] += 1
        transport = call.request.transport
        if transport is not None and transport not in self.transports:
            self.transports.add(transport)
            self.connections += 1
        self.requests.append({"method": call.method, "target": call.target, "headers": dict(call.headers)})


class Satellite:
    def __init__(self, options, fault_list):
        self.options = options
        self.faults = fault_list
        self.traffic = Traffic()
        self._generated = options.generate
        store = load_mockup(options.mockup) if options.mockup else generate.store(
            options.systems, options.entries, options.seed, options.user)
        self.tree = Tree(store)
        self._make_alive()
        self.events = Events(options, self.tree)
        self.auth = Auth(options, self.tree)
        self.tasks = Tasks(options, self.tree, self.events.emit)
        self.power = Power(options, self.tree, self.events.emit)
        self.actions = Actions(self)
        self.uploads = transfer.Uploads(self)
        self._stale = weakref.WeakSet()     # transports to close when their next request comes
        self._runner = self._site = self._tls = self._absence = None
        self.port = options.port

    def _make_alive(self):
        """What a recorded tree lacks to serve as a BMC; all other bytes of the two resources stay."""
        root = self.tree.find(ROOT)
        body = self.tree.read(root)
        if self.options.uuid:
            changed, count = re.subn(rb'("UUID"\s*:\s*)"[^"]*"', rb'\1"%s"' % self.options.uuid.encode(), body, 1)
            self.tree.put(root, changed if count else insert(body, "UUID", self.options.uuid))
        service = self.tree.find(f"{ROOT}/EventService")
        if service and self.options.sse and "ServerSentEventUri" not in self.tree.json(service):
            self.tree.put(service, insert(self.tree.read(service), "ServerSentEventUri", f"{ROOT}/EventService/SSE"))

    # network

    async def start(self, tls):
        """Listens; `tls` is an SSLContext or None. Port 0 is replaced by the one got."""
        self._tls = tls
        server = web.Server(self.handle, access_log=None, keepalive_timeout=self.options.keepalive,
                            max_line_size=65536, max_field_size=65536, lingering_time=1.0, auto_decompress=False)
        self._runner = web.ServerRunner(server, handle_signals=False)
        await self._runner.setup()
        await self.join_network()

    async def join_network(self):
        if self._site is not None:
            return
        site = web.TCPSite(self._runner, self.options.host, self.port, ssl_context=self._tls, shutdown_timeout=0.1,
                           backlog=512)
        await site.start()
        self._site = site
        self.port = site._server.sockets[0].getsockname()[1]

    async def leave_network(self):
        """Connections are cut and new ones refused, until join_network."""
        site, self._site = self._site, None
        if site is not None:
            await site.stop()

    def leave_network_soon(self, milliseconds):
        """For the answer that is being sent now to leave first."""
        async def absence():
            await asyncio.sleep(0.05)
            await self.leave_network()
            await asyncio.sleep(milliseconds / 1000)
            await self.join_network()
        self._absence = asyncio.ensure_future(absence())

    async def stop(self):
        if self._absence is not None:
            self._absence.cancel()
        self.tasks.stop()
        await self.power.stop()
        await self.events.stop()
        await self.leave_network()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self):
        host = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    # a request

    async def handle(self, request):
        call = Call(request, self.tree)
        traffic = self.traffic
        traffic.seen(call)
        if request.transport in self._stale:
            wire.close(request)
            return wire.Sent()
        traffic.now += 1
        traffic.most_at_once = max(traffic.most_at_once, traffic.now)
        try:
            return await self._handle(call)
        finally:
            traffic.now = max(0, traffic.now - 1)

    async def _handle(self, call):
        met = self.faults.pick(self.options.name, call.method, call.target)
        reply = None
        for fault in met:
            if fault.kind in faults.BEFORE:
                reply = await faults.before(fault, self, call)
                if isinstance(reply, wire.Sent):
                    return reply
                if reply is not None:
                    break
        if reply is None:
            reply = await self.answer(call)
        self._complete(reply)
        shape = faults.shape_of(met, reply)
        if any(fault.kind == "stale" and fault.mode == "on-next" for fault in met):
            self._stale.add(call.request.transport)
        return await wire.send(call.request, reply, shape)

    def _complete(self, reply):
        if self.options.absolute and reply.headers.get("Location", "").startswith("/"):
            reply.headers["Location"] = self.url + reply.headers["Location"]
        reply.headers.setdefault("OData-Version", "4.0")
        reply.headers.setdefault("Cache-Control", "no-cache")
        reply.headers.setdefault("Server", "bmcsim")

    async def answer(self, call) -> Reply:
        """Executes the request. Everything that is not a read is recorded as an execution."""
        try:
            self._admit(call)
            if call.method in ("GET", "HEAD"):
                return self._get(call)
            return await self._execute(call)
        except Refused as refused:
            return refused.reply
        except (ConnectionError, ssl.SSLError, RequestPayloadError):
            return error(400, "UnrecognizedRequestBody")    # the client has left within its request
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return error(500, "InternalError")

    def _admit(self, call):
        account = None
        if self.options.auth != "none" and not self.auth.open_to_all(call.method, call.path):
            account = self.auth.identify(call.headers)
            if account is None:
                raise Refused(self.auth.unauthorized())
        if call.headers.get("OData-Version", "4.0") != "4.0":
            refuse(412, "HeaderInvalid", "OData-Version")
        if call.method not in METHODS:
            refuse(405, "OperationNotAllowed", Allow="GET, HEAD")
        self.auth.permit(account, call.method, call.path)

    async def _execute(self, call):
        self.traffic.number += 1
        record = {"n": self.traffic.number, "time": time.time(), "satellite": self.options.name,
                  "method": call.method, "path": call.target, "headers": dict(call.headers), "status": None}
        self.traffic.executions.append(record)
        try:
            reply = await self._change(call)
            record["status"] = reply.status
            return reply
        except Refused as refused:
            record["status"] = refused.reply.status
            raise
        finally:
            record["body_sha256"], record["body_size"] = call.body_sha256, call.body_size
            record["body"] = call.shown_body()

    async def _change(self, call):
        if call.method == "POST":
            if self.auth.is_login(call.path):
                return self.auth.log_in(await call.json())
            if self.uploads.accepts(call.path):
                return await self.uploads.receive(call)
            action = self.actions.find(call.path)
            if action is not None:
                return self.actions.run(call, action, await call.json())
        task = self.tasks.at(call.path)
        if task is not None and call.method == "DELETE":
            return self.tasks.cancel(task)
        if call.method == "POST" and call.path.endswith("/Members"):
            call.path = call.path.removesuffix("/Members")
        key = self._key(call)
        allowed = methods.allow(self.tree, key)
        if call.method not in allowed:
            refuse(405, "OperationNotAllowed", Allow=", ".join(allowed))
        self._check_match(call, key)
        if call.method == "DELETE":
            return methods.delete(self, call, key)
        body = await call.json()
        return (methods.patch if call.method == "PATCH" else methods.create)(self, call, key, body)

    def _key(self, call):
        key = self.tree.find(call.path)
        if key is not None:
            return key
        inline = self.tree.inline_member(call.path)
        if inline is None:
            refuse(404, "ResourceMissingAtURI", call.path)
        if call.method == "DELETE":
            self.tree.remove_member(clean(inline["@odata.id"]))
            raise Refused(Reply(204))
        return refuse(405, "OperationNotAllowed", Allow="GET, HEAD, DELETE")

    def _check_match(self, call, key):
        wanted = call.headers.get("If-Match")
        if wanted is None:
            if self.options.require_etag and call.method == "PATCH":
                refuse(428, "PreconditionRequired")
        elif not etag_in(self.tree.meta(key).etag, wanted):
            refuse(412, "PreconditionFailed", ETag=self.tree.meta(key).etag)

    # reads

    def _get(self, call):
        if call.path == "/redfish":
            return json_reply(200, {"v1": "/redfish/v1/"}, Allow="GET, HEAD")
        task = self.tasks.at(call.path)
        if task is not None:
            return self.tasks.poll(task)
        large = transfer.download(call.path, call.query)
        if large is not None:
            return large.set(Allow="GET, HEAD")
        if call.method == "GET" and call.path == self.events.stream_path():
            return self.events.open_stream(call)
        key = self.tree.find(f"{call.path}?{call.query_text}") if call.query_text else None
        value = None
        if key is None:
            key = self.tree.find(call.path)
            if key is None:
                return self._unstored(call)
            if self.tree.meta(key).json:
                value = query.apply(self.tree, key, call.query, self._page(key))
        return self._resource(call, key, value)

    def _page(self, key):
        if self.options.page == 0 and self._generated and self.tree.meta(key).type == "LogEntryCollection":
            return generate.LOG_PAGE
        return self.options.page

    def _unstored(self, call):
        if call.path == f"{ROOT}/odata":
            return Reply(200, methods.odata_document(self.tree), {"Content-Type": "application/json"})
        inline = self.tree.inline_member(call.path)
        if inline is not None:
            return json_reply(200, inline, Allow="GET, HEAD, DELETE")
        action = self.actions.find(call.path)
        if action is not None:
            refuse(405, "OperationNotAllowed", Allow="POST")
        return refuse(404, "ResourceMissingAtURI", call.path)

    def _resource(self, call, key, value):
        meta = self.tree.meta(key)
        body = self.tree.read(key) if value is None else encode(value)
        etag = meta.etag if value is None else f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        headers = {"Content-Type": self.tree.content_type(key), "Allow": ", ".join(methods.allow(self.tree, key)),
                   "ETag": etag, "Link": self.tree.described_by(key)}
        headers.update(self.tree.headers(key, "GET"))
        wanted = call.headers.get("If-None-Match")
        if wanted is not None and etag_in(headers["ETag"], wanted):
            return Reply(304, headers={name: headers[name] for name in ("ETag", "Allow", "Link")})
        return Reply(200, body, headers)


def etag_in(etag, header):
    """Weak comparison, also for If-Match: BMCs do so."""
    given = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in given or etag.removeprefix("W/") in given


def insert(body, name, value):
    """A JSON object's bytes with one string property in front of the others, which stay as they are."""
    place = body.index(b"{") + 1
    return body[:place] + f"\n  {json.dumps(name)}: {json.dumps(value)},".encode() + body[place:]


def server_context(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
