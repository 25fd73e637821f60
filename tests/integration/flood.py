"""Strangers at an endpoint, as many as this process can make: flood.py HOST PORT SERVER_KEY strangers|garbage SECONDS

strangers: whole CURVE handshakes with keys that nobody knows, which the mesh refuses at the end and enrolment lets in. garbage: TCP connections that send a
greeting and then noise, or noise alone, or nothing. Prints how many there were.
"""

import os
import socket
import sys
import time

WIDTH = 48  # handshakes at a time
PATIENCE = 1.0  # seconds for one of them
GREETING = b"\xff" + b"\0" * 8 + b"\x7f\x03\x01CURVE" + b"\0" * 15 + b"\0" + b"\0" * 31


def strangers(host, port, server_key, end):
    import zmq

    context, poller, waiting, begun, count = zmq.Context(), zmq.Poller(), {}, 0, 0
    events = zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_SUCCEEDED

    def drop(monitor):
        poller.unregister(monitor)
        stranger, _ = waiting.pop(monitor)
        stranger.disable_monitor()
        monitor.close(0)
        stranger.close(0)

    while (now := time.monotonic()) < end:
        while len(waiting) < WIDTH:
            stranger = context.socket(zmq.DEALER)
            stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
            stranger.curve_serverkey = server_key.encode()
            stranger.reconnect_ivl = -1
            begun += 1
            stranger.monitor(f"inproc://events-{begun}", events)  # PyZMQ's own names would be taken again too early
            monitor = context.socket(zmq.PAIR)
            monitor.connect(f"inproc://events-{begun}")
            poller.register(monitor, zmq.POLLIN)
            waiting[monitor] = stranger, now + PATIENCE
            stranger.connect(f"tcp://{host}:{port}")
        for monitor, _ in poller.poll(50):
            count += 1
            drop(monitor)
        for monitor in [each for each, (_, limit) in waiting.items() if limit < now]:
            drop(monitor)
    context.destroy(0)
    return count


def garbage(host, port, _, end):
    count, held = 0, []
    while time.monotonic() < end:
        one = socket.socket()
        one.settimeout(PATIENCE)
        try:
            one.connect((host, port))
            what = count % 3
            one.send((GREETING + os.urandom(200)) if what == 0 else os.urandom(64) if what == 1 else b"\xff")
            count += 1
        except OSError:
            pass
        held.append(one)
        if len(held) > WIDTH:
            held.pop(0).close()
    return count


if __name__ == "__main__":
    address, number, key, kind, seconds = sys.argv[1:]
    done = {"strangers": strangers, "garbage": garbage}[kind](address, int(number), key, time.monotonic() + float(seconds))
    print(done)
