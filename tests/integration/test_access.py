"""Who may do what: roles and tenants, at the facade and, for what is refused, at the BMC, which must not see it."""

import base64
import json
import threading
import time
import unittest
from urllib.parse import urlsplit

from harness import ROOT, SLOW, USER, Client, MeshTest, Sim, eventually

PASSWORD = "a long enough Pass-w0rd"
ROLES = ("Administrator", "Operator", "ReadOnly")
ALL, COMPONENTS, MANAGER, NOBODY = ROLES, ROLES[:2], ROLES[:1], ()
SYSTEM = ROOT + "/Systems/system1"
ENTRIES = SYSTEM + "/LogServices/SEL/Entries"
SUBSCRIPTION = {"Destination": "http://127.0.0.1:9/", "Protocol": "Redfish"}
# What is asked of the satellite, and which roles may. {n} differs between the roles.
REQUESTS = (
    ("GET", SYSTEM, None, ALL),
    ("HEAD", SYSTEM, None, ALL),
    ("GET", ROOT + "/UpdateService", None, ALL),
    ("GET", ROOT + "/OemThing", None, ALL),
    ("PATCH", SYSTEM, {"AssetTag": "t{n}"}, COMPONENTS),
    ("PATCH", SYSTEM + "/Bios/Settings", {"Attributes": {"Delay": 7}}, COMPONENTS),
    ("POST", SYSTEM + "/Actions/ComputerSystem.Reset", {"ResetType": "ForceRestart"}, COMPONENTS),
    ("DELETE", ENTRIES + "/{n}", None, COMPONENTS),
    ("POST", ROOT + "/EventService/Subscriptions", SUBSCRIPTION, COMPONENTS),
    ("DELETE", ROOT + "/EventService/Subscriptions/s{n}", None, MANAGER),
    ("PATCH", ROOT + "/Managers/bmc", {"DateTimeLocalOffset": "+0{n}:00"}, MANAGER),
    ("POST", SYSTEM + "/Actions/Oem/OemSim.Blink", {"Times": 1}, MANAGER),
    ("PATCH", ROOT + "/OemThing", {"AssetTag": "t{n}"}, MANAGER),
    ("GET", "/FWUpdate", None, MANAGER),
    ("GET", ROOT + "/AccountService", None, ALL),
    ("GET", ROOT + "/AccountService/Accounts/1", None, MANAGER),
    ("POST", ROOT + "/AccountService/Accounts", {"UserName": "user{n}", "Password": PASSWORD, "RoleId": "ReadOnly"}, MANAGER),
    ("PATCH", ROOT + "/AccountService/Accounts/1", {"Enabled": True}, MANAGER),
    ("POST", ROOT + "/SessionService/Sessions", {"UserName": "root", "Password": PASSWORD}, NOBODY),
    ("POST", ROOT + "/SessionService/Sessions/Members", {"UserName": "root", "Password": PASSWORD}, NOBODY))


class AccessTest(MeshTest):
    aggregators = 1

    def setUp(self):
        self.administrator = self.mesh.client()
        self.addCleanup(self.administrator.close)

    def put(self, satellite, path, body):
        self.mesh.tell(satellite, "PUT", "/resource", {"satellite": satellite.name, "path": path, "body": body})

    def asked(self, satellite, method, path):
        """How often the BMC has got this request; for HEAD it is asked to GET, so that the length is that of the mapped body."""
        method = "GET" if method == "HEAD" else method
        counts = self.mesh.tell(satellite, "GET", f"/counts?satellite={satellite.name}")[satellite.name]
        return counts["by"].get(f"{method} {path}", 0)

    def account(self, role, name, tenant=""):
        """(client, URI) of a new account."""
        body = {"UserName": name, "Password": PASSWORD, "RoleId": role}
        if tenant:
            body["Oem"] = {"Bmcmesh": {"Tenant": tenant}}
        answer = self.administrator.post(ROOT + "/AccountService/Accounts", body)
        self.assertEqual(answer.status, 201, answer.body)
        uri = answer.header("Location")
        self.addCleanup(lambda: self.administrator.request("DELETE", uri))
        client = Client(self.mesh.aggregators[0].facade, name, PASSWORD, self.mesh.ca, timeout=40 * SLOW)
        self.addCleanup(client.close)
        return client, uri


class Roles(AccessTest):
    sims = (Sim("machine"),)

    def setUp(self):
        super().setUp()
        self.satellite = self.mesh.satellites[0]
        self.put(self.satellite, ROOT + "/OemThing", {"@odata.id": ROOT + "/OemThing", "@odata.type": "#OemThing.v1_0_0.OemThing"})
        self.put(self.satellite, "/FWUpdate", {"a": 1})
        for number in range(1, len(ROLES) + 1):
            self.put(self.satellite, f"{ROOT}/EventService/Subscriptions/s{number}", {
                "@odata.id": f"{ROOT}/EventService/Subscriptions/s{number}",
                "@odata.type": "#EventDestination.v1_0_0.EventDestination", **SUBSCRIPTION})

    def assertMay(self, client, request, number, allowed):
        method, path, body, _ = request
        path = path.replace("{n}", str(number))
        body = None if body is None else json.loads(json.dumps(body).replace("{n}", str(number)))
        before = self.asked(self.satellite, method, path)
        answer = client.request(method, self.mesh.mapping(self.satellite).own_uri(path), body)
        after = self.asked(self.satellite, method, path)
        if allowed:
            self.assertIn(answer.status, (200, 201, 202, 204), answer.body)
            self.assertEqual(after - before, 1, "requests at the BMC")
            return
        if method != "HEAD":
            self.assertRedfishError(answer, 403, "InsufficientPrivilege")
        self.assertEqual(after, before, "a refused request reached the BMC")

    def test_what_the_roles_may_ask_of_a_satellite(self):
        for number, role in enumerate(ROLES, 1):
            client, _ = self.account(role, "u" + role)
            for request in REQUESTS:
                with self.subTest(role=role, request=request[:2]):
                    self.assertMay(client, request, number, role in request[3])

    def test_managing_users_alone_does_not_open_a_satellites_accounts(self):
        """Who makes accounts there could make an administrator, and be one."""
        answer = self.administrator.post(ROOT + "/AccountService/Roles",
                                         {"RoleId": "Users", "AssignedPrivileges": ["Login", "ConfigureUsers"]})
        self.assertEqual(answer.status, 201, answer.body)
        self.addCleanup(lambda: self.administrator.request("DELETE", answer.header("Location")))
        client, _ = self.account("Users", "usermanager")
        for request in REQUESTS:
            if "/AccountService/" in request[1] and request[0] != "GET":
                with self.subTest(request=request[:2]):
                    self.assertMay(client, request, 9, False)

    def test_what_the_roles_may_do_with_accounts(self):
        accounts = ROOT + "/AccountService/Accounts"
        _, other = self.account("ReadOnly", "somebody")
        for role in ROLES:
            client, own = self.account(role, "u" + role)
            is_administrator = role == "Administrator"
            with self.subTest(role=role):
                self.assertEqual(client.get(own).status, 200)
                self.assertEqual(client.get(other).status, 200 if is_administrator else 403)
                listed = self.members(client, accounts)
                self.assertIn(own, listed)
                self.assertEqual(other in listed, is_administrator)
                self.assertEqual(client.request("PATCH", other, {"Password": PASSWORD + "x"}).status,
                                 200 if is_administrator else 403)
                self.assertEqual(client.request("PATCH", own, {"RoleId": role}).status, 200 if is_administrator else 403)
                made = client.post(accounts, {"UserName": "new", "Password": PASSWORD, "RoleId": "ReadOnly"})
                self.assertEqual(made.status, 201 if is_administrator else 403, made.body)
                self.assertEqual(client.request("DELETE", made.header("Location") or other).status,
                                 204 if is_administrator else 403)

    def test_everybody_changes_the_own_password(self):
        for role in ROLES:
            client, own = self.account(role, "u" + role)
            with self.subTest(role=role):
                answer = client.request("PATCH", own, {"Password": PASSWORD + " new"})
                self.assertEqual(answer.status, 200, answer.body)
                with self.mesh.stranger() as stranger:
                    self.assertEqual(stranger.log_in("u" + role, PASSWORD).status, 401)
                    login = stranger.log_in("u" + role, PASSWORD + " new")
                    self.assertEqual(login.status, 201)
                    self.assertEqual(stranger.log_out(login.header("Location")).status, 204)

    def test_metrics_are_the_administrators(self):
        for role in ROLES:
            client, _ = self.account(role, "u" + role)
            with self.subTest(role=role):
                self.assertEqual(client.get("/metrics").status, 200 if role == "Administrator" else 403)

    def test_whoever_must_change_the_password_can_do_nothing_else(self):
        client, own = self.account("Administrator", "fresh")
        self.assertEqual(self.administrator.request("PATCH", own, {"PasswordChangeRequired": True}).status, 200)
        uri = self.mesh.mapping(self.satellite).own_uri(SYSTEM)
        before = self.asked(self.satellite, "GET", SYSTEM)
        for path in (uri, ROOT + "/Systems", ROOT + "/AccountService/Accounts"):
            self.assertRedfishError(client.get(path), 403, "PasswordChangeRequired")
        self.assertEqual(self.asked(self.satellite, "GET", SYSTEM), before)
        self.assertEqual(client.request("PATCH", own, {"Password": PASSWORD + "y"}).status, 200)
        with Client(self.mesh.aggregators[0].facade, "fresh", PASSWORD + "y", self.mesh.ca, timeout=40 * SLOW) as changed:
            self.assertEqual(changed.get(uri).status, 200)


class Credentials(AccessTest):
    """Whose they are: the client's stay at the facade, the BMC's at its connector."""

    sims = (Sim("machine"),)
    PASSED = {"If-None-Match": '"x"', "Prefer": "respond-async", "X-Custom": "a, b", "OData-Version": "4.0",
              "Cache-Control": "no-cache"}

    def setUp(self):
        super().setUp()
        self.satellite = self.mesh.satellites[0]
        self.uri = self.mesh.mapping(self.satellite).own_uri(SYSTEM)
        self.addCleanup(self.mesh.heal, self.satellite)

    def last_request(self):
        requests = self.mesh.tell(self.satellite, "GET", "/requests?satellite=machine&last=20")["machine"]
        return [each for each in requests if each["target"] == SYSTEM][-1]["headers"]

    def test_a_clients_never_reach_the_bmc(self):
        with self.mesh.stranger() as client:
            login = client.log_in(USER, self.mesh.password)
            token = login.header("X-Auth-Token")
            given = {"Cookie": "c=secret-cookie", "Proxy-Authorization": "Basic secret-proxy", "Connection": "X-Hop",
                     "X-Hop": "secret-hop", "TE": "trailers", "Range": "bytes=0-1"}
            answer = client.get(self.uri, headers={**self.PASSED, **given})
            self.assertEqual(answer.status, 200)
            client.log_out(login.header("Location"))
        received = self.last_request()
        text = json.dumps(received)
        for secret in (token, "secret-", self.mesh.aggregators[0].facade.split("//")[1]):
            self.assertNotIn(secret, text)
        for name in ("Cookie", "Proxy-Authorization", "X-Hop", "TE", "Range"):
            self.assertNotIn(name, received)
        for name, value in self.PASSED.items():
            self.assertEqual(received.get(name), value, name)

    def test_a_basic_login_never_reaches_the_bmc(self):
        self.assertEqual(self.administrator.get(self.uri).status, 200)
        login = base64.b64encode(f"{USER}:{self.mesh.password}".encode()).decode()
        self.assertNotIn(login, json.dumps(self.last_request()))

    def test_a_bmcs_never_reach_the_client(self):
        never = {"Set-Cookie": "a=b", "X-Auth-Token": "t", "WWW-Authenticate": "Basic", "Strict-Transport-Security": "max-age=1",
                 "Connection": "keep-alive, X-Hop", "X-Hop": "1", "Keep-Alive": "timeout=5", "Proxy-Authenticate": "Basic"}
        passed = {"X-Custom": "yes", "Retry-After": "7", "Warning": "199 - x", "Cache-Control": "max-age=3",
                  "Preference-Applied": "p"}
        self.mesh.fault(self.satellite, "headers", path=SYSTEM + "$", set={**never, **passed})
        answer = self.administrator.get(self.uri)
        self.assertEqual(answer.status, 200)
        for name, value in never.items():
            self.assertNotEqual(answer.header(name), value, name)
        for name in ("Set-Cookie", "X-Auth-Token", "WWW-Authenticate", "X-Hop"):
            self.assertIsNone(answer.header(name), name)
        for name, value in passed.items():
            self.assertEqual(answer.headers.get_all(name), [value], name)
        for name in ("ETag", "Allow", "Content-Type", "OData-Version", "Content-Length"):
            self.assertEqual(len(answer.headers.get_all(name)), 1, name)

    def test_etags_and_preconditions_pass(self):
        etag = self.administrator.get(self.uri).header("ETag")
        self.assertEqual(self.administrator.get(self.uri, headers={"If-None-Match": etag}).status, 304)
        self.assertEqual(self.administrator.request("PATCH", self.uri, {"AssetTag": "x"}, {"If-Match": '"other"'}).status, 412)
        self.assertEqual(self.administrator.request("PATCH", self.uri, {"AssetTag": "x"}, {"If-Match": etag}).status, 200)

    def test_a_bmc_that_refuses_its_connector_is_502_and_named(self):
        self.mesh.fault(self.satellite, "unauthorized", path=SYSTEM + "$")
        answer = self.administrator.get(self.uri)
        error = self.assertRedfishError(answer, 502)
        self.assertIn("machine", json.dumps(error))
        self.assertIsNone(answer.header("WWW-Authenticate"))

    def test_a_request_that_has_been_here_before_ends(self):
        uuid = self.administrator.get(ROOT + "/").json()["UUID"]
        before = self.asked(self.satellite, "GET", SYSTEM)
        self.assertRedfishError(self.administrator.get(self.uri, headers={"Via": f"1.1 elsewhere, 1.1 {uuid}"}), 508)
        self.assertEqual(self.asked(self.satellite, "GET", SYSTEM), before)
        self.assertEqual(self.administrator.get(self.uri, headers={"Via": "1.1 elsewhere"}).status, 200)
        self.assertEqual(self.last_request()["Via"], f"1.1 elsewhere, 1.1 {uuid}")


class Logins(AccessTest):
    """What is remembered of passwords, and what a flood of strangers leaves for those who are known."""

    sims = (Sim("machine"),)
    PATH = ROOT + "/AccountService"
    STRANGERS = 48  # more than may wait for their passwords to be checked

    def setUp(self):
        super().setUp()
        login = self.administrator.log_in(USER, self.mesh.password)  # by token, which counts as no login
        self.addCleanup(lambda: self.administrator.log_out(login.header("Location")))

    def counted(self, *names):
        lines = [line.split() for line in self.administrator.get("/metrics").body.decode().splitlines()]
        values = {line[0]: int(line[1]) for line in lines if line[0].startswith("bmcmesh_logins_")}
        return [values[f"bmcmesh_logins_{name}_total"] for name in names]

    def test_a_right_password_is_checked_once(self):
        client, _ = self.account("ReadOnly", "known")
        remembered, checked = self.counted("remembered", "checked")
        for _ in range(5):
            self.assertEqual(client.get(self.PATH).status, 200)
        self.assertEqual(self.counted("remembered", "checked"), [remembered + 4, checked + 1])

    def test_what_was_remembered_ends_with_a_change_of_the_account(self):
        client, uri = self.account("ReadOnly", "changing")
        self.assertEqual(client.get(self.PATH).status, 200)
        self.assertEqual(self.administrator.request("PATCH", uri, {"Password": PASSWORD + " new"}).status, 200)
        self.assertRedfishError(client.get(self.PATH), 401)
        with Client(self.mesh.aggregators[0].facade, "changing", PASSWORD + " new", self.mesh.ca, timeout=40 * SLOW) as changed:
            for enabled in (True, False, True):
                self.assertEqual(self.administrator.request("PATCH", uri, {"Enabled": enabled}).status, 200)
                self.assertEqual(changed.get(self.PATH).status, 200 if enabled else 401)

    def flood(self, number, answers, stop):
        """Asks with one unknown credential after the other, as fast as it is allowed to."""
        with self.mesh.stranger() as client:
            while not stop.is_set():
                basic = base64.b64encode(f"stranger-{number}-{len(answers)}:x".encode()).decode()
                answer = client.get(self.PATH, headers={"Authorization": "Basic " + basic})
                answers.append(answer)
                if answer.status == 503:
                    stop.wait(float(answer.header("Retry-After")))

    def test_a_flood_of_strangers_holds_up_nobody_who_is_known(self):
        client, _ = self.account("ReadOnly", "known")
        self.assertEqual(client.get(self.PATH).status, 200)
        remembered, flooded = self.counted("remembered", "flooded")
        stop, answers = threading.Event(), [[] for _ in range(self.STRANGERS)]
        threads = [threading.Thread(target=self.flood, args=[number, seen, stop]) for number, seen in enumerate(answers)]
        try:
            for thread in threads:
                thread.start()
            eventually(lambda: any(answer.status == 503 for seen in answers for answer in list(seen)), "some are refused", 20)
            begun = time.monotonic()
            for _ in range(20):
                self.assertEqual(client.get(self.PATH).status, 200)
                self.assertEqual(self.administrator.get(self.PATH).status, 200)
            self.assertLess(time.monotonic() - begun, 5 * SLOW, "forty answers, each of which would wait a second in the queue")
            self.assertTrue(all(thread.is_alive() for thread in threads))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        refused = [answer for seen in answers for answer in seen if answer.status != 401]
        self.assertRedfishError(refused[0], 503, "ServiceTemporarilyUnavailable")
        self.assertEqual({(answer.status, answer.header("Retry-After")) for answer in refused}, {(503, "1")})
        self.assertEqual(self.counted("remembered", "flooded"), [remembered + 20, flooded + len(refused)])


class Tenants(AccessTest):
    sims = (Sim("red-1", tenant="red"), Sim("blue-1", tenant="blue"))

    def setUp(self):
        super().setUp()
        self.red, self.blue = self.mesh.satellites
        self.client, self.uri = self.account("Administrator", "redadmin", "red")

    def test_the_own_satellites_are_served(self):
        self.assertSameBody(self.client, self.red, SYSTEM)
        self.assertEqual(self.client.request("PATCH", self.mesh.mapping(self.red).uri(SYSTEM), {"AssetTag": "red"}).status, 200)

    def test_what_is_anothers_is_as_if_it_were_not_there(self):
        before = self.mesh.tell(self.blue, "GET", "/counts?satellite=blue-1")["blue-1"]["by"]
        for path in ("/Systems/{p}_system1", "/Systems/{p}_nothing", "/{p}_UpdateService", "/{p}_Systems", "/{p}_-/FWUpdate",
                     "/{p}_AccountService/Accounts", "/AggregationService/AggregationSources/{p}", "/{p}_SessionService/Sessions"):
            for method in ("GET", "PATCH", "POST", "DELETE"):
                with self.subTest(method=method, path=path):
                    body = {"a": 1} if method in ("PATCH", "POST") else None
                    there, nowhere = (self.client.request(method, ROOT + path.format(p=prefix), body)
                                      for prefix in (self.blue.prefix, "FFFFFF"))
                    # nothing is made below one of the facade's own resources, whether there is one or not
                    self.assertRedfishError(there, 405 if method == "POST" and "Sources" in path else 404)
                    self.assertEqual(there.body, nowhere.body.replace(b"FFFFFF", self.blue.prefix.encode()))
                    kept = [{name: value for name, value in answer.headers.items() if name != "Date"}
                            for answer in (there, nowhere)]
                    self.assertEqual(kept[0], kept[1])
        after = self.mesh.tell(self.blue, "GET", "/counts?satellite=blue-1")["blue-1"]["by"]
        new = {key: count for key, count in after.items() if count != before.get(key) and "system1" in key or "nothing" in key}
        self.assertEqual(new, {}, "it reached the BMC")

    def test_no_collection_lists_anothers(self):
        for collection in ("/Systems", "/Chassis", "/Managers", "/UpdateService/FirmwareInventory", "/Registries",
                           "/AggregationService/AggregationSources", "/TaskService/Tasks", "/EventService/Subscriptions"):
            with self.subTest(collection=collection):
                mine, every = self.client.get(ROOT + collection), self.administrator.get(ROOT + collection)
                self.assertEqual((mine.status, every.status), (200, 200))
                self.assertNotIn(self.blue.prefix, mine.body.decode())
                self.assertNotIn("blue", mine.body.decode())
        for collection in ("/Systems", "/Chassis", "/Managers", "/AggregationService/AggregationSources"):
            self.assertIn(self.blue.prefix, self.administrator.get(ROOT + collection).body.decode())

    def test_the_status_shows_the_own_alone(self):
        status = self.client.get("/mesh/v1/status")
        self.assertEqual(status.status, 200)
        self.assertNotIn("blue", status.body.decode())
        self.assertIn("red-1", status.body.decode())
        self.assertEqual(self.client.get("/metrics").status, 403, "it counts what all tenants do")

    def test_that_anothers_satellite_is_missing_shows_in_nothing(self):
        before = self.client.get(ROOT + "/Systems")
        self.mesh.kill(self.blue.name, 15)
        try:
            eventually(lambda: "blue-1" in self.administrator.get(ROOT + "/Systems").body.decode(), "the administrator sees it")
            after = self.client.get(ROOT + "/Systems")
            self.assertEqual((after.body, after.header("ETag")), (before.body, before.header("ETag")))
        finally:
            self.mesh.start(self.blue)
            self.mesh.await_ready()

    def test_anothers_uri_in_a_body_is_refused(self):
        uri = self.mesh.mapping(self.blue).uri(SYSTEM)
        answer = self.client.request("PATCH", self.mesh.mapping(self.red).uri(SYSTEM), {"Oem": {"a": {"@odata.id": uri}}})
        self.assertRedfishError(answer, 400, "PropertyValueNotInList")

    def test_accounts_and_sessions_of_others_are_not_there(self):
        _, blue_uri = self.account("Administrator", "blueadmin", "blue")
        listed = self.members(self.client, ROOT + "/AccountService/Accounts")
        self.assertEqual(listed, [self.uri], "neither the system's accounts nor another tenant's")
        for method, body in (("GET", None), ("PATCH", {"Enabled": False}), ("DELETE", None)):
            self.assertRedfishError(self.client.request(method, blue_uri, body), 404)
        with self.mesh.stranger() as stranger:
            login = stranger.log_in("blueadmin", PASSWORD)
            session = urlsplit(login.header("Location")).path
            self.assertNotIn(session, self.members(self.client, ROOT + "/SessionService/Sessions"))
            self.assertRedfishError(self.client.request("DELETE", session), 404)
            self.assertEqual(stranger.log_out(session).status, 204)

    def test_no_account_is_made_for_another_tenant_or_the_whole_system(self):
        body = {"UserName": "climber", "Password": PASSWORD, "RoleId": "ReadOnly"}
        answer = self.client.post(ROOT + "/AccountService/Accounts", body | {"Oem": {"Bmcmesh": {"Tenant": "blue"}}})
        self.assertIn(answer.status, (400, 403), answer.body)
        answer = self.client.post(ROOT + "/AccountService/Accounts", body)
        self.assertEqual((answer.status, answer.json().get("Oem", {}).get("Bmcmesh", {}).get("Tenant")), (201, "red"), answer.body)
        self.assertEqual(self.client.request("DELETE", answer.header("Location")).status, 204)


if __name__ == "__main__":
    unittest.main()
