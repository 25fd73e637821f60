"""Backups: one file with what the nodes agree on, from whichever node."""

import re
import stat
import unittest

from harness import ROOT, USER, MeshTest, Sim, eventually, free_ports, run_program
from test_cluster import ACCOUNTS, PASSWORD, SESSIONS, meshctl, primary, standbys


class Backups(MeshTest):
    sims, aggregators = (Sim("one"),), 3

    def setUp(self):
        eventually(lambda: primary(self.mesh), "there is one primary")

    def path(self, name):
        path = self.mesh.state / name
        path.unlink(missing_ok=True)
        return path

    def test_what_was_acknowledged_on_one_node_is_in_a_backup_from_any_other(self):
        for count, (maker, other) in enumerate([(0, 1), (1, 2), (2, 0), (0, 2), (2, 1), (1, 0)]):
            with self.mesh.client(self.mesh.aggregators[maker]) as client, self.mesh.client(self.mesh.aggregators[other]) as asked:
                made = client.post(ACCOUNTS, {"UserName": f"kept{count}", "Password": PASSWORD, "RoleId": "ReadOnly"})
                self.assertEqual(made.status, 201, made.body)
                answer = asked.get("/mesh/v1/cluster/backup")
                self.assertEqual(answer.status, 200, answer.body[:300])
                self.assertIn(f"kept{count}".encode(), answer.body)

    def test_it_is_a_file_that_says_what_it_is_and_that_nobody_else_reads(self):
        path = self.path("first.backup")
        status, out, err = meshctl(self.mesh, self.mesh.aggregators[1], "cluster", "backup", path)
        self.assertEqual((status, err), (0, ""), out)
        self.assertIn(f"{path} has what the nodes agree on in generation 1", out)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        head = path.read_bytes().split(b"\n\n")[0].decode()
        with self.mesh.client() as client:
            uuid = client.get(ROOT + "/").json()["UUID"]
        self.assertRegex(head, rf"\Abmcmesh backup 1\nservice {uuid}\ngeneration 1\nrevision \d+\nfeature-level \d+\n"
                               r"created [0-9T:Z-]+\nnode agg-2\nsoftware bmcmesh [\w.]+\nbytes \d+\nsha256 [0-9a-f]{64}\Z")

    def test_a_file_that_is_there_is_replaced_only_when_that_is_said(self):
        path = self.path("kept.backup")
        path.write_text("something else\n")
        status, out, err = meshctl(self.mesh, self.mesh.aggregators[0], "cluster", "backup", path)
        self.assertEqual((status, out), (1, ""), err)
        self.assertIn("--force", err)
        self.assertEqual(path.read_text(), "something else\n")
        self.assertEqual(meshctl(self.mesh, self.mesh.aggregators[0], "cluster", "backup", "--force", path)[0], 0)
        self.assertTrue(path.read_bytes().startswith(b"bmcmesh backup 1\n"))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(sorted(file.name for file in self.mesh.state.glob("kept.backup*")), ["kept.backup"])

    def test_it_has_neither_sessions_nor_what_would_open_one(self):
        with self.mesh.client() as client:
            made = client.post(SESSIONS, {"UserName": USER, "Password": self.mesh.password})
            session = made.json()["Id"]
            answer = client.get("/mesh/v1/cluster/backup")
        self.assertNotIn(session.encode(), answer.body)
        self.assertNotIn(self.mesh.password.encode(), answer.body)

    def test_who_may_not_have_it_and_where_nobody_answers(self):
        with self.mesh.client() as client:
            client.post(ACCOUNTS, {"UserName": "reader", "Password": PASSWORD, "RoleId": "ReadOnly"})
        password = self.path("reader.password")
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        path = self.path("none.backup")
        words = ("cluster", "backup", path, "--user", "reader", "--password-file", password, "--cacert", self.mesh.ca)
        status, out, err = run_program("meshctl", *words, "--url", self.mesh.aggregators[0].facade)
        self.assertEqual((status, out), (1, ""), err)
        self.assertIn("403", err)
        status, out, err = run_program("meshctl", *words, "--url", f"https://127.0.0.1:{free_ports(1)[0]}")
        self.assertEqual((status, out), (3, ""), err)
        self.assertEqual(run_program("meshctl", "cluster", "backup")[0], 2)
        self.assertFalse(path.exists())


class WithoutAMajority(MeshTest):
    sims, aggregators = (Sim("one"),), 3

    def test_there_is_no_backup_of_what_may_be_old(self):
        victims = standbys(self.mesh)
        left = next(member for member in self.mesh.aggregators if member not in victims)
        for member in victims:
            self.mesh.kill(member.name)
        path = self.mesh.state / "none.backup"

        def refused():
            status, _, err = meshctl(self.mesh, left, "cluster", "backup", "--force", path)
            return status == 1 and re.search("503.*not known here", err)
        eventually(refused, "it is refused", 20)
        self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main()
