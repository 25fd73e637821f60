"""Aggregators in whose calls of the C library a test meddles."""

import shutil
import subprocess

from harness import SLOW, Mesh
from quickstart_lib.mesh import Aggregator

COMPILER = shutil.which("cc") or shutil.which("gcc")
POSSIBLE = bool(COMPILER) and SLOW == 1
WHY_NOT = "there is no C compiler, or what it makes would be loaded before the sanitizer that must be first"


class PreloadedMesh(Mesh):
    SHIM = ""  # C

    def environment(self, member):
        return {"LD_PRELOAD": str(self._library())} if isinstance(member, Aggregator) else {}

    def _library(self):
        library = self.state / "shim.so"
        if not library.exists():
            subprocess.run([COMPILER, "-shared", "-fPIC", "-x", "c", "-", "-o", library, "-ldl"], input=self.SHIM, text=True, check=True)
        return library
