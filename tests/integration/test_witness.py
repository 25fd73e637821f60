"""Two aggregators and a witness: a vote without a facade."""

import json
import re
import unittest
from pathlib import Path

from harness import ROOT, SLOW, USER, MeshTest, Sim, eventually, free_ports, run_program
from quickstart_lib.mesh import Aggregator, write_private
from test_cluster import SESSIONS, cluster_of, health, meshctl, primary

MOST_KIB = 32 * 1024  # resident: an eighth of a board with 256 MB


def resident_kib(child):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{child.pid}/status").read_text()).group(1))


def write_witness(mesh, witness, **more):
    """Its configuration: JSON is YAML."""
    write_private(mesh.files.config(witness), json.dumps({
        "node": {"name": witness.name, "key": str(mesh.state / "keys" / f"{witness.name}.key")},
        "peers": {"bind": f"tcp://127.0.0.1:{witness.peers_port}"},
        "cluster": {"witness": True, "election_timeout": "300ms", "heartbeat": "50ms"}} | more))


class Witness(MeshTest):
    sims, aggregators = (Sim("one"),), 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.witness = Aggregator("witness", *free_ports(3))
        cls.mesh.files.make_keys([cls.witness])
        write_witness(cls.mesh, cls.witness)
        status, out, err = meshctl(cls.mesh, cls.mesh.aggregators[0], "cluster", "join", "--config",
                                   cls.mesh.files.config(cls.witness), "--state", cls.mesh.files.own_state(cls.witness))
        if status != 0:
            raise AssertionError(out + err)
        cls.mesh.start(cls.witness)
        cls.await_votes()

    @classmethod
    def await_votes(cls, seen_by=None):
        def votes():
            members = cluster_of(cls.mesh, seen_by or cls.mesh.aggregators[0])["members"]
            return sum(entry["voter"] for entry in members) == 3
        eventually(votes, "all three vote", 20)

    def write(self, member):
        with self.mesh.client(member) as client:
            return client.post(SESSIONS, {"UserName": USER, "Password": self.mesh.password}).status == 201

    def restart(self, member):
        self.mesh.start(member)
        eventually(lambda: health(self.mesh, member).get("ready"), f"{member.name} is back", 20)

    def test_it_shows_as_a_witness_and_cannot_be_made_the_primary(self):
        first = eventually(lambda: primary(self.mesh), "there is one primary")
        second = next(member for member in self.mesh.aggregators if member is not first)
        _, out, _ = meshctl(self.mesh, first, "cluster", "members")
        self.assertRegex(out, r"witness  witness  tcp://")
        status, _, err = meshctl(self.mesh, first, "cluster", "transfer", "witness")
        self.assertEqual(status, 1)
        self.assertIn("is a witness", err)
        with self.mesh.client(first) as client:
            uri = ROOT + "/Managers/witness"
            self.assertEqual(client.get(uri).json()["Name"], "Witness witness")
            self.assertFalse(client.get(uri + "/NetworkProtocol").json()["HTTPS"]["ProtocolEnabled"])
            answer = client.post(f"{ROOT}/Managers/{first.name}/Actions/Manager.ForceFailover",
                                 {"NewManager": {"@odata.id": uri}})
            self.assertEqual(answer.status, 400)
            self.assertIn("is a witness", answer.body.decode())
            action, other = f"{ROOT}/Managers/{first.name}/Actions/Manager.ForceFailover", f"{ROOT}/Managers/{second.name}"
            eventually(lambda: client.post(action, {"NewManager": {"@odata.id": other}}).status == 204, "it hands over")
        eventually(lambda: health(self.mesh, second).get("primary"), "the other is the primary")

    @unittest.skipUnless(SLOW == 1, "an instrumented program is many times as large")
    def test_it_is_small(self):
        resident = resident_kib(self.mesh.process[self.witness.name])
        print(f"witness: {resident} KiB resident")
        self.assertLess(resident, MOST_KIB)

    def test_it_listens_for_peers_alone(self):
        child = self.mesh.process[self.witness.name]
        inodes = {link.readlink().name[8:-1] for link in Path(f"/proc/{child.pid}/fd").iterdir()
                  if str(link.readlink()).startswith("socket:")}
        listening = {int(line.split()[1].split(":")[1], 16) for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
                     if line.split()[3] == "0A" and line.split()[9] in inodes}
        self.assertEqual(listening, {self.witness.peers_port})

    def test_whoever_of_the_three_dies_writes_go_on(self):
        for victim in (eventually(lambda: primary(self.mesh), "there is one primary"), self.witness):
            self.mesh.kill(victim.name)
            left = [member for member in self.mesh.aggregators if member is not victim]
            eventually(lambda: primary(self.mesh, left), "an aggregator is the primary", 20)
            for member in left:
                self.assertTrue(eventually(lambda member=member: self.write(member), "writes are taken"))
            if victim is self.witness:
                self.mesh.start(victim)
            else:
                self.restart(victim)
            self.await_votes(left[0])

    def test_elected_for_want_of_another_it_hands_over(self):
        for member in self.mesh.aggregators:
            self.mesh.kill(member.name)
        slow, other = self.mesh.aggregators
        extra = slow.extra
        slow.extra = {**extra, "cluster": {"election_timeout": "5s", "heartbeat": "50ms"}}  # the witness stands first
        self.mesh.files.write_aggregator(slow, self.mesh.aggregators)
        self.mesh.start(slow)
        eventually(lambda: primary(self.mesh, [slow]), "the aggregator is the primary", 20)
        said = self.mesh.process[self.witness.name].output()
        self.assertRegex(said, r"(?s)event=primary .*event=standby ")
        self.assertTrue(eventually(lambda: self.write(slow), "writes are taken"))
        slow.extra = extra
        self.mesh.files.write_aggregator(slow, self.mesh.aggregators)
        self.restart(other)

    def test_what_a_witness_has_no_use_for_is_refused(self):
        other = Aggregator("refused", *free_ports(3))
        self.mesh.files.make_keys([other])
        write_witness(self.mesh, other, facade={"bind": "127.0.0.1:1"})
        status, _, err = run_program("mesh-aggregatord", "--config", self.mesh.files.config(other), "--check")
        self.assertEqual(status, 1)
        self.assertIn("'facade' for a witness", err)
        write_witness(self.mesh, other)
        status, _, err = run_program("mesh-aggregatord", "--config", self.mesh.files.config(other), "--state",
                                     self.mesh.files.own_state(other), "--witness")
        self.assertEqual(status, 1)
        self.assertIn("founds no cluster", err)
        offline = ("--config", self.mesh.files.config(other), "--state", self.mesh.files.own_state(other))
        for command, sentence in (("init", "founds no cluster"), ("recover", "nobody can join by a witness")):
            status, _, err = run_program("meshctl", "cluster", command, *offline)
            self.assertEqual(status, 1)
            self.assertIn(sentence, err)


if __name__ == "__main__":
    unittest.main()
