"""The merging of collections: every row of the specification's table, on both facades."""

import itertools
import json
import unittest

from harness import ROOT, MeshTest, Sim, eventually

FIRMWARE = ROOT + "/UpdateService/FirmwareInventory"  # of no meaning here, but that it is a collection
SUBSCRIPTIONS = ROOT + "/EventService/Subscriptions"
_tags = itertools.count()


class CollectionTest(MeshTest):
    sims = (Sim("bravo"), Sim("alpha"))

    def setUp(self):
        self.bravo, self.alpha = self.mesh.satellites
        self.client = self.mesh.client()
        self.addCleanup(self.client.close)

    def own(self, satellite, collection=FIRMWARE):
        """The satellite's members as the facade names them, in its order."""
        with self.mesh.bmc(satellite) as bmc:
            members = bmc.get(collection).json()["Members"]
        return [self.mesh.mapping(satellite).uri(member["@odata.id"]) for member in members]

    def put(self, satellite, path, body):
        text = {"raw": body} if isinstance(body, str) else {"body": body}
        self.mesh.tell(satellite, "PUT", "/resource", {"satellite": satellite.name, "path": path, **text})

    def write(self, member):
        """Any write: after it the satellite's member lists are known anew."""
        answer = self.client.request("PATCH", member, {"AssetTag": f"tag {next(_tags)}"})
        self.assertEqual(answer.status, 200, answer.body)

    def missing(self, document):
        return [entry["Message"] for entry in document.get("@Message.ExtendedInfo", [])]

    def shows(self, what, condition, status=200, seconds=10):
        """Both facades answer the collection so that condition(document) holds; their answers."""
        answers = []
        for _, client in self.each_facade():
            def fits(client=client):
                answer = client.get(FIRMWARE)
                return answer if answer.status == status and (status != 200 or condition(answer.json())) else None
            answers.append(eventually(fits, what, seconds))
        return answers

    def listed(self, document):
        return [member["@odata.id"] for member in document["Members"]]


class BrokenCollection(CollectionTest):
    """The fault is in bravo's collection; what is known of it stays."""

    def setUp(self):
        super().setUp()
        self.known = {satellite.name: self.own(satellite) for satellite in self.mesh.satellites}
        self.all = self.known["alpha"] + self.known["bravo"]
        self.addCleanup(self.restore)

    def restore(self):
        for satellite in self.mesh.satellites:
            self.mesh.heal(satellite)
            self.write(self.known[satellite.name][0])
        self.shows("the collection is whole", lambda document: self.listed(document) == self.all and not self.missing(document))

    def break_it(self, kind, *satellites, **parameters):
        for satellite in satellites or [self.bravo]:
            self.mesh.fault(satellite, kind, path=FIRMWARE + "$", **parameters)
            self.write(self.known[satellite.name][0])

    def assertNamesBravoOnce(self, seconds=10):
        for answer in self.shows("bravo is missed", self.missing, seconds=seconds):
            document = answer.json()
            self.assertEqual(self.listed(document), self.all, "known members stay")
            self.assertEqual(document["Members@odata.count"], len(self.all))
            said = self.missing(document)
            self.assertEqual(len(said), 1, said)
            self.assertIn("bravo", said[0])

    def test_both_are_well(self):
        for answer in self.shows("all is listed", lambda document: True):
            document = answer.json()
            self.assertEqual(self.listed(document), self.all)
            self.assertEqual((document["Members@odata.count"], self.missing(document)), (len(self.all), []))

    def test_one_has_no_such_collection(self):
        self.break_it("status", status=404)
        for answer in self.shows("bravo has none", lambda document: self.listed(document) == self.known["alpha"]):
            self.assertEqual(self.missing(answer.json()), [])

    def test_no_satellite_has_such_a_collection(self):
        self.break_it("status", self.bravo, self.alpha, status=404)
        for answer in self.shows("nobody has one", None, status=404):
            self.assertRedfishError(answer, 404)
        for _, client in self.each_facade():
            self.assertNotIn("FirmwareInventory", client.get(ROOT + "/UpdateService").json(), "not linked any more")

    def test_one_fails(self):
        self.break_it("status", status=500)
        self.assertNamesBravoOnce()

    def test_one_is_late(self):
        self.break_it("hang")
        self.assertNamesBravoOnce(seconds=15)

    def test_one_does_not_say_what_it_sends(self):
        self.break_it("no-content-type")
        self.assertNamesBravoOnce()

    def test_one_sends_no_json(self):
        self.break_it("invalid-json")
        self.assertNamesBravoOnce()

    def test_one_sends_json_under_another_name(self):
        self.break_it("headers", set={"Content-Type": "text/html"})
        self.assertNamesBravoOnce()


class Merged(CollectionTest):
    def test_order_is_by_satellite_and_then_the_satellites_own_and_nothing_is_listed_twice(self):
        with self.mesh.bmc(self.bravo) as bmc:
            text = bmc.get(FIRMWARE).body.decode()
        self.addCleanup(self.put, self.bravo, FIRMWARE, text)
        names = ["z", "a", "m", "a", "z"]
        document = json.loads(text)
        first = document["Members"][0]["@odata.id"]
        document["Members"] = [{"@odata.id": f"{FIRMWARE}/{name}"} for name in names]
        self.put(self.bravo, FIRMWARE, document)
        self.write(self.mesh.mapping(self.bravo).uri(first))
        wanted = self.own(self.alpha) + [f"{FIRMWARE}/{self.bravo.prefix}_{name}" for name in ("z", "a", "m")]
        for answer in self.shows("the new order", lambda shown: self.listed(shown) == wanted):
            self.assertEqual(answer.json()["Members@odata.count"], len(wanted))

    def test_a_created_and_a_deleted_member_show_at_once(self):
        answer = self.client.post(f"{ROOT}/{self.bravo.prefix}_EventService/Subscriptions",
                                  {"Destination": "http://127.0.0.1:9/", "Protocol": "Redfish"})
        self.assertEqual(answer.status, 201, answer.body)
        created = answer.header("Location")
        self.assertIn(created, self.members(self.client, SUBSCRIPTIONS))
        with self.mesh.client(self.mesh.aggregators[1]) as other:
            eventually(lambda: created in self.members(other, SUBSCRIPTIONS), "the other facade shows it")
            self.assertEqual(other.request("DELETE", created).status, 204)
            self.assertNotIn(created, self.members(other, SUBSCRIPTIONS))
            eventually(lambda: created not in self.members(self.client, SUBSCRIPTIONS), "it is gone from the first facade")

    def test_what_appears_and_disappears_on_the_bmc_shows_after_any_write_to_it(self):
        new, known = ROOT + "/Chassis/drawer", self.own(self.bravo, ROOT + "/Chassis")[0]
        mapped = self.mesh.mapping(self.bravo).uri(new)
        self.put(self.bravo, new, {"@odata.id": new, "@odata.type": "#Chassis.v1_0_0.Chassis", "Id": "drawer", "Name": "Drawer"})
        self.write(known)
        self.assertIn(mapped, self.members(self.client, ROOT + "/Chassis"))
        self.mesh.tell(self.bravo, "DELETE", f"/resource?satellite=bravo&path={new}")
        self.write(known)
        self.assertNotIn(mapped, self.members(self.client, ROOT + "/Chassis"))

    def test_a_task_is_listed_at_once_and_its_monitor_works_from_any_facade(self):
        self.mesh.tell(self.bravo, "POST", "/options", {"satellite": "bravo", "hold_tasks": True})
        self.addCleanup(self.mesh.tell, self.bravo, "POST", "/options", {"satellite": "bravo", "hold_tasks": False})
        system = self.own(self.bravo, ROOT + "/Systems")[0]
        begun = self.client.post(system + "/Actions/Oem/OemSim.Blink", {"Times": 1})
        self.assertEqual(begun.status, 202, begun.body)
        self.assertTrue(begun.header("Retry-After"))
        monitor, task = begun.header("Location"), begun.json()["@odata.id"]
        self.assertTrue(monitor.startswith(f"{ROOT}/TaskService/TaskMonitors/{self.bravo.prefix}_"), monitor)
        self.assertIn(task, self.members(self.client, ROOT + "/TaskService/Tasks"))
        for _, client in self.each_facade():
            answer = client.get(monitor)
            self.assertEqual((answer.status, answer.header("Location"), bool(answer.header("Retry-After"))), (202, monitor, True))
        self.mesh.tell(self.bravo, "POST", "/finish-tasks", {"satellite": "bravo"})
        for _, client in self.each_facade():
            self.assertIn(client.get(monitor).status, (200, 204))
            self.assertEqual(client.get(task).json()["TaskState"], "Completed")


class MissingSatellites(CollectionTest):
    """Connectors are ended and started again: what is then known, linked and tagged."""

    def end(self, *satellites):
        for satellite in satellites:
            self.mesh.kill(satellite.name, 15)
            self.addCleanup(self.begin, satellite)

    def begin(self, satellite):
        if self.mesh.process[satellite.name].status() is not None:
            self.mesh.start(satellite)
        for _, client in self.each_facade():
            eventually(lambda: satellite.name not in json.dumps(self.missing(client.get(FIRMWARE).json())), "it is back", 20)

    def etags(self, count):
        """The ETag that the facades agree on while so many satellites are missing."""
        answers = self.shows("as many are missing", lambda shown: len(self.missing(shown)) == count)
        tags = {answer.header("ETag") for answer in answers}
        self.assertEqual(len(tags), 1, tags)
        return tags.pop()

    def test_none_can_be_reached_and_all_known_members_are_listed(self):
        known = self.own(self.alpha) + self.own(self.bravo)
        self.end(self.alpha, self.bravo)
        for answer in self.shows("both are missed", lambda shown: len(self.missing(shown)) >= 2):
            self.assertEqual(self.listed(answer.json()), known)
            said = self.missing(answer.json())
            self.assertEqual([name for sentence in said for name in ("alpha", "bravo") if name in sentence], ["alpha", "bravo"])

    def test_the_etag_is_of_the_members_and_of_who_is_missing(self):
        whole = self.etags(0)
        self.assertEqual(self.client.get(FIRMWARE, headers={"If-None-Match": whole}).status, 304)
        self.end(self.bravo)
        without_bravo = self.etags(1)
        self.assertEqual(self.client.get(FIRMWARE, headers={"If-None-Match": whole}).status, 200)
        self.end(self.alpha)
        self.assertEqual(len({whole, without_bravo, self.etags(2)}), 3)
        self.begin(self.bravo)
        without_alpha = self.etags(1)
        self.assertNotEqual(without_alpha, without_bravo)
        self.begin(self.alpha)
        self.assertEqual(self.etags(0), whole)
        member = self.own(self.bravo, ROOT + "/Chassis")[0]
        before = self.client.get(ROOT + "/Chassis").header("ETag")
        self.write(member)
        self.assertEqual(self.client.get(ROOT + "/Chassis").header("ETag"), before, "a member's content is not the list's")

    def test_a_collection_of_one_satellite_is_linked_and_its_own_members_come_first(self):
        for _, client in self.each_facade():
            self.assertNotIn("Cables", client.get(ROOT + "/").json())
        methods = ROOT + "/AggregationService/ConnectionMethods"
        with self.mesh.bmc(self.bravo) as bmc:
            root = bmc.get(ROOT + "/").json()
        for name in ("Cables", "AggregationService"):
            root[name] = {"@odata.id": f"{ROOT}/{name}"}
        self.put(self.bravo, ROOT, root)
        self.put(self.bravo, ROOT + "/AggregationService", {"@odata.id": ROOT + "/AggregationService",
                                                            "ConnectionMethods": {"@odata.id": methods}})
        for collection, member in ((ROOT + "/Cables", "c1"), (methods, "m1")):
            self.put(self.bravo, collection, {"@odata.id": collection, "Name": "x", "Members": [], "Members@odata.count": 0})
            self.put(self.bravo, f"{collection}/{member}", {"@odata.id": f"{collection}/{member}",
                                                              "@odata.type": "#Cable.v1_0_0.Cable", "Id": member, "Name": "x"})
        self.end(self.bravo)
        self.begin(self.bravo)
        for _, client in self.each_facade():
            eventually(lambda: "Cables" in client.get(ROOT + "/").json(), "the root links it")
            eventually(lambda: f"{ROOT}/Cables/{self.bravo.prefix}_c1" in self.members(client, ROOT + "/Cables"), "it is listed")
            eventually(lambda: f"{methods}/{self.bravo.prefix}_m1" in self.members(client, methods), "it is listed too")
            listed = self.members(client, methods)
            self.assertEqual((listed[0], len(listed)), (f"{methods}/{self.bravo.prefix}_m1", 2))
        self.mesh.fault(self.bravo, "status", path="/Cables$", status=404)
        self.addCleanup(self.mesh.heal, self.bravo)
        self.write(f"{ROOT}/Cables/{self.bravo.prefix}_c1")
        for _, client in self.each_facade():
            eventually(lambda: "Cables" not in client.get(ROOT + "/").json(), "nobody has it any more")


if __name__ == "__main__":
    unittest.main()
