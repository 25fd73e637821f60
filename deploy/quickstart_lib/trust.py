"""One certificate authority of this mesh's own, and server certificates from it, made with the openssl command."""

import subprocess
import time
from pathlib import Path

from .problem import Problem

_DAYS = 825
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"openssl {arguments[0]} failed: {done.stderr.strip()}")


def _make_key(path):
    path.touch(mode=0o600)  # before there is a secret in it
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def _still_good(certificate):
    done = subprocess.run(["openssl", "x509", "-in", str(certificate), "-noout", "-checkend", str(7 * 86400)],
                          stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode == 0


class Authority:
    """Kept in `folder`; made there the first time, and anew when it is about to expire."""

    def __init__(self, folder, name="bmcmesh quickstart"):
        self.folder = Path(folder)
        self.certificate = self.folder / "ca.pem"
        self._key = self.folder / "ca.key"
        if self._key.exists() and self.certificate.exists() and _still_good(self.certificate):
            return
        for old in self.folder.glob("*.pem"):
            old.unlink()
        _make_key(self._key)
        _openssl("req", "-x509", "-new", "-key", self._key, "-sha256", "-days", _DAYS, "-subj", f"/CN={name} CA",
                 "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", self.certificate)

    def server(self, name):
        """(certificate chain, key) of one server on this machine."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        if certificate.exists() and key.exists() and _still_good(certificate):
            return certificate, key
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"{_NAMES}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
                              "keyUsage=digitalSignature\n")
        _make_key(key)
        _openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-sha256",
                 "-days", _DAYS, "-set_serial", f"0x{time.time_ns():x}", "-extfile", extensions, "-out", certificate)
        request.unlink()
        extensions.unlink()
        return certificate, key
