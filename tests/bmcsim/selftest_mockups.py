"""Recorded trees (where they are present), and the process itself. Loaded by selftest.py."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import options
from selftest_support import HERE, MOCKUPS, ROOT, Client, Simulator, wait_for

NAMES = sorted(os.listdir(MOCKUPS)) if os.path.isdir(MOCKUPS) else []


def stored(name):
    """{path: bytes} of what a mockup holds as resources."""
    base, found = os.path.join(MOCKUPS, name), {}
    for place, _, files in os.walk(base):
        for file in files:
            if file in ("index.json", "index.xml"):
                with open(os.path.join(place, file), "rb") as opened:
                    found[place[len(base):]] = opened.read()
    return found


@unittest.skipUnless(NAMES, "no mockups here")
class Mockups(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # two of each: one stays as it was recorded
        cls.simulator = Simulator(*(f"name={kind}{name},mockup={MOCKUPS}/{name}" for kind in ("", "live-")
                                    for name in NAMES))

    @classmethod
    def tearDownClass(cls):
        cls.simulator.stop()

    def client(self, name):
        client = Client(self.simulator[name])
        self.addCleanup(client.close)
        return client

    def test_ready_soon(self):
        self.assertLess(self.simulator.seconds, 3)

    def test_every_resource_is_served_byte_for_byte(self):
        # what a living BMC needs is put in front of the rest of these
        changed = ("/redfish", f"{ROOT}/EventService")
        for name in NAMES:
            with self.subTest(name):
                client, files = self.client(name), stored(name)
                started = time.monotonic()
                bodies = {path: client.get(path) for path in files}
                seconds = time.monotonic() - started
                self.assertEqual([], [path for path, answer in bodies.items() if answer.status != 200])
                wrong = [path for path, body in files.items() if bodies[path].body != body and path not in changed]
                self.assertEqual([], wrong)
                event = bodies.get(f"{ROOT}/EventService")
                if event:
                    self.assertTrue(event.body.endswith(files[f"{ROOT}/EventService"][1:]))
                self.assertLess(seconds, 10)
                print(f"    {name}: {len(files)} resources in {seconds:.2f} s", file=sys.stderr)

    def test_each_lives(self):
        for name in NAMES:
            with self.subTest(name):
                client = self.client("live-" + name)
                answer = client("POST", f"{ROOT}/SessionService/Sessions", {"UserName": "root", "Password": "password"})
                self.assertEqual(201, answer.status, answer.body)
                system = client.get(f"{ROOT}/Systems").json["Members"][0]["@odata.id"]
                self.assertEqual(200, client("PATCH", system, {"AssetTag": "t"}).status)
                reset = client.get(system).json["Actions"]["#ComputerSystem.Reset"]["target"]
                self.assertEqual(204, client("POST", reset, {"ResetType": "ForceOff"}).status)
                wait_for(lambda: client.get(system).json["PowerState"] == "Off", "Off")

    def one(self, name):
        if name not in NAMES:
            self.skipTest(f"no {name}")
        return self.client(name)

    def test_peculiarities(self):
        dell = self.one("nvlr-dell")
        first = dell.get(f"{ROOT}/Systems/System.Embedded.1/Oem/Dell/DellSlots").json
        second = dell.get(first["Members@odata.nextLink"])
        self.assertEqual(200, second.status)
        self.assertNotEqual(first["Members"][0], second.json["Members"][0])
        self.assertIn("xml", dell.get(f"{ROOT}/$metadata").headers["Content-Type"])
        hpe = self.one("nvlr-hpe")
        self.assertEqual(hpe.get(f"{ROOT}/Systems").body, hpe.get(f"{ROOT}/systems/").body)
        self.assertEqual('W/"4FFF768E"', hpe.get(ROOT).headers["ETag"])
        self.assertEqual(202, hpe("POST", "/cgi-bin/uploadFile", b"firmware").status)
        smc = self.one("nvlr-supermicro")
        self.assertEqual(200, smc.get("/registries/Base.1.10.3.json").status)
        self.assertEqual(200, smc.get("/schemas/v1/MemoryHealthComp.json").status)


def mockup(folder, resources):
    for path, text in resources.items():
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w", encoding="utf-8") as file:
            file.write(text)


class Start(unittest.TestCase):
    """The process: options, files, its end."""

    def test_config_file_certificate_and_a_root_without_sessions(self):
        with tempfile.TemporaryDirectory() as folder:
            mockup(folder, {"redfish/v1/index.json": '{"@odata.id": "/redfish/v1", "UUID" : "x"}',
                            "redfish/v1/headers.json": '{"GET": {"X-Recorded": "yes", "Content-Length": "5"}}'})
            key, cert = os.path.join(folder, "k"), os.path.join(folder, "c")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                            "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                           capture_output=True)
            config = [{"name": "bare", "mockup": folder, "password": "a,b", "cert": cert, "key": key, "uuid": "u-1"}]
            with Simulator(config=config) as simulator:
                self.assertEqual(cert, simulator["bare"]["ca"])
                client = Client(simulator["bare"])
                answer = client("POST", f"{ROOT}/SessionService/Sessions", {"UserName": "root", "Password": "a,b"})
                self.assertEqual(201, answer.status)
                answer = client.get(ROOT)
                self.assertEqual(b'{"@odata.id": "/redfish/v1", "UUID" : "u-1"}', answer.body)
                self.assertEqual(("yes", str(len(answer.body))),
                                 (answer.headers["X-Recorded"], answer.headers["Content-Length"]))
                self.assertEqual(404, client.get(f"{ROOT}/EventService/SSE").status)
                client.close()

    def test_wrong_options_end_with_usage(self):
        for text in ("", "mockup=/nowhere,generate=1", "generate=1,colour=red", "generate=1,auth=magic",
                     "generate=maybe", "generate=1,port=x", "generate=1,cert=c"):
            with self.assertRaises(ValueError, msg=text):
                options.from_text(text)
        for text, code in (("generate=1,colour=red", 2), ("mockup=/nowhere", 1)):
            done = subprocess.run([os.path.join(HERE, "bmcsim"), "--satellite", text], capture_output=True, check=False)
            self.assertEqual((code, False), (done.returncode, b"Traceback" in done.stderr), done.stderr)

    def test_stops_on_signals_with_work_under_way(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            simulator = Simulator("name=a,generate=1,https=0")
            try:
                simulator.control("POST", "/faults", kind="hang", match={"path": "Managers"})
                hanging, streaming = Client(simulator["a"]), Client(simulator["a"])
                streaming.send("GET", f"{ROOT}/EventService/SSE")
                hanging.connection.request("GET", f"{ROOT}/Managers")
                wait_for(lambda: simulator.control("GET", "/counts")[1]["a"]["total"] == 2, "both requests")
                simulator.process.send_signal(number)
                self.assertEqual(0, simulator.process.wait(3))
                hanging.close()
                streaming.close()
            finally:
                simulator.stop()

    def test_dies_with_its_parent(self):
        with tempfile.TemporaryDirectory() as folder:
            ready = os.path.join(folder, "ready")
            script = ("import signal, subprocess, sys; subprocess.Popen(sys.argv[1:]); signal.pause()")
            parent = subprocess.Popen([sys.executable, "-c", script, os.path.join(HERE, "bmcsim"), "--satellite",
                                       "generate=1,https=0", "--ready-file", ready, "--die-with-parent"])
            try:
                wait_for(lambda: os.path.exists(ready), "ready")
                with open(ready, encoding="utf-8") as file:
                    pid = json.load(file)[0]["pid"]
                self.addCleanup(end, pid)
            finally:
                parent.kill()
                parent.wait()
            wait_for(lambda: gone(pid), "the simulator ends")


def end(pid):
    if not gone(pid):
        os.kill(pid, signal.SIGKILL)


def gone(pid):
    """No such process, or one that only its reaper has not yet noticed."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
