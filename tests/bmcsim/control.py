"""The tests' side door: one unauthenticated plain HTTP port per process, on 127.0.0.1."""

import asyncio
import json

from aiohttp import web

import options as option_words
import transfer


class Control:
    def __init__(self, satellites, faults):
        self._satellites = {satellite.options.name: satellite for satellite in satellites}
        self._faults = faults
        self._runner = None
        self.url = None

    async def start(self, port):
        app = web.Application(middlewares=[plain_errors])
        app.add_routes([
            web.get("/counts", self.counts), web.post("/reset-counts", self.reset_counts),
            web.get("/requests", self.requests),
            web.get("/executions", self.executions), web.delete("/executions", self.clear_executions),
            web.get("/faults", self.list_faults), web.post("/faults", self.add_fault),
            web.delete("/faults", self.remove_faults), web.delete("/faults/{id}", self.remove_faults),
            web.post("/event", self.event), web.get("/uploads", self.uploads),
            web.get("/download-sha256", self.download_sha256),
            web.post("/expire-sessions", self.expire_sessions), web.post("/finish-tasks", self.finish_tasks),
            web.post("/network", self.network), web.post("/options", self.options),
            web.put("/resource", self.put_resource), web.delete("/resource", self.delete_resource)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, shutdown_timeout=0.1)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"

    async def stop(self):
        if self._runner is not None:
            await self._runner.cleanup()

    def _chosen(self, name):
        """The satellites of that name, all for none."""
        if not name:
            return list(self._satellites.values())
        if name not in self._satellites:
            raise ValueError(f"no satellite {name}; there are {', '.join(self._satellites)}")
        return [self._satellites[name]]

    @staticmethod
    async def _body(request):
        value = await request.json() if request.can_read_body else {}
        if not isinstance(value, dict):
            raise ValueError("a JSON object is needed")
        return value

    # traffic

    async def counts(self, request):
        """{satellite: {total, by {"METHOD path": n}, connections, most_at_once, sessions, events}}"""
        return web.json_response({satellite.options.name: {
            "total": satellite.traffic.total, "by": dict(satellite.traffic.counts),
            "connections": satellite.traffic.connections, "most_at_once": satellite.traffic.most_at_once,
            "sessions": satellite.auth.session_count, "events": dict(satellite.events.counts)}
            for satellite in self._chosen(request.query.get("satellite"))})

    async def reset_counts(self, request):
        for satellite in self._chosen((await self._body(request)).get("satellite")):
            satellite.traffic.reset()
        return web.json_response({})

    async def requests(self, request):
        """The last requests with their headers, also those that met a fault."""
        last = int(request.query.get("last", 100))
        return web.json_response({satellite.options.name: list(satellite.traffic.requests)[-last:]
                                  for satellite in self._chosen(request.query.get("satellite"))})

    async def executions(self, request):
        """Each request but GET and HEAD that was executed (not those that a fault kept from it)."""
        records = [record for satellite in self._chosen(request.query.get("satellite"))
                   for record in satellite.traffic.executions]
        return web.json_response(sorted(records, key=lambda record: record["time"]))

    async def clear_executions(self, request):
        for satellite in self._chosen(request.query.get("satellite")):
            satellite.traffic.executions.clear()
        return web.json_response({})

    # faults

    async def list_faults(self, request):
        return web.json_response(self._faults.listed())

    async def add_fault(self, request):
        spec = await self._body(request)
        self._chosen(spec.get("satellite"))
        return web.json_response({"id": self._faults.add(spec)}, status=201)

    async def remove_faults(self, request):
        number = request.match_info.get("id")
        removed = self._faults.remove(int(number) if number else None, request.query.get("satellite"))
        return web.json_response({"removed": removed})

    # events, transfers

    async def event(self, request):
        """{satellite?, count?, message_id?, args?, origin?, text?, severity?, event_type?, pretty?}"""
        body = await self._body(request)
        chosen = self._chosen(body.pop("satellite", None))
        count = body.pop("count", 1)
        body.setdefault("message_id", "ResourceEvent.1.3.0.ResourceChanged")
        ids = {satellite.options.name: [satellite.events.emit(**body) for _ in range(count)] for satellite in chosen}
        return web.json_response(ids)

    async def uploads(self, request):
        return web.json_response([record for satellite in self._chosen(request.query.get("satellite"))
                                  for record in satellite.uploads.received])

    async def download_sha256(self, request):
        size = int(request.query["bytes"])
        digest = await asyncio.get_running_loop().run_in_executor(None, transfer.download_sha256, size)
        return web.json_response({"bytes": size, "sha256": digest})

    # state

    async def expire_sessions(self, request):
        chosen = self._chosen((await self._body(request)).get("satellite"))
        return web.json_response({satellite.options.name: satellite.auth.expire() for satellite in chosen})

    async def finish_tasks(self, request):
        """{satellite?, id?, state?}: ends tasks now, e.g. those that the option hold_tasks keeps running."""
        body = await self._body(request)
        return web.json_response({satellite.options.name:
                                  satellite.tasks.finish_all(body.get("state", "Completed"), body.get("id"))
                                  for satellite in self._chosen(body.get("satellite"))})

    async def network(self, request):
        """{satellite?, up}: a satellite that is down cuts its connections and refuses new ones."""
        body = await self._body(request)
        for satellite in self._chosen(body.get("satellite")):
            await (satellite.join_network() if body["up"] else satellite.leave_network())
        return web.json_response({})

    async def options(self, request):
        body = await self._body(request)
        for satellite in self._chosen(body.pop("satellite", None)):
            option_words.change(satellite.options, body)
        return web.json_response({})

    async def put_resource(self, request):
        """{satellite?, path, body | raw}: stores a resource, and lists a new one in its collection."""
        body = await self._body(request)
        path = body["path"].rstrip("/")
        value = body["raw"].encode() if "raw" in body else body["body"]
        for satellite in self._chosen(body.get("satellite")):
            tree = satellite.tree
            if tree.find(path) is None:
                collection, _, name = path.rpartition("/")
                tree.create(collection, name, value)
                satellite.events.emit("ResourceEvent.1.3.0.ResourceCreated", [], path, event_type="ResourceAdded")
            else:
                tree.put(tree.find(path), value)
                satellite.events.emit("ResourceEvent.1.3.0.ResourceChanged", [], path, event_type="ResourceUpdated")
        return web.json_response({})

    async def delete_resource(self, request):
        path = request.query["path"].rstrip("/")
        for satellite in self._chosen(request.query.get("satellite")):
            key = satellite.tree.find(path)
            if key is not None:
                satellite.tree.remove(key)
                satellite.events.emit("ResourceEvent.1.3.0.ResourceRemoved", [], key, event_type="ResourceRemoved")
        return web.json_response({})


@web.middleware
async def plain_errors(request, handler):
    try:
        return await handler(request)
    except (ValueError, KeyError, TypeError, json.JSONDecodeError) as problem:
        return web.json_response({"error": f"{type(problem).__name__}: {problem}"}, status=400)
