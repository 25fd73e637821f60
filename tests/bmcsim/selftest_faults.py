"""Each fault, as the client on the wire sees it. Loaded by selftest.py."""

import contextlib
import gzip
import http.client
import json
import os
import socket
import ssl
import time

from selftest_support import DEADLINE, ROOT, Case, raw_socket, wait_for

SYSTEM = f"{ROOT}/Systems/system1"
ASSET = {"AssetTag": "a"}


class FaultCase(Case):
    satellite = "plain"

    def assert_served(self):
        """The satellite answers again, on a new connection."""
        self.assertEqual(200, self.new_client().get(SYSTEM).status)

    def request_text(self, path):
        credentials = self.client.headers["Authorization"]
        return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {credentials}\r\n\r\n".encode()

    def everything(self, path):
        """All bytes until the satellite closes."""
        with raw_socket(self.simulator[self.satellite]) as connection:
            connection.sendall(self.request_text(path))
            data = b""
            while part := connection.recv(65536):
                data += part
            return data


class BeforeTheAnswer(FaultCase):
    def test_delay_answers_late(self):
        self.fault("delay", ms=150)
        started = time.monotonic()
        self.get(SYSTEM)
        self.assertGreaterEqual(time.monotonic() - started, 0.15)

    def test_hang_never_answers_and_executes_nothing(self):
        self.fault("hang", method="PATCH")
        client = self.new_client(timeout=0.3)
        with self.assertRaises(TimeoutError):
            client("PATCH", SYSTEM, ASSET)
        self.assertEqual([], self.executed())
        self.assertEqual(1, self.counts()["by"][f"PATCH {SYSTEM}"])
        self.assert_served()

    def test_hang_can_execute_first(self):
        self.fault("hang", method="PATCH", execute=True)
        client = self.new_client(timeout=0.5)
        with self.assertRaises(TimeoutError):
            client("PATCH", SYSTEM, {"AssetTag": "executed"})
        self.assertEqual([200], [record["status"] for record in self.executed()])
        self.assertEqual("executed", self.get(SYSTEM).json["AssetTag"])

    def test_reset_is_a_tcp_reset(self):
        self.fault("reset")
        with raw_socket(self.simulator[self.satellite]) as connection:
            connection.sendall(self.request_text(SYSTEM))
            with self.assertRaises(ConnectionResetError):
                connection.recv(1000)
        self.assert_served()

    def test_close_is_an_end_without_an_answer(self):
        self.fault("close", method="GET")
        self.assertEqual(b"", self.everything(SYSTEM))
        self.assertEqual(1, self.counts()["total"])

    def test_close_after_execution_leaves_one_execution(self):
        self.fault("close", method="PATCH", execute=True)
        with self.assertRaises(http.client.RemoteDisconnected):
            self.client("PATCH", SYSTEM, ASSET, X_Command_Id="c-7")
        record, = self.executed()
        self.assertEqual("c-7", record["headers"]["X-Command-Id"])

    def test_reset_within_a_request_body(self):
        self.fault("reset", method="POST", after_bytes=100000)
        with self.assertRaises((ConnectionError, http.client.RemoteDisconnected, ssl.SSLError)):
            self.client("POST", f"{ROOT}/UpdateService/update", b"x" * 50_000_000)
        self.assertEqual([], self.executed())

    def test_status_with_and_without_body(self):
        self.fault("status", status=503, headers={"Retry-After": "7"})
        answer = self.get(SYSTEM, 503)
        self.assertEqual("7", answer.headers["Retry-After"])
        self.assertEqual("Base.1.13.GeneralError", answer.json["error"]["code"])
        self.fault("status", status=500, body="")
        answer = self.get(SYSTEM, 500)
        self.assertEqual((b"", None), (answer.body, answer.headers["Content-Type"]))

    def test_unauthorized_once(self):
        self.fault("unauthorized")
        self.assertIn("Basic", self.get(SYSTEM, 401).headers["WWW-Authenticate"])
        self.get(SYSTEM)

    def test_redirect(self):
        self.fault("redirect", location="/elsewhere")
        self.assertEqual("/elsewhere", self.get(SYSTEM, 307).headers["Location"])
        self.fault("redirect", status=301)
        self.assertEqual(SYSTEM + "/", self.get(SYSTEM, 301).headers["Location"])


class AtTheAnswer(FaultCase):
    def setUp(self):
        super().setUp()
        self.whole = self.get(SYSTEM).body
        self.control("POST", "/reset-counts")

    def test_truncate_announces_more_than_it_sends(self):
        self.fault("truncate", bytes=100)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.client.get(SYSTEM)
        self.assertEqual(self.whole[:100], caught.exception.partial)
        self.assertEqual(len(self.whole) - 100, caught.exception.expected)
        self.fault("truncate", bytes=0.25, path="/Download/")
        with self.assertRaises(http.client.IncompleteRead) as caught:
            self.new_client().get(f"{ROOT}/Download/400000")
        self.assertEqual(100000, len(caught.exception.partial))

    def test_truncated_chunked_lacks_the_last_chunk(self):
        self.fault("truncate", bytes=70000)
        with self.assertRaises(http.client.IncompleteRead):
            self.client.get(f"{ROOT}/Download/200000?chunked=1")

    def test_invalid_json(self):
        self.fault("invalid-json")
        answer = self.get(SYSTEM)
        self.assertEqual("application/json", answer.headers["Content-Type"])
        with self.assertRaises(json.JSONDecodeError):
            self.assertIsNone(answer.json)

    def test_length_too_long_and_too_short(self):
        self.fault("length", delta=10)
        client = self.new_client(timeout=0.3)
        with self.assertRaises(TimeoutError):
            client.get(SYSTEM)
        self.fault("length", delta=-10)
        with raw_socket(self.simulator[self.satellite]) as connection:
            connection.sendall(self.request_text(SYSTEM))
            data = b""
            while not data.endswith(self.whole):
                data += connection.recv(65536)
        self.assertIn(f"Content-Length: {len(self.whole) - 10}\r\n".encode(), data)

    def test_stale_connection_is_closed_after_a_good_answer(self):
        self.fault("stale")
        data = self.everything(SYSTEM)
        head, _, body = data.partition(b"\r\n\r\n")
        self.assertEqual(self.whole, body)
        self.assertNotIn(b"close", head.lower())

    def test_stale_connection_fails_the_next_request(self):
        self.fault("stale", mode="on-next")
        self.get(SYSTEM)
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            self.client("PATCH", SYSTEM, ASSET)
        self.assertEqual([], self.executed())
        self.assert_served()

    def test_drip_is_slow_and_complete(self):
        self.fault("drip", rate=len(self.whole) * 5)
        started = time.monotonic()
        self.assertEqual(self.whole, self.get(SYSTEM).body)
        self.assertGreater(time.monotonic() - started, 0.18)

    def test_gzip_that_nobody_asked_for(self):
        self.fault("gzip")
        answer = self.get(SYSTEM)
        self.assertEqual("gzip", answer.headers["Content-Encoding"])
        self.assertEqual(self.whole, gzip.decompress(answer.body))

    def test_hang_after_head(self):
        self.fault("hang-after-head")
        client = self.new_client(timeout=0.3)
        response = client.send("GET", SYSTEM)
        self.assertEqual(200, response.status)
        with self.assertRaises(TimeoutError):
            response.read()

    def test_no_content_type(self):
        self.fault("no-content-type")
        answer = self.get(SYSTEM)
        self.assertEqual((None, self.whole), (answer.headers["Content-Type"], answer.body))

    def test_chunked(self):
        self.fault("chunked")
        answer = self.get(SYSTEM)
        self.assertEqual(("chunked", None), (answer.headers["Transfer-Encoding"], answer.headers["Content-Length"]))
        self.assertEqual(self.whole, answer.body)

    def test_headers_are_added_and_removed(self):
        self.fault("headers", set={"Set-Cookie": "a=b", "Location": "http://evil/"}, remove=["etag"])
        answer = self.get(SYSTEM)
        self.assertEqual(("a=b", "http://evil/", None),
                         tuple(answer.headers[name] for name in ("Set-Cookie", "Location", "ETag")))

    def test_the_connection_goes_on_after_a_raw_answer(self):
        self.fault("no-content-type")
        self.get(SYSTEM)
        self.get(SYSTEM)
        self.assertEqual(1, self.counts()["connections"])


class Choosing(FaultCase):
    def test_match_times_skip_and_deletion(self):
        number = self.fault("status", path="Systems$", method="GET", times=2, skip=1, status=418)
        self.get(SYSTEM)
        statuses = [self.client.get(f"{ROOT}/Systems").status for _ in range(4)]
        self.assertEqual([200, 418, 418, 200], statuses)
        listed, = self.control("GET", "/faults")
        self.assertEqual((number, 2, 0), (listed["id"], listed["hits"], listed["times"]))
        self.assertEqual({"removed": 1}, self.control("DELETE", f"/faults/{number}"))
        self.assertEqual([], self.control("GET", "/faults"))

    def test_probability_is_between_never_and_always(self):
        self.fault("status", times=None, probability=0.5, status=418)
        statuses = {self.client.get(SYSTEM).status for _ in range(60)}
        self.assertEqual({200, 418}, statuses)

    def test_another_satellite_is_not_met(self):
        self.fault("status", times=None, status=418)
        self.assertEqual(200, self.new_client("gen").get(SYSTEM).status)

    def test_faults_work_together(self):
        self.fault("delay", ms=100)
        self.fault("gzip")
        started = time.monotonic()
        self.assertEqual("gzip", self.get(SYSTEM).headers["Content-Encoding"])
        self.assertGreaterEqual(time.monotonic() - started, 0.1)

    def test_nonsense_is_refused(self):
        for body in ({"kind": "mischief"}, {"kind": "delay", "bytes": 1}, {"kind": "hang", "satellite": "none"},
                     {"kind": "hang", "match": {"path": "("}}, {"kind": "hang", "match": {"verb": "GET"}}):
            with self.subTest(body):
                self.assertEqual(400, self.simulator.control("POST", "/faults", **body)[0])


class Network(FaultCase):
    def test_down_refuses_connections_and_up_takes_the_same_port(self):
        self.get(SYSTEM)
        self.control("POST", "/network", satellite=self.satellite, up=False)
        self.addCleanup(self.control, "POST", "/network", satellite=self.satellite, up=True)
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            self.client.get(SYSTEM)
        with self.assertRaises(ConnectionRefusedError):
            self.new_client().get(SYSTEM)
        self.control("POST", "/network", satellite=self.satellite, up=True)
        self.assert_served()

    def test_manager_reset_leaves_the_network_for_a_while(self):
        self.control("POST", "/options", satellite=self.satellite, manager_reset_ms=200)
        self.addCleanup(self.control, "POST", "/options", satellite=self.satellite, manager_reset_ms=0)
        answer = self.client("POST", f"{ROOT}/Managers/bmc/Actions/Manager.Reset", {"ResetType": "ForceRestart"})
        self.assertEqual(204, answer.status)

        def refused():
            with contextlib.suppress(http.client.HTTPException, OSError):
                self.new_client().get(ROOT)
                return False
            return True
        wait_for(refused, "the satellite goes")
        wait_for(lambda: not refused(), "the satellite comes back")


class OverTls(BeforeTheAnswer, AtTheAnswer):
    """All the same with TLS."""
    satellite = "gen"

    def test_close_is_a_proper_tls_end(self):
        self.fault("close")
        with raw_socket(self.simulator[self.satellite]) as connection:
            self.assertIsInstance(connection, ssl.SSLSocket)
            connection.suppress_ragged_eofs = False
            connection.sendall(self.request_text(SYSTEM))
            self.assertEqual(b"", connection.recv(100))

    def test_reset_is_a_tcp_reset(self):
        self.fault("reset")
        with raw_socket(self.simulator[self.satellite]) as connection:
            connection.sendall(self.request_text(SYSTEM))
            # beneath TLS, as Python's makes a mere end of it; what was on its way comes first
            with socket.socket(fileno=os.dup(connection.fileno())) as plain:
                plain.settimeout(DEADLINE)
                with self.assertRaises(ConnectionResetError):
                    while plain.recv(1000):
                        pass
