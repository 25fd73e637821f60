"""Five hundred connectors lose the primary of three aggregators: when the others pass requests to every one again."""

import signal
import sys
import threading
import time
from contextlib import ExitStack

from crowd import Crowd
from lab import NO_ANSWER, Client, Problem, Satellite, send_signal, wait_until

_COUNT, _LINKS = 500, 3
_PROCESSES = 2  # that share them: one ZeroMQ context has too few sockets for all links
_LIMIT = 30.0


def run(lab, figures):
    nodes = [lab.node(name, True) for name in ("agg-1", "agg-2", "agg-3")]
    with ExitStack() as stack:
        each = _COUNT // _PROCESSES
        crowds = [stack.enter_context(Crowd(lab, each, nodes[0].name, _LINKS, first))
                  for first in range(0, _COUNT, each)]
        connectors = [Satellite(f"c{number}", prefix=f"{0xA00000 + number:06X}", key=key)
                      for number, key in enumerate(key for crowd in crowds for key in crowd.keys)]
        lab.files.make_keys(nodes)
        lab.files.write_registry(connectors)
        lab.start_nodes_with_registry()
        wait_until(lambda: None if _primary(nodes) else "none yet", _LIMIT, "there is a primary")
        for crowd in crowds:
            crowd.tell(f"connect tcp://127.0.0.1:{nodes[0].mesh_port} {nodes[0].key} {len(crowd.keys)}")
            crowd.expect("connected", 120)
        uris = [f"/redfish/v1/Systems/{connector.prefix}_1" for connector in connectors]
        calm, found = _rounds(lab, nodes, crowds, uris)
    figures.add(f"primary killed: {_COUNT} connectors all answer elsewhere after", found, "s", "<= 2",
                note=f"worst {max(found):.2f}; asking them all takes {sorted(calm)[len(calm) // 2]:.2f} without a fault")


def _rounds(lab, nodes, crowds, uris):
    """Seconds without a fault, and from a fault on, of each round."""
    calm, found = [], []
    for number in range(lab.length.handovers):
        print(f"  round {number + 1} of {lab.length.handovers}", file=sys.stderr, flush=True)
        for crowd in crowds:
            crowd.tell(f"links {_LINKS}")
            crowd.expect("linked", 120)
        _Sweeps(lab, nodes, uris).finish(time.monotonic())
        victim = _primary(nodes)
        left = [node for node in nodes if node is not victim]
        calm.append(_Sweeps(lab, left, uris).finish(time.monotonic()))
        moment = time.monotonic()
        send_signal(lab.children[victim.name], signal.SIGKILL)
        found.append(_Sweeps(lab, left, uris).finish(moment))
        wait_until(lambda: None if _primary(left) else "none yet", _LIMIT, "another is the primary")
        lab.start_node(victim)
        lab.await_answer(victim, uris[0], 60)
    return calm, found


def _primary(nodes):
    def says(node):
        try:
            with Client(node.facade, timeout=2) as client:
                return client.get("/healthz").json().get("primary")
        except (*NO_ANSWER, ValueError):
            return False
    said = [node for node in nodes if says(node)]
    return said[0] if len(said) == 1 else None


class _Sweeps:
    """Asks all connectors at all nodes, those that did not answer with 200 again and again. All at once."""

    def __init__(self, lab, nodes, uris):
        self._threads, self._ends = [], []
        for node in nodes:
            self._threads.append(threading.Thread(target=self._ask, args=(lab.client(node), list(uris)), daemon=True))

    def finish(self, since):
        """Seconds from then until every one has answered everywhere."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(_LIMIT * 2)
        if len(self._ends) != len(self._threads):
            raise Problem(f"not every connector answered within {_LIMIT:.0f} s")
        return max(self._ends) - since

    def _ask(self, client, uris):
        limit = time.monotonic() + _LIMIT
        with client:
            while uris and time.monotonic() < limit:
                uris = [uri for uri in uris if client.get(uri).status != 200]
        if not uris:
            self._ends.append(time.monotonic())
