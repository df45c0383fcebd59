#!/usr/bin/env python3
"""umlctl run: a throw-away guest for one command, byte for byte."""

import hashlib
import os
import pty
import random
import signal
import subprocess

import guest_harness
from guest_harness import until

MEGABYTE = 1 << 20


class Run(guest_harness.Case):
    def tearDown(self):
        self.assertEqual(self.guests(), [], "no guest is left")

    def guests(self):
        return [guest["definition"]["name"] for guest in self.daemon.call("io.umld.Guest.List")["guests"]]

    def run_command(self, *words, **options):
        return self.daemon.ctl("run", *words, check=False, text=False, **options)

    def test_exit_status_and_output_are_the_commands(self):
        reply = self.run_command("--", "sh", "-c", "echo out; echo \"$0 $1\"; exit 7", "a  b", "'\"$x\\")
        self.assertEqual((reply.returncode, reply.stdout), (7, b"out\na  b '\"$x\\\n"), reply.stderr)

    def test_success_says_nothing_else(self):
        reply = self.run_command("--rm", "mem=48M", "--", "true")
        self.assertEqual((reply.returncode, reply.stdout, reply.stderr), (0, b"", b""))

    def test_command_that_is_not_there(self):
        reply = self.run_command("--", "no-such-program")
        self.assertEqual(reply.returncode, 127)
        self.assertIn(b"not found", reply.stdout)

    def test_command_killed_by_a_signal(self):
        self.assertEqual(self.run_command("--", "sh", "-c", "kill -9 $$").returncode, 137)

    def test_a_megabyte_goes_out_and_in_unchanged(self):
        data = random.Random(1).randbytes(MEGABYTE)
        folder = self.daemon.directory("megabyte")
        self.daemon.file("megabyte/data", data)
        share = f"share0={folder}:/srv/in:ro"
        reply = self.run_command(share, "--", "sh", "-c", "mount -t hostfs none /mnt -o /srv/in && cat /mnt/data")
        self.assertEqual((reply.returncode, hashlib.sha256(reply.stdout).hexdigest()), (0, hashlib.sha256(data).hexdigest()),
                         f"{len(reply.stdout)} bytes came out")
        reply = self.run_command("--", "sha256sum", data=data)
        self.assertEqual((reply.returncode, reply.stdout.split()[0].decode()), (0, hashlib.sha256(data).hexdigest()))

    def test_every_byte_value_passes(self):
        data = bytes(range(256)) * 2
        reply = self.run_command("--", "head", "-c", "512", data=data)
        self.assertEqual(reply.stdout, data)

    def test_end_of_input_is_seen(self):
        self.assertEqual(self.run_command("--", "cat", data=b"").stdout, b"")
        reply = self.run_command("--", "sh", "-c", "read -r a; echo $a; wc -l", data=b"one\ntwo\nthree\n")
        self.assertEqual(reply.stdout.split(), [b"one", b"2"])

    def test_input_that_nobody_reads_is_no_obstacle(self):
        for command in ("true", "head -c 5 >/dev/null", "exec <&-; sleep 1"):
            self.assertEqual(self.run_command("--", "sh", "-c", command, data=bytes(MEGABYTE)).returncode, 0, command)

    def test_slow_reader_gets_everything(self):
        """A line that was full once is never read again by a 6.1 kernel."""
        data = random.Random(2).randbytes(64 << 10)
        reply = self.run_command("--", "sh", "-c", "for i in 1 2 3 4; do head -c 3000 >/dev/null; sleep 0.5; done; sleep 1; cat | wc -c", data=data)
        self.assertGreaterEqual(int(reply.stdout), (64 << 10) - 4 * 4096)
        self.assertEqual(reply.returncode, 0)

    def test_terminal_is_the_commands_terminal(self):
        master, slave = pty.openpty()
        process = subprocess.Popen([self.daemon.umlctl, "run", "--", "sh", "-c", "tty; read -r x; echo got-$x"],
                                   env=self.daemon.environment, stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(slave)
        try:
            self.assertEqual(process.stdout.readline(), b"/dev/ttyS0\n")
            os.write(master, b"typed\n")
            self.assertEqual(process.communicate(timeout=guest_harness.LIMIT), (b"got-typed\n", b""))
            self.assertEqual(process.returncode, 0)
        finally:
            process.kill()
            process.wait()
            os.close(master)

    def test_interrupt_leaves_nothing(self):
        process = subprocess.Popen([self.daemon.umlctl, "run", "--", "sleep", "1000"], env=self.daemon.environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            until(lambda: any(g["runtime"]["state"] == "running" for g in self.daemon.call("io.umld.Guest.List")["guests"]), "it runs")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(guest_harness.LIMIT), 13)
        finally:
            process.kill()
            process.communicate()
        self.assertEqual(os.listdir(self.daemon.run + "/g"), [])

    def test_guest_that_crashes_is_status_12(self):
        reply = self.run_command("--", "sh", "-c", "echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 100")
        self.assertEqual(reply.returncode, 12)
        self.assertIn(b"panic", reply.stderr)
        self.assertEqual(reply.stdout, b"before\n")

    def test_keep_leaves_the_guest_and_its_log(self):
        self.run_command("--keep", "--", "echo", "kept")
        name, = self.guests()
        self.assertEqual(self.daemon.ctl("logs", name, "ssl0").stdout.strip(), "kept")
        self.daemon.ctl("remove", name)

    def test_image_is_shared_and_stays_as_it_is(self):
        with open(self.daemon.image(), "rb") as file:
            before = hashlib.sha256(file.read()).digest()
        runs = [subprocess.Popen([self.daemon.umlctl, "run", "--", "sh", "-c", f"echo {i}; touch /x"], env=self.daemon.environment,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for i in range(3)]
        for i, process in enumerate(runs):
            self.assertTrue(process.communicate(timeout=guest_harness.LIMIT)[0].startswith(b"%d\n" % i))
            self.assertEqual(process.returncode, 1, "/ is read-only")
        with open(self.daemon.image(), "rb") as file:
            self.assertEqual(hashlib.sha256(file.read()).digest(), before)


if __name__ == "__main__":
    guest_harness.main()
