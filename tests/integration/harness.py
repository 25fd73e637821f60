"""Meshes of real processes for tests: aggregators, connectors and simulated BMCs on ports of this machine.

Programs come from $MESH_BIN (default build/dev/bin). $MESH_SLOW multiplies every deadline, for instrumented builds.
Nothing outlives the test process, and every wait is for a condition, with a deadline.
"""

import atexit
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import uuid
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "deploy"))

from quickstart_lib.client import Client  # noqa: E402  (the path comes first)
from quickstart_lib.mesh import (Aggregator, MeshFiles, Satellite, assign_prefixes, generated_password,  # noqa: E402
                                 read_ready_file, simulator_command, simulator_entry, write_private)
from quickstart_lib.problem import Problem  # noqa: E402
from quickstart_lib.process import Child, stop_all  # noqa: E402
from quickstart_lib.ready import NO_ANSWER, ROOT, Mapping, Readiness, satellite_client, wait_until  # noqa: E402
from quickstart_lib.tools import SIMULATOR, MeshCtl  # noqa: E402

PROGRAMS = Path(os.environ.get("MESH_BIN", CHECKOUT / "build/dev/bin"))
SLOW = float(os.environ.get("MESH_SLOW", "1"))
USER = "admin"
MOCKUPS = Path(os.environ.get("MESH_MOCKUPS", CHECKOUT.parent / "shared/mockups"))
# Below the range that the kernel gives to outgoing connections, so that nobody takes a port between choice and use. Tests that run
# at the same time take theirs from different slices.
SLICE = 200
_SLICES = range(20000, 32000, SLICE)
_ports = iter(())
_DAMAGE = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer")


def what_it_does(pid):
    """Of a process that should have ended: where its threads are, for the kernel and, if there is a debugger, for itself."""
    def read(path):
        try:
            return path.read_text().strip()
        except OSError as error:
            return error.strerror
    folder = Path(f"/proc/{pid}")
    told = [line for line in read(folder / "status").splitlines() if line.startswith(("State:", "TracerPid:", "SigPnd:", "ShdPnd:"))]
    for task in sorted((folder / "task").glob("*")):
        told.append(" ".join([task.name, read(task / "comm"), *read(task / "stat").rpartition(")")[2].split()[:1],
                              "in", read(task / "wchan"), "system call", read(task / "syscall")]))
    if shutil.which("gdb"):
        debugger = ["gdb", "--batch", "-nx", "-p", str(pid), "-ex", "thread apply all backtrace 24"]
        try:
            told.append(subprocess.run(debugger, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                                       errors="replace", timeout=60 * SLOW).stdout[-20000:])
        except subprocess.TimeoutExpired:
            told.append("the debugger did not get hold of it")
    return "\n".join(told)


def claim_slice(slices):
    """The first of SLICE ports that are no other test's as long as this process lives."""
    for first in random.sample(slices, len(slices)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0bmcmesh-test-ports-{first}")
        except OSError:
            claim.close()
            continue
        atexit.register(claim.close)
        return first
    raise Problem("other tests have all the ports there are")


def free_ports(count):
    """Ports that nobody listens on, each given once."""
    global _ports
    ports = []
    while len(ports) < count:
        port = next(_ports, None)
        if port is None:
            first = claim_slice(_SLICES)
            _ports = iter(range(first, first + SLICE))
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    return ports


def eventually(condition, what, seconds=10.0):
    """Waits until condition() is true and returns what it gave."""
    result = []

    def missing():
        value = condition()
        if value:
            result.append(value)
            return None
        return f"last seen: {value!r}"
    wait_until(missing, seconds * SLOW, what)
    return result[0]


def run_program(name, *arguments, seconds=15.0, **more):
    """(status, stdout, stderr) of a program that is expected to end by itself."""
    done = subprocess.run([str(PROGRAMS / name), *map(str, arguments)], capture_output=True, text=True,
                          timeout=seconds * SLOW, stdin=subprocess.DEVNULL if "input" not in more else None, **more)
    return done.returncode, done.stdout, done.stderr


@dataclass
class Sim:
    """One simulated BMC. `mockup`: a folder's name in $MESH_MOCKUPS or a path; empty: a generated tree."""
    name: str
    mockup: str = ""
    auth: str = "session"
    own_process: bool = False  # so that it can be killed or stopped alone
    tenant: str = "local"
    target: dict = field(default_factory=dict)  # further settings of its connector's target
    options: dict = field(default_factory=dict)


class Mesh:
    """`with Mesh(...) as mesh:` starts everything and waits until all is shown; leaving it stops everything. Where the
    registry is the `cluster`, nobody is in it and no connector runs: that is the test's to do."""

    def __init__(self, sims, aggregators=2, ready=True, registry="file"):
        self._folder = tempfile.TemporaryDirectory(prefix="bmcmesh-test-")
        self.state = Path(self._folder.name)
        self._wait_for_ready, self._sims, self._open = ready, sims, registry == "cluster"
        ports = iter(free_ports(4 * aggregators + len(sims)))
        self.aggregators = [Aggregator(f"agg-{n}", next(ports), next(ports), next(ports)) for n in range(1, aggregators + 1)]
        self.satellites = [Satellite(sim.name, auth=sim.auth, user="" if sim.auth == "none" else "root", tenant=sim.tenant,
                                     extra={"target": sim.target}) for sim in sims]
        self._sim_ports = {sim.name: next(ports) for sim in sims}
        self.enrolment_ports = {member.name: next(ports) for member in self.aggregators}
        self.process, self.control = {}, {}
        self._ended = []  # processes that were replaced by a later one of the same name

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.print_logs()
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        complaints = self.stop()
        if complaints:
            raise AssertionError("\n".join(complaints))

    # Building it.

    def _start(self):
        meshctl = MeshCtl(PROGRAMS)
        self.files = MeshFiles(self.state, meshctl)
        self.ca = self.files.authority.certificate
        password_file = self.state / "admin.password"
        self.password = generated_password(password_file)
        self.start_simulators(self._sims)
        self.files.make_keys([*self.aggregators, *self.satellites])
        assign_prefixes(self.satellites)
        for member in self.aggregators:
            self.files.add_administrator(member, USER, password_file)
        self.files.write_registry(self.satellites)
        for member in self.aggregators:
            if self._open:
                bind = f"tcp://127.0.0.1:{self.enrolment_ports[member.name]}"
                member.extra = {"registry": "cluster", "enrolment": {"bind": bind}, **member.extra}
            self.files.write_aggregator(member, self.aggregators)
            self.start(member)
        if self._open:
            return
        for member in self.satellites:
            self.files.write_connector(member, self.aggregators)
            self.start(member)
        if self._wait_for_ready:
            self.await_ready()

    def start_simulators(self, sims):
        """Those without a process of their own share one. Also starts killed ones again, on their old ports."""
        groups = [[sim] for sim in sims if sim.own_process] + [[sim for sim in sims if not sim.own_process]]
        for group in filter(None, groups):
            self._start_simulator(group)

    def _start_simulator(self, group):
        name, entries = "bmcsim-" + group[0].name, []
        for sim in group:
            satellite = self.satellite(sim.name)
            if satellite.user:
                password_file = self.state / "keys" / f"{sim.name}.password"
                generated_password(password_file)
                satellite.password_file = str(password_file)
            satellite.uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, sim.name))
            source = (MOCKUPS / sim.mockup) if sim.mockup else None
            entries.append(simulator_entry(satellite, self._sim_ports[sim.name], source,
                                           self.files.authority.server("bmcsim")) | sim.options)
        command, ready = simulator_command(SIMULATOR, self.state / "run", name, entries)
        child = Child(name, command, self.files.log(name))
        for sim in group:
            self._adopt(sim.name + "/bmc", child)

        def served():
            child.require_running()
            return read_ready_file(ready)
        for sim_name, entry in eventually(served, f"{name} starts", 20).items():
            satellite = self.satellite(sim_name)
            satellite.url, satellite.ca = entry["url"], str(self.ca)
            self.control[sim_name] = entry["control_url"]

    def _adopt(self, name, child):
        if name in self.process:
            self._ended.append(self.process[name])
        self.process[name] = child

    def start(self, member):
        """Starts (or, after it ended, starts again) an aggregator or a connector."""
        program = "mesh-aggregatord" if isinstance(member, Aggregator) else "mesh-connectord"
        command = [PROGRAMS / program, "--config", self.files.config(member), "--state", self.files.own_state(member)]
        self._adopt(member.name, Child(member.name, command, self.files.log(member.name), self.environment(member)))

    def environment(self, _):
        """What a member finds in its environment besides what the test has there."""
        return {}

    def await_ready(self, aggregators=None, seconds=20.0):
        """Every satellite that can be asked shows on these facades (default: all)."""
        readiness = Readiness(self.satellites)
        for aggregator in aggregators or self.aggregators:
            with self.client(aggregator) as client:
                def missing(client=client, aggregator=aggregator):
                    self.process[aggregator.name].require_running()
                    return readiness.missing(client)
                wait_until(missing, seconds * SLOW, f"{aggregator.name} shows every satellite")

    # Using it.

    def satellite(self, name):
        return next(satellite for satellite in self.satellites if satellite.name == name)

    def mapping(self, satellite):
        return Mapping(satellite.prefix, [satellite.url.split("//")[1]])

    def client(self, aggregator=None, timeout=40.0):
        """Of the administrator, at one facade (default: the first)."""
        return Client((aggregator or self.aggregators[0]).facade, USER, self.password, self.ca, timeout=timeout * SLOW)

    def stranger(self, aggregator=None):
        return Client((aggregator or self.aggregators[0]).facade, ca=self.ca, timeout=40.0 * SLOW)

    def bmc(self, satellite):
        return satellite_client(satellite)

    def tell(self, satellite, method, path, document=None):
        """The simulator's control API."""
        with Client(self.control[satellite.name]) as client:
            answer = client.request(method, path, document)
            if answer.status >= 300:
                raise Problem(f"control of {satellite.name}: {method} {path}: {answer.status} {answer.body.decode()}")
            return json.loads(answer.body)

    def fault(self, satellite, kind, path=None, **parameters):
        """Orders a fault; heal() ends all."""
        match = {"match": {"path": path}} if path else {}
        self.tell(satellite, "POST", "/faults", {"satellite": satellite.name, "kind": kind, **match, **parameters})

    def heal(self, satellite):
        self.tell(satellite, "DELETE", f"/faults?satellite={satellite.name}")
        self.tell(satellite, "POST", "/network", {"satellite": satellite.name, "up": True})

    def kill(self, name, number=signal.SIGKILL):
        """Ends one process by its id and waits until it is gone; its exit status."""
        child = self.process[name]
        child.signal(number)
        status = child.wait(15 * SLOW)
        if status is None:
            raise Problem(f"{name} did not end on signal {number}")
        return status

    # Ending it.

    def stop(self):
        """Stops everything; what was wrong about that, as sentences."""
        daemons = [member.name for member in [*self.satellites, *self.aggregators] if member.name in self.process]
        running = [name for name in daemons if self.process[name].status() is None]
        stuck = {}
        killed = stop_all([self.process[name] for name in running], 10 * SLOW,
                          lambda child: stuck.update({child.name: what_it_does(child.pid)}))
        stop_all([child for name, child in self.process.items() if name.endswith("/bmc")])
        complaints = [f"{name} did not stop in time:\n{stuck[name]}" for name in killed]
        for name in running:
            status = self.process[name].status()
            if status not in (0, -signal.SIGTERM) and name not in killed:  # it may have been asked before it listened
                complaints.append(f"{name} ended with status {status}:\n{self.process[name].last_words()}")
        for child in [*self.process.values(), *self._ended]:
            if any(mark in child.output() for mark in _DAMAGE):
                complaints.append(f"{child.name} reports damage:\n{child.last_words(60)}")
        self._folder.cleanup()
        return complaints

    def print_logs(self, lines=25):
        for name, child in self.process.items():
            print(f"--- {name} (process {child.pid}, status {child.status()})\n{child.last_words(lines)}", file=sys.stderr)


class MeshTest(unittest.TestCase):
    """One mesh for all tests of a class, described by these four; its logs are shown when a test fails."""

    sims, aggregators, registry = (), 2, "file"
    extra = {}  # further settings of every aggregator, by section

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh(list(cls.sims), cls.aggregators, registry=cls.registry)
        for member in cls.mesh.aggregators:
            member.extra = dict(cls.extra)
        cls.mesh.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.mesh.__exit__(None, None, None)

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            self.mesh.print_logs()

    def each_facade(self):
        """(aggregator, client) for every facade."""
        for aggregator in self.mesh.aggregators:
            with self.mesh.client(aggregator) as client:
                yield aggregator, client

    def assertRedfishError(self, answer, status, message=None):
        self.assertEqual(answer.status, status, answer.body[:400])
        self.assertTrue(answer.header("Content-Type").startswith("application/json"), answer.header("Content-Type"))
        error = answer.json()["error"]
        self.assertTrue(error["code"] and error["message"])
        if message:
            entries = [entry["MessageId"] for entry in error["@Message.ExtendedInfo"]]
            self.assertTrue(any(entry.endswith("." + message) for entry in entries), entries)
        return error

    def assertSameBody(self, client, satellite, uri):
        """The facade's answer is the satellite's, byte for byte, with its URIs mapped."""
        mapping = self.mesh.mapping(satellite)
        with self.mesh.bmc(satellite) as bmc:
            there = bmc.get(uri)
        here = client.get(mapping.own_uri(uri))
        self.assertEqual(here.status, there.status, here.body[:400])
        self.assertEqual(here.body.decode(), mapping.body(there.body.decode(), uri))
        return here

    def members(self, client, uri):
        answer = client.get(uri)
        self.assertEqual(answer.status, 200, answer.body[:400])
        document = answer.json()
        listed = [member["@odata.id"] for member in document["Members"]]
        self.assertEqual(document["Members@odata.count"], len(listed))
        self.assertEqual(len(set(listed)), len(listed), "a member is listed twice")
        return listed


__all__ = ["CHECKOUT", "MOCKUPS", "NO_ANSWER", "PROGRAMS", "ROOT", "SLICE", "SLOW", "USER", "Client", "Mesh", "MeshTest", "Problem",
           "Sim", "claim_slice", "eventually", "free_ports", "run_program", "write_private"]
