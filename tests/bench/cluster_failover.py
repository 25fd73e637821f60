#!/usr/bin/python3
"""What clients notice when members of a cluster fail: one of three aggregators is killed, stopped or cut off, in turn.

Six connectors in front of simulated BMCs, clients at all nodes. After each round nothing that was acknowledged may be lost,
nothing done twice, and every request to a node that lives must have ended, with a status, by its deadline. See README.md.
"""

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median, quantiles

sys.dont_write_bytecode = True

import network  # noqa: E402  (nothing is written beside the sources)
from lab import (CHECKOUT, NO_ANSWER, USER, Aggregator, Client, Lab, Length, Problem, Satellite, settle,  # noqa: E402
                 wait_until)
from load import ACCOUNTS, DEADLINE, MERGED, SESSIONS, Book, Clients, worst_gap  # noqa: E402
from quickstart_lib.mesh import assign_prefixes  # noqa: E402

# The first five are what a short run shows.
FAULTS = [("killed", "primary"), ("stopped", "primary"), ("cut off", "primary"), ("cut off", "standby"),
          ("killed", "standby"), ("stopped", "standby")]
_SATELLITES, _NODES = 6, 3
_BEFORE, _AFTER = 0.6, 2.4  # seconds of asking before a fault and while it lasts
_HEALED = 30.0              # seconds until all must be well again


class Cluster:
    """Three nodes on a network that can be cut. Within `lab`, which ends its processes."""

    def __init__(self, lab):
        self.lab = lab
        self._places = network.build(_NODES, lab.files.log("network"))
        self.nodes = [Aggregator(f"agg-{number}", 8443, 5670, 5671, facade_address=place.facade_address,
                                 mesh_address=place.mesh_address) for number, place in enumerate(self._places, 1)]
        self.place = dict(zip((node.name for node in self.nodes), self._places))
        self.satellites = [Satellite(f"bmc-{number}", uuid=f"00000000-0000-4000-8000-{number:012}")
                           for number in range(1, _SATELLITES + 1)]
        self.control = lab.start_simulators(self.satellites)
        lab.files.make_keys([*self.nodes, *self.satellites])
        assign_prefixes(self.satellites)
        lab.files.write_registry(self.satellites)
        for node in self.nodes:
            lab.files.add_administrator(node, USER, lab.state / "admin.password")
            lab.files.write_aggregator(node, self.nodes)
            self.start(node)
        for satellite in self.satellites:
            lab.start_connector(satellite, self.nodes)

    def start(self, node):
        command = [self.lab.program("mesh-aggregatord"), "--config", self.lab.files.config(node), "--state",
                   self.lab.files.own_state(node)]
        self.lab.start(node.name, self.place[node.name].command(command))

    def client(self, node, timeout=DEADLINE):
        return Client(node.facade, USER, self.lab.password, insecure=True, timeout=timeout)

    def health(self, node):
        try:
            with Client(node.facade, insecure=True, timeout=1.0) as client:
                return client.get("/healthz").json()
        except (*NO_ANSWER, ValueError):
            return {}

    def await_well(self):
        """All are ready, exactly one is the primary, and every satellite shows on every facade. The primary."""
        found = []

        def missing():
            said = {node.name: self.health(node) for node in self.nodes}
            found[:] = [node for node in self.nodes if said[node.name].get("primary")]
            if not all(each.get("ready") for each in said.values()) or len(found) != 1:
                return f"the nodes say {said}"
            return next(filter(None, map(self._not_shown, self.nodes)), None)
        wait_until(missing, _HEALED, "all is well")
        return found[0]

    def _not_shown(self, node):
        try:
            with self.client(node, 5) as client:
                listed = self.members(client, MERGED[0])
                for uri in listed:
                    if (status := client.get(uri).status) != 200:
                        return f"{node.name}: {uri} answers {status}"
        except (*NO_ANSWER, ValueError, KeyError) as error:
            return f"{node.name}: {error}"
        prefixes = {satellite.prefix for satellite in self.satellites}
        absent = prefixes - {re.split("[/_]", uri)[4] for uri in listed}
        return f"{node.name} does not show {absent}" if absent else None

    @staticmethod
    def members(client, uri):
        return {member["@odata.id"] for member in client.get(uri).json()["Members"]}

    def executed(self):
        """How often each marker was, since it was last asked."""
        with Client(self.control) as control:
            records = control.get("/executions").json()
            control.request("DELETE", "/executions")
        bodies = (json.loads(record["body"]) for record in records if record["path"].endswith("ComputerSystem.Reset"))
        return Counter(body["Marker"] for body in bodies)

    # Faults.

    def strike(self, kind, victim):
        child = self.lab.children[victim.name]
        if kind == "cut off":
            self.place[victim.name].cut()
        else:
            child.signal(signal.SIGKILL if kind == "killed" else signal.SIGSTOP)

    def heal(self, kind, victim):
        child = self.lab.children[victim.name]
        if kind == "cut off":
            self.place[victim.name].mend()
        elif kind == "stopped":
            child.signal(signal.SIGCONT)
        else:
            child.wait(5)
            self.start(victim)


class Rounds:
    def __init__(self, cluster):
        self._cluster, self.book = cluster, Book()
        self.reads, self.writes, self.calm = defaultdict(list), defaultdict(list), {"read": [], "write": []}
        self.seconds_well = defaultdict(list)
        self.requests, self.markers, self.longest = 0, 0, 0.0
        self.denials = []  # sentences
        self.refused, self.alone = Counter(), Counter()  # statuses: errors of those without a fault; all of who is cut off
        primary = cluster.await_well()
        with cluster.client(primary) as client:
            made = client.post(SESSIONS, {"UserName": USER, "Password": cluster.lab.password})
            self._token, self._own = made.header("X-Auth-Token"), made.json()["@odata.id"]
            systems = sorted(cluster.members(client, MERGED[0]))
            self._resets = [client.get(uri).json()["Actions"]["#ComputerSystem.Reset"]["target"] for uri in systems]
        self._uris = [uri for index, system in enumerate(systems) for uri in (system, MERGED[index % len(MERGED)])]
        cluster.executed()

    def run(self, kind, role):
        primary = self._cluster.await_well()
        standbys = [node for node in self._cluster.nodes if node is not primary]
        victim = primary if role == "primary" else standbys[len(self.seconds_well[kind, role]) % len(standbys)]
        with Clients(self._cluster.nodes, self._cluster.lab.password, self._token, self.book, self._uris,
                     self._resets) as clients:
            wait_until(clients.missing, DEADLINE, "all clients are busy")
            begin = time.monotonic()
            settle(_BEFORE)
            moment = time.monotonic()
            self._cluster.strike(kind, victim)
            settle(_AFTER)
            mended = time.monotonic()
            self._cluster.heal(kind, victim)
            self._cluster.await_well()
            well = time.monotonic()
        self.seconds_well[kind, role].append(well - mended)
        asked = clients.asked()
        others = [node.name for node in self._cluster.nodes if node is not victim]
        before = [each for each in asked if each.end <= moment]
        for name, found in (("read", self.reads), ("write", self.writes)):
            found[kind, role].append(1e3 * max(worst_gap(asked, node, name, moment, mended) for node in others))
            self.calm[name].append(1e3 * max(worst_gap(before, node, name, begin, moment) for node in others))
        self._check_ended(asked, kind, victim.name, moment, mended)
        self._check_markers()
        self._check_writes()
        for name, when, uri in self.book.denials:
            self.denials.append(f"{role} {kind}: {'it' if name == victim.name else 'another'} did not know {uri}, "
                                f"{when - moment:+.3f} s from the fault, {when - mended:+.3f} s from its end")
        self.book.denials.clear()

    def _check_ended(self, asked, kind, victim, moment, mended):
        """A dead node's clients may see its connections end, and a stopped one's wait as long as it does."""
        self.requests += len(asked)
        for each in asked:
            excused = each.node == victim and kind != "cut off" and each.end > moment
            if each.status == 0 and not excused:
                self.book.violated(f"{each.node} lives and did not answer {each.what} in {each.end - each.begin:.1f} s")
            if not excused:
                self.longest = max(self.longest, each.end - each.begin)
            if each.node != victim and each.status >= 400:
                self.refused[each.status] += 1
            if each.node == victim and kind == "cut off" and moment < each.begin < mended:
                self.alone[each.status] += 1

    def _check_markers(self):
        counts = self._cluster.executed()
        self.markers += len(self.book.markers)
        for marker, times in counts.items():
            if times > 1:
                self.book.violated(f"{marker} was executed {times} times")
        for marker, status in self.book.markers.items():
            if 200 <= status < 300 and marker not in counts:
                self.book.violated(f"{marker} was acknowledged with {status} and never executed")
        self.book.markers.clear()

    def _check_writes(self):
        for node in self._cluster.nodes:
            with self._cluster.client(node) as client:
                for collection in (SESSIONS, ACCOUNTS):
                    self._check_collection(client, node.name, collection)
        with self._cluster.client(self._cluster.nodes[0]) as client:  # of unknown outcome, so that they do not pile up
            known = self.book.there(SESSIONS) | self.book.there(ACCOUNTS) | {self._own}
            for uri in (self._cluster.members(client, SESSIONS) | self._cluster.members(client, ACCOUNTS)) - known:
                if not uri.endswith("/" + USER):
                    client.request("DELETE", uri)

    def _check_collection(self, client, name, collection):
        expected = self.book.there(collection)
        wrong = []

        def missing():
            listed = self._cluster.members(client, collection)
            wrong[:] = [f"{name} has lost {uri}" for uri in expected - listed]
            wrong.extend(f"{name} still has {uri}, whose end was acknowledged" for uri in self.book.gone & listed)
            return wrong[0] if wrong else None
        try:
            wait_until(missing, 5, "the state is the same")
        except Problem:
            for sentence in wrong:
                self.book.violated(sentence)


def _spread(values):
    values = sorted(values)
    ninth = quantiles(values, n=10, method="inclusive")[-1] if len(values) > 1 else values[0]
    return f"{values[0]:8.0f} {median(values):8.0f} {ninth:8.0f} {values[-1]:8.0f}   {len(values):3} rounds"


def _counts(statuses):
    return ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())) or "none"


def report(rounds):
    lines = [f"{'longest time without an answer of the others, ms':52} {'min':>8} {'median':>8} {'p90':>8} {'max':>8}"]
    for name, found in (("reads", rounds.reads), ("writes", rounds.writes)):
        lines += [f"{name}, {role} {kind}".ljust(52) + " " + _spread(values) for (kind, role), values in found.items()]
    lines += [f"{name}s without a fault".ljust(52) + " " + _spread(values) for name, values in rounds.calm.items() if values]
    lines += [f"until all is well after it is back, {role} {kind}".ljust(52) + " " + _spread([1e3 * each for each in values])
              for (kind, role), values in rounds.seconds_well.items()]
    lines += [f"{rounds.requests:,} requests, {rounds.book.writes:,} acknowledged writes, {rounds.markers:,} markers",
              f"longest wait for a node that lives: {rounds.longest:.1f} s",
              f"errors of nodes without a fault: {_counts(rounds.refused)}",
              f"answers of the one cut off, by status: {_counts(rounds.alone)}"]
    lines.append(f"{len(rounds.denials)} times a node answered 404 for what was there")
    lines += [f"    {sentence}" for sentence in rounds.denials[:20]]
    lines += [f"VIOLATED  {sentence}" for sentence in rounds.book.violations[:20]]
    lines.append(f"{len(rounds.book.violations)} violations")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--bin", type=Path, default=CHECKOUT / "build/dev/bin", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes what was seen there")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        network.enter()
        with Lab([options.bin], Length()) as lab:
            rounds = Rounds(Cluster(lab))
            try:
                for number in range(options.rounds):
                    kind, role = FAULTS[number % len(FAULTS)]
                    print(f"  round {number + 1} of {options.rounds}: the {role} is {kind}", file=sys.stderr, flush=True)
                    rounds.run(kind, role)
            finally:
                print(report(rounds), flush=True)  # of those that were, too
    except Problem as problem:
        print(f"FAILED: {problem}")
        return 1
    if options.json:
        options.json.write_text(json.dumps({
            "reads": {f"{role} {kind}": values for (kind, role), values in rounds.reads.items()},
            "writes": {f"{role} {kind}": values for (kind, role), values in rounds.writes.items()},
            "violations": rounds.book.violations, "denials": rounds.denials}))
    return 1 if rounds.book.violations else 0


def run(lab, figures):
    """The section `takeover`: in a process of its own, which is in a network of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seen.json"
        done = subprocess.run([sys.executable, "-B", __file__, "--rounds", str(lab.length.takeovers), "--bin",
                               lab.program("mesh-aggregatord").parent, "--json", file], stdout=sys.stderr)
        if not file.exists():
            raise Problem(f"cluster_failover.py ended with status {done.returncode}")
        seen = json.loads(file.read_text())
    for name, target in (("reads", "<= 100"), ("writes", "<= 1000")):
        for which, values in seen[name].items():
            figures.add(f"{which}: longest gap of {name} elsewhere", values, "ms", target, note=f"worst {max(values):.0f}")
    figures.add("takeover: 404 for what was acknowledged and there", len(seen["denials"]), "", "== 0")
    figures.add("takeover: acknowledged and lost, done twice, or never ended", len(seen["violations"]), "", "== 0")


if __name__ == "__main__":
    sys.exit(main())
