"""An aggregator as a connector sees one, played by the test: it greets, beats, asks, and notes what it is told."""

import struct
import threading
import time

import zmq
from raw_peer import COMMAND, HEARTBEAT, HELLO, REPLY, field, fields, header, kind_of, new_id, record, records

HELLO_ACK, HEARTBEAT_ECHO, OFFERS = 2, 4, 18
KNOWS_OFFERS = 32
ON_GOING, SUCCESS, FAIL = 1, 2, 3
CODES = ("ok invalid_argument not_found already_exists permission_denied unauthenticated precondition_failed too_large full not_sent "
         "outcome_unknown refused deadline_exceeded unavailable corrupt io_error unsupported").split()


def clock():
    return time.monotonic_ns() // 1000


def repeated(message, number):
    """All values of one repeated field of bytes."""
    found, at = [], 0
    while at < len(message):
        key, value, shift = message[at], 0, 0
        at += 1
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        if key & 7 == 2:
            if key >> 3 == number:
                found.append(message[at:at + value])
            at += value
    return found


class PlayedAggregator:
    """`with PlayedAggregator("agg-a") as aggregator:`; one connector at a time, the one that spoke last."""

    def __init__(self, name, you="acme/s1", capabilities=KNOWS_OFFERS):
        self.name, self._you, self._capabilities = name, you, capabilities
        public, secret = zmq.curve_keypair()
        self.key = public.decode()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger, self._socket.curve_server, self._socket.curve_secretkey = 0, True, secret
        self.endpoint = f"tcp://127.0.0.1:{self._socket.bind_to_random_port('tcp://127.0.0.1')}"
        self._outbox = self._context.socket(zmq.PULL)
        self._outbox.bind("inproc://outbox")
        self.offers, self.replies = [], {}  # sets of (type, version, commands) as told; by id (state, reply's fields, body)
        self._peer, self._changed, self._ended = None, threading.Condition(), False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._ordering = self._context.socket(zmq.PUSH)
        self._ordering.connect("inproc://outbox")
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self._ordering.send(b"")
        self._thread.join()
        self._context.destroy(0)

    def is_linked(self):
        return self._peer is not None

    def until(self, condition, what, seconds=15):
        """Waits until condition() is true, which is asked after each record, and returns what it gave."""
        with self._changed:
            if not self._changed.wait_for(condition, seconds):
                raise AssertionError(f"{what}: not within {seconds} s; offers {self.offers[-1:]}, replies {self.replies}")
            return condition()

    def ask(self, name, payload=b"", command_id=None, seconds=None, **fields_of_it):
        """Sends a command, and returns its id. `type`, `major`, `minor`, `user`."""
        numbers = {"user": 2, "type": 11, "major": 12, "minor": 13}
        command = field(1, name) + b"".join(field(numbers[key], value) for key, value in fields_of_it.items())
        command_id = command_id or new_id()
        frame = bytearray(record(COMMAND, header(9, command, self.name, self._you, command_id), payload))
        if seconds is not None:
            struct.pack_into("<Iq", frame, 4, int(seconds * 1000), clock())
        self._ordering.send(bytes(frame))
        return command_id

    def end_of(self, command_id, seconds=15):
        """(state, code's name, fields of the reply, body) of its end."""
        def ended():
            return [reply for reply in self.replies.get(command_id, ()) if reply[0] != ON_GOING]
        state, reply, body = self.until(ended, "a command ends", seconds)[0]
        return state, CODES[reply.get(2, 0)], reply, body

    def _run(self):
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._outbox, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._outbox in ready:
                frame = self._outbox.recv()
                if self._ended:
                    return
                self._socket.send_multipart([self._peer, frame])
            if self._socket in ready:
                peer, frame = self._socket.recv_multipart()
                for prelude, head, body in records(frame):
                    self._hear(peer, kind_of(prelude), head, body)

    def _hear(self, peer, kind, head, body):
        content = fields(head)
        if kind == HELLO:
            with self._changed:
                self._peer = peer
                self._changed.notify_all()
            ack = (field(1, 1) + field(3, self.name) + field(4, 9) + field(5, self._capabilities)
                   + field(7, fields(content[4]).get(7, 0)) + field(8, clock()) + field(9, 300) + field(11, self._you))
            self._socket.send_multipart([peer, record(HELLO_ACK, header(5, ack))])
        elif kind == HEARTBEAT:
            echo = field(1, fields(content[6]).get(1, 0)) + field(2, clock()) + field(3, 300)
            self._socket.send_multipart([peer, record(HEARTBEAT_ECHO, header(7, echo))])
        else:
            with self._changed:
                if kind == REPLY:
                    reply = fields(content[10])
                    self.replies.setdefault(content[1], []).append((reply[1], reply, body))
                elif kind == OFFERS:
                    told = {self._offer(offer) for offer in repeated(content[20], 3)}
                    self.offers.append({offer for offer in told if offer[0] != "redfish"})  # without the connector's own
                self._changed.notify_all()

    @staticmethod
    def _offer(raw):
        offer = fields(raw)
        commands = tuple(fields(command)[1].decode() for command in repeated(raw, 4))
        return offer[1].decode(), f"{offer[2]}.{offer.get(3, 0)}", commands
