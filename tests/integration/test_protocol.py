"""What the Redfish specification (DSP0266) asks of a service, of everything that the facade itself answers."""

import http.client
import json
import re
import ssl
import unittest
from urllib.parse import urlsplit

from harness import ROOT, SLOW, USER, Client, MeshTest, Sim

SESSIONS = ROOT + "/SessionService/Sessions"
ACCOUNTS = ROOT + "/AccountService/Accounts"
ROLES = ROOT + "/AccountService/Roles"
PASSWORD = "a long enough Pass-w0rd"
JSON = "application/json"
OPEN = ("/redfish", ROOT + "/", ROOT + "/odata", ROOT + "/$metadata")
# What is asked as the administrator: what it is about, method, URI, body, headers, status, message of the error.
REQUESTS = (
    ("unknown methods", "FAKEMETHOD", ROOT + "/", None, {}, 501, "OperationNotAllowed"),
    ("the method comes before the body", "POST", ROOT + "/", {}, {}, 405, "OperationNotAllowed"),
    ("the method comes before the body", "PATCH", ROOT + "/", b"{no json", {}, 405, "OperationNotAllowed"),
    ("the method comes before the body", "DELETE", ROOT + "/", None, {}, 405, "OperationNotAllowed"),
    ("versions of OData", "GET", ROOT + "/", None, {"OData-Version": "4.0"}, 200, None),
    ("versions of OData", "GET", ROOT + "/", None, {"OData-Version": "4.1"}, 412, "HeaderInvalid"),
    ("a GET's body is ignored", "GET", ROOT + "/", {"a": 1}, {}, 200, None),
    ("unknown parameters are ignored", "GET", ROOT + "/?unknown", None, {}, 200, None),
    ("unknown $parameters are not", "GET", ROOT + "/?$unknown", None, {}, 501, "QueryNotSupported"),
    ("only takes no value", "GET", SESSIONS + "?only=foo", None, {}, 400, "QueryParameterValueFormatError"),
    ("only is for collections", "GET", ROOT + "/?only", None, {}, 400, "QueryParameterValueFormatError"),
    ("excerpts are not advertised", "GET", ROOT + "/?excerpt=foo", None, {}, 400, "QueryParameterValueFormatError"),
    ("types", "GET", ROOT + "/", None, {"Accept": "application/json;charset=utf-8"}, 200, None),
    ("types", "GET", ROOT + "/", None, {"Accept": "application/*"}, 200, None),
    ("types", "GET", ROOT + "/$metadata", None, {"Accept": "application/xml;charset=utf-8"}, 200, None),
    ("types", "GET", ROOT + "/$metadata", None, {"Accept": "application/*"}, 200, None),
    ("types", "GET", ROOT + "/", None, {"Accept": "application/xml"}, 406, "HeaderInvalid"),
    ("types", "GET", ROOT + "/$metadata", None, {"Accept": "text/html"}, 406, "HeaderInvalid"),
    ("clients that want JSON everywhere", "GET", ROOT + "/$metadata", None, {"Accept": JSON}, 200, None),
    ("clients that want JSON everywhere", "GET", "/metrics", None, {"Accept": JSON}, 200, None),
    ("types of bodies", "PATCH", ACCOUNTS + "/1", b"<a/>", {"Content-Type": "text/xml"}, 415, "UnrecognizedRequestBody"),
    ("bodies are JSON", "PATCH", ACCOUNTS + "/1", b"{", {"Content-Type": JSON}, 400, "MalformedJSON"),
    ("bodies are objects", "PATCH", ACCOUNTS + "/1", [], {}, 400, "UnrecognizedRequestBody"),
    ("bodies have something in them", "PATCH", ACCOUNTS + "/1", {}, {}, 400, "EmptyJSON"),
    ("annotations change nothing", "PATCH", ACCOUNTS + "/1", {"@odata.id": "/x"}, {}, 400, "NoOperation"),
    ("unknown properties", "PATCH", ACCOUNTS + "/1", {"Bogus": 1}, {}, 400, "PropertyUnknown"),
    ("read-only properties", "PATCH", ACCOUNTS + "/1", {"Id": "2"}, {}, 400, "PropertyNotWritable"),
    ("types of properties", "PATCH", ACCOUNTS + "/1", {"Enabled": "yes"}, {}, 400, "PropertyValueTypeError"),
    ("missing properties", "POST", ACCOUNTS, {"UserName": "eve"}, {}, 400, "PropertyMissing"),
    ("predefined roles stay", "PATCH", ROLES + "/ReadOnly", {"AssignedPrivileges": ["Login"]}, {}, 405, "OperationNotAllowed"),
    ("broken URIs", "GET", ROOT + "/%zz", None, {}, 400, "GeneralError"),
    ("URIs that are too long", "GET", ROOT + "/" + 16384 * "a", None, {}, 414, "GeneralError"),
    ("what is not there", "GET", ROOT + "/Nothing", None, {}, 404, "ResourceMissingAtURI"),
    ("what is not there", "DELETE", ACCOUNTS + "/99", None, {}, 404, "ResourceMissingAtURI"))


def references(document):
    """Every @odata.id in it."""
    if isinstance(document, dict):
        return [target for name, value in document.items()
                for target in ([value] if name == "@odata.id" else references(value))]
    return [target for value in document for target in references(value)] if isinstance(document, list) else []


class Protocol(MeshTest):
    sims, aggregators = (Sim("machine"),), 1

    def setUp(self):
        self.client, self.nobody = self.mesh.client(), self.mesh.stranger()
        self.addCleanup(self.client.close)
        self.addCleanup(self.nobody.close)

    def own_resources(self):
        """(URI, answer) of everything that links lead to and that no satellite answers."""
        satellites = (self.mesh.satellites[0].prefix + "_", ROOT + "/Registries/")
        waiting, seen = [ROOT + "/"], set()
        while waiting:
            uri = waiting.pop()
            if uri not in seen and not any(mark in uri for mark in satellites):
                seen.add(uri)
                answer = self.client.get(uri)
                self.assertEqual(answer.status, 200, uri)
                waiting += [target for target in references(answer.json()) if "#" not in target]  # of parts of a resource
                yield uri, answer

    def test_requests_get_the_status_and_the_message_that_they_deserve(self):
        for about, method, uri, body, headers, status, message in REQUESTS:
            with self.subTest(about, request=f"{method} {uri[:80]}", headers=headers):
                answer = self.client.request(method, uri, body, headers=headers)
                if message:
                    self.assertRedfishError(answer, status, message)
                self.assertEqual(answer.status, status)
                self.assertTrue(answer.header("Cache-Control"))
                self.assertEqual(answer.header("OData-Version"), "4.0")
                if status == 405:
                    self.assertIn("GET", answer.header("Allow"))

    def test_version_service_document_and_metadata_are_open(self):
        self.assertEqual(self.nobody.get("/redfish").json(), {"v1": "/redfish/v1/"})
        self.assertEqual(self.nobody.get(ROOT).json(), self.nobody.get(ROOT + "/").json())
        metadata = self.nobody.get(ROOT + "/$metadata")
        self.assertEqual(metadata.header("Content-Type"), "application/xml")
        self.assertIn(b"<EntityContainer ", metadata.body)
        service = self.nobody.get(ROOT + "/odata")
        self.assertEqual(service.header("Content-Type"), JSON)
        self.assertEqual(service.json()["@odata.context"], ROOT + "/$metadata")
        root = self.nobody.get(ROOT + "/").json()
        children = {value["@odata.id"] for value in root.values() if isinstance(value, dict) and "@odata.id" in value}
        self.assertLessEqual({ROOT + "/"} | children, {entry["url"] for entry in service.json()["value"]})
        sessions = self.client.get(ROOT + "/SessionService").json()["Sessions"]
        self.assertEqual(root["Links"]["Sessions"], sessions)

    def test_what_links_lead_to_is_well_formed(self):
        count = 0
        for uri, answer in self.own_resources():
            count += 1
            with self.subTest(uri):
                document = answer.json()
                self.assertEqual(document["@odata.id"], uri)
                self.assertTrue(document["Name"])
                self.assertRegex(uri, r"^[A-Za-z0-9!$&'()*+,./:;=@_-]+$")
                if "Members" in document:
                    self.assertEqual(document["Members@odata.count"], len(document["Members"]))
                elif uri != ROOT + "/":
                    self.assertEqual(document["Id"], uri.rpartition("/")[2])
                self.assertEqual(answer.header("Content-Type"), JSON)
                self.assertEqual(answer.header("OData-Version"), "4.0")
                self.assertRegex(answer.header("Allow"), r"\bGET\b.*\bHEAD\b")
                self.assertTrue(answer.header("Cache-Control"))
                self.assertRegex(answer.header("ETag"), r'^"[!#-~]+"$')
                self.assertIsNone(answer.header("Set-Cookie"))
        self.assertGreater(count, 50)

    def test_every_resource_is_described_by_the_schema_of_its_type(self):
        titles = {}
        for uri, answer in self.own_resources():
            with self.subTest(uri):
                schema = re.fullmatch(r"<([^>]+)>; rel=describedby", answer.header("Link"))[1]
                if schema not in titles:
                    titles[schema] = self.client.get(schema).json()["title"]
                self.assertEqual(titles[schema], answer.json()["@odata.type"])

    def test_what_is_known_is_not_sent_again_and_to_nobody_not_at_all(self):
        for uri, answer in self.own_resources():
            with self.subTest(uri):
                tag = {"If-None-Match": answer.header("ETag")}
                again = self.client.get(uri, headers=tag)
                self.assertEqual((again.status, again.body, again.header("ETag")), (304, b"", answer.header("ETag")))
                if uri not in OPEN:
                    refused = self.nobody.get(uri, headers=tag)
                    self.assertRedfishError(refused, 401, "NoValidSession")
                    self.assertIn("Basic", refused.header("WWW-Authenticate"))

    def test_head_tells_what_get_would(self):
        for uri, answer in [*self.own_resources(), *((uri, self.client.get(uri)) for uri in OPEN)]:
            with self.subTest(uri):
                head = self.client.request("HEAD", uri)
                self.assertEqual((head.status, head.body), (200, b""))
                self.assertEqual(head.headers.items(), answer.headers.items())

    def test_methods_that_a_resource_does_not_allow_are_405(self):
        for uri, answer in self.own_resources():
            for method in {"POST", "PUT", "PATCH", "DELETE"} - set(answer.header("Allow").split(", ")):
                with self.subTest(f"{method} {uri}"):
                    refused = self.client.request(method, uri, b"{no json")
                    self.assertRedfishError(refused, 405, "OperationNotAllowed")
                    self.assertEqual(refused.header("Allow"), answer.header("Allow"))

    def test_sessions(self):
        """By POST to the collection and to its Members, without authentication."""
        login = {"UserName": USER, "Password": self.mesh.password}
        locations = set()
        for uri in (SESSIONS, SESSIONS + "/Members"):
            answer = self.nobody.post(uri, login)
            self.assertEqual(answer.status, 201, answer.body)
            location, token = answer.header("Location"), answer.header("X-Auth-Token")
            locations.add(location)
            self.assertRegex(token, r"^[0-9a-f]{32,}-[0-9a-f]+$")
            self.assertIsNone(answer.header("Set-Cookie"))
            document = answer.json()
            self.assertEqual((document["@odata.id"], document["UserName"]), (location, USER))
            self.assertLessEqual({"@odata.type", "Id", "Name"}, set(document))
            self.assertNotIn(token.encode(), answer.body)
            self.assertEqual(self.nobody.request("DELETE", location).status, 401)
            by_token = {"X-Auth-Token": token}
            self.assertEqual(self.nobody.get(location, headers=by_token).status, 200)
            self.assertEqual(self.nobody.request("DELETE", location, headers=by_token).status, 204)
            refused = self.nobody.get(location, headers=by_token)
            self.assertRedfishError(refused, 401)
            self.assertNotIn(token.encode(), refused.body)
        self.assertEqual(len(locations), 2)

    def test_accounts(self):
        body = {"UserName": "eve", "Password": PASSWORD, "RoleId": "ReadOnly"}
        self.assertRedfishError(self.client.post(ACCOUNTS, body | {"RoleId": "King"}), 400, "PropertyValueNotInList")
        self.assertEqual(self.members(self.client, ACCOUNTS), [ACCOUNTS + "/1"], "a POST that failed made nothing")
        made = self.client.post(ACCOUNTS, body)
        self.assertEqual(made.status, 201, made.body)
        uri = made.header("Location")
        self.addCleanup(lambda: self.client.request("DELETE", uri))
        self.assertEqual((made.json()["RoleId"], made.json()["Password"]), ("ReadOnly", None))
        self.assertRedfishError(self.client.post(ACCOUNTS, body), 400, "ResourceAlreadyExists")
        etag = self.client.get(uri).header("ETag")
        wrong = self.client.request("PATCH", uri, {"Enabled": True}, headers={"If-Match": etag[:-1] + 'foobar"'})
        self.assertRedfishError(wrong, 412, "PreconditionFailed")
        mixed = self.client.request("PATCH", uri, {"RoleId": "Operator", "Bogus": "foo"}, headers={"If-Match": etag})
        self.assertEqual((mixed.status, mixed.json()["RoleId"]), (200, "Operator"))
        self.assertEqual(mixed.json()["@Message.ExtendedInfo"][0]["MessageArgs"], ["Bogus"])
        self.assertNotEqual(mixed.header("ETag"), etag)
        with Client(self.mesh.aggregators[0].facade, "eve", PASSWORD, self.mesh.ca, timeout=40 * SLOW) as eve:
            refused = eve.request("PATCH", ACCOUNTS + "/1", {"Enabled": False})
            self.assertIn(refused.status, (403, 404))
        for method, target in (("POST", ACCOUNTS), ("PATCH", uri), ("DELETE", uri)):
            refused = self.nobody.request(method, target, {"Enabled": False})
            self.assertRedfishError(refused, 401)
            self.assertTrue(refused.header("WWW-Authenticate"))

    def test_wrong_credentials_are_not_repeated(self):
        for headers in ({"Authorization": "Basic c2VjcmV0OnNlY3JldA=="}, {"X-Auth-Token": "feedfacefeedface"}):
            answer = self.nobody.get(ROOT + "/Systems", headers=headers)
            self.assertRedfishError(answer, 401)
            self.assertNotIn(b"c2VjcmV0", answer.body)
            self.assertNotIn(b"feedface", answer.body)

    def test_the_three_roles_are_there(self):
        self.assertLessEqual({f"{ROLES}/{role}" for role in ("Administrator", "Operator", "ReadOnly")},
                             set(self.members(self.client, ROLES)))

    def test_plain_http_is_sent_to_https(self):
        facade = urlsplit(self.mesh.aggregators[0].facade)
        connection = http.client.HTTPConnection(facade.hostname, facade.port, timeout=10 * SLOW)
        self.addCleanup(connection.close)
        connection.request("GET", ROOT + "/Systems", headers={"Authorization": "Basic c2VjcmV0OnNlY3JldA=="})
        answer = connection.getresponse()
        self.assertEqual((answer.status, answer.getheader("Location")), (308, self.mesh.aggregators[0].facade + ROOT + "/Systems"))

    def test_tls_is_of_today(self):
        facade = urlsplit(self.mesh.aggregators[0].facade)
        connection = http.client.HTTPSConnection(facade.hostname, facade.port, timeout=10 * SLOW,
                                                 context=ssl.create_default_context(cafile=str(self.mesh.ca)))
        self.addCleanup(connection.close)
        connection.connect()
        self.assertIn(connection.sock.version(), ("TLSv1.2", "TLSv1.3"))


if __name__ == "__main__":
    unittest.main()
