"""Workers at a connector, as an aggregator sees them: what they offer, what they execute, what becomes of it when a part dies."""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import unittest
import unittest.mock
from pathlib import Path

import zmq
from harness import CHECKOUT, PROGRAMS, SLOW, Child, eventually
from played_aggregator import FAIL, ON_GOING, SUCCESS, PlayedAggregator

sys.path.insert(0, str(CHECKOUT / "connector/worker/python"))
import bmcmesh_worker  # noqa: E402  (the path comes first)

HERE = Path(__file__).resolve().parent
POWER_CYCLE = CHECKOUT / "connector/worker/python/power_cycle.py"
BENCH = ("test-bench", ("test.echo", "test.fail", "test.hold", "test.odd"))


class WorkerTest(unittest.TestCase):
    """One connector, and the test in the place of its aggregator."""

    allow = [{"uid": os.getuid(), "commands": ["power.*", "test.*"]}]

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="bmcmesh-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.children = []
        self.addCleanup(self._stop)
        self.aggregator = self.enterContext(self.played("agg-a"))
        public, secret = zmq.curve_keypair()
        key = self.folder / "s1.key"
        key.touch(0o600)
        key.write_text(f"public: {public.decode()}\nsecret: {secret.decode()}\n")
        self.socket = self.folder / "run/worker.sock"
        self.start_connector()

    def played(self, name):
        return PlayedAggregator(name)

    def start_connector(self):
        known = {"name": "agg-a", "endpoint": self.aggregator.endpoint, "key": self.aggregator.key}
        config = {"connector": {"name": "s1", "key": str(self.folder / "s1.key")}, "aggregators": [known],
                  "target": {"url": "http://127.0.0.1:9"}}
        if self.allow:
            config["workers"] = {"socket": str(self.socket), "allow": self.allow}
        (self.folder / "connector.yaml").write_text(json.dumps(config))
        command = [PROGRAMS / "mesh-connectord", "--config", self.folder / "connector.yaml", "--state", self.folder / "state"]
        self.connector = self._start("connector", command)

    def _start(self, name, command):
        child = Child(name, command, self.folder / f"{name}.log")
        self.children.append(child)
        return child

    def start_worker(self, version="1.0", name="worker"):
        child = self._start(f"{name}-{version}", [sys.executable, "-B", HERE / "bench_worker.py", self.socket, version])
        self.await_offer(version)
        return child

    def await_offer(self, version):
        kind, commands = BENCH
        self.aggregator.until(lambda: self.aggregator.offers and (kind, version, commands) in self.aggregator.offers[-1],
                              f"version {version} is offered", 20 * SLOW)

    def _stop(self):
        for child in self.children:
            child.signal(signal.SIGKILL)
            child.wait(10)
        if not self._outcome.success:
            for child in self.children:
                print(f"{child.name}:\n{child.last_words(30)}")

    def threads(self):
        return len(os.listdir(f"/proc/{self.connector.pid}/task"))

    def fifo(self, name):
        path = self.folder / name
        os.mkfifo(path)
        return path

    def held(self, name):
        """(id, fifo) of a command that a worker is executing."""
        path = self.fifo(name)
        command = self.aggregator.ask("test.hold", json.dumps({"fifo": str(path)}).encode())
        self.aggregator.until(lambda: any(reply[1].get(7) == 50 for reply in self.aggregator.replies.get(command, ())), "it holds")
        return command, path

    def assertRefused(self, command, code, part=b""):
        state, said, reply, _ = self.aggregator.end_of(command)
        self.assertEqual((state, said), (FAIL, code), reply)
        self.assertIn(part, reply.get(3, b""))
        self.assertNotIn(8, reply, "it is the mesh that says so")


class Workers(WorkerTest):
    def test_the_example_cycles_the_power_and_tells_how_far_it_is(self):
        example = self._start("power_cycle", [sys.executable, "-B", POWER_CYCLE, "--socket", self.socket])
        self.aggregator.until(lambda: {("chassis", "1.0", ("power.cycle",))} in self.aggregator.offers, "it is offered")
        command = self.aggregator.ask("power.cycle", b'{"system": "one", "off_seconds": 1}', type="chassis", major=1, seconds=20)
        state, _, _, body = self.aggregator.end_of(command)
        self.assertEqual((state, json.loads(body)), (SUCCESS, {"system": "one", "off_seconds": 1}))
        told = [(reply.get(7, 0), reply.get(3, b"")) for state, reply, _ in self.aggregator.replies[command] if state == ON_GOING]
        self.assertEqual(told[0], (0, b"accepted"))
        self.assertTrue(any(percent >= 10 for percent, _ in told), told)
        self.assertRefused(self.aggregator.ask("power.cycle", b'{"system": "one", "off_seconds": 0}'), "invalid_argument",
                           b"at /off_seconds: expected at least 1")
        self.assertRefused(self.aggregator.ask("power.cycle", b'{"sytem": "one"}'), "invalid_argument", b"'system'")
        self.assertRefused(self.aggregator.ask("power.cycle", b'{"system": "one"}', major=2), "unsupported")
        self.assertRefused(self.aggregator.ask("power.off"), "not_found")
        self.assertEqual(example.output().count("ERROR"), 0)

    def test_a_failure_has_the_workers_own_code(self):
        self.start_worker()
        state, code, reply, body = self.aggregator.end_of(self.aggregator.ask("test.fail", b'{"a": 1}', user="joe"))
        self.assertEqual((state, code, reply[8], reply[3]), (FAIL, "refused", b"as_asked", b"joe wanted it"))
        self.assertEqual(json.loads(body), {"given": {"a": 1}})

    def test_a_bad_value_of_a_function_fails_its_command_and_no_other(self):
        self.start_worker()
        held, fifo = self.held("a")
        expected = {"nan": b"reply_not_json", "huge": b"reply_not_json", "object": b"reply_not_json", "large": b"reply_too_large",
                    "deep": b"reply_too_deep", "deepest": b"reply_too_deep", "exit": b"exception", "just": None,
                    "deep enough": None, "surrogate": None}
        for kind, failure in expected.items():
            with self.subTest(kind):
                command = self.aggregator.ask("test.odd", json.dumps({"kind": kind}).encode())
                state, _, reply, body = self.aggregator.end_of(command)
                self.assertEqual((state, reply.get(8)), (FAIL if failure else SUCCESS, failure))
        self.assertEqual(json.loads(body), "a?[")
        fifo.write_text("go")
        self.assertEqual(self.aggregator.end_of(held)[0], SUCCESS, "the worker was never given up")

    def test_a_repeat_is_not_executed_again(self):
        self.start_worker()
        command, fifo = self.held("a")
        self.aggregator.ask("test.hold", json.dumps({"fifo": str(fifo)}).encode(), command)
        fifo.write_text("go")
        self.assertEqual(self.aggregator.end_of(command)[0], SUCCESS)
        before = len(self.aggregator.replies[command])
        self.aggregator.ask("test.hold", json.dumps({"fifo": str(fifo)}).encode(), command)
        self.aggregator.until(lambda: len(self.aggregator.replies[command]) > before, "the repeat is answered")
        self.assertEqual(self.aggregator.replies[command][-1][0], SUCCESS)

    def test_a_worker_that_dies_leaves_an_unknown_outcome_and_no_offer(self):
        worker = self.start_worker()
        command, _ = self.held("a")
        worker.signal(signal.SIGKILL)
        self.assertRefused(command, "outcome_unknown", b"test 1.0")
        self.aggregator.until(lambda: self.aggregator.offers[-1] == set(), "nothing is offered")
        self.assertRefused(self.aggregator.ask("test.echo"), "not_found")

    def test_a_worker_that_hangs_is_given_up_and_taken_again(self):
        worker = self.start_worker()
        command, fifo = self.held("a")
        worker.signal(signal.SIGSTOP)
        self.assertRefused(command, "outcome_unknown", b"it fell silent")
        self.assertEqual(self.aggregator.offers[-1], set())
        worker.signal(signal.SIGCONT)
        self.await_offer("1.0")
        fifo.write_text("its answer is nobody's any more")
        self.assertEqual(self.aggregator.end_of(self.aggregator.ask("test.echo", b"1"))[0], SUCCESS)
        self.assertEqual(len([reply for reply in self.aggregator.replies[command] if reply[0] != ON_GOING]), 1)

    def test_a_worker_that_is_asked_to_end_ends_its_commands_first(self):
        worker = self.start_worker()
        command, fifo = self.held("a")
        worker.signal(signal.SIGTERM)
        self.aggregator.until(lambda: self.aggregator.offers[-1] == set(), "nothing is offered")
        self.assertRefused(self.aggregator.ask("test.echo"), "not_found")
        fifo.write_text("go")
        self.assertEqual(self.aggregator.end_of(command)[0], SUCCESS)
        self.assertEqual(worker.wait(15 * SLOW), 0)

    def test_an_upgrade_under_load_loses_no_command(self):
        old = self.start_worker("1.0")
        held, fifo = self.held("a")
        commands = [self.aggregator.ask("test.echo", b"%d" % number) for number in range(60)]
        self.start_worker("1.1")
        commands += [self.aggregator.ask("test.echo", b"%d" % number) for number in range(60, 120)]
        versions = []
        for number, command in enumerate(commands):
            state, code, _, body = self.aggregator.end_of(command)
            if code != "full":  # a bound that is told before execution
                self.assertEqual((state, code), (SUCCESS, "ok"))
                self.assertEqual(json.loads(body)["given"], number)
                versions.append(json.loads(body)["version"])
        self.assertEqual(sorted(set(versions)), ["1.0", "1.1"])
        self.assertEqual(versions, sorted(versions), "the old one got nothing after the new one was there")
        self.assertIsNone(old.status(), "it still has one")
        fifo.write_text("go")
        state, _, _, body = self.aggregator.end_of(held)
        self.assertEqual((state, json.loads(body)), (SUCCESS, {"version": "1.0"}))
        self.assertEqual(old.wait(15 * SLOW), 0)

    def test_when_the_connector_dies_what_was_begun_is_unknown_and_its_workers_come_back(self):
        self.start_worker()
        command, _ = self.held("a")
        self.connector.signal(signal.SIGKILL)
        self.connector.wait(10)
        told = len(self.aggregator.offers)
        self.start_connector()
        self.aggregator.until(lambda: len(self.aggregator.offers) > told and self.aggregator.offers[-1], "they are offered again", 20)
        self.aggregator.ask("test.hold", json.dumps({"fifo": str(self.folder / "a")}).encode(), command)
        self.assertRefused(command, "outcome_unknown")
        self.assertEqual(self.aggregator.end_of(self.aggregator.ask("test.echo", b"7"))[0], SUCCESS)

    def test_a_deadline_ends_the_waiting(self):
        self.start_worker()
        path = self.fifo("a")
        command = self.aggregator.ask("test.hold", json.dumps({"fifo": str(path)}).encode(), seconds=1)
        self.assertRefused(command, "outcome_unknown", b"in time")

    def test_the_socket_costs_no_thread(self):
        self.aggregator.until(lambda: self.aggregator.is_linked(), "it is linked")
        self.assertEqual(self.threads(), 4, "loop, blocking work, and libzmq's two")

    def test_nonsense_on_the_socket_harms_nobody(self):
        self.start_worker()
        context = self.enterContext(zmq.Context())
        stranger = self.enterContext(context.socket(zmq.DEALER))
        stranger.linger = 0
        stranger.rcvtimeo = int(10000 * SLOW)
        stranger.connect(f"ipc://{self.socket}")
        for word in (b"", b"\xff", b"[" * 100000, b'{"message": "reply"}', b'{"message": "register", "protocol": 1}'):
            stranger.send(word)
            self.assertEqual(json.loads(stranger.recv())["message"], "refused")
        stranger.send(json.dumps({"message": "register", "protocol": 1, "worker": "x", "type": "x", "version": "1.0",
                                  "commands": [{"name": "redfish.get"}]}).encode())
        self.assertIn("reserved", json.loads(stranger.recv())["reason"])
        stranger.send(b" " * 300000)
        self.assertEqual(self.aggregator.end_of(self.aggregator.ask("test.echo", b"1"))[0], SUCCESS)
        self.assertIsNone(self.connector.status())


class Library(unittest.TestCase):
    """The library for Python with a connector that takes nothing, or only so many frames."""

    def setUp(self):
        self.worker = bmcmesh_worker.Worker("test", type="test-bench", version="1.0", socket="/nonexistent/worker.sock")
        self.worker._connect()
        self.addCleanup(self.worker._context.destroy, 0)
        self.takes, self.sent = 0, []
        self.worker._send_frame = self.send

    def send(self, frame):
        if self.takes == 0:
            return False
        self.takes -= 1
        self.sent.append(json.loads(frame))
        return True

    def post(self, command, state="SUCCESS"):
        self.worker._running.add(command)
        self.worker._post({"id": command, "state": state})

    def told(self):
        return [(word["id"], word["state"]) for word in self.sent]

    def test_an_end_that_cannot_be_sent_is_kept_in_its_order_and_progress_is_not(self):
        self.post("a")
        self.post("b", "ON_GOING")
        self.post("c")
        self.worker._send_replies()
        self.assertEqual(self.worker._running, {"a", "b", "c"})
        self.takes = 1
        self.worker._send_replies()
        self.assertEqual((self.told(), self.worker._running), ([("a", "SUCCESS")], {"b", "c"}))
        self.takes = 9
        self.post("b", "ON_GOING")
        self.post("b")
        self.worker._send_replies()
        self.assertEqual(self.told()[1:], [("c", "SUCCESS"), ("b", "ON_GOING"), ("b", "SUCCESS")])
        self.assertEqual(self.worker._running, set())

    def test_a_worker_without_a_connector_says_so_once(self):
        with self.assertNoLogs("bmcmesh.worker"):
            self.worker._turn()
        with self.assertLogs("bmcmesh.worker", "WARNING") as logs:
            for _ in range(3):
                self.worker._detached -= bmcmesh_worker.ALONE_PATIENCE
                self.worker._turn()
        (said,) = logs.output
        self.assertIn("no connector at /nonexistent/worker.sock (there is none)", said)

    def test_what_cannot_be_sent_is_bounded(self):
        with self.assertLogs("bmcmesh.worker", "ERROR"):
            for number in range(bmcmesh_worker.MAX_UNSENT + 1):
                self.post(str(number))
            self.worker._send_replies()
        self.assertNotIn("0", self.worker._running)
        self.assertEqual(len(self.worker._running), bmcmesh_worker.MAX_UNSENT)

    def test_a_new_connection_has_nobody_for_what_was_unsent(self):
        self.post("a")
        self.worker._send_replies()
        with self.assertLogs("bmcmesh.worker", "WARNING"):
            self.worker._connect()
        self.assertEqual((self.worker._running, len(self.worker._unsent)), (set(), 0))

    def test_what_is_sent_waits_for_registration_and_is_answered_or_lost(self):
        def send(ends, **more):
            def run():
                try:
                    ends.append(self.worker.send("s2", "other.thing", {"a": 1}, 10, **more))
                except bmcmesh_worker.SendFailed as failed:
                    ends.append((failed.code, failed.executed))
            thread = threading.Thread(target=run)
            thread.start()
            eventually(lambda: not self.worker._sends.empty(), "it is to be sent")
            return thread
        self.takes, ends, told = 9, [], []
        thread = send(ends, progress=lambda *word: told.append(word))
        self.worker._send_asks()
        self.assertEqual(self.sent, [], "it is not registered")
        self.worker._take({"message": "registered", "heartbeat_ms": 2000})
        (word,) = self.sent
        self.assertEqual((word["message"], word["target"], word["payload"], word["deadline_ms"]), ("send", {"name": "s2"}, {"a": 1}, 10000))
        for answer in ({"message": "sent", "id": "7"}, {"message": "answer", "state": "ON_GOING", "progress": 40, "text": "half"},
                       {"message": "answer", "state": "SUCCESS", "executed": "yes", "payload": [1]}):
            self.worker._take({"ref": word["ref"], **answer})
        thread.join()
        self.assertEqual((ends, told, self.worker._sent), ([[1]], [(40, "half")], set()))
        thread = send(ends)
        self.worker._send_asks()
        self.worker._take({"message": "stranger"})
        thread.join()
        self.assertEqual(ends[1:], [("outcome_unknown", "unknown")])
        for payload, code in (("x" * 70000, "too_large"), (float("nan"), "invalid_argument")):
            with self.assertRaises(bmcmesh_worker.SendFailed) as failed:
                self.worker.send("s2", "other.thing", payload)
            self.assertEqual((failed.exception.code, failed.exception.executed), (code, "no"))

    def events_at(self, *cursors):
        """An iterator for which so many events wait."""
        events = self.worker.events("sensor.*")
        for cursor in cursors:
            events._take({"message": "event", "source": "acme/s2", "topic": "sensor.fan", "name": "low", "payload": None, "time": "",
                          "cursor": cursor})
        return events

    def test_where_it_begins_does_not_undo_what_another_thread_is_done_with_meanwhile(self):
        events = self.events_at("7:1", "7:2")
        next(events)
        told, go_on = threading.Event(), threading.Event()

        class Slow(dict):
            """Whoever copies it is overtaken."""
            def __iter__(self):
                return iter(self.keys())

            def keys(self):
                found = list(dict.keys(self))
                told.set()
                go_on.wait(5)
                return found

        events._done = Slow(events._done)
        teller = threading.Thread(target=events._take, args=({"message": "cursor", "cursor": {"acme/s9": "1:5", "acme/s2": "7:0"}},))
        teller.start()
        eventually(lambda: told.is_set() or not teller.is_alive(), "it is being told, or it was")
        done = threading.Thread(target=events.done)
        done.start()
        done.join(0.2)  # it may wait for the other one
        go_on.set()
        teller.join()
        done.join()
        self.assertEqual(json.loads(events.cursor), {"acme/s2": "7:1", "acme/s9": "1:5"})

    def test_every_event_of_threads_that_share_an_iterator_is_done_with_in_the_end(self):
        events = self.events_at("7:1", "7:2")
        both, get = threading.Barrier(2, timeout=5), events._queue.get
        events._queue = unittest.mock.Mock(get=lambda: (get(), both.wait())[0], empty=lambda: True)
        threads = [threading.Thread(target=next, args=(events,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        events.done()
        self.assertEqual(events._taken, 2)

    def attach(self):
        """What it then says of subscriptions."""
        self.worker._take({"message": "stranger"})
        self.worker._take({"message": "registered", "heartbeat_ms": 2000})
        self.takes, self.sent = 99, []
        self.worker._send_events()
        return [word for word in self.sent if word["message"] in ("subscribe", "taken")]

    def test_what_waits_does_not_grow_with_each_attachment_and_nothing_is_left_out(self):
        events, last, most = self.worker.events("sensor.*", start="start"), 0, 0
        self.worker._obey()
        for _ in range(5):
            for word in self.attach():
                self.assertEqual(word.get("cursor"), {"acme/s2": f"7:{last}"} if last else None)
                for last in range(last + 1, last + 65):  # all that there is credit for
                    self.worker._take({"message": "event", "subscription": events.name, "source": "acme/s2", "time": "",
                                       "cursor": f"7:{last}"})
            most = max(most, events._queue.qsize())
        self.assertEqual((last, most), (64, 64))
        heard = [next(events).cursor for _ in range(10)]
        self.worker._obey()
        self.takes, self.sent = 99, []
        self.worker._send_events()
        self.assertEqual([(word["message"], word.get("cursor")) for word in self.sent], [("subscribe", {"acme/s2": "7:64"})])
        self.worker._take({"message": "event", "subscription": events.name, "source": "acme/s2", "time": "", "cursor": "7:65"})
        heard += [next(events).cursor for _ in range(55)]
        self.assertEqual(heard, [f"7:{number}" for number in range(1, 66)])
        events.done()
        self.assertEqual(json.loads(events.cursor), {"acme/s2": "7:65"})
        self.worker._obey()
        self.sent = []
        self.worker._send_events()
        self.assertEqual(self.sent, [{"message": "taken", "subscription": events.name, "total": 1}], "of this attachment")

    def test_a_listener_is_told_that_it_is_refused(self):
        heard = []
        self.worker.on("sensor.*", refused=heard.append)(lambda event: None)
        self.worker._start_listeners()
        self.worker._obey()
        name = next(iter(self.worker._subscriptions))
        self.worker._take({"message": "not_subscribed", "subscription": name, "code": "full", "reason": "too many"})
        eventually(lambda: heard, "it is told")
        self.assertEqual([str(why) for why in heard], ["too many"])

    def test_a_refused_message_is_no_refused_worker(self):
        self.worker._asked = True
        self.worker._take({"message": "registered", "heartbeat_ms": 2000})
        with self.assertLogs("bmcmesh.worker", "ERROR"):
            self.worker._take({"message": "refused", "reason": "nonsense"})
        self.assertFalse(self.worker._asked, "it registers anew")
        self.worker._asked = True
        with self.assertRaises(bmcmesh_worker.Refused):
            self.worker._take({"message": "refused", "reason": "not you"})


class WorkersOfOthers(WorkerTest):
    allow = [{"uid": os.getuid() + 1, "commands": ["*"]}]

    def test_a_user_who_is_not_named_does_not_get_in(self):
        self._start("worker", [sys.executable, "-B", HERE / "bench_worker.py", self.socket, "1.0"])
        eventually(lambda: "worker_refused" in self.connector.output(), "it is refused and logged")
        self.assertEqual([told for told in self.aggregator.offers if told], [])


class NoWorkers(WorkerTest):
    allow = []

    def test_without_configuration_there_is_no_socket(self):
        self.aggregator.until(lambda: self.aggregator.is_linked(), "it is linked")
        self.assertRefused(self.aggregator.ask("test.echo"), "not_found")
        self.assertFalse(self.socket.exists())
        self.assertEqual(self.threads(), 4)


if __name__ == "__main__":
    unittest.main()
