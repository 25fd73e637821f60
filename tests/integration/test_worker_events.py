"""Events of workers: into the connector's outbox and to the aggregators, and from these to those who listen."""

import json
import os
import signal
import sys
import threading

from harness import CHECKOUT, MeshTest, Sim, eventually
from played_events import CREDITS_LOSSES, SUBSCRIBE, EventsAggregator
from raw_peer import field
from test_workers import WorkerTest

sys.path.insert(0, str(CHECKOUT / "connector/worker/python"))
import bmcmesh_worker  # noqa: E402  (the path comes first)

THRESHOLD = CHECKOUT / "connector/worker/python/sensor_threshold.py"


def attached(test, socket, name="played"):
    """A worker of this process; its signals are not taken."""
    worker = bmcmesh_worker.Worker(name, type="bench", version="1.0", socket=str(socket)).start()
    test.addCleanup(worker.join, 20)
    test.addCleanup(worker.stop)
    return worker


class EventsOfWorkers(WorkerTest):
    """One connector, and the test in the place of its aggregator."""

    allow = [{"uid": os.getuid(), "commands": ["test.*"], "events": ["sensor.*"], "subscribe": ["sensor.*"]}]

    def setUp(self):
        super().setUp()
        self.worker = attached(self, self.socket)

    def played(self, name):
        return EventsAggregator(name)

    def test_what_was_accepted_is_stored_in_order(self):
        places = [self.worker.emit("sensor.fan", "low", {"rpm": number}, timeout=20) for number in range(5)]
        self.assertEqual(places, sorted(places), "the connector's own events stand between them")
        self.aggregator.until(lambda: len(self.aggregator.events_named("sensor.fan")) == 5, "all are stored")
        self.assertEqual([json.loads(event[4])["rpm"] for event in self.aggregator.events_named("sensor.fan")], [0, 1, 2, 3, 4])

    def test_what_was_accepted_survives_the_connectors_death_and_is_sent_again(self):
        self.aggregator.storing = False
        places = [self.worker.emit("sensor.fan", "low", number, timeout=20) for number in range(3)]
        self.aggregator.until(lambda: self.aggregator.heard >= 3, "they were sent")
        self.connector.signal(signal.SIGKILL)
        self.connector.wait(10)
        self.aggregator.storing = True
        self.start_connector()
        self.aggregator.until(lambda: len(self.aggregator.events_named("sensor.fan")) == 3, "they are sent again")
        self.assertEqual([event[:2] for event in self.aggregator.events_named("sensor.fan")], [tuple(place) for place in places])
        self.assertGreater(self.worker.emit("sensor.fan", "low", 3, timeout=20), places[-1], "the library attaches again by itself")

    def test_what_may_not_be_emitted_has_its_code(self):
        for topic, code in (("power.on", "not_allowed"), ("mesh.bmc", "not_allowed"), ("sensor fan", "invalid")):
            with self.assertRaises(bmcmesh_worker.NotAccepted) as raised:
                self.worker.emit(topic, "x", timeout=20)
            self.assertEqual(raised.exception.code, code)
        with self.assertRaises(bmcmesh_worker.NotAccepted) as raised:
            self.worker.emit("sensor.fan", "x", "x" * 70000, timeout=20)
        self.assertEqual(raised.exception.code, "too_large")
        self.assertGreater(self.worker.emit("sensor.fan", "x", timeout=20).sequence, 0)

    def test_many_at_once_share_the_syncs(self):
        futures = [self.worker.emit_later("sensor.fan", "low", number) for number in range(1000)]
        sequences = [future.result(60).sequence for future in futures]
        self.assertEqual(sequences, sorted(set(sequences)))
        self.aggregator.until(lambda: len(self.aggregator.events_named("sensor.fan")) == 1000, "all are stored", 60)

    def test_two_iterators_do_not_take_each_others_events_and_go_on_after_a_restart(self):
        first, second = self.worker.events("sensor.*"), self.worker.events("sensor.fan", start="start")
        self.aggregator.until(lambda: len(self.aggregator.subscriptions) == 2, "both subscribe")
        self.tell_all(1)
        self.assertEqual((next(first).payload, next(second).payload), ({"number": 1}, {"number": 1}))
        self.connector.signal(signal.SIGTERM)
        self.connector.wait(20)
        self.aggregator.subscriptions = {}  # of the one that has ended
        self.start_connector()
        self.aggregator.until(lambda: len(self.aggregator.subscriptions) == 2, "both subscribe again")
        self.tell_all(1)
        self.tell_all(2)
        event = next(first)
        self.assertEqual((event.payload, event.source, event.topic, event.lost), ({"number": 2}, "acme/s2", "sensor.fan", 0))
        self.assertEqual(next(second).payload, {"number": 2})
        first.done()
        self.assertEqual(json.loads(first.cursor), {"acme/s2": "7:2"})

    def tell_all(self, sequence):
        for number in sorted(self.aggregator.subscriptions):
            self.aggregator.tell_event(number, "acme/s2", 7, sequence, "sensor.fan", "low", json.dumps({"number": sequence}).encode())

    def test_a_slow_listener_gets_no_more_than_a_window(self):
        events = self.worker.events("sensor.*")
        self.aggregator.until(lambda: len(self.aggregator.subscriptions) == 1, "it subscribes")
        ((number, (word, _)),) = self.aggregator.subscriptions.items()
        self.assertEqual(word[5], 64)
        for sequence in range(1, 65):
            self.tell_all(sequence)
        self.assertNotIn(number, self.aggregator.taken)
        for _ in range(20):
            next(events)
        self.aggregator.until(lambda: self.aggregator.taken.get(number, 0) >= 80, "what it has done with may come again")

    def test_the_example_makes_events_of_a_reading(self):
        reading = self.folder / "reading"
        reading.write_text("20\n")
        example = self._start("threshold", [sys.executable, "-B", THRESHOLD, "--socket", self.socket, "--file", reading, "--above", "80",
                                            "--margin", "5", "--every", "0.1"])
        for value, name in (("81", "high"), ("78", None), ("70", "normal"), ("90", "high")):
            reading.write_text(value)
            if name:
                self.aggregator.until(lambda: self.readings()[-1:] == [name], f"{value} is {name}")
        self.assertEqual(self.readings(), ["high", "normal", "high"])
        example.signal(signal.SIGTERM)
        self.assertEqual(example.wait(20), 0)

    def readings(self):
        return [event[3] for event in self.aggregator.events_named("sensor.temperature")]


class AtANewerAggregator(EventsOfWorkers):
    """All of the above, and what such an aggregator says beside."""

    def played(self, name):
        return EventsAggregator(name, more=CREDITS_LOSSES)

    def subscription(self):
        self.aggregator.until(lambda: len(self.aggregator.subscriptions) == 1, "it subscribes")
        return next(iter(self.aggregator.subscriptions))

    def test_a_refused_subscription_ends_with_the_reason(self):
        events = self.worker.events("sensor.*")
        self.aggregator.tell(SUBSCRIBE, field(1, self.subscription()) + field(6, "this tenant has its share"))
        with self.assertRaises(bmcmesh_worker.Refused) as refused:
            next(events)
        self.assertEqual(str(refused.exception), "this tenant has its share")

    def test_one_that_had_begun_is_asked_for_again(self):
        events = self.worker.events("sensor.*")
        number = self.subscription()
        self.tell_all(1)
        self.assertEqual(next(events).payload, {"number": 1})
        self.aggregator.subscriptions = {}
        self.aggregator.tell(SUBSCRIBE, field(1, number) + field(6, "just now there is no room"))
        self.assertEqual(self.subscription(), number)
        self.tell_all(2)
        self.assertEqual(next(events).payload, {"number": 2})

    def test_losses_use_credit(self):
        events = self.worker.events("sensor.*")
        number = self.subscription()
        for sequence in range(1, 65):
            self.aggregator.tell_event(number, "acme/s2", 7, 2 * sequence, None, None, b"", 2 * sequence + 1)
        self.assertEqual([next(events).lost for _ in range(64)], [2] * 64)
        events.done()
        # Two each; the last few are told with the next ones.
        self.aggregator.until(lambda: self.aggregator.taken.get(number, 0) > 128 - 16, "what it has done with may come again")
        self.assertLessEqual(self.aggregator.taken[number], 128)


class EventsOfWorkersInAMesh(MeshTest):
    """From a worker of one satellite to one of another, over real aggregators."""

    sims = (Sim("one"), Sim("two"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        mesh = cls.mesh
        cls.sockets = {}
        for member in mesh.satellites:
            mesh.kill(member.name, signal.SIGTERM)
            cls.sockets[member.name] = mesh.state / f"run/{member.name}-workers/worker.sock"
            member.extra["workers"] = {"socket": str(cls.sockets[member.name]),
                                       "allow": [{"uid": os.getuid(), "events": ["sensor.*"], "subscribe": ["sensor.*"]}]}
            mesh.files.write_connector(member, mesh.aggregators)
            mesh.start(member)

    def heard(self, worker, **how):
        """A list that grows with what an iterator gives."""
        out, events = [], worker.events("sensor.*", **how)
        threading.Thread(target=lambda: [out.append(event) for event in events], daemon=True).start()
        return out

    def test_what_one_emits_another_hears_in_order_and_its_own_connector_does_not(self):
        source, target = (attached(self, self.sockets[name]) for name in ("one", "two"))
        own, others = self.heard(source, start="start"), self.heard(target, start="start")
        for number in range(50):
            source.emit("sensor.fan", "low", number, timeout=30)

        def mine():
            return [event.payload for event in others if event.topic == "sensor.fan"]
        eventually(lambda: len(mine()) >= 50, "all are heard", 30)
        self.assertEqual(mine(), list(range(50)))
        self.assertEqual(own, [])

    def test_nothing_is_lost_or_comes_twice_while_aggregators_are_killed_in_turn(self):
        source, target = (attached(self, self.sockets[name], "turns") for name in ("one", "two"))
        others = self.heard(target, start="start")
        first = source.emit("sensor.turns", "x", 0, timeout=30)
        futures = []
        for turn, aggregator in enumerate([*self.mesh.aggregators, *self.mesh.aggregators]):
            futures += [source.emit_later("sensor.turns", "x", 1 + 100 * turn + number) for number in range(100)]
            self.mesh.kill(aggregator.name)
            futures[-1].result(30)
            self.mesh.start(aggregator)
            self.mesh.await_ready([aggregator])
        self.assertGreater(futures[-1].result(30).sequence, first.sequence)

        def mine():
            return [event.payload for event in others if event.topic == "sensor.turns"]
        eventually(lambda: len(mine()) >= 1 + len(futures), "all are heard", 60)
        self.assertEqual(mine(), list(range(1 + len(futures))))

    def test_the_connector_is_killed_while_its_worker_emits(self):
        source, target = (attached(self, self.sockets[name], "killed") for name in ("one", "two"))
        others = self.heard(target, start="start")
        futures = [source.emit_later("sensor.killed", "x", number) for number in range(100)]
        futures[20].result(30)
        self.mesh.kill("one")
        self.mesh.start(self.mesh.satellite("one"))
        for future in futures:
            future.result(60)

        def mine():
            return [event.payload for event in others if event.topic == "sensor.killed"]
        eventually(lambda: set(mine()) == set(range(100)), "all are heard", 60)
        once = sorted(set(mine()), key=mine().index)
        self.assertEqual(once, list(range(100)), "in the order of their first coming; some that were not answered came twice")
