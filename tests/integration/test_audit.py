"""Who did what, from where, with what result: recorded before it is done, found again, and not to be changed unseen."""

import errno
import json
import os
import pwd
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path
from urllib.parse import quote

from harness import ROOT, SLOW, USER, Client, Mesh, MeshTest, Sim, eventually, run_program
from quickstart_lib.process import Child

AUDIT = "/mesh/v1/history/audit"
RESET = "/Actions/ComputerSystem.Reset"


class AuditTest(MeshTest):
    sims, aggregators = (Sim("one", auth="basic"),), 1
    history = {}

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh(list(cls.sims), cls.aggregators)
        for member in cls.mesh.aggregators:
            member.extra = {"history": cls.settings(member)}
        cls.mesh.__enter__()

    @classmethod
    def settings(cls, member):
        return dict(cls.history)

    def ctl(self, *arguments, member=None, status=0, user=USER, password_file="admin.password"):
        """What `meshctl history audit` says, on stderr where it is to fail."""
        ended, out, err = run_program("meshctl", "history", "audit", *arguments, "--url", (member or self.mesh.aggregators[0]).facade,
                                      "--user", user, "--password-file", self.mesh.state / password_file, "--cacert", self.mesh.ca,
                                      seconds=30)
        self.assertEqual(ended, status, out + err)
        return (out if status == 0 else err).strip()

    def records(self, client, count, **options):
        """Of these options, when there are so many."""
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items())

        def found():
            answer = client.get(f"{AUDIT}?{query}")
            self.assertEqual(answer.status, 200, answer.body[:400])
            listed = answer.json()["records"]
            return listed if len(listed) >= count else None
        listed = eventually(found, f"{count} records of {options}")
        self.assertEqual(len(listed), count, listed)
        return listed

    def counter(self, name, member=None):
        with self.mesh.client(member) as client:
            return int(re.search(rf"^{name} (\d+)", client.get("/metrics").body.decode(), re.MULTILINE).group(1))

    def reset(self, client):
        """(URI, answer) of an action of the first system."""
        uri = self.members(client, ROOT + "/Systems")[0] + RESET
        return uri, client.post(uri, {"ResetType": "On"})

    def delete(self, uri):
        with self.mesh.client() as client:
            client.request("DELETE", uri)

    def executions(self):
        return len(self.mesh.tell(self.mesh.satellites[0], "GET", "/executions"))


class Trail(AuditTest):
    def test_a_write_to_a_satellite_is_recorded_before_and_after(self):
        with self.mesh.client() as client:
            uri, answer = self.reset(client)
            self.assertEqual(answer.status // 100, 2)
            intent, result = self.records(client, 2, resource=uri)[-2:]
            self.assertEqual((intent["phase"], result["phase"]), ("intent", "result"))
            for record in (intent, result):
                self.assertEqual((record["account"], record["tenant"], record["node"], record["method"], record["uri"]),
                                 (USER, "local", "agg-1", "POST", uri))
                self.assertTrue(record["client"].startswith("127.0.0.1:"), record)
            self.assertEqual(result["status"], answer.status)
            self.assertEqual(result["request"], intent["request"])
            self.assertNotIn("status", intent)
        said = self.ctl("--resource", uri, "--since", "1h").splitlines()
        self.assertEqual(len(said), 2)
        self.assertRegex(said[1], rf"^\S+Z  local  {USER}  127\.0\.0\.1:\d+  agg-1  POST {re.escape(uri)}  {answer.status}$")
        self.assertIn(f'audit@32473 tenant="local" account="{USER}"', self.ctl("--resource", uri, "--syslog"))
        self.assertEqual(self.ctl("--resource", uri, "--until", "1h"), "")
        self.assertEqual(self.ctl("--resource", uri, "--tenant", ""), "")

    def test_changes_of_the_facade_itself_are_recorded_and_reads_are_not(self):
        accounts = ROOT + "/AccountService/Accounts"
        with self.mesh.client() as client, self.mesh.stranger() as stranger:
            self.assertEqual(client.get(accounts).status, 200)
            made = client.post(accounts, {"UserName": "watcher", "Password": "Correct-horse-9", "RoleId": "ReadOnly"})
            self.assertEqual(made.status, 201)
            listed = self.records(client, 2, resource=accounts)
            self.assertEqual([(entry["phase"], entry["tenant"], entry.get("status")) for entry in listed],
                             [("intent", "", None), ("result", "", 201)])
            self.assertNotIn("Correct-horse-9", json.dumps(listed))
            sessions = ROOT + "/SessionService/Sessions"
            self.assertEqual(stranger.log_in("watcher", "wrong").status, 401)
            self.assertEqual(stranger.log_in("watcher", "Correct-horse-9").status, 201)
            login = self.records(client, 1, resource=sessions)[0]
            self.assertEqual((login["account"], login["phase"], login["status"]), ("watcher", "result", 201))
            self.assertEqual(stranger.get(AUDIT).status, 403)

    def test_what_somebody_changes_in_the_database_is_found(self):
        with self.mesh.client() as client:
            uri, _ = self.reset(client)
            eventually(lambda: len(client.get(f"{AUDIT}?resource={uri}").json()["records"]) % 2 == 0, "the result is there")
        self.assertRegex(self.ctl("--verify"), r"^\d+ records in \d chains are as they were stored$")
        database = sqlite3.connect(self.mesh.files.own_state(self.mesh.aggregators[0]) / "history.db", timeout=10)
        self.addCleanup(database.close)
        row = database.execute("select id, position from mesh_audit where uri = ? order by id limit 1", (uri,)).fetchone()

        def change(statement, *values):
            with database:
                database.execute(statement, values)
        change("update mesh_audit set account = 'nobody' where id = ?", row[0])
        self.assertIn(f"record {row[1]} of agg-1 for tenant local is not as it was stored", self.ctl("--verify", status=1))
        change("update mesh_audit set account = ? where id = ?", USER, row[0])
        self.assertIn("are as they were stored", self.ctl("--verify"))
        kept = database.execute("select * from mesh_audit where id = ?", row[:1]).fetchone()
        change("delete from mesh_audit where id = ?", row[0])
        self.assertIn(f"record {row[1]} of agg-1 for tenant local is missing", self.ctl("--verify", status=1))
        change(f"insert into mesh_audit values ({', '.join('?' * len(kept))})", *kept)
        self.assertIn("are as they were stored", self.ctl("--verify"))

    def test_what_was_ordered_is_there_after_a_crash(self):
        member = self.mesh.aggregators[0]
        with self.mesh.client() as client:
            uri, answer = self.reset(client)
            self.assertEqual(answer.status // 100, 2)
        self.mesh.kill(member.name)
        self.mesh.start(member)
        self.mesh.await_ready()
        with self.mesh.client() as client:
            listed = client.get(f"{AUDIT}?resource={uri}").json()["records"]
            self.assertIn("intent", {entry["phase"] for entry in listed})
            before = len(listed)
            self.reset(client)
            self.records(client, before + 2, resource=uri)
        self.assertIn("are as they were stored", self.ctl("--verify"))

    def test_its_files_are_the_nodes_alone(self):
        folder = self.mesh.files.own_state(self.mesh.aggregators[0])
        files = list(folder.glob("history.db*"))
        self.assertTrue(files)
        for file in files:
            self.assertEqual(file.stat().st_mode & 0o777, 0o600, file)


class OfATenant(AuditTest):
    def test_a_tenants_administrator_reads_and_checks_his_own_page_by_page(self):
        name, password = "local-boss", "a-Password-of-local-8"
        file = self.mesh.state / "boss.password"
        file.touch(0o600)
        file.write_text(password)
        with self.mesh.client() as client:
            made = client.post(ROOT + "/AccountService/Accounts", {"UserName": name, "Password": password, "RoleId": "Administrator",
                                                                   "Oem": {"Bmcmesh": {"Tenant": "local"}}})
            self.assertEqual(made.status, 201, made.body)
            self.addCleanup(self.delete, made.header("Location"))
            uri, _ = self.reset(client)
            listed = eventually(lambda: (found := client.get(f"{AUDIT}?resource={uri}").json()["records"]) and len(found) % 2 == 0 and found,
                                "the result is there")
        pages, after = [], ""
        with Client(self.mesh.aggregators[0].facade, name, password, self.mesh.ca, timeout=40 * SLOW) as boss:
            while len(pages) <= len(listed):
                page = boss.get(f"{AUDIT}?resource={uri}&limit=1{after}").json()
                pages += page["records"]
                if "next" not in page:
                    break
                after = f"&after={page['next']}"
        self.assertEqual(pages, [{key: value for key, value in entry.items() if key != "id"} for entry in listed])
        self.assertRegex(self.ctl("--verify", user=name, password_file="boss.password"), r"^\d+ records in 1 chains? are as they were stored$")
        self.assertIn(uri, self.ctl(user=name, password_file="boss.password"))


@unittest.skipUnless(os.geteuid() == 0, "a small file system is mounted, which only root may")
class FullDisk(AuditTest):
    @classmethod
    def settings(cls, member):
        cls.folder = Path(tempfile.mkdtemp(prefix="bmcmesh-audit-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "bmcmesh-test", cls.folder], check=True)
        return {"database": f"sqlite:{cls.folder}/history.db"}

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        subprocess.run(["umount", "--lazy", cls.folder], check=True)
        cls.folder.rmdir()

    def fill(self):
        with open(self.folder / "filler", "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 512)
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)

    def test_what_cannot_be_recorded_is_not_done(self):
        with self.mesh.client() as client:
            self.assertEqual(self.reset(client)[1].status // 100, 2)
            self.fill()
            refused = eventually(lambda: self.refused(client), "the disk is full", 30)
            self.assertRedfishError(refused, 503, "ServiceTemporarilyUnavailable")
            self.assertIn("Nothing was done", refused.body.decode())
            self.assertTrue(refused.header("Retry-After"))
            before = self.executions()
            self.assertEqual(self.reset(client)[1].status, 503)
            answer = client.post(ROOT + "/AccountService/Accounts",
                                 {"UserName": "never", "Password": "Correct-horse-9", "RoleId": "ReadOnly"})
            self.assertEqual(answer.status, 503)
            self.assertEqual(self.executions(), before, "the BMC was not asked")
            self.assertEqual(client.get(ROOT + "/Systems").status, 200, "reading goes on")
            self.assertGreaterEqual(self.counter("bmcmesh_audit_refused_total"), 3)
            (self.folder / "filler").unlink()
            self.assertEqual(self.reset(client)[1].status // 100, 2)
        self.assertIn("are as they were stored", self.ctl("--verify"))
        self.assertIn("history_not_available", self.mesh.process["agg-1"].output())

    def refused(self, client):
        """The refusal of an action; None as long as the database has room in its pages."""
        self.fill()
        answer = self.reset(client)[1]
        return answer if answer.status // 100 != 2 else None


class BestEffort(AuditTest):
    history = {"database": "sqlite:/proc/nowhere/history.db", "audit": "best_effort"}

    def test_it_is_done_all_the_same_and_counted(self):
        with self.mesh.client() as client:
            before = self.executions()
            self.assertEqual(self.reset(client)[1].status // 100, 2)
            self.assertEqual(self.executions(), before + 1)
            self.assertEqual(client.get(AUDIT).status, 503)
        self.assertGreaterEqual(self.counter("bmcmesh_audit_unrecorded_total"), 1)
        self.assertIn("/proc/nowhere", self.mesh.process["agg-1"].output())


class Syslog(AuditTest):
    @classmethod
    def settings(cls, member):
        cls.folder = Path(tempfile.mkdtemp(prefix="bmcmesh-audit-"))
        cls.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        cls.socket.settimeout(20)
        cls.socket.bind(str(cls.folder / "log"))
        return {"syslog": str(cls.folder / "log")}

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.socket.close()
        shutil.rmtree(cls.folder)

    def test_each_record_goes_to_syslog_with_its_hash(self):
        with self.mesh.client() as client:
            uri, _ = self.reset(client)
            lines = [self.socket.recv(8192).decode() for _ in range(2)]
            listed = self.records(client, 2, resource=uri)
        for line, record in zip(lines, listed):
            self.assertRegex(line, r"^<10[89]>1 \S+Z agg-1 mesh-aggregatord - audit \[audit@32473 ")
            self.assertIn(f'uri="{uri}"', line)
            self.assertIn(f'hash="{record["link"]["hash"]}"', line)


class PostgreSql(AuditTest):
    """Two aggregators that share a server, which the test starts."""

    aggregators = 2

    @classmethod
    def setUpClass(cls):
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not folders:
            raise AssertionError("no PostgreSQL server is installed: deploy/install-packages tests")
        cls.binaries = folders[-1]
        cls.folder = Path(tempfile.mkdtemp(prefix="bmcmesh-pg-"))
        cls.as_server = ["setpriv", "--pdeathsig=QUIT"]
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(cls.folder, user.pw_uid, user.pw_gid)
            cls.as_server += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run([*cls.as_server, cls.binaries / "initdb", "-D", cls.folder / "data", "-U", "mesh", "-A", "trust", "-E", "UTF8",
                        "--locale=C", "--no-sync"], check=True, stdout=subprocess.DEVNULL)
        cls.start_server()
        try:
            super().setUpClass()
        except BaseException:
            cls.stop_server()
            raise

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.stop_server()
        shutil.rmtree(cls.folder)

    @classmethod
    def start_server(cls):
        cls.server = Child("postgres", [*cls.as_server, cls.binaries / "postgres", "-D", cls.folder / "data", "-k", cls.folder,
                                        "-c", "listen_addresses="], cls.folder / "server.log")
        ready = [cls.binaries / "pg_isready", "-q", "-h", cls.folder, "-U", "mesh"]
        eventually(lambda: subprocess.run(ready, check=False).returncode == 0, "the server takes connections", 60)

    @classmethod
    def stop_server(cls):
        cls.server.signal(signal.SIGQUIT)
        cls.server.wait(20)

    @classmethod
    def settings(cls, member):
        return {"database": f"postgresql://mesh@{quote(str(cls.folder), safe='')}/postgres"}

    def test_each_shows_what_all_have_recorded(self):
        for _, client in self.each_facade():
            uri, answer = self.reset(client)
            self.assertEqual(answer.status // 100, 2)
        for member, client in self.each_facade():
            eventually(lambda: {entry["node"] for entry in client.get(f"{AUDIT}?resource={uri}").json()["records"]} ==
                       {"agg-1", "agg-2"}, f"{member.name} shows what both have recorded")
            self.assertIn("are as they were stored", self.ctl("--verify", member=member))

    def test_a_server_that_is_away_stops_writes_until_it_is_back(self):
        with self.mesh.client() as client:
            self.assertEqual(self.reset(client)[1].status // 100, 2)
            self.stop_server()
            before = self.executions()
            self.assertEqual(self.reset(client)[1].status, 503)
            self.assertEqual(self.executions(), before)
            self.assertEqual(client.get(ROOT + "/Systems").status, 200)
            self.start_server()
            self.assertEqual(self.reset(client)[1].status // 100, 2)
        self.assertIn("are as they were stored", self.ctl("--verify"))


if __name__ == "__main__":
    unittest.main()
