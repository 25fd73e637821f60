"""Clocks of members of the cluster that are an hour wrong: nobody's session ends by that, or lives longer."""

import unittest
from pathlib import Path

from harness import PROGRAMS, ROOT, SLOW, USER, Client, Mesh, Sim, eventually
from quickstart_lib.mesh import Aggregator
from quickstart_lib.process import Child
from test_cluster import SESSIONS, cluster_of, health, primary

# Debian's libfaketime. What a program reads of the monotonic clock stays true, as when an operator or NTP sets the time.
LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
ELECTION = 0.3  # seconds, see quickstart_lib.mesh
TIMEOUT = 30    # seconds that a session may be unused; Redfish allows no less


class Clocked(Mesh):
    """Each aggregator's wall clock is wrong by as many seconds as a file says."""

    def clock(self, member):
        return self.state / f"{member.name}.clock"

    def set_clock(self, member, seconds):
        scratch = self.clock(member).with_suffix(".new")
        scratch.write_text(f"{seconds:+d}\n")
        scratch.rename(self.clock(member))

    def start(self, member):
        if not isinstance(member, Aggregator):
            return super().start(member)
        if not self.clock(member).exists():
            self.set_clock(member, 0)
        command = [PROGRAMS / "mesh-aggregatord", "--config", self.files.config(member), "--state", self.files.own_state(member)]
        self._adopt(member.name, Child(member.name, command, self.files.log(member.name), {
            "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.clock(member)), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}))
        return None


@unittest.skipUnless(LIBRARY and SLOW == 1, "libfaketime is not installed, or would be loaded before the sanitizer that must be first")
class ClockJump(unittest.TestCase):
    def open(self, member):
        with self.mesh.client(member) as client:
            made = client.post(SESSIONS, {"UserName": USER, "Password": self.mesh.password})
            self.assertEqual(made.status, 201, made.body)
            return made.header("X-Auth-Token")

    def status(self, member, token):
        with Client(member.facade, ca=self.mesh.ca, timeout=20 * SLOW) as client:
            return client.get(ROOT + "/Systems", headers={"X-Auth-Token": token}, authenticate=False).status

    def shown(self, member):
        with self.mesh.client(member) as client:
            return {entry["@odata.id"] for entry in client.get(SESSIONS).json()["Members"]}

    def assertAllWork(self, tokens):
        for member in self.mesh.aggregators:
            for owner, token in tokens:
                self.assertEqual(self.status(member, token), 200, f"the session of {owner} at {member.name}")

    def setting(self, client, seconds):
        self.assertEqual(client.request("PATCH", ROOT + "/SessionService", {"SessionTimeout": seconds}).status, 200)

    def reset(self, member):
        """A write that is done at most once, by its command's id, which has the time in it."""
        with self.mesh.client(member) as client:
            uri = client.get(ROOT + "/Systems").json()["Members"][0]["@odata.id"]
            answer = client.post(uri + "/Actions/ComputerSystem.Reset", {"ResetType": "On"})
            self.assertEqual(answer.status // 100, 2, (member.name, answer.body))

    def jump(self, mesh, of_primary):
        """The primary's clock jumps, a standby's the other way, and back. Yields nothing that depends on the direction."""
        self.mesh = mesh
        first = eventually(lambda: primary(mesh), "there is one primary")
        other, right = [member for member in mesh.aggregators if member is not first]
        term = cluster_of(mesh, first)["term"]
        tokens = [(member.name + ", made before", self.open(member)) for member in mesh.aggregators]
        for wrong, sign in ((first, 1), (other, -1)):
            mesh.set_clock(wrong, sign * of_primary)
        self.assertAllWork(tokens)
        tokens += [(member.name + ", made with clocks wrong", self.open(member)) for member in mesh.aggregators]
        self.assertAllWork(tokens)
        for member in mesh.aggregators:
            self.reset(member)
            self.assertTrue(health(mesh, member)["ready"])
        self.assertEqual(len({frozenset(self.shown(member)) for member in mesh.aggregators}), 1)
        eventually(lambda: len({cluster_of(mesh, member)["applied"] for member in mesh.aggregators}) == 1, "all are in step")
        seen = {(cluster_of(mesh, member)["term"], cluster_of(mesh, member)["primary"]) for member in mesh.aggregators}
        self.assertEqual(seen, {(term, first.name)}, "an election depends on the wall clock")
        return first, other, right, tokens

    def set_right(self, first, other, tokens):
        for member in (first, other):
            self.mesh.set_clock(member, 0)
        self.assertAllWork(tokens)
        for member in self.mesh.aggregators:
            self.reset(member)

    def test_of_the_primary_backwards_and_a_standby_forwards(self):
        with Clocked([Sim("one", auth="basic")], aggregators=3) as mesh:
            first, other, _, tokens = self.jump(mesh, -3600)
            self.set_right(first, other, tokens)

    def test_of_the_primary_forwards_and_a_standby_backwards(self):
        with Clocked([Sim("one", auth="basic")], aggregators=3) as mesh:
            first, other, right, tokens = self.jump(mesh, 3600)
            with mesh.client(right) as client:
                self.setting(client, TIMEOUT)
            short = [self.open(member) for member in mesh.aggregators]
            for member in mesh.aggregators:
                self.assertTrue(all(self.status(member, token) == 200 for token in short), member.name)
            for member in (first, other, right):  # asked without its being used
                eventually(lambda: len(self.shown(member)) == len(tokens), "sessions that nobody uses have ended", TIMEOUT + 15)
            for member in mesh.aggregators:
                self.assertEqual([self.status(member, token) for token in short], [401] * 3, member.name)
            self.set_right(first, other, tokens)


if __name__ == "__main__":
    unittest.main()
