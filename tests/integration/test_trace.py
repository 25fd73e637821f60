"""Where messages have been (meshctl trace), and what was refused, as events."""

import json
import re
import unittest

from harness import CHECKOUT, NO_ANSWER, ROOT, USER, MeshTest, Sim, eventually, run_program, write_private
from played_connector import PERMISSION_DENIED, PlayedConnector, progress, success

PASSWORD = "a-Password-of-local-7"


def cycles(*_):
    yield progress(50, "off")
    yield progress(90, "on")
    yield success(b"{}")


class TraceTest(MeshTest):
    sims = (Sim("one"), Sim("two"), Sim("other", tenant="rival"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_private(cls.mesh.state / "local.password", PASSWORD)
        with cls.mesh.client() as client:
            made = client.post("/redfish/v1/AccountService/Accounts", {
                "UserName": "local-op", "Password": PASSWORD, "RoleId": "Operator", "Oem": {"Bmcmesh": {"Tenant": "local"}}})
            assert made.status == 201, made.body

    def setUp(self):
        self.first, self.second = self.mesh.aggregators
        for name in ("one", "two", "other"):
            if self.mesh.process[name].status() is None:
                self.mesh.kill(name)
                self.await_link(name, False)  # nothing is sent over what is left of it

    def play(self, name, act=cycles, aggregators=None):
        played = PlayedConnector(self.mesh, self.mesh.satellite(name), act, aggregators)
        self.addCleanup(self.await_link, name, False)
        self.addCleanup(played.__enter__().__exit__, None, None, None)
        self.await_link(name, True)
        for _, client in self.each_facade():
            eventually(lambda: name in [entry["connector"] for entry in client.get("/mesh/v1/workers").json()["workers"]
                                        if entry["linked"] and entry["type"] != "redfish"], f"{name} offers", 20)
        return played

    def await_link(self, name, wanted):
        for _, client in self.each_facade():
            def is_so(client=client):
                satellites = client.get("/mesh/v1/status").json()["satellites"]
                return next(entry["linked"] for entry in satellites if entry["name"] == name) == wanted
            eventually(is_so, f"{name} is {'linked' if wanted else 'gone'}", 20)

    def ctl(self, *arguments, at=None, user=USER, status=0):
        password = "admin.password" if user == USER else "local.password"
        ended, out, error = run_program("meshctl", *arguments, "--url", (at or self.first).facade, "--user", user, "--password-file",
                                        self.mesh.state / password, "--cacert", self.mesh.ca, seconds=60)
        self.assertEqual(ended, status, out + error)
        return out if status in (0, 4) else error

    def command(self, target, at=None):
        """Its id, once it has ended."""
        return json.loads(self.ctl("send", target, "power.cycle", "--json", at=at))["id"]

    def hops(self, message, **how):
        told = json.loads(self.ctl("trace", message, "--json", **how))
        times = [hop["at_us"] for hop in told["hops"]]
        self.assertEqual(times, sorted(times))
        return [(hop["node"], hop["kind"], hop["what"]) for hop in told["hops"]]


class Traced(TraceTest):
    def test_a_command_through_another_node_shows_every_hop_in_order_at_every_node(self):
        self.play("one", aggregators=[self.first])
        message = self.command("local/one", at=self.second)
        here, there = self.second.name, self.first.name
        expected = [(here, "command", "taken"), (here, "command", "sent"), (there, "command", "forwarded"),
                    (there, "reply", "forwarded"), (here, "reply", "ON_GOING"), (here, "reply", "SUCCESS")]
        for member in self.mesh.aggregators:
            shown = self.hops(message, at=member)
            self.assertEqual([hop for hop in shown if hop != (there, "reply", "forwarded")],
                             [hop for hop in expected if hop != (there, "reply", "forwarded")])
            self.assertGreater(shown.index((there, "reply", "forwarded")), shown.index((there, "command", "forwarded")))
            self.assertLess(shown.index((there, "reply", "forwarded")), shown.index((here, "reply", "ON_GOING")))

    def test_people_see_a_table_with_differences_and_what_is_known_of_the_clocks(self):
        self.play("one", aggregators=[self.first])
        message = self.command("local/one", at=self.second)
        lines = self.ctl("trace", message, at=self.second).splitlines()
        self.assertRegex(lines[0], rf"^\d{{4}}-\d\d-\d\dT[\d:.]+Z +\+0\.000  {self.second.name}  {self.second.name} -> local/one +command taken$")
        self.assertRegex(lines[1], rf"  command sent over {self.first.name}$")
        self.assertRegex(lines[2], rf" \+\d+\.\d{{3}}  {self.first.name}  {self.second.name} -> local/one +command forwarded$")
        self.assertRegex(lines[-1], rf"^The clock of {self.first.name} .*{self.second.name}'s.*\(\+/- \d+\.\d+ ms\)")

    def test_what_is_another_tenants_or_nobodys_is_answered_alike(self):
        self.play("other")
        foreign = self.command("rival/other")
        self.assertTrue(self.hops(foreign))
        nobodys = "0" * 31 + "1"
        for member in self.mesh.aggregators:
            told = [self.ctl("trace", message, at=member, user="local-op", status=1) for message in (foreign, nobodys)]
            self.assertIn("404", told[0])
            self.assertEqual(told[0].replace(foreign, nobodys), told[1])

    def test_the_audit_trails_id_leads_to_what_was_begun(self):
        self.play("one")
        message = self.command("local/one")
        line = self.ctl("history", "audit", "--ids", "--resource", "/mesh/v1/commands/local/one/power.cycle").splitlines()[-1]
        recorded = line.split()[-1]
        self.assertNotEqual(recorded, message)
        self.assertEqual(self.hops(recorded), self.hops(message))

    def test_what_a_connector_asks_for_is_traced_and_so_is_its_refusal(self):
        one = self.play("one")
        self.play("two")
        asked = one.ask(self.first, "two")
        ((reply, _),) = eventually(lambda: one.replies.get(asked), "it is refused", 10)
        self.assertEqual(reply[2], PERMISSION_DENIED)
        self.assertEqual(self.hops(asked.hex(), at=self.second), [(self.first.name, "command", "delivered"), (self.first.name, "reply", "refused")])
        def noted():
            out = self.ctl("events", "--topic", "mesh.error", "--json", user="local-op")
            return [event for event in json.loads(out)["events"] if event["payload"].get("message") == asked.hex()]
        (event,) = eventually(noted, "its refusal is an event", 10)
        self.assertEqual((event["tenant"], event["name"], event["payload"]["connector"]), ("local", "not_permitted", "one"))
        shown = self.ctl("events", "--topic", "mesh.error", "--ids")
        self.assertIn(f"  {event['id']}  local/@{self.first.name}  ", shown)
        self.assertEqual(self.hops(event["id"]), [(self.first.name, "event", "stored")])
        self.assertEqual(self.hops(event["id"].replace(":", "/", 1)), [(self.first.name, "event", "stored")])

    def test_an_unknown_destination_of_a_persons_command_is_an_event_of_his_tenant_alone(self):
        self.ctl("send", "rival/other", "power.cycle", user="local-op", status=1)
        def noted():
            return [event for event in json.loads(self.ctl("events", "--topic", "mesh.error", "--json"))["events"]
                    if event["payload"].get("account") == "local-op"]
        events = eventually(noted, "it is an event", 10)
        self.assertEqual({(event["tenant"], event["name"]) for event in events}, {("local", "unknown_destination")})

    def test_what_is_no_id_is_said_so(self):
        self.assertIn("404", self.ctl("trace", "abc", status=1))
        self.assertIn("an id is", self.ctl("trace", "a b", status=2))

    def test_the_shell_completes_it(self):
        completed = re.search(r'commands="([^"]*)"', (CHECKOUT / "deploy/completion/meshctl.bash").read_text())
        self.assertIn("trace", completed[1].split())


class OfARealConnector(TraceTest):
    sims = (Sim("one", auth="basic"),)

    def setUp(self):
        self.first, self.second = self.mesh.aggregators

    def test_a_redfish_request_is_traced_by_the_audit_trails_id_and_the_reply_tells_the_connectors_part(self):
        with self.mesh.client(self.second) as client:
            uri = self.members(client, ROOT + "/Systems")[0] + "/Actions/ComputerSystem.Reset"
            self.assertLess(client.post(uri, {"ResetType": "On"}).status, 300)
        line = self.ctl("history", "audit", "--ids", "--resource", uri, at=self.second).splitlines()[-1]
        message = line.split()[-1]
        name = self.second.name
        self.assertEqual(self.hops(message), [(name, "command", "sent"), (name, "reply", "SUCCESS")])
        self.assertRegex(self.ctl("trace", message), r"reply SUCCESS, which left local/one at most \d+\.\d+ ms before  as [0-9a-f]{32}\n")


class ASilentNode(TraceTest):
    def test_a_node_that_cannot_be_asked_is_named(self):
        self.play("one", aggregators=[self.first])
        message = self.command("local/one")
        self.mesh.kill(self.second.name)
        out = json.loads(self.ctl("trace", message, "--json", status=4))
        self.assertEqual(out["silent"], [self.second.name])
        self.assertEqual(out["hops"][-1]["what"], "SUCCESS")
        self.mesh.start(self.second)
        eventually(self.is_back, "it is back", 20)

    def is_back(self):
        try:
            with self.mesh.client(self.second, timeout=2) as client:
                return client.get("/mesh/v1/status").status == 200
        except NO_ANSWER:
            return False


if __name__ == "__main__":
    unittest.main()
