"""Tenants: their quotas, their removal, and those who try to get at another one's."""

import dataclasses
import json
import re
import signal
import socket
import threading
import time
import unittest

import yaml

from harness import ROOT, SLOW, USER, Client, MeshTest, Sim, eventually, run_program
from played_connector import FULL, PERMISSION_DENIED, PlayedConnector, success
from raw_peer import COMMAND, REPLY, RawPeer, field, header, hello, new_id, record
from tap import Tap
from test_bad_input import Counters
from test_enrolment import EnrolmentTest

TENANTS, COMMANDS, WORKERS = "/mesh/v1/tenants", "/mesh/v1/commands", "/mesh/v1/workers"
REFUSED_MESSAGES, REFUSED_CONNECTORS = "bmcmesh_quota_refused_messages_total", "bmcmesh_quota_refused_connectors_total"
FRESH = {"Cache-Control": "no-cache"}  # is not answered by another one's GET


class Quotas(EnrolmentTest):
    sims = (Sim("one", auth="basic"), Sim("two", auth="basic"), Sim("three", auth="basic"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.first, cls.second, cls.third = cls.mesh.aggregators
        try:
            eventually(lambda: cls.ctl_of(cls.mesh, "tenant", "quota", "acme", "--stored-events", "100000")[0] == 0,
                       "all nodes know quotas", 20)
        except BaseException:
            cls.tearDownClass()
            raise

    def bring(self, name, tenant):
        """Enrols that satellite's connector for `tenant` and starts it; its prefix once every facade shows it."""
        satellite = self.mesh.satellite(name)
        self.enrolled(self.ctl("connector", "add", "--tenant", tenant, name), satellite)
        self.mesh.start(satellite)
        prefix = eventually(lambda: self.entry(name).get("prefix"), "it gets a prefix", 20)
        self.await_shown(prefix)
        return prefix

    def tenant(self, name, member=None):
        told = json.loads(self.ctl("tenant", "list", "--json", member=member))["tenants"]
        return next((tenant for tenant in told if tenant["name"] == name), None)

    def line(self, name, member=None):
        return next((line for line in self.ctl("tenant", "list", member=member).splitlines() if line.split()[0] == name), None)

    def test_a_quota_is_set_changed_and_shown_on_every_node(self):
        self.ctl("tenant", "add", "lab", "--messages-per-second", "5", "--connectors", "2")
        for member in self.mesh.aggregators:
            eventually(lambda: self.line("lab", member) == "lab  messages a second 5  connectors 0 of 2",
                       f"{member.name} has it", 5)
        self.ctl("tenant", "quota", "lab", "--bytes-in-flight", "1MiB", "--messages-per-second", "0", member=self.third)
        for member in self.mesh.aggregators:
            changed = {"messages_per_second": 0, "bytes_in_flight": 1 << 20, "stored_events": 0, "connectors": 2}
            eventually(lambda: self.tenant("lab", member)["quota"] == changed, f"{member.name} has it", 5)
        self.assertEqual(self.ctl("tenant", "quota", "lab", member=self.third),
                         "lab  bytes in flight 0 of 1048576  connectors 0 of 2")
        self.ctl("tenant", "add", "plain")
        self.assertEqual(self.ctl("tenant", "quota", "plain"), "plain  no quota")
        for words, status, reason in (
                (("add", "lab", "--connectors", "3"), 1, "there is a tenant lab already"),
                (("add", "Lab", "--connectors", "3"), 1, "exists already"),
                (("quota", "nobody", "--connectors", "3"), 1, "no tenant nobody"),
                (("quota", "nobody"), 1, "no tenant nobody"),
                (("quota", "lab", "--connectors", "9000"), 1, "at most 8192 connectors"),
                (("quota", "lab", "--connectors", "-1"), 2, "connectors"),
                (("quota", "lab", "--messages-per-second", "many"), 2, "messages-per-second"),
                (("quota", "no name", "--connectors", "3"), 2, "not a name")):
            with self.subTest(words=words):
                self.assertIn(reason.lower(), self.ctl("tenant", *words, status=status).lower())
        for name in ("lab", "plain"):
            self.ctl("tenant", "remove", name)
        self.assertIn("no tenant", self.ctl("tenant", "remove", "lab", status=1))

    def ask_often(self, uri, times, answers):
        with self.mesh.client(self.first) as client:
            for _ in range(times):
                answers.append(client.get(uri, headers=FRESH))

    def test_a_noisy_tenant_is_refused_and_counted_and_a_quiet_one_does_not_notice(self):
        self.ctl("tenant", "add", "noisy", "--messages-per-second", "5")
        self.ctl("tenant", "add", "quiet", "--messages-per-second", "500")
        noisy, quiet = self.bring("one", "noisy"), self.bring("two", "quiet")
        self.addCleanup(self.put_out, "noisy", "one")
        self.addCleanup(self.put_out, "quiet", "two")
        with self.mesh.client(self.first) as client:
            systems = self.members(client, ROOT + "/Systems")
        uris = [next(uri for uri in systems if f"/{prefix}_" in uri) for prefix in (noisy, quiet)]
        counters, answers, begun = Counters(self.mesh, self.first), ([], []), time.monotonic()
        threads = [threading.Thread(target=self.ask_often, args=(uri, 60, seen)) for uri, seen in zip(uris, answers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - begun
        refused = [answer for answer in answers[0] if answer.status != 200]
        self.assertEqual({answer.status for answer in answers[1]}, {200})
        self.assertEqual({answer.status for answer in refused}, {503})
        self.assertLessEqual(60 - len(refused), 5 + 5 * took + 1)
        error = self.assertRedfishError(refused[0], 503, "ServiceTemporarilyUnavailable")
        self.assertEqual(error["message"], "Tenant noisy has reached its quota of 5 messages a second; nothing was sent.")
        self.assertEqual(refused[0].header("Retry-After"), "1")
        self.assertEqual(counters.grown(REFUSED_MESSAGES), len(refused))
        self.assertIn(f"refused here {self.tenant('noisy')['refused']['messages']}", self.line("noisy"))
        self.assertEqual(self.tenant("quiet")["refused"], {"messages": 0, "bytes": 0})
        with self.mesh.client(self.second) as client:
            self.assertEqual(client.get(uris[0]).status, 200, "each node counts by itself")
        self.ctl("tenant", "quota", "noisy", "--messages-per-second", "0", member=self.third)
        eventually(lambda: self.tenant("noisy")["quota"]["messages_per_second"] == 0, "it holds at the first node", 5)
        more = []
        self.ask_often(uris[0], 30, more)
        self.assertEqual({answer.status for answer in more}, {200})

    def put_out(self, tenant, name):
        self.ctl("tenant", "remove", tenant, "--force")
        self.mesh.kill(name)

    def test_connectors_beyond_the_quota_do_not_come_in(self):
        self.ctl("tenant", "add", "small", "--connectors", "1")
        join = self.ctl("connector", "add", "--tenant", "small", "two")
        self.bring("one", "small")
        self.addCleanup(self.put_out, "small", "one")
        counters = [Counters(self.mesh, member) for member in self.mesh.aggregators]
        refused = self.ctl("connector", "add", "--tenant", "small", "three", status=1)
        self.assertIn("Tenant small has reached its quota of connectors: it has 1, and 1 are allowed", refused)
        status, _, err = self.enroll(join, self.mesh.satellite("two"))
        self.assertEqual(status, 1)
        self.assertIn("quota of connectors", err)
        self.assertGreaterEqual(sum(one.grown(REFUSED_CONNECTORS) for one in counters), 2)
        self.assertEqual(self.entry("two"), {})
        self.assertEqual(self.line("small"), "small  connectors 1 of 1")
        self.ctl("tenant", "quota", "small", "--connectors", "2")
        self.enrolled(join, self.mesh.satellite("two"))
        self.assertEqual(self.line("small"), "small  connectors 2 of 2")
        self.ctl("tenant", "quota", "small", "--connectors", "1")
        self.assertEqual(self.tenant("small")["connectors"], 2, "a lower quota takes nothing away")

    def test_a_tenant_with_connectors_is_removed_by_force_only_and_with_all_it_had(self):
        self.ctl("tenant", "add", "gone")
        self.ctl("tenant", "add", "stays")
        gone, stays = self.bring("one", "gone"), self.bring("two", "stays")
        self.addCleanup(self.put_out, "stays", "two")
        join = self.ctl("connector", "add", "--tenant", "gone", "three")
        for member in self.mesh.aggregators:
            self.assertIn("still has connectors", self.ctl("tenant", "remove", "gone", member=member, status=1))
        self.assertTrue(self.shown(self.second, gone))
        counters = [Counters(self.mesh, member) for member in self.mesh.aggregators]
        said = self.ctl("tenant", "remove", "gone", "--force", member=self.second)
        self.assertEqual(said, "tenant gone is removed, with all that it had")
        self.await_shown(gone, False, 1.0)
        for member, before in zip(self.mesh.aggregators, counters):
            before.await_growth("bmcmesh_mesh_keys_refused_total")
            self.assertTrue(self.shown(member, stays))
            self.assertIsNone(self.tenant("gone", member))
            self.assertEqual(self.entry("one", member), {})
        status, _, err = self.enroll(join, self.mesh.satellite("three"))
        self.assertEqual(status, 1)
        self.assertIn("not known", err)
        self.mesh.kill("one")
        told = json.loads(self.ctl("history", "audit", "--json", "--resource", TENANTS + "/gone", member=self.second))
        deeds = [entry for entry in told["records"] if entry["method"] == "DELETE" and entry["phase"] == "result"]
        self.assertEqual([(entry["account"], entry["status"]) for entry in deeds], [(USER, 409), (USER, 204)])
        with self.subTest("one of that name is another tenant"):
            self.ctl("tenant", "add", "gone")
            again = self.bring("one", "gone")
            self.assertEqual(again, gone, "its BMC is the same")
            self.put_out("gone", "one")


class PlayedTest(MeshTest):
    """Connectors that the test plays; their own programs are ended."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for sim in cls.sims:
            cls.mesh.kill(sim.name)
        cls.first, cls.second = cls.mesh.aggregators
        cls.admin = cls.mesh.client()

    @classmethod
    def tearDownClass(cls):
        cls.admin.close()
        super().tearDownClass()

    def play(self, name, act=lambda *_: iter([success()]), aggregators=None):
        played = PlayedConnector(self.mesh, self.mesh.satellite(name), act, aggregators)
        self.addCleanup(lambda: eventually(lambda: not self.linked(name), f"{name} is gone", 20))
        self.addCleanup(played.__enter__().__exit__, None, None, None)
        for _, client in self.each_facade():
            eventually(lambda: self.linked(name, client), f"{name} is linked", 20)
        return played

    def linked(self, name, client=None):
        workers = (client or self.admin).get(WORKERS).json()["workers"]
        return any(entry["connector"] == name and entry["linked"] and entry["type"] != "redfish" for entry in workers)

    def order(self, name, tenant="local", payload=None, client=None):
        return (client or self.admin).post(COMMANDS, {"command": "power.cycle", "target": name, "tenant": tenant, "timeout": 60,
                                                      "payload": payload or {}})

    def outcome(self, order):
        """Once it has ended."""
        def ended():
            told = self.admin.get(order.header("Location")).json()
            return told if told["state"] != "ON_GOING" else None
        return eventually(ended, "it ends", 20)

    def ctl(self, *arguments):
        status, out, err = EnrolmentTest.ctl_of(self.mesh, *arguments)
        self.assertEqual(status, 0, err)
        return out

    def last_reply(self, played, asked):
        return eventually(lambda: [reply for reply, _ in played.replies.get(asked, []) if reply[1] != 1], "it is answered",
                          10)[-1]


class QuotasInAFile(PlayedTest):
    sims = (Sim("one"), Sim("two"), Sim("other", tenant="rival"))

    def give(self, **quota):
        """Of tenant local, by a reload of the registry."""
        counts = {member.name: self.mesh.process[member.name].output().count("reloaded") for member in self.mesh.aggregators}
        document = yaml.safe_load(self.mesh.files.registry.read_text())
        for tenant in document["tenants"]:
            tenant.pop("quota", None)
            if tenant["name"] == "local" and quota:
                tenant["quota"] = quota
        self.mesh.files.registry.write_text(yaml.safe_dump(document))
        for member in self.mesh.aggregators:
            child = self.mesh.process[member.name]
            child.signal(signal.SIGHUP)
            eventually(lambda: child.output().count("reloaded") > counts[member.name], f"{member.name} has read it", 10)

    def setUp(self):
        self.addCleanup(self.give)
        self.counters = Counters(self.mesh, self.first)

    def test_commands_beyond_the_rate_are_refused_and_another_tenants_are_not(self):
        one, other = self.play("one"), self.play("other")
        self.give(messages_per_second=2)
        answers = [self.order("one") for _ in range(12)]
        refused = [answer for answer in answers if answer.status == 503]
        self.assertGreaterEqual(len(refused), 6, [answer.status for answer in answers])
        error = self.assertRedfishError(refused[0], 503, "ServiceTemporarilyUnavailable")
        self.assertEqual(error["message"], "Tenant local has reached its quota of 2 messages a second; nothing was sent.")
        self.assertEqual(refused[0].header("Retry-After"), "1")
        self.assertEqual({self.order("other", "rival").status for _ in range(12)}, {202})
        def arrived():
            found = [len({seen[1] for seen in played.seen}) for played in (one, other)]  # again over another link is the same
            return found if found == [12 - len(refused), 12] else None
        eventually(arrived, "what was taken has arrived", 10)
        self.assertEqual(self.counters.grown(REFUSED_MESSAGES), len(refused))
        def told():
            events = self.admin.get("/mesh/v1/events?topic=mesh.error").json()["events"]
            return {(event["tenant"], event["payload"]["reason"]) for event in events if event["name"] == "over_quota"}
        reason = "tenant local has reached its quota of 2 messages a second; nothing was sent"
        # One of another reason may have been told a moment ago, and this one with the next.
        eventually(lambda: self.order("one").status == 503 and ("local", reason) in told(), "it is an event", 10)
        self.assertEqual({tenant for tenant, _ in told()}, {"local"})

    def test_a_connector_that_asks_too_often_is_told(self):
        one, two = self.play("one"), self.play("two")
        self.ctl("policy", "allow", "--tenant", "local", "one", "power.cycle", "two")
        self.addCleanup(self.ctl, "policy", "revoke", "--tenant", "local", "one", "power.cycle", "two")
        self.assertEqual(self.last_reply(one, one.ask(self.first, "two"))[1], 2)
        self.give(messages_per_second=1)
        asked = [one.ask(self.first, "two") for _ in range(6)]
        replies = [self.last_reply(one, each) for each in asked]
        refused = [reply for reply in replies if reply[1] == 3]
        self.assertGreaterEqual(len(refused), 3, replies)
        self.assertEqual({(reply[2], reply[3]) for reply in refused},
                         {(FULL, b"tenant local has reached its quota of 1 messages a second; nothing was sent")})
        self.assertEqual(len({seen[1] for seen in two.seen}), 1 + 6 - len(refused))

    def test_bytes_in_flight_are_refused_until_there_is_an_end(self):
        one = self.play("one", lambda *_: iter(()))
        self.give(bytes_in_flight=1000)
        payload = {"a": "x" * 700}
        first = self.order("one", payload=payload)
        self.assertEqual(first.status, 202)
        refused = self.order("one", payload=payload)
        self.assertRedfishError(refused, 503, "ServiceTemporarilyUnavailable")
        self.assertIn("1000 bytes in flight", refused.json()["error"]["message"])
        self.assertEqual(self.counters.grown("bmcmesh_quota_refused_bytes_total"), 1)
        eventually(lambda: one.seen, "it arrives", 10)
        one.say(self.first, reply_of(one, self.first, one.seen[0][1]))
        self.assertEqual(self.outcome(first)["state"], "SUCCESS")
        second = self.order("one", payload=payload)
        self.assertEqual(second.status, 202)
        eventually(lambda: len(one.seen) == 2, "it arrives", 10)
        one.say(self.first, reply_of(one, self.first, one.seen[1][1]))
        self.assertEqual(self.outcome(second)["state"], "SUCCESS")


def reply_of(played, aggregator, command_id, payload=b"", source=None, state=2):
    content = field(1, state) + (field(4, 200) if state == 2 else field(2, 11))
    return record(REPLY, header(10, content, source or played.address, aggregator.name, command_id), payload)


def ask_of(source, aggregator, target, command_id):
    return record(COMMAND, header(9, field(1, "power.cycle") + field(14, target), source, aggregator.name, command_id), b"{}")


class Attackers(PlayedTest):
    """Somebody has the key of local/evil, or listens on the network."""

    sims = (Sim("evil"), Sim("mate"), Sim("other", tenant="rival"))

    def setUp(self):
        self.counters = Counters(self.mesh, self.first)

    def test_another_tenants_or_another_name_is_not_to_be_had_and_nobody_learns_whether_it_exists(self):
        told = set()
        for name in ("local/mate", "local/nobody", "rival/other", "rival/nobody", "nowhere/evil", "other", "agg-1"):
            with RawPeer(self.mesh.state / "keys/evil.key", f"tcp://127.0.0.1:{self.first.mesh_port}", self.first.key,
                         5 * SLOW) as peer:
                peer.send(hello(name))
                told.add(re.search(rb"the key [a-z ]+", peer.receive()).group(0))
        self.assertEqual(told, {b"the key belongs to another name"})

    def test_what_bears_another_tenants_name_is_dropped_and_counted(self):
        evil, other = self.play("evil"), self.play("other")
        order = self.order("other", "rival")
        eventually(lambda: other.seen, "the other has a command", 10)
        for frame in (ask_of("rival/other", self.first, field(1, "other"), new_id()),
                      reply_of(evil, self.first, other.seen[0][1], b'"stolen"', source="rival/other")):
            before = Counters(self.mesh, self.first)
            evil.say(self.first, frame)
            before.await_growth("bmcmesh_records_wrong_source_total")
        self.assertEqual(self.outcome(order)["replies"][0].get("payload"), None, "the other's own answer")

    def test_an_answer_under_another_ones_id_is_not_taken(self):
        evil, mate = self.play("evil"), self.play("mate", lambda *_: iter(()))
        order = self.order("mate")
        command_id = bytes.fromhex(order.header("Location").rpartition("/")[2])
        eventually(lambda: [seen for seen in mate.seen if seen[1] == command_id], "it has arrived", 10)
        for member in self.mesh.aggregators:  # to the one that asked, over its own link and over another's
            before = Counters(self.mesh, self.first)
            evil.say(member, reply_of(evil, self.first, command_id, b'"stolen"'))
            before.await_growth("bmcmesh_replies_wrong_source_total")
        self.assertEqual(self.admin.get(order.header("Location")).json()["state"], "ON_GOING")
        mate.say(self.first, reply_of(mate, self.first, command_id, b'"mine"'))
        told = self.outcome(order)
        self.assertEqual((told["state"], told["replies"][0]["payload"]), ("SUCCESS", "mine"))

    def test_what_is_said_again_changes_nothing(self):
        evil, mate = self.play("evil", lambda *_: iter(())), self.play("mate")
        order = self.order("evil")
        eventually(lambda: evil.seen, "it has arrived", 10)
        command_id = evil.seen[0][1]
        evil.say(self.first, reply_of(evil, self.first, command_id, b'"first"'))
        told = self.outcome(order)
        for payload, state in ((b'"first"', 2), (b'"second"', 2), (b"", 3)):
            before = Counters(self.mesh, self.first)
            evil.say(self.first, reply_of(evil, self.first, command_id, payload, state=state))
            before.await_growth("bmcmesh_replies_unknown_total")
        self.assertEqual(self.admin.get(order.header("Location")).json(), told)
        self.ctl("policy", "allow", "--tenant", "local", "evil", "power.cycle", "mate")
        self.addCleanup(self.ctl, "policy", "revoke", "--tenant", "local", "evil", "power.cycle", "mate")
        asked = new_id()
        frame = ask_of(evil.address, self.first, field(1, "mate"), asked)
        for count in range(1, 4):
            evil.say(self.first, frame)
            eventually(lambda count=count: len(evil.replies.get(asked, [])) == count, "it is answered each time", 10)
        self.assertEqual(len(mate.seen), 1, "and executed once")
        self.assertEqual({reply[1] for reply, _ in evil.replies[asked]}, {2})

    def tapped(self):
        tap = Tap(self.first.mesh_port)
        self.addCleanup(tap.close)
        return tap, dataclasses.replace(self.first, mesh_port=tap.port)

    def test_a_recorded_connection_is_worth_nothing(self):
        tap, member = self.tapped()
        played = PlayedConnector(self.mesh, self.mesh.satellite("mate"), lambda *_: iter([success()]), [member])
        with played:
            eventually(lambda: self.linked("mate"), "it is linked", 20)
            self.assertEqual(self.outcome(self.order("mate"))["state"], "SUCCESS")
        eventually(lambda: not self.linked("mate"), "it is gone", 20)
        self.assertGreater(len(tap.said), 1000)
        with socket.create_connection(("127.0.0.1", self.first.mesh_port), 10 * SLOW) as replayed:
            replayed.sendall(tap.said)
            answered = 0
            try:
                while data := replayed.recv(65536):
                    answered += len(data)
            except ConnectionResetError:
                pass
        self.assertLess(answered, 1000, "it ended in the handshake")
        self.assertFalse(self.linked("mate"))

    def test_a_frame_that_is_sent_twice_on_the_way_ends_its_connection(self):
        tap, member = self.tapped()

        def act(*_):
            tap.twice = True
            yield success()
        with PlayedConnector(self.mesh, self.mesh.satellite("mate"), act, [member]) as played:
            eventually(lambda: self.linked("mate"), "it is linked", 20)
            closed, order = tap.closed, self.order("mate")
            eventually(lambda: tap.closed > closed, "the aggregator has closed it", 10)
            self.assertIn(self.outcome(order)["state"], ("SUCCESS", "FAIL"))
            self.assertEqual(len(played.seen), 1)
            self.assertEqual(self.counters.grown("bmcmesh_replies_unknown_total"), 0, "the second never became a message")
        eventually(lambda: not self.linked("mate"), "it is gone", 20)

    def test_a_connectors_questions_tell_it_nothing_of_another_tenant(self):
        evil, other = self.play("evil"), self.play("other")
        said = set()
        for target in (field(1, "other"), field(1, "nobody"), field(2, "power-controller"), field(2, "no-such-type")):
            asked = new_id()
            evil.say(self.first, ask_of(evil.address, self.first, target, asked))
            reply = self.last_reply(evil, asked)
            self.assertEqual(reply[2], PERMISSION_DENIED)
            said.add(re.sub(rb" to .*", b"", reply[3]))
        self.assertEqual(len(said), 1, said)
        for destination in ("rival/other", "rival/nobody"):
            before, asked = Counters(self.mesh, self.first), new_id()
            evil.say(self.first, record(COMMAND, header(9, field(1, "power.cycle"), evil.address, destination, asked), b"{}"))
            before.await_growth("bmcmesh_records_not_allowed_total")
            self.assertNotIn(asked, evil.replies)
        self.assertEqual(other.seen, [])

    def test_a_tenants_administrator_learns_nothing_of_other_tenants(self):
        password = "a-Password-of-local-8"
        made = self.admin.post(ROOT + "/AccountService/Accounts", {
            "UserName": "local-boss", "Password": password, "RoleId": "Administrator", "Oem": {"Bmcmesh": {"Tenant": "local"}}})
        self.assertEqual(made.status, 201, made.body)
        self.addCleanup(self.admin.request, "DELETE", made.header("Location"))
        quota = {"quota": {"connectors": 1}}
        with Client(self.first.facade, "local-boss", password, self.mesh.ca, timeout=40 * SLOW) as boss:
            for method, uri, body in (("PATCH", TENANTS + "/{}", quota), ("DELETE", TENANTS + "/{}?force=true", None),
                                      ("POST", TENANTS, {"name": "{}", **quota}), ("GET", TENANTS, None),
                                      ("POST", "/mesh/v1/enrolments", {"tenant": "{}", "name": "x"}),
                                      ("POST", "/mesh/v1/connectors/{}:other/revoke", None),
                                      ("GET", "/mesh/v1/history/audit?tenant={}", None)):
                with self.subTest(method=method, uri=uri):
                    told = []
                    for tenant in ("rival", "nobody"):
                        sent = body and json.loads(json.dumps(body).replace("{}", tenant))
                        answer = boss.request(method, uri.replace("{}", tenant), sent)
                        told.append((answer.status, answer.body))
                    self.assertEqual(told[0], told[1])
                    self.assertEqual(told[0][0], 403)


if __name__ == "__main__":
    unittest.main()
