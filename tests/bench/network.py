"""A network of this process's own, which can be cut: Linux network namespaces, joined by bridges.

This process sits on two bridges, one that the mesh talks over and one for its clients; every place is a namespace with one
link to each. A cut takes down the mesh's link only, as a pulled cable would: what is sent is lost in silence, nobody is
told, and the clients still reach who is cut off. Nothing leads out of it, and it ends with the process.
"""

import os
import subprocess
import sys

from lab import Problem, wait_until
from quickstart_lib.process import Child

_MESH, _CLIENTS = "10.77.0", "10.77.1"
_INSIDE = "BMCMESH_BENCH_NETWORK"


def enter():
    """Starts this command again in a fresh network namespace, unless it is there already."""
    if os.environ.get(_INSIDE) == str(os.getpid()):
        return
    for way in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        if subprocess.run([*way, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ[_INSIDE] = str(os.getpid())  # which it keeps
            os.execvp(way[0], [*way, sys.executable, "-B", *sys.argv])
    raise Problem("this machine lets nobody make network namespaces; without them nothing can be cut")


def _ip(*words):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Problem(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")


class Place:
    """A namespace, held open by a process that does nothing and ends with this one."""

    def __init__(self, number, log):
        self._number = number
        self.mesh_address, self.facade_address = f"{_MESH}.{number}", f"{_CLIENTS}.{number}"
        self._holder = Child(f"place-{number}", ["unshare", "--net", "sleep", "infinity"], log)
        self._file = f"/proc/{self._holder.pid}/ns/net"
        wait_until(self._missing, 5, f"place {number} is made")
        for kind, address in (("mesh", self.mesh_address), ("clients", self.facade_address)):
            outside = f"{kind}{number}"
            _ip("link", "add", outside, "type", "veth", "peer", "name", kind, "netns", self._holder.pid)
            _ip("link", "set", outside, "master", kind, "up")
            self._ip_inside("address", "add", f"{address}/24", "dev", kind)
            self._ip_inside("link", "set", kind, "up")
        self._ip_inside("link", "set", "lo", "up")

    def _missing(self):
        self._holder.require_running()
        return None if os.readlink(self._file) != os.readlink("/proc/self/ns/net") else "not yet"

    def _ip_inside(self, *words):
        done = subprocess.run([*map(str, self.command(["ip", *words]))], capture_output=True, text=True)
        if done.returncode != 0:
            raise Problem(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def command(self, command):
        """The same, to be run there."""
        return ["nsenter", f"--net={self._file}", "--", *command]

    def cut(self):
        _ip("link", "set", f"mesh{self._number}", "down")

    def mend(self):
        _ip("link", "set", f"mesh{self._number}", "up")


def build(count, log):
    """The places; this process is at .254 of both networks."""
    _ip("link", "set", "lo", "up")
    for kind, address in (("mesh", _MESH), ("clients", _CLIENTS)):
        _ip("link", "add", kind, "type", "bridge", "forward_delay", 0)
        _ip("address", "add", f"{address}.254/24", "dev", kind)
        _ip("link", "set", kind, "up")
    return [Place(number, log) for number in range(1, count + 1)]
