"""Commands to workers: by name and by type, progress, another link, another connector, other tenants."""

import json
import signal
import subprocess
import threading
import unittest
from pathlib import Path

from harness import PROGRAMS, USER, MeshTest, Sim, eventually, run_program, write_private
from played_connector import (FULL, NOT_FOUND, PERMISSION_DENIED, REFUSED, PlayedConnector, failure, offer, progress, success)

COMMANDS, WORKERS = "/mesh/v1/commands", "/mesh/v1/workers"


def cycles(_, command):
    yield progress(50, "off")
    yield success(json.dumps({"asked": json.loads(command[3] or b"null")}).encode())


class Commands(MeshTest):
    sims = (Sim("one"), Sim("two"), Sim("other", tenant="rival"))

    def setUp(self):
        self.first, self.second = self.mesh.aggregators
        for name in ("one", "two", "other"):
            if self.mesh.process[name].status() is None:
                self.mesh.kill(name)

    def play(self, name, act=cycles, aggregators=None, offers=None):
        satellite = self.mesh.satellite(name)
        played = PlayedConnector(self.mesh, satellite, act, aggregators, offers)
        self.addCleanup(self.await_gone, name)
        self.addCleanup(played.__enter__().__exit__, None, None, None)
        for _, client in self.each_facade():
            eventually(lambda: self.linked(client, name) and (offers == [] or name in self.offering(client)), f"{name} is linked", 20)
        return played

    def offering(self, client):
        workers = client.get(WORKERS).json()["workers"]
        return [entry["connector"] for entry in workers if entry["linked"] and entry["type"] != "redfish"]

    def linked(self, client, name):
        satellites = client.get("/mesh/v1/status").json()["satellites"]
        return next(entry["linked"] for entry in satellites if entry["name"] == name)

    def await_gone(self, name):
        for _, client in self.each_facade():
            eventually(lambda: not self.linked(client, name), f"{name} is gone", 20)

    def send(self, *arguments, at=None, user=USER, password="admin.password"):
        """(exit status, document, stderr) of `meshctl send`."""
        status, out, error = run_program(
            "meshctl", "send", *arguments, "--json", "--url", (at or self.first).facade, "--user", user, "--password-file",
            self.mesh.state / password, "--cacert", self.mesh.ca, seconds=60)
        return status, json.loads(out) if out else None, error

    def test_progress_payload_and_outcome_come_back_from_every_node(self):
        played = self.play("one")
        for member in self.mesh.aggregators:
            status, told, error = self.send("local/one", "power.cycle", "--payload", '{"delay": 3}', "--version", "1", at=member)
            self.assertEqual((status, error), (0, ""))
            (reply,) = told["replies"]
            self.assertEqual((told["state"], reply["connector"], reply["payload"]), ("SUCCESS", "one", {"asked": {"delay": 3}}))
            self.assertEqual((told["user"], reply["executed"]), (USER, "yes"))
        self.assertEqual(len(played.seen), 2)

    def test_a_node_without_a_link_forwards_to_the_one_that_has_it(self):
        played = self.play("one", aggregators=[self.first])
        status, told, _ = self.send("local/one", "power.cycle", at=self.second)
        self.assertEqual((status, told["state"]), (0, "SUCCESS"))
        self.assertEqual([link for link, *_ in played.seen], [self.first.name])

    def test_a_link_that_ends_in_mid_command_is_replaced_under_the_same_id(self):
        first = threading.Event()

        def act(member, _):
            if not first.is_set():
                first.set()
                self.played.cut(member)
            else:
                yield success()
        self.played = None
        self.played = self.play("one", act)
        status, told, _ = self.send("local/one", "power.cycle")
        self.assertEqual((status, told["state"]), (0, "SUCCESS"))
        ids = {command_id for _, command_id, *_ in self.played.seen}
        self.assertEqual((len(ids), len({link for link, *_ in self.played.seen})), (1, 2))

    def test_who_dies_in_mid_command_leaves_a_definite_answer(self):
        def act(*_):
            for member in self.mesh.aggregators:
                self.played.cut(member)
            return iter(())
        self.played = None
        self.played = self.play("one", act)
        status, told, _ = self.send("local/one", "power.cycle", "--timeout", "20")
        (reply,) = told["replies"]
        self.assertEqual((status, told["state"], reply["executed"]), (1, "FAIL", "unknown"))

    def test_silence_ends_at_the_deadline(self):
        self.play("one", lambda *_: iter(()))
        status, told, _ = self.send("local/one", "power.cycle", "--timeout", "2")
        self.assertEqual((status, told["replies"][0]["executed"], told["replies"][0]["code"]), (1, "unknown", "outcome_unknown"))

    def test_of_a_type_another_one_gets_it_only_when_the_first_has_not_executed_it(self):
        refusals = {"one": failure(FULL, "busy"), "two": failure(REFUSED, "burnt", "burnt")}
        played = {name: self.play(name, lambda *_, name=name: iter([refusals[name]])) for name in ("one", "two")}
        for _ in range(4):
            status, told, _ = self.send("power-controller", "power.cycle", "--type", "--tenant", "local")
            (reply,) = told["replies"]
            self.assertEqual((status, reply["connector"], reply["failure"], reply["executed"]), (1, "two", "burnt", "yes"))
        self.assertEqual(len(played["two"].seen), 4)

    def test_commands_of_a_type_are_spread_and_honour_the_version(self):
        one, two = self.play("one", offers=[offer(1, 4)]), self.play("two", offers=[offer(1, 4), offer(2, 0)])
        for _ in range(12):
            self.assertEqual(self.send("power-controller", "power.cycle", "--type", "--tenant", "local")[0], 0)
        self.assertTrue(one.seen and two.seen, (len(one.seen), len(two.seen)))
        before = len(one.seen)
        for _ in range(4):
            self.assertEqual(self.send("power-controller", "power.cycle", "--type", "--tenant", "local", "--version", "2")[0], 0)
        self.assertEqual(len(one.seen), before)
        status, told, error = self.send("power-controller", "power.cycle", "--type", "--tenant", "local", "--version", "3")
        self.assertEqual((status, told), (1, None))
        self.assertIn("in that version", error)

    def test_all_of_a_type_answer_each_and_some_is_partly(self):
        self.play("one")
        two = self.play("two", lambda *_: iter([failure(NOT_FOUND, "no worker any more")]))
        status, told, _ = self.send("power-controller", "power.cycle", "--type", "--all", "--tenant", "local")
        self.assertEqual((status, told["state"], told["succeeded"]), (4, "FAIL", 1))
        self.assertEqual([(reply["connector"], reply["executed"]) for reply in told["replies"]], [("one", "yes"), ("two", "no")])
        self.assertEqual(len(two.seen), 1)

    def test_another_tenants_connector_is_as_if_it_were_not_there(self):
        played = self.play("other", offers=[offer(kind="rival-controller")])
        password = self.mesh.state / "local.password"
        write_private(password, "a-Password-of-local-7")
        with self.mesh.client() as client:
            made = client.post("/redfish/v1/AccountService/Accounts", {
                "UserName": "local-op", "Password": "a-Password-of-local-7", "RoleId": "Operator",
                "Oem": {"Bmcmesh": {"Tenant": "local"}}})
            self.assertEqual(made.status, 201, made.body)
        told = [self.send(target, "power.cycle", user="local-op", password="local.password")
                for target in ("rival/other", "rival/nobody", "rival2/nobody")]
        self.assertEqual([(status, out) for status, out, _ in told], [(1, None)] * 3)
        self.assertEqual(told[0][2].replace("other", "nobody"), told[1][2])
        self.assertEqual(told[1][2].replace("rival", "rival2"), told[2][2])
        status, _, error = self.send("rival-controller", "power.cycle", "--type", "--all", user="local-op", password="local.password")
        self.assertEqual(status, 1)
        self.assertIn("No connector of tenant local offers", error)
        self.assertEqual(played.seen, [])

    def test_a_connector_that_no_policy_names_may_ask_for_nothing(self):
        one, two = self.play("one"), self.play("two")
        said = []
        for target in ("two", "nobody", "other"):
            asked = one.ask(self.first, target)
            eventually(lambda asked=asked: one.replies.get(asked), "it is answered", 10)
            ((reply, _),) = one.replies[asked]
            self.assertEqual((reply[1], reply[2]), (3, PERMISSION_DENIED))
            said.append(reply[3].decode().replace(target, "X"))
        self.assertEqual(len(set(said)), 1, said)
        self.assertEqual(two.seen, [])

    def test_a_policy_lets_one_connector_ask_another_and_ends_with_it(self):
        one, two = self.play("one"), self.play("two")
        common = ("--url", self.first.facade, "--user", USER, "--password-file", self.mesh.state / "admin.password", "--cacert",
                  self.mesh.ca)
        grant = ("--tenant", "local", "one", "power.cycle", "two")
        self.assertEqual(run_program("meshctl", "policy", "allow", *grant, *common)[0], 0)
        self.assertEqual(run_program("meshctl", "policy", "list", *common)[1], "local  one  power.cycle  two\n")
        for member in self.mesh.aggregators:
            def answered(member=member):
                asked = one.ask(member, "two")
                replies = eventually(lambda: [reply for reply, _ in one.replies.get(asked, []) if reply[1] != 1], "it ends", 10)
                return replies[-1][1] == 2
            eventually(answered, f"{member.name} has heard of the policy", 10)
        self.assertTrue(two.seen)
        self.assertEqual({command[2].decode() for _, _, command, _ in two.seen}, {"local/one"})
        self.assertEqual(run_program("meshctl", "policy", "revoke", *grant, *common)[0], 0)
        asked = one.ask(self.first, "two")
        eventually(lambda: one.replies.get(asked), "it is answered", 10)
        self.assertEqual(one.replies[asked][0][0][2], PERMISSION_DENIED)

    def test_who_does_not_wait_any_longer_is_told_what_goes_on(self):
        played = self.play("one", lambda *_: iter(()))
        common = ("--url", self.first.facade, "--user", USER, "--password-file", self.mesh.state / "admin.password", "--cacert",
                  self.mesh.ca)
        child = subprocess.Popen([str(word) for word in (PROGRAMS / "meshctl", "send", "local/one", "power.cycle", "--timeout", "3", *common)],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        with self.mesh.client() as client:
            eventually(lambda: played.seen, "it has arrived", 10)
            eventually(lambda: self.waits(child.pid), "meshctl waits", 10)
            child.send_signal(signal.SIGINT)
            out, error = child.communicate(timeout=20)
            self.assertEqual((child.returncode, out), (130, ""), error)
            command = played.seen[0][1].hex()
            self.assertIn(f"command {command} goes on; 'meshctl get {COMMANDS}/{command}'", error)
            eventually(lambda: client.get(f"{COMMANDS}/{command}").json()["state"] == "FAIL", "its time ends", 20)

    @staticmethod
    def waits(pid):
        """Does it take signals by a thread of its own?"""
        blocked = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigBlk:"))
        return int(blocked.split()[1], 16) & 1 << signal.SIGINT - 1

    def test_an_older_connector_offers_nothing(self):
        self.play("one", offers=[])
        status, _, error = self.send("local/one", "power.cycle")
        self.assertEqual(status, 1)
        self.assertIn("Connector one offers no command power.cycle", error)

    def test_people_see_a_line_for_each_and_ids_where_they_do_not_wait(self):
        self.play("one")
        common = ("--url", self.first.facade, "--user", USER, "--password-file", self.mesh.state / "admin.password", "--cacert",
                  self.mesh.ca)
        status, out, error = run_program("meshctl", "send", "local/one", "power.cycle", *common)
        self.assertEqual((status, out, error), (0, 'one  SUCCESS  {"asked":null}\n', ""))
        status, out, _ = run_program("meshctl", "send", "local/one", "power.cycle", "--no-wait", *common)
        self.assertEqual((status, len(out.strip())), (0, 32))
        with self.mesh.client() as client:
            eventually(lambda: client.get(f"{COMMANDS}/{out.strip()}").json()["state"] == "SUCCESS", "it ends", 10)
        status, out, _ = run_program("meshctl", "workers", *common)
        self.assertEqual(status, 0)
        self.assertIn("local/one  power-controller 1.0  linked  power.cycle\n", out)
        status, _, error = run_program("meshctl", "send", "local/one", "power.cycle", "--payload", "{oops", *common)
        self.assertEqual(status, 2)
        self.assertIn("not JSON from byte 2 on", error)


if __name__ == "__main__":
    unittest.main()
