"""A quiet tenant asks for a resource of its own now and then: how long the slowest of its answers take when another tenant
floods the aggregator with requests, commands and events, without a quota and with one. Each comes with an account of its own."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from statistics import quantiles

import peers
from events import OUTBOX
from lab import USER, Problem, send_signal, settle, wait_until

_EVERY = 0.004         # seconds between an answer and the next question of the quiet client
_WARM = 0.5
_QUOTA = 500           # messages a second, of the noisy tenant
_CONNECTIONS = 32      # of each flood over HTTP
_IDLE = ["chrt", "--idle", "0"]
_TARGET = "<= 1.5"
_COUNTERS = ("bmcmesh_http_requests_total", "bmcmesh_events_stored_total", "bmcmesh_quota_refused_messages_total")
_COMMANDS = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"command": "redfish.get", "target": "noisy/loud", "payload": {"uri": "/redfish/v1/Systems/1"}, "timeout": 10}'
"""


class Quiet:
    """One client over one connection, and how long its answers took, in milliseconds."""

    def __init__(self, node, uri, header):
        self._node = node
        request = f"GET {uri} HTTP/1.1\r\nHost: bench\r\n{header[0]}: {header[1]}\r\nCache-Control: no-cache\r\n\r\n"
        self._request, self._body = request.encode(), None

    def ask(self, seconds):
        taken = []
        _first(0)
        with socket.create_connection(("127.0.0.1", self._node.facade_port), timeout=35) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            begun, end = time.monotonic() + _WARM, time.monotonic() + _WARM + seconds
            while (asked := time.monotonic()) < end:
                connection.sendall(self._request)
                head, body = self._answer(connection)
                now = time.monotonic()
                self._body = self._body or body
                if not head.startswith(b"HTTP/1.1 200") or body != self._body:
                    raise Problem(f"the quiet client got a wrong answer: {head[:200]}")
                if asked > begun:
                    taken.append((now - asked) * 1e3)
                settle(_EVERY)
        return taken

    @staticmethod
    def _answer(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(body) < length:
            body += _received(connection)
        return head, body


def _taken(lab, node):
    """How many (requests, events stored, messages refused for a quota) the aggregator has counted."""
    with lab.client(node) as client:
        text = client.get("/metrics").body.decode()
    found = dict.fromkeys(_COUNTERS, 0.0)
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.partition("{")[0] in found:
            found[name.partition("{")[0]] += float(value)
    return list(found.values())


def _received(connection):
    piece = connection.recv(65536)
    if not piece:
        raise Problem("the facade closed the quiet client's connection")
    return piece


class Flood:
    """What the noisy tenant does, as fast as it is let. In truth its machines are its own: here they, its connector and its BMC have
    what CPU the aggregator and the quiet tenant leave, and give it back at once (SCHED_IDLE; with the lowest priority instead they would
    keep it until their time slice is over)."""

    def __init__(self, lab, node, loud, bmc, header):
        self._lab, self._node, self._loud, self._header = lab, node, loud, header
        _lower(bmc.pid)
        _lower(lab.children[loud.name].pid)
        self._script = lab.state / "commands.lua"
        self._script.write_text(_COMMANDS)

    def _wrk(self, uri, *more):
        command = [self._lab.tool("wrk"), "-t1", f"-c{_CONNECTIONS}", "-d600s", "--timeout", "30s", "-H", ": ".join(self._header), *more,
                   self._node.facade + uri]
        return self._lab.start("flood", [*_IDLE, *command])

    def start(self, kinds):
        children = []
        if "requests" in kinds:
            children.append(self._wrk(f"/redfish/v1/Systems/{self._loud.prefix}_1", "-H", "Cache-Control: no-cache"))
        if "commands" in kinds:
            children.append(self._wrk("/mesh/v1/commands", "-s", self._script))
        if "events" in kinds:
            children.append(self._lab.start("flood", [*_IDLE, self._lab.program("many_events"), "--source",
                                                      _socket(self._lab), "--count", 20_000_000, "--patience", 600]))
        return children

    def stop(self, children, kinds):
        for child in children:
            child.require_running()
            child.signal(signal.SIGKILL)
            child.wait(5)
        if "events" in kinds:
            self._forget_events()

    def _forget_events(self):
        """Those that wait would go on for a while, which would be a flood in what is to be calm."""
        send_signal(self._lab.children[self._loud.name], signal.SIGKILL)
        for file in self._lab.files.own_state(self._loud).glob("*.outbox-*"):
            file.unlink()
        _lower(self._lab.start_connector(self._loud, [self._node]).pid)
        self._lab.await_answer(self._node, f"/redfish/v1/Systems/{self._loud.prefix}_1", 60)


def _first(pid):
    """What is the quiet tenant's own has machines of its own, too: here it gets a core whenever it wants one, which is seldom."""
    _schedule(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, 1)


def _lower(pid):
    _schedule(pid, os.SCHED_IDLE, 0)


def _schedule(pid, policy, priority):
    for thread in os.listdir(f"/proc/{pid or os.getpid()}/task"):
        os.sched_setscheduler(int(thread), policy, os.sched_param(priority))


def _socket(lab):
    return lab.state / "run/loud-workers/worker.sock"


def _set_up(lab):
    own, others = peers.start_satellite(lab, "nginx-still"), peers.start_satellite(lab, "nginx-loud")
    node = lab.node("a", True)
    node.extra |= {"registry": "cluster", "enrolment": {"bind": f"tcp://127.0.0.1:{lab.port()}"}}
    quiet, loud = lab.satellite("still", own.plain), lab.satellite("loud", others.plain)
    quiet.tenant, loud.tenant = "quiet", "noisy"
    loud.extra = {"workers": {"socket": str(_socket(lab)), "allow": [{"uid": os.getuid(), "events": ["bench.*"]}]}, "outbox": OUTBOX}
    lab.start_nodes()
    wait_until(lambda: _import(lab, node), 30, "the registry is taken over")
    for connector in (quiet, loud):
        lab.start_connector(connector, [node])
    for connector in (quiet, loud):
        lab.await_answer(node, f"/redfish/v1/Systems/{connector.prefix}_1", 60)
    _first(own.pid)
    _first(lab.children[quiet.name].pid)
    return node, quiet, loud, others


def _meshctl(lab, node, *words):
    done = subprocess.run([str(lab.program("meshctl")), *map(str, words), "--url", node.facade, "--user", USER,
                           "--password-file", str(lab.state / "admin.password")], capture_output=True, text=True, timeout=30)
    return None if done.returncode == 0 else done.stderr or done.stdout or "refused"


def _import(lab, node):
    return _meshctl(lab, node, "connector", "import", lab.files.registry)


def _p99(values):
    return quantiles(values, n=100, method="inclusive")[-1]


def run(lab, figures):
    node, still, loud, bmc = _set_up(lab)
    lab.add_account(node, "still", "ReadOnly", still.tenant)
    lab.add_account(node, "loud", "Administrator", loud.tenant)
    quiet = Quiet(node, f"/redfish/v1/Systems/{still.prefix}_1", lab.login_header(node, "still"))
    flood = Flood(lab, node, loud, bmc, lab.login_header(node, "loud"))
    everything = ["requests", "commands", "events"]
    quiet.ask(1)
    for quota in (0, _QUOTA):
        refused = _meshctl(lab, node, "tenant", "quota", "noisy", "--messages-per-second", quota)
        if refused:
            raise Problem(f"meshctl tenant quota: {refused}")
        for kinds in [[kind] for kind in everything] + [everything]:
            what = f"{', '.join(kinds)}, {f'a quota of {quota} messages/s' if quota else 'no quota'}"
            alone, beside, counts = [], [], []
            rounds = 2 * lab.length.rounds - 1  # the slowest of a hundred swings: between rounds its ratio does by a half
            for number in range(rounds):
                print(f"  {what}, round {number + 1} of {rounds}", file=sys.stderr, flush=True)
                _round(lab, node, quiet, flood, kinds, alone, beside, counts)
            _report(figures, what, alone, beside, counts)


def _round(lab, node, quiet, flood, kinds, alone, beside, counts):
    seconds = lab.length.seconds
    alone.append(quiet.ask(seconds))
    before, begun = _taken(lab, node), time.monotonic()
    children = flood.start(kinds)
    beside.append(quiet.ask(seconds))
    took = time.monotonic() - begun
    counts.append([(now - then) / took for now, then in zip(_taken(lab, node), before)])
    flood.stop(children, kinds)
    settle(0.3)


def _report(figures, what, alone, beside, counts):
    ratios = [_p99(loud) / _p99(calm) for calm, loud in zip(alone, beside)]
    requests, events, refused = (sorted(column)[len(counts) // 2] for column in zip(*counts))
    every, calm = sorted(itertools.chain(*beside)), sorted(itertools.chain(*alone))
    figures.add(f"beside a flood of {what}: p99 of a quiet tenant, of its own alone", ratios, "x", _TARGET,
                note=f"p50 {every[len(every) // 2]:.2f}, p99 {_p99(every):.2f} ms, alone {calm[len(calm) // 2]:.2f}, {_p99(calm):.2f}; "
                     f"aggregator: {requests:,.0f} requests/s, {events:,.0f} events/s, {refused:,.0f} refused/s")
