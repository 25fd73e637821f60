"""The whole way of a command: from meshctl through an aggregator and a connector to the example worker, and back."""

import json
import os
import signal
import sys
import threading
import unittest
from pathlib import Path

from harness import CHECKOUT, SLOW, USER, Child, MeshTest, Sim, eventually, run_program

POWER_CYCLE = CHECKOUT / "connector/worker/python/power_cycle.py"
BENCH = Path(__file__).resolve().parent / "bench_worker.py"
SENDERS, ENOUGH = 4, 40  # threads that send without a pause; commands before the upgrade begins, and after it is over


class WorkersInAMesh(MeshTest):
    sims = (Sim("one"), Sim("two"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        mesh = cls.mesh
        for member in mesh.satellites:
            mesh.kill(member.name, signal.SIGTERM)
            socket = mesh.state / f"run/{member.name}-workers/worker.sock"
            member.extra["workers"] = {"socket": str(socket), "allow": [{"uid": os.getuid(), "commands": ["power.*", "test.*"]}]}
            mesh.files.write_connector(member, mesh.aggregators)
            mesh.start(member)
            name = f"{member.name}/worker"
            mesh._adopt(name, Child(name, [sys.executable, "-B", POWER_CYCLE, "--socket", socket], mesh.files.log(member.name + "-worker")))
            cls.addClassCleanup(mesh.process[name].wait, 10)
            cls.addClassCleanup(mesh.process[name].signal, signal.SIGKILL)

    def setUp(self):
        for _, client in self.each_facade():
            eventually(lambda: self.offering(client) == {"one", "two"}, "both offer it", 20)

    def offering(self, client):
        return {entry["connector"] for entry in client.get("/mesh/v1/workers").json()["workers"] if entry["linked"] and entry["type"] == "chassis"}

    def send(self, *arguments, at=0):
        status, out, error = run_program(
            "meshctl", "send", *arguments, "--json", "--url", self.mesh.aggregators[at].facade, "--user", USER, "--password-file",
            self.mesh.state / "admin.password", "--cacert", self.mesh.ca, seconds=60)
        return status, json.loads(out) if out else None, error

    def test_a_command_by_name_is_executed_and_answered(self):
        for at in (0, 1):
            payload = {"system": "node", "off_seconds": 1}
            status, told, error = self.send("local/one", "power.cycle", "--payload", json.dumps(payload), at=at)
            self.assertEqual((status, error), (0, ""), told)
            (reply,) = told["replies"]
            self.assertEqual((told["state"], reply["connector"], reply["payload"]), ("SUCCESS", "one", payload))

    def test_a_command_by_type_goes_to_all(self):
        status, told, error = self.send("chassis", "power.cycle", "--type", "--all", "--tenant", "local", "--payload",
                                        '{"system": "node", "off_seconds": 1}')
        self.assertEqual((status, error), (0, ""), told)
        self.assertEqual({(reply["connector"], reply["state"]) for reply in told["replies"]},
                         {("one", "SUCCESS"), ("two", "SUCCESS")})

    def test_a_payload_against_its_schema_is_not_executed(self):
        status, told, error = self.send("local/two", "power.cycle", "--payload", '{"system": "node", "off_seconds": 61}')
        self.assertEqual(status, 1, (told, error))
        (reply,) = told["replies"]
        self.assertEqual((told["state"], reply["executed"]), ("FAIL", "no"), reply)
        self.assertIn("at /off_seconds: expected at most 60", json.dumps(reply))

    def bench(self, version):
        """A worker at `one`, offered on every node."""
        socket = self.mesh.state / "run/one-workers/worker.sock"
        child = Child(f"bench-{version}", [sys.executable, "-B", BENCH, socket, version], self.mesh.files.log(f"bench-{version}"))
        self.addCleanup(child.wait, 10)
        self.addCleanup(child.signal, signal.SIGKILL)
        for _, client in self.each_facade():
            eventually(lambda: any((entry["type"], entry["version"]) == ("test-bench", version)
                                   for entry in client.get("/mesh/v1/workers").json()["workers"]), f"version {version} is offered", 20)
        return child

    def send_on(self, member, ended, answers):
        with self.mesh.client(member) as client:
            while not ended.is_set():
                sent = client.post("/mesh/v1/commands", {"command": "test.echo", "target": "local/one", "payload": len(answers), "wait": 20})
                answers.append(sent)

    def test_a_worker_is_upgraded_under_load_without_a_lost_command(self):
        old, ended, answers = self.bench("1.0"), threading.Event(), [[] for _ in range(SENDERS)]
        threads = [threading.Thread(target=self.send_on, args=(self.mesh.aggregators[number % 2], ended, mine))
                   for number, mine in enumerate(answers)]

        def all_have(count):
            return lambda: all(len(mine) >= count for mine in answers)
        for thread in threads:
            thread.start()
        try:
            eventually(all_have(ENOUGH), "the old one answers", 20)
            self.bench("1.1")
            self.assertEqual(old.wait(20 * SLOW), 0, "it ends when it has ended what it had")
            eventually(all_have(max(map(len, answers)) + ENOUGH), "the new one answers", 20)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        for mine in answers:
            self.assertEqual({(sent.status, sent.json()["state"]) for sent in mine}, {(200, "SUCCESS")})
            payloads = [sent.json()["replies"][0]["payload"] for sent in mine]
            self.assertEqual([payload["given"] for payload in payloads], list(range(len(mine))))
            versions = [payload["version"] for payload in payloads]
            self.assertEqual(versions, sorted(versions), "the old one got nothing after the new one had begun")
            self.assertEqual(set(versions), {"1.0", "1.1"})


if __name__ == "__main__":
    unittest.main()
