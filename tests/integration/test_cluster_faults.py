"""What breaks under a member of the cluster, or comes at it from outside: the others go on, and it says what to do."""

import contextlib
import os
import subprocess
import unittest

from harness import NO_ANSWER, ROOT, SLOW, USER, Client, MeshTest, Sim, eventually
from test_cluster import SESSIONS, cluster_of, health, meshctl, primary


def login(mesh, member):
    """A token; None where the write was refused."""
    try:
        with mesh.client(member, timeout=10) as client:
            made = client.post(SESSIONS, {"UserName": USER, "Password": mesh.password})
            return made.header("X-Auth-Token") if made.status == 201 else None
    except NO_ANSWER:
        return None


def reads(mesh, member, token):
    """The status of a read with that session."""
    with Client(member.facade, ca=mesh.ca, timeout=10 * SLOW) as client:
        return client.get(ROOT + "/Systems", headers={"X-Auth-Token": token}, authenticate=False).status


def in_step(mesh):
    return len({cluster_of(mesh, member)["applied"] for member in mesh.aggregators}) == 1


class WithThree(MeshTest):
    sims, aggregators = (Sim("one"),), 3

    def setUp(self):
        self.first = eventually(lambda: primary(self.mesh), "there is one primary")
        self.left = [member for member in self.mesh.aggregators if member is not self.first]

    def others(self, victim):
        return [member for member in self.mesh.aggregators if member is not victim]

    def await_whole(self):
        for member in self.mesh.aggregators:
            eventually(lambda: health(self.mesh, member).get("ready"), f"{member.name} is ready", 30)
        eventually(lambda: in_step(self.mesh), "all are in step", 20)


@unittest.skipUnless(os.geteuid() == 0, "file systems are mounted, which only root may")
class ReadOnlyFileSystem(WithThree):
    """As the kernel leaves one that it has found damaged: what is open may still be written, nothing can be made or opened."""

    @contextlib.contextmanager
    def read_only(self, member):
        folder = self.mesh.files.own_state(member) / "cluster"
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
            yield
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)

    def while_it_runs(self, victim, token):
        to = next(member for member in self.others(victim) if member is not self.first)
        with self.read_only(victim):
            self.assertEqual(meshctl(self.mesh, to, "cluster", "transfer", to.name)[0], 0)  # whose term must be written down
            eventually(lambda: "writable" in health(self.mesh, victim).get("reason", ""), "it says what to do", 20)
            reason = health(self.mesh, victim)["reason"]
            self.assertIn("read-only file system", reason.lower())
            self.assertIn(str(self.mesh.files.own_state(victim)), reason)
            eventually(lambda: primary(self.mesh, self.others(victim)), "another is primary")
            self.assertFalse(health(self.mesh, victim)["primary"])
            for member in self.others(victim):
                self.assertTrue(eventually(lambda: login(self.mesh, member), "the others take writes"))
            self.assertEqual(reads(self.mesh, victim, token), 200, "what it knows it still says")
            with self.mesh.client(victim) as client:
                answer = client.request("PATCH", ROOT + "/SessionService", {"SessionTimeout": 600},
                                        headers={"X-Auth-Token": token}, authenticate=False)
                self.assertEqual(answer.status, 503, answer.body)
        self.await_whole()
        self.assertEqual(reads(self.mesh, victim, login(self.mesh, victim)), 200)

    def test_under_a_standby(self):
        self.while_it_runs(self.left[0], login(self.mesh, self.left[0]))

    def test_under_the_primary(self):
        self.while_it_runs(self.first, login(self.mesh, self.first))

    def test_at_the_start(self):
        victim = self.left[0]
        with self.read_only(victim):
            self.mesh.kill(victim.name)
            self.mesh.start(victim)
            child = self.mesh.process[victim.name]
            eventually(lambda: "Read-only file system" in child.output() and "make it writable" in child.output(), "it says why", 10)
            self.assertNotEqual(child.wait(10 * SLOW), 0, "who starts it again may")
            self.assertTrue(login(self.mesh, self.first))
        self.mesh.start(victim)
        self.await_whole()


class DamagedLog(WithThree):
    """A bit of the last segment is not what was written."""

    @staticmethod
    def last_segment(folder):
        """The newest closed one of some size."""
        closed = sorted(path for path in folder.iterdir() if path.name[0] == "0" and path.stat().st_size > 1000)
        return closed[-1] if closed else None

    def test_is_named_and_the_node_comes_back_by_what_is_said(self):
        victim = self.left[0]
        tokens = [login(self.mesh, victim) for _ in range(5)]
        self.mesh.kill(victim.name)
        self.mesh.start(victim)  # closes the segment that was open
        self.await_whole()
        self.mesh.kill(victim.name)
        log = self.mesh.files.own_state(victim) / "cluster/log"
        segment = self.last_segment(log)
        self.assertTrue(segment, list(log.iterdir()))
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 1
        segment.write_bytes(content)
        before = {path.name: path.read_bytes() for path in log.iterdir() if path.name != "lock"}

        self.mesh.start(victim)
        child = self.mesh.process[victim.name]
        self.assertNotEqual(child.wait(10 * SLOW), 0)
        said = child.output().splitlines()[-1]
        for part in (str(log), "Remove this member from the cluster", "add the member anew", "Nothing was changed"):
            self.assertIn(part, said)
        self.assertEqual({path.name: path.read_bytes() for path in log.iterdir() if path.name != "lock"}, before)
        self.assertTrue(login(self.mesh, self.first), "the others go on")

        status, _, err = meshctl(self.mesh, self.first, "cluster", "remove", victim.name)
        self.assertEqual(status, 0, err)
        home = self.mesh.files.own_state(victim) / "cluster"
        home.rename(home.with_name("damaged"))
        status, _, err = meshctl(self.mesh, self.first, "cluster", "join", "--config", self.mesh.files.config(victim), "--state",
                                 self.mesh.files.own_state(victim))
        self.assertEqual(status, 0, err)
        self.mesh.start(victim)
        self.await_whole()
        eventually(lambda: sum(entry["voter"] for entry in cluster_of(self.mesh, self.first)["members"]) == 3, "it votes", 20)
        for token in tokens:
            self.assertEqual(reads(self.mesh, victim, token), 200, "what was acknowledged is there")


if __name__ == "__main__":
    unittest.main()
