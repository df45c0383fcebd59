#!/usr/bin/env python3
"""Consoles of a real guest: login, further lines, several readers, the log across reboots."""

import os
import pty
import re
import select
import subprocess
import termios
import time
import tty
import unittest

import guest_harness
from guest_harness import CallError, Daemon, Stream


class Consoles(unittest.TestCase):
    user = None  # system mode: whom umld becomes (test_apart.py)

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(user=cls.user)
        cls.addClassCleanup(cls.daemon.close)
        cls.guest = cls.daemon.guest("web", "con1=managed", "con2=null", "con3=none", "con4=pts", "ssl0=managed", "ssl1=pts")
        cls.boot = cls.guest.wait("ready")["bootNumber"]

    def consoles(self):
        return {c["device"]: c for c in self.daemon.call("io.umld.Console.List", name="web")["consoles"]}

    def on_a_terminal(self, *steps):
        """umlctl console as a user has it: waits for a pattern, types, and so on; then it must have ended well."""
        master, slave = pty.openpty()
        process = subprocess.Popen([self.daemon.umlctl, "console", "web"], env=self.daemon.environment, stdin=slave, stdout=slave,
                                   stderr=slave)
        os.close(slave)
        try:
            for pattern, typed in steps:
                read_terminal(master, pattern)
                os.write(master, typed)
            self.assertEqual(process.wait(guest_harness.LIMIT), 0)
        finally:
            process.kill()
            process.wait()
            os.close(master)

    def test_login_and_a_command_by_umlctl_console(self):
        """Left by Enter ~ . from the shell, which after each prompt asks the terminal where its cursor is."""
        where, here = rb":~# \x1b\[6n", b"\x1b[24;12R"
        self.on_a_terminal((rb"login: ", b"root\r"), (where, here + b"echo $((6 * 7)).\r"), (rb"42\.[^$]*" + where, here + b"~."))
        self.on_a_terminal((rb"detach type", b"\r"), (where, here + b"exit\r"), (rb"login: ", b"\r~."))
        self.assertEqual(self.guest.runtime()["state"], "running")

    def test_further_managed_lines_have_a_login_and_a_log_of_their_own(self):
        for device, name in (("con1", "tty1"), ("ssl0", "ttyS0")):
            with self.guest.shell(device, fresh=False) as shell:
                self.assertEqual(shell.run("tty"), "/dev/" + name)
                shell.log_out()
            self.assertIn(f"/dev/{name}", self.guest.log(device))
            self.assertNotIn(f"/dev/{name}", self.guest.log("con0"))

    def test_pts_is_a_terminal_on_the_host(self):
        for device, name in (("con4", "tty4"), ("ssl1", "ttyS1")):
            path = self.consoles()[device]["path"]
            self.assertRegex(path, r"^/dev/pts/\d+$")
            self.assertIn(path, self.daemon.ctl("show", "web").stdout)
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            try:
                tty.setraw(fd, termios.TCSANOW)
                os.write(fd, b"\n")
                read_terminal(fd, rb"login: ")
                os.write(fd, b"root\n")
                read_terminal(fd, rb":~# ")
                os.write(fd, b"tty; exit\n")
                read_terminal(fd, b"/dev/" + name.encode() + b"\r")
                read_terminal(fd, rb"login: ")
            finally:
                os.close(fd)
        # Closing it is no hangup for the guest: it can be opened again.
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(fd, termios.TCSANOW)
        os.write(fd, b"\n")
        read_terminal(fd, rb"login: ")
        os.close(fd)

    def test_null_swallows_and_none_is_not_there(self):
        with self.guest.shell(fresh=False) as shell:
            shell.run("echo lost >/dev/tty2")
            self.assertNotEqual(shell.run("[ -c /dev/tty3 ]", check=False)[1], 0)
            shell.log_out()
        self.assertEqual(set(self.consoles()), {"con0", "con1", "con4", "ssl0", "ssl1"})
        for device in ("con2", "con3", "con9"):
            with self.assertRaises(CallError):
                Stream(self.guest, device)

    def test_many_read_and_one_types(self):
        with Stream(self.guest, "con1") as writer, Stream(self.guest, "con1", readOnly=True) as first, \
                Stream(self.guest, "con1", readOnly=True) as second:
            with self.assertRaises(CallError) as caught:
                Stream(self.guest, "con1")
            self.assertEqual(caught.exception.name, "Busy")
            first.send("typed-by-a-reader\n")
            writer.send("typed-by-the-writer\n")
            for stream in (writer, first, second):
                taken, _ = stream.read_until(rb"typed-by-the-writer.*Password: |typed-by-the-writer.*login: ")
                self.assertNotIn(b"typed-by-a-reader", taken)
            with Stream(self.guest, "con1", steal=True) as thief:
                thief.send("\n")
                thief.read_until(rb"\n")
                first.read_until(rb"\n")

    def test_scrollback_is_as_long_as_asked_for(self):
        with self.guest.shell("con1", fresh=False) as shell:
            shell.run("for i in $(seq 1000); do echo line-$i; done")
            shell.log_out()
        with Stream(self.guest, "con1", readOnly=True, back=200) as stream:
            taken, _ = stream.read_until(rb"login: ")
            self.assertLessEqual(len(taken), 200)
        with Stream(self.guest, "con1", readOnly=True, back=-1) as stream:
            taken, _ = stream.read_until(rb"line-1000\r\n")
            self.assertEqual(re.findall(rb"line-(\d+)\r", taken), [b"%d" % i for i in range(1, 1001)])

    def test_flood_is_kept_to_the_last_byte(self):
        """A guest writes as fast as it can; a reader that sleeps and the log both get everything."""
        with self.guest.shell("con1", fresh=False) as shell, Stream(self.guest, "con1", readOnly=True) as slow:
            shell.send("echo; seq 20000; echo flood-is''-over\n")
            shell.read_until(rb"flood-is-over\r\n")
            taken, _ = slow.read_until(rb"flood-is-over\r\n")
            numbers = re.findall(rb"(?<=\n)(\d+)\r\n", taken)
            self.assertEqual(numbers[-20000:], [b"%d" % i for i in range(1, 20001)])
            shell.log_out()
        text = self.guest.log("con1").split("flood-is-over")[0].split("\n1\n")[-1]
        self.assertEqual(text.split("\n")[:-1], [str(i) for i in range(2, 20001)])

    def test_log_of_a_reboot_is_complete_and_numbered(self):
        guest = self.daemon.guest("boots")
        self.addCleanup(guest.remove)
        with guest.shell() as shell:
            shell.run("echo said-in''-one >/dev/tty0")
            shell.send("reboot\n")
            guest.wait("ready")
            shell.read_until(rb"Restarting system.*login: ")
        self.daemon.ctl("reboot", "boots")
        guest.wait("ready")
        with Stream(guest, readOnly=True, back=-2) as stream:
            whole, _ = stream.read_until(rb"(?:boots login: .*){3}")
        parts = [guest.log(boot=boot) for boot in (1, 2, 3)]
        self.assertIn("said-in-one", parts[0])
        self.assertEqual(whole.count(b"Linux version"), 3, "back=-2 is everything")
        for number, part in enumerate(parts, 1):
            self.assertEqual(part.count("Linux version"), 1, f"boot {number}")
        self.assertRegex(parts[0], r"(?s)login: .*reboot: Restarting system\n")
        self.assertRegex(parts[1], r"(?s)login: .*Emergency Remount complete\n")
        self.assertEqual(self.daemon.call("io.umld.Console.List", name="boots")["consoles"][0]["boots"], [1, 2, 3])

    def test_interrupt_is_typed_like_on_any_terminal(self):
        with self.guest.shell("con1", fresh=False) as shell:
            shell.send("sh -c 'echo be\"\"gun; exec sleep 1000'; echo slept-$?\n")
            shell.read_until(rb"begun")
            shell.send(b"\x03")
            shell.send("echo go''es-on\n")
            shell.read_until(rb"goes-on")
            shell.log_out()


def read_terminal(fd, pattern, seconds=guest_harness.LIMIT):
    data, end = b"", time.monotonic() + seconds
    while not re.search(pattern, data):
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError(f"{pattern!r} did not come; there was {data[-1000:]!r}")
        data += os.read(fd, 4096)
    return data


if __name__ == "__main__":
    guest_harness.main()
