"""Connectors whose keys are changed while the mesh works, and whatever comes between."""

import shutil
import threading
import time
import unittest

import zmq

from harness import NO_ANSWER, PROGRAMS, ROOT, SLOW, Sim, eventually, run_program, write_private
from quickstart_lib.tools import MeshCtl
from raw_peer import RawPeer, hello, offer_key
from test_cluster import health, primary
from test_enrolment import EnrolmentTest


class RotationTest(EnrolmentTest):
    sims = (Sim("one", auth="basic"), Sim("two", auth="basic"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.prefixes = {}

    def setUp(self):
        for satellite in self.mesh.satellites:
            if satellite.name not in self.prefixes:
                self.prefixes[satellite.name] = self.bring_in(satellite)

    def key_file(self, name):
        return self.mesh.state / "keys" / f"{name}.key"

    def next_file(self, name):
        return self.mesh.state / "keys" / f"{name}.key.next"

    def key_on_disk(self, name):
        return MeshCtl(PROGRAMS).key(self.key_file(name))

    def rotate(self, name, *more, member=None):
        return self.ctl("connector", "rotate", f"acme/{name}", *more, member=member)

    def await_changed(self, name, old, seconds=20):
        """Until every node has another key in force and the connector on a link of it; that key."""
        def changed(member):
            entry = self.entry(name, member)
            return entry["key"] != old and entry["rotation"] == "" and entry["linked"] and entry["key"]
        keys = {eventually(lambda: changed(member), f"{member.name} has the new key of {name}", seconds)
                for member in self.mesh.aggregators}
        self.assertEqual(len(keys), 1)
        key = keys.pop()
        eventually(lambda: self.key_on_disk(name) == key, "the connector has replaced its file")
        self.assertFalse(self.next_file(name).exists())
        self.assertEqual(self.key_file(name).stat().st_mode & 0o777, 0o600)
        self.await_linked(name)
        return key

    def await_linked(self, name):
        self.await_shown(self.prefixes[name])
        self.mesh.process[name].require_running()

    def assertDead(self, key_file, name):
        """No node admits that key."""
        for member in self.mesh.aggregators:
            before = self.counter(member, "bmcmesh_mesh_keys_refused_total")
            with RawPeer(key_file, f"tcp://127.0.0.1:{member.mesh_port}", member.key, 0.5) as peer:
                peer.send(hello(name))
                with self.assertRaises(zmq.Again):
                    peer.receive()
                eventually(lambda: self.counter(member, "bmcmesh_mesh_keys_refused_total") > before, f"{member.name} refuses it")

    def old_key(self, name):
        """(public half, a copy of its file)"""
        copy = self.mesh.state / "keys" / f"{name}.old"
        copy.unlink(missing_ok=True)
        shutil.copy(self.key_file(name), copy)
        return self.key_on_disk(name), copy


class Readers:
    """Clients that read the same resource through each facade until they are told to stop; what they did not get."""

    def __init__(self, mesh, uri):
        self.mesh, self.uri, self.failed, self.count, self._stop = mesh, uri, [], 0, threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(member,)) for member in mesh.aggregators]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self, member):
        with self.mesh.client(member) as client:
            while not self._stop.is_set():
                try:
                    answer = client.get(self.uri, headers={"Cache-Control": "no-cache"})
                except NO_ANSWER as error:
                    self.failed.append((member.name, repr(error)))
                    continue
                self.count += 1
                if answer.status != 200:
                    self.failed.append((member.name, answer.status, answer.body[:300]))


class Rotating(RotationTest):
    def test_reads_go_on_and_the_old_key_is_dead_on_every_node_afterwards(self):
        old, old_file = self.old_key("one")
        with self.mesh.client() as client:
            uri = next(uri for uri in self.members(client, ROOT + "/Systems") if f"/{self.prefixes['one']}_" in uri)
        with Readers(self.mesh, uri) as readers:
            eventually(lambda: readers.count > 30, "clients read")
            self.assertIn("asked for a new key", self.rotate("one"))
            key = self.await_changed("one", old)
            read = readers.count
            eventually(lambda: readers.count > read + 30, "clients read on")
        self.assertEqual(readers.failed, [])
        self.assertDead(old_file, "one")
        self.assertIn("linked\n", self.ctl("connector", "list") + "\n")
        with self.subTest("and once more, asked of another node"):
            again = self.ctl("connector", "rotate", "one", "--tenant", "acme", member=self.mesh.aggregators[1])
            self.assertIn("acme/one", again)
            self.assertNotIn(self.await_changed("one", key), (key, old))
        with self.subTest("the private half is in no log"):
            secret = self.key_file("one").read_text().split("secret:")[1].strip()
            for name in ("one", *(member.name for member in self.mesh.aggregators)):
                self.assertNotIn(secret, self.mesh.process[name].output())

    def test_one_that_is_away_is_asked_when_it_comes_back(self):
        old = self.key_on_disk("two")
        self.mesh.kill("two")
        self.rotate("two")
        for member in self.mesh.aggregators:
            eventually(lambda: "asked for a new key" in self.ctl("connector", "list", member=member), "the list says so")
            self.assertEqual(self.entry("two", member)["rotation"], "wanted")
        self.mesh.start(self.mesh.satellite("two"))
        self.await_changed("two", old)

    def test_a_cancelled_rotation_leaves_the_key(self):
        old, satellite = self.key_on_disk("two"), self.mesh.satellite("two")
        self.mesh.kill("two")
        self.rotate("two")
        self.assertIn("keeps its key", self.rotate("two", "--cancel", member=self.mesh.aggregators[2]))
        with self.subTest("also a key that was made for it goes"):
            self.prepare_next("two")
            self.mesh.start(satellite)
            self.await_linked("two")
            eventually(lambda: not self.next_file("two").exists(), "the new key is dropped")
        for member in self.mesh.aggregators:
            self.assertEqual((self.entry("two", member)["key"], self.entry("two", member)["rotation"]), (old, ""))
        self.assertEqual(self.key_on_disk("two"), old)
        self.rotate("two", "--cancel")  # again is nothing

    def prepare_next(self, name):
        """As the connector leaves its files when it ends after it made a key; the public half."""
        old = self.key_on_disk(name)
        self.next_file(name).unlink(missing_ok=True)
        write_private(self.mesh.files.own_state(self.mesh.satellite(name)) / f"{name}.rotation", f"1 1\n{old}\n")
        return MeshCtl(PROGRAMS).key(self.next_file(name))

    def raw(self, key_file, member):
        return RawPeer(key_file, f"tcp://127.0.0.1:{member.mesh_port}", member.key, 5 * SLOW)

    def offered(self, name, member, key):
        """Offers a key in the connector's place, which does so again and again; is it pending?"""
        with self.raw(self.key_file(name), member) as peer:
            peer.send(hello(name))
            peer.receive()
            peer.send(offer_key(f"acme/{name}", member.name, key))
            return self.entry(name, member)["rotation"] == "offered"

    def test_a_connector_that_ended_between_two_steps_goes_on_where_it_was(self):
        satellite, member = self.mesh.satellite("two"), self.mesh.aggregators[1]
        for step in ("made", "offered", "in force"):
            with self.subTest(step):
                old = self.key_on_disk("two")
                self.mesh.kill("two")
                self.rotate("two")
                for node in self.mesh.aggregators:  # or one that lags could have the key dropped: the note names an early revision
                    eventually(lambda: self.entry("two", node)["rotation"] == "wanted", f"{node.name} has heard of it")
                made = self.prepare_next("two")
                if step != "made":
                    eventually(lambda: self.offered("two", member, made), "the key is offered")
                    self.assertIn("offered a new key", self.ctl("connector", "list", member=member))
                if step == "in force":
                    with self.raw(self.next_file("two"), member) as peer:
                        peer.send(hello("two"))
                        eventually(lambda: self.entry("two", member)["key"] == made, "the key is in force")
                self.mesh.start(satellite)
                self.assertEqual(self.await_changed("two", old), made, "another key than the one that was made")

    def test_a_connector_that_is_killed_as_it_changes_its_key_comes_back(self):
        satellite = self.mesh.satellite("two")
        note = self.mesh.files.own_state(satellite) / "two.rotation"
        for what in ("noted", "made", "in force", "replaced"):
            with self.subTest(what):
                old = self.key_on_disk("two")
                note.unlink(missing_ok=True)
                self.rotate("two")
                seen = {"noted": note.exists, "made": lambda: self.next_file("two").exists() or self.key_on_disk("two") != old,
                        "in force": lambda: "key_changed" in self.mesh.process["two"].output(),
                        "replaced": lambda: self.key_on_disk("two") != old}[what]
                end = time.monotonic() + 10 * SLOW
                while not seen():
                    self.assertLess(time.monotonic(), end, what)
                self.mesh.kill("two")
                self.mesh.start(satellite)
                self.await_changed("two", old)

    def test_it_ends_well_when_the_primary_is_lost_in_the_middle(self):
        old = self.key_on_disk("one")
        first = eventually(lambda: primary(self.mesh), "there is one primary")
        left = [member for member in self.mesh.aggregators if member is not first]
        self.rotate("one", member=left[0])
        self.mesh.kill(first.name)
        try:
            eventually(lambda: self.entry("one", left[0]).get("key", old) != old, "it has changed", 20)
        finally:
            self.mesh.start(first)
            eventually(lambda: health(self.mesh, first).get("ready"), "it is back", 20)
        self.await_changed("one", old)

    def test_what_cannot_be_is_refused_with_a_reason(self):
        for words, status, reason in ((("acme/unknown",), 1, "no connector"), (("acme/unknown", "--cancel"), 1, "no connector"),
                                      (("unknown",), 2, "TENANT/NAME")):
            for member in self.mesh.aggregators:
                self.assertIn(reason, self.ctl("connector", "rotate", *words, member=member, status=status))
        with self.mesh.client() as client:
            made = client.post(ROOT + "/AccountService/Accounts",
                               {"UserName": "operator", "Password": "a long enough one", "RoleId": "Operator"})
            self.assertEqual(made.status, 201, made.body)
        password = self.mesh.state / "operator.password"
        write_private(password, "a long enough one\n")
        for more in ((), ("--cancel",)):
            status, out, _ = run_program("meshctl", "connector", "rotate", "acme/one", *more, "--url",
                                         self.mesh.aggregators[0].facade, "--user", "operator", "--password-file", password,
                                         "--cacert", self.mesh.ca, seconds=30)
            self.assertEqual((status, out), (1, ""))
        self.assertEqual(self.entry("one")["rotation"], "")


if __name__ == "__main__":
    unittest.main()
