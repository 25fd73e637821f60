"""What the mesh, a client, a BMC or the machine gets wrong: said to whoever can act, counted, and nobody else notices."""

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import unittest

from harness import ROOT, SLOW, MeshTest, Sim, eventually
from quickstart_lib.ready import NO_ANSWER
from raw_peer import ANNOUNCE, COMMAND, REPLY, RawPeer, field, header, hello, new_id, record


class Counters:
    """What an aggregator counts, and by how much it has grown."""

    def __init__(self, mesh, aggregator):
        self._mesh, self._aggregator = mesh, aggregator
        self._before = self.read()

    def read(self):
        with self._mesh.client(self._aggregator) as client:
            lines = client.get("/metrics").body.decode().splitlines()
        return {name: float(value) for name, _, value in (line.partition(" ") for line in lines if not line.startswith("#"))}

    def grown(self, name):
        return self.read()[name] - self._before[name]

    def await_growth(self, name):
        eventually(lambda: self.grown(name) > 0, f"{name} grows", 10)


class BadPeer(MeshTest):
    """The connector of `bad` is gone; whoever has its key speaks in its place."""

    sims = (Sim("good"), Sim("bad"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mesh.kill("bad")
        cls.aggregator = cls.mesh.aggregators[0]

    def setUp(self):
        self.good, self.bad = self.mesh.satellites
        self.counters = Counters(self.mesh, self.aggregator)

    def tearDown(self):
        for aggregator, client in self.each_facade():
            uri = next(uri for uri in self.members(client, ROOT + "/Systems") if f"/{self.good.prefix}_" in uri)
            self.assertEqual(client.get(uri).status, 200, f"{aggregator.name} serves the others")

    def peer(self, name="bad"):
        peer = RawPeer(self.mesh.state / "keys" / f"{name}.key", f"tcp://127.0.0.1:{self.aggregator.mesh_port}",
                       self.aggregator.key, 5 * SLOW)
        self.addCleanup(peer.__exit__)
        return peer

    def greeted(self):
        peer = self.peer()
        peer.send(hello("bad"))
        self.assertIn(b"local/bad", peer.receive(), "the acknowledgement says who the key stands for")
        return peer

    def test_a_malformed_frame_is_counted(self):
        announce = header(13, field(1, "x"), "local/bad", self.aggregator.name)
        frames = {"noise": os.urandom(300), "no prelude": b"\x01", "another version": record(ANNOUNCE, announce, version=9),
                  "an unknown kind": record(99, announce), "a header longer than the frame": record(ANNOUNCE, announce, head_length=5000),
                  "a body longer than the frame": record(ANNOUNCE, announce, body_length=1 << 31),
                  "no protobuf": record(ANNOUNCE, b"\xff" * 40), "another content": record(REPLY, announce)}
        peer = self.greeted()
        for name, frame in frames.items():
            with self.subTest(frame=name):
                counters = Counters(self.mesh, self.aggregator)
                peer.send(frame)
                counters.await_growth("bmcmesh_records_malformed_total")

    def test_a_frame_over_the_limit_ends_its_connection(self):
        peer = self.greeted()
        peer.send(record(REPLY, header(10, field(1, 2)), b"x" * (4 << 20)))
        eventually(lambda: "up" not in str(self.state_of_bad().get("LinkStatus", "")), "the link is down", 10)

    def state_of_bad(self):
        with self.mesh.client(self.aggregator) as client:
            return client.get(f"{ROOT}/AggregationService/AggregationSources/{self.bad.prefix}").json()

    def test_nobody_speaks_for_another(self):
        peer = self.greeted()
        peer.send(record(ANNOUNCE, header(13, field(1, "stolen") + field(2, 1), "local/good", self.aggregator.name)))
        self.counters.await_growth("bmcmesh_records_wrong_source_total")

    def test_a_connector_gives_no_commands(self):
        peer = self.greeted()
        command = field(1, "redfish.request") + field(4, "POST") + field(5, f"{ROOT}/Systems/{self.good.prefix}_1")
        peer.send(record(COMMAND, header(9, command, "local/bad", "local/good", new_id())))
        self.counters.await_growth("bmcmesh_records_not_allowed_total")

    def test_a_reply_to_nothing_is_counted(self):
        peer = self.greeted()
        peer.send(record(REPLY, header(10, field(1, 2) + field(4, 200), "local/bad", self.aggregator.name, new_id()), b"{}"))
        self.counters.await_growth("bmcmesh_replies_unknown_total")

    def test_the_key_of_another_name_is_refused(self):
        peer = self.peer()
        peer.send(hello("good"))
        self.assertIn(b"another name", peer.receive())
        self.greeted()  # the listener lives on

    def test_nothing_is_taken_before_the_greeting(self):
        peer = self.peer()
        peer.send(record(ANNOUNCE, header(13, field(1, "early") + field(2, 1), "local/bad", self.aggregator.name)))
        peer.send(hello("bad"))
        peer.receive()
        self.assertNotIn("early", json.dumps(self.state_of_bad()))


class BadClient(MeshTest):
    sims = (Sim("one", auth="basic"),)

    def setUp(self):
        self.aggregator, self.satellite = self.mesh.aggregators[0], self.mesh.satellites[0]
        self.counters = Counters(self.mesh, self.aggregator)
        with self.mesh.client() as client:
            self.system = self.members(client, ROOT + "/Systems")[0]
            self.basic = client._basic

    def tearDown(self):
        with self.mesh.client() as client:
            self.assertEqual(client.get(self.system).status, 200)

    @contextlib.contextmanager
    def connected(self):
        context = ssl.create_default_context(cafile=str(self.mesh.ca))
        with socket.create_connection(("127.0.0.1", self.aggregator.facade_port), 10 * SLOW) as plain, \
                context.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
            yield tls

    def raw(self, text):
        """What comes back when exactly this is sent, and then no more."""
        answer = b""
        with self.connected() as tls:
            tls.sendall(text.encode())
            while b"\r\n\r\n" not in answer and (piece := tls.recv(65536)):
                answer += piece
        return answer.decode(errors="replace")

    def get(self, *lines, target=ROOT + "/Systems"):
        return self.raw("\r\n".join([f"GET {target} HTTP/1.1", "Host: f", f"Authorization: {self.basic}", *lines, "", ""]))

    def test_requests_that_no_server_may_take(self):
        rows = {"no request line": ("nonsense\r\n\r\n", 400), "no version": (f"GET {ROOT}\r\n\r\n", 400),
                "two lengths": (f"POST {ROOT} HTTP/1.1\r\nHost: f\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
                "length and chunks": (f"POST {ROOT} HTTP/1.1\r\nHost: f\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                "a blank before the colon": (f"GET {ROOT} HTTP/1.1\r\nHost : f\r\n\r\n", 400),
                "a NUL": (f"GET {ROOT}/\0 HTTP/1.1\r\nHost: f\r\n\r\n", 400),
                "a broken chunk": (f"POST {ROOT}/SessionService/Sessions HTTP/1.1\r\nHost: f\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400)}
        for name, (text, status) in rows.items():
            with self.subTest(request=name):
                self.assertRegex(self.raw(text), rf"^HTTP/1\.1 {status} ")
        self.counters.await_growth("bmcmesh_http_malformed_total")

    def test_sizes_have_limits(self):
        self.assertRegex(self.get("X-Long: " + "x" * 40_000), r"^HTTP/1\.1 431 ")
        self.assertRegex(self.get(*[f"X-{number}: y" for number in range(200)]), r"^HTTP/1\.1 431 ")
        self.assertRegex(self.get(target=ROOT + "/" + "x" * 9_000), r"^HTTP/1\.1 414 ")
        with self.mesh.client() as client:
            self.assertRedfishError(client.post(ROOT + "/SessionService/Sessions", {"UserName": "x" * 400_000}), 413)
        self.counters.await_growth("bmcmesh_http_too_large_total")

    def test_a_body_that_is_no_json_is_said(self):
        with self.mesh.client() as client:
            for body in (b"{", b"[]", b'{"UserName":1}', b"\xff\xfe"):
                with self.subTest(body=body):
                    answer = client.post(ROOT + "/SessionService/Sessions", body, headers={"Content-Type": "application/json"})
                    self.assertRedfishError(answer, 400)

    def test_half_a_body_is_never_executed(self):
        self.mesh.tell(self.satellite, "DELETE", "/executions")
        self.raw_half_patch()
        self.counters.await_growth("bmcmesh_http_aborted_total")
        eventually(lambda: self.in_flight() == 0, "nothing of it is left", 10)
        self.assertEqual([each for each in self.mesh.tell(self.satellite, "GET", "/executions") if each["method"] == "PATCH"], [])

    def raw_half_patch(self):
        head = (f"PATCH {self.system} HTTP/1.1\r\nHost: f\r\nAuthorization: {self.basic}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n" + '{"AssetTag":"half"')
        with self.connected() as tls:
            tls.sendall(head.encode())

    def in_flight(self):
        return self.counters.read()["bmcmesh_requests_in_flight"]

    def test_a_bmc_that_speaks_no_json_or_less_than_it_says_never_looks_complete(self):
        own = self.system.rsplit("_", 1)[1] + "$"
        self.addCleanup(self.mesh.heal, self.satellite)
        for kind, more in (("invalid-json", {}), ("length", {"delta": -10}), ("no-content-type", {})):
            with self.subTest(kind=kind, **more):
                self.mesh.heal(self.satellite)
                self.mesh.fault(self.satellite, kind, path=own, times=1, **more)
                with self.mesh.client(timeout=60) as client:
                    try:
                        answer = client.get(self.system)
                    except NO_ANSWER:  # cut off, as the BMC's was
                        continue
                    whole = answer.status == 200 and kind == "no-content-type"
                    self.assertTrue(whole or answer.status in (502, 504), (answer.status, answer.body[-200:]))


@unittest.skipUnless(os.geteuid() == 0, "a small file system is mounted, which only root may")
class FullDisk(MeshTest):
    """Every state folder is on a file system of its own, which is full and then no longer."""

    sims, aggregators = (Sim("one", auth="basic"),), 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.filler, cls.mounted = {}, []
        for member in [*cls.mesh.aggregators, *cls.mesh.satellites]:
            folder = cls.mesh.files.own_state(member)
            cls.mesh.kill(member.name, signal.SIGTERM)
            kept = folder.with_name(folder.name + ".kept")
            folder.rename(kept)
            folder.mkdir()
            size = "16m" if member in cls.mesh.aggregators else "256k"  # the cluster's log is kept in large segments
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "bmcmesh-test", folder], check=True)
            cls.mounted.append(folder)
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            cls.filler[member.name] = folder / "filler"
            if member in cls.mesh.aggregators:  # which else would refuse what cannot be recorded before it is tried
                member.extra = {"history": {"audit": "best_effort"}}
                cls.mesh.files.write_aggregator(member, cls.mesh.aggregators)
            cls.mesh.start(member)
        cls.mesh.await_ready()

    @classmethod
    def tearDownClass(cls):
        for folder in cls.mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)
        super().tearDownClass()

    def fill(self, member):
        self.addCleanup(self.free, member)
        with open(self.filler[member.name], "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)

    def free(self, member):
        self.filler[member.name].unlink(missing_ok=True)

    def test_what_the_connector_cannot_record_is_not_executed(self):
        satellite = self.mesh.satellites[0]
        with self.mesh.client() as client:
            system = self.members(client, ROOT + "/Systems")[0]
            reset = system + "/Actions/ComputerSystem.Reset"
            self.mesh.tell(satellite, "DELETE", "/executions")
            self.fill(satellite)
            refused = eventually(lambda: self.refused(client, reset), "the disk is full", 20)
            self.assertRedfishError(refused, 503)
            self.assertIn("No space left", refused.body.decode())
            self.assertTrue(refused.header("Retry-After"), "nothing was done, so it may be repeated")
            done = len(self.mesh.tell(satellite, "GET", "/executions"))
            self.assertEqual(self.refused(client, reset).status, 503)
            self.assertEqual(len(self.mesh.tell(satellite, "GET", "/executions")), done, "the BMC was not asked")
            self.assertEqual(client.get(system).status, 200, "reading goes on")
            self.free(satellite)
            self.assertEqual(client.post(reset, {"ResetType": "On"}).status // 100, 2)

    @staticmethod
    def refused(client, reset):
        """The refusal of an action; None as long as the journal's last page has room."""
        answer = client.post(reset, {"ResetType": "On"})
        return answer if answer.status // 100 != 2 else None

    def test_an_account_that_cannot_be_stored_is_not_there(self):
        aggregator = self.mesh.aggregators[0]
        accounts = ROOT + "/AccountService/Accounts"
        with self.mesh.client() as client:
            before = self.members(client, accounts)
            self.fill(aggregator)
            answer = self.first_refused_change(client)
            self.assertIn("no room for the log", answer.body.decode())
            self.assertIsNone(self.made(client, accounts, "never"))
            stored = self.members(client, accounts)
            self.assertEqual(client.get(ROOT + "/Systems").status, 200, "reading goes on")
            self.free(aggregator)
            made = eventually(lambda: self.made(client, accounts, "after"), "storing works again", 30)
            self.assertEqual(self.members(client, accounts), stored + [made.header("Location")])
            self.assertEqual(stored, before)

    @staticmethod
    def made(client, accounts, name):
        answer = client.post(accounts, {"UserName": name, "Password": "Correct-horse-9", "RoleId": "ReadOnly"})
        return answer if answer.status == 201 else None

    def first_refused_change(self, client):
        """The log has room reserved for some thousand entries, and frees some with each snapshot, which is taken at once: large ones
        fill it soon, small ones what is then left."""
        def large(count):
            keys = {"filler": {"type": "string", "enum": [f"{count} {'x' * 6000}"]}}
            return client.post("/mesh/v1/config", {"document": {"kind": "pivot", "type": "filler", "keys": keys}, "tenant": "local"})

        def small(count):
            return client.request("PATCH", ROOT + "/SessionService", {"SessionTimeout": 600 + count % 2})
        for change in (large, small):
            answer = self.refused_at_last(change)
        return answer

    def refused_at_last(self, change):
        for count in range(30000):
            self.fill(self.mesh.aggregators[0])
            answer = change(count)
            if answer.status // 100 != 2:
                self.assertRedfishError(answer, 503)
                return answer
        raise AssertionError("the disk is never full")


if __name__ == "__main__":
    unittest.main()
