"""What a connector weighs."""

import shutil
import subprocess

import peers
from lab import Mapping, Problem, memory_kb

_GETS = 1000


def run(lab, figures):
    satellite = peers.start_satellite(lab)
    node = lab.node("a", True)
    connectors = {"http": lab.satellite("plain", satellite.plain), "https": lab.satellite("tls", satellite.tls)}
    lab.start_nodes()
    for scheme, connector in connectors.items():
        child = lab.start_connector(connector, [node])
        mapping = Mapping(connector.prefix, [connector.url.partition("//")[2]])
        uri = mapping.own_uri(peers.SYSTEM)
        lab.await_answer(node, uri)
        body = mapping.body(peers.system_body(), peers.SYSTEM).encode()
        with lab.client(node) as client:
            for _ in range(_GETS):
                answer = client.get(uri)
                if answer.status != 200 or answer.body != body:
                    raise Problem(f"a wrong answer ({answer.status}): {answer.body[:200]}")
        figures.add(f"connector to {scheme}, after {_GETS} GETs: RssAnon", memory_kb(child.pid, "RssAnon"), "KB",
                    note=f"VmRSS {memory_kb(child.pid, 'VmRSS'):,} KB")
    for name in ("mesh-connectord", "mesh-aggregatord"):
        stripped = lab.state / name
        shutil.copyfile(lab.program(name), stripped)
        subprocess.run([lab.tool("strip"), stripped], check=True)
        figures.add(f"{name}, stripped", stripped.stat().st_size / 1e6, "MB", note=str(lab.program(name).parent))
