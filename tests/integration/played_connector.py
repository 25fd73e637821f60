"""A connector with workers, played by the test over raw links: it offers power.cycle and does with commands what it is told."""

import threading
import time

import zmq

from raw_peer import ANNOUNCE, COMMAND, HEARTBEAT, HELLO, REPLY, RawPeer, field, fields, header, kind_of, new_id, record, records

HELLO_ACK, OFFERS = 2, 18
ON_GOING, SUCCESS, FAIL = 1, 2, 3
NOT_FOUND, PERMISSION_DENIED, FULL, NOT_SENT, REFUSED = 2, 4, 8, 9, 11
CAPABILITIES = 1 | 2 | 32  # Redfish, streams, offers
BEAT = 0.05


def progress(percent, text):
    return field(1, ON_GOING) + field(3, text) + field(7, percent), b""


def success(payload=b""):
    return field(1, SUCCESS) + field(4, 200), payload


def failure(code, reason, of_worker="", payload=b""):
    return field(1, FAIL) + field(2, code) + field(3, reason) + (field(8, of_worker) if of_worker else b""), payload


def offer(major=1, minor=0, kind="power-controller", commands=("power.cycle",)):
    return field(1, kind) + field(2, major) + field(3, minor) + b"".join(field(4, field(1, name)) for name in commands)


class PlayedConnector:
    """Linked to these aggregators of `mesh` until it is left. `act(link, command)` is called for each command and yields what to
    answer; `link` is the aggregator over whose link it came."""

    def __init__(self, mesh, satellite, act, aggregators=None, offers=None):
        self.address = f"{satellite.tenant}/{satellite.name}"
        self.seen = []  # (aggregator, id, header, payload) of commands
        self.replies = {}  # to what this one asked for, by id
        self._act, self._offers = act, [offer()] if offers is None else offers
        self._mesh, self._ended, self._uuid = mesh, threading.Event(), satellite.uuid
        self._cut, self._orders, self._lock = set(), {}, threading.Lock()
        key = mesh.state / f"keys/{satellite.name}.key"
        self._threads = [threading.Thread(target=self._run, args=(member, key), daemon=True)
                         for member in aggregators or mesh.aggregators]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def cut(self, aggregator):
        """Ends the link to it, without a word."""
        self._cut.add(aggregator.name)

    def ask(self, aggregator, target, command="power.cycle"):
        """Asks an aggregator to have `target` execute a command; its id."""
        asked = new_id()
        content = field(1, command) + field(14, field(1, target))
        self.say(aggregator, record(COMMAND, header(9, content, self.address, aggregator.name, asked), b"{}"))
        return asked

    def say(self, aggregator, frame):
        """Sends it as it is, over the link to this aggregator."""
        with self._lock:
            self._orders.setdefault(aggregator.name, []).append(frame)

    def _run(self, member, key):
        with RawPeer(key, f"tcp://127.0.0.1:{member.mesh_port}", member.key, 0.02) as peer:
            greeting = field(1, 1) + field(3, self.address) + field(4, 7) + field(5, CAPABILITIES) + field(7, 1)
            peer.send(record(HELLO, header(4, greeting), flags=0))
            due = time.monotonic()
            while not self._ended.is_set() and member.name not in self._cut:
                if time.monotonic() >= due:
                    due = time.monotonic() + BEAT
                    peer.send(record(HEARTBEAT, header(6, field(1, time.monotonic_ns() // 1000)), flags=0))
                with self._lock:
                    orders = self._orders.pop(member.name, [])
                for frame in orders:
                    peer.send(frame)
                try:
                    frame = peer.receive()
                except zmq.Again:
                    continue
                for prelude, head, body in records(frame):
                    self._take(peer, member, kind_of(prelude), head, body)

    def _take(self, peer, member, kind, head, body):
        if kind == HELLO_ACK:
            for other in self._mesh.aggregators:  # those without a link of their own hear it through this one
                announce = field(1, self._uuid) + field(2, 1) + field(4, 1) + field(8, 7) + field(9, 1)
                peer.send(record(ANNOUNCE, header(13, announce, self.address, other.name)))
                offers = field(1, 7) + field(2, 1) + b"".join(field(3, one) for one in self._offers)
                peer.send(record(OFFERS, header(20, offers, self.address, other.name)))
        elif kind == COMMAND:
            told = fields(head)
            command = fields(told[9])
            with self._lock:
                self.seen.append((member.name, told[1], command, body))
            for reply, payload in self._act(member, self.seen[-1]):
                peer.send(record(REPLY, header(10, reply, self.address, told[2].decode(), told[1]), payload))
        elif kind == REPLY:
            told = fields(head)
            self.replies.setdefault(told[1], []).append((fields(told[10]), body))
