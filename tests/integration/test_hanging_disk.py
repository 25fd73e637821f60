"""A disk that hangs: what was told to stop ends all the same."""

import signal
import unittest

from harness import eventually, what_it_does
from preload import POSSIBLE, WHY_NOT, PreloadedMesh
from test_cluster import health

ENDED_BY_FORCE, PATIENCE = 70, 25  # limits::endPatience


class OnHangingDisk(PreloadedMesh):
    """Whoever syncs or cuts a file waits as long as the named file is there."""

    SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>
static void hang(void)
{
    const char *sign = getenv("BMCMESH_TEST_HANG");
    while (sign != NULL && access(sign, F_OK) == 0) {
        pause();
    }
}
int fsync(int file) { hang(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file); }
int fdatasync(int file) { hang(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file); }
int ftruncate(int file, off_t to) { hang(); return ((int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate"))(file, to); }
int ftruncate64(int file, off64_t to) { hang(); return ((int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64"))(file, to); }
"""

    def environment(self, member):
        return super().environment(member) | {"BMCMESH_TEST_HANG": str(self.state / "hang")}


@unittest.skipUnless(POSSIBLE, WHY_NOT)
class HangingDisk(unittest.TestCase):
    def test_a_node_ends_with_a_sentence_and_a_status_and_has_its_state_when_it_starts_again(self):
        with OnHangingDisk([], aggregators=1) as mesh:
            (node,) = mesh.aggregators
            eventually(lambda: health(mesh, node).get("ready"), "it is ready", 30)
            with mesh.client() as client:
                before = client.get("/mesh/v1/cluster/members").json()["generation"]
            (mesh.state / "hang").touch()
            child = mesh.process[node.name]
            child.signal(signal.SIGTERM)
            status = child.wait(PATIENCE / 2)
            self.assertIsNone(status, "its log cannot be closed")
            status = child.wait(PATIENCE)
            if status is None:
                told = what_it_does(child.pid)
                child.signal(signal.SIGKILL)
                child.wait(10)
                self.fail(told)
            self.assertEqual(status, ENDED_BY_FORCE, child.last_words())
            self.assertIn("event=ended_by_force", child.output())
            (mesh.state / "hang").unlink()
            mesh.start(node)
            eventually(lambda: health(mesh, node).get("ready"), "it is ready again", 30)
            with mesh.client() as client:
                self.assertEqual(client.get("/mesh/v1/cluster/members").json()["generation"], before)


if __name__ == "__main__":
    unittest.main()
