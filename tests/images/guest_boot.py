"""Boots an image or the probe with the real kernel and no umld, for the tests of what runs inside.

The kernel runs in a pid namespace of its own that ends with the test: nothing is left behind.
"""

import os
import pty
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

SKIP = 77
NOTIFY_USER = 3  # type field of an mconsole notification


def missing():
    """Why a kernel cannot be booted here, or None."""
    for program, package in (("linux.uml", "user-mode-linux"), ("bwrap", "bubblewrap")):
        if not shutil.which(program):
            return f"no {program}: apt install {package}"
    return None


class Guest:
    """One boot. con0 and ssl0 are ptys; text of both is collected by pump()."""

    def __init__(self, *arguments, preload=None, server=None):
        """server(frame): what is on the other end of vec0's wire answers each frame with bytes or None."""
        self.folder = tempfile.mkdtemp(prefix="umld-test-")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.folder + "/notify")
        self.con, con_slave = pty.openpty()
        self.ssl, ssl_slave = pty.openpty()
        self.output = {self.con: b"", self.ssl: b""}
        self.notes = []
        self.server = server
        self.wire, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        if server:
            arguments = [*arguments, f"vec0:transport=fd,fd={its_end.fileno()}"]
        environment = {"PATH": os.environ["PATH"], "TMPDIR": "/dev/shm"}
        if preload:
            environment["LD_PRELOAD"] = preload
        command = "bwrap --bind / / --dev-bind /dev /dev --proc /proc --unshare-pid --die-with-parent".split()
        command += ["setarch", "-R", shutil.which("linux.uml"), "mem=64M", f"uml_dir={self.folder}/", "umid=t"]
        command += [f"mconsole=notify:{self.folder}/notify", "console=tty0", "con=null", "ssl=null"]
        command += ["con0=fd:0,fd:1", f"ssl0=fd:{ssl_slave}", *arguments]
        self.process = subprocess.Popen(
            command, stdin=con_slave, stdout=con_slave, stderr=con_slave, env=environment,
            pass_fds=[ssl_slave, its_end.fileno()]
        )
        its_end.close()
        os.close(con_slave)
        os.close(ssl_slave)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        os.close(self.con)
        os.close(self.ssl)
        self.notify.close()
        self.wire.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def send(self, fd, text):
        os.write(fd, text.encode())

    def mconsole(self, command):
        """One request of the mconsole protocol; the answer is not waited for."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind(self.folder + "/client")
            client.sendto(
                struct.pack("<III512s", 0xCAFEBABE, 2, len(command), command.encode()), self.folder + "/t/mconsole"
            )

    def serve(self, frame):
        answer = self.server(frame)
        try:
            if answer:
                self.wire.send(answer, socket.MSG_DONTWAIT)
        except OSError:
            pass  # it ended meanwhile, or asks faster than it reads

    def read_ready(self, ready):
        data = False
        for fd in ready:
            if fd is self.wire:
                self.serve(self.wire.recv(4096))
                continue
            if fd is self.notify:
                message = self.notify.recv(4096)
                kind, length = struct.unpack("<ii", message[8:16])
                if kind == NOTIFY_USER:
                    self.notes.append(message[16 : 16 + length].decode())
                continue
            try:
                chunk = os.read(fd, 65536)
            except OSError:  # the last slave is closed
                chunk = b""
            if chunk:
                self.output[fd] += chunk
                data = True
        return data

    def pump(self, condition, seconds=60):
        """Collect output until condition() or the end of the guest. True if the condition came true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready = select.select([self.con, self.ssl, self.notify, *([self.wire] if self.server else [])], [], [], 0.05)[0]
            data = self.read_ready(ready)
            if condition():
                return True
            if self.process.poll() is not None and not data:
                return condition()
        return False

    def ended(self):
        return self.process.poll() is not None

    def text(self, fd):
        return self.output[fd].decode(errors="replace").replace("\r", "")
