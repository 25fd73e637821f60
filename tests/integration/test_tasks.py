"""A BMC's tasks: begun through one aggregator, followed through the others, whoever dies meanwhile."""

import time
import unittest

from harness import ROOT, SLOW, USER, Client, MeshTest, Sim, eventually
from test_cluster import health

TASKS = ROOT + "/TaskService/Tasks"
PASSWORD = "a long enough one"


class Followed(MeshTest):
    # One whose monitors stand apart from its tasks, and one whose monitors stand below them.
    sims = (Sim("apart", options={"hold_tasks": True}), Sim("below", options={"hold_tasks": True, "monitor": "tasks"}))
    aggregators = 3

    def setUp(self):
        for member in self.mesh.aggregators:
            if self.mesh.process[member.name].status() is not None:
                self.mesh.start(member)
            eventually(lambda member=member: health(self.mesh, member).get("ready"), f"{member.name} is there", 20)
        self.mesh.await_ready()

    def login(self, member, role="Administrator"):
        """The token of a session that a new account has begun at this facade."""
        name = f"user{time.monotonic_ns()}"
        with self.mesh.client(member) as client:
            made = client.post(ROOT + "/AccountService/Accounts", {"UserName": name, "Password": PASSWORD, "RoleId": role})
            self.assertEqual(made.status, 201, made.body)
            self.addCleanup(self.remove, made.header("Location"))
        with Client(member.facade, ca=self.mesh.ca, timeout=10 * SLOW) as client:
            session = client.post(ROOT + "/SessionService/Sessions", {"UserName": name, "Password": PASSWORD})
        self.assertEqual(session.status, 201, session.body)
        return {"X-Auth-Token": session.header("X-Auth-Token")}

    def remove(self, account):
        with self.mesh.client(self.mesh.aggregators[1]) as client:
            self.assertEqual(client.request("DELETE", account).status, 204)

    def ask(self, member, token, method, uri, body=None):
        with Client(member.facade, ca=self.mesh.ca, timeout=10 * SLOW) as client:
            return client.request(method, uri, body, headers=token)

    def begin(self, member, token, satellite):
        """(URI of the monitor, of the task), as the answer names them."""
        with self.mesh.client(member) as client:
            system = next(uri for uri in self.members(client, ROOT + "/Systems") if f"/{satellite.prefix}_" in uri)
        begun = self.ask(member, token, "POST", system + "/Actions/Oem/OemSim.Blink", {"Times": 1})
        self.assertEqual(begun.status, 202, begun.body)
        self.assertTrue(begun.header("Retry-After"))
        monitor, task = begun.header("Location"), begun.json()["@odata.id"]
        self.assertTrue(task.startswith(f"{TASKS}/{satellite.prefix}_"), task)
        self.assertEqual(begun.json()["TaskMonitor"], monitor)
        return monitor, task

    def assertRuns(self, member, token, monitor, task):
        waiting = self.ask(member, token, "GET", monitor)
        self.assertEqual((waiting.status, waiting.header("Location")), (202, monitor), waiting.body)
        self.assertTrue(waiting.header("Retry-After"))
        document = self.ask(member, token, "GET", task).json()
        self.assertEqual((document["@odata.id"], document["TaskState"], document["TaskMonitor"]), (task, "Running", monitor))
        with self.mesh.client(member) as client:
            self.assertIn(task, self.members(client, TASKS), f"{member.name} lists it")

    def test_one_is_followed_on_the_others_when_the_aggregator_that_began_it_is_killed(self):
        for satellite in self.mesh.satellites:
            with self.subTest(satellite.name):
                self.setUp()
                first, others = self.mesh.aggregators[0], self.mesh.aggregators[1:]
                token = self.login(first)
                monitor, task = self.begin(first, token, satellite)
                self.mesh.kill(first.name)
                for member in others:
                    self.assertRuns(member, token, monitor, task)
                self.mesh.tell(satellite, "POST", "/finish-tasks", {"satellite": satellite.name})
                self.mesh.start(first)
                self.mesh.await_ready([first])
                for member in self.mesh.aggregators:
                    done = self.ask(member, token, "GET", monitor)
                    self.assertEqual(done.status, 200, done.body)
                    self.assertEqual(self.ask(member, token, "GET", task).json()["TaskState"], "Completed")

    def test_one_is_cancelled_on_another_aggregator(self):
        first, second = self.mesh.aggregators[:2]
        for satellite in self.mesh.satellites:
            with self.subTest(satellite.name):
                token = self.login(first)
                monitor, task = self.begin(first, token, satellite)
                self.assertEqual(self.ask(second, token, "DELETE", monitor).status, 204)
                for member, client in self.each_facade():
                    self.assertEqual(client.get(monitor).status, 404)
                    self.assertEqual(client.get(task).status, 404)
                    eventually(lambda: task not in self.members(client, TASKS), f"{member.name} does not list it")

    def test_another_account_of_the_system_sees_it_and_nobody_without_one(self):
        first, second = self.mesh.aggregators[:2]
        satellite = self.mesh.satellites[0]
        monitor, task = self.begin(first, self.login(first), satellite)
        for uri in (monitor, task):
            self.assertEqual(self.ask(second, {}, "GET", uri).status, 401)
        self.assertEqual(self.ask(second, self.login(second, "ReadOnly"), "GET", monitor).status, 202)
        with self.mesh.client(second) as client:
            self.assertEqual(client.get(monitor).status, 202, USER)


if __name__ == "__main__":
    unittest.main()
