"""What systemd hears of a Type=notify service with WatchdogSec."""

import os
import socket
import tempfile
import unittest

from harness import Mesh, Sim, eventually


class Notify(unittest.TestCase):
    def test_a_service_says_that_it_is_ready_and_goes_on_saying_that_it_lives(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            path = os.path.join(folder, "notify")
            systemd.bind(path)
            systemd.settimeout(0.05)
            heard = []

            def listen():
                try:
                    heard.append(systemd.recv(4096).decode())
                except TimeoutError:
                    pass
                return None if heard.count("WATCHDOG=1") >= 4 and "READY=1" in heard else str(heard)

            os.environ |= {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
            try:
                with Mesh((Sim("one", auth="none"),), aggregators=1):
                    eventually(lambda: listen() is None, "READY=1 and WATCHDOG=1 from both programs")
            finally:
                del os.environ["NOTIFY_SOCKET"], os.environ["WATCHDOG_USEC"]


if __name__ == "__main__":
    unittest.main()
