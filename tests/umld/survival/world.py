"""A private umld that is killed again and again, and the proof that its guests did not mind.

The test process is a subreaper, so whatever a dead umld leaves becomes its child and can be found:
nothing hides behind a process name. UMLD_BUILD is the build directory. Every wait is bounded.
"""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
BUILD = os.path.abspath(os.environ.get("UMLD_BUILD", os.path.join(SOURCE, "build")))
UMLD = os.path.join(BUILD, "tests", "umld", "survival", "umld_mortal")
FAKE = os.path.join(BUILD, "tests", "fakes", "fake_guest")
LIBEXEC = {
    "umlmon": os.path.join(BUILD, "vmcore", "monitor", "umlmon"),
    "umlinit": os.path.join(BUILD, "vmcore", "monitor", "umlinit"),
    "libumlguard.so": os.path.join(BUILD, "vmcore", "preload", "libumlguard.so"),
    "compat/uml_watchdog": os.path.join(BUILD, "netd", "compat", "uml_watchdog"),
    "probe.cpio": os.path.join(BUILD, "images", "probe.cpio"),
    "build-image": os.path.join(SOURCE, "images", "build-image"),
    "guest": os.path.join(SOURCE, "images", "guest"),
}
LIMIT = 90  # seconds; what takes longer will not come, however busy the machine
REST = ("stopped", "failed")
STATES = REST + ("preparing", "booting", "running", "paused", "stopping", "killing", "releasing", "backoff", "adopting")
ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


class Gone(Exception):
    """umld is not there (any more)."""


class Refused(Exception):
    """An error reply."""

    def __init__(self, reply):
        self.reply = reply
        self.name = reply["error"].rpartition(".")[2]
        super().__init__(json.dumps(reply))


def until(condition, limit=LIMIT, what="it"):
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {limit:g} s")
        time.sleep(0.01)
    return value


def stat_of(pid):
    """(state, parent, start time) or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1]), int(fields[19])


def alive(pid):
    stat = stat_of(pid)
    return stat is not None and stat[0] not in "ZX"


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().decode(errors="replace").split("\0")
    except OSError:
        return []


def below(roots):
    """All living descendants."""
    children = {}
    for name in os.listdir("/proc"):
        stat = stat_of(name) if name.isdigit() else None
        if stat and stat[0] not in "ZX":
            children.setdefault(stat[1], []).append(int(name))
    found, todo = set(), list(roots)
    while todo:
        new = children.get(todo.pop(), [])
        found.update(new)
        todo += new
    return found


class Connection:
    def __init__(self, path, timeout=LIMIT):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.data = b""
        try:
            self.socket.connect(path)
        except (ConnectionRefusedError, FileNotFoundError, ConnectionResetError) as problem:
            self.socket.close()
            raise Gone(str(problem)) from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, parameters, **members):
        try:
            self.socket.sendall(
                json.dumps({"method": "io.umld." + method, "parameters": parameters, **members}).encode() + b"\0"
            )
        except OSError as problem:
            raise Gone(str(problem)) from None

    def receive(self):
        while b"\0" not in self.data:
            try:
                piece = self.socket.recv(65536)
            except TimeoutError:
                raise AssertionError("no reply in time") from None
            except OSError as problem:
                raise Gone(str(problem)) from None
            if not piece:
                raise Gone("closed")
            self.data += piece
        message, _, self.data = self.data.partition(b"\0")
        reply = json.loads(message)
        if "error" in reply:
            raise Refused(reply)
        return reply

    def call(self, method, **parameters):
        self.send(method, parameters)
        return self.receive()["parameters"]

    def take(self):
        """Raw bytes, after an upgrade."""
        data, self.data = self.data, b""
        data = data or self.socket.recv(65536)
        if not data:
            raise AssertionError("the console was closed")
        return data


class World:
    def __init__(self, parent="/tmp"):
        self.directory = tempfile.mkdtemp(prefix="us", dir=parent)
        self.run, self.state = self.directory + "/run", self.directory + "/state"
        self.api, self.log = self.run + "/api", self.directory + "/log"
        self.trap = self.directory + "/failpoint"
        self.process = None
        os.makedirs(self.directory + "/libexec/compat")
        for name, path in LIBEXEC.items():
            os.symlink(path, f"{self.directory}/libexec/{name}")

    # ---- the daemon ----

    def start(self):
        environment = {**os.environ, "UMLD_LIBEXEC": self.directory + "/libexec", "HOME": self.directory,
                       "UMLD_CHECK_REPLIES": "1", "UMLD_FAILPOINT_FILE": self.trap}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([UMLD, "--run-dir", self.run, "--state-dir", self.state], cwd="/",
                                            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self.serves, what="umld serving")

    def serves(self):
        try:
            self.call("Server.Ping")
            return True
        except Gone:
            if self.process.poll() is None:
                return False
        if os.path.exists(self.trap):
            return True
        raise AssertionError(f"umld ended with {self.process.returncode}:\n{self.log_text()[-3000:]}")

    def kill(self):
        self.process.kill()
        return self.process.wait(LIMIT)

    def restart(self):
        self.kill()
        self.start()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT)

    def up(self):
        return self.process is not None and self.process.poll() is None

    def arm(self, name):
        with open(self.trap + ".new", "w", encoding="ascii") as file:
            file.write(name)
        os.rename(self.trap + ".new", self.trap)

    def disarm(self):
        if os.path.exists(self.trap):
            os.unlink(self.trap)

    def died(self):
        """It went into the trap."""
        status = self.process.wait(LIMIT)
        self.disarm()
        if status != -signal.SIGKILL:
            raise AssertionError(f"umld ended with {status}:\n{self.log_text()[-3000:]}")

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # ---- calls ----

    def connect(self, timeout=LIMIT):
        return Connection(self.api, timeout)

    def call(self, method, **parameters):
        with self.connect() as connection:
            return connection.call(method, **parameters)

    def send_only(self, method, **parameters):
        """The call whose answer nobody will live to give."""
        connection = self.connect()
        connection.send(method, parameters)
        return connection

    def create(self, name, fake="", devices=(), **fields):
        words = [f"fake={fake}"] if fake else []
        return self.call("Guest.Create", cwd=self.directory, definition={
            "name": name, "kernel": FAKE, "devices": ["mem=32M", *devices], "cmdline": words, **fields})

    def boot(self, name, fake="", wait="ready", **fields):
        self.create(name, fake, **fields)
        self.call("Guest.Start", name=name, wait=wait)
        return self.runtime(name)

    def runtime(self, name):
        return self.call("Guest.Get", name=name)["guest"]["runtime"]

    def wait(self, name, condition, limit=LIMIT):
        return self.call("Guest.Wait", name=name, condition=condition, timeoutMs=limit * 1000)["guest"]["runtime"]

    def guests(self):
        return {g["definition"]["name"]: g["runtime"] for g in self.call("Guest.List")["guests"]}

    def settled(self):
        """All guests, once none of them is on its way."""
        def look():
            found = self.guests()
            return found if all(r["state"] in REST + ("running", "paused") for r in found.values()) else None
        return until(look, what="every guest at rest")

    def events(self, since=0, **filters):
        with self.connect() as connection:
            connection.send("Server.Subscribe", {"since": since, **filters}, more=True)
            found = []
            while True:
                reply = connection.receive()
                if not reply.get("continues"):
                    return found
                found.append(reply["parameters"]["event"])

    def console(self, name, boot=None):
        """The whole kept log of a boot."""
        text, offset = "", 0
        with self.connect() as connection:
            while True:
                part = connection.call("Console.Read", name=name, device="con0", boot=boot, offset=offset)
                text += part["data"]
                if part["next"] == offset or part["next"] >= part["size"]:
                    return text
                offset = part["next"]

    def attach(self, name, **more):
        connection = self.connect()
        connection.send("Console.Attach", {"name": name, **more}, upgrade=True)
        try:
            connection.receive()
        except BaseException:
            connection.socket.close()
            raise
        return connection

    def typist(self, name):
        """A writer's console, which works while umld is dead: typist(b"exit 3") when the time has come."""
        connection = self.attach(name)

        def type_line(line):
            connection.socket.sendall(line + b"\n")
            connection.socket.close()
        return type_line

    def rows(self, sql, *values):
        with sqlite3.connect(f"file:{self.state}/umld.db?mode=ro", uri=True, timeout=LIMIT) as database:
            return database.execute(sql, values).fetchall()

    def change(self, sql, *values):
        """Only while umld is down."""
        with sqlite3.connect(f"{self.state}/umld.db", timeout=LIMIT) as database:
            database.execute(sql, values)
        database.close()

    # ---- reality ----

    def ours(self):
        """Living processes that belong to this world's guests."""
        return {pid for pid in below([os.getpid()]) if any(self.directory in word for word in words_of(pid))} - (
            {self.process.pid} if self.process else set())

    def reap(self):
        """Collect dead orphans, except those subprocess waits for."""
        for pid in below_dead(os.getpid()):
            if not self.process or pid != self.process.pid:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass

    def directories(self):
        return sorted(os.listdir(self.run + "/g"))


def below_dead(parent):
    found = []
    for name in os.listdir("/proc"):
        stat = stat_of(name) if name.isdigit() else None
        if stat and stat[0] == "Z" and stat[1] == parent:
            found.append(int(name))
    return found


def numbered_gap(text):
    """What is wrong with the fake guest's numbered lines, or None. The first need not be 0.

    They begin again at 0 after a reboot in place, whose first lines may be in the old boot's log:
    console and notification are different sockets.
    """
    numbers = [int(n) for n in re.findall(r"^line (\d{10}) [a-z]+", text, re.M | re.I)]
    for before, after in zip(numbers, numbers[1:]):
        if after not in (before + 1, 0):
            return f"line {after} behind line {before}"
    return None


class Case(unittest.TestCase):
    """setUp gives a running umld with the fake guest as kernel; the end proves that nothing is left."""

    parent = "/tmp"

    def setUp(self):
        self.world = self.w = World(self.parent)
        self.addCleanup(self.clean)
        self.w.start()
        self.w.call("Kernel.Add", path=FAKE, name="fake")

    def clean(self):
        w = self.w
        w.disarm()
        try:
            if not w.up():
                w.start()
            for name, runtime in w.guests().items():
                if runtime["state"] not in REST:
                    w.call("Guest.Kill", name=name)
            until(lambda: not w.directories(), what="run directories removed")
            self.check_events()
            self.assertEqual(w.terminate(), 0)
            self.assertEqual(sorted(os.listdir(w.run)), ["g", "lock", "n"])
            until(lambda: w.reap() or not w.ours(), what="the end of all processes")
            for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:"):
                self.assertNotIn(word, w.log_text())
        finally:
            left = [(pid, " ".join(words_of(pid))[:120]) for pid in w.ours()]
            for pid, _ in left:
                os.kill(pid, signal.SIGKILL)
            if w.up():
                w.kill()
            w.reap()
            if os.environ.get("UMLD_TEST_KEEP"):
                sys.stderr.write(f"{self.id()}: kept {w.directory}\n")
            else:
                shutil.rmtree(w.directory, ignore_errors=True)
        self.assertEqual(left, [], "processes left behind")

    def check_events(self):
        numbers = [event["seq"] for event in self.w.events()]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)), "event sequence")

    def check_reality(self):
        """Database, answers and processes say the same. Only when every guest is at rest."""
        w = self.w
        stored = {row[0]: row[1:] for row in w.rows(
            "SELECT name, state, want_up, monitor_pid, monitor_start, boot, ready FROM guest")}
        covered = set()
        for name, r in w.guests().items():
            state, want, monitor, start, boot, ready = stored.pop(name)
            self.assertEqual((r["state"], r["want"] == "up", r["bootNumber"], r["ready"]),
                             (state, bool(want), boot, bool(ready)), name)
            if r["state"] in REST + ("backoff",):
                self.assertEqual(monitor, 0, name)
                self.assertFalse(os.path.exists(f"{w.run}/g/{name}"), name)
                continue
            self.assertEqual(r["monitorPid"], monitor, name)
            self.assertEqual(stat_of(monitor)[2], start, name)
            self.assertTrue(alive(r["pid"]), name)
            tree = below([monitor])
            self.assertIn(r["pid"], tree, name)
            covered |= tree | {monitor}
        self.assertEqual(stored, {}, "stored guests that are not listed")
        strangers = until(lambda: not (w.ours() - covered - below([w.process.pid])) or None, what="no stray process")
        self.assertTrue(strangers)


def main():
    unittest.main(verbosity=2)  # names what is skipped
