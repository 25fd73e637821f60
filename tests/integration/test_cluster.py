"""Aggregators that agree: one primary, one state, whoever is asked and whoever dies."""

import json
import shutil
import signal
import unittest

from harness import NO_ANSWER, ROOT, SLOW, USER, Client, Mesh, MeshTest, Sim, eventually, free_ports, run_program
from quickstart_lib.mesh import Aggregator

SESSIONS = ROOT + "/SessionService/Sessions"
ACCOUNTS = ROOT + "/AccountService/Accounts"
PASSWORD = "a long enough one"


def health(mesh, member):
    """What /healthz says, or {} where nobody answers."""
    try:
        with Client(member.facade, ca=mesh.ca, timeout=1.0 * SLOW) as client:
            return client.get("/healthz").json()
    except (*NO_ANSWER, ValueError):
        return {}


def primary(mesh, among=None):
    """The one aggregator of `among` that says it is the primary, or None."""
    said = [member for member in among or mesh.aggregators if health(mesh, member).get("primary")]
    return said[0] if len(said) == 1 else None


def standbys(mesh):
    first = eventually(lambda: primary(mesh), "there is one primary")
    return [member for member in mesh.aggregators if member is not first]


def cluster_of(mesh, member):
    with mesh.client(member) as client:
        return client.get("/mesh/v1/status").json()["cluster"]


def meshctl(mesh, member, *arguments):
    return run_program("meshctl", *arguments, "--url", member.facade, "--user", USER, "--password-file",
                       mesh.state / "admin.password", "--cacert", mesh.ca, seconds=30)


class Agreement(MeshTest):
    sims, aggregators = (Sim("one"),), 3

    def test_all_name_the_same_primary_and_members(self):
        first = eventually(lambda: primary(self.mesh), "there is one primary")
        for member in self.mesh.aggregators:
            seen = eventually(lambda: cluster_of(self.mesh, member), "the status")
            self.assertEqual(seen["primary"], first.name)
            self.assertEqual([entry["name"] for entry in seen["members"]], ["agg-1", "agg-2", "agg-3"])
            self.assertTrue(all(entry["voter"] for entry in seen["members"]))
            self.assertEqual(seen["role"], "primary" if member is first else "standby")

    def test_all_are_one_service(self):
        uuids = {client.get(ROOT + "/").json()["UUID"] for _, client in self.each_facade()}
        self.assertEqual(len(uuids), 1, uuids)

    def test_a_session_made_on_one_works_on_all_at_once(self):
        clients = [self.mesh.client(member) for member in self.mesh.aggregators]
        for count in range(60):
            maker = clients[count % 3]
            made = maker.post(SESSIONS, {"UserName": USER, "Password": self.mesh.password})
            self.assertEqual(made.status, 201, made.body)
            token = {"X-Auth-Token": made.header("X-Auth-Token")}
            for other in clients:
                answer = other.get(ROOT + "/Systems", headers=token, authenticate=False)
                self.assertEqual(answer.status, 200, (count, other.url, answer.body))
            uri = made.json()["@odata.id"]
            ended = clients[(count + 1) % 3].request("DELETE", uri)
            self.assertIn(ended.status, (200, 204), ended.body)
            again = maker.get(ROOT + "/Systems", headers=token, authenticate=False)
            self.assertIn(again.status, (200, 401))  # it may not have heard yet of the end, though soon
            eventually(lambda: maker.get(ROOT + "/Systems", headers=token, authenticate=False).status == 401,
                       "the session has ended everywhere")
        for client in clients:
            client.close()

    def test_an_account_made_on_one_logs_in_on_the_others_at_once(self):
        for count, (maker, other) in enumerate([(0, 1), (1, 2), (2, 0), (0, 2), (2, 1), (1, 0)]):
            with self.mesh.client(self.mesh.aggregators[maker]) as client:
                made = client.post(ACCOUNTS, {"UserName": f"user{count}", "Password": PASSWORD, "RoleId": "ReadOnly"})
                self.assertEqual(made.status, 201, made.body)
            with Client(self.mesh.aggregators[other].facade, f"user{count}", PASSWORD, self.mesh.ca, timeout=20 * SLOW) as user:
                self.assertEqual(user.get(ROOT + "/Systems").status, 200)
            with self.mesh.client(self.mesh.aggregators[other]) as client:
                self.assertEqual(client.get(made.json()["@odata.id"]).status, 200)
                self.assertIn(client.request("DELETE", made.json()["@odata.id"]).status, (200, 204))

    def test_an_unknown_token_is_refused_everywhere(self):
        for _, client in self.each_facade():
            for token in ("0" * 48, "0" * 48 + "-1", "0" * 48 + "-ffffff", "x", "0-zz"):
                answer = client.get(ROOT + "/Systems", headers={"X-Auth-Token": token}, authenticate=False)
                self.assertEqual(answer.status, 401, token)

    def test_the_members_file_of_each_node_names_all(self):
        for member in self.mesh.aggregators:
            def named(member=member):
                home = json.loads((self.mesh.files.own_state(member) / "cluster/member.json").read_text())
                return not home["founder"] and {node["name"] for node in home["nodes"]} == {"agg-1", "agg-2", "agg-3"}
            eventually(named, f"{member.name} knows its cluster")

    def test_what_a_node_had_before_there_was_a_cluster_is_put_aside(self):
        for member in self.mesh.aggregators:
            file = self.mesh.files.accounts(member)
            eventually(lambda: not file.exists() and file.with_name("accounts.taken-over").exists(), f"{file} is put aside")


class Takeover(MeshTest):
    sims, aggregators = (Sim("one"),), 3

    def restart(self, member):
        self.mesh.start(member)
        eventually(lambda: health(self.mesh, member).get("ready"), f"{member.name} is back", 20)
        self.mesh.await_ready([member])

    def write(self, member, timeout=10.0):
        with self.mesh.client(member, timeout=timeout) as client:
            made = client.post(SESSIONS, {"UserName": USER, "Password": self.mesh.password})
            return made.header("X-Auth-Token") if made.status == 201 else None

    def test_another_takes_over_and_what_was_acknowledged_is_there(self):
        first = eventually(lambda: primary(self.mesh), "there is one primary")
        token = self.write(first)
        self.assertTrue(token)
        self.mesh.kill(first.name)
        left = [member for member in self.mesh.aggregators if member is not first]
        second = eventually(lambda: primary(self.mesh, left), "another is primary")
        for member in left:
            with Client(member.facade, ca=self.mesh.ca, timeout=10 * SLOW) as client:
                self.assertEqual(client.get(ROOT + "/Systems", headers={"X-Auth-Token": token}).status, 200)
            self.assertTrue(eventually(lambda: self.write(member), "writes are taken"))
        self.restart(first)
        self.assertEqual(cluster_of(self.mesh, first)["primary"], second.name)

    def test_a_primary_that_hangs_is_replaced_and_is_a_standby_when_it_comes_back(self):
        first = eventually(lambda: primary(self.mesh), "there is one primary")
        left = [member for member in self.mesh.aggregators if member is not first]
        self.mesh.process[first.name].signal(signal.SIGSTOP)
        try:
            second = eventually(lambda: primary(self.mesh, left), "another is primary")
            self.assertTrue(eventually(lambda: self.write(second), "writes are taken"))
        finally:
            self.mesh.process[first.name].signal(signal.SIGCONT)
        eventually(lambda: cluster_of(self.mesh, first)["role"] == "standby", "the old one has stepped down")
        self.assertEqual(primary(self.mesh), second)

    def test_an_orderly_stop_hands_over_first(self):
        first = eventually(lambda: primary(self.mesh), "there is one primary")
        before = cluster_of(self.mesh, first)["term"]
        self.assertEqual(self.mesh.kill(first.name, signal.SIGTERM), 0)
        left = [member for member in self.mesh.aggregators if member is not first]
        eventually(lambda: primary(self.mesh, left), "another is primary", 1.0)
        self.assertEqual(cluster_of(self.mesh, left[0])["term"], before + 1, "there was a campaign, not a handover")
        self.assertNotIn("handover_failed", self.mesh.process[first.name].output())
        self.restart(first)

    def test_one_that_hangs_is_shown_as_unreachable_by_the_others_and_as_what_it_is_afterwards(self):
        victim, left = standbys(self.mesh)[0], [eventually(lambda: primary(self.mesh), "there is one primary"), standbys(self.mesh)[1]]

        def shown(member, name):
            found = next(each for each in cluster_of(self.mesh, member)["members"] if each["name"] == name)
            return found if found.get("reachable") is False or "applied" in found else {}
        for member in self.mesh.aggregators:
            for other in self.mesh.aggregators:
                seen = eventually(lambda: (it := shown(member, other.name)).get("not_ready") == "" and it,
                                  f"{member.name} knows {other.name} to be ready")  # an earlier test may just have started it
                self.assertIs(seen["reachable"], True)
                self.assertEqual(seen["role"], "primary" if other is left[0] else "standby")
        self.mesh.process[victim.name].signal(signal.SIGSTOP)
        try:
            for member in left:
                eventually(lambda: shown(member, victim.name).get("reachable") is False, f"{member.name} shows it as unreachable")
                with self.mesh.client(member) as client:
                    status = client.get(f"{ROOT}/Managers/{victim.name}").json()["Status"]
                self.assertEqual((status["State"], status["Health"]), ("UnavailableOffline", "Critical"))
                self.assertEqual(status["Conditions"][0]["Message"], f"{member.name} cannot reach it.")
                self.assertRegex(meshctl(self.mesh, member, "cluster", "members")[1],
                                 rf"{victim.name}  standby  tcp://.*  unreachable since 20")
                self.assertRegex(meshctl(self.mesh, member, "status")[1], rf"peer  {victim.name}  unreachable since 20")
        finally:
            self.mesh.process[victim.name].signal(signal.SIGCONT)
        for member in left:
            eventually(lambda: "applied" in shown(member, victim.name), f"{member.name} knows it again")
            self.assertRegex(meshctl(self.mesh, member, "cluster", "members")[1],
                             rf"{victim.name}  (standby|primary)  tcp://.*  \1  term \d+  applied \d+  linked with .*  ready")

    def test_without_a_majority_reads_go_on_and_writes_are_refused(self):
        victims = standbys(self.mesh)
        first = next(member for member in self.mesh.aggregators if member not in victims)
        for member in victims:
            self.mesh.kill(member.name)
        with self.mesh.client(first) as client:
            answer = eventually(lambda: self._refusal(client), "writes are refused")
            self.assertEqual(answer.header("Retry-After"), "1")
            self.assertEqual(client.get(ROOT + "/Systems").status, 200)
            self.assertEqual(client.get(f"{ROOT}/{self.mesh.satellites[0].prefix}_Systems").status, 200)
        for member in victims:
            self.restart(member)
        eventually(lambda: self.write(first), "writes are taken again")

    def _refusal(self, client):
        answer = client.request("PATCH", ROOT + "/SessionService", {"SessionTimeout": 600})
        return answer if answer.status == 503 else None


class Membership(unittest.TestCase):
    def test_a_single_node_grows_and_shrinks_while_it_runs(self):
        with Mesh([Sim("one")], aggregators=1) as mesh:
            first = mesh.aggregators[0]
            fresh = Aggregator("agg-2", *free_ports(3))
            mesh.files.make_keys([fresh])
            mesh.files.write_aggregator(fresh, [fresh])
            offline = ("--config", mesh.files.config(fresh), "--state", mesh.files.own_state(fresh))
            status, out, err = meshctl(mesh, first, "cluster", "join", *offline)
            self.assertEqual((status, err), (0, ""), out)
            mesh.aggregators.append(fresh)
            mesh.start(fresh)

            def voters(member=first):
                return [entry["name"] for entry in cluster_of(mesh, member)["members"] if entry["voter"]]
            eventually(lambda: voters() == ["agg-1", "agg-2"], "the new node votes", 20)
            eventually(lambda: health(mesh, fresh).get("ready"), "the new node is ready")
            with mesh.client(fresh) as client:  # the account is the cluster's
                self.assertEqual(client.get(ACCOUNTS).status, 200)
            status, out, err = meshctl(mesh, first, "cluster", "join", *offline)
            self.assertEqual(status, 1, out)
            self.assertIn("belongs to a member of a cluster already", err)

            status, out, err = meshctl(mesh, first, "cluster", "transfer", "agg-2")
            self.assertEqual(status, 0, err)
            self.assertEqual(primary(mesh), fresh)
            status, out, err = meshctl(mesh, fresh, "cluster", "members")
            self.assertIn("agg-2  primary", out)
            self.assertIn("agg-1  standby", out)

            status, out, err = meshctl(mesh, first, "cluster", "remove", "agg-2")
            self.assertEqual(status, 0, err)
            eventually(lambda: primary(mesh, [first]) and voters() == ["agg-1"], "the first is alone again", 20)
            eventually(lambda: "removed" in health(mesh, fresh).get("reason", ""), "the removed one says so")

    def test_a_stranger_is_not_taken_in(self):
        with Mesh([Sim("one")], aggregators=1) as mesh:
            for body in ({}, {"name": "x"}, {"name": "agg-1", "key": "0" * 40, "peer_endpoint": "tcp://127.0.0.1:1"},
                         {"name": "bad name", "key": "0" * 40, "peer_endpoint": "tcp://127.0.0.1:1"},
                         {"name": "agg-2", "key": "short", "peer_endpoint": "tcp://127.0.0.1:1"}):
                with mesh.client() as client, mesh.stranger() as stranger:
                    self.assertIn(client.post("/mesh/v1/cluster/members", body).status, (400, 409), body)
                    self.assertEqual(stranger.post("/mesh/v1/cluster/members", body).status, 401)
            self.assertEqual([entry["name"] for entry in cluster_of(mesh, mesh.aggregators[0])["members"]], ["agg-1"])


    def test_a_node_that_lost_its_data_is_not_listened_to_until_it_joins_as_new(self):
        with Mesh([Sim("one")], aggregators=3) as mesh:
            victim = standbys(mesh)[0]
            left = [member for member in mesh.aggregators if member is not victim]
            mesh.kill(victim.name)
            home = mesh.files.own_state(victim) / "cluster"
            shutil.rmtree(home)
            mesh.start(victim)
            eventually(lambda: "other data" in health(mesh, victim).get("reason", ""), "it says what is wrong with it")
            self.assertTrue(primary(mesh, left))
            self.assertIn("node_lost_its_data", "".join(mesh.process[member.name].output() for member in left))
            mesh.kill(victim.name)
            status, _, err = meshctl(mesh, left[0], "cluster", "remove", victim.name)
            self.assertEqual(status, 0, err)
            shutil.rmtree(home)
            status, _, err = meshctl(mesh, left[0], "cluster", "join", "--config", mesh.files.config(victim), "--state",
                                     mesh.files.own_state(victim))
            self.assertEqual(status, 0, err)
            mesh.start(victim)
            eventually(lambda: health(mesh, victim).get("ready"), "it is ready", 20)
            eventually(lambda: len([entry for entry in cluster_of(mesh, left[0])["members"] if entry["voter"]]) == 3, "it votes", 20)


class Hooks(unittest.TestCase):
    def test_executables_follow_the_primary(self):
        with Mesh([Sim("one")], aggregators=3) as mesh:
            written = mesh.state / "written"
            hook = mesh.state / "hook"
            hook.write_text(f"#!/bin/sh\necho $BMCMESH_NODE $BMCMESH_ROLE $BMCMESH_GENERATION >> {written}\n")
            hook.chmod(0o755)
            first = eventually(lambda: primary(mesh), "there is one primary")
            for member in mesh.aggregators:
                member.extra = {"cluster": {"on_primary": str(hook), "on_standby": str(hook)}}
                mesh.files.write_aggregator(member, mesh.aggregators)
                mesh.kill(member.name, signal.SIGTERM)
                mesh.start(member)
                eventually(lambda: health(mesh, member).get("ready"), f"{member.name} is back", 20)
            first = eventually(lambda: primary(mesh), "there is one primary")
            said = eventually(lambda: self._lines(written, 3), "each node has said what it is")
            self.assertIn(f"{first.name} primary 1", said)
            other = next(member for member in mesh.aggregators if member is not first)
            self.assertEqual(meshctl(mesh, first, "cluster", "transfer", other.name)[0], 0)
            eventually(lambda: f"{other.name} primary 1" in self._lines(written, 5), "both hooks ran")
            self.assertIn(f"{first.name} standby 1", self._lines(written, 5))

    def test_a_target_of_systemd_follows_the_primary(self):
        mesh = Mesh([Sim("one")], aggregators=3)
        written, systemctl = mesh.state / "written", mesh.state / "systemctl"
        systemctl.write_text(f'#!/bin/sh\necho "$BMCMESH_NODE $*" >> {written}\n')
        systemctl.chmod(0o755)
        for member in mesh.aggregators:
            member.extra = {"cluster": {"primary_target": "vip.target", "systemctl": str(systemctl)}}

        def said(member, verb):
            return f"{member.name} --no-ask-password --no-block {verb} -- vip.target" in self._lines(written, 1)
        with mesh:
            first = eventually(lambda: primary(mesh), "there is one primary")
            others = [member for member in mesh.aggregators if member is not first]
            eventually(lambda: said(first, "start") and all(said(member, "stop") for member in others), "each node has said what it is")
            written.unlink()
            self.assertEqual(meshctl(mesh, first, "cluster", "transfer", others[0].name)[0], 0)
            eventually(lambda: said(others[0], "start") and said(first, "stop"), "it follows")
            self.assertFalse(said(others[1], "start"))
            with self.subTest("a primary that stops has stopped it when it has ended"):
                written.unlink()
                self.assertEqual(mesh.kill(others[0].name, signal.SIGTERM), 0)
                self.assertTrue(said(others[0], "stop"), written.read_text())

    @staticmethod
    def _lines(path, least):
        lines = path.read_text().splitlines() if path.exists() else []
        return lines if len(lines) >= least else []


class BrokenGlass(unittest.TestCase):
    def test_writes_to_satellites_end_with_the_authority_and_go_on_with_broken_glass(self):
        mesh = Mesh([Sim("one")], aggregators=3)
        for member in mesh.aggregators:
            member.extra = {"cluster": {"authority_lease": "1s"}}
        with mesh:
            last, others = mesh.aggregators[0], mesh.aggregators[1:]
            system = f"{ROOT}/Systems"
            with mesh.client(last) as client:
                uri = client.get(system).json()["Members"][0]["@odata.id"]
                for member in others:
                    mesh.kill(member.name)

                def tag(wanted):
                    answer = client.request("PATCH", uri, {"AssetTag": "x"})
                    return answer if answer.status // 100 == wanted // 100 else None
                answer = eventually(lambda: tag(503), "its authority has ended")
                self.assertEqual(answer.header("Retry-After"), "1")
                self.assertEqual(client.get(uri).status, 200)
                offline = ("--config", mesh.files.config(last), "--state", mesh.files.own_state(last))
                status, _, err = run_program("meshctl", "cluster", "break-glass", *offline, "--minutes", "5")
                self.assertEqual(status, 0, err)
                mesh.process[last.name].signal(signal.SIGHUP)
                eventually(lambda: tag(200), "the glass is broken")
                self.assertIn("glass_broken", mesh.process[last.name].output())
                run_program("meshctl", "cluster", "break-glass", *offline, "--minutes", "0")
                mesh.process[last.name].signal(signal.SIGHUP)
                eventually(lambda: tag(503), "the glass is whole again")


class Recovery(unittest.TestCase):
    def test_one_node_goes_on_alone_in_a_new_generation(self):
        with Mesh([Sim("one")], aggregators=3) as mesh:
            with mesh.client() as client:
                made = client.post(ACCOUNTS, {"UserName": "kept", "Password": PASSWORD, "RoleId": "ReadOnly"})
                self.assertEqual(made.status, 201, made.body)
                token = client.post(SESSIONS, {"UserName": USER, "Password": mesh.password}).header("X-Auth-Token")
            last = mesh.aggregators[2]
            eventually(lambda: cluster_of(mesh, last)["applied"] == cluster_of(mesh, mesh.aggregators[0])["applied"], "in step")
            for member in mesh.aggregators:
                mesh.kill(member.name)
            offline = ("--config", mesh.files.config(last), "--state", mesh.files.own_state(last))
            status, _, err = run_program("meshctl", "cluster", "recover", *offline)
            self.assertEqual(status, 1)
            self.assertIn("--yes", err)
            status, _, err = run_program("meshctl", "cluster", "recover", *offline, "--yes")
            self.assertEqual(status, 0, err)
            mesh.start(last)
            eventually(lambda: health(mesh, last).get("primary"), "it is the primary")
            eventually(lambda: cluster_of(mesh, last)["generation"] > 1_000_000_000_000, "a new generation, the time")
            eventually(lambda: [entry["name"] for entry in cluster_of(mesh, last)["members"]] == ["agg-3"], "alone")
            with mesh.client(last) as client:
                self.assertEqual(client.get(made.json()["@odata.id"]).json()["UserName"], "kept")
                answer = client.get(ROOT + "/Systems", headers={"X-Auth-Token": token}, authenticate=False)
                self.assertEqual(answer.status, 401, "sessions end with the generation")


if __name__ == "__main__":
    unittest.main()
