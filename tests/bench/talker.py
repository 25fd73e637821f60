"""Programs of the benchmarks that are spoken with."""

import queue
import subprocess
import threading

from lab import Problem


class Talker:
    """A program that is told and says lines, each a word and what belongs to it."""

    def __init__(self, lab, name, command):
        self._name, self._log = name, lab.files.log(name)
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                             stderr=log, text=True)
        self.pid = self._process.pid
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line.split())
        self._lines.put(["ended"])

    def expect(self, word, seconds=60):
        try:
            said = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise Problem(f"{self._name} did not say '{word}' within {seconds} s") from None
        if said[0] != word:
            raise Problem(f"{self._name} said '{' '.join(said)}', not '{word}': {self._log.read_text()[-500:]}")
        return said[1:]

    def tell(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def ask(self, line, word, seconds=120):
        """The figures of the answer."""
        self.tell(line)
        return list(map(float, self.expect(word, seconds)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
