"""The product's own programs, as the set-up uses them."""

import os
import subprocess
from pathlib import Path

from .problem import Problem
from .process import run_to_end

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = ("mesh-aggregatord", "mesh-connectord", "meshctl")
SIMULATOR = CHECKOUT / "tests/bmcsim/bmcsim"


def _run(command, what):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"{what}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def programs_folder(preset="release"):
    """Where the programs are: $MESH_BIN as it stands, else this checkout's build, brought up to date first."""
    given = os.environ.get("MESH_BIN")
    if given:
        folder = Path(given).resolve()
    else:
        for step in ([CHECKOUT / "deploy/install-packages", "build"], [CHECKOUT / "deploy/build", preset]):
            if run_to_end(step) != 0:
                raise Problem(f"{step[0].name} failed; its reason stands above")
        folder = Path(os.environ.get("BMCMESH_BUILD", CHECKOUT / "build")) / preset / "bin"
    for name in PROGRAMS:
        if not os.access(folder / name, os.X_OK):
            raise Problem(f"there is no {name} in {folder}")
    return folder


class MeshCtl:
    def __init__(self, programs):
        self._program = programs / "meshctl"

    def key(self, path):
        """Makes a CURVE key file unless it is there; returns its public half (Z85)."""
        if not path.exists():
            _run([self._program, "keygen", path], "meshctl keygen")
        for line in path.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "public":
                return value.strip()
        raise Problem(f"{path}: there is no public key in it")

    def add_administrator(self, accounts_file, user, password_file):
        """To the state file of an aggregator that does not run."""
        _run([self._program, "account", "add", user, "--role", "Administrator", "--new-password-file", password_file,
              "--file", accounts_file], "meshctl account add")
