"""A cluster that was lost: one node goes on alone, or begins with a backup, and others join it."""

import json
import os
import re
import shutil
import stat
import subprocess
import unittest

from harness import NO_ANSWER, PROGRAMS, ROOT, SLOW, USER, Client, Mesh, Sim, eventually, free_ports, run_program
from quickstart_lib.mesh import Aggregator
from test_cluster import ACCOUNTS, PASSWORD, SESSIONS, cluster_of, health, meshctl, primary
from test_enrolment import EnrolmentTest

NOBODY = 65534  # a user who is not root


def offline(mesh, member):
    return ("--config", mesh.files.config(member), "--state", mesh.files.own_state(member))


def cluster_folder(mesh, member):
    return mesh.files.own_state(member) / "cluster"


def voters(mesh, member):
    return sorted(entry["name"] for entry in cluster_of(mesh, member)["members"] if entry["voter"])


def join(mesh, by, member):
    """Takes it in through `by`, starts it and waits until it votes."""
    status, out, err = meshctl(mesh, by, "cluster", "join", *offline(mesh, member))
    if status != 0:
        raise AssertionError(out + err)
    mesh.start(member)
    eventually(lambda: member.name in voters(mesh, by), f"{member.name} votes", 20)
    eventually(lambda: health(mesh, member).get("ready"), f"{member.name} is ready", 20)


def fresh(mesh, name, extra=None):
    """A node that has never run, one of the mesh from now on."""
    member = Aggregator(name, *free_ports(3), extra=extra or {})
    mesh.aggregators.append(member)
    mesh.files.make_keys([member])
    mesh.files.write_aggregator(member, [member])
    return member


class RecoveredNodes(unittest.TestCase):
    def test_a_recovered_node_keeps_those_who_join_it_also_under_an_old_name(self):
        with Mesh([Sim("one")], aggregators=3) as mesh:
            eventually(lambda: primary(mesh), "there is one primary")
            last, again = mesh.aggregators[2], mesh.aggregators[0]
            for member in mesh.aggregators:
                mesh.kill(member.name)
            status, _, err = run_program("meshctl", "cluster", "recover", *offline(mesh, last), "--yes")
            self.assertEqual(status, 0, err)
            mesh.start(last)
            eventually(lambda: health(mesh, last).get("ready"), "it is ready", 20)
            self.assertEqual(voters(mesh, last), ["agg-3"])
            shutil.rmtree(cluster_folder(mesh, again))
            join(mesh, last, again)
            join(mesh, last, fresh(mesh, "agg-4"))
            self.assertEqual(voters(mesh, last), ["agg-1", "agg-3", "agg-4"])
            generation = cluster_of(mesh, last)["generation"]
            self.assertGreater(generation, 1_000_000_000_000)

            def settled():
                home = json.loads((cluster_folder(mesh, last) / "member.json").read_text())
                return not home["recovered"] and {node["name"] for node in home["nodes"]} == {"agg-1", "agg-3", "agg-4"}
            eventually(settled, "its own file says so")
            mesh.kill(last.name)
            mesh.start(last)
            eventually(lambda: health(mesh, last).get("ready"), "it is back", 20)
            self.assertEqual(voters(mesh, again), ["agg-1", "agg-3", "agg-4"])
            self.assertEqual(cluster_of(mesh, again)["generation"], generation, "a restart is no recovery")
            mesh.await_ready([last, again])


class Restored(EnrolmentTest):
    """A cluster of three with two connectors is backed up, goes on, and is lost but for one node that nobody noticed."""

    sims = (Sim("one", auth="basic"), Sim("two", auth="basic"))

    def restore(self, member, *more, status=0):
        ended, out, err = run_program("meshctl", "cluster", "restore", *map(str, more), *offline(self.mesh, member), seconds=60)
        self.assertEqual(ended, status, out + err)
        return out if status == 0 else err

    def linked(self, member):
        """Names of the connectors that have a link to it."""
        with self.mesh.client(member) as client:
            satellites = client.get("/mesh/v1/status").json()["satellites"]
        return sorted(entry["name"] for entry in satellites if entry["linked"])

    def answers(self, member, token):
        with Client(member.facade, ca=self.mesh.ca, timeout=10 * SLOW) as client:
            return client.get(ROOT + "/Systems", headers={"X-Auth-Token": token}).status

    def login(self, member, user, password):
        try:
            with Client(member.facade, user, password, self.mesh.ca, timeout=10 * SLOW) as client:
                return client.get(ROOT + "/Systems").status
        except NO_ANSWER:
            return 0

    def begin(self):
        """What the backup has; (file, token, join string) of then."""
        first = self.mesh.aggregators[0]
        self.prefixes = {satellite.name: self.bring_in(satellite) for satellite in self.mesh.satellites}
        with self.mesh.client(first) as client:
            self.assertEqual(client.post(ACCOUNTS, {"UserName": "kept", "Password": PASSWORD, "RoleId": "ReadOnly"}).status, 201)
            token = client.post(SESSIONS, {"UserName": USER, "Password": self.mesh.password}).header("X-Auth-Token")
        secret = self.add("three")
        file = self.mesh.state / "mesh.backup"
        self.ctl("cluster", "backup", file, member=self.mesh.aggregators[1])
        with self.mesh.client(first) as client:
            self.assertEqual(client.post(ACCOUNTS, {"UserName": "later", "Password": PASSWORD, "RoleId": "ReadOnly"}).status, 201)
        self.assertEqual(self.answers(first, token), 200)
        return file, token, secret

    def test_what_was_lost_begins_again_on_one_node_and_grows(self):
        first, second, third = self.mesh.aggregators
        file, token, secret = self.begin()
        with self.subTest("a node that runs is left alone"):
            self.assertIn("stop mesh-aggregatord", self.restore(first, file, "--force", status=1))
        for member in (first, second):
            self.mesh.kill(member.name)
        with self.subTest("one that has data, too"):
            self.assertIn("--force", self.restore(first, file, status=1))
        out = self.restore(first, file, "--force")
        self.confirms(out)
        aside = [folder for folder in self.mesh.files.own_state(first).iterdir() if folder.name.startswith("cluster.before-restore-")]
        self.assertEqual(len(aside), 1)
        self.assertTrue((aside[0] / "member.json").exists() and (aside[0] / "log").is_dir())
        self.assertIn(str(aside[0]), out)
        self.mesh.start(first)
        eventually(lambda: health(self.mesh, first).get("ready"), "it is ready", 20)
        seen = cluster_of(self.mesh, first)
        self.assertEqual((seen["role"], [entry["name"] for entry in seen["members"]]), ("primary", ["agg-1"]))
        self.assertEqual(str(seen["generation"]), re.search(r"generation (\d+),", out).group(1))
        self.assertGreater(seen["generation"], 1_000_000_000_000)
        with self.subTest("connectors come back by themselves, and leave the old node, which still runs"):
            eventually(lambda: self.linked(first) == ["one", "two"], "both are linked", 20)
            eventually(lambda: self.linked(third) == [], "the old node has none", 20)
            for prefix in self.prefixes.values():
                eventually(lambda: self.shown(first, prefix), f"{prefix} is shown", 20)
            self.mesh.kill("one")
            self.mesh.start(self.mesh.satellite("one"))
            eventually(lambda: self.linked(first) == ["one", "two"], "also after a restart", 20)
            self.assertEqual(self.linked(third), [])
        with self.subTest("accounts are those of the backup, sessions are over"):
            self.assertEqual(self.login(first, "kept", PASSWORD), 200)
            self.assertEqual(self.login(first, "later", PASSWORD), 401)
            self.assertEqual(self.answers(first, token), 401)
            self.assertEqual(self.answers(third, token), 200, "where nobody knows of it")
        with self.subTest("a secret of before is void"):
            self.assertEqual(json.loads(self.ctl("connector", "list", "--json"))["enrolments"], [])
            self.add("other")
            eventually(lambda: self.opens(first), "it is open")
            status, _, err = self.enroll(self.only(secret, first), self.mesh.satellite("two"), self.key("three"))
            self.assertEqual(status, 1)
            self.assertRegex(err, "agg-1: refused: th(e|is) secret is not known")
        self.grows(first, second, third)

    def confirms(self, out):
        for line in (r"^connector  acme/one  \S{40}$", r"^connector  acme/two  \S{40}$", r"^account    kept  ReadOnly  tenant -$",
                     rf"^account    {USER}  Administrator  tenant -$", r"^node       agg-1  \S{40}$",
                     r"^node       agg-2  \S{40}  no member any more"):
            self.assertRegex(out, re.compile(line, re.MULTILINE))
        self.assertNotIn("later", out)

    def grows(self, first, second, third):
        self.mesh.kill(third.name)
        shutil.rmtree(cluster_folder(self.mesh, second))
        join(self.mesh, first, second)
        extra = {"registry": "cluster", "enrolment": {"bind": f"tcp://127.0.0.1:{free_ports(1)[0]}"}}
        fourth = fresh(self.mesh, "agg-4", extra)
        join(self.mesh, first, fourth)
        self.mesh.aggregators[:] = [first, second, fourth]
        self.assertEqual(voters(self.mesh, first), ["agg-1", "agg-2", "agg-4"])
        for member in self.mesh.aggregators:
            eventually(lambda: self.linked(member) == ["one", "two"], f"both are linked to {member.name}", 20)
            self.assertEqual(self.login(member, "kept", PASSWORD), 200)
        self.mesh.kill(first.name)
        eventually(lambda: primary(self.mesh, [second, fourth]), "another takes over", 20)
        self.assertEqual(self.login(fourth, "kept", PASSWORD), 200)
        self.mesh.start(first)
        eventually(lambda: health(self.mesh, first).get("ready"), "it is back", 20)


class WrongInput(unittest.TestCase):
    """What is refused leaves everything as it was."""

    def test_what_cannot_be_restored_is_named(self):
        with Mesh([Sim("one")], aggregators=1) as mesh:
            member = mesh.aggregators[0]
            good = mesh.state / "good"
            self.assertEqual(meshctl(mesh, member, "cluster", "backup", good)[0], 0)
            content = good.read_bytes()
            state = mesh.state / "elsewhere"

            def restore(data, *more, config=None, mode=0o600):
                file = mesh.state / "bad"
                file.unlink(missing_ok=True)
                file.write_bytes(data)
                file.chmod(mode)
                return run_program("meshctl", "cluster", "restore", file, "--config", config or mesh.files.config(member), "--state",
                                   state, *more)
            flipped = bytearray(content)
            flipped[-40] ^= 4
            witness = mesh.state / "witness.yaml"
            witness.write_text(f"node: {{name: w, key: {mesh.state}/keys/agg-1.key}}\npeers: {{bind: 'tcp://127.0.0.1:1'}}\n"
                               "cluster: {witness: true}\n")
            cases = [("cut off", restore(content[:-7]), 1), ("damaged", restore(bytes(flipped)), 1),
                     ("not a backup", restore(b"{}"), 1), ("not a backup", restore(b""), 1),
                     ("newer program", restore(content.replace(b"backup 1", b"backup 2", 1)), 1),
                     ("chmod 600", restore(content, mode=0o644), 1), ("witness", restore(content, config=witness), 1),
                     ("higher than the backup's", restore(content, "--generation", "1"), 2),
                     ("larger than", restore(content + bytes(3 << 20)), 1)]
            for words, (status, out, err), expected in cases:
                with self.subTest(words=words):
                    self.assertEqual((status, out), (expected, ""), err)
                    self.assertIn(words, err)
            self.assertFalse(state.exists(), "nothing was written")
            status, _, err = run_program("meshctl", "cluster", "restore", mesh.state / "none", *offline(mesh, member))
            self.assertEqual(status, 1)
            self.assertIn("No such file", err)
            status, _, err = run_program("meshctl", "cluster", "restore", good, *offline(mesh, member), "--force")
            self.assertEqual(status, 1)
            self.assertIn("in use: stop mesh-aggregatord", err)
            mesh.kill(member.name)
            before = sorted(path.name for path in mesh.files.own_state(member).iterdir())
            status, _, err = run_program("meshctl", "cluster", "restore", good, *offline(mesh, member))
            self.assertEqual(status, 1)
            self.assertIn("holds the data of a node already", err)
            self.assertEqual(sorted(path.name for path in mesh.files.own_state(member).iterdir()), before)
            mesh.start(member)
            eventually(lambda: health(mesh, member).get("ready"), "it goes on as if nothing had been", 20)
            self.assertEqual(cluster_of(mesh, member)["generation"], 1)

    def test_a_backup_goes_through_pipes_and_two_restores_differ(self):
        with Mesh([Sim("one")], aggregators=1) as mesh:
            member = mesh.aggregators[0]
            command = [PROGRAMS / "meshctl", "cluster", "backup", "-", "--url", member.facade, "--user", USER, "--password-file",
                       mesh.state / "admin.password", "--cacert", mesh.ca]
            piped = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30 * SLOW)
            self.assertEqual((piped.returncode, piped.stderr), (0, b""))
            generations = []
            for count in range(2):
                state = mesh.state / f"restored{count}"
                done = subprocess.run([PROGRAMS / "meshctl", "cluster", "restore", "-", "--json", "--config", mesh.files.config(member),
                                       "--state", state], input=piped.stdout, capture_output=True, timeout=30 * SLOW)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                said = json.loads(done.stdout)
                self.assertEqual(said["moved_aside"], "")
                self.assertEqual([account["name"] for account in said["identities"]["accounts"]], [USER])
                generations.append(said["generation"])
                modes = {stat.S_IMODE(path.stat().st_mode) for path in (state / "cluster").rglob("*") if path.is_file()}
                self.assertLessEqual(modes, {0o600}, "only its owner reads it")
                self.assertEqual([path.name for path in state.iterdir()], ["cluster"])
            self.assertLess(generations[0], generations[1])


class UnderSystemd(unittest.TestCase):
    """As the unit runs it: the key is a credential, gone with the service, and the state belongs to a user of its own."""

    def test_a_stopped_node_is_recovered_and_restored_without_the_credential(self):
        with Mesh([Sim("one")], aggregators=1) as mesh:
            member = mesh.aggregators[0]
            backup, folder = mesh.state / "a.backup", mesh.files.own_state(member)
            self.assertEqual(meshctl(mesh, member, "cluster", "backup", backup)[0], 0)
            mesh.kill(member.name)
            key = mesh.state / "root.key"
            (mesh.state / "keys/agg-1.key").rename(key)
            owner = os.geteuid() or NOBODY
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, owner, -1)

            def ctl(*command):
                return run_program("meshctl", "cluster", *command, *offline(mesh, member))

            def others():
                return [path for path in folder.rglob("*") if path.stat().st_uid != owner]
            for command in (("recover", "--yes"), ("break-glass", "--minutes", "1")):
                with self.subTest(command=command):
                    status, _, err = ctl(*command)
                    self.assertEqual((status, others()), (0, []), err)
            status, _, err = ctl("restore", backup, "--force")
            self.assertEqual(status, 1)
            self.assertIn("--key", err)
            status, out, err = ctl("restore", backup, "--force", "--key", key)
            self.assertEqual((status, others()), (0, []), err)
            self.assertRegex(out, rf"node +agg-1  {re.escape(key.read_text().split()[1])}\n")


if __name__ == "__main__":
    unittest.main()
