"""What breaks under a member of the cluster, or comes at it from outside: the others go on, and it says what to do."""

import contextlib
import os
import shutil
import struct
import subprocess
import time
import unittest
from pathlib import Path

from harness import NO_ANSWER, ROOT, SLOW, USER, Client, MeshTest, Sim, eventually, free_ports
from preload import POSSIBLE, WHY_NOT, PreloadedMesh
from quickstart_lib.mesh import Aggregator
from test_cluster import ACCOUNTS, PASSWORD, SESSIONS, cluster_of, health, meshctl, primary

FLOOD = Path(__file__).parent / "flood.py"
ELECTION = 0.3  # seconds, see quickstart_lib.mesh


def login(mesh, member):
    """A token; None where the write was refused."""
    try:
        with mesh.client(member, timeout=10) as client:
            made = client.post(SESSIONS, {"UserName": USER, "Password": mesh.password})
            return made.header("X-Auth-Token") if made.status == 201 else None
    except NO_ANSWER:
        return None


def changes(mesh, member):
    """Is a change of no consequence taken there?"""
    with mesh.client(member, timeout=10) as client:
        return client.request("PATCH", ROOT + "/SessionService", {"SessionTimeout": 1800}).status == 200


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


class Late(PreloadedMesh):
    """Whoever starts a thread goes on when an election is due."""

    SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
typedef int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*what)(void *), void *with)
{
    int failed = ((create)dlsym(RTLD_NEXT, "pthread_create"))(thread, how, what, with);
    poll(NULL, 0, 900);
    return failed;
}
"""


@unittest.skipUnless(POSSIBLE, WHY_NOT)
class SlowStart(unittest.TestCase):
    def test_an_election_that_is_due_before_anybody_is_linked_does_no_harm(self):
        with Late([], aggregators=3) as mesh:
            for member in mesh.aggregators:
                eventually(lambda: mesh.process[member.name].require_running() or health(mesh, member).get("ready"),
                           f"{member.name} is ready", 30)

    def test_a_node_that_was_elected_before_it_could_be_told_says_what_it_is(self):
        with Late([], aggregators=1) as mesh:
            member = mesh.aggregators[0]
            eventually(lambda: health(mesh, member).get("ready"), "it is ready", 30)
            self.assertIn("event=primary ", mesh.process[member.name].output())


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


class Intruders(WithThree):
    """Somebody who reaches the peer endpoints, with a key of his own or of a member, and with data of his own."""

    def setUp(self):
        super().setUp()
        eventually(lambda: in_step(self.mesh), "all are in step", 20)
        with self.mesh.client(self.first) as client:
            self.before = cluster_of(self.mesh, self.first)
            made = client.post(ACCOUNTS, {"UserName": f"known-{os.urandom(4).hex()}", "Password": PASSWORD, "RoleId": "ReadOnly"})
            self.assertEqual(made.status, 201, made.body)
            self.addCleanup(self._forget, made.header("Location"))
        self.secret = made.json()["UserName"]

    def _forget(self, uri):
        with self.mesh.client(primary(self.mesh)) as client:
            client.request("DELETE", uri)

    def assertUndisturbed(self, others):
        """Over several election timeouts."""
        end = time.monotonic() + 10 * ELECTION * SLOW
        while time.monotonic() < end:
            for member in others:
                seen = cluster_of(self.mesh, member)
                self.assertEqual((seen["term"], seen["primary"]), (self.before["term"], self.first.name), member.name)
                self.assertEqual([entry["name"] for entry in seen["members"]], ["agg-1", "agg-2", "agg-3"])
            self.assertTrue(changes(self.mesh, others[0]))

    def start_apart(self, member, peers):
        """Starts a node that is none of the mesh's, though its configuration names them."""
        self.mesh.files.write_aggregator(member, peers)
        self.mesh.start(member)
        self.addCleanup(self._end, member.name)
        return self.mesh.process[member.name]

    def _end(self, name):
        self.mesh.kill(name)
        del self.mesh.process[name]

    def fresh(self, name):
        member = Aggregator(name, *free_ports(3))
        self.mesh.files.add_administrator(member, USER, self.mesh.state / "admin.password")
        return member

    def assertKnowsNothing(self, member):
        """Its facade does not show the account of the cluster, whatever its own administrator asks for."""
        eventually(lambda: health(self.mesh, member), f"{member.name} answers", 20)
        with self.mesh.client(member) as client:
            answer = client.get(ACCOUNTS + "?$expand=.")
            self.assertNotIn(self.secret, answer.body.decode())

    def test_a_forged_key(self):
        """It says that it is agg-3, though it does not have its key; the real one is away."""
        absent = self.left[0]
        self.mesh.kill(absent.name)
        forged = self.fresh("agg-9")
        self.mesh.files.make_keys([forged])
        forged.extra = {"node": {"name": absent.name, "key": str(self.mesh.state / "keys/agg-9.key")}}
        child = self.start_apart(forged, [forged, *self.others(absent)])
        self.assertUndisturbed(self.others(absent))
        self.assertKnowsNothing(forged)
        self.assertFalse(health(self.mesh, forged)["ready"])
        self.assertNotIn('"primary"', child.output())
        self.mesh.start(absent)
        self.await_whole()

    def found_again(self):
        """All nodes begin anew, as founders of another cluster. The folder that the first standby had in the old one."""
        for member in self.mesh.aggregators:
            self.mesh.kill(member.name)
        for member in self.mesh.aggregators:
            home = self.mesh.files.own_state(member)
            (home / "cluster").rename(home / "older")
            (home / "accounts.taken-over").rename(home / "accounts")
            self.mesh.start(member)
        self.await_whole()
        self.setUp()
        return self.mesh.files.own_state(self.left[0]) / "older"

    def test_data_of_another_cluster_with_a_key_that_this_one_knows(self):
        """A folder of an older founding, of the same members, that has come to a term far above."""
        older = self.found_again()
        absent = self.left[0]
        self.mesh.kill(absent.name)
        home = self.mesh.files.own_state(absent) / "cluster"
        home.rename(home.with_name("own"))
        older.rename(home)
        for path in (home / "log").glob("metadata?"):  # format, version, term, vote
            format_, version, _, _ = struct.unpack("<QQQQ", path.read_bytes())
            path.write_bytes(struct.pack("<QQQQ", format_, version, 1000, 0))
        self.mesh.start(absent)
        self.assertUndisturbed(self.others(absent))
        eventually(lambda: "other data" in health(self.mesh, absent).get("reason", ""), "it says what is wrong with it", 10)
        self.assertFalse(health(self.mesh, absent)["primary"])
        self.assertKnowsNothing(absent)
        said = "".join(self.mesh.process[other.name].output() for other in self.others(absent))
        self.assertIn("node_lost_its_data", said)
        self.mesh.kill(absent.name)
        shutil.rmtree(home)
        home.with_name("own").rename(home)
        self.mesh.start(absent)
        self.await_whole()


@unittest.skipUnless(SLOW == 1, "an instrumented program has no time for it at this election timeout")
class HandshakeFlood(MeshTest):
    """Strangers by the hundreds a second, and noise by the thousands, at the endpoints of the primary."""

    sims, aggregators, registry = (Sim("one"),), 3, "cluster"
    flood_seconds = 3

    def enrolment_is_open(self):
        """A secret is outstanding then."""
        said = [meshctl(self.mesh, self.mesh.aggregators[0], *arguments)
                for arguments in (("tenant", "add", "local"), ("connector", "add", "--tenant", "local", "awaited"))]
        return all(status == 0 or "already" in err for status, _, err in said)

    def flood(self, port, key, kind):
        return subprocess.Popen(["/usr/bin/python3", "-B", FLOOD, "127.0.0.1", str(port), key, kind, str(self.flood_seconds)],
                                stdout=subprocess.PIPE, text=True)

    def test_does_not_cost_the_primary_its_term(self):
        first = eventually(lambda: primary(self.mesh), "there is one primary")
        eventually(self.enrolment_is_open, "the enrolment endpoint is open", 20)
        before = cluster_of(self.mesh, first)
        for port in (first.mesh_port, self.mesh.enrolment_ports[first.name]):
            floods = [self.flood(port, first.key, kind) for kind in ("strangers", "garbage")]
            try:
                written = 0
                while any(flood.poll() is None for flood in floods):
                    written += all(changes(self.mesh, member) for member in self.mesh.aggregators)
                self.assertGreater(written, 0)
                for flood in floods:
                    self.assertGreater(int(flood.communicate()[0]), 50, "it was no flood")
            finally:
                for flood in floods:
                    flood.kill()
                    flood.wait()
                    flood.stdout.close()
            for member in self.mesh.aggregators:
                after = cluster_of(self.mesh, member)
                self.assertEqual((after["term"], after["primary"]), (before["term"], first.name), member.name)


if __name__ == "__main__":
    unittest.main()
