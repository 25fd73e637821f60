"""A request's whole way: client, facade, mesh, connector, BMC, and back."""

import base64
import unittest
from urllib.parse import urlsplit

from harness import ROOT, USER, Mesh, MeshTest, Sim, eventually


class MainPath(MeshTest):
    sims = (Sim("session"), Sim("basic", auth="basic"), Sim("open", auth="none"))

    def systems(self, satellite):
        with self.mesh.bmc(satellite) as bmc:
            return [member["@odata.id"] for member in bmc.get(ROOT + "/Systems").json()["Members"]]

    def test_the_root_and_its_like_are_open_to_all(self):
        for aggregator in self.mesh.aggregators:
            with self.mesh.stranger(aggregator) as stranger:
                for target in ("/redfish", ROOT, ROOT + "/", ROOT + "/odata", ROOT + "/$metadata"):
                    with self.subTest(facade=aggregator.name, target=target):
                        self.assertEqual(stranger.get(target).status, 200)

    def test_every_facade_is_the_same_service(self):
        roots = []
        for aggregator in self.mesh.aggregators:
            with self.mesh.stranger(aggregator) as stranger:
                roots.append(stranger.get(ROOT + "/").json())
        self.assertTrue(roots[0]["UUID"])
        self.assertEqual(len({root["UUID"] for root in roots}), 1)
        self.assertIn("Systems", roots[0])

    def test_everything_else_needs_credentials(self):
        with self.mesh.stranger() as stranger:
            for target in (ROOT + "/Systems", ROOT + "/SessionService", ROOT + "/Nothing", "/metrics"):
                with self.subTest(target=target):
                    answer = stranger.get(target)
                    self.assertEqual(answer.status, 401)
                    self.assertTrue(answer.header("WWW-Authenticate"))

    def test_wrong_credentials_are_refused(self):
        for aggregator in self.mesh.aggregators:
            with self.subTest(facade=aggregator.name), self.mesh.stranger(aggregator) as client:
                for login in (f"{USER}:x{self.mesh.password}", f"nobody:{self.mesh.password}", f"{USER}:", ""):
                    header = "Basic " + base64.b64encode(login.encode()).decode()
                    self.assertRedfishError(client.get(ROOT + "/Systems", headers={"Authorization": header}), 401)
                answer = client.log_in(USER, "x" + self.mesh.password)
                self.assertRedfishError(answer, 401)
                self.assertEqual(client.get(ROOT + "/Systems", headers={"X-Auth-Token": "0" * 32}).status, 401)

    def test_a_session_lives_until_it_is_deleted(self):
        with self.mesh.stranger() as client:
            answer = client.log_in(USER, self.mesh.password)
            self.assertEqual(answer.status, 201, answer.body)
            token, location = answer.header("X-Auth-Token"), urlsplit(answer.header("Location")).path
            self.assertRegex(token, r"^[0-9a-f]{32,}-[0-9a-f]+$")
            self.assertEqual(answer.json()["@odata.id"], location)
            self.assertEqual(client.get(ROOT + "/Systems").status, 200)
            self.assertIn(location, self.members(client, ROOT + "/SessionService/Sessions"))
            self.assertIn(client.log_out(location).status, (200, 204))
            self.assertEqual(client.get(ROOT + "/Systems", headers={"X-Auth-Token": token}).status, 401)

    def test_a_member_is_the_satellites_own_mapped(self):
        for _, client in self.each_facade():
            for satellite in self.mesh.satellites:
                for uri in self.systems(satellite):
                    answer = self.assertSameBody(client, satellite, uri)
                    self.assertEqual(answer.json()["Id"], f"{satellite.prefix}_{uri.rsplit('/', 1)[1]}")

    def test_a_service_of_a_satellite_has_an_address_of_its_own(self):
        for satellite in self.mesh.satellites:
            with self.mesh.client() as client:
                for name in ("UpdateService", "Systems", "Chassis"):
                    self.assertSameBody(client, satellite, f"{ROOT}/{name}")

    def test_collections_list_every_satellites_members_in_order(self):
        for _, client in self.each_facade():
            for collection in ("Systems", "Chassis", "Managers"):
                listed = self.members(client, f"{ROOT}/{collection}")
                for satellite in self.mesh.satellites:
                    with self.mesh.bmc(satellite) as bmc:
                        own = [member["@odata.id"] for member in bmc.get(f"{ROOT}/{collection}").json()["Members"]]
                    mapped = [self.mesh.mapping(satellite).uri(uri) for uri in own]
                    self.assertEqual([uri for uri in listed if uri in mapped], mapped)

    def test_what_is_not_there_is_404(self):
        prefix = self.mesh.satellites[0].prefix
        for _, client in self.each_facade():
            for target in ("/Systems/nothing", "/Systems/FFFFFF_system", "/FFFFFF_UpdateService", "/Nothing",
                           f"/Systems/{prefix}_nothing"):
                self.assertRedfishError(client.get(ROOT + target), 404)

    def test_a_write_reaches_its_satellite_and_no_other(self):
        target, *others = self.mesh.satellites
        uri = self.systems(target)[0]
        with self.mesh.client(self.mesh.aggregators[1]) as client:
            answer = client.request("PATCH", self.mesh.mapping(target).uri(uri), {"AssetTag": "rack 7"})
            self.assertIn(answer.status, (200, 204), answer.body)
        with self.mesh.bmc(target) as bmc:
            self.assertEqual(bmc.get(uri).json()["AssetTag"], "rack 7")
        for other in others:
            with self.mesh.bmc(other) as bmc:
                for each in self.systems(other):
                    self.assertNotEqual(bmc.get(each).json().get("AssetTag"), "rack 7")

    def test_an_action_is_executed_once(self):
        satellite = self.mesh.satellites[0]
        uri = self.systems(satellite)[0]
        with self.mesh.bmc(satellite) as bmc:
            action = bmc.get(uri).json()["Actions"]["#ComputerSystem.Reset"]["target"]
        before = len(self.mesh.tell(satellite, "GET", f"/executions?satellite={satellite.name}"))
        with self.mesh.client() as client:
            answer = client.post(self.mesh.mapping(satellite).uri(action), {"ResetType": "ForceRestart"})
            self.assertIn(answer.status, (200, 202, 204), answer.body)
        after = self.mesh.tell(satellite, "GET", f"/executions?satellite={satellite.name}")
        self.assertEqual(len(after) - before, 1, after[before:])

    def test_queries_reach_the_satellite_mapped_back(self):
        satellite = self.mesh.satellites[0]
        with self.mesh.bmc(satellite) as bmc:
            log = bmc.get(self.systems(satellite)[0] + "/LogServices").json()["Members"][0]["@odata.id"]
            uri = f"{log}/Entries?$skip=2&$top=2"
            there = bmc.get(uri)
        with self.mesh.client() as client:
            here = client.get(self.mesh.mapping(satellite).uri(uri))
        self.assertEqual(here.body.decode(), self.mesh.mapping(satellite).body(there.body.decode(), uri))

    def test_traversal_never_leaves_the_tree(self):
        prefix = self.mesh.satellites[0].prefix
        with self.mesh.client() as client:
            for path in (f"/Systems/{prefix}_x/../y", f"/Systems/{prefix}_x/%2e%2e/y", f"/Systems/{prefix}_x%2Fy",
                         f"/Systems/{prefix}_x%00"):
                with self.subTest(path=path):
                    self.assertRedfishError(client.get(ROOT + path), 400)

    def test_health_is_open_and_metrics_are_not(self):
        with self.mesh.stranger() as stranger, self.mesh.client() as client:
            self.assertEqual(stranger.get("/healthz").status, 200)
            metrics = client.get("/metrics")
            self.assertEqual(metrics.status, 200)
            self.assertIn(b"# TYPE ", metrics.body)
            self.assertNotIn(self.mesh.password.encode(), metrics.body)


class Secrets(unittest.TestCase):
    def test_no_log_shows_a_password_or_a_token(self):
        with Mesh([Sim("one")]) as mesh:
            with mesh.stranger() as client:
                answer = client.log_in(USER, mesh.password)
                client.get(ROOT + "/Systems")
            hidden = [mesh.password, answer.header("X-Auth-Token"), mesh.satellites[0].password()]
            for member in [*mesh.aggregators, *mesh.satellites]:
                output = mesh.process[member.name].output()
                self.assertTrue(output, f"{member.name} logs nothing")
                self.assertFalse([secret for secret in hidden if secret in output], f"{member.name} logs a secret")


class Restarts(MeshTest):
    sims = (Sim("one"), Sim("two"))

    def test_a_restarted_connector_serves_again(self):
        satellite = self.mesh.satellites[0]
        self.assertEqual(self.mesh.kill(satellite.name, 15), 0)
        self.mesh.start(satellite)
        with self.mesh.client() as client:
            eventually(lambda: client.get(f"{ROOT}/{satellite.prefix}_Systems").status == 200, "the satellite is back")

    def test_a_restarted_aggregator_shows_everything_again(self):
        member = self.mesh.aggregators[0]
        self.mesh.kill(member.name)
        self.mesh.start(member)
        eventually(lambda: member.name in self.mesh.process and self._answers(member), "the facade answers")
        self.mesh.await_ready([member])

    def _answers(self, member):
        try:
            with self.mesh.stranger(member) as stranger:
                return stranger.get(ROOT + "/").status == 200
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
