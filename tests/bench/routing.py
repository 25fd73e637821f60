"""Messages beside raw CURVE and a NATS server with TLS, in one run: each round measures all of them.

`routed` is what an aggregator alone passes on, from another aggregator to a connector and back: what a NATS server does with
messages that nobody stores. `worker to worker` is all of the product: events that are on the source's disk before they are
accepted, and in the aggregator's database before they are passed on; commands with a journal on disk and an audit trail.
"""

import subprocess
import sys
from dataclasses import dataclass

from events import BREACHES, BYTES, EMITTERS, EventMesh
from lab import USER, Aggregator, Lab, Problem, cpu_seconds, settle, wait_until
from talker import Talker

_SIZE, _WINDOW = 1024, 512
_STREAM_WINDOW = 16384  # until heard, for which those of NATS do not wait; fits what waits for one peer (limits::peerQueueBytes)
_NATS = """
listen: "127.0.0.1:{port}"
tls {{ cert_file: "{certificate}", key_file: "{key}", timeout: 5 }}
max_pending: 512MB
jetstream {{ store_dir: "{store}", max_file_store: 8GB }}
"""


@dataclass
class Nats:
    """A server of its own, and its client."""
    lab: Lab
    port: int
    pid: int

    def run(self, verb, size, count):
        command = [self.lab.program("nats_bench"), self.lab.files.authority.certificate, self.port, verb, size, count]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        if done.returncode != 0:
            raise Problem(f"nats_bench {verb}: {done.stderr[-300:]}")
        return list(map(float, done.stdout.split()[1:]))


def start_nats(lab):
    certificate, key = lab.files.authority.server("nats")
    port, folder = lab.port(), lab.state / "nats"
    folder.mkdir(mode=0o700)
    config = folder / "nats.conf"
    config.write_text(_NATS.format(port=port, certificate=certificate, key=key, store=folder / "store"))
    child = lab.start("nats", [lab.tool("nats-server"), "-c", config])

    def missing():
        child.require_running()
        return None if "Server is ready" in child.output() else "not yet"
    wait_until(missing, 20, "the NATS server starts")
    return Nats(lab, port, child.pid)


def start_router(lab, mesh, connector):
    """An aggregator, and both ends of what it routes: another aggregator, which is no program but a key, and a connector."""
    ends = Aggregator("a", lab.port(), lab.port(), lab.port())  # sorts before the node, so that it dials
    lab.nodes = []
    router, voter = lab.node("router", True), lab.node("voter", True)
    everyone = [ends, router, voter]
    lab.files.make_keys(everyone)
    for node in lab.nodes:
        lab.files.add_administrator(node, USER, lab.state / "admin.password")
        lab.files.write_aggregator(node, everyone)
        lab.start_node(node)
    for node in lab.nodes:
        wait_until(lambda: mesh._not_ready(node), 60, f"{node.name} is ready")
    keys = lab.state / "keys"
    return router, [lab.program("routed_load"), router.name, router.key, f"tcp://127.0.0.1:{router.peers_port}",
                    f"tcp://127.0.0.1:{router.mesh_port}", ends.name, keys / "a.key", f"{connector.tenant}/{connector.name}",
                    keys / f"{connector.name}.key"]


def allow(lab, node, sender, command, target):
    done = subprocess.run([str(lab.program("meshctl")), "policy", "allow", "--tenant", "local", sender, command, target,
                           "--url", node.facade, "--user", USER, "--password-file", str(lab.state / "admin.password")],
                          capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise Problem(f"meshctl policy allow: {done.stderr}")


def curve(lab):
    """(CPU us of sending and receiving one message of 1 KB, messages/s) of bare libzmq"""
    command = [lab.program("zmq_bench"), "--size", _SIZE, "--rounds", 1, "--messages", lab.length.messages]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    rows = [line.split() for line in done.stdout.splitlines() if line.split()[:1] == [str(_SIZE)]]
    if done.returncode != 0 or len(rows) != 1 or len(rows[0]) != 6:
        raise Problem(f"zmq_bench: {done.stderr[-300:]}{done.stdout[-300:]}")
    return float(rows[0][4]), float(rows[0][3])


class Rounds:
    def __init__(self):
        self._seen = {}

    def note(self, **values):
        for name, value in values.items():
            self._seen.setdefault(name, []).append(value)

    def __getitem__(self, name):
        return self._seen[name]

    def ratio(self, ours, theirs):
        return [mine / other for mine, other in zip(self._seen[ours], self._seen[theirs])]

    def middle(self, name):
        return sorted(self._seen[name])[len(self._seen[name]) // 2]


def run(lab, figures):
    nats = start_nats(lab)
    passed = lab.satellite("passed", "http://127.0.0.1:1")  # known to both meshes, and the router's alone
    mesh = EventMesh(lab, 1, ("source", "first"), commands=["bench.*"], sends=["bench.*"])
    source, first = mesh.connectors
    node = mesh.nodes[0]
    allow(lab, node, source.name, "bench.echo", first.name)
    router, ends = start_router(lab, mesh, passed)
    rounds = Rounds()
    worker = [lab.program("worker_ask"), mesh.socket(first), mesh.socket(source), first.name, BYTES, lab.length.asked]
    with Talker(lab, "routed", ends) as routed, Talker(lab, "ask", worker) as asking:
        for _ in range(2):
            routed.expect("linked")
        asking.expect("ready", 90)
        settle(1)  # clocks are compared, routes are known
        routed.ask(f"ask {_SIZE} 10000 {_WINDOW}", "asked")
        for number in range(lab.length.rounds):
            print(f"  round {number + 1} of {lab.length.rounds}", file=sys.stderr, flush=True)
            _round(lab, mesh, nats, routed, asking, router, rounds, number)
    _report(figures, rounds)


def _round(lab, mesh, nats, routed, asking, router, rounds, number):
    length, router_pid = lab.length, lab.children[router.name].pid
    cpu, rate = curve(lab)
    rounds.note(curve_cpu=cpu, curve_rate=rate)
    before = cpu_seconds(router_pid)
    seconds, _, _ = routed.ask(f"ask {_SIZE} {length.routed // 2} {_WINDOW}", "asked")
    rounds.note(router_cpu=(cpu_seconds(router_pid) - before) * 1e6 / length.routed, router_rate=length.routed / seconds)

    before = cpu_seconds(nats.pid)
    (seconds,) = nats.run("stream", BYTES, length.routed)
    rounds.note(nats_rate=length.routed / seconds, nats_cpu=(cpu_seconds(nats.pid) - before) * 1e6 / length.routed)
    before = cpu_seconds(router_pid)
    (seconds,) = routed.ask(f"stream {BYTES} {length.routed} {_STREAM_WINDOW}", "streamed")
    rounds.note(routed_rate=length.routed / seconds, routed_cpu=(cpu_seconds(router_pid) - before) * 1e6 / length.routed)
    book = mesh.events(f"round{number}", mesh.connectors[1:], length.streamed, start="now")
    listener = book["listeners"][0]
    wrong = {name: listener[name] for name in BREACHES if listener[name]}
    if wrong:
        raise Problem(f"events were not heard as they have to be: {wrong}")
    rounds.note(event_rate=book["count"] / listener["seconds"])
    (seconds,) = nats.run("persist", BYTES, length.streamed)
    rounds.note(kept_rate=length.streamed / seconds)

    _, nats_p50, nats_p99 = nats.run("ask", BYTES, length.asked)
    _, routed_p50, routed_p99 = routed.ask(f"ask {BYTES} {length.asked} 1", "asked")
    _, worker_p50, worker_p99 = asking.ask("again", "asked")
    rounds.note(nats_p50=nats_p50, nats_p99=nats_p99, routed_p50=routed_p50, routed_p99=routed_p99, worker_p50=worker_p50,
                worker_p99=worker_p99)


def _report(figures, rounds):
    middle, streamed, asked = rounds.middle, f"streamed, {BYTES} B", f"request and reply, {BYTES} B"
    figures.add("router: CPU per message of 1 KB, of raw CURVE's sending and receiving", rounds.ratio("router_cpu", "curve_cpu"),
                "x", "<= 1.1", note=f"{middle('router_cpu'):.2f} us, {middle('curve_cpu'):.2f} us")
    figures.add(f"router: messages/s of 1 KB, {_WINDOW} under way", rounds["router_rate"], "/s",
                note=f"raw CURVE, one way as fast as it goes: {middle('curve_rate'):,.0f}/s")
    figures.add(f"{streamed}, events worker to worker: messages/s, of NATS' over TLS", rounds.ratio("event_rate", "nats_rate"),
                "x", ">= 0.5", note=f"{middle('event_rate'):,.0f}/s on disk at both ends, {EMITTERS} workers; "
                                    f"NATS {middle('nats_rate'):,.0f}/s in memory")
    figures.add(f"{streamed}, events worker to worker: messages/s, of JetStream's over TLS", rounds.ratio("event_rate", "kept_rate"),
                "x", note=f"JetStream {middle('kept_rate'):,.0f}/s in a file that it does not sync")
    figures.add(f"{streamed}, routed: messages/s, of NATS' over TLS", rounds.ratio("routed_rate", "nats_rate"), "x", ">= 0.5",
                note=f"{middle('routed_rate'):,.0f}/s, CPU {middle('routed_cpu'):.2f} us; NATS CPU {middle('nats_cpu'):.2f} us")
    for name, what in (("worker", "a command, worker to worker"), ("routed", "routed")):
        figures.add(f"{asked}, {what}: median, of NATS' over TLS", rounds.ratio(f"{name}_p50", "nats_p50"), "x", "<= 1.2",
                    note=f"{middle(f'{name}_p50'):,.0f} us, p99 {middle(f'{name}_p99'):,.0f}; "
                         f"NATS {middle('nats_p50'):,.0f} us, p99 {middle('nats_p99'):,.0f}")
