"""One section's playground: a temporary folder, processes that end with it, the mesh's files, and what the kernel
counts of a process."""

import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(CHECKOUT / "deploy"))

from quickstart_lib.client import Client  # noqa: E402  (the path comes first)
from quickstart_lib.mesh import (Aggregator, MeshFiles, Satellite, generated_password, read_ready_file,  # noqa: E402
                                 simulator_command, simulator_entry)
from quickstart_lib.problem import Problem  # noqa: E402
from quickstart_lib.process import Child, stop_all  # noqa: E402
from quickstart_lib.ready import NO_ANSWER, ROOT, Mapping, wait_until  # noqa: E402
from quickstart_lib.tools import SIMULATOR, MeshCtl  # noqa: E402

USER = "admin"
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Length:
    """How long to measure."""
    rounds: int = 5
    seconds: int = 4
    failovers: int = 7
    takeovers: int = 100
    handovers: int = 10
    idle: int = 30
    connectors: int = 1000
    messages: int = 300_000
    upload: int = 200_000_000
    download: int = 50_000_000
    events: int = 1_000_000
    event_rate: int = 0  # each second; 0: as fast as it goes
    streamed: int = 100_000
    routed: int = 400_000
    asked: int = 2000

    @staticmethod
    def quick():
        return Length(rounds=3, seconds=2, failovers=3, takeovers=5, handovers=2, idle=10, connectors=200, messages=50_000,
                      upload=40_000_000, download=20_000_000, events=20_000, event_rate=1000, streamed=20_000, routed=100_000,
                      asked=300)


@dataclass
class Node(Aggregator):
    plain: bool = False

    @property
    def facade(self):
        return f"{'http' if self.plain else 'https'}://127.0.0.1:{self.facade_port}"


class Lab:
    def __init__(self, folders, length):
        self._folders, self.length = folders, length
        self.children = {}
        self._ports = set()

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="bmcmesh-bench-")
        self.state = Path(self._folder.name)
        self.files = MeshFiles(self.state, MeshCtl(self.program("meshctl").parent))
        self.password = generated_password(self.state / "admin.password")
        self.nodes, self.satellites = [], []
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            for name, child in self.children.items():
                print(f"--- {name} (process {child.pid}, status {child.status()})\n{child.last_words()}", file=sys.stderr)
        stop_all(list(self.children.values()))
        self._folder.cleanup()

    def program(self, name):
        for folder in self._folders:
            if os.access(folder / name, os.X_OK):
                return folder / name
        raise Problem(f"there is no {name} in {', '.join(map(str, self._folders))}")

    @staticmethod
    def tool(name):
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not found:
            raise Problem(f"{name} is not installed")
        return found

    def port(self):
        """One that nobody listens on, below those that the kernel gives to outgoing connections."""
        while True:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                number = random.randrange(20000, 32000)
                try:
                    probe.bind(("127.0.0.1", number))
                except OSError:
                    continue
                if number not in self._ports:
                    self._ports.add(number)
                    return number

    def start(self, name, command):
        self.children[name] = Child(name, command, self.files.log(name))
        return self.children[name]

    # The mesh.

    def node(self, name, plain):
        extra = {"facade": {"plain_http_for_tests": True}} if plain else {}
        self.nodes.append(Node(name, self.port(), self.port(), self.port(), extra=extra, plain=plain))
        return self.nodes[-1]

    def satellite(self, name, url):
        """A connector in front of `url`, which asks for no password."""
        ca = str(self.files.authority.certificate) if url.startswith("https") else ""
        number = len(self.satellites)
        self.satellites.append(Satellite(name, url=url, ca=ca, prefix=f"{0xA00000 + number:06X}"))
        return self.satellites[-1]

    def start_nodes(self):
        self.files.make_keys([*self.nodes, *self.satellites])
        self.files.write_registry(self.satellites)
        self.start_nodes_with_registry()

    def start_nodes_with_registry(self):
        for node in self.nodes:
            self.files.add_administrator(node, USER, self.state / "admin.password")
            self.files.write_aggregator(node, self.nodes)
            self.start_node(node)

    def start_node(self, node):
        return self.start(node.name, [self.program("mesh-aggregatord"), "--config", self.files.config(node), "--state",
                                      self.files.own_state(node)])

    def start_connector(self, satellite, nodes):
        self.files.write_connector(satellite, nodes)
        return self.start(satellite.name, [self.program("mesh-connectord"), "--config", self.files.config(satellite),
                                           "--state", self.files.own_state(satellite)])

    def start_simulators(self, satellites):
        """A simulated BMC, which asks for no password, behind each; the URL of their control."""
        certificate = self.files.authority.server("bmcsim")
        entries = [simulator_entry(each, self.port(), None, certificate) | {"https": False} for each in satellites]
        command, ready = simulator_command(SIMULATOR, self.state / "run", "bmcsim", entries)
        child = self.start("bmcsim", command)

        def missing():
            child.require_running()
            return None if read_ready_file(ready) else "not yet"
        wait_until(missing, 30, "the simulated BMCs start")
        served = read_ready_file(ready)
        for satellite in satellites:
            satellite.url = served[satellite.name]["url"]
        return served[satellites[0].name]["control_url"]

    def client(self, node):
        return Client(node.facade, USER, self.password, self.files.authority.certificate, timeout=60)

    def await_answer(self, node, uri, seconds=30):
        def missing():
            try:
                with self.client(node) as client:
                    status = client.get(uri).status
            except NO_ANSWER as error:
                return str(error)
            return None if status == 200 else f"{uri} answers {status}"
        wait_until(missing, seconds, f"{node.name} answers")

    def add_account(self, node, name, role, tenant):
        """Of a user who sees this tenant's alone; the password is the administrator's."""
        with self.client(node) as client:
            answer = client.post(f"{ROOT}/AccountService/Accounts", {"UserName": name, "Password": self.password, "RoleId": role,
                                                                     "Oem": {"Bmcmesh": {"Tenant": tenant}}})
        if answer.status != 201:
            raise Problem(f"the account {name} is not made: {answer.status} {answer.body[:500]}")

    def login_header(self, node, user=USER):
        """What a client sends to be let in: a session's token, or Basic where there are no sessions."""
        with Client(node.facade, user, self.password, self.files.authority.certificate, timeout=60) as client:
            answer = client.log_in(user, self.password)
            if answer.status == 201:
                return "X-Auth-Token", answer.header("X-Auth-Token")
            return "Authorization", client._basic


# What the kernel counts.

def cpu_seconds(pid):
    """User and system time of all threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def switches(pid):
    """How often its threads went to sleep."""
    count = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        count += int(status.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return count


def written_bytes(pid):
    """To disks, or on their way there."""
    return int(Path(f"/proc/{pid}/io").read_text().partition("\nwrite_bytes:")[2].split()[0])


def memory_kb(pid, field):
    """VmRSS, VmHWM, RssAnon …"""
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"\n{field}:")[2].split()[0])


def reset_peak(pid):
    """VmHWM counts from here."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def send_signal(child, number):
    child.signal(number)
    if number == signal.SIGKILL:
        child.wait(5)


def settle(seconds):
    """Lets a state last for a while, which is the thing measured."""
    threading.Event().wait(seconds)
