"""Who joins whom, in a chain; who is killed and comes back by what it has saved; who has left and is nobody's any more."""

import json
import signal
import socket
import unittest

from harness import NO_ANSWER, ROOT, MeshTest, Sim, eventually
from test_cluster import cluster_of, meshctl, primary
from test_restore import fresh, join

COMMANDS = "/mesh/v1/commands"


class JoiningTest(MeshTest):
    def status(self, member):
        with self.mesh.client(member) as client:
            return client.get("/mesh/v1/status").json()

    def peers(self, member):
        """Names of the aggregators that it has a link of its own to; none, where it knows no primary yet and answers with an error."""
        try:
            return {peer["name"] for peer in self.status(member).get("peers", []) if peer["linked"]}
        except NO_ANSWER:
            return None

    def links(self, name):
        """Of a connector, as it says itself: how many it has, and to how many aggregators it wants one."""
        said = [line for line in self.mesh.process[name].output().splitlines() if "event=links " in line]
        return [word.partition("=")[2] for word in said[-1].split() if word.startswith(("up=", "of="))] if said else None

    def saved(self, name):
        """The aggregators that a connector will dial when it is started."""
        file = self.mesh.files.own_state(self.mesh.satellite(name)) / f"{name}.aggregators"
        return {entry["name"] for entry in json.loads(file.read_text())["aggregators"]} if file.exists() else set()

    def members_file(self, member):
        """The aggregators that an aggregator will dial when it is started."""
        home = json.loads((self.mesh.files.own_state(member) / "cluster/member.json").read_text())
        return {node["name"] for node in home["nodes"]}

    def passes(self, member, name):
        """Does a command through this aggregator reach that connector, and its answer come back?"""
        payload = {"uri": ROOT}
        try:
            with self.mesh.client(member) as client:
                answer = client.post(COMMANDS, {"command": "redfish.get", "target": f"local/{name}", "payload": payload, "wait": 10})
            return answer.status == 200 and answer.json()["state"] == "SUCCESS"
        except NO_ANSWER:
            return False

    def await_whole(self):
        """All aggregators linked to each other, all connectors to all of them, and commands pass from each to each."""
        everyone = self.mesh.aggregators
        for member in everyone:
            others = {other.name for other in everyone} - {member.name}
            eventually(lambda: self.peers(member) == others, f"{member.name} is linked to {others}", 20)
        for satellite in self.mesh.satellites:
            wanted = [str(len(everyone))] * 2
            eventually(lambda: self.links(satellite.name) == wanted, f"{satellite.name} is linked to all", 20)
            eventually(lambda: self.saved(satellite.name) == {member.name for member in everyone}, f"{satellite.name} has saved them", 20)
            for member in everyone:
                eventually(lambda: self.passes(member, satellite.name), f"commands pass from {member.name} to {satellite.name}", 20)


class Chain(JoiningTest):
    """`one` knows agg-1, which took in agg-2, which took in agg-3, which `two` knows. Nobody was told of anybody else."""

    sims, aggregators = (Sim("one"), Sim("two")), 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        mesh = cls.mesh
        try:
            two = mesh.satellite("two")
            mesh.kill("two", signal.SIGTERM)
            for by in (0, 1):
                join(mesh, mesh.aggregators[by], fresh(mesh, f"agg-{by + 2}"))
            mesh.files.write_connector(two, mesh.aggregators[2:])
            mesh.start(two)
            mesh.await_ready()
        except BaseException:
            mesh.print_logs()
            cls.tearDownClass()
            raise

    def test_everybody_learns_of_everybody_and_is_linked_to_them(self):
        self.await_whole()
        for member in self.mesh.aggregators:
            seen = cluster_of(self.mesh, member)["members"]
            self.assertEqual([(entry["name"], entry["reachable"]) for entry in seen],
                             [("agg-1", True), ("agg-2", True), ("agg-3", True)])

    def test_each_is_killed_in_turn_and_traffic_is_restored_by_what_it_has_saved(self):
        self.await_whole()
        first, second, third = self.mesh.aggregators
        one, two = self.mesh.satellites
        for member in (first, one, second, third, two):
            self.mesh.kill(member.name)
            self.mesh.start(member)
            self.await_whole()
        with self.subTest("also while the only one that its configuration names is away"):
            self.mesh.kill(third.name)
            self.mesh.kill(two.name)
            self.mesh.start(two)
            eventually(lambda: self.links(two.name) == ["2", "3"], "it is linked to the others", 20)
            for member in (first, second):
                eventually(lambda: self.passes(member, two.name), f"commands pass from {member.name}", 20)
            self.mesh.start(third)
            self.await_whole()


class Leaving(JoiningTest):
    """All are named in everybody's configuration, also the one that leaves."""

    sims, aggregators = (Sim("one"),), 3

    def lets_go(self, member):
        """Does it show `one` as not linked?"""
        return not self.status(member)["satellites"][0]["linked"]

    def test_a_connector_that_says_bye_is_in_nobodys_table(self):
        self.await_whole()
        self.assertEqual(self.mesh.kill("one", signal.SIGTERM), 0)
        for member in self.mesh.aggregators:
            eventually(lambda: self.lets_go(member), f"{member.name} knows it", 2)
            with self.mesh.client(member) as client:
                answer = client.post(COMMANDS, {"command": "redfish.get", "target": "local/one", "payload": {"uri": ROOT}, "wait": 10})
            self.assertEqual(answer.status, 503, "not sent, and nobody waits for it")
        self.mesh.start(self.mesh.satellite("one"))
        self.await_whole()

    def test_an_aggregator_that_was_removed_is_in_nobodys_table_and_not_dialled_after_a_restart(self):
        self.await_whole()
        gone = self.mesh.aggregators[2]
        left = self.mesh.aggregators[:2]
        status, _, error = meshctl(self.mesh, left[0], "cluster", "remove", gone.name)
        self.assertEqual(status, 0, error)
        self.mesh.aggregators[:] = left
        self.await_whole()
        for member in left:
            self.assertEqual([entry["name"] for entry in cluster_of(self.mesh, member)["members"]], ["agg-1", "agg-2"])
        self.assertIn("hung_up aggregator=agg-3", self.mesh.process["one"].output())
        self.assertEqual(self.mesh.kill(gone.name, signal.SIGTERM), 0)
        for member in left:
            eventually(lambda: self.members_file(member) == {"agg-1", "agg-2"}, f"{member.name} has it on disk")
        everyone = (*left, self.mesh.satellite("one"))
        for member in everyone:
            self.mesh.kill(member.name)
        listeners = [socket.create_server(("127.0.0.1", port)) for port in (gone.mesh_port, gone.peers_port)]
        for listener in listeners:
            self.addCleanup(listener.close)
            listener.setblocking(False)
        for member in everyone:
            self.mesh.start(member)
        self.await_whole()
        eventually(lambda: primary(self.mesh), "there is one primary", 20)
        for listener in listeners:
            with self.assertRaises(BlockingIOError, msg="somebody has dialled the one that left"):
                listener.accept()


if __name__ == "__main__":
    unittest.main()
