"""Drives a real umlmon: writes launch orders, speaks its binary protocol, finds its processes."""

import array
import ctypes
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

MAGIC, VERSION = 0x756D6D6F, 3
STATE, NOTIFY, REPLY, CONSOLES, NICS = 1, 2, 3, 4, 5
KILL, PIN, ATTACH, RESIZE, SIGNAL, WRITE, DISOWN, NIC, NIC_DROP = 16, 17, 18, 19, 20, 21, 22, 23, 24
F_STARTED, F_UP, F_READY, F_PANIC, F_EXITED, F_KILLED, F_EXEC_FAILED, F_MAIN_GONE, F_NO_STATUS = (
    1, 2, 4, 8, 16, 32, 64, 128, 256)
READ_ONLY, STEAL = 1, 2
KEPT = 256  # kind of a notification
HEADER = struct.Struct("=IHHII")
STATE_BODY = struct.Struct("=IiiiqqqqqQQii256s")
STATE_FIELDS = ("flags monitor_pid main_pid wait_status main_start start_wall_ns up_wall_ns "
                "ready_wall_ns exit_wall_ns boot notify_dropped exec_errno pinned_cpu panic").split()
NOTIFY_HEAD = struct.Struct("=IIQq")
TIMEOUT = 90.0


def program(name):
    """Path of a built program: the environment names it (set by meson)."""
    return os.environ["UMLD_TEST_" + name.upper()]


class State:
    def __init__(self, body):
        for key, value in zip(STATE_FIELDS, STATE_BODY.unpack(body)):
            setattr(self, key, value)
        self.panic = self.panic.split(b"\0")[0].decode(errors="replace")


class Connection:
    """One umld connection. Unasked messages are kept in `states` and `notifies`."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                self.sock.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                select.select([], [], [], 0.01)
        self.states, self.notifies, self.replies, self.order = [], [], {}, []
        self.consoles = None
        self.nics = []  # each message: {interface: [state, why]}
        self.serial = 0
        self.eof = False
        self.clients = []

    def pump(self, timeout=TIMEOUT):
        """Take one message. False at the end of the connection."""
        if not select.select([self.sock], [], [], timeout)[0]:
            raise TimeoutError("umlmon says nothing")
        try:
            data = self.sock.recv(8192)
        except ConnectionResetError:
            data = b""
        if not data:
            self.eof = True
            return False
        magic, version, kind, serial, length = HEADER.unpack_from(data)
        body = data[HEADER.size:]
        assert (magic, version, length) == (MAGIC, VERSION, len(body)), data
        self.order.append(kind)
        if kind == STATE:
            self.states.append(State(body))
        elif kind == NOTIFY:
            head = NOTIFY_HEAD.unpack_from(body)
            text = body[NOTIFY_HEAD.size:]
            assert head[1] == len(text)
            self.notifies.append((head[0], text, head[2]))
        elif kind == CONSOLES:
            pairs = [p.decode().split("=", 1) for p in body.split(b"\0") if p]
            self.consoles = {k: v.split(" ") for k, v in pairs}
        elif kind == NICS:
            pairs = [p.decode().split("=", 1) for p in body.split(b"\0") if p]
            self.nics.append({k: v.split(" ", 1) for k, v in pairs})
        elif kind == REPLY:
            self.replies[serial] = (struct.unpack_from("=ii", body)[0], body[8:].decode())
        return True

    def until(self, test, timeout=TIMEOUT):
        """Pump until test(self) is true; returns its value."""
        deadline = time.monotonic() + timeout
        while True:
            value = test(self)
            if value:
                return value
            if not self.pump(max(0.0, deadline - time.monotonic())):
                value = test(self)
                assert value, "connection ended first"
                return value

    def flag(self, flags, timeout=TIMEOUT):
        return self.until(lambda c: next((s for s in c.states if s.flags & flags == flags), None),
                          timeout)

    @property
    def state(self):
        return self.states[-1]

    def send(self, kind, body=b"", *fds, version=VERSION, length=None):
        self.serial += 1
        head = HEADER.pack(MAGIC, version, kind, self.serial, len(body) if length is None else length)
        extra = []
        if fds:
            extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        self.sock.sendmsg([head + body], extra)
        return self.serial

    def ask(self, kind, body=b"", *fds):
        """Send a request; (errno, text) of its reply."""
        serial = self.send(kind, body, *fds)
        return self.until(lambda c: c.replies.get(serial))

    def attach(self, device="con0", flags=0, back=-2, greeting=b"", early=None, ask=None):
        """A new client. greeting: what umlmon writes to it first; early: what it has sent already."""
        ours, theirs = socket.socketpair()
        body = struct.pack("=16sIIq", device.encode(), flags, 0, back) + greeting
        self.clients.append(Client(ours))
        with theirs, tempfile.TemporaryFile() as file:
            fds = [theirs.fileno()]
            if early is not None:
                file.write(early)
                file.seek(0)
                fds.append(file.fileno())
            return (ask or self.ask)(ATTACH, body, *fds), self.clients[-1]

    def write(self, device, data):
        return self.ask(WRITE, struct.pack("=16sII", device.encode(), len(data), 0) + data)

    def close(self):
        self.sock.close()
        for client in self.clients:
            client.close()


class Client:
    """A console client."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""
        self.eof = False

    def until(self, text, timeout=TIMEOUT):
        deadline = time.monotonic() + timeout
        while text not in self.data:
            if not self.take(max(0.0, deadline - time.monotonic())):
                raise AssertionError("console ended without %r: %r" % (text, self.data[-300:]))
        return self.data

    def take(self, timeout=TIMEOUT):
        if not select.select([self.sock], [], [], timeout)[0]:
            raise TimeoutError("console: nothing, so far %r" % self.data[-300:])
        chunk = self.sock.recv(65536)
        self.data += chunk
        self.eof = self.eof or not chunk
        return bool(chunk)

    def to_end(self, timeout=TIMEOUT):
        while self.take(timeout):
            pass
        return self.data

    def close(self):
        self.sock.close()


class Monitor:
    """One umlmon in a run directory of its own. argv None: of a stranger, that extra tells of."""

    def __init__(self, argv, ready="kernel", consoles=(), boot=1, log_size=1 << 20, log_parts=8,
                 pattern=None, env=(), extra=(), run_dir=None, log_dir=None,
                 exit_path=None):
        self.own_dir = run_dir is None
        self.dir = run_dir or tempfile.mkdtemp(prefix="um", dir="/tmp")
        self.inner = os.path.join(self.dir, "in")
        self.log_dir = log_dir or os.path.join(self.dir, "log")
        os.makedirs(self.inner, exist_ok=True)
        if not log_dir:
            os.makedirs(self.log_dir, exist_ok=True)
        self.exit = exit_path or os.path.join(self.dir, "exit")
        self.socket = os.path.join(self.dir, "mon")
        self.notify = os.path.join(self.inner, "notify")
        pairs = [("version", "1"), ("guest", "t1"), ("boot", boot), ("socket", self.socket), ("exit", self.exit)]
        if argv is not None:
            pairs += [("notify", self.notify), ("logdir", self.log_dir), ("logsize", log_size),
                      ("logparts", log_parts), ("ready", ready), ("console", "con0 managed 0")]
        pairs += [("console", c) for c in consoles]
        if pattern is not None:
            pairs.append(("pattern", pattern))
        if callable(argv):
            argv = argv(self)
        pairs += [("arg", a) for a in argv or ()]
        pairs += [("env", "%s=%s" % e) for e in env] + list(extra)
        order = b"".join(("%s=%s" % p).encode() + b"\0" for p in pairs)
        self.process = start_umlmon(order.replace(b"%NOTIFY%", self.notify.encode()))
        self.connections = []
        self.text = ""

    def connect(self):
        self.connections.append(Connection(self.socket))
        return self.connections[-1]

    def log(self, device="con0", boot=None):
        """Whole log, oldest part first."""
        names = []
        for name in os.listdir(self.log_dir):
            dev, number, part, _ = name.split(".")
            if dev == device and boot in (None, int(number)):
                names.append((int(number), int(part), name))
        data = b""
        for _, _, name in sorted(names):
            with open(os.path.join(self.log_dir, name), "rb") as f:
                data += f.read()
        return data

    def wait(self, timeout=TIMEOUT):
        return self.process.wait(timeout)

    def record(self):
        with open(self.exit, encoding="utf-8") as f:
            return dict(line.rstrip("\n").split("=", 1) for line in f)

    def messages(self):
        """What an ended umlmon wrote to stderr."""
        if self.process.poll() is not None and not self.process.stderr.closed:
            self.text += self.process.stderr.read().decode()
        return self.text

    def stop(self):
        """Kill what is left and remove the directory; for addCleanup."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        text = self.messages()
        self.process.stderr.close()
        for connection in self.connections:
            connection.close()
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        assert "Sanitizer" not in text and "runtime error" not in text, text


def start_umlmon(order):
    memfd = os.memfd_create("order")
    os.write(memfd, order)
    os.lseek(memfd, 0, os.SEEK_SET)
    process = subprocess.Popen([program("umlmon")], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               pass_fds=(3,), preexec_fn=lambda: os.dup2(memfd, 3))
    os.close(memfd)
    return process


def become_subreaper():
    """So that whatever outlives umlmon becomes visible as our child."""
    assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0


def descendants(root):
    """Living processes below root (zombies left out), as {pid: state}."""
    parents, states = {}, {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, encoding="utf-8", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        states[int(name)], parents[int(name)] = fields[0], int(fields[1])
    below, grew = {root}, True
    while grew:
        new = {p for p, parent in parents.items() if parent in below} - below
        below |= new
        grew = bool(new)
    return {p: states[p] for p in below - {root} if states.get(p) not in ("Z", "X", None)}


def kill(pid, signo=signal.SIGKILL):
    """os.kill with the guard that 0 and -1 (no process known) must never pass."""
    assert pid > 1, pid
    os.kill(pid, signo)


def comm(pid):
    with open("/proc/%d/comm" % pid, encoding="utf-8") as f:
        return f.read().strip()


def alive(pids):
    """Those of pids that still run."""
    left = set()
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
                if f.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X"):
                    left.add(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return left


class Watched:
    """pidfds of processes, opened while they live: proof of death without polling or pid reuse."""

    def __init__(self, pids):
        self.fds = {}
        for pid in pids:
            try:
                self.fds[pid] = os.pidfd_open(pid)
            except ProcessLookupError:
                pass

    def all_end(self, timeout):
        deadline = time.monotonic() + timeout
        for fd in self.fds.values():
            if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return False
        return True

    def survivors(self):
        return [p for p, fd in self.fds.items() if not select.select([fd], [], [], 0)[0]]

    def close(self):
        for fd in self.fds.values():
            os.close(fd)
