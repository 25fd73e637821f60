"""The whole way of a command: from meshctl through an aggregator and a connector to the example worker, and back."""

import json
import os
import signal
import sys

from harness import CHECKOUT, USER, Child, MeshTest, Sim, eventually, run_program

POWER_CYCLE = CHECKOUT / "connector/worker/python/power_cycle.py"


class WorkersInAMesh(MeshTest):
    sims = (Sim("one"), Sim("two"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        mesh = cls.mesh
        for member in mesh.satellites:
            mesh.kill(member.name, signal.SIGTERM)
            socket = mesh.state / f"run/{member.name}-workers/worker.sock"
            member.extra["workers"] = {"socket": str(socket), "allow": [{"uid": os.getuid(), "commands": ["power.*"]}]}
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
