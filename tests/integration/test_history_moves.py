"""A tenant's history goes to another database and back while events and writes go on, nodes die, and passwords are wrong."""

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import unittest

from harness import CHECKOUT, NO_ANSWER, ROOT, USER, Sim, eventually, run_program
from postgres import PostgresServer
from test_enrolment import EnrolmentTest
from test_worker_events import attached

sys.path.insert(0, str(CHECKOUT / "connector/worker/python"))

EVENTS, AUDIT = "/mesh/v1/events", "/mesh/v1/history/audit"
OWN = "sqlite"
MOVE = 60  # seconds


class HistoryMoves(EnrolmentTest):
    sims, aggregators = (Sim("one", auth="basic"), Sim("two", auth="basic")), 2
    tenants = {"one": "acme", "two": "umbra"}

    @classmethod
    def setUpClass(cls):
        cls.server, cls.prefixes, cls.sockets = PostgresServer(secrets.token_hex(12)), {}, {}
        super().setUpClass()  # where it fails, it takes down what there is
        cls.operator = cls.mesh.state / "operator.key"

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.server.remove()

    def setUp(self):
        if self.prefixes:
            return
        self.secret("keygen")
        self.ctl("tenant", "add", "umbra")
        for satellite in self.mesh.satellites:
            tenant = self.tenants[satellite.name]
            self.enrolled(self.ctl("connector", "add", "--tenant", tenant, satellite.name), satellite)
            self.sockets[tenant] = self.mesh.state / f"run/{satellite.name}-workers/worker.sock"
            allow = [{"uid": os.getuid(), "events": ["*"], "subscribe": ["*"]}]
            with open(self.mesh.files.config(satellite), "a") as config:
                config.write(f"workers: {json.dumps({'socket': str(self.sockets[tenant]), 'allow': allow})}\n")
            self.mesh.start(satellite)
            self.prefixes[tenant] = eventually(lambda: self.entry(satellite.name).get("prefix"), "it gets a prefix", 30)
            self.await_shown(self.prefixes[tenant], seconds=40)
        eventually(lambda: len(self.node_keys()) == self.aggregators, "each node has told its key", 30)
        self.server.ask("create database history")
        self.secret("put", "acme/pg", "--to", "node:agg-1,node:agg-2", value=self.server.password)

    def secret(self, *arguments, value=None):
        more = {} if value is None else {"input": value}
        ended, out, err = run_program("meshctl", "secret", *arguments, *([] if arguments[0] == "keygen" else self.where()),
                                      env={**os.environ, "BMCMESH_OPERATOR": str(self.operator)}, seconds=30, **more)
        self.assertEqual(ended, 0, out + err)
        return out

    def where(self, member=None):
        return ["--url", (member or self.mesh.aggregators[0]).facade, "--user", USER, "--password-file",
                self.mesh.state / "admin.password", "--cacert", self.mesh.ca]

    def node_keys(self):
        return json.loads(self.secret("list", "--json"))["nodes"]

    def status(self, tenant, member):
        try:
            with self.mesh.client(member) as client:
                answer = client.get("/mesh/v1/status")
        except NO_ANSWER:
            return {}
        return next((entry for entry in answer.json().get("history", []) if entry["tenant"] == tenant), {}) if answer.status == 200 else {}

    def move(self, place, tenant="acme"):
        more = ["--password-secret", "pg"] if place.startswith("postgresql:") and tenant == "acme" else []
        self.ctl("tenant", "database", tenant, place, *more)

    def await_moved(self, place, tenant="acme", members=None):
        for member in members or self.mesh.aggregators:
            def settled():
                status = self.status(tenant, member)
                return status.get("in_use") == place and status["phase"] == "settled"
            eventually(settled, f"{member.name} has {tenant}'s history in {place}: {self.status(tenant, member)}", MOVE)

    def back(self):
        self.move(OWN)
        self.await_moved(OWN)

    def events(self, topic, tenant="acme", member=None):
        """Payloads of all pages."""
        out, after = [], ""
        with self.mesh.client(member) as client:
            while True:
                answer = client.get(f"{EVENTS}?limit=500&tenant={tenant}&topic={topic}{after}")
                self.assertEqual(answer.status, 200, answer.body[:400])
                page = answer.json()
                out += [event["payload"] for event in page["events"]]
                if not page["more"]:
                    return out
                after = f"&after={page['next']}"

    def reset(self, tenant="acme", member=None):
        uri = f"{ROOT}/Systems"
        with self.mesh.client(member) as client:
            system = next(uri for uri in self.members(client, uri) if uri.startswith(f"{ROOT}/Systems/{self.prefixes[tenant]}_"))
            return client.post(system + "/Actions/ComputerSystem.Reset", {"ResetType": "On"}).status

    def trail(self, tenant="acme", member=None):
        """(intents, results), in pages, after its hashes were checked."""
        ended, out, err = run_program("meshctl", "history", "audit", "--verify", "--tenant", tenant, *self.where(member), seconds=30)
        self.assertEqual(ended, 0, out + err)
        with self.mesh.client(member) as client:
            records = client.get(f"{AUDIT}?tenant={tenant}&limit=1000").json()["records"]
        phases = [record["phase"] for record in records if record["uri"].endswith("ComputerSystem.Reset")]
        return phases.count("intent"), phases.count("result")

    def own_rows(self, member, tenant="acme"):
        """Of the tenant in the node's own database."""
        database = sqlite3.connect(self.mesh.files.own_state(member) / "history.db", timeout=10)
        try:
            return sum(database.execute(f"select count(*) from {table} where tenant = ?", (tenant,)).fetchone()[0]
                       for table in ("mesh_event", "mesh_audit", "mesh_chain", "mesh_event_source"))
        finally:
            database.close()

    def following(self, topic, place, stop):
        """The payloads that who follows by `after` sees, until `stop` is set and nothing more comes."""
        seen = []
        with self.mesh.client() as client:
            while True:
                ended = stop.is_set()
                answer = client.get(f"{EVENTS}?tenant=acme&topic={topic}&after={place}&wait=1")
                if answer.status != 200:
                    seen.append(answer.body.decode())
                    return seen
                page = answer.json()
                place = page["next"]
                seen += [event["payload"] for event in page["events"]]
                if ended and not page["events"]:
                    return seen

    def test_nothing_is_lost_or_doubled_while_it_goes_there_and_back(self):
        worker, other = attached(self, self.sockets["acme"]), attached(self, self.sockets["umbra"])
        begun_before, ended_before = self.trail()  # an intent whose database answered too late was refused, and has no result
        for number in range(600):
            worker.emit_later("moved", "x", number)
        eventually(lambda: len(self.events("moved")) == 600, "they are stored", 60)
        with self.mesh.client() as client:
            place = client.get(f"{EVENTS}?tenant=acme&after=now").json()["next"]
        ended, futures, statuses, seen = threading.Event(), [], [], []

        def go_on():
            number = 600
            while not ended.is_set():
                futures.append(worker.emit_later("moved", "x", number))
                other.emit("beside", "x", number, timeout=30)
                statuses.append(self.reset())
                number += 1
        goes_on = threading.Thread(target=go_on)
        follows = threading.Thread(target=lambda: seen.extend(self.following("moved", place, ended)))
        goes_on.start()
        follows.start()
        try:
            self.move(self.server.url("history"))
            self.await_moved(self.server.url("history"))
            moved = len(futures)
            eventually(lambda: len(futures) > moved + 3, "events go on there", 30)
            self.assertGreaterEqual(int(self.server.ask("select count(*) from mesh_event where tenant = 'acme'", "history")), 600)
            for member in self.mesh.aggregators:
                eventually(lambda: self.own_rows(member) == 0, f"nothing of it is left at {member.name}", 30)
            self.back()
            back = len(futures)
            eventually(lambda: len(futures) > back + 3, "events go on here again", 30)
        finally:
            ended.set()
            goes_on.join()
            follows.join()
        for future in futures:
            future.result(30)
        count = 600 + len(futures)
        for member in self.mesh.aggregators:
            eventually(lambda: len(self.events("moved", member=member)) >= count, f"{member.name} has all", 30)
            self.assertEqual(self.events("moved", member=member), list(range(count)))
            self.assertGreater(self.own_rows(member), 0)
        # Back at its own, an event may be read again that another node had put into the shared database a moment before.
        self.assertEqual(list(dict.fromkeys(seen)), list(range(600, count)))
        self.assertLessEqual(len(seen), count - 600 + 4)
        self.assertEqual([status // 100 for status in statuses], [2] * len(statuses))
        wanted = (begun_before + len(statuses), ended_before + len(statuses))
        eventually(lambda: self.trail() == wanted, f"its trail has all of them: {wanted}, not {self.trail()}", 20)
        self.assertEqual(len(self.events("beside", "umbra")), len(statuses))
        print(f"{len(futures)} events and {len(statuses)} writes while it moved there and back", file=sys.stderr)

    def test_a_wrong_password_leaves_it_where_it_is_and_a_right_one_moves_it(self):
        worker = attached(self, self.sockets["acme"])
        worker.emit("before", "x", 0, timeout=30)
        for member in self.mesh.aggregators:  # which take no event while they look for what the store has, after an earlier test's move
            eventually(lambda: self.events("before", member=member) == [0], f"{member.name} stores events", 20)
        self.secret("rotate", "acme/pg", value="not this one")
        self.addCleanup(self.secret, "rotate", "acme/pg", value=self.server.password)
        self.move(self.server.url("history"))
        member = self.mesh.aggregators[0]
        status = eventually(lambda: (now := self.status("acme", member)).get("phase") == "failed" and now, "it fails", 30)
        self.assertEqual(status["in_use"], OWN)
        self.assertIn("password authentication failed", status["reason"])
        worker.emit("refused", "x", 1, timeout=30)
        eventually(lambda: self.events("refused") == [1], "events are stored as before", 20)
        self.assertEqual(self.reset() // 100, 2)
        for tenant in ("acme", ""):
            told = eventually(lambda: self.events("mesh.error", tenant), f"it is an event of '{tenant}'", 20)
            self.assertTrue(any("password authentication failed" in entry.get("reason", "") for entry in told), told)
        self.assertIn("password authentication failed", self.ctl("tenant", "database", "acme"))
        ended, out, _ = run_program("meshctl", "status", *self.where(), seconds=30)
        self.assertEqual(ended, 4, out)
        self.assertRegex(out, r"(?m)^history  acme  sqlite, to go to postgresql://\S+  failed .*password authentication failed")
        self.secret("rotate", "acme/pg", value=self.server.password)
        self.await_moved(self.server.url("history"))
        self.assertEqual(self.events("refused"), [1])
        for path in self.mesh.state.rglob("*"):
            if path.is_file():
                self.assertNotIn(self.server.password.encode(), path.read_bytes(), path)
        self.back()

    def test_a_node_that_dies_in_the_middle_moves_it_when_it_is_back(self):
        worker, member = attached(self, self.sockets["acme"]), self.mesh.aggregators[0]
        for number in range(300):
            worker.emit_later("cut", "x", number)
        for each in self.mesh.aggregators:
            eventually(lambda: len(self.events("cut", member=each)) == 300, "they are stored", 60)
        before = self.trail(member=member)
        self.server.ask("create database cut")
        self.move(self.server.url("cut"))
        self.await_moved(self.server.url("cut"))
        self.back()
        self.server.ask("delete from mesh_event", "cut")
        command, environment = self.server.psql("begin; lock table mesh_event in access exclusive mode; select pg_sleep(120)", "cut")
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as locks:
            eventually(lambda: self.server.ask("select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted", "cut") != "0",
                       "it is locked", 20)
            self.move(self.server.url("cut"))
            eventually(lambda: self.status("acme", member).get("phase") in ("copying", "closing"), "it is under way", 20)
            self.mesh.kill(member.name)
            locks.kill()
        self.server.ask("select pg_terminate_backend(pid) from pg_locks where mode = 'AccessExclusiveLock' and pid <> pg_backend_pid()", "cut")
        worker.emit("cut", "x", 300, timeout=30)
        self.mesh.start(member)
        self.mesh.await_ready()
        self.await_moved(self.server.url("cut"))
        for each in self.mesh.aggregators:
            eventually(lambda: len(self.events("cut", member=each)) >= 301, "all are there", 40)
            self.assertEqual(self.events("cut", member=each), list(range(301)))
        self.assertEqual(self.trail(member=member), before)
        self.mesh.kill(member.name, signal.SIGTERM)
        self.mesh.start(member)
        self.mesh.await_ready()
        self.assertEqual(self.status("acme", member)["in_use"], self.server.url("cut"))
        self.assertEqual(self.events("cut", member=member), list(range(301)))
        self.back()

    def test_a_database_that_is_away_stops_its_tenant_alone(self):
        worker, other = attached(self, self.sockets["acme"]), attached(self, self.sockets["umbra"])
        self.move(self.server.url("history"))
        self.await_moved(self.server.url("history"))
        self.assertEqual(self.reset() // 100, 2)
        self.server.stop()
        try:
            future = worker.emit_later("away", "x", 1)
            self.assertEqual(self.reset(), 503)
            self.assertEqual(self.reset("umbra") // 100, 2)
            other.emit("near", "x", 1, timeout=30)
            eventually(lambda: self.events("near", "umbra") == [1], "another tenant's are stored", 20)
        finally:
            self.server.start()
        future.result(60)
        eventually(lambda: self.events("away") == [1], "it is stored when the server is back", 60)
        eventually(lambda: self.reset() // 100 == 2, "writes go on", 30)
        self.trail()
        self.back()

    def test_where_a_database_is_lost_for_good_an_empty_one_takes_its_place(self):
        worker = attached(self, self.sockets["acme"])
        self.server.ask("create database gone")
        self.move(self.server.url("gone"))
        self.await_moved(self.server.url("gone"))
        for number in range(5):
            worker.emit("gone", "x", number, timeout=30)
        for member in self.mesh.aggregators:
            eventually(lambda: self.events("gone", member=member) == list(range(5)), "they are stored", 20)
        with self.mesh.client() as client:
            place = client.get(f"{EVENTS}?tenant=acme&after=now").json()["next"]
            self.assertEqual(client.get(f"{EVENTS}?tenant=acme&after={place}").status, 200)
        self.server.ask("drop database gone with (force)")
        self.assertEqual(self.reset(), 503)
        future = worker.emit_later("gone", "x", 5)
        self.server.ask("create database gone")
        eventually(lambda: self.reset() // 100 == 2, "writes go on", 60)
        future.result(60)
        for member in self.mesh.aggregators:
            eventually(lambda: self.events("gone", member=member) == [5], "so do events", 60)
        with self.mesh.client() as client:
            self.assertRedfishError(client.get(f"{EVENTS}?tenant=acme&after={place}"), 400)
        begun, ended = self.trail()
        self.assertGreaterEqual(begun, 1)
        self.assertEqual(begun, ended, "the trail begins anew")
        self.back()
        self.assertEqual(self.events("gone"), [5])

    def test_a_file_of_the_tenants_own_is_a_place_too_and_what_is_none_is_refused(self):
        worker = attached(self, self.sockets["umbra"])
        worker.emit("filed", "x", 1, timeout=30)
        self.move("sqlite:own.db", "umbra")
        self.await_moved("sqlite:own.db", "umbra")
        for member in self.mesh.aggregators:
            file = self.mesh.files.own_state(member) / "tenants/umbra/own.db"
            self.assertEqual(file.stat().st_mode & 0o777, 0o600)
            self.assertEqual(file.parent.stat().st_mode & 0o777, 0o700)
            eventually(lambda: self.events("filed", "umbra", member) == [1], "it is there", 20)
        ended, out, err = run_program("meshctl", "events", "--topic", "filed", *self.where(), seconds=30)
        self.assertEqual((ended, out), (0, ""))
        self.assertIn("umbra is in a database of its own", err)
        self.move(OWN, "umbra")
        self.await_moved(OWN, "umbra")
        for place, why in (("sqlite:/etc/passwd", "without folders"), ("postgresql://mesh:word@db/x", "--password-secret"),
                           ("postgresql://mesh@db/x?options=-c", "no parameter"), ("mysql://mesh@db/x", "no place")):
            self.assertIn(why, self.ctl("tenant", "database", "acme", place, status=1))
        self.assertIn("no secret acme/none", self.ctl("tenant", "database", "acme", self.server.url(), "--password-secret", "none", status=1))
        self.assertEqual(self.ctl("tenant", "database", "acme"), OWN)


if __name__ == "__main__":
    unittest.main()
