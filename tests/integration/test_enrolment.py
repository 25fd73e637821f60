"""Who belongs to the mesh, where the cluster keeps it: connectors that enrol, and that are put out."""

import base64
import hashlib
import json
import os
import re
import socket
import unittest

import zmq

from harness import NO_ANSWER, PROGRAMS, ROOT, SLOW, USER, MeshTest, Sim, eventually, run_program
from quickstart_lib.tools import MeshCtl
from raw_peer import RawPeer, enrol


class EnrolmentTest(MeshTest):
    aggregators, registry = 3, "cluster"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        try:
            eventually(cls.all_have_said_where_they_are, "the cluster is whole", 20)
            eventually(lambda: cls.ctl_of(cls.mesh, "tenant", "add", "acme")[0] == 0, "the cluster takes changes", 20)
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def all_have_said_where_they_are(cls):
        try:
            with cls.mesh.client() as client:
                answer = client.get("/mesh/v1/cluster/members")
        except NO_ANSWER:
            return False  # it does not listen yet
        if answer.status != 200 or answer.json()["feature_level"] < 2:
            return False
        nodes = answer.json()["nodes"]
        return len(nodes) == cls.aggregators and all(node["mesh_endpoint"] for node in nodes)

    @staticmethod
    def ctl_of(mesh, *arguments, member=None):
        return run_program("meshctl", *arguments, "--url", (member or mesh.aggregators[0]).facade, "--user", USER,
                           "--password-file", mesh.state / "admin.password", "--cacert", mesh.ca, seconds=30)

    def ctl(self, *arguments, member=None, status=0):
        """What meshctl says, on stderr where it is to fail."""
        ended, out, err = self.ctl_of(self.mesh, *arguments, member=member)
        self.assertEqual(ended, status, out + err)
        return (out if status == 0 else err).strip()

    def add(self, name, *more, member=None):
        """A join string."""
        out = self.ctl("connector", "add", "--tenant", "acme", name, *more, member=member)
        self.assertRegex(out, r"\Abmcmesh1:[A-Za-z0-9_-]+\Z")
        return out

    def key(self, name):
        file = self.mesh.state / "keys" / f"{name}.key"
        MeshCtl(PROGRAMS).key(file)
        return file

    def enroll(self, join, satellite, key=None, *more):
        """(status, stdout, stderr) of the connector's side."""
        key = key or self.mesh.state / "keys" / f"{satellite.name}.key"
        return run_program("mesh-connectord", "enroll", join, "--config", self.mesh.files.config(satellite), "--state",
                           self.mesh.files.own_state(satellite), "--key", key, "--force", "--target", satellite.url,
                           "--target-user", satellite.user, "--target-password-file", satellite.password_file,
                           "--target-ca", satellite.ca, *more, seconds=60)

    def enrolled(self, join, satellite, key=None, *more):
        status, out, err = self.enroll(join, satellite, key, *more)
        self.assertEqual(status, 0, err)
        return out

    def shown(self, member, prefix):
        try:
            with self.mesh.client(member, timeout=10) as client:
                return any(uri.startswith(f"{ROOT}/Systems/{prefix}_") for uri in self.members(client, ROOT + "/Systems"))
        except NO_ANSWER:
            return None

    def await_shown(self, prefix, shown=True, seconds=20.0):
        for member in self.mesh.aggregators:
            eventually(lambda: self.shown(member, prefix) is shown, f"{member.name} shows {prefix}: {shown}", seconds)

    def bring_in(self, satellite, name=None):
        """Enrols the satellite's connector as `name`, starts it and waits until every facade shows it; its prefix."""
        name = name or satellite.name
        self.enrolled(self.add(name), satellite)
        self.mesh.start(satellite)
        found = eventually(lambda: self.entry(name).get("prefix"), "it gets a prefix", 20)
        self.await_shown(found)
        return found

    def entry(self, name, member=None):
        """Of the list of connectors, {} if it is not there."""
        list_ = json.loads(self.ctl("connector", "list", "--json", member=member))["connectors"]
        return next((entry for entry in list_ if entry["name"] == name), {})

    def opens(self, member):
        """Does its enrolment endpoint take connections?"""
        try:
            socket.create_connection(("127.0.0.1", self.mesh.enrolment_ports[member.name]), timeout=5 * SLOW).close()
            return True
        except OSError:
            return False

    def cancel_all(self):
        for entry in json.loads(self.ctl("connector", "list", "--json"))["enrolments"]:
            self.ctl("connector", "cancel", entry["id"])

    def only(self, join, member):
        """The join string with one of its aggregators only."""
        raw = base64.urlsafe_b64decode(join.split(":")[1] + "===")
        at, entries = 1, []
        for _ in range(raw[0]):
            begin = at
            for _ in range(3):
                at += 1 + raw[at]
            entries.append(raw[begin:at])
        wanted = [entry for entry in entries if entry[1:1 + entry[0]] == member.name.encode()]
        secret = raw[at:-4]
        text = bytes([1]) + wanted[0] + secret
        text += hashlib.sha256(text).digest()[:4]
        return "bmcmesh1:" + base64.urlsafe_b64encode(text).decode().rstrip("=")

    def counter(self, member, name):
        with self.mesh.client(member) as client:
            return int(re.search(rf"^{name} (\d+)", client.get("/metrics").body.decode(), re.MULTILINE).group(1))


class Enrolling(EnrolmentTest):
    sims = (Sim("one", auth="basic"), Sim("two", auth="basic"), Sim("three", auth="basic"))

    def test_a_new_connector_enrols_and_shows_on_every_facade(self):
        satellite = self.mesh.satellite("one")
        prefix = self.bring_in(satellite)
        for member in self.mesh.aggregators:
            self.assertEqual(self.entry("one", member)["linked"], True)
            self.assertIn(f"acme/one  {prefix}  linked", self.ctl("connector", "list", member=member))
        config = self.mesh.files.config(satellite).read_text()
        for member in self.mesh.aggregators:
            self.assertIn(f"tcp://127.0.0.1:{member.mesh_port}", config)
            self.assertIn(member.key, config)

    def test_a_secret_is_good_for_one_key_and_for_that_as_often_as_it_asks(self):
        satellite = self.mesh.satellite("two")
        join = self.add("once")
        first = self.enrolled(join, satellite)
        self.assertEqual(self.enrolled(join, satellite), first)
        status, _, err = self.enroll(join, satellite, self.key("thief"))
        self.assertEqual(status, 1)
        self.assertIn("used already", err)
        self.ctl("connector", "remove", "acme/once")

    def test_a_secret_that_was_used_on_one_node_is_used_on_every_other_at_once(self):
        satellite = self.mesh.satellite("two")
        for count, (maker, user) in enumerate([(0, 1), (1, 2), (2, 0)]):
            name = f"moved{count}"
            self.add(name, member=self.mesh.aggregators[maker])  # so that every endpoint is open
            made = self.mesh.aggregators[maker]
            join = self.add(name, member=made)
            eventually(lambda: all(map(self.opens, self.mesh.aggregators)), "all are open")
            self.enrolled(self.only(join, self.mesh.aggregators[user]), satellite)
            status, _, err = self.enroll(self.only(join, made), satellite, self.key("thief"))
            self.assertEqual(status, 1)
            self.assertIn("used already", err)
            self.ctl("connector", "remove", f"acme/{name}", member=made)

    def test_a_wrong_secret_is_refused_and_names_what_every_node_said(self):
        right = self.add("somebody")
        join = self.add("other")
        identity = next(entry["id"] for entry in json.loads(self.ctl("connector", "list", "--json"))["enrolments"]
                        if entry["name"] == "other")
        self.ctl("connector", "cancel", identity)
        status, _, err = self.enroll(join, self.mesh.satellite("two"))
        self.assertEqual(status, 1)
        for member in self.mesh.aggregators:
            self.assertRegex(err, rf"{member.name}: refused: th(e|is) secret is not known")
        self.assertEqual(self.entry("other"), {})
        self.enrolled(right, self.mesh.satellite("two"))  # the listeners live on
        self.ctl("connector", "remove", "acme/somebody")
        self.cancel_all()

    def test_the_endpoint_is_open_only_while_somebody_may_come(self):
        def all_are(open_):
            return lambda: all(self.opens(member) is open_ for member in self.mesh.aggregators)
        self.cancel_all()
        self.bring_down_lingering()
        eventually(all_are(False), "all are closed")
        for _ in range(3):
            self.add("expected")
            eventually(all_are(True), "all are open")
            self.cancel_all()
            eventually(all_are(False), "all are closed again")
        self.add("expected")
        eventually(all_are(True), "all are open")
        member = self.mesh.aggregators[1]
        self.mesh.kill(member.name)
        self.assertFalse(self.opens(member))
        self.mesh.start(member)
        eventually(all_are(True), "all are open, the restarted one, too", 20)
        self.cancel_all()

    def bring_down_lingering(self):
        """A used secret keeps the endpoints open until it expires, its connector's end does not."""
        for entry in json.loads(self.ctl("connector", "list", "--json"))["connectors"]:
            if entry["name"] != "one":
                self.ctl("connector", "remove", f"acme/{entry['name']}")
        if self.entry("one"):
            self.ctl("connector", "remove", "acme/one")
            if "one" in self.mesh.process:
                self.mesh.kill("one")

    def test_what_cannot_be_is_refused_with_a_reason(self):
        for words, status, reason in (
                (("add", "--tenant", "nobody", "x"), 1, 'no tenant "nobody"'),
                (("add", "--tenant", "acme", "bad name"), 1, "not the name"),
                (("add", "--tenant", "acme", "x", "--minutes", "0"), 2, "minutes"),
                (("add", "--tenant", "acme", "x", "--prefix", "no_good"), 1, "prefix"),
                (("revoke", "acme/unknown"), 1, "no connector"),
                (("remove", "acme/unknown"), 1, "no connector"),
                (("revoke", "unknown"), 2, "TENANT/NAME"),
                (("cancel", "0000"), 1, "no enrolment"),
                (("import", "/no/such/file"), 1, "/no/such/file")):
            with self.subTest(words=words):
                for member in self.mesh.aggregators:
                    self.assertIn(reason, self.ctl("connector", *words, member=member, status=status))

    def test_tenants_come_and_go(self):
        for member in self.mesh.aggregators:
            self.ctl("tenant", "add", "brief", member=member)  # again: it stays
        self.assertEqual(self.ctl("tenant", "list"), "acme\nbrief")
        told = json.loads(self.ctl("tenant", "list", "--json"))["tenants"]
        self.assertEqual([tenant["name"] for tenant in told], ["acme", "brief"])
        self.ctl("tenant", "remove", "brief")
        self.assertIn("no tenant", self.ctl("tenant", "remove", "brief", status=1))


class PuttingOut(EnrolmentTest):
    sims = (Sim("one", auth="basic"), Sim("two", auth="basic"))

    def test_a_revoked_connector_is_gone_from_every_node_within_a_second_and_for_good(self):
        satellite, other = self.mesh.satellite("one"), self.mesh.satellite("two")
        prefix, others = self.bring_in(satellite), self.bring_in(other)
        self.ctl("connector", "revoke", "acme/one")
        self.await_shown(prefix, False, 1.0)
        for member in self.mesh.aggregators:
            before = self.counter(member, "bmcmesh_mesh_keys_refused_total")
            eventually(lambda: self.counter(member, "bmcmesh_mesh_keys_refused_total") > before, f"{member.name} refuses it")
            self.assertIn("acme/one", self.ctl("connector", "list", member=member))
            self.assertIn("revoked", self.ctl("connector", "list", member=member))
        again = self.mesh.aggregators[2]
        self.mesh.kill(again.name)
        self.mesh.start(again)
        self.await_shown(others)
        self.assertFalse(self.shown(again, prefix))
        self.assertTrue(self.entry("one", again)["revoked"])
        with self.subTest("the same key again is refused, another is taken"):
            join = self.add("one")
            status, _, err = self.enroll(join, satellite)
            self.assertEqual(status, 1)
            self.assertIn("revoked", err)
            self.mesh.kill("one")
            self.enrolled(join, satellite, self.key("one-renewed"))
            self.mesh.start(satellite)
            self.await_shown(prefix)
            self.assertEqual(self.entry("one")["prefix"], prefix)
        with self.subTest("one that enrols anew ends the connections of the key before"):
            self.mesh.kill("two")
            self.mesh.start(other)
            self.await_shown(others)
            self.enrolled(self.add("two"), other, self.key("two-renewed"))
            for member in self.mesh.aggregators:
                eventually(lambda: not self.entry("two", member)["linked"], f"{member.name} has let it go", 2.0)
            self.mesh.kill("two")
            self.mesh.start(other)
            self.await_shown(others)
        with self.subTest("a tenant with connectors stays"):
            self.assertIn("connectors", self.ctl("tenant", "remove", "acme", status=1))
        with self.subTest("one that is removed is gone"):
            self.ctl("connector", "remove", "acme/two")
            self.await_shown(others, False, 1.0)
            self.assertEqual(self.entry("two"), {})


class Importing(EnrolmentTest):
    sims = (Sim("one", auth="basic"), Sim("two", auth="basic"))

    def test_a_registry_file_is_taken_over_and_its_connectors_need_nothing(self):
        self.mesh.files.write_registry(self.mesh.satellites)
        file = self.mesh.files.registry
        self.assertEqual(self.ctl("connector", "import", file), "3 added, 0 there already, 0 refused")
        self.assertEqual(self.ctl("connector", "import", file, member=self.mesh.aggregators[1]),
                         "0 added, 3 there already, 0 refused")
        for satellite in self.mesh.satellites:
            self.mesh.files.write_connector(satellite, self.mesh.aggregators)
            self.mesh.start(satellite)
        self.mesh.await_ready()
        self.ctl("connector", "revoke", "local/one")
        err = self.ctl("connector", "import", file, status=4)
        self.assertIn("local/one", err)
        self.assertIn("revoked", err)


class Flood(EnrolmentTest):
    sims = (Sim("one", auth="basic"),)

    def test_a_flood_of_wrong_secrets_is_limited_and_counted_and_the_right_one_gets_in(self):
        join, satellite = self.add("one"), self.mesh.satellite("one")
        member = self.mesh.aggregators[0]
        eventually(lambda: self.opens(member), "it is open")
        endpoint = f"tcp://127.0.0.1:{self.mesh.enrolment_ports[member.name]}"
        before = self.counter(member, "bmcmesh_enrolments_refused_total")
        keys, context = [self.key(f"flood{count}") for count in range(8)], zmq.Context()
        try:
            strangers = [RawPeer(keys[count % 8], endpoint, member.key, 10 * SLOW, context) for count in range(200)]
            for stranger in strangers:
                stranger.send(enrol(os.urandom(24)))

            def not_looked_at():
                return (self.counter(member, "bmcmesh_enrolments_limited_total") +
                        self.counter(member, "bmcmesh_enrolment_dropped_too_many_total"))
            eventually(lambda: not_looked_at() > 100, "most are not looked at", 20)
            eventually(lambda: self.counter(member, "bmcmesh_enrolments_refused_total") > before, "some are looked at")
            self.enrolled(self.only(join, member), satellite)  # while all the others are still there
        finally:
            context.destroy(0)
        self.assertTrue(self.entry("one")["key"])


class InAFile(MeshTest):
    sims, aggregators = (Sim("one"),), 1

    def test_what_stands_in_a_file_is_changed_there(self):
        for words in (("connector", "add", "--tenant", "local", "x"), ("connector", "revoke", "local/one"),
                      ("connector", "list"), ("tenant", "list"), ("tenant", "add", "acme")):
            status, out, err = EnrolmentTest.ctl_of(self.mesh, *words)
            self.assertEqual((status, out), (1, ""), err)
            self.assertIn("file", err)


if __name__ == "__main__":
    unittest.main()
