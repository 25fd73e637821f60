"""What several satellites have together."""

import unittest

from harness import ROOT, MeshTest, Sim

BASE = f"{ROOT}/Registries/Base.1.13.1"


class Registries(MeshTest):
    sims = (Sim("first"), Sim("second"))

    def tearDown(self):
        super().tearDown()
        for satellite in self.mesh.satellites:
            self.mesh.heal(satellite)

    def shown(self):
        """What each satellite's Base registry looks like without prefix."""
        bodies = []
        for satellite in self.mesh.satellites:
            with self.mesh.bmc(satellite) as bmc:
                bodies.append(self.mesh.mapping(satellite).body(bmc.get(BASE).body.decode(), BASE, listed=True))
        return bodies

    def test_published_ones_are_listed_once_and_others_per_satellite(self):
        for _, client in self.each_facade():
            own = [f"{ROOT}/Registries/{satellite.prefix}_OemSim.1.0.0" for satellite in self.mesh.satellites]
            self.assertEqual(sorted(self.members(client, f"{ROOT}/Registries")), sorted([BASE, *own]))
            answer = client.get(BASE)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertIn(answer.body.decode(), self.shown())
            self.assertEqual((answer.json()["@odata.id"], answer.json()["Id"]), (BASE, "Base.1.13.1"))
            self.assertEqual(client.request("HEAD", BASE).status, 200)
            refused = client.request("DELETE", BASE)
            self.assertRedfishError(refused, 405)
            self.assertEqual(refused.header("Allow"), "GET, HEAD")
            self.assertRedfishError(client.get(f"{ROOT}/Registries/Base.1.99.0"), 404)
            for satellite in self.mesh.satellites:
                self.assertSameBody(client, satellite, BASE)

    def test_any_one_that_can_answer_serves_them(self):
        for broken in self.mesh.satellites:
            self.mesh.fault(broken, "status", path="Registries/Base", status=500)
            for _, client in self.each_facade():
                answer = client.get(BASE)
                self.assertEqual(answer.status, 200, answer.body)
            self.mesh.heal(broken)


if __name__ == "__main__":
    unittest.main()
