"""What a node costs while nobody asks: three aggregators, three connectors, simulated BMCs. With the election settings that are
the default, and with the quickstart's, which notice a loss soonest."""

from lab import Satellite, cpu_seconds, memory_kb, settle, switches, written_bytes
from quickstart_lib.mesh import ELECTION, assign_prefixes
from quickstart_lib.process import stop_all
from quickstart_lib.ready import Readiness, wait_until

_SATELLITES = 3
_DEFAULT = {"election_timeout": "1000ms", "heartbeat": "100ms"}
_CALM = 15.0  # seconds after the last request until what it left behind is done; the history closes its database after ten


def run(lab, figures):
    satellites = [Satellite(f"bmc-{number}", uuid=f"00000000-0000-4000-8000-{number:012}") for number in range(_SATELLITES)]
    lab.start_simulators(satellites)
    nodes = [lab.node(name, False) for name in ("agg-1", "agg-2", "agg-3")]
    lab.files.make_keys([*nodes, *satellites])
    assign_prefixes(satellites)
    lab.files.write_registry(satellites)
    for settings in (_DEFAULT, ELECTION):
        for node in nodes:
            node.extra = {"cluster": settings}
        lab.start_nodes_with_registry()
        for satellite in satellites:
            lab.start_connector(satellite, nodes)
        readiness = Readiness(satellites)
        for node in nodes:
            with lab.client(node) as client:
                wait_until(lambda: readiness.missing(client), 30, f"{node.name} shows every satellite")
        settle(_CALM)
        _measure(lab, [lab.children[node.name].pid for node in nodes], settings, figures)
        stop_all([lab.children.pop(member.name) for member in [*satellites, *nodes]])


def _measure(lab, pids, settings, figures):
    before = [(cpu_seconds(pid), written_bytes(pid), switches(pid)) for pid in pids]
    settle(lab.length.idle)
    after = [(cpu_seconds(pid), written_bytes(pid), switches(pid)) for pid in pids]
    cpu = [(late[0] - early[0]) / lab.length.idle * 100 for early, late in zip(before, after)]
    written = [late[1] - early[1] for early, late in zip(before, after)]
    woken = [(late[2] - early[2]) / lab.length.idle for early, late in zip(before, after)]
    rss = [memory_kb(pid, "VmRSS") / 1024 for pid in pids]
    node = f"idle node of three, elections after {settings['election_timeout']}"
    most = "<= 1" if settings is _DEFAULT else ""  # who wants to notice a loss soonest pays for it
    figures.add(f"{node}: VmRSS", max(rss), "MB", "<= 20",
                note=f"the worst of {_each(rss)}; RssAnon {max(memory_kb(pid, 'RssAnon') for pid in pids) / 1024:.1f} MB")
    figures.add(f"{node}: written to disk in {lab.length.idle} s", max(written), "bytes", "== 0", note=f"the worst of {_each(written)}")
    figures.add(f"{node}: CPU", max(cpu), "% of a core", most, note=f"the worst of {_each(cpu)}")
    figures.add(f"{node}: its threads wake up", max(woken), "times a second", note=f"the worst of {_each(woken)}")


def _each(values):
    return ", ".join(f"{value:.1f}" for value in values)
