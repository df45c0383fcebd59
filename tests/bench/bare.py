"""The peer: the same kernel with the same arguments, started by a shell, up to the same READY=1.

No sandbox, no supervision; but what a careful user would do by hand is done here too, because without it
the kernel would be slower or would not run at all: address randomisation off, memory on tmpfs, pinned to
one CPU, the guard preloaded where the kernel needs it, a terminal on con0 that somebody reads.
"""

import contextlib
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import time

import bench_lib

NOTIFY_USER = 3  # type of an mconsole notification
# $1 CPU, $2 guard or nothing, then the kernel's words.
SHELL = """
ulimit -c 0
cpu=$1 guard=$2
shift 2
[ -z "$guard" ] || export LD_PRELOAD="$guard"
exec taskset -c "$cpu" setarch -R "$@"
"""


class Recipe:
    """What umld started, taken from a guest of its that runs: arguments, guard, CPU."""

    def __init__(self, daemon, name):
        runtime = daemon.call("Guest.Get", name=name)["guest"]["runtime"]
        with open(f"/proc/{runtime['pid']}/cmdline", "rb") as file:
            self.words = file.read().decode().rstrip("\0").split("\0")
        with open(f"/proc/{runtime['pid']}/environ", "rb") as file:
            env = dict(word.split("=", 1) for word in file.read().decode().rstrip("\0").split("\0"))
        self.guard = env.get("LD_PRELOAD", "")
        self.disk = next(word for word in self.words if word.startswith("ubd"))

    def argv(self, folder, disk, cpu):
        """Only the paths differ."""
        words = []
        for word in self.words[1:]:
            if word.startswith("uml_dir="):
                word = f"uml_dir={folder}/"
            elif word.startswith("mconsole=notify:"):
                word = f"mconsole=notify:{folder}/notify"
            elif word == self.disk:
                word = word.split("=")[0] + "=" + disk
            words.append(word)
        return ["/bin/sh", "-c", SHELL, "sh", str(cpu), self.guard, self.words[0], *words]


class Guest:
    """One bare start. ready_at is set when READY=1 arrives."""

    def __init__(self, recipe, folder, disk, cpu):
        self.folder = folder
        os.mkdir(folder)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(folder + "/notify")
        self.master, slave = pty.openpty()
        # Somebody has to read the console. cat costs about what umlmon does, and is not this process.
        self.reader = subprocess.Popen(["cat"], stdin=self.master, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.ready_at = None
        argv = recipe.argv(folder, disk, cpu)
        env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/dev/shm"}
        dups = [(os.POSIX_SPAWN_DUP2, slave, fd) for fd in (0, 1, 2)]
        self.begin = time.perf_counter()
        # A session of its own, as umlmon has: the host's scheduler shares CPUs out by session.
        self.pid = os.posix_spawn(argv[0], argv, env, file_actions=dups, setsid=True)
        os.close(slave)

    def take(self):
        kind, length = struct.unpack("<ii", (message := self.notify.recv(4096))[8:16])
        if kind == NOTIFY_USER and b"READY=1" in message[16 : 16 + length].split(b"\n") + [
            message[16 : 16 + length].strip(b"\0\n")
        ]:
            self.ready_at = time.perf_counter()
        return self.ready_at

    def end(self):
        """SIGTERM ends a UML and its helpers; the group gets the rest."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        pidfd = os.pidfd_open(self.pid)
        select.select([pidfd], [], [], 5)
        os.close(pidfd)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.notify.close()
        os.close(self.master)
        self.reader.kill()
        self.reader.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_ready(guests, limit, ready=None):
    """Wait until all (or one more than `ready`) are ready. Number that are."""
    end = time.monotonic() + limit
    wanted = len(guests) if ready is None else ready + 1
    waiting = {guest.notify: guest for guest in guests if not guest.ready_at}
    done = len(guests) - len(waiting)
    while waiting and done < wanted and time.monotonic() < end:
        for sock in select.select(list(waiting), [], [], 0.5)[0]:
            if waiting[sock].take():
                del waiting[sock]
                done += 1
    return done


def start_once(recipe, folder, disk, cpu, limit=120):
    """Seconds from the shell's start to READY=1."""
    guest = Guest(recipe, folder + "/bare", disk, cpu)
    try:
        if not wait_ready([guest], limit):
            raise bench_lib.Failed(f"a bare kernel was not ready after {limit} s")
        return guest.ready_at - guest.begin
    finally:
        guest.end()
