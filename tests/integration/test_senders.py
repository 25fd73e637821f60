"""Workers that send commands to other connectors, and commands that every connector executes itself."""

import json
import os
import signal
import sys
import threading
import unittest
from pathlib import Path
from urllib.parse import quote

from harness import ROOT, SLOW, USER, Child, MeshTest, Sim, eventually, run_program, write_private

HERE = Path(__file__).resolve().parent
COMMANDS, AUDIT = "/mesh/v1/commands", "/mesh/v1/history/audit"
PASSWORD = "a-Password-of-somebody-7"


class SendersTest(MeshTest):
    """`one` has a worker that sends; `two` has one that executes."""

    sims = (Sim("one"), Sim("two"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        mesh = cls.mesh
        for member, worker in zip(mesh.satellites, ("sending_worker.py", "bench_worker.py")):
            mesh.kill(member.name, signal.SIGTERM)
            member.socket = mesh.state / f"run/{member.name}-workers/worker.sock"
            allow = {"uid": os.getuid(), "commands": ["test.*"], "send": ["test.echo", "test.hold", "test.fail", "redfish.*"]}
            member.extra["workers"] = {"socket": str(member.socket), "allow": [allow]}
            policy = mesh.state / f"{member.name}-policy.yaml"
            policy.write_text("refuse: [ { methods: [POST], path: Systems/*/Actions/** } ]\n")
            member.extra["policy"] = {"file": str(policy)}
            mesh.files.write_connector(member, mesh.aggregators)
            mesh.start(member)
            cls.start_worker(member, worker)
        cls.addClassCleanup(cls.stop_workers)

    @classmethod
    def start_worker(cls, member, script):
        command = [sys.executable, "-B", HERE / script, member.socket, *(["1.0"] if script == "bench_worker.py" else [])]
        child = Child(f"{member.name}/worker", command, cls.mesh.files.log(member.name + "-worker"))
        cls.mesh._adopt(f"{member.name}/worker", child)
        return child

    @classmethod
    def stop_workers(cls):
        for name in ("one/worker", "two/worker"):
            cls.mesh.process[name].signal(signal.SIGKILL)
            cls.mesh.process[name].wait(10)

    def setUp(self):
        self.first, self.second = self.mesh.aggregators
        self.await_offers()
        for grant in self.grants():
            self.ctl("policy", "revoke", "--tenant", "local", *grant)

    def await_offers(self):
        for _, client in self.each_facade():
            eventually(lambda: {"test.relay", "test.echo", "redfish.get"} <= self.offered(client), "both are offered", 20)

    def offered(self, client):
        return {command["name"] for entry in client.get("/mesh/v1/workers").json()["workers"] if entry["linked"]
                for command in entry["commands"]}

    def grants(self):
        with self.mesh.client() as client:
            return [(one["sender"], one["command"], one["target"]) for one in client.get("/mesh/v1/policies").json()["policies"]]

    def ctl(self, *arguments, at=None, user=USER, password="admin.password", status=0):
        ended, out, error = run_program("meshctl", *arguments, "--url", (at or self.first).facade, "--user", user, "--password-file",
                                        self.mesh.state / password, "--cacert", self.mesh.ca, seconds=60)
        self.assertEqual(ended, status, out + error)
        return out or error

    def allow(self, command, target="two"):
        """A policy, in force at all nodes: each is asked for what it must not answer with."""
        self.ctl("policy", "allow", "--tenant", "local", "one", command, target)
        for _, client in self.each_facade():
            eventually(lambda: command in [one["command"] for one in client.get("/mesh/v1/policies").json()["policies"]], "it is known", 10)

    def send(self, target, command, payload, at=None, status=0):
        """The reply of the one connector."""
        told = json.loads(self.ctl("send", target, command, "--payload", json.dumps(payload), "--json", at=at, status=status))
        (reply,) = told["replies"]
        return reply

    def relay(self, command, payload=None, target="two", **more):
        """What the worker at `one` was told of a command that it has sent."""
        return self.send("local/one", "test.relay", {"target": target, "command": command, "payload": payload, **more})["payload"]


class Senders(SendersTest):
    def test_without_a_policy_nothing_is_sent(self):
        told = self.relay("test.echo", {"a": 1})
        self.assertEqual((told["code"], told["executed"]), ("permission_denied", "no"))
        self.assertIn("no policy lets one send test.echo to two", told["text"])
        self.assertEqual(self.relay("test.echo", {"a": 1}, target="nobody")["code"], "permission_denied")

    def test_what_the_machines_configuration_does_not_allow_does_not_leave_it(self):
        self.allow("test.odd")
        told = self.relay("test.odd", {"kind": "nan"})
        self.assertEqual((told["code"], told["executed"]), ("permission_denied", "no"))
        self.assertIn("workers.allow", told["text"])

    def test_with_a_policy_progress_and_outcome_come_back(self):
        self.allow("test.hold")
        fifo = self.mesh.state / "hold"
        os.mkfifo(fifo)
        self.addCleanup(fifo.unlink)
        payload = json.dumps({"target": "two", "command": "test.hold", "payload": {"fifo": str(fifo)}})
        command = self.ctl("send", "local/one", "test.relay", "--payload", payload, "--no-wait").strip()
        with self.mesh.client() as client:
            def reply():
                return client.get(f"{COMMANDS}/{command}").json()["replies"][0]
            eventually(lambda: (reply()["progress"], reply()["text"]) == (50, "holding"), "it is told how far the other one is", 10)
            fifo.write_text("go")
            told = eventually(lambda: reply()["state"] == "SUCCESS" and reply()["payload"], "it ends", 10)
        self.assertEqual(told["result"], {"version": "1.0"})
        self.assertIn([50, "holding"], told["progress"])

    def test_the_worker_there_learns_on_whose_behalf_and_its_failure_comes_back(self):
        self.allow("test.fail")
        told = self.relay("test.fail", {"a": 1})
        self.assertEqual((told["failure"], told["executed"], told["text"]), ("as_asked", "yes", "local/one wanted it"))

    def test_all_of_a_type_are_one_answer(self):
        self.allow("test.echo")
        told = self.relay("test.echo", {"a": 1}, target={"type": "test-bench", "all": True})
        self.assertEqual([(reply["connector"], reply["state"]) for reply in told["result"]["replies"]], [("two", "SUCCESS")])

    def test_a_payload_against_the_schema_there_is_not_executed(self):
        self.allow("test.hold")
        told = self.relay("test.hold", {"fifo": 7})
        self.assertEqual((told["code"], told["executed"]), ("invalid_argument", "no"))

    def test_a_payload_against_a_schema_that_is_known_here_does_not_leave_this_connector(self):
        one = self.mesh.satellite("one")
        bench = Child("one/bench", [sys.executable, "-B", HERE / "bench_worker.py", one.socket, "1.0"], self.mesh.files.log("one-bench"))
        self.addCleanup(bench.wait, 10)
        self.addCleanup(bench.signal, signal.SIGKILL)

        def served(client):
            workers = client.get("/mesh/v1/workers").json()["workers"]
            return any((entry["connector"], entry["type"]) == ("one", "test-bench") for entry in workers)
        with self.mesh.client() as client:
            eventually(lambda: served(client), "one serves it, too", 20)
            told = self.relay("test.hold", {"fifo": 7})
            self.assertEqual((told["code"], told["executed"]), ("invalid_argument", "no"), "an aggregator would have said that no policy lets it")
            self.assertIn("/fifo", told["text"])
            told = self.relay("test.hold", {"fifo": "x"})
            self.assertEqual((told["code"], told["executed"]), ("permission_denied", "no"), "this one has left")
            bench.signal(signal.SIGTERM)
            self.assertEqual(bench.wait(20 * SLOW), 0)
            eventually(lambda: not served(client), "one serves it no more", 20)
            self.assertEqual(self.relay("test.hold", {"fifo": 7})["code"], "permission_denied", "nor is its schema known any more")

    def test_the_death_of_who_executes_is_a_definite_answer(self):
        self.allow("test.hold")
        fifo = self.mesh.state / "never"
        os.mkfifo(fifo)
        self.addCleanup(fifo.unlink)
        two = self.mesh.satellite("two")
        for victim in ("two/worker", "two"):
            with self.subTest(victim):
                answers = []
                thread = threading.Thread(target=lambda: answers.append(self.relay("test.hold", {"fifo": str(fifo)}, timeout=15)))
                thread.start()
                end = os.open(fifo, os.O_WRONLY)  # when the worker reads it
                self.mesh.process[victim].signal(signal.SIGKILL)
                self.mesh.process[victim].wait(10)
                if victim == "two":
                    self.mesh.process["two/worker"].signal(signal.SIGKILL)
                os.close(end)
                thread.join(40 * SLOW)
                (told,) = answers
                self.assertEqual((told["code"], told["executed"]), ("outcome_unknown", "unknown"), told)
                if victim == "two":
                    self.mesh.process["two/worker"].wait(10)
                    self.mesh.start(two)
                self.start_worker(two, "bench_worker.py")
                self.await_offers()

    def test_what_was_asked_for_is_in_the_audit_trail(self):
        self.allow("test.echo")
        self.relay("test.echo", {"a": 1})
        with self.mesh.client() as client:
            def records(resource):
                found = []
                for member in self.mesh.aggregators:
                    with self.mesh.client(member) as each:
                        found += each.get(f"{AUDIT}?resource={quote(resource, safe='')}").json()["records"]
                return found
            mine = eventually(lambda: [one for one in records(f"{COMMANDS}/local/two/test.echo") if one.get("status") == 200], "its end", 10)
            self.assertEqual({one["account"] for one in mine}, {"local/one"})
            by_people = eventually(lambda: records(f"{COMMANDS}/local/one/test.relay"), "what was POSTed", 10)
            self.assertEqual({(one["account"], one["method"]) for one in by_people}, {(USER, "POST")})
            self.assertTrue(client.get(AUDIT).json()["records"])


class RedfishCommands(SendersTest):
    def account(self, name, role):
        write_private(self.mesh.state / f"{name}.password", PASSWORD)
        with self.mesh.client() as client:
            made = client.post("/redfish/v1/AccountService/Accounts", {"UserName": name, "Password": PASSWORD, "RoleId": role})
            self.assertIn(made.status, (201, 400), made.body)

    def system(self):
        reply = self.send("local/one", "redfish.get", {"uri": ROOT + "/Systems"})
        return reply["payload"]["body"]["Members"][0]["@odata.id"]

    def test_a_get_shows_the_bmcs_own_uris_from_every_node(self):
        for member in self.mesh.aggregators:
            reply = self.send("local/one", "redfish.get", {"uri": ROOT + "/Systems"}, at=member)
            self.assertEqual(reply["payload"]["status"], 200)
            self.assertEqual(reply["payload"]["body"]["@odata.id"], ROOT + "/Systems")
            self.assertNotIn("_", reply["payload"]["body"]["Members"][0]["@odata.id"].rsplit("/", 1)[1])

    def test_a_patch_changes_what_the_facade_shows(self):
        reply = self.send("local/one", "redfish.patch", {"uri": self.system(), "body": {"AssetTag": "by command"}})
        self.assertLess(reply["payload"]["status"], 300)
        again = self.send("local/one", "redfish.get", {"uri": self.system()})
        self.assertEqual(again["payload"]["body"]["AssetTag"], "by command")

    def test_what_the_bmc_refuses_is_a_failure_and_was_executed(self):
        reply = self.send("local/one", "redfish.get", {"uri": ROOT + "/Nothing/here"}, status=1)
        self.assertEqual((reply["state"], reply["failure"], reply["executed"]), ("FAIL", "http_404", "yes"))
        self.assertEqual(reply["payload"]["status"], 404)

    def test_the_machines_policy_and_the_askers_privileges_hold(self):
        reply = self.send("local/one", "redfish.post", {"uri": self.system() + "/Actions/ComputerSystem.Reset", "body": {"ResetType": "On"}},
                          status=1)
        self.assertEqual((reply["code"], reply["executed"]), ("permission_denied", "no"))
        self.account("clerk", "Operator")
        accounts = json.dumps({"uri": ROOT + "/AccountService/Accounts", "body": {}})
        said = self.ctl("send", "local/one", "redfish.post", "--payload", accounts, user="clerk", password="clerk.password", status=1)
        self.assertIn("privilege", said.lower())
        sessions = json.dumps({"uri": ROOT + "/SessionService/Sessions", "body": {}})
        self.ctl("send", "local/one", "redfish.post", "--payload", sessions, status=1)

    def test_a_worker_with_a_policy_may_read_another_bmc(self):
        self.assertEqual(self.relay("redfish.get", {"uri": ROOT + "/Systems"})["code"], "permission_denied")
        self.allow("redfish.get")
        told = self.relay("redfish.get", {"uri": ROOT + "/Systems"})
        self.assertEqual(told["result"]["status"], 200)

    def test_a_command_is_known_at_every_node(self):
        for taken, other in ((self.first, self.second), (self.second, self.first)):
            payload = json.dumps({"uri": ROOT + "/Systems"})
            command = self.ctl("send", "local/one", "redfish.get", "--payload", payload, "--no-wait", at=taken).strip()
            with self.mesh.client(other) as client:
                told = eventually(lambda: client.get(f"{COMMANDS}/{command}").json().get("state") == "SUCCESS" and
                                  client.get(f"{COMMANDS}/{command}").json(), "its end is known there", 10)
                self.assertEqual(told["replies"][0]["payload"]["status"], 200)
                self.assertEqual(client.get(f"{COMMANDS}/{'0' * 32}").status, 404)


if __name__ == "__main__":
    unittest.main()
