"""uml_mconsole against a real kernel that nobody manages. TOOL is mconsole_tool. Exit 77: cannot run here."""
import os
import subprocess
import sys
import tempfile
import unittest

import test_real_kernel as real
from mconsole_world import Terminal, until

PROGRAM = os.environ["UML_MCONSOLE"]
LIMIT = 60


class Bare(unittest.TestCase):
    def begin(self, **disk):
        guest = real.boot(**disk)
        self.addCleanup(guest.close)
        return real.ready(guest)

    def run_program(self, guest, *words):
        return subprocess.run([PROGRAM, guest.socket, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              cwd=guest.dir, timeout=LIMIT, check=False)

    def gives(self, status, pattern, guest, *words):
        done = self.run_program(guest, *words)
        self.assertEqual(done.returncode, status, done)
        self.assertRegex(done.stdout, pattern)
        return done.stderr

    def test_commands_and_statuses(self):
        guest = self.begin()
        self.gives(0, r"^OK Linux \S+ \d+\.", guest, "version")
        self.gives(0, r"^OK \nLinux version", guest, "proc", "version")
        self.gives(237, "^ERR Device doesn't exist\n$", guest, "remove", "ubd5")
        self.gives(240, "^ERR Device is already configured\n$", guest, "config", "ubd0=/dev/null")
        self.gives(240, "^ERR Device is currently open\n$", guest, "remove", "ubd0")
        self.gives(1, "^ERR Bad configuration option\n$", guest, "config", "nix0")
        self.gives(0, "^OK stopped\n$", guest, "stop")
        self.gives(1, "^ERR Already stopped\n$", guest, "stop")
        self.gives(0, "^OK \n$", guest, "go")

    def test_a_disk_named_by_a_relative_path(self):
        guest = self.begin()
        with open(f"{guest.dir}/disk", "wb") as file:
            file.truncate(1 << 20)
        self.gives(0, "^OK \n$", guest, "config", "ubd2=disk")
        self.gives(0, f"^OK {guest.dir}/disk\n$", guest, "config", "ubd2")
        self.gives(0, "^OK \n$", guest, "remove", "ubd2")
        self.gives(0, "^OK \n$", guest, "config", "ubd2")

    def test_a_file_in_the_kernels_log(self):
        guest = self.begin()
        with open(f"{guest.dir}/notes", "w", encoding="ascii") as file:
            file.writelines(f"note {i} of a file\n" for i in range(100))
        self.gives(0, "^(OK \n){4}$", guest, "log", "-f", "notes")
        guest.console.expect("note 0 of a file", LIMIT)
        guest.console.expect("note 99 of a file", LIMIT)

    def test_guards(self):
        guest = self.begin()
        # An interrupt that stops a kernel at work cannot walk the stack: asked again until it is at rest.
        until(lambda: "Call Trace" in self.run_program(guest, "stack", "1").stdout, "a stack")
        self.assertIn("--force", self.gives(1, "kernel thread", guest, "stack", "2"))
        self.gives(1, "patched kernels", guest, "exec", "ls")
        self.gives(1, "crashes", guest, "sysrq", "t")
        self.gives(0, "^OK Linux", guest, "version")

    def test_removing_a_disk_that_was_never_set_up_would_kill_it(self):
        guest = self.begin(disk="ubd1rd", root="98:16")  # ubd0 is root_fs, which is not there
        self.gives(0, "root_fs", guest, "config", "ubd0")
        self.gives(1, "crashes the kernel", guest, "remove", "ubd0")
        self.gives(0, "^OK Linux", guest, "version")
        done = subprocess.run([PROGRAM, "-f", "-t", "3", guest.socket, "remove", "ubd0"], stdout=subprocess.PIPE, text=True,
                              timeout=LIMIT, check=False)
        self.assertIn(done.returncode, (7, 10), done)
        self.assertEqual(guest.wait(), -6)

    def test_int_ends_a_kernel_without_debugger(self):
        guest = self.begin()
        self.gives(0, "^$", guest, "int")
        self.assertEqual(guest.wait(), 1)
        self.assertFalse(os.path.exists(guest.socket))

    def test_a_session_on_a_terminal(self):
        guest = self.begin()
        terminal = Terminal([PROGRAM, guest.socket], {**os.environ, "TERM": "xterm", "HOME": guest.dir}, guest.dir)
        self.addCleanup(terminal.close)
        terminal.expect("(uml) ")
        terminal.type("ver\t\r")
        terminal.expect("OK Linux ")
        terminal.expect("(uml) ")
        terminal.type("config ubd\t\r")
        terminal.expect(f"OK {real.IMAGE}")
        terminal.expect("(uml) ")
        terminal.type("quit\r")
        self.assertEqual(terminal.wait(), 0)


def main():
    reason = real.why_not()
    if reason:
        print(f"skipped: {reason}")
        return 77
    real.TOOL = os.path.abspath(sys.argv.pop(1))
    with tempfile.TemporaryDirectory(prefix="mc", dir="/tmp") as directory:
        real.IMAGE = real.make_image(directory)
        return 0 if unittest.main(exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
