"""A private umld for each test: its own run and state directory, the fake guest as kernel.

    class Something(harness.Case):
        def test_it(self):
            self.create("web", fake="noready")
            self.call("Guest.Start", name="web", wait="kernel")

Everything is ended after the test, and nothing may be left behind: no process, no run directory, no
error in the daemon's log that the test did not expect. UMLD_BUILD is the build directory.
"""
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
import cgroups  # noqa: E402
import varlink  # noqa: E402
from varlink import Client, Closed, Error  # noqa: E402,F401

SOURCE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
BUILD = os.path.abspath(os.environ.get("UMLD_BUILD", os.path.join(SOURCE, "build")))
UMLD = os.path.join(BUILD, "umld", "umld")
UMLCTL = os.path.join(BUILD, "cli", "umlctl")
FAKE = os.path.join(BUILD, "tests", "fakes", "fake_guest")
LIBEXEC = {
    "umlmon": os.path.join(BUILD, "vmcore", "monitor", "umlmon"),
    "umlinit": os.path.join(BUILD, "vmcore", "monitor", "umlinit"),
    "libumlguard.so": os.path.join(BUILD, "vmcore", "preload", "libumlguard.so"),
    "compat/uml_watchdog": os.path.join(BUILD, "netd", "compat", "uml_watchdog"),
    "umlnetd": os.path.join(SOURCE, "tests", "umld", "integration", "fake_umlnetd.py"),
    "probe.cpio": os.path.join(BUILD, "images", "probe.cpio"),
    "build-image": os.path.join(SOURCE, "images", "build-image"),
    "guest": os.path.join(SOURCE, "images", "guest"),
}
EXT4 = bytes(1080) + b"\x53\xef" + bytes(8192 - 1082)  # what umld looks at in a root image
LIMIT = 120  # seconds; what takes longer will not come, however busy the machine
PR_SET_CHILD_SUBREAPER = 36


def sanitized():
    """Sanitizers keep freed memory and shadow it: sizes mean nothing then."""
    with open(UMLD, "rb") as file:
        return b"__asan_init" in file.read()


def become_reaper():
    """Whatever a killed umld leaves behind becomes our child, so it can be found and ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def parents():
    """pid -> parent, of all processes."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    found[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                pass
    return found


def descendants(root):
    table = parents()
    found, todo = [], [root]
    while todo:
        parent = todo.pop()
        children = [pid for pid, above in table.items() if above == parent]
        found += children
        todo += children
    return found


def describe(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return f"{pid} {file.read().replace(bytes(1), b' ').decode(errors='replace')[:160]}"
    except OSError:
        return f"{pid}"


def until(condition, limit=LIMIT, what="it"):
    """Bounded polling, for what nothing tells: only the file system and /proc."""
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {limit:g} s")
        time.sleep(0.01)
    return value


class Daemon:
    """One umld. directory holds run/ and state/; it lives as long as the test."""

    def __init__(self, directory=None, program=UMLD):
        self.directory = directory or tempfile.mkdtemp(prefix="um", dir="/tmp")
        os.chmod(self.directory, 0o755)
        self.run, self.state = os.path.join(self.directory, "run"), os.path.join(self.directory, "state")
        self.api = os.path.join(self.run, "api")
        self.log = os.path.join(self.directory, "log")
        self.program = program
        self.process = None
        self.libexec = os.path.join(self.directory, "libexec")
        os.makedirs(os.path.join(self.libexec, "compat"), exist_ok=True)
        for name, path in LIBEXEC.items():
            if not os.path.lexists(os.path.join(self.libexec, name)):
                os.symlink(path, os.path.join(self.libexec, name))

    def copy_programs(self):
        """For a daemon of another user: the clone may be where only its owner gets."""
        for name in LIBEXEC:
            path = os.path.join(self.libexec, name)
            source = os.path.realpath(path)
            os.unlink(path)
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, path)

    def environment(self):
        inherited = {name: value for name, value in os.environ.items() if name != "UMLD_SOCKET"}
        return {**inherited, "UMLD_RUN_DIR": self.run, "UMLD_STATE_DIR": self.state, "UMLD_LIBEXEC": self.libexec,
                "UMLD_CHECK_REPLIES": "1", "HOME": self.directory}

    def arguments(self, *more):
        return [self.program, "--run-dir", self.run, "--state-dir", self.state, *more]

    def start(self, *more, preexec=None):
        """Start it and wait until it serves."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments(*more), env=self.environment(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd="/", preexec_fn=preexec)
        until(self.serves, what="umld serving")
        return self

    def serves(self):
        if self.process.poll() is not None:
            raise AssertionError(f"umld ended with {self.process.returncode}:\n{self.log_text()[-3000:]}")
        try:
            with Client(self.api) as client:
                client.call("Server.Ping")
            return True
        except OSError:
            return False

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def client(self, timeout=LIMIT):
        return Client(self.api, timeout)

    def call(self, method, /, **parameters):
        with self.client() as client:
            return client.call(method, parameters)

    def umlctl(self, *words, data=None, timeout=LIMIT, user=None):
        return subprocess.run([UMLCTL, *words], env=self.environment(), input=data, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False, text=True, cwd=self.directory,
                              stdin=None if data is not None else subprocess.DEVNULL, user=user)

    def terminate(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=LIMIT)

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=LIMIT)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def end_guests(self):
        """Kill every guest through the API; returns the names of those that were up."""
        up = []
        with self.client() as client:
            for guest in client.call("Guest.List")["guests"]:
                if guest["runtime"]["state"] not in ("stopped", "failed"):
                    up.append(guest["definition"]["name"])
                    client.call("Guest.Kill", {"name": up[-1]})
        return up

    def end_networks(self):
        """umlnetds outlive the daemon; what is left of them is none of the tests' business but theirs."""
        folder = os.path.join(self.run, "n")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            try:
                with open(os.path.join(folder, name, "pid"), encoding="ascii") as file:
                    os.kill(int(file.read().split()[0]), signal.SIGKILL)
            except (OSError, IndexError):
                pass
            shutil.rmtree(os.path.join(folder, name))

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Case(unittest.TestCase):
    """A test with a running umld and the fake guest registered as kernel `fake`."""

    kernel = True
    daemon_options = ()
    leftovers_expected = False

    @classmethod
    def setUpClass(cls):
        become_reaper()

    def setUp(self):
        self.daemon = Daemon()
        self.hands = []
        self.addCleanup(self.clean_up)
        self.addCleanup(self.end)
        self.prepare()
        self.daemon.start(*self.daemon_options)
        if self.kernel:
            self.register(FAKE, "fake")

    def prepare(self):
        """Before the daemon starts."""

    def register(self, path, name):
        return self.call("Kernel.Add", path=path, name=name)

    def by_hand(self, umid, *words, folder=None, program=FAKE, user=None):
        """A UML that somebody starts by hand: (its process, the path of its mconsole socket).

        folder: where it is started, with a relative uml_dir=.
        """
        base = folder or os.path.join(self.daemon.directory, "uml")
        path = os.path.join(base, umid, "mconsole")
        process = subprocess.Popen([program, f"uml_dir={'./' if folder else base + '/'}", f"umid={umid}", "con0=null,fd:1",
                                    *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   cwd=folder or self.daemon.directory, user=user, group=user,
                                   extra_groups=None if user is None else [])
        self.hands.append(process)
        until(lambda: os.path.exists(path), what=f"the socket of {umid}")
        return process, path

    # ---- the end ----

    def end(self):
        """The guests, then the daemon, then the proof that nothing is left."""
        status, failed = 0, None
        try:
            if self.daemon.alive():
                self.daemon.end_guests()
        except (OSError, Error, Closed) as problem:
            failed = problem
        if self.daemon.alive():
            status = self.daemon.terminate()
        self.daemon.end_networks()
        left = self.reap()
        for process in self.hands:
            process.poll()
        if failed:
            raise failed
        self.assertEqual(status, 0, f"umld ended with {status}:\n{self.daemon.log_text()[-6000:]}")
        self.assertEqual(left, [], "processes left behind")
        self.assertEqual(cgroups.of_guests(self.daemon.run), [], "control groups left behind")
        if not self.leftovers_expected and os.path.isdir(self.daemon.run):
            self.assertEqual(sorted(os.listdir(os.path.join(self.daemon.run, "g"))), [], "run directories left behind")
            self.assertEqual(sorted(os.listdir(self.daemon.run)), ["g", "lock", "n"], "left in the run directory")
        for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion"):
            self.assertNotIn(word, self.daemon.log_text())

    def reap(self):
        """Collect our dead orphans; what still lives after a moment is named, then ended."""
        def gone():
            while True:
                try:
                    pid, _ = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    return True
                if not pid:
                    return not descendants(os.getpid())
        try:
            until(gone, 30)
            return []
        except AssertionError:
            left = descendants(os.getpid())
            names = [describe(pid) for pid in left]
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            until(gone, 30)
            return names

    def clean_up(self):
        cgroups.remove(self.daemon.run)
        keep = os.environ.get("UMLD_TEST_KEEP")
        if keep:
            sys.stderr.write(f"{self.id()}: kept {self.daemon.directory}\n")
        else:
            shutil.rmtree(self.daemon.directory, ignore_errors=True)

    # ---- what tests do ----

    def call(self, method, /, **parameters):
        return self.daemon.call(method, **parameters)

    def client(self, timeout=LIMIT):
        client = self.daemon.client(timeout)
        self.addCleanup(client.close)
        return client

    def fails(self, name, method, /, **parameters):
        """The call answers with this error; returns it. Its texts are always there and never empty of sense."""
        with self.assertRaises(Error) as caught:
            self.call(method, **parameters)
        error = caught.exception
        self.assertEqual(error.name, name, str(error))
        if error.full_name.startswith("io.umld."):
            self.assertTrue(error.object, str(error))
            self.assertTrue(error.message, str(error))
            for text in (error.message, error.hint):
                self.assertNotRegex(text, "%[^ ,]", "a format was not filled in")
                self.assertNotIn("(null)", text)
        return error

    def create(self, name, *devices, fake="", **fields):
        words = ([f"fake={fake}"] if fake else []) + fields.pop("cmdline", [])
        definition = {"name": name, "kernel": "fake", "devices": list(devices), "cmdline": words, **fields}
        return self.call("Guest.Create", definition=definition, cwd=self.daemon.directory)["guest"]

    def boot(self, name, *devices, wait="ready", **fields):
        """Create and start."""
        self.create(name, *devices, **fields)
        return self.call("Guest.Start", name=name, wait=wait, timeoutMs=60000)

    def runtime(self, name):
        return self.call("Guest.Get", name=name)["guest"]["runtime"]

    def wait(self, name, condition, timeout_ms=60000):
        return self.call("Guest.Wait", name=name, condition=condition, timeoutMs=timeout_ms)["guest"]["runtime"]

    def set(self, **settings):
        for name, value in settings.items():
            self.call("Server.Set", name=name.replace("_", "-"), value=str(value))

    def events(self, since=0, **filters):
        """All stored events after since."""
        with self.daemon.client() as client:
            return [reply["event"] for reply in client.stream("Server.Subscribe", {"since": since, **filters})
                    if "event" in reply]

    def log(self, name, device="con0", boot=None):
        """The whole kept log of one boot."""
        text, offset = "", 0
        with self.daemon.client() as client:
            while True:
                part = client.call("Console.Read", {"name": name, "device": device, "boot": boot, "offset": offset})
                text += part["data"]
                if part["next"] >= part["size"] or part["next"] == offset:
                    return text
                offset = part["next"]

    def printed(self, name, text, boot=None):
        """The whole kept log of one boot, once it holds text: a console is no faster than an event or a reply."""
        def look():
            found = self.log(name, boot=boot)
            return found if text in found else None
        return until(look, what=f"{text!r} on the console of {name}")

    def guest_directories(self):
        return sorted(os.listdir(os.path.join(self.daemon.run, "g")))

    def file(self, name, data=b"", mode=0o644):
        """A file beside the daemon's directories."""
        path = os.path.join(self.daemon.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)
        return path

    def listens(self, path):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(path) == 0


def main():
    unittest.main(verbosity=2)  # names what is skipped
