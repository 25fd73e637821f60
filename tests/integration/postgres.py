"""A PostgreSQL server of the test's own, in a folder that goes with it, on a Unix socket in there; it asks for a password."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from harness import Child, eventually


class PostgresServer:
    def __init__(self, password):
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not folders:
            raise AssertionError("no PostgreSQL server is installed: deploy/install-packages tests")
        self.binaries, self.password = folders[-1], password
        self.folder = Path(tempfile.mkdtemp(prefix="bmcmesh-pg-"))
        self.as_server = ["setpriv", "--pdeathsig=QUIT"]
        word = self.folder / "password"
        word.write_text(password + "\n")
        if os.geteuid() == 0:  # the server refuses to be root
            user = pwd.getpwnam("postgres")
            for path in (self.folder, word):
                os.chown(path, user.pw_uid, user.pw_gid)
            self.as_server += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run([*self.as_server, self.binaries / "initdb", "-D", self.folder / "data", "-U", "mesh", "-A", "scram-sha-256",
                        f"--pwfile={word}", "-E", "UTF8", "--locale=C", "--no-sync"], check=True, stdout=subprocess.DEVNULL)
        self.start()

    def url(self, database="postgres"):
        return f"postgresql://mesh@{quote(str(self.folder), safe='')}/{database}"

    def start(self):
        self.child = Child("postgres", [*self.as_server, self.binaries / "postgres", "-D", self.folder / "data", "-k", self.folder,
                                        "-c", "listen_addresses="], self.folder / "server.log")
        ready = [self.binaries / "pg_isready", "-q", "-h", self.folder, "-U", "mesh"]
        eventually(lambda: subprocess.run(ready, check=False).returncode == 0, "the server takes connections", 60)

    def stop(self):
        """As a crash: nobody is said good-bye to."""
        self.child.signal(signal.SIGQUIT)
        self.child.wait(20)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)

    def psql(self, statement, database="postgres"):
        """A statement's command line and environment, for who runs it beside the test."""
        return ([str(self.binaries / "psql"), "-h", str(self.folder), "-U", "mesh", "-d", database, "-At", "-v", "ON_ERROR_STOP=1",
                 "-c", statement], {**os.environ, "PGPASSWORD": self.password})

    def ask(self, statement, database="postgres"):
        command, environment = self.psql(statement, database)
        return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout.strip()
