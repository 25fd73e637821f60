"""The oracle against the specification's cases, and meshctl's mapping against the oracle."""

import json
import unittest

from harness import MOCKUPS, ROOT, Mapping, run_program

PREFIX = "5B247A"
CASES = """
    Systems/system                                      Systems/5B247A_system
    Systems/                                            Systems/
    Chassis/Extra_Test/Sensors/power_sensor/            Chassis/5B247A_Extra_Test/Sensors/power_sensor/
    Chassis/c1//                                        Chassis/5B247A_c1//
    Chassis/c1/Power#/PowerControl/0                    Chassis/5B247A_c1/Power#/PowerControl/0
    Systems/1/LogServices/SEL/Entries?$skip=50          Systems/5B247A_1/LogServices/SEL/Entries?$skip=50
    systems/1/bios                                      systems/5B247A_1/bios
    TelemetryService/LogService/Entries/1               TelemetryService/LogService/Entries/5B247A_1
    TelemetryService/LogService                         TelemetryService/LogService
    TaskService/TaskMonitors/7                          TaskService/TaskMonitors/5B247A_7
    Chassis/{ChassisId}/Sensors/{SensorId}#/Reading     Chassis/5B247A_{ChassisId}/Sensors/{SensorId}#/Reading
    Systems/5B247A_x                                    Systems/5B247A_5B247A_x
    UpdateService                                       UpdateService
    UpdateService/Actions/UpdateService.SimpleUpdate    5B247A_UpdateService/Actions/UpdateService.SimpleUpdate
    AccountService/Accounts/1                           5B247A_AccountService/Accounts/1
    JsonSchemas/Foo                                     5B247A_JsonSchemas/Foo
    Dell/Systems/x                                      5B247A_Dell/Systems/x
    $metadata#Chassis.Chassis                           $metadata#Chassis.Chassis
"""
# A published registry, asked for with the prefix and without.
REGISTRY = "/redfish/v1/Registries/Base.1.8.1"
REGISTRY_BODY = ('{"@odata.id":"%s","Id":"Base.1.8.1","Location":[{"Uri":"%s/en"}],"x":"/redfish/v1/Registries/Update.1.0.0"}'
                 % (REGISTRY, REGISTRY))
UNTOUCHED = ("//redfish/v1/Systems/1", ROOT + "//Systems/1", ROOT + "/Systems//1", "/redfish/v11/Systems/1",
             "https://other/redfish/v1/Systems/1", "x/redfish/v1/Systems/1", ROOT, ROOT + "/")
# Body before, body after, the URI that was asked for.
BODIES = (
    ('"https://own:443/redfish/v1/Systems/1"', '"/redfish/v1/Systems/5B247A_1"', "/redfish/v1/x"),
    ('{"HttpPushUri": "/FWUpdate","x":"/FWUpdate"}', '{"HttpPushUri": "/redfish/v1/5B247A_-/FWUpdate","x":"/FWUpdate"}',
     "/redfish/v1/x"),
    (r'"\/redfish\/v1\/Systems\/1"', r'"\/redfish\/v1\/Systems\/5B247A_1"', "/redfish/v1/x"),
    ('"see /redfish/v1/Systems/1."', '"see /redfish/v1/Systems/5B247A_1."', "/redfish/v1/x"),
    ('"/redfish/v1/Systems. (/redfish/v1/Systems/2)"', '"/redfish/v1/Systems. (/redfish/v1/Systems/5B247A_2)"', "/redfish/v1/x"),
    ('{"/redfish/v1/Systems/1" : 1.0e5, "Id":"1", "a":{"Id":"1"}}',
     '{"/redfish/v1/Systems/1" : 1.0e5, "Id":"5B247A_1", "a":{"Id":"1"}}', "/redfish/v1/Chassis/1"),
    ('{"Id":"1"}', '{"Id":"1"}', "/redfish/v1/Chassis/1/Power"),
    ('{"Members":[{"Id":"1","@odata.id":"/redfish/v1/Systems/1","a":{"Id":"1"}},{"@odata.id":"/redfish/v1/Systems/2","Id":"1"}]}',
     '{"Members":[{"Id":"5B247A_1","@odata.id":"/redfish/v1/Systems/5B247A_1","a":{"Id":"1"}},'
     '{"@odata.id":"/redfish/v1/Systems/5B247A_2","Id":"1"}]}', "/redfish/v1/Systems"),
    ('{"@odata.id":"/redfish/v1/Systems","m":"/redfish/v1/Systems/1"}',
     '{"@odata.id":"/redfish/v1/5B247A_Systems","m":"/redfish/v1/Systems/5B247A_1"}', "/redfish/v1/Systems"))


def cases():
    return [tuple(f"{ROOT}/{part}" for part in line.split()) for line in CASES.strip().splitlines()]


class Oracle(unittest.TestCase):
    mapping = Mapping(PREFIX, ["own:443"])

    def test_uris(self):
        for there, here in cases():
            self.assertEqual(self.mapping.uri(there), here)
            self.assertEqual(self.mapping.body(f'"{there}"', ROOT + "/x"), f'"{here}"')

    def test_what_is_not_the_satellites_stays(self):
        for uri in UNTOUCHED:
            self.assertEqual(self.mapping.body(f'"{uri}"', ROOT + "/x"), f'"{uri}"')

    def test_bodies(self):
        for before, after, asked in BODIES:
            self.assertEqual(self.mapping.body(before, asked), after)


    def test_a_published_registry_is_listed_without_prefix_and_names_itself_as_it_was_asked_for(self):
        self.assertEqual(self.mapping.listed_uri(REGISTRY), REGISTRY)
        for private in ("Base", "Base.1", "iLO.2.1.0", "Base.v1_0_0", "Base.1.8.1/x"):
            self.assertEqual(self.mapping.listed_uri(f"{ROOT}/Registries/{private}"), f"{ROOT}/Registries/5B247A_{private}")
        rest = REGISTRY_BODY.split(',"Location"')[1].replace("Registries/", "Registries/5B247A_")
        self.assertEqual(self.mapping.body(REGISTRY_BODY, REGISTRY, listed=True),
                         '{"@odata.id":"%s","Id":"Base.1.8.1","Location"%s' % (REGISTRY, rest))
        self.assertEqual(self.mapping.body(REGISTRY_BODY, REGISTRY),
                         '{"@odata.id":"/redfish/v1/Registries/5B247A_Base.1.8.1","Id":"5B247A_Base.1.8.1","Location"%s' % rest)


class MeshCtl(unittest.TestCase):
    def map(self, uris, *options):
        status, out, error = run_program("meshctl", "map", *options, "--prefix", PREFIX, *uris)
        self.assertEqual(status, 0, error)
        return out.splitlines()

    def test_map_and_back_is_the_identity(self):
        there, here = zip(*cases())
        self.assertEqual(self.map(there), list(here))
        back = [(a, b) for a, b in cases() if a != b]
        self.assertEqual(self.map([b for _, b in back], "--reverse"), [a for a, _ in back])

    def test_localise_says_what_the_oracle_says(self):
        mapping = Mapping(PREFIX, ["own:443"])
        bodies = [(before, asked) for before, _, asked in BODIES] + list(self.recorded())
        for body, asked in bodies:
            with self.subTest(asked=asked, body=body[:80]):
                status, out, error = run_program("meshctl", "localise", "--prefix", PREFIX, "--host", "own:443", "--uri", asked,
                                                 "--as", mapping.own_uri(asked), input=body)
                self.assertEqual(status, 0, error)
                self.assertEqual(out, mapping.body(body, asked))

    def test_localise_knows_published_registries(self):
        mapping = Mapping(PREFIX, ["own:443"])
        for listed, shown in ((False, mapping.uri(REGISTRY)), (True, REGISTRY)):
            status, out, error = run_program("meshctl", "localise", "--prefix", PREFIX, "--uri", REGISTRY, "--as", shown,
                                             input=REGISTRY_BODY)
            self.assertEqual(status, 0, error)
            self.assertEqual(out, mapping.body(REGISTRY_BODY, REGISTRY, listed))

    @staticmethod
    def recorded():
        """Every so-manieth body of each recorded machine, where there are any."""
        for machine in sorted(MOCKUPS.glob("*")):
            files = sorted(machine.glob("redfish/v1/*/**/index.json"))
            for file in files[::max(1, len(files) // 12)]:
                body = file.read_text()
                asked = json.loads(body).get("@odata.id", "/" + str(file.parent.relative_to(machine)))
                if asked.startswith(ROOT + "/") and "#" not in asked:
                    yield body, asked


if __name__ == "__main__":
    unittest.main()
