"""A million events from one connector through three aggregators to workers of two others, all six of them killed in turn.

What the connector accepted is heard by both, once and in its order; what had no answer when it died may come twice.
"""

import itertools
import json
import os
import signal
import sqlite3
import sys
import time

from lab import NO_ANSWER, Client, Problem, send_signal, wait_until, written_bytes

BYTES, EMITTERS, TOPICS = 128, 4, 2
CALM_RATE, CALM_SECONDS = 1000, 8
_DOWN, _UP = 0.7, 1.3    # seconds from a kill to the start, and at least from well to the next kill
_LAG = 10_000            # events that the slower subscriber has still to hear, before the emitters wait
_PATIENCE = 60           # without anything heard, or accepted
_LIMIT = 900
OUTBOX = {"max_bytes": "16MiB", "daily_writes": "8GiB"}
_MIB = 1 << 20
# What a subscriber's book has of breaches of the contract.
BREACHES = ("lost", "doubled", "misplaced", "overtaken", "disordered", "gaps", "foreign", "gave_up")


class EventMesh:
    """Aggregators and connectors whose workers may say and hear what they like. No BMC is there."""

    def __init__(self, lab, nodes=3, connectors=("source", "first", "second"), commands=(), sends=()):
        self.lab = lab
        self.nodes = [lab.node(f"agg-{number}", True) for number in range(1, nodes + 1)]
        for node in self.nodes:
            node.extra["history"] = {"events_max_size": "8GiB"}
        self.connectors = [lab.satellite(name, f"http://127.0.0.1:{lab.port()}") for name in connectors]
        for each in self.connectors:
            allow = {"uid": os.getuid(), "events": ["bench.*"], "subscribe": ["bench.*"]}
            allow |= {name: list(values) for name, values in (("commands", commands), ("send", sends)) if values}
            each.extra = {"workers": {"socket": str(self.socket(each)), "allow": [allow]}, "outbox": OUTBOX}
        lab.start_nodes()
        for each in self.connectors:
            lab.start_connector(each, self.nodes)
        self.await_nodes()

    def socket(self, connector):
        return self.lab.state / f"run/{connector.name}-workers/worker.sock"

    def await_nodes(self):
        wait_until(lambda: next(filter(None, map(self._not_ready, self.nodes)), None), 60, "all aggregators are ready")

    @staticmethod
    def _not_ready(node):
        try:
            with Client(node.facade, timeout=2) as client:
                said = client.get("/healthz").json()
        except (*NO_ANSWER, ValueError) as error:
            return f"{node.name}: {error}"
        return None if said.get("ready") else f"{node.name} says {said}"

    def restart(self, member):
        if member in self.nodes:
            self.lab.start_node(member)
            self.await_nodes()
        else:
            self.lab.start_connector(member, self.nodes)

    def start_events(self, name, listeners, count, rate=0, emitters=EMITTERS, start="start"):
        """many_events, on its way. Its topics begin with bench.NAME."""
        command = [self.lab.program("many_events"), "--source", self.socket(self.connectors[0]), "--count", count, "--bytes",
                   BYTES, "--emitters", emitters, "--topics", TOPICS, "--rate", rate, "--prefix", f"bench.{name}", "--from",
                   start, "--lag", _LAG, "--patience", _PATIENCE]
        for listener in listeners:
            command += ["--listen", self.socket(listener)]
        child = self.lab.start(f"events-{name}", command)

        def missing():
            child.require_running()
            return None if "begun" in child.output() else "no"
        wait_until(missing, 60, "the workers are attached")
        return child

    def events(self, name, listeners, count, **how):
        """The book, when all was heard."""
        child = self.start_events(name, listeners, count, **how)
        if child.wait(_LIMIT) is None:
            raise Problem(f"the events did not end within {_LIMIT} s")
        return book_of(child)

    def stored(self, node):
        """(events of the source in that node's database, how many there have to be)"""
        file = self.lab.files.own_state(node) / "history.db"
        database = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=20)
        try:
            return database.execute("select coalesce(sum(here), 0), coalesce(sum(last), 0) from (select sum(lost_to = 0) as here,"
                                    " max(sequence) as last from mesh_event where connector = ? group by epoch)",
                                    (self.connectors[0].name,)).fetchone()
        finally:
            database.close()


def book_of(child):
    if child.status() != 0:
        raise Problem(f"many_events ended with status {child.status()}:\n{child.last_words()}")
    return json.loads(child.output().splitlines()[-1])


def run(lab, figures):
    mesh = EventMesh(lab)
    _calm(mesh, figures)
    source = mesh.connectors[0]
    written, kills = 0, {member.name: 0 for member in [*mesh.nodes, *mesh.connectors]}
    child = mesh.start_events("kill", mesh.connectors[1:], lab.length.events, lab.length.event_rate)
    begun = time.monotonic()
    # An aggregator, a connector, …
    for member in itertools.cycle(itertools.chain(*zip(mesh.nodes, mesh.connectors))):
        if not _wait(child, _UP):
            break
        if time.monotonic() - begun > _LIMIT:
            raise Problem(f"the events did not end within {_LIMIT} s:\n{child.last_words()}")
        print(f"  {member.name} is killed", file=sys.stderr, flush=True)
        if member is source:
            written += written_bytes(lab.children[source.name].pid)
        send_signal(lab.children[member.name], signal.SIGKILL)
        kills[member.name] += 1
        _wait(child, _DOWN)
        mesh.restart(member)
    book = book_of(child)
    written += written_bytes(lab.children[source.name].pid)
    pace = f"at {lab.length.event_rate:,} events/s" if lab.length.event_rate else "as fast as it goes"
    _report(mesh, figures, book, kills, written, pace)


def _wait(child, seconds):
    """False: it has ended."""
    return child.wait(seconds) is None


def _calm(mesh, figures):
    book = mesh.events("calm", mesh.connectors[1:], CALM_RATE * CALM_SECONDS, rate=CALM_RATE)
    _check(figures, book, f"{CALM_RATE:,} events/s, nothing killed")
    slowest = max(book["listeners"], key=lambda one: one["p99_ms"])
    figures.add(f"{CALM_RATE:,} events/s, nothing killed: latency, median", slowest["p50_ms"], "ms",
                note=f"p99 {slowest['p99_ms']:.1f} ms")


def _check(figures, book, what):
    """What the contract says; all of it has to be 0."""
    listeners = book["listeners"]
    total = {name: sum(one[name] for one in listeners) for name in BREACHES}
    figures.add(f"{what}: accepted and not heard", total["lost"], "", "== 0",
                note="a subscriber gave up" if total["gave_up"] else f"{book['count']:,} events, {len(listeners)} subscribers")
    figures.add(f"{what}: losses that subscribers were told of", total["gaps"], "", "== 0")
    wrong = sum(total[name] for name in ("misplaced", "overtaken", "disordered", "foreign")) + book["accepted_out_of_order"]
    figures.add(f"{what}: out of their order", wrong, "", "== 0",
                note=f"not where their acceptance said {total['misplaced']}, overtaken in their topic {total['overtaken']}, "
                     f"behind what was heard {total['disordered']}, accepted out of order {book['accepted_out_of_order']}")
    figures.add(f"{what}: twice without need", total["doubled"], "", "== 0",
                note=f"heard twice {sum(one['heard_again'] for one in listeners):,}; {book['repeated']:,} were emitted again, "
                     "since their connector died before it answered")


def _report(mesh, figures, book, kills, written, pace):
    what, listeners = "all killed in turn", book["listeners"]
    _check(figures, book, what)
    seconds = max(one["seconds"] for one in listeners)
    figures.add(f"{what}: events/s, from the first one emitted to the last one heard", book["count"] / seconds, "/s",
                note=f"{book['count']:,} events of {BYTES} B from {EMITTERS} workers in {seconds:.0f} s; "
                     f"accepted after {book['emit_seconds']:.0f} s")
    figures.add(f"{what}: kills", sum(kills.values()), "", note=", ".join(f"{name} {count}" for name, count in kills.items()))
    refused = book["refused"]
    figures.add(f"{what}: refused, emitted again later", sum(refused.values()), "",
                note=", ".join(f"{code} {count:,}" for code, count in refused.items()) or "outbox_full 0")
    slowest = max(listeners, key=lambda one: one["p99_ms"])
    figures.add(f"{what}: latency, median", slowest["p50_ms"], "ms",
                note=f"p99 {slowest['p99_ms']:,.0f} ms, longest {slowest['max_ms']:,.0f} ms, {pace}")
    events = book["last_sequence"]
    daily = 256 * _MIB * events / max(written, 1)
    figures.add(f"{what}: written to the source's disk", written / _MIB, "MiB",
                note=f"{written / events:.0f} B an event; outbox {OUTBOX['max_bytes']}, {OUTBOX['daily_writes']} a day. "
                     f"256 MiB, the default, are {daily:,.0f} such events; the connector counts whole pages")
    _stored(mesh, figures, what)


def _stored(mesh, figures, what):
    """Every node has all of it in the end."""
    rows = {}

    def missing():
        rows.update({node.name: mesh.stored(node) for node in mesh.nodes})
        most = max(last for _, last in rows.values())
        return None if all(row == (most, most) for row in rows.values()) else f"{rows}"
    try:
        wait_until(missing, 60, "all is everywhere")
    except Problem as problem:
        print(f"  {problem}", file=sys.stderr)
    most = max(last for _, last in rows.values())
    figures.add(f"{what}: not in the databases of all nodes", sum(most - here for here, _ in rows.values()), "", "== 0",
                note=f"{most:,} events of the source at each of {len(rows)}")
