"""How long a client gets no answer when an aggregator dies or hangs.

`through`: the client's aggregator has a link of its own to the connector; another one fails. `over`: it has none, and the
one that its requests go over fails: of two, in turn, since only one of them is in use.
"""

import signal
import socket
import sys
import threading
import time

import peers
from lab import Problem, send_signal, settle

_TARGETS = {signal.SIGKILL: ("killed", "<= 50"), signal.SIGSTOP: ("stopped", "<= 450")}
_BEFORE, _AFTER = 0.4, 1.2  # seconds of asking before and after the fault
_EVERY = 0.001


class Poller:
    """Asks one URI again and again, a millisecond after each answer, over one connection."""

    def __init__(self, node, uri, header):
        request = f"GET {uri} HTTP/1.1\r\nHost: bench\r\n{header[0]}: {header[1]}\r\n\r\n"
        self._port, self._request = node.facade_port, request.encode()
        self._end = threading.Event()
        self.times, self.bad = [], []  # moments of good answers; status lines of others
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join(40)

    def _run(self):
        with socket.create_connection(("127.0.0.1", self._port), timeout=35) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._end.wait(_EVERY):
                connection.sendall(self._request)
                status = self._read_answer(connection)
                if status.startswith(b"HTTP/1.1 200"):
                    self.times.append(time.monotonic())
                else:
                    self.bad.append(status.decode(errors="replace"))

    @staticmethod
    def _read_answer(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            data += _received(connection)
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        have = len(body)
        while have < length:
            have += len(_received(connection))
        return head.partition(b"\r\n")[0]

    def worst_gap(self, since, until):
        """Milliseconds between two good answers, of those that end after `since` and begin before `until`."""
        marks = [moment for moment in self.times if moment < until]
        gaps = [(later - earlier) * 1e3 for earlier, later in zip(marks, marks[1:]) if later > since]
        if not gaps or marks[-1] < until - _AFTER / 2:
            raise Problem("no answers came any more")
        return max(gaps)


def _received(connection):
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionError("the facade closed the connection")
    return piece


def run(lab, figures):
    satellite = peers.start_satellite(lab)
    a, b, c = (lab.node(name, True) for name in "abc")
    linked, remote = lab.satellite("linked", satellite.plain), lab.satellite("remote", satellite.plain)
    lab.start_nodes()
    lab.start_connector(linked, [a, b])
    lab.start_connector(remote, [a, c])
    uris = {"linked": f"/redfish/v1/Systems/{linked.prefix}_1", "remote": f"/redfish/v1/Systems/{remote.prefix}_1"}
    failed = 0
    for number, (what, target) in _TARGETS.items():
        through, over, calm = [], [], []
        for count in range(lab.length.failovers):
            print(f"  {what}, round {count + 1} of {lab.length.failovers}", file=sys.stderr, flush=True)
            gap, quiet, bad = _fault(lab, number, b, a, (a, b, c), uris, "linked")
            through.append(gap)
            calm.append(quiet)
            failed += bad
            pair = [_fault(lab, number, b, victim, (a, b, c), uris, "remote") for victim in (a, c)]
            over.append(max(gap for gap, _, _ in pair))
            failed += sum(bad for _, _, bad in pair)
        figures.add(f"another aggregator {what}: longest gap through a linked one", through, "ms", target,
                    note=f"worst {max(through):.0f}; without a fault {sorted(calm)[len(calm) // 2]:.1f}")
        figures.add(f"aggregator {what}: longest gap of what went over it", over, "ms", target,
                    note=f"worst {max(over):.0f}")
    figures.add("answers that were errors, of all failovers", failed, "", "== 0")


def _fault(lab, number, asked, victim, nodes, uris, which):
    """(gap in ms around the fault, longest gap before it, wrong answers)"""
    with Poller(asked, uris[which], lab.login_header(asked)) as poller:
        begin = time.monotonic()
        settle(_BEFORE)
        moment = time.monotonic()
        send_signal(lab.children[victim.name], number)
        settle(_AFTER)
        end = time.monotonic()
    gap, calm = poller.worst_gap(moment, end), poller.worst_gap(begin, moment)
    if number == signal.SIGKILL:
        lab.start_node(victim)
    else:
        send_signal(lab.children[victim.name], signal.SIGCONT)
    _restored(lab, victim, nodes, uris)
    return gap, calm, len(poller.bad)


def _restored(lab, victim, nodes, uris):
    for node in nodes:
        for uri in uris.values():
            lab.await_answer(node, uri)
    # A facade answers over any way; the next round needs the one through the victim.
    settle(1.0)
