"""Running uml_switch, ours or that of uml-utilities, in a test's folder."""

import os
import pty
import select
import signal
import socket
import subprocess
import time

import switch_world
from switch_world import LIMIT, frame


class OldClient(switch_world.Client):
    """A guest of version 0: no answer, and one address for everybody's frames."""

    def __init__(self, world, data="data"):
        self.name, self.data = self.bound_socket()
        self.control = world.connect("ctl", socket.SOCK_STREAM)
        self.control.sendall(switch_world.request(0, self.name))
        self.to = world.path(data)


class Program(switch_world.Folder):
    program = ""

    def start(self, *words, **more):
        """Running and connectable; its lines come by a terminal, as uml-utilities' switch keeps them else."""
        ours, theirs = pty.openpty()
        # By its name: uml-utilities' switch says how it was called.
        process = subprocess.Popen(["uml_switch", "-unix", self.path("ctl"), *words], executable=self.program,
                                   stdout=theirs, stderr=subprocess.STDOUT, **{"stdin": subprocess.DEVNULL, **more})
        os.close(theirs)
        process.lines = os.fdopen(ours, "rb", buffering=0)
        process.text = ""
        self.addCleanup(self.end, process)
        self.expect(process, "attached to unix socket")
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
            process.wait(LIMIT)
        process.lines.close()

    def expect(self, process, text):
        """Wait until that has been written."""
        deadline = time.monotonic() + LIMIT
        while text not in process.text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([process.lines], [], [], left)[0]:
                self.fail(f"{text!r} did not come, but {process.text!r}")
            try:
                more = os.read(process.lines.fileno(), 65536)
            except OSError:  # EIO: it has ended
                more = b""
            if not more:
                self.fail(f"ended without {text!r}: {process.text!r}")
            process.text += more.decode().replace("\r\n", "\n")

    def stop(self, process, signo=signal.SIGTERM):
        """Its exit status; all it wrote is in process.text."""
        process.send_signal(signo)
        return self.finish(process)

    def finish(self, process):
        status = process.wait(LIMIT)
        try:
            while more := os.read(process.lines.fileno(), 65536):
                process.text += more.decode().replace("\r\n", "\n")
        except OSError:
            pass
        return status

    def refused(self, *words, without_rights=False):
        """What it says, having ended with 1."""
        prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if without_rights else []
        got = subprocess.run([*prefix, self.program, *words], capture_output=True, text=True, timeout=LIMIT,
                             check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(got.returncode, 1, got)
        return got.stderr

    def old_client(self, **options):
        client = OldClient(self, **options)
        self.addCleanup(client.close)
        return client

    def answers(self):
        """Whether somebody listens at the control socket."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(sock.close)
        try:
            sock.connect(self.path("ctl"))
        except OSError:
            return False
        return True

    def floods(self, sender, dst, other):
        """Whether frames for dst go to everybody, as those for unknown addresses do. `other` is not dst's port."""
        probe = frame(switch_world.BROADCAST, 250, b"%d" % time.monotonic_ns())
        text = b"%d" % time.monotonic_ns()
        sender.send(frame(dst, 250, text))
        sender.send(probe)
        got = other.receive()
        if got == probe:
            return False
        self.assertEqual(got, frame(dst, 250, text))
        self.assertEqual(other.receive(), probe)
        return True
