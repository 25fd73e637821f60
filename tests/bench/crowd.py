"""A thousand connectors on one aggregator."""

import peers
from lab import Problem, Satellite, memory_kb, cpu_seconds, settle
from talker import Talker

_WRK = """
local prefixes = {%s}
local next = 0
request = function()
  next = next %% #prefixes + 1
  return wrk.format("GET", "/redfish/v1/Systems/" .. prefixes[next] .. "_1")
end
"""


class Crowd(Talker):
    def __init__(self, lab, count, server, links=1, first=0):
        super().__init__(lab, "crowd", [lab.program("many_connectors"), count, server, links, first])
        self.keys = [self.expect("key")[0] for _ in range(count)]


def run(lab, figures):
    count = lab.length.connectors
    node = lab.node("a", True)
    with Crowd(lab, count, node.name) as crowd:
        for number, key in enumerate(crowd.keys):
            lab.satellites.append(Satellite(f"c{number}", prefix=f"{0xA00000 + number:06X}", key=key))
        connectors, lab.satellites = lab.satellites, []
        lab.files.make_keys([node])
        lab.files.write_registry(connectors)
        lab.start_nodes_with_registry()
        _measure(lab, figures, crowd, node, connectors)


def _measure(lab, figures, crowd, node, connectors):
    count, pid = len(connectors), lab.children[node.name].pid
    first = 10
    _connect(crowd, node, first)
    _await(lab, node, connectors[first - 1])
    header = lab.login_header(node)
    _traffic(lab, node, connectors[:first], header, 1)  # so that what the first requests allocate is not counted
    before, cpu = memory_kb(pid, "VmRSS"), cpu_seconds(pid)
    seconds = _connect(crowd, node, count)
    _await(lab, node, connectors[-1])
    spent = cpu_seconds(pid) - cpu
    more = count - first
    figures.add(f"{count:,} connectors: all linked after", seconds, "s",
                note=f"{seconds / more * 1e3:.2f} ms each; aggregator's CPU {spent / more * 1e3:.2f} ms each, both on this machine")
    figures.add(f"{count:,} connectors, idle: RSS each", (memory_kb(pid, "VmRSS") - before) / more, "KB", "<= 75")
    cpu = cpu_seconds(pid)
    settle(3.0)
    figures.add(f"{count:,} connectors, idle: CPU of the aggregator", (cpu_seconds(pid) - cpu) / 3.0 * 100, "% of a core")
    rates = [_traffic(lab, node, connectors, header, lab.length.seconds, pid) for _ in range(3)]
    figures.add(f"{count:,} connectors, after traffic to all: RSS each", (memory_kb(pid, "VmRSS") - before) / more, "KB", "<= 75",
                note=f"VmRSS {memory_kb(pid, 'VmRSS') / 1024:.0f} MB, RssAnon {memory_kb(pid, 'RssAnon') / 1024:.0f} MB")
    figures.add(f"{count:,} connectors: requests/s spread over all", [sample.per_second for sample in rates], "/s",
                note=f"aggregator {rates[-1].cpu_us['aggregator']:.0f} us CPU/request")
    crowd.tell("counters")
    if int(crowd.expect("commands")[0]) < count:
        raise Problem("not every connector was asked")


def _connect(crowd, node, count):
    crowd.tell(f"connect tcp://127.0.0.1:{node.mesh_port} {node.key} {count}")
    return float(crowd.expect("connected", 120)[1])


def _await(lab, node, connector):
    lab.await_answer(node, f"/redfish/v1/Systems/{connector.prefix}_1", 60)


def _traffic(lab, node, connectors, header, seconds, pid=None):
    script = lab.state / "crowd.lua"
    script.write_text(_WRK % ", ".join(f'"{connector.prefix}"' for connector in connectors))
    return peers.wrk(lab, node.facade, 64, seconds, [header], {"aggregator": pid} if pid else {}, script)
