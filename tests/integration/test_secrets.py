"""Named secrets: sealed at the operator's, opened at the connector's, in the clear nowhere between."""

import base64
import hashlib
import json
import os
import secrets
import signal
import sys
from pathlib import Path

from harness import NO_ANSWER, USER, Child, Sim, eventually, run_program
from quickstart_lib.process import stop_all
from test_enrolment import EnrolmentTest

WORKER = Path(__file__).resolve().parent / "secret_worker.py"


def spellings(value):
    """What would give it away: as it is, in hexadecimal digits, and in base64 wherever in a text it begins."""
    yield value
    yield value.hex().encode()
    for shift in range(3):
        whole = base64.b64encode(bytes(shift) + value)
        yield whole[4:-4]
        yield whole[4:-4].translate(bytes.maketrans(b"+/", b"-_"))


def files_with(folder, values):
    """The files below the folder in which one of the values stands, in any spelling."""
    wanted = [spelling for value in values for spelling in spellings(value)]
    return [path for path in Path(folder).rglob("*")
            if path.is_file() and any(spelling in path.read_bytes() for spelling in wanted)]


SHADOW = 1 << 30  # bytes; no mapping of ours is so large, and what a sanitizer keeps of each address is terabytes


def is_in_memory(pid, values):
    """Whether one of them is in a process's memory; None where that may not be looked at."""
    try:
        with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                begin, end = (int(part, 16) for part in line.split()[0].split("-"))
                if not line.split()[1].startswith("rw") or end - begin > SHADOW:
                    continue
                try:
                    memory.seek(begin)
                    content = memory.read(end - begin)
                except OSError:
                    continue
                if any(value in content for value in values):
                    return True
        return False
    except PermissionError:
        return None


class SecretsTest(EnrolmentTest):
    sims = (Sim("one", auth="basic"), Sim("two", auth="basic"), Sim("three", auth="basic"))
    tenants = {"one": "acme", "two": "acme", "three": "umbra"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.values, cls.workers, cls.operator = [], [], None

    @classmethod
    def tearDownClass(cls):
        stop_all(cls.workers)
        super().tearDownClass()

    def setUp(self):
        if self.operator:
            return
        type(self).operator = self.mesh.state / "operator.key"
        self.trusted = self.ctl("secret", "keygen", "--operator", self.operator)
        self.assertEqual(self.operator.stat().st_mode & 0o777, 0o600)
        self.ctl("tenant", "add", "umbra")
        for satellite in self.mesh.satellites:
            self.bring_in_with_worker(satellite)
        for satellite in self.mesh.satellites:
            for member in self.mesh.aggregators:
                eventually(lambda: self.key_of(satellite.name, member), f"{member.name} knows the key of {satellite.name}", 30)

    def bring_in_with_worker(self, satellite):
        join = self.ctl("connector", "add", "--tenant", self.tenants[satellite.name], satellite.name)
        self.enrolled(join, satellite, None, "--secrets-operator", self.trusted)
        socket = self.mesh.state / f"run/{satellite.name}-workers/worker.sock"
        allow = [{"uid": os.getuid(), "commands": ["test.*"], "secrets": ["db", "web", "open.*"]}]
        with open(self.mesh.files.config(satellite), "a") as config:
            config.write(f"workers: {json.dumps({'socket': str(socket), 'allow': allow})}\n")
        self.mesh.start(satellite)
        name = f"{satellite.name}-worker"
        self.workers.append(Child(name, [sys.executable, "-B", WORKER, socket], self.mesh.files.log(name)))
        eventually(lambda: self.offers(satellite.name), f"{satellite.name} offers it", 30)

    def offers(self, name):
        with self.mesh.client() as client:
            workers = client.get("/mesh/v1/workers").json()["workers"]
            return any(entry["connector"] == name and entry["type"] != "redfish" for entry in workers)

    def secret(self, *arguments, value=None, status=0, member=None, operator=None):
        """What meshctl says; on stderr where it is to fail."""
        more = {} if value is None else {"input": value.decode()}
        if value is not None and value not in self.values:
            self.values.append(value)
        ended, out, err = run_program("meshctl", "secret", *arguments, "--url", (member or self.mesh.aggregators[0]).facade, "--user",
                                      USER, "--password-file", self.mesh.state / "admin.password", "--cacert", self.mesh.ca,
                                      seconds=30, env={**os.environ, "BMCMESH_OPERATOR": str(operator or self.operator)}, **more)
        self.assertEqual(ended, status, out + err)
        return out if status == 0 else err

    def listed(self, member=None):
        return json.loads(self.secret("list", "--json", member=member))

    def key_of(self, name, member=None):
        keys = {entry["name"]: entry["key"] for entry in self.listed(member)["connectors"]}
        return keys.get(name)

    def is_ready(self, member):
        try:
            with self.mesh.client(member) as client:
                return client.get("/healthz").json()["ready"]
        except NO_ANSWER:
            return False

    def value(self):
        return secrets.token_urlsafe(30).encode()

    def read(self, connector, name, member=None):
        """(digest, failure) that the worker at the connector tells."""
        address = f"{self.tenants[connector]}/{connector}"
        _, out, err = self.ctl_of(self.mesh, "send", address, "test.digest", "--payload", json.dumps({"name": name}), "--json",
                                  member=member)
        if not out:
            return None, err  # nobody offers it just now
        reply = json.loads(out)["replies"][0]
        return reply.get("payload", {}).get("sha256"), reply.get("failure", "")

    def assertReads(self, connector, name, value):
        digest = hashlib.sha256(value).hexdigest()
        eventually(lambda: self.read(connector, name) == (digest, ""), f"{connector} reads {name}", 20)

    def assertReadsNot(self, connector, name, failure="not_found"):
        eventually(lambda: self.read(connector, name) == (None, failure), f"{connector} does not read {name}", 20)

    def assertNowhereInTheClear(self):
        self.assertTrue(self.values)
        backup = self.mesh.state / "backup"
        backup.unlink(missing_ok=True)
        self.ctl("cluster", "backup", backup)
        self.assertIn(b'"box"', backup.read_bytes(), "the sealed ones are in it")
        self.assertEqual(files_with(self.mesh.state, self.values), [])
        for spelling in spellings(self.values[0]):
            planted = self.mesh.state / "planted"
            planted.write_bytes(b"x" + spelling + b"x")
            self.assertEqual(files_with(self.mesh.state, self.values), [planted], "the search finds what is there")
            planted.unlink()
        self.assertIsNot(is_in_memory(os.getpid(), self.values), False, "the search finds what is there")
        for member in self.mesh.aggregators:
            self.assertFalse(is_in_memory(self.mesh.process[member.name].pid, self.values), f"in the memory of {member.name}")


class Secrets(SecretsTest):
    def test_it_is_put_granted_revoked_and_rotated_and_in_the_clear_nowhere(self):
        first, second = self.value(), self.value()
        self.secret("put", "acme/db", "--to", "one", value=first + b"\n")
        self.values[-1] = first
        self.assertReads("one", "db", first)
        self.assertReadsNot("two", "db")
        self.assertEqual(self.secret("get", "db", "--tenant", "acme").encode(), first)
        self.assertRegex(self.secret("list"), r"(?m)^acme/db  \d+  one$")
        with self.subTest("granted to another one, too"):
            self.secret("grant", "acme/db", "--to", "two", member=self.mesh.aggregators[1])
            self.assertReads("two", "db", first)
            self.assertReads("one", "db", first)
        with self.subTest("rotated"):
            self.secret("rotate", "acme/db", value=second)
            self.assertReads("one", "db", second)
            self.assertReads("two", "db", second)
        with self.subTest("revoked"):
            self.secret("revoke", "acme/db", "--from", "one", member=self.mesh.aggregators[2])
            self.assertReadsNot("one", "db")
            self.assertReads("two", "db", second)
        with self.subTest("after restarts of connector and aggregators"):
            self.mesh.kill("two")
            self.mesh.start(self.mesh.satellite("two"))
            member = self.mesh.aggregators[2]
            self.mesh.kill(member.name, signal.SIGTERM)
            self.mesh.start(member)
            self.assertReads("two", "db", second)
        with self.subTest("removed"):
            self.secret("remove", "acme/db")
            self.assertReadsNot("two", "db")
            self.assertIn("no secret", self.secret("get", "acme/db", status=1))
        self.secret("put", "acme/db", "--to", "two", value=first)
        self.assertReads("two", "db", first)
        self.assertNowhereInTheClear()
        with self.subTest("and who did that is recorded"):
            trail = self.ctl("history", "audit", "--resource", "/mesh/v1/secrets/acme:db")
            self.assertRegex(trail, "POST.*/mesh/v1/secrets/acme:db")

    def test_another_tenant_sees_nothing(self):
        ours, theirs = self.value(), self.value()
        self.secret("put", "acme/web", "--to", "one", value=ours)
        self.assertReads("one", "web", ours)
        self.assertReadsNot("three", "web")
        self.secret("put", "umbra/web", "--to", "three", value=theirs)
        self.assertReads("three", "web", theirs)
        self.assertReads("one", "web", ours)
        self.assertIn("umbra/one", self.secret("grant", "umbra/web", "--to", "one", status=1))
        self.assertNowhereInTheClear()

    def test_a_worker_has_what_the_machine_lets_its_user_have(self):
        value = self.value()
        self.secret("put", "acme/closed", "--to", "one", value=value)
        self.assertReadsNot("one", "closed", "permission_denied")
        self.secret("put", "acme/open.door", "--to", "one", value=value)
        self.assertReads("one", "open.door", value)
        self.assertNowhereInTheClear()

    def test_only_a_trusted_operator_is_believed_and_only_its_maker_changes_it(self):
        value, stranger = self.value(), self.mesh.state / "stranger.key"
        self.ctl("secret", "keygen", "--operator", stranger)
        self.secret("put", "acme/open.forged", "--to", "one", operator=stranger, value=value)
        self.assertReadsNot("one", "open.forged", "permission_denied")
        self.assertIn("another operator", self.secret("grant", "acme/open.forged", "--to", "two", status=1))
        self.assertIn("is there already", self.secret("keygen", status=1))
        self.assertIn("is there already", self.secret("put", "acme/open.forged", operator=stranger, status=1, value=value))
        self.assertEqual(self.secret("get", "acme/open.forged", "--operator", stranger).encode(), value, "whatever the environment says")
        self.assertNowhereInTheClear()

    def test_where_an_aggregator_is_silent_the_connector_asks_another_one(self):
        value = self.value()
        self.secret("put", "acme/open.silent", "--to", "one", value=value)
        self.assertReads("one", "open.silent", value)
        for silent in self.mesh.aggregators:
            other = next(member for member in self.mesh.aggregators if member is not silent)
            self.mesh.process[silent.name].signal(signal.SIGSTOP)
            try:  # at once: the connector has not noticed yet
                self.assertEqual(self.read("one", "open.silent", other), (hashlib.sha256(value).hexdigest(), ""), silent.name)
            finally:
                self.mesh.process[silent.name].signal(signal.SIGCONT)
            for member in self.mesh.aggregators:
                eventually(lambda: self.is_ready(member), f"{member.name} is ready", 30)

    def test_nothing_is_sealed_to_a_key_that_may_be_gone(self):
        value, fresh, member = self.value(), self.value(), self.mesh.aggregators[0]
        self.secret("put", "acme/open.gone", "--to", "one,two", value=value)
        self.mesh.kill("two")
        self.mesh.kill(member.name, signal.SIGTERM)
        self.mesh.start(member)
        eventually(lambda: self.is_ready(member), "it is ready", 30)
        eventually(lambda: self.key_of("one", member), "it knows those that are linked", 30)
        self.assertIsNone(self.key_of("two", member))
        refused = self.secret("rotate", "acme/open.gone", value=fresh, status=1)
        self.assertIn("acme/two", refused)
        self.assertIn("--absent", refused)
        self.assertReads("one", "open.gone", value)
        self.secret("rotate", "acme/open.gone", "--absent", value=fresh)
        self.assertReads("one", "open.gone", fresh)
        self.mesh.start(self.mesh.satellite("two"))
        self.assertReads("two", "open.gone", fresh)
        for each in self.mesh.aggregators:
            eventually(lambda: self.key_of("two", each), f"{each.name} knows its key again", 30)

    def test_with_another_key_the_connector_seals_its_own_anew(self):
        value, satellite = self.value(), self.mesh.satellite("two")
        self.secret("put", "acme/open.key", "--to", "one,two", value=value)
        self.assertReads("two", "open.key", value)
        before = self.key_of("two")
        self.ctl("connector", "rotate", "acme/two")

        def moved():
            seen = self.listed()
            found = next(entry for entry in seen["secrets"] if entry["name"] == "open.key")
            key = next(entry["key"] for entry in found["recipients"] if entry["connector"] == "two")
            return key != before and key == self.key_of("two")
        eventually(moved, "its seal is for its new key", 30)
        file = self.mesh.files.own_state(satellite) / "two.secrets"
        self.assertEqual(file.read_text().count("key "), 2, "no aggregator's word takes a former key away")
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        self.assertReads("two", "open.key", value)
        self.assertReads("one", "open.key", value)
        with self.subTest("the operator is asked whether that is right"):
            self.assertIn("--accept-keys", self.secret("rotate", "acme/open.key", value=self.value(), status=1))
            fresh = self.value()
            self.secret("rotate", "acme/open.key", "--accept-keys", value=fresh)
            self.assertReads("two", "open.key", fresh)
        self.assertNowhereInTheClear()
