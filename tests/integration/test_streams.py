"""What flows: events as they happen, pages to the end, images and downloads of any length in bounded memory."""

import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import queue
import re
import ssl
import threading
import unittest
from urllib.parse import urlsplit

from harness import ROOT, SLOW, USER, MeshTest, Sim, eventually

MIB = 1024 * 1024
IMAGE, DOWNLOAD = 64 * MIB, 50 * MIB
MOST_GROWTH = 8 * MIB        # of a daemon's memory, whatever the length of what flows through it
BLOCK = hashlib.sha256(b"image").digest() * 2048
SUBSCRIPTIONS = ROOT + "/EventService/Subscriptions"
EVENT_STREAMS = 4            # that a connector keeps open at its BMC


class StreamTest(MeshTest):
    aggregators = 1

    def setUp(self):
        self.satellite = self.mesh.satellites[0]
        self.mapping = self.mesh.mapping(self.satellite)
        self.addCleanup(self.mesh.heal, self.satellite)

    @contextlib.contextmanager
    def connection(self):
        """To the facade, for what Client does not do: bodies piece by piece, both ways."""
        address = urlsplit(self.mesh.aggregators[0].facade)
        connection = http.client.HTTPSConnection(address.hostname, address.port, timeout=15 * SLOW,
                                                 context=ssl.create_default_context(cafile=str(self.mesh.ca)))
        with contextlib.closing(connection):
            yield connection

    def head(self, method, path, **headers):
        login = base64.b64encode(f"{USER}:{self.mesh.password}".encode()).decode()
        return (method, self.mapping.own_uri(path)), {"Authorization": "Basic " + login, **{
            name.replace("_", "-"): value for name, value in headers.items()}}

    def get(self, connection, path, **headers):
        """The response with its body unread."""
        line, headers = self.head("GET", path, **headers)
        connection.request(*line, headers=headers)
        return connection.getresponse()

    def options(self, **options):
        self.mesh.tell(self.satellite, "POST", "/options", {"satellite": self.satellite.name, **options})

    def metric(self, client, name):
        return int(re.search(rf"^{name} (\d+)$", client.get("/metrics").body.decode(), re.MULTILINE)[1])


class Events(StreamTest):
    sims = (Sim("machine"),)

    def emit(self, **event):
        self.mesh.tell(self.satellite, "POST", "/event", {"satellite": self.satellite.name, **event})

    def subscriptions(self):
        with self.mesh.bmc(self.satellite) as bmc:
            return [member["@odata.id"] for member in bmc.get(SUBSCRIPTIONS).json()["Members"]]

    def open(self, connection):
        stream = self.get(connection, ROOT + "/EventService/SSE", Accept="text/event-stream")
        self.assertEqual(stream.status, 200)
        self.assertTrue(stream.getheader("Content-Type").startswith("text/event-stream"))
        self.assertIsNone(stream.getheader("Content-Length"))
        self.assertEqual(stream.readline(), b": open\n")
        self.assertEqual(stream.readline(), b"\n")
        return stream

    @staticmethod
    def event(stream):
        """The next event's data, as a document."""
        data = b""
        for line in iter(stream.readline, b""):
            if line.startswith(b"data: "):
                data += line[6:]
            elif line == b"\n" and data:
                return json.loads(data)
        raise AssertionError("the stream has ended")

    def test_each_event_arrives_as_it_happens_while_the_stream_stays_open(self):
        system = ROOT + "/Systems/system1"
        with self.connection() as connection:
            stream = self.open(connection)
            for number, pretty in enumerate((False, True, False)):
                self.emit(origin=system, args=[str(number), system], text=f"Look at {system}.", pretty=pretty)
                record = self.event(stream)["Events"][0]  # before there is another
                self.assertEqual(record["OriginOfCondition"]["@odata.id"], self.mapping.uri(system))
                self.assertEqual(record["MessageArgs"], [str(number), self.mapping.uri(system)])
                self.assertEqual(record["Message"], f"Look at {self.mapping.uri(system)}.")

    def test_a_comment_that_keeps_the_stream_alive_passes(self):
        self.options(sse_keepalive_ms=200)
        self.addCleanup(self.options, sse_keepalive_ms=15000)
        with self.connection() as connection:
            stream = self.open(connection)
            for _ in range(3):
                self.assertEqual((stream.readline(), stream.readline()), (b": alive\n", b"\n"))

    def test_a_client_that_leaves_closes_the_stream_at_the_bmc(self):
        before = self.subscriptions()
        with self.connection() as connection:
            self.open(connection)
            self.assertEqual(len(self.subscriptions()), len(before) + 1)
        eventually(lambda: self.subscriptions() == before, "the BMC has ended the stream")
        with self.mesh.client() as client:
            eventually(lambda: self.metric(client, "bmcmesh_requests_in_flight") == 0, "the aggregator has forgotten it")

    def test_head_of_a_stream_opens_none(self):
        line, headers = self.head("HEAD", ROOT + "/EventService/SSE")
        with self.connection() as connection:
            for _ in range(EVENT_STREAMS + 1):
                connection.request(*line, headers=headers)
                answer = connection.getresponse()
                self.assertEqual(answer.status, 200)
                self.assertTrue(answer.getheader("Content-Type").startswith("text/event-stream"))
                self.assertIsNone(answer.getheader("Content-Length"))
                answer.read()
        eventually(lambda: not [uri for uri in self.subscriptions() if "sse" in uri], "the BMC has ended what it began")

    def test_whose_account_is_disabled_gets_no_more(self):
        accounts = ROOT + "/AccountService/Accounts"
        password = "watches-the-sleds-7"
        with self.mesh.client() as client, self.connection() as connection:
            made = client.post(accounts, {"UserName": "watcher", "Password": password, "RoleId": "ReadOnly"})
            self.assertEqual(made.status, 201, made.body)
            self.addCleanup(self.delete, made.header("Location"))
            login = base64.b64encode(f"watcher:{password}".encode()).decode()
            (method, uri), _ = self.head("GET", ROOT + "/EventService/SSE")
            connection.request(method, uri, headers={"Authorization": "Basic " + login, "Accept": "text/event-stream"})
            stream = connection.getresponse()
            self.assertEqual((stream.status, stream.readline()), (200, b": open\n"))
            self.assertEqual(client.request("PATCH", made.header("Location"), {"Enabled": False}).status, 200)
            with contextlib.suppress(http.client.HTTPException, ConnectionError):  # cut, not ended
                while stream.readline():
                    pass

    def delete(self, uri):
        with self.mesh.client() as client:
            self.assertEqual(client.request("DELETE", uri).status, 204)

    def test_a_subscription_that_is_deleted_ends_the_stream(self):
        before = self.subscriptions()
        with self.connection() as connection, self.mesh.client() as client:
            stream = self.open(connection)
            made = next(uri for uri in self.subscriptions() if uri not in before)
            self.assertEqual(client.request("DELETE", self.mapping.uri(made)).status, 204)
            self.assertEqual(stream.read(), b"")

    def test_streams_leave_room_for_requests(self):
        with contextlib.ExitStack() as streams, self.mesh.client() as client:
            for _ in range(EVENT_STREAMS):
                self.open(streams.enter_context(self.connection()))
            refused = self.get(streams.enter_context(self.connection()), ROOT + "/EventService/SSE")
            self.assertEqual(refused.status, 503, refused.read())
            self.assertEqual(client.get(self.mapping.uri(ROOT + "/Systems/system1")).status, 200)
        eventually(lambda: not [uri for uri in self.subscriptions() if "sse" in uri], "all are closed")
        with self.connection() as connection:
            self.open(connection)

    def test_a_subscription_at_the_bmc_pushes_to_its_destination(self):
        """By the BMC itself, and therefore in its own words."""
        with receiver() as (address, taken), self.mesh.client() as client:
            answer = client.post(self.mapping.own_uri(SUBSCRIPTIONS), {
                "Destination": address, "Protocol": "Redfish", "Context": "mine", "HttpHeaders": [{"X-Mine": "yes"}]})
            self.assertEqual(answer.status, 201, answer.body)
            self.assertEqual(answer.json()["Destination"], address)
            self.emit(origin=ROOT + "/Systems/system1")
            headers, body = taken.get(timeout=10 * SLOW)
            while body["Events"][0].get("OriginOfCondition") != {"@odata.id": ROOT + "/Systems/system1"}:
                headers, body = taken.get(timeout=10 * SLOW)
            self.assertEqual((body["Context"], headers["X-Mine"]), ("mine", "yes"))
            self.assertEqual(client.request("DELETE", answer.header("Location")).status, 204)


@contextlib.contextmanager
def receiver():
    """(URL, queue of (headers, document)) of a listener for pushed events."""
    taken = queue.Queue()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            taken.put((self.headers, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/events", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Pages(StreamTest):
    sims = (Sim("machine", options={"page": 2, "systems": 5}),)

    def follow(self, client, uri):
        """(members, pages) of a collection whose pages are followed to the end."""
        members, pages, total = [], 0, None
        while uri:
            document = client.get(uri).json()
            total = document["Members@odata.count"] if total is None else total
            self.assertEqual(document["Members@odata.count"], total)
            members += [member["@odata.id"] for member in document["Members"]]
            uri, pages = document.get("Members@odata.nextLink"), pages + 1
        self.assertEqual((len(members), len(set(members))), (total, total))
        return members, pages

    def test_a_paged_log_is_followed_to_its_end(self):
        entries = ROOT + "/Systems/system1/LogServices/SEL/Entries"
        with self.mesh.client() as client, self.mesh.bmc(self.satellite) as bmc:
            there, here = self.follow(bmc, entries), self.follow(client, self.mapping.uri(entries))
        self.assertEqual(there[1], here[1])
        self.assertEqual([self.mapping.uri(uri) for uri in there[0]], here[0])
        self.assertEqual((len(here[0]), here[1]), (120, 60))

    def test_a_collection_that_the_bmc_pages_is_merged_whole(self):
        with self.mesh.client() as client:
            self.assertNotIn("Members@odata.nextLink", client.get(ROOT + "/Systems").json())
            self.assertEqual(self.members(client, ROOT + "/Systems"),
                             [self.mapping.uri(f"{ROOT}/Systems/system{n}") for n in range(1, 6)])


class Memory:
    """The most that each of some processes has grown by in a with block, sampled; in bytes, by name."""

    def __init__(self, processes):
        self._pids = {name: child.pid for name, child in processes.items()}
        self._before = {name: self._now(pid) for name, pid in self._pids.items()}
        self.growth = dict.fromkeys(self._pids, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @staticmethod
    def _now(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))

    def _watch(self):
        while not self._over.wait(0.01):
            for name, pid in self._pids.items():
                self.growth[name] = max(self.growth[name], self._now(pid) - self._before[name])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


class LargeBodies(StreamTest):
    sims = (Sim("machine"),)

    def setUp(self):
        super().setUp()
        with self.mesh.bmc(self.satellite) as bmc:
            self.push = bmc.get(ROOT + "/UpdateService").json()["MultipartHttpPushUri"]

    @contextlib.contextmanager
    def assertBoundedMemory(self, what):
        names = (self.mesh.aggregators[0].name, self.satellite.name)
        with Memory({name: self.mesh.process[name] for name in names}) as memory:
            yield
        print(f"{what}: RssAnon grew by " + ", ".join(f"{memory.growth[name] / MIB:.1f} MiB in {name}" for name in names))
        for name in names if SLOW == 1 else ():  # instrumented builds keep what was freed
            self.assertLess(memory.growth[name], MOST_GROWTH, f"{what}: {name}")

    def update(self, size):
        """(length, pieces) of a multipart update with an image of this size."""
        head = ('--b\r\nContent-Disposition: form-data; name="UpdateParameters"\r\nContent-Type: application/json\r\n\r\n'
                f'{{"Targets":["{self.mapping.uri(ROOT + "/UpdateService/FirmwareInventory/bmc")}"]}}\r\n'
                '--b\r\nContent-Disposition: form-data; name="UpdateFile"; filename="image"\r\n'
                'Content-Type: application/octet-stream\r\n\r\n').encode()
        end = b"\r\n--b--\r\n"

        def pieces():
            yield head
            for _ in range(size // len(BLOCK)):
                yield BLOCK
            yield end
        return len(head) + size + len(end), pieces()

    def begin_update(self, connection, length):
        (method, uri), headers = self.head("POST", self.push, Content_Type="multipart/form-data; boundary=b")
        connection.putrequest(method, uri)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            connection.putheader(name, value)
        connection.endheaders()

    def send_update(self, size):
        length, pieces = self.update(size)
        with self.connection() as connection:
            self.begin_update(connection, length)
            for piece in pieces:
                connection.send(piece)
            answer = connection.getresponse()
            self.assertEqual(answer.status, 202, answer.read())

    def uploads(self):
        return self.mesh.tell(self.satellite, "GET", f"/uploads?satellite={self.satellite.name}")

    def assertReceived(self, size):
        digest = hashlib.sha256()
        for _ in range(size // len(BLOCK)):
            digest.update(BLOCK)
        upload = self.uploads()[-1]
        self.assertEqual((upload["finished"], upload["size"], upload["sha256"]), (True, size, digest.hexdigest()))
        self.assertEqual(upload["parameters"], {"Targets": [ROOT + "/UpdateService/FirmwareInventory/bmc"]})

    def test_a_long_image_arrives_whole_in_bounded_memory(self):
        with self.assertBoundedMemory(f"an update of {IMAGE // MIB} MiB"):
            self.send_update(IMAGE)
        self.assertReceived(IMAGE)

    def test_a_long_download_arrives_whole_in_bounded_memory_also_while_the_client_pauses(self):
        digest = hashlib.sha256()
        with self.assertBoundedMemory(f"a download of {DOWNLOAD // MIB} MiB"), self.connection() as connection:
            answer = self.get(connection, f"{ROOT}/Download/{DOWNLOAD}")
            self.assertEqual((answer.status, answer.getheader("Content-Length")), (200, str(DOWNLOAD)))
            digest.update(answer.read(MIB))
            self.await_standstill()
            while piece := answer.read(MIB):
                digest.update(piece)
        told = self.mesh.tell(self.satellite, "GET", f"/download-sha256?bytes={DOWNLOAD}")
        self.assertEqual(digest.hexdigest(), told["sha256"])

    def await_standstill(self):
        """The connector reads no more of the answer than somebody takes."""
        seen = []

        def stands_still():
            with open(f"/proc/{self.mesh.process[self.satellite.name].pid}/io", encoding="ascii") as file:
                seen.append(int(file.readline().split()[1]) // MIB)  # heartbeats are less
            return len(seen) > 6 and len(set(seen[-6:])) == 1
        eventually(stands_still, "the download stands still")

    def test_an_upload_that_is_given_up_halfway_leaves_nothing_behind(self):
        length, pieces = self.update(16 * MIB)
        before = len(self.uploads())
        with self.mesh.client() as client:
            with self.connection() as connection:
                self.begin_update(connection, length)
                for _ in range(8 * MIB // len(BLOCK)):
                    connection.send(next(pieces))
                eventually(lambda: len(self.uploads()) > before and self.uploads()[-1]["size"] > MIB, "the BMC receives it")
                self.assertEqual(self.metric(client, "bmcmesh_requests_in_flight"), 1)
            eventually(lambda: self.metric(client, "bmcmesh_requests_in_flight") == 0, "the aggregator has forgotten it")
            eventually(lambda: "body_size" in self.execution(), "the connector has closed its connection to the BMC")
            self.assertFalse(self.uploads()[-1]["finished"])
            self.assertEqual(client.get(self.mapping.uri(ROOT + "/Systems/system1")).status, 200)
        self.send_update(2 * MIB)
        self.assertReceived(2 * MIB)

    def execution(self):
        """The last request that began at the BMC; complete when it is over there."""
        return self.mesh.tell(self.satellite, "GET", f"/executions?satellite={self.satellite.name}")[-1]


if __name__ == "__main__":
    unittest.main()
