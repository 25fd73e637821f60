"""Bodies that do not fit into one record: images to the BMC, long downloads from it."""

import hashlib
import random
import unittest

from harness import ROOT, MeshTest, Sim

RECORD = 64 * 1024  # what travels with a request or a reply


class Transfers(MeshTest):
    sims = (Sim("plain", auth="basic"),)

    @property
    def satellite(self):
        return self.mesh.satellites[0]

    def test_an_image_of_any_size_arrives_whole(self):
        uri = f"{ROOT}/{self.satellite.prefix}_UpdateService/update"
        for size in (1, RECORD - 1, RECORD, RECORD + 1, 70_000, 3_000_000):
            with self.subTest(size=size), self.mesh.client() as client:
                image = random.Random(size).randbytes(size)
                answer = client.post(uri, image, headers={"Content-Type": "application/octet-stream"})
                self.assertEqual(answer.status, 202, answer.body)
                received = self.mesh.tell(self.satellite, "GET", "/uploads")
                self.assertIn(hashlib.sha256(image).hexdigest(), str(received))

    def test_a_download_of_any_size_arrives_whole(self):
        for size in (1, RECORD, RECORD + 1, 3_000_000):
            with self.subTest(size=size), self.mesh.client() as client:
                answer = client.get(f"{ROOT}/{self.satellite.prefix}_Download/{size}")
                self.assertEqual(answer.status, 200)
                told = self.mesh.tell(self.satellite, "GET", f"/download-sha256?bytes={size}")
                self.assertIn(hashlib.sha256(answer.body).hexdigest(), str(told))
                self.assertEqual(len(answer.body), size)


if __name__ == "__main__":
    unittest.main()
