"""Configuration on its whole way: from a file through meshctl, the cluster and a connector to a worker, and its word back."""

import json
import os
import signal
import sys
from pathlib import Path

from harness import SLOW, USER, Child, MeshTest, Sim, eventually, run_program

WORKER = Path(__file__).resolve().parent / "config_worker.py"
CONFIG = "/mesh/v1/config"
PIVOT = """\
kind: pivot
tenant: red
type: chassis
commands: [power.cycle]
keys:
  fan.speed: {type: integer, minimum: 20, maximum: 100}
  place: {type: string}
required: [place]
"""
COMPONENT = """\
kind: component
tenant: red
connector: one
type: chassis
values:
  place: %s
  fan.speed: %s
"""


class Configuration(MeshTest):
    sims = (Sim("one", tenant="red"), Sim("other", tenant="blue"))

    def setUp(self):
        self.files = self.mesh.state / self._testMethodName
        self.files.mkdir()
        self.one = self.mesh.satellite("one")
        self.socket = self.mesh.state / "run/one-workers/worker.sock"
        self.one.extra["workers"] = {"socket": str(self.socket), "allow": [{"uid": os.getuid(), "commands": ["power.*"]}]}
        self.mesh.files.write_connector(self.one, self.mesh.aggregators)
        self.clients = [self.mesh.client(member) for member in self.mesh.aggregators]
        for client in self.clients:
            self.addCleanup(client.close)
        eventually(lambda: all(self.level(client) >= 5 for client in self.clients), "all nodes know configuration", 20 * SLOW)
        self.mesh.kill("one", signal.SIGTERM)
        if self.version():
            self.ctl("config", "remove", "red/component/one")
        for file in self.mesh.state.rglob("one.configuration"):
            file.unlink()
        self.mesh.start(self.one)

    def level(self, client):
        return client.get("/mesh/v1/cluster/members").json().get("feature_level", 0)

    def restart(self):
        self.mesh.kill("one", signal.SIGTERM)
        self.mesh.start(self.one)

    def worker(self, name="worker"):
        """Writes what it is told into a file, refuses a fan.speed above 90."""
        told = self.files / f"{name}.told"
        told.touch()
        child = Child(name, [sys.executable, "-B", WORKER, self.socket, told], self.files / f"{name}.log")
        self.addCleanup(child.wait, 10)
        self.addCleanup(child.signal, signal.SIGKILL)
        return child, lambda: [json.loads(line) for line in told.read_text().splitlines()]

    def ctl(self, *words, status=0, at=0, **more):
        got, out, error = run_program(
            "meshctl", *words, "--url", self.mesh.aggregators[at].facade, "--user", USER, "--password-file",
            self.mesh.state / "admin.password", "--cacert", self.mesh.ca, seconds=60, **more)
        self.assertEqual(got, status, (words, out, error))
        return out if status == 0 else error

    def apply(self, text, status=0, at=0, name="file.yaml", command=("config", "apply")):
        file = self.files / name
        file.write_text(text)
        return self.ctl(*command, file, status=status, at=at)

    def acknowledged(self, at=0):
        return json.loads(self.ctl("config", "get", "red/component/one", "--json", at=at))["acknowledged"]

    def await_known(self, at):
        """What one node has taken the others know a moment later."""
        def known():
            try:
                return self.acknowledged(at)
            except AssertionError:
                return None
        eventually(known, f"node {at} knows the component", 20)

    def await_state(self, state, version=None):
        for at in range(len(self.mesh.aggregators)):
            self.await_known(at)
            eventually(lambda: self.acknowledged(at)["state"] == state and version in (None, self.acknowledged(at)["version"]),
                       f"node {at} knows that it is {state}", 20 * SLOW)

    def offered(self):
        return [entry for entry in self.clients[0].get("/mesh/v1/workers").json()["workers"] if entry["type"] == "chassis"]

    def version(self):
        found = [entry for entry in json.loads(self.ctl("config", "get", "--json"))["documents"]
                 if (entry["kind"], entry["name"]) == ("component", "one")]
        return found[0]["version"] if found else 0

    def test_a_component_reaches_its_worker_and_survives_restarts(self):
        self.apply(PIVOT, command=("pivot", "upload"))
        child, told = self.worker()
        eventually(lambda: "attached" in child.output(), "it is attached", 20 * SLOW)
        self.apply(COMPONENT % ("rack1", 50), command=("component", "upload"))
        first = self.version()
        eventually(lambda: told(), "the worker has it", 20 * SLOW)
        self.assertEqual(told()[-1], {"place": "rack1", "fan.speed": 50})
        self.await_state("applied", first)
        self.apply(COMPONENT % ("rack1", 50))
        self.assertEqual(self.version(), first, "nothing has changed")
        self.apply(COMPONENT % ("rack2", 50), at=1)
        eventually(lambda: self.version() == first + 1, "the other node has it", 5 * SLOW)
        self.await_state("applied", first + 1)
        self.assertEqual([entry["place"] for entry in told()], ["rack1", "rack2"], "each version once")
        shown = self.ctl("config", "get", self.files / "file.yaml")
        self.assertIn(f"version {first + 1}", shown)
        self.assertIn("applied", shown)
        self.assertIn("  place: rack2\n", shown)
        history = self.ctl("config", "history", "red/component/one")
        self.assertIn("-  place: rack1\n+  place: rack2\n", history)
        (self.files / "file.yaml").write_text(COMPONENT % ("rack3", 50))
        self.assertIn("-  place: rack2\n+  place: rack3\n", self.ctl("config", "diff", self.files / "file.yaml"))
        # Both begin anew: what is on the connector's disk is given again.
        self.restart()
        eventually(lambda: len(told()) == 3, "the worker is given it again", 30 * SLOW)
        self.assertEqual(told()[-1]["place"], "rack2")
        self.await_state("applied", first + 1)

    def test_a_refusal_is_shown_with_its_reason_and_not_tried_again(self):
        self.apply(PIVOT)
        child, told = self.worker()
        eventually(lambda: "attached" in child.output(), "it is attached", 20 * SLOW)
        self.apply(COMPONENT % ("rack1", 95))
        self.await_state("refused", self.version())
        self.assertIn("refused: worker configured 1.0: 95 is too loud", self.ctl("config", "get"))
        self.assertEqual(len(told()), 1)
        self.mesh.kill(self.mesh.aggregators[0].name, signal.SIGTERM)
        self.mesh.start(self.mesh.aggregators[0])
        self.mesh.await_ready()
        self.await_state("refused", self.version())
        self.assertEqual(len(told()), 1, "a link that comes back is no reason to try again")
        self.apply(COMPONENT % ("rack1", 60))
        self.await_state("applied", self.version())
        self.assertEqual(len(told()), 2)

    def test_what_is_against_the_pivot_is_refused_at_once(self):
        self.apply(PIVOT)
        before = self.version()
        for text, reason in ((COMPONENT % ("rack1", 7), "at /values/fan.speed: expected at least 20"),
                             (COMPONENT % ("7", 50), "at /values/place: expected"),
                             (COMPONENT % ("rack1", 50) + "  speed: 1\n", "'speed' is not known"),
                             (COMPONENT.replace("connector: one", "connector: nobody") % ("rack1", 50), "no connector nobody"),
                             (COMPONENT.replace("red", "green") % ("rack1", 50), "no tenant green"),
                             (COMPONENT.replace("chassis", "switch") % ("rack1", 50), "no pivot switch 1"),
                             ("kind: component\nvalues: {}\nvalues: {}\n", "file.yaml:3: 'values' stands there twice"),
                             ("kind: none\n", "expected 'kind: pivot'")):
            with self.subTest(reason):
                told = self.apply(text, status=2 if "file.yaml" in reason or "kind:" in reason else 1)
                self.assertIn(reason.lower(), told.lower())
        self.assertEqual(self.version(), before)

    def offered(self):
        """By workers, without what every connector executes itself."""
        return [entry for entry in self.clients[0].get("/mesh/v1/workers").json()["workers"] if entry["type"] != "redfish"]

    def test_a_version_that_lacks_a_command_of_its_pivot_is_not_offered(self):
        self.apply(PIVOT.replace("[power.cycle]", "[power.cycle, led.blink]"))
        self.apply(COMPONENT % ("rack1", 41))
        self.await_state("applied")
        child, _ = self.worker()
        eventually(lambda: "its pivot asks for led.blink" in child.output(), "it is told", 20 * SLOW)
        self.assertEqual(self.offered(), [])
        self.apply(PIVOT)
        eventually(self.offered, "it is offered", 20 * SLOW)

    def test_another_tenant_sees_nothing(self):
        self.apply(PIVOT)
        self.apply(COMPONENT % ("rack1", 42))
        body = {"UserName": "blue-admin", "Password": "blue-s3cret-word", "RoleId": "Administrator", "Oem": {"Bmcmesh": {"Tenant": "blue"}}}
        made = self.clients[0].post("/redfish/v1/AccountService/Accounts", body)
        self.assertIn(made.status, (201, 400), made.body)
        password = self.files / "blue.password"
        password.touch(0o600)
        password.write_text("blue-s3cret-word")
        as_blue = ("--url", self.mesh.aggregators[0].facade, "--user", "blue-admin", "--password-file", password, "--cacert", self.mesh.ca)

        def blue(*words):
            return run_program("meshctl", *words, *as_blue, seconds=60)

        self.assertEqual(blue("config", "get"), (0, "", ""))
        self.assertEqual(blue("config", "get", "red/component/one")[0], 1)
        for path in ("red:component:one", "none:component:one"):
            self.assertIn("404", blue("get", f"{CONFIG}/{path}", "-i")[1] + blue("get", f"{CONFIG}/{path}", "-i")[2])
        refused = [blue("config", "apply", self.files / "file.yaml", "--tenant", tenant)[2] for tenant in ("red", "none")]
        self.assertIn("here is no tenant red", refused[0])
        self.assertEqual(refused[0].replace("tenant red", "tenant none"), refused[1])
