"""BMCs without an agent: added on one aggregator, fronted by one of them, whoever dies."""

import hashlib
import os
import signal
import ssl
import threading
import time
import unittest
from pathlib import Path

from harness import NO_ANSWER, ROOT, SLOW, Sim, eventually
from test_enrolment import EnrolmentTest
from test_secrets import files_with, is_in_memory, spellings

SOURCES = ROOT + "/AggregationService/AggregationSources"


def fingerprint(url):
    host, port = url.split("//")[1].split(":")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))).hexdigest()


def found_in(place, values):
    """As files_with(), of a folder or a file."""
    if place.is_dir():
        return files_with(place, values)
    content = place.read_bytes()
    return [place] if any(spelling in content for value in values for spelling in spellings(value)) else []


class SourcesTest(EnrolmentTest):
    sims = (Sim("one", auth="basic"), Sim("two", auth="basic"))

    def setUp(self):
        for member in self.mesh.aggregators:
            if self.mesh.process[member.name].status() is not None:
                self.mesh.start(member)
        eventually(self.whole, "every aggregator is there", 30)

    def tearDown(self):
        for satellite in self.mesh.satellites:
            self.mesh.heal(satellite)
        with self.mesh.client(self.living()[0]) as client:
            for uri in self.members(client, SOURCES):
                client.request("DELETE", uri)

    def whole(self):
        try:
            for _, client in self.each_facade():
                if not client.get("/healthz").json()["ready"]:
                    return False
        except NO_ANSWER:
            return False
        return True

    def living(self):
        return [member for member in self.mesh.aggregators if self.mesh.process[member.name].status() is None]

    def add(self, member, satellite, **more):
        body = {"HostName": satellite.url, "UserName": satellite.user, "Password": satellite.password(), "Name": satellite.name,
                "Oem": {"Bmcmesh": {"Certificate": fingerprint(satellite.url)}}} | more
        with self.mesh.client(member) as client:
            made = client.post(SOURCES, body)
        self.assertEqual(made.status, 201, made.body)
        self.assertNotIn(satellite.password(), made.body.decode())
        return made.header("Location")

    def source(self, uri, member=None):
        with self.mesh.client(member or self.living()[0]) as client:
            answer = client.get(uri)
        return answer.json() if answer.status == 200 else {}

    def bring_in(self, member, satellite):
        """(URI of the source, of its system), once all aggregators show it."""
        uri = self.add(member, satellite)
        for each in self.living():
            self.assertEqual(self.source(uri, each).get("HostName"), satellite.url, f"{each.name} knows it at once")
        prefix = uri.rsplit("/", 1)[1]
        self.await_shown(prefix)
        with self.mesh.client(member) as client:
            system = next(each for each in self.members(client, ROOT + "/Systems") if f"/{prefix}_" in each)
        return uri, system

    def host_of(self, uri, member=None):
        return self.source(uri, member).get("Oem", {}).get("Bmcmesh", {}).get("Host")

    def connectors_of(self, name):
        """Process ids of the connectors that this aggregator runs."""
        folder, found = str(self.mesh.files.own_state(next(m for m in self.mesh.aggregators if m.name == name))), []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"/mesh-connectord") and any(word.decode().startswith(folder + "/sources/") for word in words):
                found.append(int(entry.parent.name))
        return found

    def in_the_clear(self, satellite):
        """Files of the nodes, logs among them, in which the password of its BMC can be read."""
        places = [*self.mesh.state.glob("run/agg-*"), *self.mesh.state.glob("log/agg-*")]
        return [file for place in places for file in found_in(place, [satellite.password().encode()])]

    def all_connectors(self):
        """How many run at once. A look takes time: of several, those ran at once that a second one finds as well."""
        def look():
            return {process for member in self.mesh.aggregators for process in self.connectors_of(member.name)}
        found = look()
        return len(found) if len(found) < 2 else len(found & look())

    def executions(self, satellite):
        return [each for each in self.mesh.tell(satellite, "GET", "/executions") if "Reset" in each["path"]]

    def served(self, member, system):
        try:
            with self.mesh.client(member, timeout=3) as client:
                return client.get(system).status == 200
        except NO_ANSWER:
            return False

    def make_primary(self, name):
        with self.mesh.client(self.living()[0]) as client:
            self.assertEqual(client.post("/mesh/v1/cluster/transfer", {"to": name}).status // 100, 2)
            eventually(lambda: client.get("/mesh/v1/status").json()["cluster"]["primary"] == name, f"{name} is the primary")

    def take_host_away(self, take, before=lambda host: None):
        """take(host) with an action under way; (URI, its system, the action's answer, the host)."""
        satellite = self.mesh.satellite("one")
        uri, system = self.bring_in(self.mesh.aggregators[0], satellite)
        host = self.host_of(uri)
        before(host)
        asked = next(member for member in self.mesh.aggregators if member.name != host)
        self.mesh.tell(satellite, "DELETE", "/executions")
        self.mesh.fault(satellite, "hang", path="Actions/", execute=True)
        answers = []

        def reset():
            with self.mesh.client(asked) as client:
                answers.append(client.post(system + "/Actions/ComputerSystem.Reset", {"ResetType": "ForceRestart"}))
        client = threading.Thread(target=reset)
        client.start()
        eventually(lambda: self.executions(satellite), "the BMC executes the action")
        begun = time.monotonic()
        take(host)
        left = [member for member in self.mesh.aggregators if member.name != host]
        for member in left:
            eventually(lambda: self.served(member, system) and self.host_of(uri, member) != host,
                       f"another one serves, through {member.name}", 20)
        seconds = time.monotonic() - begun
        client.join(60 * SLOW)
        self.assertEqual(len(answers), 1)
        self.assertIn(self.host_of(uri, left[0]), [member.name for member in left])
        self.assertEqual(len(self.executions(satellite)), 1, "it was executed once")
        self.seconds = seconds
        print(f"\nreads through both others {seconds:.2f} s after the host was taken away")
        return uri, system, answers[0], host

    def assertUnknown(self, answer):
        self.assertRedfishError(answer, 504)
        self.assertIsNone(answer.header("Retry-After"))
        self.assertIn("is not known", answer.body.decode())


class Fronted(SourcesTest):
    def check_sealed(self, satellite, host):
        secret, backup = [satellite.password().encode()], self.mesh.state / "sources.backup"
        # The first may be sealed as older programs did, until the nodes of the new cluster have told their keys.
        eventually(lambda: not self.in_the_clear(satellite), "it is in no file", 20)
        self.ctl("cluster", "backup", backup)
        self.assertEqual(found_in(backup, secret), [])
        backup.unlink()
        planted = self.mesh.state / "run" / host / "planted"
        planted.write_bytes(b"x" + secret[0])
        self.assertEqual(self.in_the_clear(satellite), [planted], "the search finds what is there")
        planted.unlink()
        folders = list((self.mesh.state / "run" / host / "sources").iterdir())
        self.assertEqual(len(folders), 1)
        self.assertEqual(folders[0].stat().st_mode & 0o777, 0o700)
        self.assertEqual((folders[0] / "password.sealed").stat().st_mode & 0o777, 0o600)
        for member in self.mesh.aggregators:
            self.assertEqual((self.mesh.files.own_state(member) / "sources.key").stat().st_mode & 0o777, 0o600)
        # The first has read it, from the client, and wiped what it read; but a sanitizer keeps what libraries have freed.
        for member in self.mesh.aggregators if SLOW == 1 else []:
            eventually(lambda: not is_in_memory(self.mesh.process[member.name].pid, secret), f"not in the memory of {member.name}", 10)
        self.assertIsNot(is_in_memory(self.connectors_of(host)[0], secret), False, "its connector knows it, and nobody else")

    def test_one_that_was_added_on_one_works_through_all_and_goes(self):
        satellite = self.mesh.satellite("one")
        uri, system = self.bring_in(self.mesh.aggregators[0], satellite)
        for member in self.mesh.aggregators:
            self.assertTrue(self.served(member, system), member.name)
        host = self.host_of(uri)
        self.assertEqual([len(self.connectors_of(member.name)) for member in self.mesh.aggregators],
                         [int(member.name == host) for member in self.mesh.aggregators])
        with self.subTest("its password is sealed at once, and in the clear in no file of any node"):
            self.check_sealed(satellite, host)
        with self.subTest("another address"):
            other = self.mesh.satellite("two")
            with self.mesh.client(self.mesh.aggregators[1]) as client:
                patched = client.request("PATCH", uri, {"HostName": other.url, "Password": other.password(),
                                                        "Oem": {"Bmcmesh": {"Certificate": fingerprint(other.url)}}})
            self.assertEqual(patched.status, 200, patched.body)
            with self.mesh.bmc(other) as bmc:
                serial = bmc.get(self.members(bmc, ROOT + "/Systems")[0]).json()["UUID"]

            def shows_the_other():
                with self.mesh.client(self.mesh.aggregators[2]) as client:
                    systems = [each for each in self.members(client, ROOT + "/Systems") if system.split("_")[0] in each]
                    answer = client.get(systems[0]) if systems else None
                    return answer is not None and answer.status == 200 and answer.json().get("UUID") == serial
            eventually(shows_the_other, "the other BMC is shown", 20)
        with self.subTest("it goes"):
            with self.mesh.client(self.mesh.aggregators[2]) as client:
                self.assertEqual(client.request("DELETE", uri).status, 204)
            for member in self.mesh.aggregators:
                eventually(lambda: not self.source(uri, member), f"{member.name} has forgotten it")
                eventually(lambda: self.shown(member, uri.rsplit("/", 1)[1]) is False, f"{member.name} does not show it")
                eventually(lambda: not self.connectors_of(member.name), "its connector has ended")
                folder = self.mesh.files.own_state(member) / "sources"
                eventually(lambda: not list(folder.glob("*")), "its files are gone")

    def test_where_the_host_is_killed_another_takes_over_and_nothing_is_done_twice(self):
        uri, system, answer, host = self.take_host_away(self.mesh.kill)
        eventually(lambda: not self.connectors_of(host), "its connector has ended with it")
        self.assertUnknown(answer)
        second = self.host_of(uri)
        back = next(member for member in self.mesh.aggregators if member.name == host)
        self.mesh.start(back)
        eventually(lambda: self.served(back, system), "it serves again", 20)
        self.assertEqual(self.host_of(uri, back), second, "what serves is left as it is")
        eventually(lambda: not self.connectors_of(host), "it runs none")
        folder = self.mesh.files.own_state(back) / "sources"
        eventually(lambda: not list(folder.glob("*")), "the files of the former assignment are gone", 30)

    def test_where_the_host_stops_another_takes_over_at_once_and_nothing_is_done_twice(self):
        self.stop_host(lambda host: self.make_primary(next(m.name for m in self.mesh.aggregators if m.name != host)))

    def test_where_the_host_that_stops_is_the_primary_it_is_the_same(self):
        self.stop_host(self.make_primary)

    def stop_host(self, before):
        seen = []  # how many connectors of it ran, whenever one looked

        def stop(host):
            self.mesh.process[host].signal(signal.SIGTERM)
            eventually(lambda: seen.append(self.all_connectors()) or self.mesh.process[host].status() is not None, "it has ended")
        self.assertUnknown(self.take_host_away(stop, before)[2])
        self.assertLessEqual(max(seen), 1, "the former host's connector ends before the next one starts")
        self.assertLess(self.seconds, 1.6 * SLOW, "two seconds of silence were waited for")

    def test_a_task_is_followed_after_its_host_is_gone(self):
        satellite = self.mesh.satellite("one")
        self.mesh.tell(satellite, "POST", "/options", {"satellite": "one", "hold_tasks": True})
        self.addCleanup(self.mesh.tell, satellite, "POST", "/options", {"satellite": "one", "hold_tasks": False})
        uri, system = self.bring_in(self.mesh.aggregators[0], satellite)
        host = next(member for member in self.mesh.aggregators if member.name == self.host_of(uri))
        with self.mesh.client(host) as client:
            begun = client.post(system + "/Actions/Oem/OemSim.Blink", {"Times": 1})
        self.assertEqual(begun.status, 202, begun.body)
        monitor, task = begun.header("Location"), begun.json()["@odata.id"]
        self.mesh.kill(host.name)
        for member in self.living():
            with self.mesh.client(member) as client:
                waiting = eventually(lambda client=client: self.answered(client, monitor, 202), f"{member.name} follows it", 20)
                self.assertEqual(waiting.header("Location"), monitor)
                # Its host was killed a moment after the BMC had begun it: the next one's connector has to read the collection first.
                eventually(lambda client=client: task in self.members(client, ROOT + "/TaskService/Tasks"), "it is listed", 20)
        self.mesh.tell(satellite, "POST", "/finish-tasks", {"satellite": "one"})
        for member in self.living():
            with self.mesh.client(member) as client:
                self.assertEqual(client.get(monitor).status, 200)
                self.assertEqual(client.get(task).json()["TaskState"], "Completed")

    @staticmethod
    def answered(client, uri, status):
        answer = client.get(uri)
        return answer if answer.status == status else None

    def test_a_connector_that_dies_is_started_again_by_its_host(self):
        satellite = self.mesh.satellite("two")
        uri, system = self.bring_in(self.mesh.aggregators[1], satellite)
        host = self.host_of(uri)
        first = self.connectors_of(host)
        self.assertEqual(len(first), 1)
        os.kill(first[0], signal.SIGKILL)
        eventually(lambda: self.connectors_of(host) not in ([], first), "another one runs")
        for member in self.mesh.aggregators:
            eventually(lambda: self.served(member, system), f"reads work again through {member.name}")
        self.assertEqual(self.host_of(uri), host)


class Removed(SourcesTest):
    def test_where_the_host_leaves_the_cluster_the_next_does_not_execute_what_it_did(self):
        def remove(host):
            member = next(member for member in self.mesh.aggregators if member.name != host)
            with self.mesh.client(member) as client:
                self.assertEqual(client.request("DELETE", f"/mesh/v1/cluster/members/{host}").status, 204)
        self.assertUnknown(self.take_host_away(remove)[2])


class Upgraded(SourcesTest):
    extra = {"cluster": {"newest_feature_level": 5}}  # the nodes are of a release that had no keys for passwords

    def test_what_older_nodes_have_sealed_is_sealed_anew_when_the_last_is_upgraded(self):
        satellite = self.mesh.satellite("one")
        _, system = self.bring_in(self.mesh.aggregators[0], satellite)
        self.assertEqual([file.name for file in self.in_the_clear(satellite)], ["password"], "its host has it in a file")
        for member in self.mesh.aggregators:
            member.extra = {section: settings for section, settings in member.extra.items() if section != "cluster"}
            self.mesh.files.write_aggregator(member, self.mesh.aggregators)
            self.mesh.kill(member.name, signal.SIGTERM)
            self.mesh.start(member)
            eventually(self.whole, f"{member.name} is upgraded", 30)
            eventually(lambda: self.served(member, system), f"{member.name} serves", 30)
        eventually(lambda: not self.in_the_clear(satellite), "it is sealed anew, and the file is gone", 40)
        for member in self.mesh.aggregators:
            eventually(lambda: self.served(member, system), f"reads work through {member.name}", 30)


if __name__ == "__main__":
    unittest.main()
