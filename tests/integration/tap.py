"""Listens in on a TCP connection, as somebody on the network can."""

import socket
import threading

from harness import free_ports


class Tap:
    """In the middle of a connection: passes everything on, remembers what the client said, and says it again when told."""

    def __init__(self, port):
        self.port, self.said, self.twice, self.closed = free_ports(1)[0], b"", False, 0
        self._target, self._server = port, socket.create_server(("127.0.0.1", self.port))
        self._sockets = [self._server]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source, sink, of_client):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                if of_client:
                    self.said += data
                    if self.twice:
                        self.twice = False
                        sink.sendall(data)
        except OSError:
            pass
        self.closed += not of_client
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
