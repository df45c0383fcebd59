"""A home directory with kernels in it, and uml_mconsole run there: one-shot or on a terminal.

UML_MCONSOLE is the program, FAKE_GUEST the fake kernel (both from the environment).
"""
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fakes"))
from terminal import Terminal  # noqa: E402

PROGRAM = os.environ["UML_MCONSOLE"]
FAKE = os.environ.get("FAKE_GUEST", "")
LIMIT = 60  # seconds: nothing a test waits for takes longer


class ScriptedKernel:
    """A kernel's socket that answers as the test says: answer(command) is a list of (err, more, text), or None.

    What it was asked is in `commands`, the client's addresses in `clients`, descriptors in `received`.
    """

    def __init__(self, path, answer):
        self.path, self.answer = path, answer
        self.commands, self.clients, self.received = [], [], []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.stop, self.stopped = os.pipe(), False
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while self.stop[0] not in select.select([self.socket, self.stop[0]], [], [])[0]:
            data, fds, _, client = socket.recv_fds(self.socket, 600, 4)
            self.received += fds
            if len(data) < 12:
                self.commands.append(f"SHORT {len(data)}")
                continue
            magic, version, size = struct.unpack_from("III", data)
            assert (magic, version) == (0xCAFEBABE, 2)
            self.commands.append(data[12:12 + size].decode(errors="replace"))
            self.clients.append(client)
            for part in self.answer(self.commands[-1]) or []:
                self.reply(client, *part)

    def reply(self, client, err, more, text):
        text = text.encode() + b"\0"
        try:  # A kernel drops what does not fit; a test wants all of it.
            self.socket.sendto(struct.pack("iII", err, more, len(text)) + text, client)
        except ConnectionRefusedError:  # the client has gone: what a kernel never notices
            pass

    def close(self):
        if not self.stopped:
            self.stopped = True
            os.write(self.stop[1], b"x")
            self.thread.join()
            for fd in (*self.stop, *self.received):
                os.close(fd)
            self.socket.close()


def until(condition, what):
    """Bounded polling, for what only the file system or /proc tells."""
    end = time.monotonic() + LIMIT
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {LIMIT} s")
        time.sleep(0.01)
    return value


class Case(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="mc", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        os.mkdir(f"{self.home}/.uml")
        self.env = {"HOME": self.home, "PATH": os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8",
                    "UMLD_RUN_DIR": f"{self.home}/run"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def scripted(self, answer, umid="web", directory=None):
        """A scripted kernel in ~/.uml/UMID, or in another directory."""
        directory = directory or f"{self.home}/.uml/{umid}"
        os.makedirs(directory, exist_ok=True)
        kernel = ScriptedKernel(f"{directory}/mconsole", answer)
        self.addCleanup(kernel.close)
        return kernel

    def fake(self, *words, umid="web", uml_dir=None):
        """The fake guest, started by hand as users do: it makes ~/.uml/UMID itself."""
        more = [f"uml_dir={uml_dir}"] if uml_dir else []
        log = f"{self.home}/{umid}.log"
        with open(log, "wb") as out:
            process = subprocess.Popen([FAKE, "con0=null,fd:1", f"umid={umid}", *more, *words], env=self.env,
                                       cwd=self.home, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        process.log = log
        self.addCleanup(self._end, process)
        directory = uml_dir or f"{self.home}/.uml/"
        until(lambda: os.path.exists(f"{directory}{umid}/mconsole") or process.poll() is not None, "its socket")
        return process

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
        process.wait()

    def log_of(self, process):
        with open(process.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def run_program(self, *words, stdin=None, env=None, pass_fds=(), cwd=None):
        return subprocess.run([PROGRAM, *words], env={**self.env, **(env or {})}, cwd=cwd or self.home, input=stdin,
                              stdin=subprocess.DEVNULL if stdin is None else None, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False, pass_fds=pass_fds)

    def gives(self, status, output, *words, **options):
        """The program's exit status and its whole standard output; returns what it said on stderr."""
        done = self.run_program(*words, **options)
        self.assertEqual((done.returncode, done.stdout), (status, output), done.stderr)
        return done.stderr

    def terminal(self, *words):
        terminal = Terminal([PROGRAM, *words], self.env, self.home)
        self.addCleanup(terminal.close)
        return terminal
