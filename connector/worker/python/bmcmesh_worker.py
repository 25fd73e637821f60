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
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import zmq

from bmcmesh_worker_events import Accepted, Event, Events, NotAccepted, Refused, WorkerEvents, encoded  # noqa: F401  (for users)

DEFAULT_SOCKET = "/run/bmcmesh/worker.sock"
MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH = 64 * 1024, 64  # the mesh's
MAX_TEXT, MAX_FAILURE = 1024, 64                      # characters; the connector cuts after as many bytes
MAX_UNSENT = 256                                      # ends of commands that the connector does not take just now
PAUSE_UNCONNECTED, PAUSE_UNSENT = 0.2, 0.05           # seconds
ANSWER_GRACE = 1                                      # seconds, for the connector's word that nobody has answered
ALONE_PATIENCE = 2                                    # seconds without a connector, before that is said
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


class SendFailed(Exception):
    """A command that was sent has not succeeded. `code`: the mesh's word for it; `failure`: the code of the worker that has executed
    it, else ""; `executed`: "yes", "no" or "unknown"; `payload`: what that worker has answered, or None."""

    def __init__(self, answer):
        super().__init__(answer.get("text") or answer.get("failure") or answer["code"])
        self.code, self.failure, self.executed = answer["code"], answer.get("failure", ""), answer["executed"]
        self.payload = answer.get("payload")


def _fail(failure, text):
    return {"state": "FAIL", "failure": str(failure)[:MAX_FAILURE], "text": str(text)[:MAX_TEXT]}


def _no_answer(code, executed, text):
    return {"message": "answer", "state": "FAIL", "code": code, "executed": executed, "text": text}


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
        payload = encoded(reply.get("payload"))
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


class Worker(WorkerEvents):
    def __init__(self, name, type, version, socket=None):
        self._about = {"message": "register", "protocol": 1, "worker": name, "type": type, "version": version}
        self._path = socket or os.environ.get("BMCMESH_WORKER_SOCKET", DEFAULT_SOCKET)
        self._functions, self._schemas, self._configure = {}, {}, None
        self._replies, self._running, self._stopping = queue.SimpleQueue(), set(), False
        self._answers, self._has_secrets = {}, False  # of secrets that are asked for, by the question's id
        self._unsent = deque()  # (id, frame) of ends; their ids are in _running, too
        self._refs, self._awaited = itertools.count(1), {}  # what was heard of each command that somebody has sent and waits for
        self._sends, self._to_send, self._sent = queue.SimpleQueue(), None, set()
        self._wake_read, self._wake = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake, False)
        self._init_events()
        self._orders = queue.SimpleQueue()  # of other threads: what the loop is to do
        self._sends_ended, self._ended, self._over, self._thread = False, False, threading.Event(), None
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
        self._replies.put((question, False, encoded({"message": "secret", "id": question, "name": str(name)})))
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

    def configuration(self, function):
        """The function below it, taking (values, resources), is called with each version of the connector's configuration, one
        after the other, also with the same one again after a restart. What it raises refuses that version, for this reason."""
        self._configure = function
        return function

    def send(self, target, command, payload=None, timeout=30, *, type=None, version=None, progress=None):
        """Has others execute a command, and returns what they answer. SendFailed: it did not succeed, or nobody knows.

        `target`: a connector's name, or {"type": TYPE} for any one of a connector type, with "all": True for each of them. `type`,
        `version`: of the worker there. `progress`: called with percent and text. From any thread but run()'s, while that runs."""
        ref = next(self._refs)
        word = {"message": "send", "ref": ref, "target": {"name": target} if isinstance(target, str) else target, "command": command,
                "deadline_ms": max(1, int(timeout * 1000))}
        word |= {name: value for name, value in (("payload", payload), ("type", type), ("version", version)) if value is not None}
        wrong = _sendable({"payload": payload}).get("failure")
        if wrong:
            code = "too_large" if wrong == "reply_too_large" else "invalid_argument"
            raise SendFailed(_no_answer(code, "no", f"its payload is {wrong[6:].replace(chr(95), chr(32))}"))
        answers = self._awaited[ref] = queue.SimpleQueue()
        try:
            self._sends.put((ref, encoded(word)))
            if self._sends_ended:
                self._end_sends()
            self._poke()
            return self._await(answers, time.monotonic() + timeout + ANSWER_GRACE, progress)
        finally:
            self._awaited.pop(ref, None)

    def _await(self, answers, ends, progress):
        while True:
            try:
                answer = answers.get(timeout=max(0, ends - time.monotonic()))
            except queue.Empty:
                raise SendFailed(_no_answer("outcome_unknown", "unknown", "no answer in time")) from None
            if answer["state"] == "SUCCESS":
                return answer.get("payload")
            if answer["state"] == "FAIL":
                raise SendFailed(answer)
            if progress:
                progress(answer.get("progress", 0), answer.get("text", ""))

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
        self._start_listeners()
        why = StopIteration()
        try:
            with ThreadPoolExecutor(threads) as self._pool, ThreadPoolExecutor(1) as self._configurer:
                self._connect()
                try:
                    while not self._turn():
                        pass
                finally:
                    self._detach()
                    self._sends_ended = True
                    self._end_sends()  # functions wait for what they have sent
                self._socket.close(1000)
        except Refused as refused:
            why = refused
            raise
        finally:
            self._ended = True
            self._over.set()
            self._obey()
            self._end_events(why)

    def _detach(self):
        """Registration is due; the connector has forgotten what it was sent."""
        self._registered = self._asked = self._drain_sent = self._said_alone = False
        self._detached = time.monotonic()
        while self._sent:
            self._tell(self._sent.pop(), _no_answer("outcome_unknown", "unknown", "the connector was lost that had it"))

    def _tell(self, ref, answer):
        answers = self._awaited.get(ref)
        if answers is not None:
            answers.put(answer)

    def _end_sends(self):
        for ref in list(self._awaited):
            self._tell(ref, _no_answer("not_sent", "no", "the worker has ended"))

    def _send_asks(self):
        while self._registered and (self._to_send or not self._sends.empty()):
            self._to_send = self._to_send or self._sends.get()
            ref, frame = self._to_send
            if ref in self._awaited:  # else nobody waits any more
                if not self._send_frame(frame):
                    return
                self._sent.add(ref)
            self._to_send = None

    def _connect(self):
        if self._socket is not None:
            log.warning("no word from the connector at %s; is it up, and this user in its workers.allow? Trying again", self._path)
            self._socket.close(0)
            while self._unsent:  # on a new connection nobody waits for them: the connector has given them up
                self._running.discard(self._unsent.popleft()[0])
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.immediate, self._socket.reconnect_ivl, self._socket.reconnect_ivl_max = 1, 100, 2000
        self._socket.connect("ipc://" + self._path)
        self._detach()
        self._heartbeat, self._heard, self._beat = 2.0, time.monotonic(), 0.0
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._wake_read, zmq.POLLIN)

    def _turn(self):
        """One round of the loop; true when all is done."""
        pause = PAUSE_UNCONNECTED if not self._registered else PAUSE_UNSENT if self._unsent or self._to_send else self._heartbeat
        self._poller.poll(1000 * pause)
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            pass
        self._stopping and self._over.set()  # not in a signal's handler, which may have interrupted who waits for it
        self._obey()
        self._send_replies()
        self._send_events()
        self._send_asks()
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
            self._say_if_alone(now)
        elif now - self._beat > self._heartbeat:
            self._beat = now
            self._send({"message": "ping"})
        if self._stopping and self._registered and not self._drain_sent and not self._events and not self._emitted:
            self._drain_sent = self._send({"message": "drain"})
        if self._asked and now - self._heard > 3 * self._heartbeat:
            self._connect()
        # Who is not registered has nobody that waits for what is unsent.
        return self._stopping and not self._registered and len(self._running) == len(self._unsent)

    def _say_if_alone(self, now):
        """Once: who has named a wrong socket would see nothing else of it."""
        if self._asked or self._said_alone or now - self._detached < ALONE_PATIENCE:
            return
        self._said_alone = True
        why = "there is none" if not os.path.exists(self._path) else "nobody answers"
        if why == "nobody answers" and not os.access(self._path, os.W_OK):
            why = "this user may not open it"
        log.warning("no connector at %s (%s); is it up, with 'workers' in its configuration? Trying on", self._path, why)

    def _obey(self):
        while not self._orders.empty():
            self._orders.get()()

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
        elif word == "answer":
            if message["state"] != "ON_GOING":
                self._sent.discard(message["ref"])
            self._tell(message["ref"], message)
        elif word == "registered":
            self._heartbeat = message["heartbeat_ms"] / 1000
            self._has_secrets = message.get("secrets", False)
            if not self._registered:
                self._registered = True
                self._attached()
            log.info("attached to %s", self._path)
            self._send_asks()
            if message.get("missing"):
                log.warning("nothing of this version is offered: its pivot asks for %s, too", ", ".join(message["missing"]))
        elif word == "secret":
            if answer := self._answers.get(message["id"]):
                answer.put(message)
        elif word == "configuration" and self._configure:
            self._running.add(_configuration_key(message))
            self._configurer.submit(self._take_configuration, message)
        elif word in ("stranger", "bye"):  # the connector began anew, or ends: attach again
            self._detach()
        elif word == "refused" and self._asked and not self._registered:
            raise Refused(message["reason"])
        elif word == "refused":  # a message, and with it the registration
            log.error("the connector refused a message: %s; registering anew", message["reason"])
            self._detach()
        elif word == "drain":
            log.info("a newer version has taken over")
        elif word in ("accepted", "not_accepted", "subscribed", "not_subscribed", "cursor", "event", "gap"):
            self._take_events_word(word, message)
        return word == "drained"

    def _send(self, message):
        return self._send_frame(encoded(message))

    def _send_frame(self, frame):
        try:
            self._socket.send(frame, zmq.NOBLOCK)
            return True
        except zmq.Again:
            return False

    # In the function's thread, which may change its objects later, and which what cannot be written concerns.
    def _post(self, reply):
        self._replies.put((reply["id"], reply["state"] != "ON_GOING", encoded({"message": "reply", **reply})))
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

    def _take_configuration(self, message):
        answer = {"message": "configured", "version": message["version"]}
        try:
            self._configure(message["values"], message["resources"])
        except BaseException as problem:  # whatever it is: the operator has to learn of it
            log.exception("version %d of the configuration is refused", message["version"])
            reason = str(problem) or type(problem).__name__
            answer = {"message": "not_configured", "version": message["version"], "reason": reason[:MAX_TEXT]}
        self._replies.put((_configuration_key(message), True, encoded(answer)))
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
