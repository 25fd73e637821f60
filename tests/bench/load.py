"""Clients of a cluster that keep asking while its members fail, and the book of what they were told.

Every node has three of them, threads with a connection of their own: one reads, one makes and ends sessions and accounts,
one sends what must not be done twice.
"""

import itertools
import random
import threading
import time
from dataclasses import dataclass

from lab import NO_ANSWER, USER, Client

ROOT = "/redfish/v1"
SESSIONS, ACCOUNTS = ROOT + "/SessionService/Sessions", ROOT + "/AccountService/Accounts"
MERGED = (ROOT + "/Systems", ROOT + "/Chassis", ROOT + "/Managers")
DEADLINE = 30.0       # of any request: the product's own default
_LATE = 2.0           # that an answer may come late on a busy machine
_KEPT = 8             # sessions and accounts that stay, each; more are ended
_ACCOUNT_EVERY = 12   # an account costs a password hash
_PAUSE = {"read": 0.004, "write": 0.008, "reset": 0.02}  # between an answer and the next request of a client
_BUSY = 3             # answers
_PASSWORD = "a long enough one"


@dataclass
class Asked:
    node: str
    kind: str      # read, write, reset
    begin: float
    end: float
    status: int    # 0: none came
    what: str


class Book:
    """What was acknowledged. Shared by all clients."""

    def __init__(self):
        self._lock = threading.Lock()
        self._there = {SESSIONS: [], ACCOUNTS: []}
        self.gone, self.markers = set(), {}
        self.violations, self.denials, self.writes = [], [], 0

    def created(self, collection, uri):
        with self._lock:
            self._there[collection].append(uri)
            self.writes += 1

    def take(self, collection):
        """One to be ended, when there are enough."""
        with self._lock:
            uris = self._there[collection]
            return uris.pop(random.randrange(len(uris))) if len(uris) > _KEPT else None

    def deleted(self, uri):
        with self._lock:
            self.gone.add(uri)
            self.writes += 1

    def denied(self, collection, uri, name):
        """`name` does not know it, although it was acknowledged: lost, unless every node shows it when all is well."""
        with self._lock:
            self._there[collection].append(uri)
            self.denials.append((name, time.monotonic(), uri))

    def violated(self, sentence):
        with self._lock:
            self.violations.append(sentence)

    def there(self, collection):
        with self._lock:
            return set(self._there[collection])


class Clients:
    """All threads of one round; `targets`: what they read and what they reset."""

    def __init__(self, nodes, password, token, book, reads, resets):
        self._end = threading.Event()
        self._book, self._reads, self._resets = book, reads, resets
        self._password, self._token = password, token
        self._lists = []
        self._threads = []
        for node in nodes:
            for kind, body in (("read", self._read), ("write", self._write), ("reset", self._reset)):
                listed = []
                self._lists.append(listed)
                self._threads.append(threading.Thread(target=self._run, args=(node, kind, body, listed), daemon=True,
                                                      name=f"{kind} at {node.name}"))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        limit = time.monotonic() + DEADLINE + _LATE + 3
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
            if thread.is_alive():
                self._book.violated(f"a request never ended: {thread.name}")

    def missing(self):
        """Who has not been answered often enough yet to count as busy, or None."""
        for thread, listed in zip(self._threads, self._lists):
            if sum(200 <= each.status < 300 for each in list(listed)) < _BUSY:
                return thread.name
        return None

    def asked(self):
        return list(itertools.chain.from_iterable(list(listed) for listed in self._lists))

    def _run(self, node, kind, body, listed):
        # Its certificate names the loopback, which is elsewhere.
        with Client(node.facade, USER, self._password, insecure=True, timeout=DEADLINE + _LATE) as client:
            def ask(method, uri, document=None, **more):
                begin = time.monotonic()
                try:
                    answer = client.request(method, uri, document, **more)
                    status, what = answer.status, f"{method} {uri}"
                except NO_ANSWER as error:
                    client.close()
                    answer, status, what = None, 0, f"{method} {uri}: {type(error).__name__}: {error}"
                listed.append(Asked(node.name, kind, begin, time.monotonic(), status, what))
                return answer

            for turn in itertools.count():
                body(ask, turn, node.name)
                if self._end.wait(_PAUSE[kind]):
                    return

    def _read(self, ask, turn, _):
        ask("GET", self._reads[turn % len(self._reads)], headers={"X-Auth-Token": self._token}, authenticate=False)

    def _write(self, ask, turn, name):
        collection, document = SESSIONS, {"UserName": USER, "Password": self._password}
        if turn % _ACCOUNT_EVERY == 0:
            collection = ACCOUNTS
            document = {"UserName": f"u{time.monotonic_ns():x}{name[-1]}", "Password": _PASSWORD, "RoleId": "ReadOnly"}
        made = ask("POST", collection, document)
        if made and made.status == 201:
            self._book.created(collection, made.json()["@odata.id"])
        uri = self._book.take(collection)
        if uri is None:
            return
        ended = ask("DELETE", uri)
        if ended and ended.status in (200, 204):
            self._book.deleted(uri)
        elif ended and ended.status == 404:
            self._book.denied(collection, uri, name)

    def _reset(self, ask, turn, name):
        marker = f"{name}-{time.monotonic_ns()}"
        answer = ask("POST", self._resets[turn % len(self._resets)], {"ResetType": "On", "Marker": marker})
        self._book.markers[marker] = answer.status if answer else 0


def worst_gap(asked, node, kind, since, until):
    """Seconds between two good answers that follow one another, of those that ended after `since` to requests made before
    `until`."""
    good = sorted(each.end for each in asked
                  if each.node == node and each.kind == kind and each.begin < until and 200 <= each.status < 300)
    marks = ([end for end in good if end <= since] or [since])[-1:] + [end for end in good if end > since]
    return max((later - earlier for earlier, later in zip(marks, marks[1:])), default=until - since)
