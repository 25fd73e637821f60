"""Every row of the specification's mapping tables, through the whole path: what a BMC says, and what a client sees of it.

In the tables 5B247A stands for the satellite's prefix and own:443 for its own host, as in the specification.
"""

import json
import unittest

from harness import ROOT, MeshTest, Sim, eventually
from test_mapping import PREFIX, UNTOUCHED, cases

HOST, ALIAS = "own:443", "bmc.example"
ROWS = ROOT + "/Chassis/rows/Rows"     # where the satellite keeps the resource of each row

# What stands in a body of the satellite, and what the facade shows; None: the same.
VALUES = (
    ('"v":"https://own:443/redfish/v1/Systems/1"', '"v":"/redfish/v1/Systems/5B247A_1"'),
    ('"v":"https://bmc.example/redfish/v1/Systems/1#/Boot"', '"v":"/redfish/v1/Systems/5B247A_1#/Boot"'),
    ('"v":"https://elsewhere/redfish/v1/Systems/1"', None),
    ('"HttpPushUri":"/FWUpdate"', '"HttpPushUri":"/redfish/v1/5B247A_-/FWUpdate"'),
    ('"PushURI" : "/FWUpdate?x=1"', '"PushURI" : "/redfish/v1/5B247A_-/FWUpdate?x=1"'),
    ('"uri":"/FWUpdate"', '"uri":"/redfish/v1/5B247A_-/FWUpdate"'),
    ('"extref":"/FWUpdate"', '"extref":"/redfish/v1/5B247A_-/FWUpdate"'),
    ('"Image":"/FWUpdate"', '"Image":"/redfish/v1/5B247A_-/FWUpdate"'),
    ('"Path":"/FWUpdate"', None),
    ('"HttpPushUri":"//FWUpdate"', None),
    ('"HttpPushUri":"FWUpdate"', None),
    ('"HttpPushUri":"/redfish/v1/UpdateService/push"', '"HttpPushUri":"/redfish/v1/5B247A_UpdateService/push"'),
    (r'"v":"\/redfish\/v1\/Systems\/1"', r'"v":"\/redfish\/v1\/Systems\/5B247A_1"'),
    (r'"v":"/redfish/v1/Systems/\u00e9\"x"', r'"v":"/redfish/v1/Systems/5B247A_\u00e9\"x"'),
    ('"v":"The resource /redfish/v1/Systems/1. It has /redfish/v1/Chassis/2."',
     '"v":"The resource /redfish/v1/Systems/5B247A_1. It has /redfish/v1/Chassis/5B247A_2."'),
    ('"MessageArgs":["/redfish/v1/Systems/1","1"]', '"MessageArgs":["/redfish/v1/Systems/5B247A_1","1"]'),
    ('"OriginOfCondition":"/redfish/v1/Systems/1"', '"OriginOfCondition":"/redfish/v1/Systems/5B247A_1"'),
    ('"Members@odata.nextLink":"/redfish/v1/Systems/1/Log/Entries?$skip=50"',
     '"Members@odata.nextLink":"/redfish/v1/Systems/5B247A_1/Log/Entries?$skip=50"'),
    ('"@odata.context":"/redfish/v1/$metadata#Chassis.Chassis"', None),
    ('"Payload":{"HttpHeaders":["Location: /redfish/v1/Systems/1","Accept: */*"],"TargetUri":"/redfish/v1/Systems/1"}',
     '"Payload":{"HttpHeaders":["Location: /redfish/v1/Systems/5B247A_1","Accept: */*"],'
     '"TargetUri":"/redfish/v1/Systems/5B247A_1"}'),
    ('"/redfish/v1/Systems/1":{"/redfish/v1/Systems/1":1}', None),             # keys are never values
    ('"a" :  1e3,\r\n\t"b":-0.0, "b" : 0.50E+1 ,"c":[ ],"d":12345678901234567890,"e":"\\u0041\\/"', None),
    ('"Id":"Rows"', None))
# Around /redfish/v1/Systems/1 in a sentence. Before it: does a URI begin there? After it: does it end there?
NO_BEGINNING, BEGINNING = "x7_/.:-", (" ", "(", "=", "'", '\\"', "[", "<", ">", ",", ";")
ENDING = (" ", "\\t", '\\"', "'", "<", ">", ",", ";", ")", "]", "\\\\", ". ", ": ", ".", ":")

# The URI that is asked for, the satellite's body, the facade's.
IDS = (
    ("/Chassis/1", '{"Id":"1","Sub":{"Id":"1"}}', '{"Id":"5B247A_1","Sub":{"Id":"1"}}'),
    ("/Chassis/1", '{"Id":"other"}', None),
    ("/Chassis/1/Thermal", '{"Id":"1"}', None),
    ("/Chassis/1/Sensors/t", '{"Id":"t"}', None),
    ("/AccountService/Accounts/1", '{"Id":"1"}', None),
    ("/TelemetryService/LogService/Entries/1", '{"Id":"1"}', '{"Id":"5B247A_1"}'),
    ("/Expanded", '{"Chassis":{"Members":[{"@odata.id":"/redfish/v1/Chassis/1","Id":"1","Sub":{"Id":"1"}}]}}',
     '{"Chassis":{"Members":[{"@odata.id":"/redfish/v1/Chassis/5B247A_1","Id":"5B247A_1","Sub":{"Id":"1"}}]}}'),
    ("/Expanded", '{"Sensors":[{"@odata.id":"/redfish/v1/Chassis/1/Sensors/t","Id":"t"}]}',
     '{"Sensors":[{"@odata.id":"/redfish/v1/Chassis/5B247A_1/Sensors/t","Id":"t"}]}'))

HEADERS = (
    ("Location", "/redfish/v1/TaskService/TaskMonitors/7", "/redfish/v1/TaskService/TaskMonitors/5B247A_7"),
    ("Location", "https://own:443/redfish/v1/Systems/1", "/redfish/v1/Systems/5B247A_1"),
    ("Content-Location", "/redfish/v1/Systems/1", "/redfish/v1/Systems/5B247A_1"),
    ("Link", "</redfish/v1/JsonSchemas/A>; rel=describedby, </redfish/v1/Systems/1>; rel=\"x, </redfish/v1/Systems/1>\"",
     "</redfish/v1/5B247A_JsonSchemas/A>; rel=describedby, </redfish/v1/Systems/5B247A_1>; rel=\"x, </redfish/v1/Systems/1>\""),
    ("Link", "<http://redfish.dmtf.org/schemas/v1/A.json>; rel=describedby", None),
    ("X-Custom", "/redfish/v1/Systems/1", None))

STREAM = """: open /redfish/v1/Systems/1

id: 7
data: {"OriginOfCondition":{"@odata.id":"/redfish/v1/Systems/%s1"},
data:  "Message":"see /redfish/v1/Systems/%s1."}

"""
METADATA = """<?xml version="1.0"?>
<edmx:Edmx><edmx:Reference Uri="/redfish/v1/%sSchemas/A_v1.xml"><edmx:Include Namespace="A"/></edmx:Reference>
<edmx:Reference Uri="http://redfish.dmtf.org/schemas/v1/B_v1.xml"/><x>/redfish/v1/Systems/1</x></edmx:Edmx>
"""

# Of the client, and what the satellite gets.
TARGETS = (
    ("/Systems/5B247A_1?$filter=a%20eq%20'/redfish/v1/Chassis/5B247A_1'%20or%20b",
     "/Systems/1?$filter=a%20eq%20'/redfish/v1/Chassis/1'%20or%20b"),
    ("/Systems/5B247A_1?a=%2Fredfish%2Fv1%2FChassis%2F5B247A_1&b=5B247A_1",
     "/Systems/1?a=%2Fredfish%2Fv1%2FChassis%2F1&b=5B247A_1"),
    ("/Systems/5B247A_1/Log/Entries?$skip=50&$top=5", "/Systems/1/Log/Entries?$skip=50&$top=5"),
    ("/sYSTEMS/5B247A_X", "/sYSTEMS/X"),
    ("/%53ystems/5B247A%5FX", "/Systems/X"),
    ("/5B247A_-/FWUpdate?x", "-/FWUpdate?x"),
    ("/5B247A_Systems", "/Systems"),
    ("/5B247A_UpdateService", "/UpdateService"),
    ("/5B247A_$metadata", "/$metadata"),
    ("/5B247A_TelemetryService/LogService/Entries", "/TelemetryService/LogService/Entries"))
BODIES = (
    ('{"Oem":{"a":{"@odata.id":"/redfish/v1/Systems/5B247A_1"}, "b" : 1.50}}',
     '{"Oem":{"a":{"@odata.id":"/redfish/v1/Systems/1"}, "b" : 1.50}}'),
    (r'{"Oem":{"a":"\/redfish\/v1\/Systems\/5B247A_1"}}', r'{"Oem":{"a":"\/redfish\/v1\/Systems\/1"}}'),
    ('{"Oem":{"a":"see /redfish/v1/Systems/5B247A_1."}}', '{"Oem":{"a":"see /redfish/v1/Systems/1."}}'),
    ('{"Oem":{"HttpPushUri":"/redfish/v1/5B247A_-/FWUpdate"}}', '{"Oem":{"HttpPushUri":"/FWUpdate"}}'),
    ('{"Oem":{"a":"/redfish/v1/5B247A_UpdateService/Actions/X"}}', '{"Oem":{"a":"/redfish/v1/UpdateService/Actions/X"}}'),
    ('{"Oem":{"a":"/redfish/v1/Systems/5B247A_5B247A_x"}}', '{"Oem":{"a":"/redfish/v1/Systems/5B247A_x"}}'),
    ('{"Oem":{"a":"/redfish/v1/Systems"}}', '{"Oem":{"a":"/redfish/v1/Systems"}}'),
    ('{"Oem":{"/redfish/v1/Systems/5B247A_1":"https://elsewhere/redfish/v1/Systems/5B247A_1"}}',
     '{"Oem":{"/redfish/v1/Systems/5B247A_1":"https://elsewhere/redfish/v1/Systems/5B247A_1"}}'))
# OTHER stands for the prefix of another satellite.
FOREIGN = ("/redfish/v1/Systems/OTHER_1", "/redfish/v1/OTHER_UpdateService", "/redfish/v1/OTHER_-/FWUpdate",
           "/redfish/v1/Systems/1", "/redfish/v1/AccountService/Accounts/1",
           "/redfish/v1/AggregationService/AggregationSources/5B247A")
REFUSED = ("/Systems/5B247A_x/../y", "/Systems/5B247A_x/%2e%2E/y", "/Systems/5B247A_x/./y", "/Systems/5B247A_x/%2e",
           "/Systems/5B247A_x%2Fy", "/Systems/5B247A_x%2fy", "/Systems/5B247A_x%00", "/Systems/5B247A_x/%252e%252e/y",
           "/../v1/Systems", "/%2e%2e/v1/Systems")


class CaseTest(MeshTest):
    sims = (Sim("cases", auth="none", target={"aliases": [ALIAS]}), Sim("other", auth="none"))
    aggregators = 1

    def setUp(self):
        self.satellite, self.other = self.mesh.satellites
        self.client = self.mesh.client()
        self.addCleanup(self.client.close)
        self.addCleanup(self.mesh.heal, self.satellite)

    def real(self, text):
        """A text of the tables with this mesh's names."""
        return (text.replace(PREFIX, self.satellite.prefix)
                .replace("OTHER", self.other.prefix).replace("https://" + HOST, self.satellite.url))

    def put(self, path, text):
        self.mesh.tell(self.satellite, "PUT", "/resource", {"satellite": self.satellite.name, "path": path, "raw": self.real(text)})

    def answers_with(self, path, **headers):
        """From now on the satellite sends these headers with the resource at `path`."""
        self.mesh.fault(self.satellite, "headers", path=path + "$",
                        set={name.replace("_", "-"): value for name, value in headers.items()})

    def own_uri(self, path):
        return self.mesh.mapping(self.satellite).own_uri(path)

    def get(self, path):
        """The facade's answer for the satellite's resource at `path`."""
        answer = self.client.get(self.own_uri(path))
        self.assertEqual(answer.status, 200, answer.body[:400])
        return answer

    def shown(self, path, text):
        """What the facade shows of a resource with this text."""
        self.put(path, text)
        return self.get(path).body.decode()

    def executed(self):
        return self.mesh.tell(self.satellite, "GET", f"/executions?satellite={self.satellite.name}")

    def requests(self):
        return self.mesh.tell(self.satellite, "GET", f"/requests?satellite={self.satellite.name}&last=20")[self.satellite.name]


class FromTheSatellite(CaseTest):
    def test_uris_of_the_tree(self):
        for there, here in cases():
            with self.subTest(uri=there):
                there, here = self.real(there), self.real(here)
                self.assertEqual(self.shown(ROWS + "/uri", '{"@odata.id":"%s"}' % there), '{"@odata.id":"%s"}' % here)

    def test_uris_that_are_not_the_satellites(self):
        for uri in UNTOUCHED:
            with self.subTest(uri=uri):
                self.assertEqual(self.shown(ROWS + "/other", '{"v":"%s"}' % uri), '{"v":"%s"}' % uri)

    def test_values(self):
        for before, after in VALUES:
            with self.subTest(before=before):
                self.assertEqual(self.shown(ROWS + "/value", "{%s}" % before), "{%s}" % self.real(after or before))

    def test_where_a_uri_begins_in_a_sentence(self):
        for mark in NO_BEGINNING:
            with self.subTest(after=mark):
                text = '{"v":"see %s/redfish/v1/Systems/1"}' % mark
                self.assertEqual(self.shown(ROWS + "/sentence", text), text)
        for mark in BEGINNING:
            with self.subTest(after=mark):
                before, after = ('{"v":"see %s/redfish/v1/Systems/%s1"}' % (mark, prefix) for prefix in ("", PREFIX + "_"))
                self.assertEqual(self.shown(ROWS + "/sentence", before), self.real(after))

    def test_where_a_uri_ends_in_a_sentence(self):
        """A collection that is followed by more than its end would be another, unknown name, which gets a prefix."""
        for mark in ENDING:
            with self.subTest(before=mark):
                text = '{"v":"see /redfish/v1/Systems%s"}' % mark
                self.assertEqual(self.shown(ROWS + "/sentence", text), text)

    def test_ids(self):
        for path, before, after in IDS:
            with self.subTest(path=path, body=before):
                self.assertEqual(self.shown(ROOT + path, before), self.real(after or before))

    def test_headers(self):
        for name, before, after in HEADERS:
            with self.subTest(header=name, value=before):
                self.put(ROWS + "/header", "{}")
                self.answers_with(ROWS + "/header", **{name: self.real(before)})
                answer = self.get(ROWS + "/header")
                self.assertEqual(answer.headers.get_all(name), [self.real(after or before)])
                self.mesh.heal(self.satellite)


class Self(CaseTest):
    def test_a_resource_names_itself_by_the_uri_it_was_asked_for(self):
        for path in ("/UpdateService", "/Systems", "/EventService/Subscriptions", "/TaskService"):
            with self.subTest(path=path):
                answer = self.get(ROOT + path).json()
                self.assertEqual(answer["@odata.id"], self.own_uri(ROOT + path))

    def test_other_uris_in_such_a_body_are_mapped_as_ever(self):
        for member in self.get(ROOT + "/Systems").json()["Members"]:
            self.assertTrue(member["@odata.id"].startswith(f"{ROOT}/Systems/{self.satellite.prefix}_"), member)
        self.assertEqual(self.get(ROOT + "/UpdateService").json()["FirmwareInventory"]["@odata.id"],
                         ROOT + "/UpdateService/FirmwareInventory")

    def test_a_post_to_its_own_collection_creates_in_it(self):
        collection = ROOT + "/EventService/Subscriptions"
        answer = self.client.post(self.own_uri(collection), {"Destination": "http://127.0.0.1:9/", "Protocol": "Redfish"})
        self.assertEqual(answer.status, 201, answer.body)
        location = answer.header("Location")
        self.assertTrue(location.startswith(f"{collection}/{self.satellite.prefix}_"), location)
        self.assertEqual(answer.json()["@odata.id"], location)
        self.assertIn(location, self.members(self.client, collection))
        self.assertEqual(self.client.request("DELETE", location).status, 204)
        self.assertNotIn(location, self.members(self.client, collection))

    def test_every_first_segment_has_an_address_that_the_aggregation_source_links(self):
        with self.mesh.bmc(self.satellite) as bmc:
            root = bmc.get(ROOT + "/").json()
        wanted = {self.own_uri(value["@odata.id"].rstrip("/")) for value in root.values()
                  if isinstance(value, dict) and "@odata.id" in value}
        self.assertIn(f"{ROOT}/{self.satellite.prefix}_Systems", wanted)
        source = self.client.get(f"{ROOT}/AggregationService/AggregationSources/{self.satellite.prefix}")
        self.assertEqual(source.status, 200, source.body)
        linked = source.body.decode()
        for uri in sorted(wanted):
            with self.subTest(uri=uri):
                self.assertIn(f'"{uri}"', linked)
                self.assertEqual(self.client.get(uri).status, 200)


class Formats(CaseTest):
    def test_data_lines_of_an_event_stream(self):
        self.put(ROWS + "/events.txt", STREAM % ("", ""))
        self.answers_with(ROWS + "/events.txt", Content_Type="text/event-stream")
        prefix = self.satellite.prefix + "_"
        self.assertEqual(self.get(ROWS + "/events.txt").body.decode(), STREAM % (prefix, prefix))

    def test_uris_of_metadata(self):
        with self.mesh.bmc(self.satellite) as bmc:
            own = bmc.get(ROOT + "/$metadata").body.decode()
        self.addCleanup(self.put, ROOT + "/$metadata", own)
        self.put(ROOT + "/$metadata", METADATA % "")
        answer = self.get(ROOT + "/$metadata")
        self.assertEqual(answer.body.decode(), METADATA % (self.satellite.prefix + "_"))
        self.assertTrue(answer.header("Content-Type").startswith("application/xml"))

    def test_other_bytes_pass(self):
        text = '{"@odata.id":"/redfish/v1/Systems/1"}\x00\x01 /redfish/v1/Systems/1 <a Uri="/redfish/v1/Systems/1">'
        for name, kind in (("file.bin", "application/octet-stream"), ("file.txt", "text/plain"), ("file.html", "text/html")):
            with self.subTest(type=kind):
                self.put(f"{ROWS}/{name}", text)
                self.answers_with(f"{ROWS}/{name}", Content_Type=kind)
                answer = self.get(f"{ROWS}/{name}")
                self.assertEqual((answer.body.decode(), answer.header("Content-Type")), (text, kind))

    def test_gzip_that_comes_unasked_is_decoded(self):
        self.put(ROWS + "/gzip", '{"v":"/redfish/v1/Systems/1"}')
        self.mesh.fault(self.satellite, "gzip", path=ROWS + "/gzip$")
        answer = self.get(ROWS + "/gzip")
        self.assertEqual(answer.body.decode(), self.real('{"v":"/redfish/v1/Systems/5B247A_1"}'))
        self.assertIsNone(answer.header("Content-Encoding"))

    def test_bmcs_are_asked_for_identity_encoding(self):
        self.put(ROWS + "/identity", "{}")
        self.client.get(self.own_uri(ROWS + "/identity"), headers={"Accept-Encoding": "gzip, br"})
        request = next(each for each in self.requests() if each["target"] == ROWS + "/identity")
        self.assertIn(request["headers"].get("Accept-Encoding", "identity"), ("identity", "identity;q=1, *;q=0"))

    def test_where_bytes_change_the_headers_about_bytes_change(self):
        self.put(ROWS + "/digest", '{"v":"/redfish/v1/Systems/1"}')
        self.answers_with(ROWS + "/digest", Digest="sha-256=AAAA", Accept_Ranges="bytes", X_Kept="yes")
        answer = self.get(ROWS + "/digest")
        self.assertEqual((answer.header("Digest"), answer.header("Accept-Ranges"), answer.header("X-Kept")), (None, None, "yes"))
        self.assertEqual(int(answer.header("Content-Length")), len(answer.body))

    def test_head_is_get_without_its_body(self):
        self.put(ROWS + "/json", '{"v":"/redfish/v1/Systems/1"}')
        self.put(ROWS + "/bytes.bin", "bytes")
        self.put(ROWS + "/zipped", '{"v":"/redfish/v1/Systems/1"}')
        self.mesh.fault(self.satellite, "gzip", path=ROWS + "/zipped$")
        for uri in [self.own_uri(f"{ROWS}/{name}") for name in ("json", "bytes.bin", "zipped")] + [
                ROOT + "/Systems", ROOT + "/", ROOT + "/AccountService", self.own_uri(ROOT + "/Systems")]:
            with self.subTest(uri=uri):
                whole, head = self.client.get(uri), self.client.request("HEAD", uri)
                self.assertEqual((whole.status, head.status, head.body), (200, 200, b""))
                self.assertEqual(int(head.header("Content-Length")), len(whole.body))
                for name in ("Content-Type", "ETag", "Allow", "Link", "OData-Version"):
                    self.assertEqual(head.header(name), whole.header(name), name)


class FromTheClient(CaseTest):
    def reaches(self, target):
        """The satellite gets a request for this."""
        eventually(lambda: any(each["target"] == target for each in self.requests()), f"{target} reaches the BMC")

    def test_paths(self):
        for there, here in cases():
            if there != here and "#" not in here:
                with self.subTest(path=here):
                    self.client.get(self.real(here))
                    self.reaches(self.real(there))

    def test_spellings_and_queries(self):
        for here, there in TARGETS:
            with self.subTest(target=here):
                self.client.get(self.real(ROOT + here))
                self.reaches(self.real(there[1:] if there.startswith("-") else ROOT + there))

    def test_uris_in_bodies(self):
        uri = self.own_uri(ROOT + "/Systems/system1")
        for number, (here, there) in enumerate(BODIES):
            here, there = (text.replace('"a"', f'"a{number}"') for text in (here, there))  # the BMC keeps a property's type
            with self.subTest(body=here):
                before = len(self.executed())
                answer = self.client.request("PATCH", uri, self.real(here).encode(), {"Content-Type": "application/json"})
                self.assertEqual(answer.status, 200, answer.body)
                records = self.executed()[before:]
                self.assertEqual([(each["method"], each["body"]) for each in records], [("PATCH", self.real(there))])

    def test_the_facades_own_host_in_a_body(self):
        body = '{"Oem":{"host":"%s/redfish/v1/Systems/%s_1"}}' % (self.mesh.aggregators[0].facade, self.satellite.prefix)
        self.client.request("PATCH", self.own_uri(ROOT + "/Systems/system1"), body.encode(), {"Content-Type": "application/json"})
        self.assertEqual(self.executed()[-1]["body"], '{"Oem":{"host":"/redfish/v1/Systems/1"}}')

    def test_a_prefix_in_another_case(self):
        self.client.get(f"{ROOT}/Systems/{self.satellite.prefix.lower()}_X")
        self.reaches(ROOT + "/Systems/X")

    def test_uris_in_headers(self):
        uri = self.own_uri(ROOT + "/Systems/system1")
        self.client.request("PATCH", uri, {"AssetTag": "x"}, {
            "Link": self.real("</redfish/v1/Systems/5B247A_1>; rel=x"),
            "Content-Location": self.real("/redfish/v1/Systems/5B247A_1")})
        headers = self.executed()[-1]["headers"]
        self.assertEqual((headers["Link"], headers["Content-Location"]),
                         ("</redfish/v1/Systems/1>; rel=x", "/redfish/v1/Systems/1"))

    def test_uris_in_the_parameters_of_an_update(self):
        parts = ('--b\r\nContent-Disposition: form-data; name="UpdateParameters"\r\nContent-Type: application/json\r\n\r\n'
                 '{"Targets":["/redfish/v1/UpdateService/FirmwareInventory/5B247A_bmc"]}\r\n'
                 '--b\r\nContent-Disposition: form-data; name="UpdateFile"; filename="f"\r\n'
                 'Content-Type: application/octet-stream\r\n\r\n/redfish/v1/Systems/5B247A_1\r\n--b--\r\n')
        with self.mesh.bmc(self.satellite) as bmc:
            push = bmc.get(ROOT + "/UpdateService").json()["MultipartHttpPushUri"]
        answer = self.client.post(self.own_uri(push), self.real(parts).encode(),
                                  headers={"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(answer.status, 202, answer.body)
        upload = self.mesh.tell(self.satellite, "GET", f"/uploads?satellite={self.satellite.name}")[-1]
        self.assertEqual(upload["parameters"], {"Targets": [ROOT + "/UpdateService/FirmwareInventory/bmc"]})
        self.assertEqual(upload["size"], len(self.real("/redfish/v1/Systems/5B247A_1")))  # the image is nobody's to change

    def test_what_another_owns_is_refused_by_its_name(self):
        for uri in map(self.real, FOREIGN):
            with self.subTest(uri=uri):
                before = len(self.executed())
                answer = self.client.request("PATCH", self.own_uri(ROOT + "/Systems/system1"), {"Oem": {"a": {"@odata.id": uri}}})
                error = self.assertRedfishError(answer, 400, "PropertyValueNotInList")
                self.assertIn(uri, json.dumps(error["@Message.ExtendedInfo"]))
                self.assertEqual(len(self.executed()), before, "nothing of it reached the BMC")

    def test_paths_that_lead_astray_are_refused_before_anything_else(self):
        with self.mesh.stranger() as stranger:
            for path in map(self.real, REFUSED):
                for who, client in (("administrator", self.client), ("stranger", stranger)):
                    with self.subTest(path=path, who=who):
                        self.assertRedfishError(client.get(ROOT + path), 400)


if __name__ == "__main__":
    unittest.main()
