"""libumlguard.so loaded into a program that really traces a child."""

import os
import select
import signal
import subprocess
import unittest

import fixture
import harness


def run(what, guard):
    env = {"PATH": "/usr/bin:/bin"}
    if guard:
        env["LD_PRELOAD"] = harness.program("umlguard")
    return subprocess.Popen([harness.program("guard_tracer"), what], env=env,
                            stdout=subprocess.PIPE)


class Guard(unittest.TestCase):
    def finish(self, what, guard):
        process = run(what, guard)
        text = process.communicate(timeout=90)[0].decode().strip()
        if process.returncode == 77:
            self.skipTest(text)
        return process.returncode, text

    def test_short_xstate_writes_succeed_under_the_guard_only(self):
        code, text = self.finish("xstate", guard=False)
        self.assertEqual(code, 1, text)  # else this host would prove nothing
        self.assertIn("short failed", text)
        self.assertEqual(self.finish("xstate", guard=True), (0, "short ok"))

    def test_peeking_at_minus_one_is_no_error(self):
        self.assertEqual(self.finish("peek", guard=True), (0, "peek ok"))

    def orphan(self, guard):
        """SIGKILL a tracer. pidfd of its tracee."""
        process = run("orphan", guard)
        line = process.stdout.readline()
        process.stdout.close()
        if not line.strip().isdigit():
            process.wait()
            self.skipTest("cannot trace here")
        pidfd = os.pidfd_open(int(line))
        self.addCleanup(os.close, pidfd)
        process.kill()
        process.wait()
        return pidfd

    def test_a_tracee_dies_with_its_tracer_under_the_guard(self):
        pidfd = self.orphan(guard=True)
        self.assertTrue(select.select([pidfd], [], [], 90)[0])

    def test_without_the_guard_it_would_live_on(self):
        pidfd = self.orphan(guard=False)
        try:
            self.assertFalse(select.select([pidfd], [], [], 0.5)[0])
        finally:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def test_it_needs_libc_only_and_exports_ptrace_only(self):
        out = subprocess.run(["nm", "-D", "--defined-only", harness.program("umlguard")],
                             capture_output=True, text=True, check=True).stdout
        self.assertEqual([l.split()[-1] for l in out.splitlines()], ["ptrace"])


if __name__ == "__main__":
    fixture.main()
