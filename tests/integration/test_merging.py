"""What several satellites have together: registries, log entries, and one answer for many who ask the same."""

import json
import tempfile
import threading
import time
import unittest
from pathlib import Path

from harness import ROOT, SLOW, MeshTest, Sim, eventually

COLLECTION_SECONDS = 2.0
ENTRIES = f"{ROOT}/TelemetryService/LogService/Entries"
BASE = f"{ROOT}/Registries/Base.1.13.1"


def write_machine(folder, count):
    """A recorded machine whose telemetry log has `count` entries, inline."""
    def put(uri, **properties):
        place = Path(folder) / uri.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        (place / "index.json").write_text(json.dumps({"@odata.id": uri, "Name": "x", **properties}))
    link = lambda uri: {"@odata.id": uri}  # noqa: E731
    service = f"{ROOT}/TelemetryService"
    put(ROOT, Id="RootService", RedfishVersion="1.15.0", UUID="00000000-0000-0000-0000-000000000000",
        Systems=link(f"{ROOT}/Systems"), TelemetryService=link(service))
    put(f"{ROOT}/Systems", Members=[link(f"{ROOT}/Systems/1")])
    put(f"{ROOT}/Systems/1", Id="1")
    put(service, Id="TelemetryService", LogService=link(f"{service}/LogService"))
    put(f"{service}/LogService", Id="LogService", Entries=link(ENTRIES))
    entries = [{"@odata.id": f"{ENTRIES}/{n}", "@odata.type": "#LogEntry.v1_16_0.LogEntry", "Id": str(n), "Name": "Entry",
                "Message": f"see {ROOT}/Systems/1", "Value": 1.50} for n in range(1, count + 1)]
    put(ENTRIES, **{"Members@odata.count": count, "Members": entries})
    for entry in entries:
        put(entry["@odata.id"], **entry)


class Registries(MeshTest):
    sims = (Sim("first"), Sim("second"))

    def tearDown(self):
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


class LogEntries(MeshTest):
    sims = ()

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="bmcmesh-machines-")
        cls.addClassCleanup(folder.cleanup)
        write_machine(folder.name + "/a", 2)
        write_machine(folder.name + "/b", 3)
        cls.sims = (Sim("a", folder.name + "/a", auth="none"), Sim("b", folder.name + "/b", auth="none"))
        super().setUpClass()

    def setUp(self):
        self.a, self.b = self.mesh.satellites

    def tearDown(self):
        for satellite in self.mesh.satellites:
            self.mesh.heal(satellite)

    def entries(self, satellite):
        """The satellite's entries as the facade shows them, as text."""
        with self.mesh.bmc(satellite) as bmc:
            members = json.loads(bmc.get(ENTRIES).body)["Members"]
        # As items of a collection that is not asked for itself, since its own URI is the facade's.
        return [self.mesh.mapping(satellite).body(json.dumps(member), member["@odata.id"]) for member in members]

    def gathered(self, client):
        """(members, what is said to be missing)"""
        answer = client.get(ENTRIES)
        self.assertEqual(answer.status, 200, answer.body)
        document = answer.json()
        self.assertEqual(document["@odata.id"], ENTRIES)
        self.assertEqual(document["Members@odata.count"], len(document["Members"]))
        for member in document["Members"]:
            self.assertIn(json.dumps(member), answer.body.decode(), "members keep their bytes")
        return ([json.dumps(member) for member in document["Members"]],
                [entry["Message"] for entry in document.get("@Message.ExtendedInfo", [])])

    def test_all_entries_stand_inline_and_are_fetched_for_each_who_asks(self):
        for satellite in self.mesh.satellites:
            self.mesh.tell(satellite, "POST", "/reset-counts", {})
        for _, client in self.each_facade():
            members, missing = self.gathered(client)
            self.assertEqual((len(members), missing), (5, []))
        counts = self.mesh.tell(self.a, "GET", "/counts")
        for satellite in self.mesh.satellites:
            self.assertEqual(counts[satellite.name]["by"].get(f"GET {ENTRIES}"), len(self.mesh.aggregators))
        self.assertEqual(members, self.entries(self.a) + self.entries(self.b))

    def test_who_has_none_does_not_count_and_who_fails_is_named(self):
        with self.mesh.client() as client:
            self.mesh.fault(self.b, "status", path="Entries", status=404)
            self.assertEqual(self.gathered(client), (self.entries(self.a), []))
            self.mesh.fault(self.a, "status", path="Entries", status=404)
            self.assertRedfishError(client.get(ENTRIES), 404)
            self.mesh.heal(self.a)
            self.mesh.heal(self.b)
            for kind, parameters in (("status", {"status": 500}), ("no-content-type", {}), ("invalid-json", {}), ("hang", {})):
                with self.subTest(kind):
                    self.mesh.fault(self.b, kind, path="Entries", **parameters)
                    begun = time.monotonic()
                    members, missing = self.gathered(client)
                    self.assertLess(time.monotonic() - begun, (COLLECTION_SECONDS + 1) * SLOW)
                    self.assertEqual(len(missing), 1, missing)
                    self.assertIn(f"Satellite {self.b.name} ", missing[0])
                    self.mesh.heal(self.b)
                    self.assertEqual(members, self.entries(self.a))


class IdenticalGets(MeshTest):
    sims = (Sim("one"),)
    aggregators = 1

    def asked(self, uri):
        return self.mesh.tell(self.mesh.satellites[0], "GET", "/counts")["one"]["by"].get(f"GET {uri}", 0)

    def at_once(self, uri, count, headers):
        """Answers to `count` GETs, the first of which had reached the BMC, which is slow, when the others began."""
        satellite, answers = self.mesh.satellites[0], []
        there = f"{ROOT}/Systems/" + uri.rsplit("/", 1)[1].split("_", 1)[1]

        def get():
            with self.mesh.client() as client:
                answers.append(client.request("GET", uri, headers=headers))
        self.mesh.fault(satellite, "delay", path=there + "$", ms=3000)
        threads = [threading.Thread(target=get) for _ in range(count)]
        before = self.asked(there)
        threads[0].start()
        eventually(lambda: self.asked(there) > before, "the first GET reaches the BMC")
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join()
        self.mesh.heal(satellite)
        self.assertEqual([answer.status for answer in answers], [200] * count)
        self.assertEqual(len({answer.body for answer in answers}), 1)
        return self.asked(there) - before

    def joined(self, client):
        lines = client.get("/metrics").body.decode().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("bmcmesh_http_joined_total "))

    def test_they_reach_the_bmc_once_unless_told_not_to_use_what_is_there(self):
        with self.mesh.client() as client:
            uri = self.members(client, f"{ROOT}/Systems")[0]
            before = self.joined(client)
            self.assertEqual(self.at_once(uri, 5, {}), 1)
            self.assertEqual(self.joined(client) - before, 4)
            self.assertEqual(self.at_once(uri, 3, {"Cache-Control": "no-cache"}), 3)
        seen = self.mesh.tell(self.mesh.satellites[0], "GET", "/requests?last=3")["one"]
        for request in seen:
            headers = {name.lower(): value for name, value in dict(request["headers"]).items()}
            self.assertEqual(headers.get("cache-control"), "no-cache", request)


class JoinedGetsAndWritesElsewhere(MeshTest):
    sims = (Sim("one"),)

    def asked(self, uri):
        return self.mesh.tell(self.mesh.satellites[0], "GET", "/counts")["one"]["by"].get(f"GET {uri}", 0)

    def metric(self, client, name):
        lines = client.get("/metrics").body.decode().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name + " "))

    def test_who_asks_after_a_write_through_another_aggregator_sees_it(self):
        satellite, (here, elsewhere) = self.mesh.satellites[0], self.mesh.aggregators
        there, answers = f"{ROOT}/Systems/system1", {}
        uri = self.mesh.mapping(satellite).own_uri(there)

        def get(name):
            with self.mesh.client(here) as client:
                answers[name] = client.get(uri)
        threads = [threading.Thread(target=get, args=[name]) for name in ("before", "after")]
        # Its answer is made at once and comes late.
        self.mesh.fault(satellite, "delay", match={"method": "GET", "path": there + "$"}, times=1, ms=4000 * SLOW, execute=True)
        self.addCleanup(self.mesh.heal, satellite)
        with self.mesh.client(here) as client, self.mesh.client(elsewhere) as writer:
            before, joined, anew = self.asked(there), *(self.metric(client, f"bmcmesh_http_joined_{kind}total")
                                                        for kind in ("", "anew_"))
            threads[0].start()
            eventually(lambda: self.asked(there) > before, "the first GET reaches the BMC")
            self.assertEqual(writer.request("PATCH", uri, {"AssetTag": "written elsewhere"}).status, 200)
            threads[1].start()
            eventually(lambda: self.metric(client, "bmcmesh_http_joined_total") > joined, "the second GET joins the first")
            self.assertNotIn("before", answers)
            for thread in threads:
                thread.join()
            self.assertEqual({name: answer.status for name, answer in answers.items()}, {"before": 200, "after": 200})
            self.assertNotEqual(answers["before"].json().get("AssetTag"), "written elsewhere")
            self.assertEqual(answers["after"].json()["AssetTag"], "written elsewhere")
            self.assertEqual(self.asked(there) - before, 2)
            self.assertEqual(self.metric(client, "bmcmesh_http_joined_anew_total") - anew, 1)


if __name__ == "__main__":
    unittest.main()
