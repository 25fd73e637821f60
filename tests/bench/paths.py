"""A 4 KB resource through the mesh and through an nginx proxy, from the same nginx satellite."""

import sys
from dataclasses import dataclass, field

import peers
from lab import Client, Mapping, Problem

CONNECTIONS = (16, 64)
# All connections ask for the same; the mesh would ask the satellite once for many of them, and the proxy does not.
EACH_TO_THE_SATELLITE = ("Cache-Control", "no-cache")
RATE, CPU = ">= 0.55", "<= 2.5"


@dataclass
class Path:
    name: str
    url: str
    processes: dict              # what stands between client and satellite: name -> pid
    body: str                    # the right answer
    headers: list = field(default_factory=list)

    def verify(self, lab):
        base, _, target = self.url.partition("/redfish")
        with Client(base, ca=lab.files.authority.certificate) as client:
            answer = client.get("/redfish" + target, headers=dict(self.headers))
        if answer.status != 200 or answer.body.decode() != self.body:
            raise Problem(f"{self.name}: a wrong answer ({answer.status}): {answer.body[:200]}")


def run(lab, figures):
    paths = _set_up(lab)
    samples = {}
    for connections in CONNECTIONS:
        for path in paths:
            path.verify(lab)
            peers.wrk(lab, path.url, connections, 1, path.headers)
        for number in range(lab.length.rounds):
            print(f"  round {number + 1} of {lab.length.rounds}, {connections} connections", file=sys.stderr, flush=True)
            for path in paths:
                sample = peers.wrk(lab, path.url, connections, lab.length.seconds, path.headers, path.processes)
                samples.setdefault((path.name, connections), []).append(sample)
        for path in paths:
            path.verify(lab)
    for connections in CONNECTIONS:
        _compare(figures, samples, connections, "plain", "nginx plain", RATE, CPU)
        _compare(figures, samples, connections, "TLS", "nginx TLS", RATE, CPU)
        _compare(figures, samples, connections, "plain, one more aggregator", "nginx plain", "", "")


def _set_up(lab):
    satellite = peers.start_satellite(lab)
    proxy = peers.start_proxy(lab, satellite)
    a, b, t = lab.node("a", True), lab.node("b", True), lab.node("t", False)
    near, far, tls = (lab.satellite("near", satellite.plain), lab.satellite("far", satellite.plain),
                      lab.satellite("tls", satellite.tls))
    lab.start_nodes()
    for connector, node in ((near, a), (far, b), (tls, t)):
        lab.start_connector(connector, [node])
    pid = {name: child.pid for name, child in lab.children.items()}
    body = peers.system_body()
    paths = [Path("nginx plain", proxy.plain + peers.SYSTEM, {"proxy": proxy.pid}, body),
             Path("nginx TLS", proxy.tls + peers.SYSTEM, {"proxy": proxy.pid}, body)]
    for name, node, connector, between in (("plain", a, near, ("a", "near")), ("TLS", t, tls, ("t", "tls")),
                                           ("plain, one more aggregator", a, far, ("a", "b", "far"))):
        mapping = Mapping(connector.prefix, [connector.url.partition("//")[2]])
        uri = mapping.own_uri(peers.SYSTEM)
        lab.await_answer(node, uri)
        paths.append(Path(name, node.facade + uri, {part: pid[part] for part in between},
                          mapping.body(body, peers.SYSTEM), [lab.login_header(node), EACH_TO_THE_SATELLITE]))
    # Alternating: each of ours right after its peer.
    return [paths[0], paths[2], paths[4], paths[1], paths[3]]


def _compare(figures, samples, connections, name, peer, rate, cpu):
    ours, theirs = samples[name, connections], samples[peer, connections]
    label = f"{name}, {connections} connections"
    own_cpu = [sum(sample.cpu_us.values()) for sample in ours]
    peer_cpu = [sum(sample.cpu_us.values()) for sample in theirs]
    per_process = {part: sorted(sample.cpu_us[part] for sample in ours)[len(ours) // 2] for part in ours[0].cpu_us}
    sleeps = {part: sorted(sample.sleeps[part] for sample in ours)[len(ours) // 2] for part in ours[0].sleeps}
    figures.add(f"{label}: requests/s, of the proxy's", [o.per_second / t.per_second for o, t in zip(ours, theirs)], "x", rate)
    figures.add(f"{label}: CPU/request, of the proxy's", [o / t for o, t in zip(own_cpu, peer_cpu)], "x", cpu)
    figures.add(f"{label}: requests/s", [sample.per_second for sample in ours], "/s",
                note=f"proxy {_middle([s.per_second for s in theirs]):,.0f}/s")
    figures.add(f"{label}: CPU/request", own_cpu, "us",
                note=f"{_parts(per_process)}; proxy {_middle(peer_cpu):.1f}")
    figures.add(f"{label}: sleeps/request", [sum(sample.sleeps.values()) for sample in ours], "",
                note=f"{_parts(sleeps, 2)}; proxy {_middle([sum(s.sleeps.values()) for s in theirs]):.2f}")
    figures.add(f"{label}: median latency", [sample.latency_us for sample in ours], "us",
                note=f"proxy {_middle([s.latency_us for s in theirs]):,.0f}")


def _parts(values, digits=1):
    return " + ".join(f"{name} {value:.{digits}f}" for name, value in values.items())


def _middle(values):
    return sorted(values)[len(values) // 2]
