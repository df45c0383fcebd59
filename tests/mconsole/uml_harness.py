"""A UML kernel (real or fake) in a directory of its own, driven through mconsole_tool."""
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time


class Lines:
    """Text of a pipe, awaited piece by piece with a deadline."""

    def __init__(self, fd):
        self.fd = fd
        self.data = b""
        self.at = 0
        self.ended = False

    def _more(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.fd], [], [], left)[0]:
            raise TimeoutError(f"nothing more after {self.data[self.at:]!r}")
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # EIO: the other side of a pty is gone
            piece = b""
        self.data += piece
        self.ended = not piece

    def expect(self, text, timeout=60):
        """Wait for text and return everything up to it."""
        deadline = time.monotonic() + timeout
        while (found := self.data.find(text.encode(), self.at)) < 0:
            if self.ended:
                raise EOFError(f"ended without {text!r}: {self.data[self.at:]!r}")
            self._more(deadline)
        before = self.data[self.at:found].decode(errors="replace")
        self.at = found + len(text.encode())
        return before

    def line(self, timeout=60):
        return self.expect("\n", timeout)

    def take(self, size, timeout=60):
        """The next size bytes."""
        deadline = time.monotonic() + timeout
        while len(self.data) - self.at < size and not self.ended:
            self._more(deadline)
        taken = self.data[self.at:self.at + size]
        self.at += len(taken)
        return taken


class Guest:
    def __init__(self, tool, kernel, *words, prefix=(), env=None, stdin=subprocess.DEVNULL,
                 con0="con0=null,fd:1"):
        self.tool = tool
        self.dir = tempfile.mkdtemp(prefix="mc", dir="/tmp")
        self.socket = f"{self.dir}/uml/mconsole"
        self.listener = subprocess.Popen([tool, "--notify", f"{self.dir}/n", "100000"],
                                         stdout=subprocess.PIPE)
        self.notes = Lines(self.listener.stdout.fileno())
        self.notes.expect("listening\n")
        self.process = subprocess.Popen(
            [*prefix, kernel, f"uml_dir={self.dir}/", "umid=uml", f"mconsole=notify:{self.dir}/n",
             con0, *words],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.dir, env=env)
        self.console = Lines(self.process.stdout.fileno())

    def mconsole(self, *words, raw=False, timeout_ms=None):
        """(code, status, text) of one command."""
        options = (["--raw"] if raw else []) + (
            ["--timeout", str(timeout_ms)] if timeout_ms else [])
        out = subprocess.run([self.tool, *options, self.dir, self.socket, *words],
                             stdout=subprocess.PIPE, timeout=60, check=False).stdout
        head, _, text = out.partition(b"\n")
        code, status, _ = head.decode().split()
        return code, int(status), text.decode(errors="replace")

    def wait(self, timeout=90):
        return self.process.wait(timeout)

    def close(self):
        # The kernel's helpers share its session; they hold nothing once main is gone cleanly.
        for process in (self.process, self.listener):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            process.stdout.close()
        if self.process.stdin:
            self.process.stdin.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
