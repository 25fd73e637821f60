#!/usr/bin/python3
"""Starts the simulator and shows each of its behaviours for real. `selftest.py [-v] [Class[.test]]`."""

import hashlib
import json
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from selftest_faults import (AtTheAnswer, BeforeTheAnswer,  # noqa: E402,F401
                             Choosing, Network, OverTls)
from selftest_mockups import Mockups, Start                 # noqa: E402,F401
from selftest_services import (Accounts, Events, Mixed,     # noqa: E402,F401
                               Tasks, Transfers)
from selftest_support import ROOT, Case, wait_for    # noqa: E402

SYSTEM = f"{ROOT}/Systems/system1"
CHASSIS = f"{ROOT}/Chassis/system1_chassis"
ENTRIES = f"{SYSTEM}/LogServices/SEL/Entries"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"


class Reading(Case):
    def test_root_and_the_like_are_open_and_the_rest_is_not(self):
        stranger = self.new_client(credentials=False)
        for path in ("/redfish", "/redfish/", ROOT, ROOT + "/", ROOT + "/odata", ROOT + "/$metadata"):
            self.assertEqual(200, stranger.get(path).status, path)
        self.assertEqual({"v1": "/redfish/v1/"}, stranger.get("/redfish").json)
        for method, path in (("GET", SYSTEM), ("GET", ROOT + "/Nothing"), ("PATCH", SYSTEM), ("DELETE", SYSTEM),
                             ("POST", RESET)):
            answer = stranger(method, path, {} if method != "GET" else None)
            self.assertEqual(401, answer.status, path)
            self.assertIn("Basic", answer.headers["WWW-Authenticate"])
        self.assertEqual(401, stranger.get(SYSTEM, If_None_Match="*").status)

    def test_headers_of_a_resource(self):
        answer = self.get(SYSTEM + "/")
        self.assertEqual("GET, HEAD, PATCH", answer.headers["Allow"])
        self.assertEqual("4.0", answer.headers["OData-Version"])
        self.assertEqual("no-cache", answer.headers["Cache-Control"])
        self.assertIn("ComputerSystem.v1_22_0.json>; rel=describedby", answer.headers["Link"])
        self.assertRegex(answer.headers["ETag"], r'^"[0-9a-f]+"$')
        head = self.client("HEAD", SYSTEM)
        self.assertEqual(b"", head.body)
        for name in ("ETag", "Allow", "Content-Length", "Content-Type", "Link"):
            self.assertEqual(answer.headers[name], head.headers[name], name)

    def test_names_are_found_without_regard_to_case(self):
        self.assertEqual(self.get(SYSTEM).body, self.get("/redfish/v1/systems/SYSTEM1/").body)

    def test_not_found_and_not_allowed(self):
        missing = self.get(f"{ROOT}/Systems/none", 404)
        self.assertEqual([f"{ROOT}/Systems/none"], missing.message()["MessageArgs"])
        for method, path in (("POST", SYSTEM), ("DELETE", SYSTEM), ("POST", f"{ROOT}/Systems"), ("DELETE", ROOT),
                             ("PATCH", ROOT), ("PUT", SYSTEM)):
            answer = self.client(method, path, {"a": 1})
            self.assertEqual(405, answer.status, (method, path))
            self.assertIn("GET", answer.headers["Allow"])
        self.assertEqual("POST", self.get(RESET, 405).headers["Allow"])

    def test_if_none_match_and_odata_version(self):
        etag = self.get(SYSTEM).headers["ETag"]
        answer = self.client.get(SYSTEM, If_None_Match=f'"x", {etag}')
        self.assertEqual((304, b"", etag), (answer.status, answer.body, answer.headers["ETag"]))
        self.assertEqual(200, self.client.get(SYSTEM, If_None_Match='"x"').status)
        self.assertEqual(412, self.client.get(SYSTEM, OData_Version="4.1").status)

    def test_odd_bytes_are_served_as_they_are(self):
        sensor = self.get(f"{CHASSIS}/Sensors/temp1").body
        for part in (b" :  1e3", b".50 ,\r\n", b"9.50E+1", b"-0.0", b"\r\n\t"):
            self.assertIn(part, sensor)
        self.assertIn(b'"\\/redfish\\/v1\\/Chassis\\/system1_chassis', self.get(f"{CHASSIS}/Power").body)
        self.assertIn(b'{ "a": 1, "a" : 2 }', self.get(CHASSIS).body)
        self.assertTrue(self.get(f"{CHASSIS}/Sensors/fan1").headers["ETag"].startswith('W/"'))

    def test_generation_repeats_for_a_seed(self):
        entry = self.simulator["open"]
        self.assertEqual(("", ""), (entry["user"], entry["password"]))
        same = self.new_client("open", credentials=False).get(f"{CHASSIS}/Sensors/temp1").body
        self.assertEqual(self.get(f"{CHASSIS}/Sensors/temp1").body, same)
        other = self.new_client("plain").get(f"{CHASSIS}/Sensors/temp1").body
        self.assertNotEqual(same, other)

    def test_every_link_of_a_generated_tree_resolves(self):
        seen, queue = set(), [ROOT]
        while queue:
            path = queue.pop()
            if path in seen:
                continue
            seen.add(path)
            answer = self.get(path)
            if "json" in answer.headers["Content-Type"]:
                queue += [each.partition("#")[0].rstrip("/") for each in links_of(answer.json)]
        self.assertGreater(len(seen), 120)

    def test_uuid_option(self):
        self.assertEqual("11111111-2222-3333-4444-555555555555", self.get(ROOT).json["UUID"])
        self.assertEqual("11111111-2222-3333-4444-555555555555", self.simulator["gen"]["uuid"])


def links_of(value):
    if isinstance(value, list):
        for each in value:
            yield from links_of(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == "@odata.id":
                yield each
            else:
                yield from links_of(each)


class Queries(Case):
    def test_log_entries_come_in_pages_with_next_links(self):
        path, found, pages = ENTRIES, [], 0
        while path:
            body = self.get(path).json
            self.assertEqual(120, body["Members@odata.count"])
            found += [member["Id"] for member in body["Members"]]
            path, pages = body.get("Members@odata.nextLink"), pages + 1
        self.assertEqual(([str(each) for each in range(1, 121)], 3), (found, pages))

    def test_skip_and_top(self):
        body = self.get(f"{ENTRIES}?$skip=3&$top=2").json
        self.assertEqual(["4", "5"], [member["Id"] for member in body["Members"]])
        self.assertNotIn("Members@odata.nextLink", body)
        body = self.get(f"{ENTRIES}?$top=70").json
        self.assertEqual((50, f"{ENTRIES}?$skip=50&$top=20"), (len(body["Members"]), body["Members@odata.nextLink"]))
        self.assertEqual(400, self.client.get(f"{ENTRIES}?$skip=x").status)
        self.assertEqual([], self.get(f"{ENTRIES}?$skip=900").json["Members"])

    def test_page_option_pages_every_collection(self):
        body = self.new_client("plain").get(f"{CHASSIS}/Sensors").json
        self.assertEqual((2, 6), (len(body["Members"]), body["Members@odata.count"]))
        self.assertEqual(f"{CHASSIS}/Sensors?$skip=2", body["Members@odata.nextLink"])

    def test_single_log_entry_of_an_inline_collection(self):
        self.assertEqual("7", self.get(f"{ENTRIES}/7").json["Id"])

    def test_select_expand_only_filter(self):
        selected = self.get(f"{SYSTEM}?$select=Name,Boot/BootSourceOverrideMode").json
        self.assertEqual({"@odata.id", "@odata.type", "@odata.context", "Name", "Boot"}, set(selected))
        self.assertEqual({"BootSourceOverrideMode": "UEFI"}, selected["Boot"])
        expanded = self.get(f"{ROOT}/Systems?$expand=.($levels=1)").json
        self.assertEqual("system2", expanded["Members"][1]["HostName"])
        self.assertEqual({"@odata.id"}, set(expanded["Members"][1]["Links"]["Chassis"][0]))
        self.assertEqual("bmc", self.get(f"{ROOT}/Managers?only").json["Id"])
        self.assertEqual(400, self.client.get(f"{ROOT}/Managers?only=x").status)
        roles = self.get(f"{ROOT}/AccountService/Roles?$filter=RoleId eq 'Operator' or RoleId eq 'ReadOnly'").json
        self.assertEqual(2, roles["Members@odata.count"])
        self.assertEqual(501, self.client.get(f"{ROOT}/?$unknown").status)
        self.assertEqual(200, self.client.get(f"{ROOT}/?unknown").status)


class Changing(Case):
    def test_patch_merges_deeply_persists_and_changes_the_etag(self):
        before = self.get(SYSTEM)
        answer = self.client("PATCH", SYSTEM, {"Boot": {"BootSourceOverrideTarget": "Pxe"}, "AssetTag": "x1"},
                             If_Match=before.headers["ETag"])
        self.assertEqual(200, answer.status)
        after = self.get(SYSTEM)
        self.assertEqual(("Pxe", "UEFI", "x1"), (after.json["Boot"]["BootSourceOverrideTarget"],
                                                after.json["Boot"]["BootSourceOverrideMode"], after.json["AssetTag"]))
        self.assertNotEqual(before.headers["ETag"], after.headers["ETag"])
        self.assertEqual(after.headers["ETag"], answer.headers["ETag"])
        stale = self.client("PATCH", SYSTEM, {"AssetTag": "x2"}, If_Match=before.headers["ETag"])
        self.assertEqual((412, "x1"), (stale.status, self.get(SYSTEM).json["AssetTag"]))

    def test_bad_values_name_the_property(self):
        for body, name, text in (({"AssetTag": 5}, "PropertyValueTypeError", "AssetTag"),
                                 ({"Boot": {"BootSourceOverrideTarget": True}}, "PropertyValueTypeError",
                                  "BootSourceOverrideTarget"),
                                 ({"Boot": "x"}, "PropertyValueTypeError", "Boot"),
                                 ({"Boot": {"BootSourceOverrideTarget": "Tape"}}, "PropertyValueNotInList",
                                  "BootSourceOverrideTarget"),
                                 ({"Bogus": 1}, "PropertyUnknown", "Bogus"), ({"Id": "x"}, "PropertyNotWritable", "Id")):
            answer = self.client("PATCH", SYSTEM, body)
            self.assertEqual(400, answer.status, body)
            self.assertTrue(answer.message()["MessageId"].endswith(name), answer.body)
            self.assertIn(text, answer.message()["MessageArgs"])
            self.assertIn(text, answer.message()["RelatedProperties"][0])
        self.assertEqual(400, self.client("PATCH", SYSTEM, b"{").status)
        self.assertEqual(400, self.client("PATCH", SYSTEM, {"@odata.id": "x"}).status)

    def test_mixed_patch_changes_what_it_can(self):
        answer = self.client("PATCH", SYSTEM, {"AssetTag": "mixed", "Bogus": 1})
        self.assertEqual((200, "mixed"), (answer.status, answer.json["AssetTag"]))
        self.assertIn("Bogus", answer.json["@Message.ExtendedInfo"][0]["MessageArgs"])

    def test_array_patch(self):
        path = f"{ROOT}/Managers/bmc/NetworkProtocol"
        self.client("PATCH", path, {"NTP": {"NTPServers": [{}, None, "new"]}})
        self.assertEqual(["0.pool.example", "new"], self.get(path).json["NTP"]["NTPServers"])

    def test_weak_etag_stays_weak(self):
        path = f"{CHASSIS}/Sensors/fan1"
        before = self.get(path).headers["ETag"]
        self.client("PATCH", path, {"Thresholds": {"UpperCritical": {"Reading": 7.5}}}, If_Match=before)
        after = self.get(path)
        self.assertTrue(after.headers["ETag"].startswith('W/"') and after.headers["ETag"] != before)
        self.assertEqual(after.headers["ETag"], after.json["@odata.etag"])

    def test_create_and_delete_a_member(self):
        volumes = f"{SYSTEM}/Storage/1/Volumes"
        answer = self.client("POST", volumes, {"RAIDType": "RAID0", "Name": "scratch"})
        uri = answer.headers["Location"]
        self.assertEqual((201, uri, "scratch"), (answer.status, answer.json["@odata.id"], answer.json["Name"]))
        listing = self.get(volumes)
        self.assertIn({"@odata.id": uri}, listing.json["Members"])
        self.assertEqual(2, listing.json["Members@odata.count"])
        self.assertEqual(204, self.client("DELETE", uri).status)
        self.assertEqual(404, self.client.get(uri).status)
        self.assertNotIn({"@odata.id": uri}, self.get(volumes).json["Members"])

    def test_inline_log_entry_is_deleted_and_the_log_cleared(self):
        entries = f"{ROOT}/Systems/system2/LogServices/SEL/Entries"
        self.assertEqual(204, self.client("DELETE", f"{entries}/7").status)
        self.assertEqual((404, 119), (self.client.get(f"{entries}/7").status,
                                      self.get(entries).json["Members@odata.count"]))
        clear = f"{ROOT}/Systems/system2/LogServices/SEL/Actions/LogService.ClearLog"
        self.assertEqual(204, self.client("POST", clear, {}).status)
        self.assertEqual([], self.get(entries).json["Members"])

    def test_executions_tell_requests_apart(self):
        body = json.dumps({"AssetTag": "e"}).encode()
        self.client("PATCH", SYSTEM, body, X_Command_Id="1")
        self.client("PATCH", SYSTEM, body, X_Command_Id="2")
        self.client.get(SYSTEM)
        records = self.executed()
        self.assertEqual(["1", "2"], [record["headers"]["X-Command-Id"] for record in records])
        self.assertEqual({hashlib.sha256(body).hexdigest()}, {record["body_sha256"] for record in records})
        self.assertEqual({body.decode()}, {record["body"] for record in records})
        self.assertEqual([200, 200], [record["status"] for record in records])
        counts = self.counts()
        self.assertEqual((3, 2, 1), (counts["total"], counts["by"][f"PATCH {SYSTEM}"], counts["connections"]))
        last = self.control("GET", "/requests?last=1")["gen"]
        self.assertEqual(("GET", SYSTEM), (last[0]["method"], last[0]["target"]))

    def test_resources_come_and_go_by_the_control_api(self):
        path = f"{ROOT}/Chassis/hot"
        self.control("PUT", "/resource", satellite="gen", path=path, raw='{"@odata.id":"%s", "Weight" : 1.00}' % path)
        self.assertIn(b'"Weight" : 1.00', self.get(path).body)
        self.assertIn({"@odata.id": path}, self.get(f"{ROOT}/Chassis").json["Members"])
        self.control("DELETE", f"/resource?satellite=gen&path={path}")
        self.assertEqual(404, self.client.get(path).status)
        self.assertEqual(3, self.get(f"{ROOT}/Chassis").json["Members@odata.count"])


class Power(Case):
    def state(self, system="system1"):
        return self.get(f"{ROOT}/Systems/{system}").json["PowerState"]

    def reset(self, kind, system="system1"):
        answer = self.client("POST", f"{ROOT}/Systems/{system}/Actions/ComputerSystem.Reset", {"ResetType": kind})
        self.assertEqual(204, answer.status, answer.body)

    def test_states_pass_through_their_transitions(self):
        self.control("POST", "/options", satellite="gen", power_ms=150)
        self.addCleanup(self.control, "POST", "/options", satellite="gen", power_ms=60)
        for kind, during, after in (("ForceOff", "PoweringOff", "Off"), ("On", "PoweringOn", "On"),
                                    ("PushPowerButton", "PoweringOff", "Off"), ("PushPowerButton", "PoweringOn", "On"),
                                    ("GracefulShutdown", "PoweringOff", "Off"), ("ForceRestart", "PoweringOn", "On")):
            self.reset(kind)
            self.assertEqual(during, self.state(), kind)
            wait_for(lambda: self.state() == after, f"{kind}: {after}")

    def test_power_cycle_goes_off_and_on_and_uses_up_a_boot_once(self):
        path = f"{ROOT}/Systems/system3"
        self.client("PATCH", path, {"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"}})
        self.reset("PowerCycle", "system3")
        self.assertEqual("PoweringOff", self.state("system3"))
        wait_for(lambda: self.state("system3") == "On", "On")
        self.assertEqual("Disabled", self.get(path).json["Boot"]["BootSourceOverrideEnabled"])

    def test_wrong_resets_are_refused(self):
        for path in (RESET, RESET.replace("system1", "system2")):     # AllowableValues, ActionInfo
            answer = self.client("POST", path, {"ResetType": "Explode"})
            self.assertEqual(400, answer.status)
            self.assertEqual(["Explode", "ResetType", "ComputerSystem.Reset"], answer.message()["MessageArgs"])
            self.assertEqual(400, self.client("POST", path, {}).status)
        self.assertEqual(404, self.client("POST", f"{SYSTEM}/Actions/ComputerSystem.Fly", {}).status)


if __name__ == "__main__":
    unittest.main()
