"""Events of a worker: part of bmcmesh_worker.py, and of no use without it."""

import itertools
import json
import logging
import queue
import threading
from collections import deque, namedtuple
from concurrent.futures import Future

MAX_UNANSWERED = 128                                  # events that were emitted
WINDOW = 64                                           # events that an iterator is given beyond those that it has done with
TAKEN_AT_ONCE = 8                                     # events that a subscription has done with, before that is said
log = logging.getLogger("bmcmesh.worker")


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


def encoded(message):
    """UTF-8; what no UTF-8 can hold becomes a question mark. ValueError, TypeError, RecursionError: it is no JSON."""
    text = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


class Events:
    """An iterator over events; what it has yielded counts as done with when the next one is asked for, by whichever thread: each
    event goes to one of those that ask. See Worker.events()."""

    def __init__(self, worker, name, topics, start, cursor):
        self._worker, self.name, self._topics, self._start = worker, name, list(topics), start
        self._heard = dict(json.loads(cursor)) if cursor else {}  # up to what it came from the connector, by source
        self._done = dict(self._heard)                            # and up to what it was done with
        self._queue, self._generation, self._taken, self._held = queue.SimpleQueue(), 0, 0, None
        self._due = False  # to be asked for as soon as few enough wait
        self._lock = threading.Lock()  # of all but _queue, _heard and _due: the loop's thread and those that iterate change them

    @property
    def cursor(self):
        """A text to go on from, with events(cursor=…), behind all that it is done with."""
        with self._lock:
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
        self._end_with(item)
        return item[1]

    def done(self):
        """The one that was yielded last is done with; as the next one says, too."""
        self._end_with(None)

    def _end_with(self, item):
        """What is held is done with, and `item` is held."""
        with self._lock:
            held, self._held = self._held, item
            if held is None:
                return
            generation, event = held
            self._done[event.source] = event.cursor
            if generation != self._generation:
                return
            self._taken += 1
            tells = self._taken % TAKEN_AT_ONCE == 0 or self._queue.empty()
        if tells:
            self._worker._order(lambda: self._worker._tell_taken(self, generation))

    # In the worker's loop.

    def _subscribe_word(self):
        self._due = False
        with self._lock:
            self._generation, self._taken = self._generation + 1, 0
        word = {"message": "subscribe", "subscription": self.name, "topics": self._topics, "from": self._start}
        return word | ({"from": "cursor", "cursor": self._heard} if self._heard else {})

    def _take(self, message):
        word = message["message"]
        if word == "cursor":
            self._heard.update(message["cursor"])
            with self._lock:
                for source, cursor in message["cursor"].items():
                    self._done.setdefault(source, cursor)
        else:
            self._heard[message["source"]] = message["cursor"]
            event = Event(message["source"], message.get("topic"), message.get("name"), message.get("payload"), message["time"],
                          message.get("lost", 0), message["cursor"])
            self._queue.put((self._generation, event))

    def _end(self, why):
        self._queue.put(why)


class WorkerEvents:
    """What a Worker does about events. Its loop is the one of Worker, which has _order(), _send() and whether it is _registered."""

    def _init_events(self):
        self._listeners = []                    # (topics, start, function, function for a refusal)
        self._subscriptions, self._names, self._words = {}, itertools.count(), deque()  # Events by name; what is said of them
        self._slots = threading.BoundedSemaphore(MAX_UNANSWERED)
        self._events, self._emitted, self._ref = deque(), {}, 0  # not sent; sent and not answered: (future, message) by number

    def on(self, *topics, start="now", refused=None):
        """The function below it is called with each event of these topics ("sensor.fan", "sensor.*"), one after the other, in a
        thread of its own. start="start": also with those that are stored already. `refused` is called with the Refused, once, where
        the connector or the mesh does not let it, and it hears nothing."""
        def take(function):
            self._listeners.append((topics, start, function, refused))
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
        encoded(message)  # what is no JSON is the caller's
        future = Future()
        self._slots.acquire()
        future.add_done_callback(lambda _: self._slots.release())
        self._order(lambda: self._emit(future, message))
        return future

    def _start_listeners(self):
        for topics, start, function, refused in self._listeners:
            events = self.events(*topics, start=start)
            threading.Thread(target=self._listen, args=(events, function, refused), daemon=True).start()

    @staticmethod
    def _listen(events, function, refused):
        try:
            for event in events:
                try:
                    function(event)
                except Exception:
                    log.exception("%s failed for %s", function.__name__, event)
        except Refused as why:
            refused and refused(why)  # it was logged

    # In the worker's loop.

    def _end_events(self, why):
        for events in self._subscriptions.values():
            events._end(why)
        for future, _ in [*self._events, *self._emitted.values()]:
            self._settle(future, NotAccepted("stopped", str(why) or "the worker ends"))

    def _emit(self, future, message):
        if self._ended:
            self._settle(future, NotAccepted("stopped", "the worker has ended"))
        else:
            self._events.append((future, message))

    def _send_events(self):
        for events in self._subscriptions.values() if self._registered else ():
            if events._due and events._queue.qsize() < WINDOW:
                self._words.append(events._subscribe_word())
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
        events._due = True

    def _unsubscribe(self, events):
        if self._subscriptions.pop(events.name, None) is not None:
            self._words.append({"message": "unsubscribe", "subscription": events.name})
            events._end(StopIteration())

    def _tell_taken(self, events, generation):
        if generation == events._generation and self._registered and not events._due:
            self._words.append({"message": "taken", "subscription": events.name, "total": events._taken})

    def _attached(self):
        """Whatever the connector had is told again: it may be another one, and what was not answered may not be on its disk. An
        iterator for which a window waits is asked for when it has caught up, from where it stands."""
        self._events.extendleft(reversed(self._emitted.values()))
        self._emitted = {}
        self._words.clear()
        for events in self._subscriptions.values():
            events._due = True

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
        elif events is not None and word != "subscribed" and not events._due:  # what is left of the one before comes again
            events._take(message)
