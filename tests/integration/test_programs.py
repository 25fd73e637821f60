"""The programs as their operator meets them: wrong files, wrong modes, ports in use, orderly ends."""

import contextlib
import json
import signal
import socket
import tempfile
import unittest
from pathlib import Path

from harness import PROGRAMS, SLOW, USER, Child, Client, Mesh, MeshCtl, Sim, eventually, free_ports, run_program, write_private

PROGRAM_NAMES = ("mesh-aggregatord", "mesh-connectord")


class Programs(unittest.TestCase):
    """Each starts from what a good mesh was configured with, and breaks one thing."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh([Sim("one")], aggregators=1)
        cls.mesh.__enter__()
        cls.members = {"mesh-aggregatord": cls.mesh.aggregators[0], "mesh-connectord": cls.mesh.satellites[0]}

    @classmethod
    def tearDownClass(cls):
        cls.mesh.__exit__(None, None, None)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def refused(self, program, text, state="state"):
        """What the program says when it is given this configuration; it must refuse it."""
        config = self.folder / "changed.yaml"
        write_private(config, text)
        (self.folder / state).mkdir(exist_ok=True)
        status, out, error = run_program(program, "--config", config, "--state", self.folder / state)
        self.assertNotEqual(status, 0)
        self.assertGreater(status, 0, f"ended by a signal: {error}")
        return out + error

    def good(self, program):
        return self.mesh.files.config(self.members[program]).read_text()

    def test_help_and_unknown_options(self):
        for program in (*PROGRAM_NAMES, "meshctl"):
            with self.subTest(program=program):
                status, out, _ = run_program(program, "--help")
                self.assertEqual((status, "--" in out), (0, True))
                command = ["status"] if program == "meshctl" else []
                status, _, error = run_program(program, *command, "--no-such-option")
                self.assertTrue(status > 0 and "no-such-option" in error, error)

    def test_meshctl_says_what_it_lacks_and_never_speaks_of_a_bmc(self):
        member = self.mesh.aggregators[0]
        url, user = ("--url", member.facade), ("--user", USER, "--password-file", self.mesh.state / "admin.password")
        trust = ("--cacert", self.mesh.ca)
        nobody = ("--url", f"https://127.0.0.1:{free_ports(1)[0]}")
        wrong = self.folder / "wrong"
        write_private(wrong, "not the password")
        for words, status, said in (
                (("sned",), 2, "there is no command 'sned'"), (("history", "events"), 2, "there is no command 'events'"),
                (("workers", *url, *trust, "--user", USER), 2, f"no password for {USER}: give --password-file"),
                (("workers", *url, *user), 1, "--cacert"),
                (("workers", *url, *trust, "--user", USER, "--password-file", wrong), 1, "was answered 401"),
                (("workers", *nobody, *trust, *user), 3, "Connection refused"),
                (("events", "--since", "soon", *url, *trust, *user), 2, "30s, 90m, 12h"),
                (("config", "get", "sled07", *url, *trust, *user), 1, "neither a file nor [TENANT/]KIND/NAME")):
            with self.subTest(words=words):
                ended, out, error = run_program("meshctl", *words)
                self.assertEqual((ended, out), (status, ""), error)
                self.assertIn(said, error)
                self.assertNotIn("BMC ", error)
        self.assertEqual(run_program("meshctl", "events", "--since", "30s", *url, *trust, *user)[0], 0)

    def test_a_missing_configuration_is_named(self):
        for program in PROGRAM_NAMES:
            status, _, error = run_program(program, "--config", self.folder / "none.yaml", "--state", self.folder)
            self.assertTrue(status > 0 and "none.yaml" in error, error)

    def test_wrong_yaml_is_named_with_file_and_line(self):
        for program in PROGRAM_NAMES:
            with self.subTest(program=program):
                lines = self.good(program).count("\n")
                said = self.refused(program, self.good(program) + "  : [\n")
                self.assertRegex(said, rf"changed\.yaml:({lines + 1}|{lines + 2})")

    def test_an_unknown_key_is_named_with_file_and_line(self):
        for program in PROGRAM_NAMES:
            with self.subTest(program=program):
                lines = self.good(program).count("\n")
                said = self.refused(program, self.good(program) + "nonsense: 1\n")
                self.assertIn(f"changed.yaml:{lines + 1}", said)
                self.assertIn("nonsense", said)

    def test_a_key_file_that_others_can_read_is_refused(self):
        for program in PROGRAM_NAMES:
            with self.subTest(program=program):
                key = self.folder / "open.key"
                original = self.mesh.state / "keys" / f"{self.members[program].name}.key"
                write_private(key, original.read_text())
                key.chmod(0o644)
                said = self.refused(program, self.good(program).replace(str(original), str(key)))
                self.assertIn("open.key", said)
                self.assertNotIn(original.read_text().split("secret:")[1].strip(), said)

    def test_a_port_in_use_is_named(self):
        member, ports = self.members["mesh-aggregatord"], free_ports(3)
        text = self.good("mesh-aggregatord").replace(str(self.mesh.files.accounts(member)), str(self.folder / "accounts"))
        for old, new in zip((member.facade_port, member.mesh_port, member.peers_port), ports):
            text = text.replace(f":{old}", f":{new}")
        for port in ports:
            # create_server: as the program does, also where connections of another test that used it have not been forgotten yet
            with self.subTest(port=("facade", "mesh", "peers")[ports.index(port)]), socket.create_server(("127.0.0.1", port)):
                said = self.refused("mesh-aggregatord", text)
                self.assertIn(str(port), said)
                self.assertIn("in use", said.lower())

    def test_check_finds_what_a_start_would_refuse(self):
        facade, mesh = self.members["mesh-aggregatord"].facade_port, self.members["mesh-aggregatord"].mesh_port
        for program, old, new, said in (
                ("mesh-aggregatord", f"127.0.0.1:{facade}", "8443", "expected ADDRESS:PORT for 'bind', not '8443'"),
                ("mesh-aggregatord", f"tcp://127.0.0.1:{mesh}", f"127.0.0.1:{mesh}", "expected tcp://ADDRESS:PORT for 'bind'"),
                ("mesh-aggregatord", str(self.mesh.files.registry), str(self.folder / "none"), "none"),
                ("mesh-connectord", f"tcp://127.0.0.1:{mesh}", "nonsense", "expected tcp://HOST:PORT for 'endpoint'"),
                ("mesh-connectord", "https://", "ftp//", "for 'url', not 'ftp//")):
            with self.subTest(program=program, new=new):
                self.assertIn(old, self.good(program))
                config = self.folder / "changed.yaml"
                write_private(config, self.good(program).replace(old, new))
                status, _, error = run_program(program, "--config", config, "--check")
                self.assertEqual((status, said in error), (1, True), error)
                self.assertTrue(said == "none" or "changed.yaml:" in error, error)

    def test_one_signal_ends_it_in_order_and_a_second_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for twice in (False, True):
                with self.subTest(signal=number.name, twice=twice), Mesh([Sim("one")], aggregators=1) as mesh:
                    for member in [*mesh.satellites, *mesh.aggregators]:
                        child = mesh.process[member.name]
                        child.signal(number)
                        if twice:
                            child.signal(number)
                        status = child.wait((1 if twice else 5) * SLOW)
                        self.assertIn(status, (0, -number, 128 + number) if twice else (0,), f"{member.name}:\n{child.last_words()}")

    def test_a_bad_file_at_reload_leaves_the_old_one_in_force(self):
        config = self.mesh.files.config(self.mesh.aggregators[0])
        good, child = config.read_text(), self.mesh.process[self.mesh.aggregators[0].name]
        self.addCleanup(write_private, config, good)
        write_private(config, good + "nonsense: 1\n")
        child.signal(signal.SIGHUP)
        eventually(lambda: "nonsense" in child.output(), "the refusal is logged")
        with self.mesh.client() as client:
            self.assertEqual(client.get("/redfish/v1/Systems").status, 200)

    def test_enrolment_takes_no_nonsense_and_replaces_no_configuration(self):
        config = self.folder / "connector.yaml"

        def enroll(*words, **more):
            return run_program("mesh-connectord", "enroll", *words, "--config", config, "--state", self.folder, **more)
        for words, status, what in (((), 2, "join_string"), (("nonsense",), 1, "join string"), (("a", "--no-such-option"), 2, "--no-such")):
            with self.subTest(words=words):
                ended, _, error = enroll(*words)
                self.assertEqual((ended, what in error), (status, True), error)
        self.assertIn("enroll_failed", enroll("-", input="bmcmesh1:AAAA")[2])
        config.write_text("mine\n")
        ended, _, error = enroll("nonsense")
        self.assertEqual((ended, "--force" in error, config.read_text()), (1, True, "mine\n"), error)
        self.assertEqual(list(self.folder.iterdir()), [config], "nothing was made")

    def test_a_stranger_with_a_key_of_its_own_is_not_admitted(self):
        """A connector that no registry knows: it runs, and shows nowhere."""
        known = self.mesh.satellites[0]
        MeshCtl(PROGRAMS).key(self.folder / "stranger.key")
        text = self.good("mesh-connectord").replace(str(self.mesh.state / "keys" / f"{known.name}.key"),
                                                    str(self.folder / "stranger.key"))
        config = self.folder / "stranger.yaml"
        write_private(config, text)
        (self.folder / "state").mkdir()
        child = Child("stranger", [PROGRAMS / "mesh-connectord", "--config", config, "--state", self.folder / "state"],
                      self.folder / "stranger.log")
        try:
            with self.mesh.client() as client:
                for _ in range(20):
                    self.assertIsNone(child.status(), child.last_words())
                    self.assertEqual(client.get(f"/redfish/v1/{known.prefix}_Systems").status, 200)
        finally:
            child.signal(signal.SIGKILL)
            child.wait(5)


class FirstStart(unittest.TestCase):
    """One aggregator, configured by hand and step by step."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.config = Path(folder.name), Path(folder.name) / "aggregator.yaml"
        (self.folder / "state").mkdir()
        self.facade, self.ports = free_ports(1)[0], free_ports(3)
        self.keys = {name: MeshCtl(PROGRAMS).key(self.folder / f"{name}.key") for name in ("a", "b")}
        self.registry, self.members = {"file": str(self.folder / "registry.yaml")}, []
        write_private(self.folder / "password", "a long enough Passw0rd")

    def write(self):
        mesh, peers, other = (f"tcp://127.0.0.1:{port}" for port in self.ports)
        write_private(self.config, json.dumps({
            "node": {"name": "a", "key": str(self.folder / "a.key")}, "mesh": {"bind": mesh},
            "peers": {"bind": peers, "members": [{"name": name, "key": self.keys[name], "endpoint": other} for name in self.members]},
            "facade": {"bind": f"127.0.0.1:{self.facade}"}, "cluster": {"election_timeout": "300ms", "heartbeat": "50ms"},
            "registry": self.registry, "accounts": {"file": str(self.folder / "accounts")}}))

    @contextlib.contextmanager
    def started(self):
        self.write()
        child = Child("a", [PROGRAMS / "mesh-aggregatord", "--config", self.config, "--state", self.folder / "state"], self.folder / "log")
        try:
            yield child
        finally:
            child.signal(signal.SIGTERM)
            child.wait(15 * SLOW)

    def says(self, child, what):
        def said():
            child.require_running()
            return what in child.output()
        eventually(said, f"the node says {what}", 10)

    def add_registry(self):
        write_private(self.folder / "registry.yaml", "tenants: []\nconnectors: []\n")

    def add_account(self):
        status, _, error = run_program("meshctl", "account", "add", "admin", "--role", "Administrator", "--new-password-file",
                                       self.folder / "password", "--file", self.folder / "accounts")
        self.assertEqual(status, 0, error)

    def test_one_that_fails_has_founded_nothing(self):
        with self.started() as child:
            self.assertEqual(child.wait(10 * SLOW), 1)
            self.assertIn("registry.yaml", child.output())
        self.assertFalse((self.folder / "state/cluster").exists())
        self.add_registry()
        self.members = ["b"]
        with self.started() as child:
            self.says(child, "ready")
        home = json.loads((self.folder / "state/cluster/member.json").read_text())
        self.assertEqual({node["name"] for node in home["nodes"]}, {"a", "b"})

    def test_members_that_come_too_late_are_named(self):
        self.add_registry()
        with self.started() as child:
            self.says(child, "no_account")
        self.members = ["b"]
        with self.started() as child:
            self.says(child, "peer_ignored")

    def test_accounts_that_come_too_late_are_taken_while_there_are_none(self):
        self.add_registry()
        with self.started() as child:
            self.says(child, "no_account")
        self.add_account()
        with self.started() as child:
            self.says(child, "accounts_taken_over")
            with Client(f"https://127.0.0.1:{self.facade}", "admin", "a long enough Passw0rd",
                        self.folder / "state/a.crt", timeout=20 * SLOW) as client:
                self.assertEqual(client.get("/redfish/v1/AccountService/Accounts/1").status, 200)
        self.assertFalse((self.folder / "accounts").exists())
        (self.folder / "accounts.taken-over").rename(self.folder / "other")
        (self.folder / "password").write_text("another long Passw0rd")
        for name in ("second", "third"):
            run_program("meshctl", "account", "add", name, "--role", "Administrator", "--new-password-file",
                        self.folder / "password", "--file", self.folder / "accounts")
        with self.started() as child:
            self.says(child, "accounts_file_ignored")
        self.assertTrue((self.folder / "accounts").exists())


if __name__ == "__main__":
    unittest.main()
