"""Events of one satellite: server-sent events and pushes to subscribers."""

import asyncio
import collections
import contextlib
import datetime
import json

import aiohttp

from reply import Reply
from tree import ROOT

HISTORY = 1000          # events kept for Last-Event-ID
QUEUE = 10000           # events waiting for one receiver; beyond it they are dropped and counted
ATTEMPTS = 3
SEVERITY = {"TaskAborted": "Critical"}


class Receiver:
    def __init__(self, uri):
        self.uri = uri
        self.queue = asyncio.Queue(QUEUE)
        self.worker = None


class Events:
    def __init__(self, options, tree):
        self._options = options
        self._tree = tree
        self._history = collections.deque(maxlen=HISTORY)
        self._streams = {}          # subscription URI -> Receiver, server-sent
        self._pushes = {}           # subscription URI -> Receiver, with worker
        self._private = {}          # subscription URI -> HttpHeaders, which are never shown
        self._http = None
        self._number = 0
        self.counts = collections.Counter()

    # what the tree says

    def service(self):
        return self._tree.get(self._tree.get(ROOT).get("EventService", {}).get("@odata.id", f"{ROOT}/EventService"))

    def stream_path(self):
        return self.service().get("ServerSentEventUri") if self._options.sse else None

    def subscriptions_key(self):
        uri = self.service().get("Subscriptions", {}).get("@odata.id", f"{ROOT}/EventService/Subscriptions")
        return self._tree.find(uri) or uri.rstrip("/")

    # emitting

    def emit(self, message_id, args=(), origin=None, text=None, severity=None, event_type="Alert", pretty=False):
        self._number += 1
        number = str(self._number)
        name = message_id.rpartition(".")[2]
        severity = severity or SEVERITY.get(name, "OK")
        record = {"@odata.type": "#Event.v1_9_0.EventRecord", "EventId": number, "MemberId": "0",
                  "EventType": event_type, "EventTimestamp":
                      datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds"),
                  "MessageId": message_id, "MessageArgs": [str(arg) for arg in args], "Severity": severity,
                  "MessageSeverity": severity, "Message": text or sentence(name, args, origin)}
        if origin:
            record["OriginOfCondition"] = {"@odata.id": origin}
        self._history.append((self._number, record, pretty))
        self.counts["emitted"] += 1
        for receiver in list(self._streams.values()) + list(self._pushes.values()):
            self._offer(receiver, (self._number, record, pretty))
        return number

    def _offer(self, receiver, item):
        if not self._wanted(self._tree.get(receiver.uri), item[1]):
            return
        try:
            receiver.queue.put_nowait(item)
        except asyncio.QueueFull:
            self.counts["dropped"] += 1

    @staticmethod
    def _wanted(subscription, record):
        message_id = record["MessageId"]
        prefixes = subscription.get("RegistryPrefixes") or []
        ids = subscription.get("MessageIds") or []
        origins = [origin.get("@odata.id") for origin in subscription.get("OriginResources") or []]
        if prefixes and message_id.partition(".")[0] not in prefixes:
            return False
        short = (message_id, f"{message_id.partition('.')[0]}.{message_id.rpartition('.')[2]}")
        if ids and not any(each in ids for each in short):
            return False
        return not origins or record.get("OriginOfCondition", {}).get("@odata.id") in origins

    @staticmethod
    def _body(item, context):
        number, record, pretty = item
        value = {"@odata.type": "#Event.v1_7_0.Event", "Id": str(number), "Name": "Event Array", "Context": context,
                 "Events": [record]}
        return json.dumps(value, ensure_ascii=False, indent=2 if pretty else None)

    # server-sent events

    def open_stream(self, call):
        collection = self.subscriptions_key()
        name = self._tree.free_name(collection, "sse-1")
        uri = f"{collection}/{name}"
        self._tree.create(collection, name, {
            "@odata.id": uri, "@odata.type": "#EventDestination.v1_14_1.EventDestination", "Id": name,
            "Name": "SSE subscription", "SubscriptionType": "SSE", "Protocol": "Redfish", "Destination": None,
            "Context": name, "EventFormatType": "Event"})
        receiver = self._streams[uri] = Receiver(uri)
        last = call.headers.get("Last-Event-ID", "")
        if last.isdigit():
            for item in self._history:
                if item[0] > int(last):
                    self._offer(receiver, item)
        return Reply(200, headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"},
                     stream=self._stream(receiver, name, call))

    async def _stream(self, receiver, context, call):
        """Ends when the client leaves or the subscription is deleted."""
        idle = 0.0
        try:
            yield b": open\n\n"
            while receiver.uri in self._streams and call.connected():
                try:
                    item = await asyncio.wait_for(receiver.queue.get(), 0.2)
                except asyncio.TimeoutError:
                    idle += 0.2
                    if idle * 1000 >= self._options.sse_keepalive_ms:
                        idle = 0.0
                        yield b": alive\n\n"
                    continue
                lines = self._body(item, context).splitlines()
                yield (f"id: {item[0]}\n" + "".join(f"data: {line}\n" for line in lines) + "\n").encode()
        finally:
            if self._streams.pop(receiver.uri, None) and self._tree.find(receiver.uri):
                self._tree.remove(receiver.uri)

    # pushes

    def subscribed(self, uri, headers):
        """After a subscription with a Destination was created."""
        self._private[uri] = {name: str(value) for each in headers or [] for name, value in each.items()}
        receiver = self._pushes[uri] = Receiver(uri)
        receiver.worker = asyncio.ensure_future(self._push(receiver))

    def forget(self, key):
        """After the resource at key was deleted."""
        self._streams.pop(key, None)
        self._private.pop(key, None)
        receiver = self._pushes.pop(key, None)
        if receiver is not None:
            receiver.worker.cancel()

    async def _push(self, receiver):
        """In order, one at a time; an event that is not taken after some attempts is dropped and counted."""
        if self._http is None:
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False),
                                               timeout=aiohttp.ClientTimeout(total=10))
        while True:
            item = await receiver.queue.get()
            subscription = self._tree.get(receiver.uri)
            body = self._body(item, subscription.get("Context"))
            headers = {"Content-Type": "application/json", **self._private.get(receiver.uri, {})}
            for attempt in range(ATTEMPTS):
                if attempt:
                    await asyncio.sleep(0.1 * attempt)
                with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError, OSError):
                    async with self._http.post(subscription["Destination"], data=body.encode(),
                                               headers=headers) as answer:
                        if answer.status < 300:
                            self.counts["pushed"] += 1
                            break
            else:
                self.counts["undelivered"] += 1

    async def stop(self):
        self._streams.clear()
        workers = [receiver.worker for receiver in self._pushes.values()]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        if self._http is not None:
            await self._http.close()


def sentence(name, args, origin):
    """A human sentence with the URIs in it, as real BMCs write them."""
    if name == "ResourceStateChanged":
        return f"The state of resource '{args[0]}' has changed to {args[1]}."
    if name.startswith("Task"):
        return f"The task with Id '{args[0]}' at {origin} is {name[4:]}."
    what = {"ResourceCreated": "was created successfully", "ResourceRemoved": "was removed successfully",
            "ResourceChanged": "has changed"}.get(name, f"raised {name}")
    return f"The resource at {origin} {what}." if origin else f"{name} was raised."
