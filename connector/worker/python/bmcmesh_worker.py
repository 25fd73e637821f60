"""A worker of a bmcmesh connector: functions that the mesh may call. See ../README.md, which a new user reads first.

    worker = Worker("power", type="chassis", version="1.0")

    @worker.command("power.cycle", {"type": "object", "required": ["system"]})
    def power_cycle(payload, call):
        call.progress(50, "it is off")
        return {"state": "on"}

    worker.run()
"""

import json
import logging
import os
import queue
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import zmq

DEFAULT_SOCKET = "/run/bmcmesh/worker.sock"
log = logging.getLogger("bmcmesh.worker")


class Failed(Exception):
    """Raised by a command's function: a FAIL with a code of the worker's own, a reason, and maybe a payload."""

    def __init__(self, failure, text="", payload=None):
        super().__init__(text or failure)
        json.dumps(payload)
        self.reply = {"state": "FAIL", "failure": failure, "text": text} | ({} if payload is None else {"payload": payload})


class Refused(Exception):
    """The connector will not have this worker; the text says why."""


class Call:
    """One execution of a command, for its function."""

    def __init__(self, worker, message):
        self._worker, self.id, self.user = worker, message["id"], message["user"]
        self._ends = time.monotonic() + message["deadline_ms"] / 1000

    def progress(self, percent, text=""):
        self._worker._post({"id": self.id, "state": "ON_GOING", "progress": percent, "text": text})

    def remaining(self):
        """Seconds until nobody waits for the answer any more."""
        return self._ends - time.monotonic()


class Worker:
    def __init__(self, name, type, version, socket=None):
        self._about = {"message": "register", "protocol": 1, "worker": name, "type": type, "version": version}
        self._path = socket or os.environ.get("BMCMESH_WORKER_SOCKET", DEFAULT_SOCKET)
        self._functions, self._schemas = {}, {}
        self._replies, self._running, self._stopping = queue.SimpleQueue(), set(), False
        self._wake_read, self._wake = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._context, self._socket = zmq.Context(), None

    def command(self, name, schema=None):
        """The function below it, taking (payload, call), executes this command; what it returns is the SUCCESS's payload."""
        def take(function):
            self._functions[name], self._schemas[name] = function, schema
            return function
        return take

    def stop(self, *_):
        """Takes nothing new; run() returns when what runs has ended. Also the handler of SIGTERM and SIGINT."""
        self._stopping = True
        os.write(self._wake, b".")

    def run(self, threads=4):
        """Serves until stop() or until a newer version has taken over. Refused: the connector does not want it."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        with ThreadPoolExecutor(threads) as self._pool:
            self._connect()
            while not self._turn():
                pass
            self._socket.close(1000)

    # Everything below but _post() and _execute() belongs to the thread of run().

    def _connect(self):
        if self._socket is not None:
            log.warning("no word from the connector at %s; is it up, and this user in its workers.allow? Trying again", self._path)
            self._socket.close(0)
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
        self._poller.poll(1000 * (self._heartbeat if self._registered else 0.2))
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            pass
        while not self._replies.empty():
            reply = self._replies.get()
            if reply["state"] != "ON_GOING":
                self._running.discard(reply["id"])
            self._send({"message": "reply", **reply})
        now = time.monotonic()
        while self._socket.poll(0):
            self._heard = now
            if self._take(json.loads(self._socket.recv())):
                return True
        if not self._asked:
            commands = [{"name": name, "schema": schema} for name, schema in self._schemas.items()]
            self._asked = self._send({**self._about, "commands": commands})
            self._heard = now
        elif now - self._beat > self._heartbeat:
            self._beat = now
            self._send({"message": "ping"})
        if self._stopping and self._registered and not self._drain_sent:
            self._drain_sent = self._send({"message": "drain"})
        if self._asked and now - self._heard > 3 * self._heartbeat:
            self._connect()
        return self._stopping and not self._registered and not self._running

    def _take(self, message):
        word = message["message"]
        if word == "command":
            self._running.add(message["id"])
            self._pool.submit(self._execute, message)
        elif word == "registered":
            self._registered, self._heartbeat = True, message["heartbeat_ms"] / 1000
            log.info("attached to %s", self._path)
        elif word in ("stranger", "bye"):  # the connector began anew, or ends: attach again
            self._registered = self._asked = self._drain_sent = False
        elif word == "refused":
            raise Refused(message["reason"])
        elif word == "drain":
            log.info("a newer version has taken over")
        return word == "drained"

    def _send(self, message):
        try:
            self._socket.send(json.dumps(message).encode(), zmq.NOBLOCK)
            return True
        except zmq.Again:
            return False

    def _post(self, reply):
        self._replies.put(reply)
        os.write(self._wake, b".")

    def _execute(self, message):
        try:
            payload = self._functions[message["name"]](message["payload"], Call(self, message))
            reply = {"state": "SUCCESS"} | ({} if payload is None else {"payload": payload})
            json.dumps(reply)
        except Failed as failed:
            reply = failed.reply
        except Exception as problem:  # whatever it is, the asker has to learn of it
            log.exception("%s failed", message["name"])
            reply = {"state": "FAIL", "failure": "exception", "text": f"{type(problem).__name__}: {problem}"}
        self._post({"id": message["id"], **reply})
