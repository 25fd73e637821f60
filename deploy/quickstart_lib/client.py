"""The little of HTTP that a Redfish check needs, over one kept-alive connection."""

import base64
import hashlib
import http.client
import json
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return self.headers.get(name)


class Client:
    """For one server, one thread. Trusts the authority in `ca`, or the one certificate with this SHA-256 `fingerprint`,
    or anybody if `insecure`; otherwise whom the system trusts."""

    def __init__(self, url, user=None, password=None, ca=None, fingerprint="", insecure=False, timeout=10.0):
        parts = urlsplit(url)
        self.url, self._timeout = url.rstrip("/"), timeout
        self._host, self._port = parts.hostname, parts.port
        self._tls, self._fingerprint = None, fingerprint.replace(":", "").lower()
        if parts.scheme == "https":
            self._tls = ssl.create_default_context(cafile=str(ca) if ca else None)
            if insecure or fingerprint:
                self._tls.check_hostname, self._tls.verify_mode = False, ssl.CERT_NONE
        self._basic = None
        if user:
            self._basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._token = None
        self._connection = None

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def request(self, method, target, body=None, headers=None, authenticate=True):
        """The answer, whatever its status. OSError or HTTPException when there is none."""
        sent = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if authenticate and self._token:
            sent.setdefault("X-Auth-Token", self._token)
        elif authenticate and self._basic:
            sent.setdefault("Authorization", self._basic)
        fresh = self._connection is None
        try:
            return self._exchange(method, target, body, sent)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            if fresh or method not in ("GET", "HEAD"):
                raise
            return self._exchange(method, target, body, sent)  # the server had closed an idle connection
        except BaseException:
            self.close()
            raise

    def _exchange(self, method, target, body, headers):
        if self._connection is None:
            if self._tls:
                self._connection = http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout,
                                                               context=self._tls)
                self._check_fingerprint()
            else:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        if response.will_close:
            self.close()
        return answer

    def _check_fingerprint(self):
        if not self._fingerprint:
            return
        self._connection.connect()
        seen = hashlib.sha256(self._connection.sock.getpeercert(binary_form=True)).hexdigest()
        if seen != self._fingerprint:
            raise ssl.SSLError(f"{self.url} shows a certificate with the fingerprint {seen}, not {self._fingerprint}")

    def get(self, target, **more):
        return self.request("GET", target, **more)

    def post(self, target, body, **more):
        return self.request("POST", target, body, **more)

    def log_in(self, user, password):
        """Opens a Redfish session, which later requests use; returns the answer to the login."""
        answer = self.post("/redfish/v1/SessionService/Sessions", {"UserName": user, "Password": password},
                           authenticate=False)
        if answer.status == 201:
            self._token = answer.header("X-Auth-Token")
        return answer

    def log_out(self, location):
        answer = self.request("DELETE", urlsplit(location).path)
        self._token = None
        return answer
