"""A program on a terminal, typed at and read."""
import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import time

TIOCGPTN = 0x80045430  # ioctl_tty(2); not in Python's termios
LIMIT = 60  # seconds: nothing a test waits for takes longer


class Terminal:
    """A program on a pty."""

    def __init__(self, command, env, cwd):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(cwd)
                os.execvpe(command[0], command, env)
            finally:
                os._exit(127)
        self.text, self.at, self.status = "", 0, None

    def settings(self):
        """What stty says about it."""
        name = f"/dev/pts/{struct.unpack('I', fcntl.ioctl(self.fd, TIOCGPTN, bytes(4)))[0]}"
        with open(os.open(name, os.O_RDWR | os.O_NOCTTY), "rb") as slave:
            return subprocess.run(["stty", "-a"], stdin=slave, stdout=subprocess.PIPE, text=True, check=True).stdout

    def expect(self, wanted):
        """Wait for text; what came before it."""
        end = time.monotonic() + LIMIT
        while (found := self.text.find(wanted, self.at)) < 0:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0] or not self._read():
                raise AssertionError(f"no {wanted!r} in {self.text[self.at:]!r}")
        before, self.at = self.text[self.at:found], found + len(wanted)
        return before

    def _read(self):
        try:
            data = os.read(self.fd, 4096)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def wait(self):
        """Exit status (128 + signal for one)."""
        end = time.monotonic() + LIMIT
        while self.status is None:
            if select.select([self.fd], [], [], 0.05)[0]:
                self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise AssertionError(f"still running: {self.text[self.at:]!r}")
        return self.status if self.status >= 0 else 128 - self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
