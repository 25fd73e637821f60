"""A connector's place in the mesh, taken by the test: it holds the key and may say whatever it likes."""

import os
import struct
from pathlib import Path

import zmq

HELLO, HEARTBEAT, COMMAND, REPLY, ANNOUNCE = 1, 3, 6, 7, 11
ENROL, KEY_OFFER = 14, 17
LAST, NO_DEADLINE = 1, 0xFFFFFFFF


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A protobuf field: a number or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def header(content_number, content, source="", destination="", command_id=b""):
    parts = [(1, command_id), (2, source), (3, destination)]
    return b"".join(field(number, value) for number, value in parts if value) + field(content_number, content)


def record(kind, head, body=b"", version=1, flags=LAST, hops=8, head_length=None, body_length=None):
    prelude = struct.pack("<BBBBIqII", version, kind, flags, hops, NO_DEADLINE, 0,
                          len(head) if head_length is None else head_length,
                          len(body) if body_length is None else body_length)
    return prelude + head + body


def records(frame):
    """(prelude, header, body) of each record of a frame."""
    while frame:
        head_length, body_length = struct.unpack_from("<II", frame, 16)
        end = 24 + head_length + body_length
        yield frame[:24], frame[24:24 + head_length], frame[24 + head_length:end]
        frame = frame[end:]


def kind_of(prelude):
    return prelude[1]


def fields(message):
    """The fields of a protobuf message: numbers and bytes, by field; of a repeated one the last."""
    found, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value
    while at < len(message):
        key = number()
        value = number()
        if key & 7 == 2:
            value, at = message[at:at + value], at + value
        found[key >> 3] = value
    return found


def new_id():
    """A command's id: UUID version 7."""
    made = bytearray(os.urandom(16))
    made[6], made[8] = made[6] & 0x0F | 0x70, made[8] & 0x3F | 0x80
    return bytes(made)


def hello(name):
    return record(HELLO, header(4, field(1, 1) + field(3, name) + field(4, 7) + field(7, 1)))


def enrol(secret):
    return record(ENROL, header(16, field(1, secret)))


def offer_key(connector, aggregator, key):
    return record(KEY_OFFER, header(19, field(1, key), connector, aggregator))


class RawPeer:
    def __init__(self, key_file, endpoint, server_key, seconds, context=None):
        keys = dict(line.split(": ", 1) for line in Path(key_file).read_text().splitlines() if ": " in line)
        self._context = context or zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.linger = 0
        self._socket.rcvtimeo = self._socket.sndtimeo = int(seconds * 1000)
        self._socket.curve_publickey = keys["public"].strip('" ').encode()
        self._socket.curve_secretkey = keys["secret"].strip('" ').encode()
        self._socket.curve_serverkey = server_key.encode()
        self._socket.routing_id = b"\x01" + os.urandom(15)
        self._socket.connect(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._context.destroy(0)

    def send(self, frame):
        self._socket.send(frame)

    def receive(self):
        """The next frame; zmq.Again when none comes in time."""
        return self._socket.recv()
