"""A flood of handshakes at the primary's endpoints: whether it costs the primary its term, and its writers their patience."""

import subprocess
import sys
import time
from statistics import median

from lab import CHECKOUT, NO_ANSWER, USER, Client, Problem, settle, wait_until

_FLOOD = CHECKOUT / "tests/integration/flood.py"
_KINDS = ("strangers", "garbage")
_SECONDS = 10
_PROCESSES = 2  # of each kind
_SERVICE = "/redfish/v1/SessionService"


def run(lab, figures):
    nodes = [lab.node(name, True) for name in ("agg-1", "agg-2", "agg-3")]
    ports = {node.name: lab.port() for node in nodes}
    for node in nodes:
        node.extra |= {"registry": "cluster", "enrolment": {"bind": f"tcp://127.0.0.1:{ports[node.name]}"}}
    lab.start_nodes()
    wait_until(lambda: None if _primary(nodes) else "none yet", 30, "there is a primary")
    wait_until(lambda: _not_open(lab, nodes[0]), 30, "the enrolment endpoint is open")
    first = _primary(nodes)
    for name, port in (("mesh", first.mesh_port), ("enrolment", ports[first.name])):
        for kind in _KINDS:
            _measure(lab, figures, nodes, f"{name}, {kind}", port, kind)


def _not_open(lab, node):
    """A secret is outstanding then."""
    for arguments in (("tenant", "add", "local"), ("connector", "add", "--tenant", "local", "awaited")):
        done = subprocess.run([str(lab.program("meshctl")), *arguments, "--url", node.facade, "--user", USER, "--password-file",
                               str(lab.state / "admin.password")], capture_output=True, text=True, timeout=30)
        if done.returncode != 0 and "already" not in done.stderr:
            return done.stderr
    return None


def _measure(lab, figures, nodes, what, port, kind):
    first = _primary(nodes)
    if first is None:
        raise Problem("there is no primary before the flood")
    before = _status(lab, nodes)
    calm = _writes(lab, nodes, 3)
    command = ["/usr/bin/python3", "-B", _FLOOD, "127.0.0.1", port, first.key, kind, _SECONDS]
    floods = [subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) for _ in range(_PROCESSES)]
    try:
        busy = _writes(lab, nodes, _SECONDS - 1)
        counts = [int(flood.communicate(timeout=30)[0]) for flood in floods]
    finally:
        for flood in floods:
            flood.kill()
            flood.wait()
    settle(1)
    after = _status(lab, nodes)
    rate = sum(counts) / _SECONDS
    figures.add(f"flood at {what}: terms that the primary lost in {_SECONDS} s", after[0] - before[0], "", "== 0",
                note=f"{rate:,.0f} handshakes/s; term {before[0]} of {before[1]}, then {after[0]} of {after[1]}")
    for name, values in (("before", calm), ("meanwhile", busy)):
        figures.add(f"flood at {what}: a write, {name}", median(values) * 1000, "ms",
                    note=f"worst {max(values) * 1000:.0f} ms of {len(values)}")


def _writes(lab, nodes, seconds):
    """How long each took, one after the other, at each node in turn."""
    taken, end = [], time.monotonic() + seconds
    clients = [lab.client(node) for node in nodes]
    try:
        while time.monotonic() < end:
            begun = time.monotonic()
            status = clients[len(taken) % len(clients)].request("PATCH", _SERVICE, {"SessionTimeout": 1800}).status
            if status != 200:
                print(f"  a write was answered {status}", file=sys.stderr)
            taken.append(time.monotonic() - begun)
    finally:
        for client in clients:
            client.close()
    return taken


def _primary(nodes):
    said = [node for node in nodes if _health(node).get("primary")]
    return said[0] if len(said) == 1 else None


def _health(node):
    try:
        with Client(node.facade, timeout=2) as client:
            return client.get("/healthz").json()
    except (*NO_ANSWER, ValueError):
        return {}


def _status(lab, nodes):
    """The highest term, and who is primary."""
    seen = []
    for node in nodes:
        with lab.client(node) as client:
            cluster = client.get("/mesh/v1/status").json()["cluster"]
        seen.append((cluster["term"], cluster["primary"]))
    return max(seen)
