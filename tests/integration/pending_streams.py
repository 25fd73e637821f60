"""Streams of the facade's own that the product does not have yet. Not found by discovery; to join test_streams.py."""

import unittest

from harness import ROOT, MeshTest, Sim
from test_streams import SUBSCRIPTIONS, receiver


class Pending(MeshTest):
    sims = (Sim("one"), Sim("two"))

    def test_the_facade_has_an_event_stream_of_all_satellites(self):
        with self.mesh.client() as client:
            self.assertIn("ServerSentEventUri", client.get(ROOT + "/EventService").json())

    def test_the_facade_pushes_events_of_all_satellites(self):
        with receiver() as (address, taken), self.mesh.client() as client:
            answer = client.post(SUBSCRIPTIONS, {"Destination": address, "Protocol": "Redfish", "Context": "all"})
            self.assertEqual(answer.status, 201, answer.body)
            for satellite in self.mesh.satellites:
                self.mesh.tell(satellite, "POST", "/event", {"satellite": satellite.name, "origin": ROOT + "/Systems/system1"})
                _, body = taken.get(timeout=10)
                self.assertEqual(body["Events"][0]["OriginOfCondition"]["@odata.id"],
                                 self.mesh.mapping(satellite).uri(ROOT + "/Systems/system1"))


if __name__ == "__main__":
    unittest.main()
