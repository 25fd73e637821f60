"""deploy/quickstart: from nothing to a mesh that answers, and back."""

import fcntl
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

from . import options as command_line
from .check import Check
from .client import Client
from .mesh import (Aggregator, MeshFiles, Satellite, assign_prefixes, generated_password, read_ready_file,
                   simulator_command, simulator_entry, write_private)
from .problem import Problem
from .process import Child, stop_all
from .ready import NO_ANSWER, ROOT, Readiness, wait_until
from .tools import CHECKOUT, SIMULATOR, MeshCtl, programs_folder

USER = "admin"
MAX_SIMULATORS = 8  # processes; more satellites share them
READY_SECONDS = 30.0
_HEALTH_SECONDS = 0.5  # one that hangs is no primary
_LONGEST_SOCKET_PATH = 107  # in bytes; the kernel's
_MOCKUPS = ("nvlr-hpe", "nvlr-dell", "cray-OpenBMC-stock")
_NAMESPACE = uuid.UUID("6f6d8f0e-6d1b-4a0c-9f55-6b6d63736d68")


class Stopped(Exception):
    """INT, TERM or HUP came."""


def say(text="", stream=None):
    try:
        print(text, file=stream or sys.stdout, flush=True)
    except OSError:
        pass  # the terminal is gone; what it would have shown is in the logs


def stop_on_signals():
    """Also where INT or HUP are ignored, as in a background job: whoever sends one means it. Later ones change nothing."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(number, _frame):
        for each in numbers:
            signal.signal(each, lambda *_: None)
        raise Stopped(number)
    for number in numbers:
        signal.signal(number, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def lock_state(state):
    """The open lock; it is released with this process, however that ends."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = open(state / "lock", "a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        raise Problem(f"the state folder {state} is in use by another quickstart (process {lock.read().strip()}): "
                      "name another with --state, or stop that one") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def require_free(port, what):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Problem(f"port {port} ({what}) cannot be used: {error.strerror}: choose other ports with --port BASE") from None


class Run:
    """One running mesh."""

    def __init__(self, options, state):
        self.options, self.state, self.user = options, state, USER
        self.children, self.simulators = [], []
        self._environment = state / "quickstart.env"  # there is one exactly while the mesh is ready
        base = options.port
        self.aggregators = [Aggregator(f"agg-{n}", base + n, base + 20 + n, base + 40 + n)
                            for n in range(1, options.aggregators + 1)]
        self.satellites = [Satellite(f"sat-{n}") for n in range(1, options.satellites + len(options.bmcs) + 1)]
        self._simulated = self.satellites[:options.satellites]
        self.simulator_of, self.process_of, self.worker_socket_of = {}, {}, {}
        self._primary = None

    def start(self):
        self._environment.unlink(missing_ok=True)
        self._check_ports()
        programs = programs_folder()
        begun = time.monotonic()
        self.files = MeshFiles(self.state, MeshCtl(programs))
        self.ca = self.files.authority.certificate
        self._start_simulators()
        self._describe_bmcs()
        self.files.make_keys([*self.aggregators, *self.satellites])
        assign_prefixes(self.satellites)
        password_file = self.state / "admin.password"
        self.password = generated_password(password_file)
        for aggregator in self.aggregators:
            self.files.add_administrator(aggregator, self.user, password_file)
        self.files.write_registry(self.satellites)
        self._await_simulators()
        for aggregator in self.aggregators:
            self.files.write_aggregator(aggregator, self.aggregators)
            self._start(programs / "mesh-aggregatord", aggregator)
        self._let_workers_in()
        for satellite in self.satellites:
            self.files.write_connector(satellite, self.aggregators)
            self._start(programs / "mesh-connectord", satellite)
        self._await_ready()
        self._primary = self._find_primary()
        self._write_environment()
        return time.monotonic() - begun

    def _let_workers_in(self):
        """Who starts the mesh may attach workers to its connectors, where the kernel takes the socket's path."""
        for satellite in self.satellites:
            path = self.files.own_state(satellite) / "worker.sock"
            if len(bytes(path)) <= _LONGEST_SOCKET_PATH:
                self.worker_socket_of[satellite.name] = path
                satellite.extra = {"workers": {"socket": str(path), "allow": [{"uid": os.getuid(), "commands": ["*"], "send": ["*"], "events": ["*"],
                                                                                      "subscribe": ["*"]}]}}

    def _check_ports(self):
        for aggregator in self.aggregators:
            require_free(aggregator.facade_port, f"facade of {aggregator.name}")
            require_free(aggregator.mesh_port, f"mesh of {aggregator.name}")
            require_free(aggregator.peers_port, f"peers of {aggregator.name}")
        for n, satellite in enumerate(self._simulated, 1):
            require_free(self.options.port + 100 + n, f"satellite {satellite.name}")

    def _start(self, program, member):
        child = Child(member.name, [program, "--config", self.files.config(member), "--state",
                                    self.files.own_state(member)], self.files.log(member.name))
        self.process_of[member.name] = child
        self.children.append(child)

    def _sources(self):
        if self.options.mockups:
            return [Path(folder).resolve() for folder in self.options.mockups]
        beside = CHECKOUT.parent / "shared/mockups"
        return [beside / name for name in _MOCKUPS if (beside / name).is_dir()] or [None]

    def _start_simulators(self):
        sources = self._sources()
        groups = [self._simulated[first::MAX_SIMULATORS] for first in range(min(MAX_SIMULATORS, len(self._simulated)))]
        for satellite in self._simulated:
            satellite.auth, satellite.user = "session", "root"
            password_file = self.state / "keys" / f"{satellite.name}.password"
            generated_password(password_file)
            satellite.password_file = str(password_file)
            satellite.uuid = str(uuid.uuid5(_NAMESPACE, satellite.name))
        certificate = self.files.authority.server("bmcsim") if groups else None
        for number, group in enumerate(groups, 1):
            indexes = [self._simulated.index(satellite) for satellite in group]
            entries = [simulator_entry(satellite, self.options.port + 101 + index, sources[index % len(sources)], certificate)
                       for index, satellite in zip(indexes, group)]
            command, ready = simulator_command(SIMULATOR, self.state / "run", f"bmcsim-{number}", entries)
            child = Child(f"bmcsim-{number}", command, self.files.log(f"bmcsim-{number}"))
            self.simulators.append((child, ready))
            self.simulator_of.update({satellite.name: child for satellite in group})

    def _await_simulators(self):
        for child, ready in self.simulators:
            def missing(child=child, ready=ready):
                child.require_running()
                return None if read_ready_file(ready) is not None else f"see {child.log}"
            wait_until(missing, READY_SECONDS, f"{child.name} starts")
            entries = read_ready_file(ready)
            for satellite in self._simulated:
                entry = entries.get(satellite.name)
                if entry:
                    satellite.url, satellite.ca = entry["url"], str(self.ca)

    def _describe_bmcs(self):
        for satellite, bmc in zip(self.satellites[self.options.satellites:], self.options.bmcs):
            satellite.url, satellite.user = bmc.url, bmc.user
            satellite.auth = "session" if bmc.user else "none"
            for name in ("password_file", "ca"):
                given = getattr(bmc, name)
                setattr(satellite, name, str(Path(given).resolve()) if given else "")
            satellite.fingerprint, satellite.insecure = bmc.fingerprint, bmc.insecure
            try:
                with Client(bmc.url, ca=satellite.ca, fingerprint=bmc.fingerprint, insecure=bmc.insecure) as client:
                    satellite.uuid = client.get(ROOT + "/").json().get("UUID") or ""
            except (*NO_ANSWER, ValueError, AttributeError) as error:
                raise Problem(f"the BMC at {bmc.url} does not show a Redfish service root: {error}") from error

    def _await_ready(self):
        readiness = Readiness(self.satellites)
        for aggregator in self.aggregators:
            with Client(aggregator.facade, self.user, self.password, self.ca) as client:
                def missing(client=client):
                    for child in self.children:
                        child.require_running()
                    return readiness.missing(client)
                wait_until(missing, READY_SECONDS, f"{aggregator.name} shows every satellite")

    def _find_primary(self):
        """The number of the aggregator that says it is the primary, or None. Those that do not answer are passed over."""
        for n, aggregator in enumerate(self.aggregators, 1):
            if self.process_of[aggregator.name].status() is not None:
                continue
            try:
                with Client(aggregator.facade, ca=self.ca, timeout=_HEALTH_SECONDS) as client:
                    if client.get("/healthz").json().get("primary"):
                        return n
            except (*NO_ANSWER, ValueError):
                continue
        return None

    def _follow_primary(self):
        """Keeps PRIMARY current: an old one that hangs may still think it is."""
        found = self._find_primary()
        if found is not None and found != self._primary:
            self._primary = found
            self._write_environment()

    def _write_environment(self):
        values = {"ADMIN_USER": self.user, "ADMIN_PASSWORD": self.password, "CA": self.ca,
                  "PRIMARY": self._primary or ""}
        for n, aggregator in enumerate(self.aggregators, 1):
            values |= {f"FACADE_{n}": aggregator.facade, f"AGGREGATOR_{n}_PID": self.process_of[aggregator.name].pid,
                       f"AGGREGATOR_{n}_NAME": aggregator.name}
        for n, satellite in enumerate(self.satellites, 1):
            simulator = self.simulator_of.get(satellite.name)
            values |= {f"CONNECTOR_{n}_PID": self.process_of[satellite.name].pid, f"SATELLITE_{n}_URL": satellite.url,
                       f"SATELLITE_{n}_USER": satellite.user, f"SATELLITE_{n}_PASSWORD": satellite.password(),
                       f"SATELLITE_{n}_PID": simulator.pid if simulator else "", f"PREFIX_{n}": satellite.prefix,
                       f"WORKER_SOCKET_{n}": self.worker_socket_of.get(satellite.name, "")}
        text = "".join(f"{key}={shlex.quote(str(value)) if value != '' else ''}\n" for key, value in values.items())
        write_private(self._environment, text)

    def introduce(self, seconds):
        say(f"\nReady in {seconds:.1f} s. {len(self.aggregators)} aggregators, {len(self.satellites)} satellites:")
        for satellite in self.satellites:
            say(f"  {satellite.prefix}  {satellite.name}  {satellite.url}")
        say("Facades, each showing all of them:")
        for aggregator in self.aggregators:
            say(f"  {aggregator.facade}/redfish/v1")
        say(f"User {self.user}, password {self.password}\n\nTry:")
        ca, login = shlex.quote(str(self.ca)), shlex.quote(f"{self.user}:{self.password}")
        curl = f"curl --cacert {ca} -u {login}"
        last = self.aggregators[-1].facade
        say(f"  {curl} {self.aggregators[0].facade}/redfish/v1/Systems")
        say(f"  {curl} {last}/redfish/v1/Chassis")
        say(f"  curl --cacert {ca} {last}/redfish/v1/")
        say(f"\nAll of it for a shell: {self.state}/quickstart.env    logs: {self.state}/log\nCtrl-C stops everything.")

    def watch(self):
        """Until a signal; says when a process ends. Nothing is restarted: who ends one wants to see what happens then."""
        gone, pause = set(), threading.Event()
        everyone = [*self.children, *(child for child, _ in self.simulators)]
        while len(gone) < len(everyone):
            for child in everyone:
                if child.name not in gone and child.status() is not None:
                    gone.add(child.name)
                    say(f"{child.name} (process {child.pid}) ended with status {child.status()}; log: {child.log}")
            self._follow_primary()
            pause.wait(0.5)
        raise Problem("every process has ended")

    def stop(self):
        self._environment.unlink(missing_ok=True)
        connectors_first = [*reversed(self.children), *(child for child, _ in self.simulators)]
        for name in stop_all(connectors_first):
            say(f"{name} did not stop in time and was killed", sys.stderr)


def run(options, state):
    mesh = Run(options, state)
    try:
        seconds = mesh.start()
        if options.check:
            say(f"ready in {seconds:.1f} s: {len(mesh.aggregators)} aggregators, {len(mesh.satellites)} satellites")
            return 0 if Check(mesh).all() else 1
        mesh.introduce(seconds)
        mesh.watch()
    finally:
        mesh.stop()
    return 0


def main(arguments):
    options = command_line.parse(arguments)
    stop_on_signals()
    scratch = None
    try:
        if options.state is None and options.check:
            scratch = Path(tempfile.mkdtemp(prefix="bmcmesh-check-"))
        state = (options.state or scratch or CHECKOUT / "build/quickstart").resolve()
        with lock_state(state):
            status = run(options, state)
    except Stopped:
        say("stopped", sys.stderr)
        status = 1 if options.check else 0
    except Problem as problem:
        say(f"quickstart: {problem}", sys.stderr)
        status = 1
    if scratch and status == 0:
        shutil.rmtree(scratch, ignore_errors=True)
    elif scratch:
        say(f"logs and configuration: {scratch}", sys.stderr)
    return status
