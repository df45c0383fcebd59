"""What all benchmarks share: a daemon of their own, its API, processes, numbers.

Everything lives in one short temporary directory (socket paths are limited to 107 bytes) and ends with
it. Only processes started here, or found in this daemon's own replies, are ever signalled.
"""

import contextlib
import glob
import json
import os
import select
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

SKIP = 77


class Failed(Exception):
    """A benchmark cannot give its numbers; the text says why."""


class Skipped(Failed):
    """The host lacks something that the benchmark needs."""


def need(program, package):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skipped(f"no {program}: apt install {package}")
    return path


def summary(values, digits=3):
    """Median and spread of a series."""
    values = sorted(values)
    return {
        "n": len(values),
        "median": round(statistics.median(values), digits),
        "min": round(values[0], digits),
        "p25": round(values[len(values) // 4], digits),
        "p90": round(values[min(len(values) - 1, int(len(values) * 0.9))], digits),
        "max": round(values[-1], digits),
    }


def timed(argv, env=None, limit=300, quiet=1):
    """Seconds of a program to its end, and its exit status. posix_spawn: little of it is ours. quiet 2: no stderr."""
    actions = []
    if quiet:
        actions = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_WRONLY, 0) for fd in (1, 2)][: 1 + (quiet > 1)]
    begin = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env or os.environ, file_actions=actions)
    pidfd = os.pidfd_open(pid)
    try:
        if not select.select([pidfd], [], [], limit)[0]:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            raise Failed(f"{' '.join(argv[:3])}: not done after {limit} s")
    finally:
        status = os.waitpid(pid, 0)[1]
        seconds = time.perf_counter() - begin
        os.close(pidfd)
    return seconds, os.waitstatus_to_exitcode(status)


def memory(pid, keys=("Rss", "Pss", "Private_Dirty", "Private_Clean")):
    """KiB from smaps_rollup."""
    found = dict.fromkeys(keys, 0)
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            key = line.split(":")[0]
            if key in found:
                found[key] = int(line.split()[1])
    return found


def children(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]
    return []


def comm(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
        return file.read().strip()
    return ""


def cpu_times():
    """Seconds that the host's CPUs were busy, and idle; summed over all."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, idle


def await_quiet(limit, window=0.2):
    """Wait until the host was idle for nine tenths of a window, `limit` seconds at most. Whether it was."""
    end = time.monotonic() + limit
    while True:
        busy, idle = cpu_times()
        time.sleep(window)
        busy, idle = (after - before for after, before in zip(cpu_times(), (busy, idle)))
        if idle >= 9 * busy:
            return True
        if time.monotonic() >= end:
            return False


class Api:
    """One Varlink connection."""

    def __init__(self, path, limit=300):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(limit)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    def raw(self, request):
        """Send bytes (NUL included), return the reply's bytes."""
        self.socket.sendall(request)
        parts = []
        while not parts or not parts[-1].endswith(b"\0"):
            data = self.socket.recv(1 << 20)
            if not data:
                raise Failed("the daemon hung up")
            parts.append(data)
        return b"".join(parts)

    @staticmethod
    def encode(method, **parameters):
        return json.dumps({"method": "io.umld." + method, "parameters": parameters}).encode() + b"\0"

    def call(self, method, **parameters):
        reply = json.loads(self.raw(self.encode(method, **parameters))[:-1])
        if "error" in reply:
            raise Failed(f"{method}: {reply['error']}: {reply['parameters'].get('message', '')}")
        return reply["parameters"]


class Daemon:
    """umld on directories of its own, and guests in it."""

    def __init__(self, stage, folder, kernel=None):
        self.bin = os.path.join(stage, "bin")
        self.umlctl = os.path.join(self.bin, "umlctl")
        self.folder = folder
        self.kernel = kernel
        self.run, self.state = folder + "/r", folder + "/s"
        self.env = dict(os.environ, UMLD_RUN_DIR=self.run, UMLD_STATE_DIR=self.state, LC_ALL="C.UTF-8")
        self.env.pop("UMLD_SOCKET", None)
        self.process = None
        self.names = []

    def start(self):
        """Seconds from the start of the process to the answer to a call."""
        with open(self.folder + "/umld.log", "ab") as log:
            begin = time.perf_counter()
            self.process = subprocess.Popen([self.bin + "/umld"], env=self.env, stdin=subprocess.DEVNULL, stderr=log)
        while True:
            with contextlib.suppress(OSError):
                api = Api(self.run + "/api")
                api.call("Server.Ping")
                api.close()
                return time.perf_counter() - begin
            if self.process.poll() is not None or time.perf_counter() - begin > 60:
                raise Failed(f"umld does not start:\n{self.log_tail()}")
            time.sleep(0.0005)

    def log_tail(self):
        with open(self.folder + "/umld.log", encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-10:])

    def api(self):
        return Api(self.run + "/api")

    def call(self, method, **parameters):
        api = self.api()
        try:
            return api.call(method, **parameters)
        finally:
            api.close()

    def crash(self):
        self.process.kill()
        self.process.wait()

    def create(self, name, *devices, **more):
        definition = {"name": name, "devices": list(devices), **more}
        if self.kernel:
            definition.setdefault("kernel", self.kernel)
        self.call("Guest.Create", definition=definition)
        self.names.append(name)

    def guests(self):
        return self.call("Guest.List")["guests"]

    def running(self):
        return sum(guest["runtime"]["state"] == "running" and guest["runtime"]["ready"] for guest in self.guests())

    def control(self, *words, limit=300):
        """umlctl: seconds and status."""
        return timed([self.umlctl, "--no-start", *words], self.env, limit)

    def batches(self, verb, names, limit=900):
        for i in range(0, len(names), 100):
            seconds, status = self.control("--timeout", "300", verb, *names[i : i + 100], limit=limit)
            if status:
                raise Failed(f"umlctl {verb}: status {status} after {seconds:.1f} s\n{self.log_tail()}")

    def failures(self):
        """What guests that failed have said last: the evidence goes with the directory."""
        texts = []
        for guest in self.guests():
            name, runtime = guest["definition"]["name"], guest["runtime"]
            logs = sorted(glob.glob(f"{self.state}/guests/{name}/log/con0.*"), key=os.path.getmtime)
            if runtime["state"] not in ("running", "stopped") and logs:
                with open(logs[-1], encoding="utf-8", errors="replace") as file:
                    last = "".join(file.readlines()[-40:])
                texts.append(f"{name}: {runtime['state']}: {runtime.get('cause')}\n{last}")
        return "\n".join(texts)

    def start_real(self, names, limit=900):
        """All of them ready; seconds of umlctl."""
        seconds, status = self.control("--timeout", str(limit), "start", "--wait", "ready", *names, limit=limit)
        if status:
            raise Failed(f"umlctl start of {len(names)}: status {status} after {seconds:.0f} s\n{self.failures()}")
        return seconds

    def kill_all(self):
        alive = [g["definition"]["name"] for g in self.guests() if g["runtime"]["state"] not in ("stopped", "failed")]
        self.batches("kill", alive)

    def remove_all(self):
        self.kill_all()
        self.batches("remove", self.names)
        self.names = []

    def stop(self):
        """No guest and no process of ours is left."""
        if self.process is None:
            return
        if self.process.poll() is not None:
            self.start()
        try:
            self.kill_all()
        finally:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def scratch():
    folder = tempfile.mkdtemp(prefix="ub", dir="/tmp")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def daemon(options, kernel=None):
    """A running daemon in a scratch directory."""
    with scratch() as folder:
        d = Daemon(options.stage, folder, kernel)
        try:
            d.start()
            yield d
        finally:
            d.stop()


def fresh_disk(image, path):
    """A copy of its own, as sparse as the image."""
    subprocess.run(["cp", "--sparse=always", image, path], check=True)


@contextlib.contextmanager
def image(options):
    """The busybox image: given, or built once for all benchmarks of this run."""
    need("linux.uml", "user-mode-linux")
    need("bwrap", "bubblewrap")
    if not options.image:
        options.image = options.folder + "/busybox.img"
        build = os.path.join(options.stage, "libexec/umld/build-image")
        subprocess.run([build, "busybox", options.image, str(32 << 20)], check=True, stdout=subprocess.DEVNULL)
    yield options.image
