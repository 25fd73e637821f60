"""Aggregators in whose calls of the C library a test meddles."""

import shutil
import subprocess

from harness import PROGRAMS, SLOW, Mesh
from quickstart_lib.process import Child

COMPILER = shutil.which("cc") or shutil.which("gcc")
POSSIBLE = bool(COMPILER) and SLOW == 1
WHY_NOT = "there is no C compiler, or what it makes would be loaded before the sanitizer that must be first"


class PreloadedMesh(Mesh):
    SHIM = ""  # C

    def environment(self):
        """What the shim wants to know."""
        return {}

    def start(self, member):
        command = [PROGRAMS / "mesh-aggregatord", "--config", self.files.config(member), "--state", self.files.own_state(member)]
        self._adopt(member.name, Child(member.name, command, self.files.log(member.name),
                                       {"LD_PRELOAD": str(self._library()), **self.environment()}))

    def _library(self):
        library = self.state / "shim.so"
        if not library.exists():
            subprocess.run([COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"], input=self.SHIM, text=True, check=True)
        return library
