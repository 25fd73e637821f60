"""One part is broken; everything else goes on, and what is broken is said."""

import json
import signal
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import NO_ANSWER, ROOT, SLOW, MeshTest, Problem, Sim, eventually

# Of what a client may wait for at most: the collection's deadline, and what a request gets when nobody sets less.
COLLECTION_SECONDS, REQUEST_SECONDS = 2.0, 30.0


class BrokenBmc(MeshTest):
    sims = (Sim("good"), Sim("bad"))

    def setUp(self):
        self.good, self.bad = self.mesh.satellites

    def tearDown(self):
        self.mesh.heal(self.bad)
        self.mesh.await_ready()

    def member(self, satellite, collection="Systems"):
        with self.mesh.client() as client:
            return next(uri for uri in self.members(client, f"{ROOT}/{collection}") if f"/{satellite.prefix}_" in uri)

    def assertOthersServed(self):
        """Everything but the bad BMC works as ever; the Systems collections that the facades show, as documents."""
        documents = []
        for _, client in self.each_facade():
            begun = time.monotonic()
            answer = client.get(f"{ROOT}/Systems")
            self.assertLess(time.monotonic() - begun, (COLLECTION_SECONDS + 1) * SLOW)
            self.assertEqual(answer.status, 200)
            listed = json.dumps(answer.json()["Members"])
            self.assertIn(f"/{self.good.prefix}_", listed)
            self.assertEqual(client.get(self.member(self.good)).status, 200)
            documents.append(answer.json())
        return documents

    def test_a_bmc_that_is_off_leaves_the_rest_untouched(self):
        gone = self.member(self.bad)
        self.mesh.tell(self.bad, "POST", "/network", {"satellite": self.bad.name, "up": False})
        with self.mesh.client() as client:
            answer = client.get(gone)
            self.assertRedfishError(answer, 503)
            self.assertTrue(answer.header("Retry-After"), "not sent, so it may be repeated")
            eventually(lambda: "@Message.ExtendedInfo" in client.get(f"{ROOT}/Systems").json(),
                       "the collection says who is missing", 40)
        for document in self.assertOthersServed():
            said = json.dumps(document["@Message.ExtendedInfo"])
            self.assertTrue(self.bad.name in said or self.bad.prefix in said, said)
            self.assertIn(f"/{self.bad.prefix}_", json.dumps(document["Members"]), "known members stay listed")

    def test_a_bmc_that_hangs_or_promises_more_than_comes_is_504_at_the_deadline_and_slows_nobody(self):
        hung, short = self.member(self.bad), self.member(self.bad, "Chassis")
        self.mesh.fault(self.bad, "hang", path=hung.rsplit("_", 1)[1] + "$")
        self.mesh.fault(self.bad, "length", path=short.rsplit("_", 1)[1] + "$", delta=10)
        self.assertOthersServed()

        def ask(uri):
            with self.mesh.client() as client:
                begun = time.monotonic()
                return client.get(uri), time.monotonic() - begun
        with ThreadPoolExecutor() as pool:
            for answer, seconds in pool.map(ask, (hung, short)):
                self.assertLess(seconds, (REQUEST_SECONDS + 3) * SLOW)
                self.assertRedfishError(answer, 504)
                self.assertIsNone(answer.header("Retry-After"))

    def test_a_broken_answer_is_502_and_names_the_satellite(self):
        uri = self.member(self.bad)
        self.mesh.fault(self.bad, "reset", path=uri.rsplit("_", 1)[1] + "$")
        with self.mesh.client() as client:
            answer = client.get(uri)
        self.assertIn(answer.status, (502, 504), answer.body)
        self.assertIn(self.bad.name, self.assertRedfishError(answer, answer.status)["@Message.ExtendedInfo"][0]["Message"])

    def test_an_answer_cut_off_midway_never_looks_complete(self):
        uri = self.member(self.bad)
        self.mesh.fault(self.bad, "truncate", path=uri.rsplit("_", 1)[1] + "$")
        with self.mesh.client() as client:
            try:
                status = client.get(uri).status
            except Exception as error:  # http.client has several names for it
                self.assertRegex(type(error).__name__, "Incomplete|Disconnected|Reset")
            else:
                self.assertIn(status, (502, 504))

    def test_a_resource_that_always_answers_401_costs_the_bmc_no_sessions(self):
        sessions = ROOT + "/SessionService/Sessions"
        with self.mesh.client() as client, self.mesh.bmc(self.bad) as bmc:
            uri = self.member(self.bad)
            before = bmc.get(sessions).json()["Members@odata.count"]
            self.mesh.fault(self.bad, "status", path=uri.rsplit("_", 1)[1] + "$", status=401)
            self.assertRedfishError(client.get(uri), 502)
            eventually(lambda: bmc.get(sessions).json()["Members@odata.count"] == before, "the replaced session is ended")
            self.assertEqual(client.get(self.member(self.bad, "Chassis")).status, 200)

    def test_the_satellites_own_errors_pass(self):
        uri = self.member(self.bad)
        self.mesh.fault(self.bad, "status", path=uri.rsplit("_", 1)[1] + "$", status=507)
        with self.mesh.client() as client:
            self.assertEqual(client.get(uri).status, 507)

    def test_a_forgotten_session_is_opened_again(self):
        self.mesh.tell(self.bad, "POST", "/expire-sessions", {"satellite": self.bad.name})
        with self.mesh.client() as client:
            self.assertEqual(client.get(self.member(self.bad)).status, 200)

    def test_a_stale_connection_is_retried(self):
        uri = self.member(self.bad)
        self.mesh.fault(self.bad, "stale", mode="on-next")
        with self.mesh.client() as client:
            self.assertEqual({client.get(uri).status for _ in range(12)}, {200})


class BrokenAnswerToAWrite(MeshTest):
    sims, aggregators = (Sim("bad"),), 1

    def test_may_have_been_executed_and_the_client_is_told_so(self):
        bad = self.mesh.satellites[0]
        with self.mesh.client() as client:
            uri = self.members(client, ROOT + "/Systems")[0]
        own = uri.replace(f"/{bad.prefix}_", "/")
        for number, kind in enumerate(("invalid-json", "truncate")):
            self.mesh.fault(bad, kind, path=own + "$")
            with self.mesh.client() as client:
                answer = client.request("PATCH", uri, {"AssetTag": f"asset-{number}"})
            error = self.assertRedfishError(answer, 504)
            self.assertIn("Whether the request was executed is not known", error["@Message.ExtendedInfo"][0]["Message"])
            self.mesh.heal(bad)
            with self.mesh.bmc(bad) as bmc:
                self.assertEqual(bmc.get(own).json()["AssetTag"], f"asset-{number}")


class StoppedConnector(MeshTest):
    sims, aggregators = (Sim("slow"),), 1
    under_way, waiting = 8, 4  # as many connections as a connector has to its BMC, and who waits for one

    def setUp(self):
        self.slow = self.mesh.satellites[0]
        if self.mesh.process[self.slow.name].status() is not None:
            self.mesh.start(self.slow)
        self.mesh.await_ready()

    def tearDown(self):
        self.mesh.heal(self.slow)

    def journalled(self):
        journal = self.mesh.files.own_state(self.slow) / f"{self.slow.name}.journal"
        return sum(line.startswith("B ") for line in journal.read_text().splitlines())

    def test_who_asked_is_told_what_was_never_sent_and_what_may_have_been_executed(self):
        with self.mesh.client() as client:
            uri = self.members(client, ROOT + "/Systems")[0] + "/Actions/ComputerSystem.Reset"
        own = uri.replace(f"/{self.slow.prefix}_", "/")
        self.mesh.fault(self.slow, "hang", path=own + "$")
        before, asked = self.journalled(), self.under_way + self.waiting

        def at_the_bmc():
            return self.mesh.tell(self.slow, "GET", "/counts")[self.slow.name]["by"].get(f"POST {own}", 0)

        def write(_):
            with self.mesh.client() as client:
                return client.post(uri, {"ResetType": "On"})
        with ThreadPoolExecutor(asked) as pool:
            answers = [pool.submit(write, number) for number in range(asked)]
            eventually(lambda: at_the_bmc() == self.under_way and self.journalled() == before + asked, "all are on their way")
            begun = time.monotonic()
            self.assertEqual(self.mesh.kill(self.slow.name, signal.SIGTERM), 0)
            answers = [answer.result() for answer in answers]
        self.assertLess(time.monotonic() - begun, 3 * SLOW)
        self.assertEqual(at_the_bmc(), self.under_way)
        said = {status: [answer for answer in answers if answer.status == status] for status in (503, 504)}
        self.assertEqual([len(said[503]), len(said[504])], [self.waiting, self.under_way], [answer.body for answer in answers])
        for status, sentence in ((503, "it may be repeated"), (504, "Whether the request was executed is not known")):
            for answer in said[status]:
                error = self.assertRedfishError(answer, status)
                self.assertIn(sentence, error["@Message.ExtendedInfo"][0]["Message"])
                self.assertEqual(bool(answer.header("Retry-After")), status == 503)

    def test_with_nothing_under_way_it_ends_at_once(self):
        begun = time.monotonic()
        self.assertEqual(self.mesh.kill(self.slow.name, signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - begun, 1 * SLOW)


class BrokenProcess(MeshTest):
    sims = (Sim("one"), Sim("two"))

    def setUp(self):
        for member in [*self.mesh.aggregators, *self.mesh.satellites]:
            if self.mesh.process[member.name].status() is not None:
                self.mesh.start(member)
        eventually(self._all_ready, "the mesh is whole", 30)

    def _all_ready(self):
        try:
            self.mesh.await_ready(seconds=1)
            return True
        except (Problem, *NO_ANSWER):  # a process that is still starting refuses connections
            return False

    def test_one_aggregator_is_killed_and_the_other_answers_at_once(self):
        gone, left = self.mesh.aggregators
        with self.mesh.client(left) as client:
            uri = self.members(client, ROOT + "/Systems")[0]
            self.mesh.kill(gone.name)
            begun = time.monotonic()
            self.assertEqual(client.get(uri).status, 200)
            self.assertEqual(client.get(ROOT + "/Systems").status, 200)
            self.assertLess(time.monotonic() - begun, 2 * SLOW)

    def test_a_killed_connector_is_missed_and_nobody_else(self):
        gone, left = self.mesh.satellites
        with self.mesh.client() as client:
            uris = self.members(client, ROOT + "/Systems")
            lost = next(uri for uri in uris if f"/{gone.prefix}_" in uri)
            self.mesh.kill(gone.name)
            eventually(lambda: gone.name in client.get(ROOT + "/Systems").body.decode(), "it is missed", 10)
            begun = time.monotonic()
            self.assertRedfishError(client.get(lost), 503)
            self.assertLess(time.monotonic() - begun, 1 * SLOW)
            kept = next(uri for uri in uris if f"/{left.prefix}_" in uri)
            self.assertEqual(client.get(kept).status, 200)
            document = client.get(ROOT + "/Systems").json()
            self.assertIn(gone.name, json.dumps(document["@Message.ExtendedInfo"]))


if __name__ == "__main__":
    unittest.main()
