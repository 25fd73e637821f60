"""A running simulator for the self-test, and clients that see exactly what comes over the wire."""

import atexit
import base64
import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
from urllib.parse import quote, urlsplit

HERE = os.path.dirname(os.path.realpath(__file__))
MOCKUPS = os.environ.get("BMCSIM_MOCKUPS", os.path.join(HERE, "../../../shared/mockups"))
ROOT = "/redfish/v1"
SHARED = (
    "name=gen,generate=1,systems=3,seed=7,task_ms=60,power_ms=60,uuid=11111111-2222-3333-4444-555555555555",
    "name=plain,generate=1,https=0,seed=8,task_ms=60,power_ms=60,monitor=tasks,page=2,sse_keepalive_ms=200",
    "name=strict,generate=1,https=0,auth=session-only,require_etag=1,max_sessions=1",
    "name=basic,generate=1,https=0,auth=basic",
    "name=open,generate=1,https=0,auth=none,seed=7")
DEADLINE = 10       # seconds, for every wait


def wait_for(condition, what):
    """Polls until condition() is true and returns that; the deadline is a failure."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        threading.Event().wait(0.01)
    raise AssertionError(f"not in {DEADLINE} s: {what}")


class Simulator:
    """One process; use as a context."""

    def __init__(self, *satellites, config=None):
        self.folder = tempfile.mkdtemp(prefix="bmcsim-test-")
        self.ready_file = os.path.join(self.folder, "ready.json")
        command = [os.path.join(HERE, "bmcsim"), "--ready-file", self.ready_file, "--die-with-parent"]
        for each in satellites:
            command += ["--satellite", each]
        if config is not None:
            path = os.path.join(self.folder, "config.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(config, file)
            command += ["--config", path]
        started = time.monotonic()
        self.process = subprocess.Popen(command)
        try:
            wait_for(lambda: os.path.exists(self.ready_file) or self.process.poll() is not None, "ready")
            self.seconds = time.monotonic() - started
            with open(self.ready_file, encoding="utf-8") as file:
                self.entries = {each["name"]: each for each in json.load(file)}
        except BaseException:
            self.stop()
            raise

    def __getitem__(self, name):
        return self.entries[name]

    def control(self, method, path, /, **body):
        url = urlsplit(next(iter(self.entries.values()))["control_url"])
        with contextlib.closing(http.client.HTTPConnection(url.hostname, url.port, timeout=DEADLINE)) as connection:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(DEADLINE)
        shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    def message(self):
        return self.json["error"]["@Message.ExtendedInfo"][0]


class Client:
    """Keeps one connection, as http.client does it; `credentials` False sends none."""

    def __init__(self, entry, credentials=True, timeout=DEADLINE):
        self.entry = entry
        url = urlsplit(entry["url"])
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=entry["ca"])
            self.connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout, context=context)
        else:
            self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
        self.headers = {}
        if credentials:
            pair = f"{entry['user']}:{entry['password']}".encode()
            self.headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()

    def send(self, method, path, body=None, **headers):
        """Sends and returns the response with its body unread."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        given = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.connection.request(method, quote(path, safe="/?&=$#:;,()*.~'%"), body, given)
        return self.connection.getresponse()

    def __call__(self, method, path, body=None, **headers):
        response = self.send(method, path, body, **headers)
        return Answer(response, response.read())

    def get(self, path, **headers):
        return self("GET", path, **headers)

    def close(self):
        self.connection.close()


def raw_socket(entry):
    """A connected (TLS) socket to the satellite."""
    url = urlsplit(entry["url"])
    plain = socket.create_connection((url.hostname, url.port), DEADLINE)
    if url.scheme != "https":
        return plain
    return ssl.create_default_context(cafile=entry["ca"]).wrap_socket(plain, server_hostname=url.hostname)


class Case(unittest.TestCase):
    """All tests share one simulator; faults and counters are fresh for each."""
    simulator = None
    satellite = "gen"

    @classmethod
    def setUpClass(cls):
        if Case.simulator is None:
            Case.simulator = Simulator(*SHARED)
            atexit.register(Case.simulator.stop)

    def setUp(self):
        self.control("DELETE", "/faults")
        self.control("POST", "/reset-counts")
        self.control("DELETE", "/executions")
        self.client = self.new_client()

    def new_client(self, name=None, **options):
        client = Client(self.simulator[name or self.satellite], **options)
        self.addCleanup(client.close)
        return client

    def control(self, method, path, /, **body):
        status, value = self.simulator.control(method, path, **body)
        self.assertLess(status, 300, value)
        return value

    def fault(self, kind, path=None, method=None, times=1, **parameters):
        match = {name: value for name, value in (("path", path), ("method", method)) if value}
        return self.control("POST", "/faults", satellite=self.satellite, kind=kind, match=match, times=times,
                            **parameters)["id"]

    def counts(self, name=None):
        return self.control("GET", "/counts")[name or self.satellite]

    def executed(self):
        return self.control("GET", f"/executions?satellite={self.satellite}")

    def get(self, path, status=200):
        answer = self.client.get(path)
        self.assertEqual(status, answer.status, answer.body)
        return answer
