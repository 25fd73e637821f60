"""What is of another tenant: nobody hears it, and whoever asks learns no more than of what does not exist."""

import json
import subprocess
import threading
import unittest

from harness import PROGRAMS, ROOT, SLOW, Client, MeshTest, Sim, eventually, write_private
from test_events import EVENTS, EventsTest

PASSWORD = "a-Password-of-local-9"


def account(mesh, admin, name, tenant, role="Administrator"):
    """(its file with the password, its URI) of an account of that tenant."""
    made = admin.post(ROOT + "/AccountService/Accounts", {"UserName": name, "Password": PASSWORD, "RoleId": role,
                                                          "Oem": {"Bmcmesh": {"Tenant": tenant}}})
    if made.status != 201:
        raise AssertionError(made.body)
    file = mesh.state / f"{name}.password"
    write_private(file, PASSWORD)
    return file, made.header("Location")


class ForeignEvents(EventsTest):
    """`one` is of the tenant local, `two` and `three` are of the tenant rival; all three have workers that may hear everything."""

    sims, aggregators = (Sim("one"), Sim("two", tenant="rival"), Sim("three", tenant="rival")), 2

    def heard(self, name):
        out, events = [], self.worker(name).events("*", start="start")
        threading.Thread(target=lambda: [out.append(event) for event in events], daemon=True).start()
        return out

    def follow(self, password):
        child = subprocess.Popen([str(PROGRAMS / "meshctl"), "events", "--follow", "--json", "--since", "1h", "--url",
                                  self.mesh.aggregators[1].facade, "--user", "rival-boss", "--password-file", str(password), "--cacert",
                                  str(self.mesh.ca)], stdout=subprocess.PIPE, text=True)
        out = []
        thread = threading.Thread(target=lambda: out.extend(json.loads(line) for line in child.stdout))
        thread.start()
        for undo in (child.stdout.close, thread.join, child.wait, child.kill):  # the last one first
            self.addCleanup(undo)
        return out

    def test_nobody_hears_or_reads_another_tenants_whatever_he_listens_to(self):
        with self.mesh.client() as admin:
            password, _ = account(self.mesh, admin, "rival-boss", "rival")
        local, rival, follower = self.heard("one"), self.heard("three"), self.follow(password)
        sources = {name: self.worker(name) for name in ("one", "two")}
        for number in range(20):
            for name, source in sources.items():
                source.emit("same.topic", name, number, timeout=30)

        def names(events):
            return {event["name"] for event in events if event.get("topic") == "same.topic"}

        def count(events):
            return len([event for event in events if event.get("topic") == "same.topic"])
        eventually(lambda: len([event for event in rival if event.topic == "same.topic"]) >= 20, "three hears those of two", 30)
        eventually(lambda: count(follower) >= 20, "who follows sees them", 30)
        for member in self.mesh.aggregators:
            eventually(lambda member=member: count(self.listed("&topic=same.*", member)) == 40, f"{member.name} has all", 30)
            with Client(member.facade, "rival-boss", PASSWORD, self.mesh.ca, timeout=40 * SLOW) as boss:
                page = boss.get(f"{EVENTS}?limit=500").json()["events"]
                self.assertEqual((names(page), {event["tenant"] for event in page}), ({"two"}, {"rival"}))
                self.assertEqual(boss.get(f"{EVENTS}?connector=one").json()["events"], [])
                there, nowhere = (boss.get(f"{EVENTS}?tenant={tenant}") for tenant in ("local", "nobody"))
                self.assertEqual((there.status, there.body), (nowhere.status, nowhere.body))
                self.assertEqual(there.status, 403)
        self.assertEqual(names(follower), {"two"})
        self.assertEqual({event.source for event in rival}, {"rival/two"})
        self.assertEqual(local, [], "its own it does not hear, and others of its tenant there are none")


class ForeignNames(MeshTest):
    """An administrator of the tenant local asks for what is of the tenant rival, and for what does not exist."""

    sims = (Sim("one"), Sim("villa", tenant="rival"))

    def setUp(self):
        self.admin = self.mesh.client()
        self.addCleanup(self.admin.close)
        _, self.uri = account(self.mesh, self.admin, "local-boss", "local")
        self.addCleanup(self.admin.request, "DELETE", self.uri)

    def boss(self, member):
        return Client(member.facade, "local-boss", PASSWORD, self.mesh.ca, timeout=40 * SLOW)

    def told(self, client, method, uri, body, words):
        """Status and text of the answer, with what was asked for made equal."""
        for mark, word in words.items():
            uri, body = uri.replace(mark, word), body and json.loads(json.dumps(body).replace(mark, word))
        answer = client.request(method, uri, body)
        text = answer.body.decode()
        for mark, word in words.items():
            text = text.replace(word, mark)
        return answer.status, text

    def test_the_answers_are_those_for_what_does_not_exist(self):
        pivot = {"kind": "pivot", "type": "chassis", "keys": {"fan.speed": {"type": "integer"}}}
        made = self.admin.post("/mesh/v1/config", {"document": pivot, "tenant": "rival"})
        self.assertEqual(made.status, 201, made.body)
        there, nowhere = {"TENANT": "rival", "NAME": "villa"}, {"TENANT": "nowhere", "NAME": "nobody"}
        command = {"command": "power.cycle", "payload": {}}
        for method, uri, body in (
                ("GET", "/mesh/v1/config/TENANT:pivot:chassis", None),
                ("DELETE", "/mesh/v1/config/TENANT:pivot:chassis", None),
                ("POST", "/mesh/v1/config", {"document": pivot, "tenant": "TENANT"}),
                ("GET", "/mesh/v1/secrets/TENANT:db", None), ("DELETE", "/mesh/v1/secrets/TENANT:db", None),
                ("POST", "/mesh/v1/policies", {"tenant": "TENANT", "sender": "NAME", "command": "a.b", "target": "NAME"}),
                ("DELETE", "/mesh/v1/connectors/TENANT:NAME", None), ("POST", "/mesh/v1/connectors/TENANT:NAME/rotation", None),
                ("POST", "/mesh/v1/commands", {**command, "target": "TENANT/NAME"}),
                ("POST", "/mesh/v1/commands", {**command, "target": "NAME"}),
                ("POST", "/mesh/v1/commands", {**command, "target": "NAME", "tenant": "TENANT"}),
                ("POST", "/mesh/v1/commands", {**command, "type": "redfish", "all": True, "tenant": "TENANT"}),
                ("POST", "/mesh/v1/commands", {"command": "redfish.get", "payload": {"uri": ROOT}, "target": "TENANT/NAME"})):
            for member in self.mesh.aggregators:
                with self.subTest(method=method, uri=uri, body=body, member=member.name), self.boss(member) as boss:
                    status, text = self.told(boss, method, uri, body, there)
                    self.assertEqual((status, text), self.told(boss, method, uri, body, nowhere))
                    self.assertIn(status, (403, 404))

    def test_what_is_listed_is_the_own(self):
        for member in self.mesh.aggregators:
            with self.boss(member) as boss:
                for uri in ("/mesh/v1/workers", "/mesh/v1/config", "/mesh/v1/status", "/mesh/v1/events"):
                    with self.subTest(uri=uri, member=member.name):
                        answer = boss.get(uri)
                        self.assertEqual(answer.status, 200, answer.body)
                        self.assertNotRegex(answer.body.decode(), r'"(tenant|connector|name)": *"(rival|villa)"')

    def test_another_tenants_command_is_as_one_that_nobody_ever_sent(self):
        sent = self.admin.post("/mesh/v1/commands", {"command": "redfish.get", "target": "rival/villa", "payload": {"uri": ROOT}, "wait": 20})
        self.assertEqual((sent.status, sent.json()["state"]), (200, "SUCCESS"))
        known = sent.json()["id"]
        unknown = known[:-4] + ("0000" if known[-4:] != "0000" else "1111")
        query = f"?wait=20&seen={sent.json()['revision']}"
        for member in self.mesh.aggregators:
            with self.mesh.client(member) as admin, self.boss(member) as boss:
                self.assertEqual(admin.get(f"/mesh/v1/commands/{known}").status, 200)
                for uri in ("commands/ID", f"commands/ID{query}", "trace/ID"):  # who waits for news is answered as soon, too
                    told = [self.told(boss, "GET", f"/mesh/v1/{uri}", None, {"ID": word}) for word in (known, unknown)]
                    self.assertEqual(told[0], told[1])
                    self.assertEqual(told[0][0], 404)


if __name__ == "__main__":
    unittest.main()
