"""A worker of a bmcmesh connector: functions that the mesh may call. See ../README.md, which a new user reads first.

    worker = Worker("power", type="chassis", version="1.0")

    @worker.command("power.cycle", {"type": "object", "required": ["system"]})
    def power_cycle(payload, call):
        call.progress(50, "it is off")
        return {"state": "on"}

    worker.run()
"""

import base64
import json
import logging
import math
import os
import queue
import re
import signal
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import zmq

DEFAULT_SOCKET = "/run/bmcmesh/worker.sock"
MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH = 64 * 1024, 64  # the mesh's
MAX_TEXT, MAX_FAILURE = 1024, 64                      # characters; the connector cuts after as many bytes
MAX_UNSENT = 256                                      # ends of commands that the connector does not take just now
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
    """The connector will not have this worker; the text says why."""


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


class Worker:
    def __init__(self, name, type, version, socket=None):
        self._about = {"message": "register", "protocol": 1, "worker": name, "type": type, "version": version}
        self._path = socket or os.environ.get("BMCMESH_WORKER_SOCKET", DEFAULT_SOCKET)
        self._functions, self._schemas = {}, {}
        self._replies, self._running, self._stopping = queue.SimpleQueue(), set(), False
        self._answers, self._has_secrets = {}, False  # of secrets that are asked for, by the question's id
        self._unsent = deque()  # (id, frame) of ends; their ids are in _running, too
        self._wake_read, self._wake = os.pipe()
        os.set_blocking(self._wake_read, False)
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
        self._send_replies()
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
        # Who is not registered has nobody that waits for what is unsent.
        return self._stopping and not self._registered and len(self._running) == len(self._unsent)

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
            self._registered, self._heartbeat = True, message["heartbeat_ms"] / 1000
            self._has_secrets = message.get("secrets", False)
            log.info("attached to %s", self._path)
        elif word == "secret":
            if answer := self._answers.get(message["id"]):
                answer.put(message)
        elif word in ("stranger", "bye"):  # the connector began anew, or ends: attach again
            self._registered = self._asked = self._drain_sent = False
        elif word == "refused" and self._asked and not self._registered:
            raise Refused(message["reason"])
        elif word == "refused":  # a message, and with it the registration
            log.error("the connector refused a message: %s; registering anew", message["reason"])
            self._registered = self._asked = self._drain_sent = False
        elif word == "drain":
            log.info("a newer version has taken over")
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
