"""deploy/quickstart --check: the mesh, seen end to end by a client that trusts nothing but its CA."""

import sys
import time
from urllib.parse import urlsplit

from .client import Client
from .problem import Problem
from .ready import NO_ANSWER, ROOT, SHARED_COLLECTIONS, Mapping, satellite_client, top_collections


def expect(condition, sentence):
    if not condition:
        raise Problem(sentence)


class Check:
    """Prints one line for everything it verifies, with its time; counts what failed."""

    def __init__(self, run):
        self._run, self.passed, self.failed = run, 0, 0

    def all(self):
        for aggregator in self._run.aggregators:
            self._facade(aggregator)
        for satellite in self._run.satellites:
            self._satellite(satellite)
        print(f"{self.passed} checked, {self.failed} failed")
        return self.failed == 0

    def _step(self, what, action):
        begun = time.monotonic()
        try:
            action()
            verdict, reason = "ok  ", ""
            self.passed += 1
        except (Problem, *NO_ANSWER, ValueError, KeyError) as error:
            verdict, reason = "FAIL", f": {type(error).__name__ + ' ' if not isinstance(error, Problem) else ''}{error}"
            self.failed += 1
        print(f"{verdict} {time.monotonic() - begun:7.3f} s  {what}{reason}")
        sys.stdout.flush()

    def client(self, aggregator, user=None, password=None):
        return Client(aggregator.facade, user or self._run.user, password or self._run.password, self._run.ca)

    def _facade(self, aggregator):
        name = f"facade {aggregator.name}"
        with self.client(aggregator) as client:
            self._step(f"{name}: ready by /healthz", lambda: self._status(client, "/healthz", 200, open_to_all=True))
            self._step(f"{name}: the root is open to all", lambda: self._root(client))
            self._step(f"{name}: nothing else without credentials", lambda: self._closed(client))
            self._step(f"{name}: a wrong password is refused", lambda: self._wrong_password(aggregator))
            self._step(f"{name}: session: log in, use, log out", lambda: self._session(aggregator))

    @staticmethod
    def _status(client, target, wanted, open_to_all=False):
        answer = client.get(target, authenticate=not open_to_all)
        expect(answer.status == wanted, f"GET {target} answered {answer.status}, not {wanted}")
        return answer

    def _root(self, client):
        root = self._status(client, ROOT + "/", 200, open_to_all=True).json()
        expect(root.get("UUID"), "the root has no UUID")
        expect("Systems" in root, "the root links no Systems")

    def _closed(self, client):
        answer = self._status(client, ROOT + "/Systems", 401, open_to_all=True)
        expect(answer.header("WWW-Authenticate"), "the 401 has no WWW-Authenticate")
        expect("error" in answer.json(), "the 401 has no Redfish error body")

    def _wrong_password(self, aggregator):
        with self.client(aggregator, password=self._run.password + "x") as wrong:
            self._status(wrong, ROOT + "/Systems", 401)
        with self.client(aggregator) as client:
            answer = client.log_in(self._run.user, self._run.password + "x")
            expect(answer.status == 401, f"POST to Sessions answered {answer.status}, not 401")

    def _session(self, aggregator):
        with Client(aggregator.facade, ca=self._run.ca) as client:
            answer = client.log_in(self._run.user, self._run.password)
            expect(answer.status == 201, f"POST to Sessions answered {answer.status}, not 201")
            self._status(client, ROOT + "/Systems", 200)
            token, location = answer.header("X-Auth-Token"), urlsplit(answer.header("Location")).path
            gone = client.log_out(location)
            expect(gone.status in (200, 204), f"DELETE of the session answered {gone.status}")
            again = client.get(ROOT + "/Systems", headers={"X-Auth-Token": token})
            expect(again.status == 401, f"the ended session's token still answers {again.status}")

    def _satellite(self, satellite):
        mapping = Mapping(satellite.prefix, [urlsplit(satellite.url).netloc])
        with satellite_client(satellite) as own:
            collections = top_collections(own)
            for aggregator in self._run.aggregators:
                with self.client(aggregator) as client:
                    name = f"facade {aggregator.name}, satellite {satellite.name} ({satellite.prefix})"
                    self._step(f"{name}: {sum(map(len, collections.values()))} members in {len(collections)} collections",
                               lambda: self._members(client, collections, mapping))
                    self._step(f"{name}: a member as the satellite has it, mapped",
                               lambda: self._same_body(client, own, collections, mapping))

    @staticmethod
    def _members(client, collections, mapping):
        for uri, members in collections.items():
            document = client.get(uri).json()
            listed = [member["@odata.id"] for member in document["Members"]]
            expect(len(set(listed)) == len(listed), f"{uri} lists a member twice")
            expect(document["Members@odata.count"] == len(listed), f"{uri}: Members@odata.count is not the total")
            if uri[len(ROOT) + 1:].lower() not in SHARED_COLLECTIONS:
                absent = [member for member in members if mapping.uri(member) not in listed]
                expect(not absent, f"{uri} lacks {absent[:1]} of the satellite")

    @staticmethod
    def _same_body(client, own, collections, mapping):
        target = next((uri for name in ("Systems", "Chassis", "Managers")
                       for uri in collections.get(f"{ROOT}/{name}", [])), None)
        expect(target, "the satellite has no system, chassis or manager")
        there, here = own.get(target), client.get(mapping.uri(target))
        expect(here.status == there.status, f"{mapping.uri(target)} answered {here.status}, {target} {there.status}")
        expect(here.body.decode() == mapping.body(there.body.decode(), target),
               f"{mapping.uri(target)} is not the satellite's {target}, mapped")
