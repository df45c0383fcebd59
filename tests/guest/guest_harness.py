"""Real guests through a private umld, for the tests in this folder.

A Daemon has its own copy of the built programs, its own run and state directory and, if asked for, an
ordinary uid. close() proves that nothing is left: no process, no directory. Waiting is done by the
daemon (Wait, Subscribe) or by reading a stream; until() polls only what the host offers no event for.
"""

import atexit
import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import cgroups  # noqa: E402
from host_view import cmdline, evidence, link, pids, read, status_field, status_fields  # noqa: E402,F401

SKIP = 77
ORDINARY = 12345  # a uid that nobody has
LIMIT = 120  # seconds; for every wait; what takes longer will not come
BUILD = os.environ.get("UMLD_TEST_BUILD", "")

LIBEXEC = {"umlmon": "", "umlinit": "", "libumlguard.so": "", "probe.cpio": "", "umlnetd": "",
           "uml_watchdog": "compat/", "uml_mconsole": "compat/"}


def missing():
    """Why no guest can be booted here, or None."""
    for program, package in (("linux.uml", "user-mode-linux"), ("bwrap", "bubblewrap"),
                             ("busybox", "busybox-static"), ("mke2fs", "e2fsprogs")):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            return f"no {program}: apt install {package}"
    if not BUILD:
        return "UMLD_TEST_BUILD does not say where the build directory is (meson sets it)"
    return None


def main():
    """unittest.main(), with exit status 77 if nothing can be run."""
    reason = missing()
    if reason:
        print(reason)
        sys.exit(SKIP)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unittest takes anything else for a failed test
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    # A class skipped as a whole is one entry, and none of its tests counts as run.
    ran = result.testsRun - sum(isinstance(test, unittest.TestCase) for test, _ in result.skipped)
    if result.wasSuccessful() and result.skipped and not ran:
        print(result.skipped[0][1])
        sys.exit(SKIP)
    sys.exit(not result.wasSuccessful())


def until(condition, what, seconds=LIMIT):
    """Poll for what the host has no event for."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def stage_programs(folder):
    """What meson install would make, where every user can read it."""
    os.makedirs(folder + "/bin")
    os.makedirs(folder + "/libexec/umld/guest")
    os.makedirs(folder + "/libexec/umld/compat")
    built = {}
    source = pathlib.Path(__file__).resolve().parents[2]
    for path in pathlib.Path(BUILD).glob("**/*"):
        if path.name in LIBEXEC or (path.name in ("umld", "umlctl") and path.is_file()):
            if "stage" not in path.parts and ".p" not in path.suffix and path.is_file():
                built[path.name] = path
    for name in ("umld", "umlctl"):
        shutil.copy(built[name], folder + "/bin/")
    for name, below in LIBEXEC.items():
        shutil.copy(built[name], f"{folder}/libexec/umld/{below}")
    shutil.copy(source / "images/build-image", folder + "/libexec/umld/")
    for path in (source / "images/guest").iterdir():
        shutil.copy(path, folder + "/libexec/umld/guest/")


class CallError(Exception):
    """The daemon answered with an error."""

    def __init__(self, reply):
        super().__init__(f"{reply['error']}: {reply['parameters'].get('message')}")
        self.name = reply["error"].rsplit(".", 1)[-1]
        self.parameters = reply["parameters"]


class Daemon:
    """A private umld. Everything below self.folder; files for guests belong to its user.

    uid: started by this user, in user mode. user: in system mode, started by root, and becomes this user;
    each guest is a user of its own then.
    """

    def __init__(self, uid=None, user=None):
        if user and os.getuid() != 0:
            raise unittest.SkipTest("only root can make guests other users")
        self.user = user
        self.uid = uid if os.getuid() == 0 else None
        self.words = ["--system", "--user", user] if user else []
        self.owner = pwd.getpwnam(user).pw_uid if user else self.uid
        self.folder = tempfile.mkdtemp(prefix="umg-", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        self.run, self.state, self.home = (f"{self.folder}/{name}" for name in ("r", "s", "home"))
        self.files = self.folder + "/files"
        for path in (self.run, self.state, self.home, self.files):
            os.mkdir(path, 0o700)
            self.give(path)
        stage_programs(self.folder + "/p")
        self.environment = {
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "HOME": self.home, "UMLD_RUN_DIR": self.run,
            "UMLD_STATE_DIR": self.state, "XDG_RUNTIME_DIR": self.run, "XDG_STATE_HOME": self.state,
            "LANG": "C.UTF-8", "UMLD_TEST_SECRET": "leak-of-the-environment",
            **{name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ},
        }
        self.log = self.folder + "/umld.err"
        self.umlctl = self.folder + "/p/bin/umlctl"
        self.process = None
        self.built = None
        atexit.register(self.destroy)
        try:
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise

    # ---- the daemon itself

    def give(self, path):
        if self.owner:
            os.chown(path, self.owner, self.owner)

    def as_user(self):
        return {"user": self.uid, "group": self.uid, "extra_groups": []} if self.uid else {}

    def start(self):
        with open(self.log, "ab") as log:
            # A terminal, a descriptor and an environment of the tester's that no guest may see.
            self.process = subprocess.Popen([self.folder + "/p/bin/umld", "--log-level", "debug", *self.words],
                                            env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.as_user())
        until(self.answers, "umld serves")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("umld ended:\n" + self.messages())
        try:
            self.call("io.umld.Server.Ping")
            return True
        except OSError:
            return False

    def messages(self, last=4000):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-last:]

    def close(self):
        """Ends everything, then asserts that nothing is left."""
        left = []
        try:
            for guest in self.call("io.umld.Guest.List")["guests"]:
                self.ctl("remove", "--force", guest["definition"]["name"], check=False)
            left += [name for folder in ("/g", "/n") for name in os.listdir(self.run + folder)] + os.listdir(self.state + "/guests")
            self.call("io.umld.Server.Shutdown")
            if self.process.wait(LIMIT) != 0:
                left.append(f"umld's exit status {self.process.returncode}: {self.messages(500)}")
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        left += [name for name in os.listdir(self.run) if name not in ("lock", "g", "n")]
        left += cgroups.of_guests(self.run)
        try:
            until(lambda: not self.processes(), "all processes of this umld are gone")
        except AssertionError:
            left += [f"{pid}: {cmdline(pid)}" for pid in self.processes()]
            for pid in self.processes():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        if not left:
            cgroups.remove(self.run)
        shutil.rmtree(self.folder)
        if left:
            raise AssertionError(f"left behind: {left}")

    def destroy(self):
        """For a test that was ended before it could close: guests outlive their daemon."""
        if not os.path.exists(self.folder):
            return
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for _ in range(50):
            for pid in self.processes():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if not self.processes():
                break
            time.sleep(0.1)
        with contextlib.suppress(OSError):
            cgroups.remove(self.run)
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self):
        """Every process of the host that has to do with this umld, the daemon and ourselves excepted."""
        needle = self.folder.encode()
        return [pid for pid in pids() if pid not in (os.getpid(), self.process and self.process.pid) and needle in evidence(pid)]

    # ---- talking with it

    def uml_mconsole(self, *words):
        """The program with the old name; its exit status and output."""
        reply = subprocess.run([self.folder + "/p/libexec/umld/compat/uml_mconsole", *words], env=self.environment,
                               cwd=self.files, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=LIMIT,
                               check=False, **self.as_user())
        return reply.returncode, reply.stdout

    def ctl(self, *words, check=True, data=None, timeout=LIMIT + 30, text=True):
        reply = subprocess.run([self.umlctl, *words], env=self.environment, cwd=self.files, input=data,
                               stdin=subprocess.DEVNULL if data is None else None, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=text, timeout=timeout, check=False, **self.as_user())
        if check and reply.returncode != 0:
            raise AssertionError(f"umlctl {' '.join(words)}: status {reply.returncode}: {reply.stderr}\n{self.messages(1500)}")
        return reply

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(LIMIT)
        try:
            connection.connect(self.run + "/api")
        except OSError:
            connection.close()
            raise
        return connection

    def call(self, method, _timeout=LIMIT, **parameters):
        with self.connect() as connection:
            connection.settimeout(_timeout)
            send_request(connection, method, parameters)
            return read_reply(connection)[0]

    def events(self, guest, since=0):
        with self.connect() as connection:
            send_request(connection, "io.umld.Server.Subscribe", {"since": since, "guest": guest}, more=True)
            found, rest, more = [], b"", True
            while more:
                reply, rest, more = read_reply(connection, rest)
                if reply.get("event"):
                    found.append(reply["event"])
            return found

    # ---- what guests are made of

    def image(self):
        """A busybox root, built once; guests share it read-only."""
        if not self.built:
            self.ctl("image", "build", "busybox")
            self.built = self.call("io.umld.Image.List")["images"][0]["path"]
        return self.built

    def disk(self, name):
        path = f"{self.files}/{name}"
        subprocess.run(["cp", "--sparse=always", self.image(), path], check=True)
        self.give(path)
        return path

    def cow(self, name, backing):
        path = f"{self.files}/{name}"
        subprocess.run(["uml_mkcow", path, backing], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.give(path)
        return path

    def file(self, name, content=b""):
        path = pathlib.Path(self.files, name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.give(path)
        return str(path)

    def directory(self, name):
        path = f"{self.files}/{name}"
        os.mkdir(path, 0o755)
        self.give(path)
        if self.user:  # whoever the guest is going to be
            os.chmod(path, 0o777)
        return path

    def guest(self, name, *words, start=True, root=True):
        """Defines a guest on the shared read-only image (or the words' own ubd0), and starts it."""
        ends = words.index("--") if "--" in words else len(words)
        own = any(word.startswith("ubd0") for word in words)
        first = [] if own or not root else ["ubd0r=" + self.image()]
        self.ctl("create", name, *first, *words[:ends], "--", f"hostname={name}", *words[ends + 1:])
        guest = Guest(self, name)
        if start:
            guest.start()
        return guest


class Guest:
    def __init__(self, daemon, name):
        self.daemon = daemon
        self.name = name
        self.inner = f"{daemon.run}/g/{name}/in"

    def start(self, *words):
        return self.daemon.ctl("start", self.name, *words)

    def runtime(self):
        return self.daemon.call("io.umld.Guest.Get", name=self.name)["guest"]["runtime"]

    def pid(self):
        return self.runtime()["pid"]

    def uid(self):
        """Of its processes."""
        return self.runtime().get("uid", self.daemon.owner or os.getuid())

    def wait(self, condition="exit", seconds=LIMIT):
        return self.daemon.call("io.umld.Guest.Wait", _timeout=seconds + 5, name=self.name, condition=condition,
                                timeoutMs=seconds * 1000)["guest"]["runtime"]

    def log(self, device="con0", boot=None):
        words = ["logs", self.name, device] + (["--boot", str(boot)] if boot else [])
        return self.daemon.ctl(*words).stdout.replace("\r", "")

    def shell(self, device="con0", fresh=True):
        return Shell(self, device, fresh)

    def processes(self):
        """The host's pids of everything in the guest's pid namespace; main must be alive."""
        space = os.readlink(f"/proc/{self.pid()}/ns/pid")
        return [pid for pid in pids() if link(f"/proc/{pid}/ns/pid") == space]

    def remove(self):
        self.daemon.ctl("remove", "--force", self.name)


class Case(unittest.TestCase):
    """Tests that share a Daemon with an image; each removes its guests."""

    user = None  # system mode: whom umld becomes (test_apart.py)

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(user=cls.user)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.image()

    def guest(self, name, *words, **options):
        guest = self.daemon.guest(name, *words, **options)
        self.addCleanup(guest.remove)
        return guest

    def events(self, guest, kind):
        return [event["data"] for event in self.daemon.events(guest.name) if event["type"] == kind]


class Stream:
    """A console as a raw stream (Console.Attach)."""

    def __init__(self, guest, device="con0", **options):
        self.connection = guest.daemon.connect()
        request = {"name": guest.name, "device": device, **options}
        send_request(self.connection, "io.umld.Console.Attach", request, upgrade=True)
        try:
            self.data = read_reply(self.connection)[1]
        except BaseException:
            self.close()
            raise

    def send(self, data):
        self.connection.sendall(data if isinstance(data, bytes) else data.encode())

    def read_until(self, pattern, seconds=LIMIT):
        """The bytes up to the end of the match are taken and returned with it."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.data, re.S)
            if match:
                taken, self.data = self.data[:match.end()], self.data[match.end():]
                return taken, match
            self.connection.settimeout(max(0.01, end - time.monotonic()))
            try:
                chunk = self.connection.recv(65536)
            except TimeoutError:
                chunk = b""
            if not chunk:
                raise AssertionError(f"{pattern!r} did not come; the last was {self.data[-2000:]!r}")
            self.data += chunk

    def read_all(self):
        with contextlib.suppress(OSError):
            while chunk := self.connection.recv(65536):
                self.data += chunk
        return self.data

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class Shell(Stream):
    """Root's shell on a console with a login. fresh: nobody has logged in there since the boot."""

    def __init__(self, guest, device, fresh):
        super().__init__(guest, device, back=-1 if fresh else 0)
        self.count = 0
        if not fresh:
            self.send("\n")
        self.read_until(rb"login: ")
        self.send("root\n")
        self.read_until(rb":~# ")
        self.send("stty -echo; PS1=; PS2=; dmesg -n 1; echo sh''ell\n")
        self.read_until(rb"shell\r\n")

    def log_out(self):
        self.send("exit\n")
        self.read_until(rb"login: ")

    def run(self, command, check=True, seconds=LIMIT):
        """(output, status) of a command; one line of less than 4 KiB."""
        self.count += 1
        self.send(f"{{ {command}\n}} 2>&1; s=$?; echo; echo end-{self.count}:$s.\n")
        taken, match = self.read_until(rb"\r\nend-%d:(\d+)\.\r\n" % self.count, seconds)
        output = taken[:match.start()].decode(errors="replace").replace("\r", "")
        status = int(match[1])
        if check and status != 0:
            raise AssertionError(f"{command!r} ended with {status}: {output}")
        return (output.strip("\n"), status) if not check else output.strip("\n")


def send_request(connection, method, parameters, **flags):
    connection.sendall(json.dumps({"method": method, "parameters": parameters, **flags}).encode() + b"\0")


def read_reply(connection, data=b""):
    """(parameters, bytes behind the reply, whether more replies come)"""
    while b"\0" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            raise ConnectionResetError("umld hung up")
        data += chunk
    text, rest = data.split(b"\0", 1)
    reply = json.loads(text)
    if "error" in reply:
        raise CallError(reply)
    return reply["parameters"], rest, reply.get("continues", False)
