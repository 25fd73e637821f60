"""A worker of a bmcmesh connector: functions that the mesh may call. See ../README.md, which a new user reads first.

    worker = Worker("power", type="chassis", version="1.0")

    @worker.command("power.cycle", {"type": "object", "required": ["system"]})
    def power_cycle(payload, call):
        call.progress(50, "it is off")
        return {"state": "on"}

    @worker.on("sensor.*")
    def on_sensor(event):
        print(event.source, event.topic, event.name, event.payload)

    worker.run()  # or worker.start(), which returns, and then
    worker.emit("power.state", "cycled", {"system": "1"})
"""

import base64
import itertools
import json
import logging
import math
import os
import queue
import re
import signal
import threading
import time
import uuid
from collections import deque, namedtuple
from concurrent.futures import Future, ThreadPoolExecutor

import zmq

DEFAULT_SOCKET = "/run/bmcmesh/worker.sock"
MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH = 64 * 1024, 64  # the mesh's
MAX_TEXT, MAX_FAILURE = 1024, 64                      # characters; the connector cuts after as many bytes
MAX_UNSENT = 256                                      # ends of commands that the connector does not take just now
MAX_UNANSWERED = 128                                  # events that were emitted
TAKEN_AT_ONCE = 8                                     # events that a subscription has done with, before that is said
PAUSE_UNCONNECTED, PAUSE_UNSENT = 0.2, 0.05           # seconds
log = logging.getLogger("bmcmesh.worker")


class Failed(Exception):
    """Raised by a command's function: a FAIL with a code of the worker's own, a reason, and maybe a payload."""

    def __init__(self, failure, text="", payload=None):
        super().__init__(text or failure)
        self.reply = _fail(failure, text) | ({} if payload is None else {"payload": payload})


class NoSecret(Failed):
    """A secret that is not to be had; `code` is the connector's, as "not_found" or "permission_denied". Uncaught: the command's FAIL."""

    def __init__(self, code, text):
        super().__init__(code, text)
        self.code = code


class Refused(Exception):
    """The connector will not have this worker, or this subscription; the text says why."""


class NotAccepted(Exception):
    """An event that will not be kept; `code` says why: see README.md, or "stopped"."""

    def __init__(self, code, reason=""):
        super().__init__(f"{code}: {reason}" if reason else code)
        self.code, self.reason = code, reason


Accepted = namedtuple("Accepted", "epoch sequence")
# `lost` is 0; or so many events of this source are lost, and there is neither topic nor name nor payload.
Event = namedtuple("Event", "source topic name payload time lost cursor")


def _fail(failure, text):
    return {"state": "FAIL", "failure": str(failure)[:MAX_FAILURE], "text": str(text)[:MAX_TEXT]}


def _encoded(message):
    """UTF-8; what no UTF-8 can hold becomes a question mark. ValueError, TypeError, RecursionError: it is no JSON."""
    text = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


def _finite(digits):
    if math.isinf(float(digits)):
        raise ValueError("an integer beyond what a double holds")


def _depth(text):
    depth = deepest = 0
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|[][{}]', text):
        depth += 1 if part in "[{" else -1 if part in "]}" else 0
        deepest = max(deepest, depth)
    return deepest


def _configuration_key(message):
    """Beside the ids of commands: what has not been answered keeps run() from returning."""
    return f"configuration {message['version']}"


def _sendable(reply):
    """The reply, or the FAIL in its place when its payload is none that the connector would pass on."""
    try:
        payload = _encoded(reply.get("payload"))
        if len(payload) > MAX_PAYLOAD_BYTES:
            return _fail("reply_too_large", f"it was executed, but its answer is longer than {MAX_PAYLOAD_BYTES} bytes")
        if _depth(payload.decode()) > MAX_PAYLOAD_DEPTH:
            raise RecursionError
        json.loads(payload, parse_int=_finite)
        return reply
    except RecursionError:
        return _fail("reply_too_deep", f"it was executed, but its answer nests deeper than {MAX_PAYLOAD_DEPTH}")
    except (TypeError, ValueError) as problem:
        return _fail("reply_not_json", f"it was executed, but its answer is no JSON: {problem}")


class Call:
    """One execution of a command, for its function."""

    def __init__(self, worker, message):
        self._worker, self.id, self.user = worker, message["id"], message["user"]
        self._ends = time.monotonic() + message["deadline_ms"] / 1000

    def progress(self, percent, text=""):
        percent = int(max(0, min(100, percent)))
        self._worker._post({"id": self.id, "state": "ON_GOING", "progress": percent, "text": str(text)[:MAX_TEXT]})

    def remaining(self):
        """Seconds until nobody waits for the answer any more."""
        return self._ends - time.monotonic()


class Events:
    """An iterator over events; what it has yielded counts as done with when the next one is asked for. See Worker.events()."""

    def __init__(self, worker, name, topics, start, cursor):
        self._worker, self.name, self._topics, self._start = worker, name, list(topics), start
        self._heard = dict(json.loads(cursor)) if cursor else {}  # up to what it came from the connector, by source
        self._done = dict(self._heard)                            # and up to what it was done with
        self._queue, self._generation, self._taken, self._held = queue.SimpleQueue(), 0, 0, None

    @property
    def cursor(self):
        """A text to go on from, with events(cursor=…), behind all that it is done with."""
        return json.dumps(self._done, separators=(",", ":"))

    def close(self):
        self._worker._order(lambda: self._worker._unsubscribe(self))

    def __iter__(self):
        return self

    def __next__(self):
        self.done()
        item = self._queue.get()
        if isinstance(item, Exception):
            self._queue.put(item)
            raise StopIteration if isinstance(item, StopIteration) else item
        self._held = item
        return item[1]

    def done(self):
        """The one that was yielded last is done with; as the next one says, too."""
        held, self._held = self._held, None
        if held is None:
            return
        generation, event = held
        self._done[event.source] = event.cursor
        if generation == self._generation:
            self._taken += 1
            if self._taken % TAKEN_AT_ONCE == 0 or self._queue.empty():
                self._worker._order(lambda: self._worker._tell_taken(self, generation))

    # In the worker's loop.

    def _subscribe_word(self):
        self._generation, self._taken = self._generation + 1, 0
        word = {"message": "subscribe", "subscription": self.name, "topics": self._topics, "from": self._start}
        return word | ({"from": "cursor", "cursor": self._heard} if self._heard else {})

    def _take(self, message):
        word = message["message"]
        if word == "cursor":
            self._heard.update(message["cursor"])
            self._done = {**message["cursor"], **self._done}
        else:
            self._heard[message["source"]] = message["cursor"]
            event = Event(message["source"], message.get("topic"), message.get("name"), message.get("payload"), message["time"],
                          message.get("lost", 0), message["cursor"])
            self._queue.put((self._generation, event))

    def _end(self, why):
        self._queue.put(why)


class Worker:
    def __init__(self, name, type, version, socket=None):
        self._about = {"message": "register", "protocol": 1, "worker": name, "type": type, "version": version}
        self._path = socket or os.environ.get("BMCMESH_WORKER_SOCKET", DEFAULT_SOCKET)
        self._functions, self._schemas, self._configure = {}, {}, None
        self._replies, self._running, self._stopping = queue.SimpleQueue(), set(), False
        self._answers, self._has_secrets = {}, False  # of secrets that are asked for, by the question's id
        self._unsent = deque()  # (id, frame) of ends; their ids are in _running, too
        self._wake_read, self._wake = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake, False)
        self._orders = queue.SimpleQueue()      # of other threads: what the loop is to do
        self._listeners = []                    # (topics, start, function)
        self._subscriptions, self._names, self._words = {}, itertools.count(), deque()  # Events by name; what is said of them
        self._slots = threading.BoundedSemaphore(MAX_UNANSWERED)
        self._events, self._emitted, self._ref = deque(), {}, 0  # not sent; sent and not answered: (future, message) by number
        self._ended, self._over, self._thread = False, threading.Event(), None
        self._context, self._socket = zmq.Context(), None

    def command(self, name, schema=None):
        """The function below it, taking (payload, call), executes this command; what it returns is the SUCCESS's payload."""
        def take(function):
            self._functions[name], self._schemas[name] = function, schema
            return function
        return take

    def secret(self, name, timeout=10.0):
        """The value, in bytes, of a secret that is granted to this connector; for functions, while run() runs. NoSecret: why not.
        Ask each time: the next answer may be a newer one. It is in no log, as long as yours has none."""
        if not self._has_secrets:
            raise NoSecret("unsupported", "this connector has no secrets, or is not attached just now")
        question, answer = uuid.uuid4().hex, queue.SimpleQueue()
        self._answers[question] = answer
        self._replies.put((question, False, _encoded({"message": "secret", "id": question, "name": str(name)})))
        os.write(self._wake, b".")
        try:
            message = answer.get(timeout=timeout)
        except queue.Empty:
            raise NoSecret("unavailable", f"the connector said nothing of the secret {name}") from None
        finally:
            self._answers.pop(question, None)
        if "value" not in message:
            raise NoSecret(message.get("failure", "failed"), message.get("text", ""))
        return base64.urlsafe_b64decode(message["value"] + "=" * (-len(message["value"]) % 4))

    def on(self, *topics, start="now"):
        """The function below it is called with each event of these topics ("sensor.fan", "sensor.*"), one after the other, in a
        thread of its own. start="start": also with those that are stored already."""
        def take(function):
            self._listeners.append((topics, start, function))
            return function
        return take

    def events(self, *topics, start="now", cursor=None):
        """An iterator over events, independent of any other. `cursor`: of another iterator, to go on from there."""
        events = Events(self, f"events-{next(self._names)}", topics, start, cursor)
        self._order(lambda: self._subscribe(events))
        return events

    def emit(self, topic, name, payload=None, timeout=None):
        """Returns an Accepted when the event is on the connector's disk: whatever happens, it will reach who listens. NotAccepted:
        it will not. TimeoutError: nobody knows. Emitted again after the connector was restarted it may come twice."""
        return self.emit_later(topic, name, payload).result(timeout)

    def emit_later(self, topic, name, payload=None):
        """As emit(), but gives a Future. Waits while MAX_UNANSWERED have no answer."""
        message = {"message": "event", "topic": topic, "name": name} | ({} if payload is None else {"payload": payload})
        _encoded(message)  # what is no JSON is the caller's
        future = Future()
        self._slots.acquire()
        future.add_done_callback(lambda _: self._slots.release())
        self._order(lambda: self._emit(future, message))
        return future

    def configuration(self, function):
        """The function below it, taking (values, resources), is called with each version of the connector's configuration, one
        after the other, also with the same one again after a restart. What it raises refuses that version, for this reason."""
        self._configure = function
        return function

    def stop(self, *_):
        """Takes nothing new; run() returns when what runs has ended. Also the handler of SIGTERM and SIGINT."""
        self._stopping = True
        self._poke()

    def run(self, threads=4):
        """Serves until stop() or until a newer version has taken over. Refused: the connector does not want it."""
        self._end_with_signals()
        self._run(threads)

    def start(self, threads=4):
        """As run(), in a thread of its own, and returns. Ends with the process, or with stop() and join()."""
        self._thread = threading.Thread(target=self._run, args=(threads,), name="bmcmesh", daemon=True)
        self._thread.start()
        return self

    def join(self, timeout=None):
        self._thread.join(timeout)

    def ends(self, seconds=0):
        """Whether it ends, or has ended; waits so long for that."""
        return self._over.wait(seconds)

    def __enter__(self):
        self._end_with_signals()
        return self.start()

    def _end_with_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)

    def __exit__(self, *_):
        self.stop()
        self.join()

    # Everything below but _post(), _execute(), _listen(), _order() and _poke() belongs to the thread of run().

    def _run(self, threads):
        for topics, start, function in self._listeners:
            events = self.events(*topics, start=start)
            threading.Thread(target=self._listen, args=(events, function), daemon=True).start()
        why = StopIteration()
        try:
            with ThreadPoolExecutor(threads) as self._pool, ThreadPoolExecutor(1) as self._configurer:
                self._connect()
                while not self._turn():
                    pass
                self._socket.close(1000)
        except Refused as refused:
            why = refused
            raise
        finally:
            self._ended = True
            self._over.set()
            self._obey()
            for events in self._subscriptions.values():
                events._end(why)
            for future, _ in [*self._events, *self._emitted.values()]:
                self._settle(future, NotAccepted("stopped", str(why) or "the worker ends"))

    def _connect(self):
        if self._socket is not None:
            log.warning("no word from the connector at %s; is it up, and this user in its workers.allow? Trying again", self._path)
            self._socket.close(0)
            while self._unsent:  # on a new connection nobody waits for them: the connector has given them up
                self._running.discard(self._unsent.popleft()[0])
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.immediate, self._socket.reconnect_ivl, self._socket.reconnect_ivl_max = 1, 100, 2000
        self._socket.connect("ipc://" + self._path)
        self._registered = self._asked = self._drain_sent = False
        self._heartbeat, self._heard, self._beat = 2.0, time.monotonic(), 0.0
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._wake_read, zmq.POLLIN)

    def _turn(self):
        """One round of the loop; true when all is done."""
        pause = PAUSE_UNCONNECTED if not self._registered else PAUSE_UNSENT if self._unsent else self._heartbeat
        self._poller.poll(1000 * pause)
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            pass
        self._stopping and self._over.set()  # not in a signal's handler, which may have interrupted who waits for it
        self._obey()
        self._send_replies()
        self._send_events()
        now = time.monotonic()
        while self._socket.poll(0):
            self._heard = now
            if self._take(json.loads(self._socket.recv())):
                return True
        if not self._asked:
            commands = [{"name": name, "schema": schema} for name, schema in self._schemas.items()]
            takes = {"configuration": True} if self._configure else {}
            self._asked = self._send({**self._about, "commands": commands, **takes})
            self._heard = now
        elif now - self._beat > self._heartbeat:
            self._beat = now
            self._send({"message": "ping"})
        if self._stopping and self._registered and not self._drain_sent and not self._events and not self._emitted:
            self._drain_sent = self._send({"message": "drain"})
        if self._asked and now - self._heard > 3 * self._heartbeat:
            self._connect()
        # Who is not registered has nobody that waits for what is unsent.
        return self._stopping and not self._registered and len(self._running) == len(self._unsent)

    def _obey(self):
        while not self._orders.empty():
            self._orders.get()()

    def _emit(self, future, message):
        if self._ended:
            self._settle(future, NotAccepted("stopped", "the worker has ended"))
        else:
            self._events.append((future, message))

    def _send_events(self):
        while self._registered and self._words and self._send(self._words[0]):
            self._words.popleft()
        while self._registered and self._events:
            future, message = self._events[0]
            if not self._send({**message, "ref": self._ref + 1}):
                return
            self._ref += 1
            self._emitted[self._ref] = self._events.popleft()

    @staticmethod
    def _settle(future, outcome):
        if future.set_running_or_notify_cancel():  # its owner has not given it up
            future.set_exception(outcome) if isinstance(outcome, Exception) else future.set_result(outcome)

    def _subscribe(self, events):
        if self._ended:
            return events._end(StopIteration())
        self._subscriptions[events.name] = events
        if self._registered:
            self._words.append(events._subscribe_word())

    def _unsubscribe(self, events):
        if self._subscriptions.pop(events.name, None) is not None:
            self._words.append({"message": "unsubscribe", "subscription": events.name})
            events._end(StopIteration())

    def _tell_taken(self, events, generation):
        if generation == events._generation and self._registered:
            self._words.append({"message": "taken", "subscription": events.name, "total": events._taken})

    def _attached(self):
        """Whatever the connector had is told again: it may be another one, and what was not answered may not be on its disk."""
        self._events.extendleft(reversed(self._emitted.values()))
        self._emitted = {}
        self._words = deque(events._subscribe_word() for events in self._subscriptions.values())

    def _take_events_word(self, word, message):
        if word in ("accepted", "not_accepted"):
            future, _ = self._emitted.pop(message["ref"], (None, None))
            if future is not None:
                self._settle(future, Accepted(message["epoch"], message["sequence"]) if word == "accepted" else
                             NotAccepted(message["code"], message["reason"]))
            return
        events = self._subscriptions.get(message["subscription"])
        if events is not None and word == "not_subscribed":
            del self._subscriptions[events.name]
            log.error("the connector refused a subscription: %s", message["reason"])
            events._end(Refused(message["reason"]))
        elif events is not None and word != "subscribed":
            events._take(message)

    def _send_replies(self):
        waits = not self._send_unsent()
        while not self._replies.empty():
            command, ended, frame = self._replies.get()
            if not ended:
                waits or self._send_frame(frame)
                continue
            if len(self._unsent) == MAX_UNSENT:
                lost = self._unsent.popleft()[0]
                self._running.discard(lost)
                log.error("the end of command %s is lost: the connector takes nothing", lost)
            self._unsent.append((command, frame))
            waits = not self._send_unsent()

    def _send_unsent(self):
        """In their order; true when none is left."""
        while self._unsent and self._send_frame(self._unsent[0][1]):
            self._running.discard(self._unsent.popleft()[0])
        return not self._unsent

    def _take(self, message):
        word = message["message"]
        if word == "command":
            self._running.add(message["id"])
            self._pool.submit(self._execute, message)
        elif word == "registered":
            self._heartbeat = message["heartbeat_ms"] / 1000
            self._has_secrets = message.get("secrets", False)
            if not self._registered:
                self._registered = True
                self._attached()
            log.info("attached to %s", self._path)
        elif word == "secret":
            if answer := self._answers.get(message["id"]):
                answer.put(message)
            if message.get("missing"):
                log.warning("nothing of this version is offered: its pivot asks for %s, too", ", ".join(message["missing"]))
        elif word == "configuration" and self._configure:
            self._running.add(_configuration_key(message))
            self._configurer.submit(self._take_configuration, message)
        elif word in ("stranger", "bye"):  # the connector began anew, or ends: attach again
            self._registered = self._asked = self._drain_sent = False
        elif word == "refused" and self._asked and not self._registered:
            raise Refused(message["reason"])
        elif word == "refused":  # a message, and with it the registration
            log.error("the connector refused a message: %s; registering anew", message["reason"])
            self._registered = self._asked = self._drain_sent = False
        elif word == "drain":
            log.info("a newer version has taken over")
        elif word in ("accepted", "not_accepted", "subscribed", "not_subscribed", "cursor", "event", "gap"):
            self._take_events_word(word, message)
        return word == "drained"

    def _send(self, message):
        return self._send_frame(_encoded(message))

    def _send_frame(self, frame):
        try:
            self._socket.send(frame, zmq.NOBLOCK)
            return True
        except zmq.Again:
            return False

    # In the function's thread, which may change its objects later, and which what cannot be written concerns.
    def _post(self, reply):
        self._replies.put((reply["id"], reply["state"] != "ON_GOING", _encoded({"message": "reply", **reply})))
        self._poke()

    def _order(self, order):
        self._orders.put(order)
        if self._ended:
            self._obey()
        self._poke()

    def _poke(self):
        try:
            os.write(self._wake, b".")
        except BlockingIOError:
            pass  # it is full of them

    @staticmethod
    def _listen(events, function):
        try:
            for event in events:
                try:
                    function(event)
                except Exception:
                    log.exception("%s failed for %s", function.__name__, event)
        except Refused:
            pass  # it was logged

    def _take_configuration(self, message):
        answer = {"message": "configured", "version": message["version"]}
        try:
            self._configure(message["values"], message["resources"])
        except BaseException as problem:  # whatever it is: the operator has to learn of it
            log.exception("version %d of the configuration is refused", message["version"])
            reason = str(problem) or type(problem).__name__
            answer = {"message": "not_configured", "version": message["version"], "reason": reason[:MAX_TEXT]}
        self._replies.put((_configuration_key(message), True, _encoded(answer)))
        os.write(self._wake, b".")

    def _execute(self, message):
        try:
            payload = self._functions[message["name"]](message["payload"], Call(self, message))
            reply = {"state": "SUCCESS"} | ({} if payload is None else {"payload": payload})
        except Failed as failed:
            reply = failed.reply
        except BaseException as problem:  # whatever it is, also sys.exit(): the asker has to learn of it
            log.exception("%s failed", message["name"])
            reply = _fail("exception", f"{type(problem).__name__}: {problem}")
        self._post({"id": message["id"], **_sendable(reply)})
