"""Child processes that never outlive their parent."""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

from .problem import Problem

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _leave_with(parent):
    """For the new process, before exec: dies with `parent` however that ends; signals as a fresh program expects them."""
    def prepare():
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
    return prepare


class Child:
    """One started program; its output goes to `log`. Start from the main thread only: the kernel ties the child's
    life to the thread that made it."""

    def __init__(self, name, command, log, environment=None):
        self.name, self.log = name, Path(log)
        with open(self.log, "ab") as output:
            self._offset = output.tell()
            try:
                # A process group of its own: Ctrl-C on the terminal reaches the parent, which stops its children in order. But the same
                # session: priorities mean nothing between sessions where the kernel has a share of the CPU for each (sched_autogroup).
                self._process = subprocess.Popen(
                    [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    env=None if environment is None else {**os.environ, **environment},
                    process_group=0, preexec_fn=_leave_with(os.getpid()))
            except OSError as error:
                raise Problem(f"cannot start {name}: {error}") from error

    @property
    def pid(self):
        return self._process.pid

    def status(self):
        """None while it runs, else its exit status (negative: the signal that ended it)."""
        return self._process.poll()

    def output(self):
        """All that this process has written."""
        with open(self.log, "rb") as log:
            log.seek(self._offset)
            return log.read().decode(errors="replace")

    def last_words(self, lines=12):
        return "\n".join("    " + line for line in self.output().splitlines()[-lines:])

    def require_running(self):
        status = self.status()
        if status is not None:
            raise Problem(f"{self.name} ended with status {status}:\n{self.last_words()}")

    def signal(self, number):
        """To a process that is still ours; one that has ended is left alone."""
        if self.status() is None:
            os.kill(self.pid, number)

    def wait(self, seconds):
        """Its status, or None if it still runs after so long."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


def run_to_end(command):
    """Its exit status; what it prints goes where ours goes. Ends with all that it started when we are interrupted."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                               start_new_session=True, preexec_fn=_leave_with(os.getpid()))
    try:
        return process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def stop_all(children, seconds=10.0, before_kill=lambda child: None):
    """Asks all to end, in this order, and kills what has not within `seconds`. Returns the names of the killed.

    One that was stopped goes on first, and not after it was asked: a SIGCONT takes SIGSTOPs away, and with one of these each a
    checker of leaks stops the threads of a process that ends. It would wait for that thread for ever."""
    deadline = time.monotonic() + seconds
    for child in children:
        child.signal(signal.SIGCONT)
        child.signal(signal.SIGTERM)
    killed = []
    for child in children:
        if child.wait(max(0.0, deadline - time.monotonic())) is None:
            killed.append(child.name)
            before_kill(child)
            child.signal(signal.SIGKILL)
            child.wait(seconds)
    return killed
