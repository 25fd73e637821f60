"""Nodes of this release beside those of the one before, and connectors of the one before that."""

import signal
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import ROOT, SLOW, Mesh, MeshTest, Sim, eventually
from raw_peer import ANNOUNCE, COMMAND, HEARTBEAT, REPLY, RawPeer, field, fields, header, hello, kind_of, record, records
from test_cluster import cluster_of, health, primary
from test_cluster_faults import changes, login, reads

NEWEST, OLDER = 8, 3  # feature levels: of this program, and of the release before


class MixedNodes(unittest.TestCase):
    def level(self, member):
        with self.mesh.client(member) as client:
            return client.get("/mesh/v1/cluster/members").json()["feature_level"]

    def restart(self, member, level=None):
        member.extra = {"cluster": {"newest_feature_level": level} if level else {}}
        self.mesh.files.write_aggregator(member, self.mesh.aggregators)
        if self.mesh.process[member.name].status() is None:
            self.mesh.kill(member.name, signal.SIGTERM)
        self.mesh.start(member)

    def await_ready(self, member):
        eventually(lambda: health(self.mesh, member).get("ready"), f"{member.name} is ready", 30)

    def assertServes(self):
        """Sessions and changes made at any node are there at every one, and the state is the same."""
        for maker in self.mesh.aggregators:
            eventually(lambda: changes(self.mesh, maker), f"{maker.name} takes changes", 20)
            token = eventually(lambda: login(self.mesh, maker), f"{maker.name} opens a session", 20)
            for member in self.mesh.aggregators:
                self.assertEqual(reads(self.mesh, member, token), 200, f"made at {maker.name}, asked at {member.name}")
        eventually(lambda: len({cluster_of(self.mesh, member)["applied"] for member in self.mesh.aggregators}) == 1, "in step")

    def test_the_level_rises_when_the_last_is_upgraded_and_too_old_a_node_stops(self):
        self.mesh = Mesh([Sim("one")], aggregators=3)
        first, second, third = self.mesh.aggregators
        for old in (first, second):
            old.extra = {"cluster": {"newest_feature_level": OLDER}}
        with self.mesh:
            for member in self.mesh.aggregators:
                self.await_ready(member)
            self.assertServes()
            self.assertEqual(self.level(third), OLDER)
            self.restart(first)
            self.await_ready(first)
            self.assertServes()
            self.assertEqual(self.level(first), OLDER)
            self.restart(second)
            self.await_ready(second)
            eventually(lambda: {self.level(member) for member in self.mesh.aggregators} == {NEWEST}, "the level rises", 20)
            self.assertServes()
            self.too_old(third)

    def too_old(self, member):
        others = [other for other in self.mesh.aggregators if other is not member]
        self.restart(member, OLDER)
        child = self.mesh.process[member.name]
        eventually(lambda: "Upgrade this node" in child.output(), "it says that it is too old", 20)
        self.assertIn("stops rather than skip it", child.output())
        self.assertFalse(health(self.mesh, member).get("ready"))
        eventually(lambda: primary(self.mesh, others), "the others go on")
        eventually(lambda: changes(self.mesh, others[0]), "and take changes")
        self.restart(member)
        self.await_ready(member)
        self.assertServes()

    def test_a_level_that_the_program_does_not_know_is_refused(self):
        self.mesh = Mesh([], aggregators=1)
        with self.mesh:
            (only,) = self.mesh.aggregators
            self.await_ready(only)
            for level in (1, NEWEST + 1):
                self.restart(only, level)
                child = self.mesh.process[only.name]
                self.assertEqual(child.wait(10 * SLOW), 1)
                self.assertIn("newest_feature_level", child.output())
            self.restart(only)
            self.await_ready(only)


class OlderConnector(MeshTest):
    """It speaks as one two releases ago would: the same major, nothing that came since, and knows none of it."""

    sims = (Sim("old"),)

    def setUp(self):
        self.mesh.kill("old")
        self.satellite, self.aggregator = self.mesh.satellites[0], self.mesh.aggregators[0]
        self.peer = RawPeer(self.mesh.state / "keys/old.key", f"tcp://127.0.0.1:{self.aggregator.mesh_port}",
                            self.aggregator.key, 5 * SLOW)
        self.addCleanup(self.peer.__exit__)

    def await_command(self):
        """The next command; whatever else comes is passed over, as an older program does."""
        while True:
            for prelude, head, _ in records(self.peer.receive()):
                if kind_of(prelude) == COMMAND:
                    return fields(head)

    def test_is_served(self):
        self.peer.send(hello("old"))  # no minor, no capabilities, no software
        self.assertIn(b"local/old", self.peer.receive())
        self.peer.send(record(HEARTBEAT, header(6, field(1, 1_000_000)), flags=0))
        # Of the announcement no root links, no version, no sequence.
        systems = field(1, "Systems") + field(2, 1) + field(3, ROOT + "/Systems/1")
        announce = field(1, self.satellite.uuid) + field(2, 1) + field(3, systems) + field(4, 1)
        self.peer.send(record(ANNOUNCE, header(13, announce, "local/old", self.aggregator.name)))
        with self.mesh.client() as client, ThreadPoolExecutor(1) as threads:
            uri = f"{ROOT}/Systems/{self.satellite.prefix}_1"
            eventually(lambda: uri in client.get(ROOT + "/Systems").body.decode(), "its system shows", 10)
            asked = threads.submit(client.get, uri)
            command = self.await_command()
            reply = field(1, 2) + field(4, 200) + field(5, field(1, "Content-Type") + field(2, "application/json"))
            self.peer.send(record(REPLY, header(10, reply, "local/old", self.aggregator.name, command[1]), b'{"Id":"1"}'))
            answer = asked.result()
            self.assertEqual((answer.status, answer.json()["Id"]), (200, "1"))


if __name__ == "__main__":
    unittest.main()
