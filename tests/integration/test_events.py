"""Events at the aggregators: stored, shown, passed on to who may hear them, and got from each other where one was away."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

import played_connector
from harness import CHECKOUT, PROGRAMS, USER, MeshTest, Sim, eventually, run_program
from played_connector import PlayedConnector
from raw_peer import field, fields, header, kind_of, record
from test_worker_events import attached

sys.path.insert(0, str(CHECKOUT / "connector/worker/python"))

EVENTS = "/mesh/v1/events"
EVENT, EVENTS_STORED, SUBSCRIBE, EVENTS_WANTED = 19, 20, 21, 23
CONTENT = {EVENT: 21, EVENTS_STORED: 22, SUBSCRIBE: 23, EVENTS_WANTED: 25}  # fields of the header
KNOWS_EVENTS = 128


class EventsTest(MeshTest):
    sims, aggregators = (Sim("one"),), 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        mesh, cls.sockets = cls.mesh, {}
        for member in mesh.satellites:
            mesh.kill(member.name, signal.SIGTERM)
            cls.sockets[member.name] = mesh.state / f"run/{member.name}-workers/worker.sock"
            member.extra["workers"] = {"socket": str(cls.sockets[member.name]),
                                       "allow": [{"uid": os.getuid(), "events": ["*"], "subscribe": ["*"]}]}
            mesh.files.write_connector(member, mesh.aggregators)
            mesh.start(member)

    def worker(self, name="one"):
        return attached(self, self.sockets[name])

    def listed(self, query="", member=None):
        """Of all pages."""
        out, after = [], ""
        with self.mesh.client(member) as client:
            while True:
                answer = client.get(f"{EVENTS}?limit=500{query}{after}")
                self.assertEqual(answer.status, 200, answer.body[:400])
                page = answer.json()
                out += page["events"]
                if not page["more"]:
                    return out
                after = f"&after={page['next']}"

    def metric(self, name, member=None):
        with self.mesh.client(member) as client:
            return int(re.search(rf"^bmcmesh_{name} (\d+)$", client.get("/metrics").body.decode(), re.MULTILINE)[1])

    def arguments(self, *arguments, urls=None):
        urls = urls or [self.mesh.aggregators[0].facade]
        return ["events", *arguments, "--url", ",".join(urls), "--user", USER, "--password-file", self.mesh.state / "admin.password",
                "--cacert", self.mesh.ca]


class Shown(EventsTest):
    def test_what_a_worker_tells_is_shown(self):
        place = self.worker().emit("sensor.fan", "low", {"rpm": 900, "text": "ä"}, timeout=30)
        (event,) = eventually(lambda: self.listed("&topic=sensor.fan"), "it is stored", 20)
        self.assertEqual((event["tenant"], event["connector"], event["topic"], event["name"], event["payload"]),
                         ("local", "one", "sensor.fan", "low", {"rpm": 900, "text": "ä"}))
        self.assertEqual((event["epoch"], event["sequence"]), tuple(place))
        status, out, error = run_program("meshctl", *self.arguments("--topic", "sensor.*", "--connector", "one", "--since", "1h"))
        self.assertEqual((status, error), (0, ""), out)
        self.assertRegex(out, r"^\S+Z  local/one  sensor.fan  low  \{\"rpm\":900,\"text\":\"\\u00e4\"\}\n$")
        status, out, error = run_program("meshctl", *self.arguments("--json", "--topic", "sensor.fan"))
        self.assertEqual((status, error), (0, ""))
        self.assertEqual(json.loads(out)["events"], [event])
        status, out, error = run_program("meshctl", *self.arguments("--topic", "no*pattern"))
        self.assertEqual(status, 1)
        self.assertIn("topic", error)

    def test_who_waits_is_told_when_it_is_stored(self):
        worker = self.worker()
        with self.mesh.client() as client:
            place = client.get(f"{EVENTS}?after=now").json()["next"]
            begun = time.monotonic()
            self.assertEqual(client.get(f"{EVENTS}?after={place}&topic=waited&wait=1").json()["events"], [])
            self.assertGreaterEqual(time.monotonic() - begun, 1)
            future = worker.emit_later("waited", "x", 1)
            page = client.get(f"{EVENTS}?after={place}&topic=waited&wait=20").json()
            self.assertEqual([event["payload"] for event in page["events"]], [1])
            future.result(20)

    def test_they_survive_a_restart_of_the_aggregator(self):
        worker = self.worker()
        for number in range(20):
            worker.emit("kept", "x", number, timeout=30)
        eventually(lambda: len(self.listed("&topic=kept")) == 20, "all are stored", 20)
        self.mesh.kill("agg-1")
        self.mesh.start(self.mesh.aggregators[0])
        self.mesh.await_ready()
        worker.emit("kept", "x", 20, timeout=30)
        events = eventually(lambda: (now := self.listed("&topic=kept")) and len(now) >= 21 and now, "the next one is, too", 30)
        self.assertEqual([event["payload"] for event in events], list(range(21)))

    def test_while_the_database_fails_nothing_is_acknowledged_nor_lost(self):
        worker = self.worker()
        worker.emit("failing", "x", 0, timeout=30)
        eventually(lambda: len(self.listed("&topic=failing")) == 1, "it is stored", 20)
        database = sqlite3.connect(next((self.mesh.state).rglob("history.db")), isolation_level=None)
        self.addCleanup(database.close)
        database.execute("begin immediate")
        worker.emit("failing", "x", 1, timeout=30)
        eventually(lambda: self.metric("events_recording") == 0, "it says that it does not record", 30)
        stored = self.metric("events_stored_total")
        worker.emit("failing", "x", 2, timeout=30)
        self.assertEqual(self.metric("events_stored_total"), stored)
        database.execute("rollback")
        eventually(lambda: self.metric("events_recording") == 1, "it records again", 40)
        events = eventually(lambda: (now := self.listed("&topic=failing")) and len(now) >= 3 and now, "all are stored", 30)
        self.assertEqual([event["payload"] for event in events], [0, 1, 2])


class Followed(EventsTest):
    sims, aggregators = (Sim("one"),), 2

    def follow(self, *arguments, urls=None):
        child = subprocess.Popen([str(PROGRAMS / "meshctl"), *map(str, self.arguments("--follow", "--json", *arguments, urls=urls))],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def test_following_goes_on_when_its_node_dies_and_shows_nothing_twice(self):
        worker, urls = self.worker(), [member.facade for member in self.mesh.aggregators]
        worker.emit("before", "x", 0, timeout=30)
        child = self.follow("--topic", "turns", urls=urls)
        eventually(lambda: self.metric("events_http_waiting") == 1, "it waits at the first", 20)
        for number in range(5):
            worker.emit("turns", "x", number, timeout=30)
        self.assertEqual([json.loads(child.stdout.readline())["payload"] for _ in range(5)], list(range(5)))
        self.mesh.kill("agg-1")
        for number in range(5, 10):
            worker.emit("turns", "x", number, timeout=30)
        self.assertEqual([json.loads(child.stdout.readline())["payload"] for _ in range(5)], list(range(5, 10)))
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(20), 130)
        self.assertIn("going on with " + urls[1], child.stderr.read())
        self.assertEqual(child.stdout.read(), "")
        child.stdout.close()
        child.stderr.close()
        self.mesh.start(self.mesh.aggregators[0])
        self.mesh.await_ready()


class Filled(EventsTest):
    """What one of three aggregators missed while it was away, and the connector has trimmed since."""

    sims, aggregators = (Sim("one"),), 3

    def test_what_it_missed_it_gets_from_the_others(self):
        worker, away = self.worker(), self.mesh.aggregators[2]
        worker.emit("fill", "x", 0, timeout=30)
        eventually(lambda: len(self.listed("&topic=fill", away)) == 1, "it has the first", 20)
        self.mesh.kill(away.name)
        for future in [worker.emit_later("fill", "x", number) for number in range(1, 801)]:
            future.result(60)
        for member in self.mesh.aggregators[:2]:
            eventually(lambda member=member: len(self.listed("&topic=fill", member)) == 801, "the others have all", 30)
        self.mesh.start(away)
        self.mesh.await_ready([away])
        worker.emit("fill", "x", 801, timeout=30)  # nothing else tells it that it has missed some
        events = eventually(lambda: (now := self.listed("&topic=fill", away)) and len(now) >= 802 and now, "it has all", 60)
        self.assertEqual([event.get("payload") for event in events], list(range(802)))
        self.assertEqual(self.metric("events_losses_total", away), 0)


class NotRecorded(MeshTest):
    sims, aggregators = (Sim("one"),), 1

    def test_a_node_without_history_stores_none_and_says_so(self):
        member = self.mesh.aggregators[0]
        self.mesh.kill(member.name, signal.SIGTERM)
        member.extra = {"history": {"audit": "off"}}
        self.mesh.files.write_aggregator(member, self.mesh.aggregators)
        self.mesh.start(member)
        self.mesh.await_ready()
        with self.mesh.client() as client:
            answer = client.get(EVENTS)
        self.assertRedfishError(answer, 409)
        self.assertIn("history.audit is off", answer.body.decode())


class PlayedSource(PlayedConnector):
    """Notes what it is told of events."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.told = []  # (kind, fields, source)

    def _take(self, peer, member, kind, head, body):
        if kind in CONTENT:
            told = fields(head)
            self.told.append((kind, fields(told[CONTENT[kind]]), told[2].decode()))
        else:
            super()._take(peer, member, kind, head, body)

    def kinds(self, kind):
        return [entry for entry in self.told if entry[0] == kind]


class Attacked(EventsTest):
    """A connector of another tenant says what it should not."""

    sims, aggregators = (Sim("one"), Sim("two", tenant="other")), 1

    def setUp(self):
        self.mesh.kill("two")
        self.addCleanup(setattr, played_connector, "CAPABILITIES", played_connector.CAPABILITIES)
        played_connector.CAPABILITIES |= KNOWS_EVENTS
        self.source = PlayedSource(self.mesh, self.mesh.satellite("two"), lambda *_: ())
        self.source.__enter__()
        self.addCleanup(self.source.__exit__)
        eventually(lambda: self.source.kinds(EVENTS_STORED), "it is told what is stored", 20)

    def say(self, kind, content, source="other/two", body=b""):
        member = self.mesh.aggregators[0]
        self.source.say(member, record(kind, header(CONTENT[kind], content, source, member.name), body))

    def test_events_under_another_ones_name_go_nowhere(self):
        before = self.metric("records_wrong_source_total")
        event = field(1, 99) + field(2, 1) + field(3, "forged") + field(4, "x") + field(5, 1)
        self.say(EVENT, event, "local/one", b"{}")
        eventually(lambda: self.metric("records_wrong_source_total") == before + 1, "it is counted", 20)
        self.assertEqual(self.listed("&topic=forged"), [])
        (noted,) = eventually(lambda: [event for event in self.listed("&tenant=other&topic=mesh.error") if event["name"] == "wrong_source"],
                              "it is noted for its own tenant", 20)
        self.assertEqual((noted["name"], noted["connector"], noted["payload"]), ("wrong_source", "@agg-1", {"connector": "two"}))
        self.assertEqual(self.listed("&tenant=local&topic=mesh.error"), [])

    def test_another_tenants_events_are_not_heard(self):
        place = self.worker().emit("secret", "x", 1, timeout=30)
        eventually(lambda: self.listed("&topic=secret"), "it is stored", 20)
        cursor = field(1, "local/one") + field(2, place.epoch) + field(3, 0)
        self.say(SUBSCRIBE, field(1, 1) + field(2, "*") + field(3, cursor) + field(5, 1000))
        refused = self.metric("records_not_allowed_total")
        self.say(EVENTS_WANTED, field(1, "local/one") + field(2, place.epoch) + field(3, 1) + field(4, 1000))
        eventually(lambda: self.metric("records_not_allowed_total") > refused, "it is counted", 20)
        self.worker().emit("secret", "x", 2, timeout=30)
        eventually(lambda: len(self.listed("&topic=secret")) >= 2, "the next one is stored", 20)
        event = field(1, 50) + field(2, 1) + field(3, "own") + field(4, "x") + field(5, 1)
        stored = len(self.source.kinds(EVENTS_STORED))
        self.say(EVENT, event, body=b"{}")
        eventually(lambda: len(self.source.kinds(EVENTS_STORED)) > stored, "its own is stored", 20)
        self.assertEqual(self.source.kinds(EVENT), [])
        self.assertEqual(self.metric("subscriptions_foreign_total"), 1)

    def test_topics_of_the_mesh_are_not_its_own(self):
        event = field(1, 60) + field(2, 1) + field(3, "mesh.error") + field(4, "x") + field(5, 1)
        self.say(EVENT, event, body=b"{}")
        eventually(lambda: self.source.kinds(EVENTS_STORED)[-1][1].get(1) == 60, "it does not keep up what follows", 20)
        self.assertEqual([shown for shown in self.listed("&connector=two") if shown.get("topic") == "mesh.error"], [])
        self.assertEqual(self.metric("events_refused_topic_total"), 1)
