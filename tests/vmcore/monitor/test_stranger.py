"""umlmon beside a kernel that somebody else has started: its end, its kill, its reboots, and that it is let go."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile

import fixture
import harness
from harness import DISOWN, F_EXITED, F_KILLED, F_NO_STATUS, F_READY, F_STARTED, F_UP, KILL, PIN, SIGNAL


class Stranger(fixture.MonitorTest):
    def setUp(self):
        super().setUp()
        self.directory = tempfile.mkdtemp(prefix="st", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.directory)
        self.socket = os.path.join(self.directory, "web", "mconsole")

    def by_hand(self, *words):
        process = subprocess.Popen([harness.program("fake_kernel"), *words], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def start_of(self, pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return int(file.read().rsplit(")", 1)[1].split()[19])

    def bind(self):
        """What each of its kernels makes."""
        shutil.rmtree(os.path.dirname(self.socket), ignore_errors=True)
        os.mkdir(os.path.dirname(self.socket))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(self.socket)

    def watch(self, pid, start=None):
        m = harness.Monitor(None, boot=4, extra=[("stranger", f"{pid} {start or self.start_of(pid)}"),
                                                 ("mconsole", self.socket)])
        self.addCleanup(m.stop)
        return m

    def ended(self, m):
        self.assertEqual(m.wait(), 0)
        self.assertFalse(os.path.exists(m.socket))
        record = m.record()
        self.assertTrue(int(record["flags"]) & F_EXITED)
        self.assertTrue(int(record["flags"]) & F_NO_STATUS)
        self.assertGreater(int(record["exit_wall_ns"]), 0)
        return record

    def test_it_is_told_as_running_since_it_was_started(self):
        process = self.by_hand("wait")
        state = self.watch(process.pid).connect().flag(F_STARTED | F_UP | F_READY)
        self.assertEqual((state.main_pid, state.main_start, state.boot),
                         (process.pid, self.start_of(process.pid), 4))
        self.assertLess(state.start_wall_ns, os.stat(self.directory).st_mtime_ns + 10**9)

    def test_its_end_is_seen_and_no_status_is_made_up(self):
        process = self.by_hand("line", "exit:7")
        m = self.watch(process.pid)
        c = m.connect()
        c.flag(F_UP)
        process.stdin.write(b"\n")
        process.stdin.flush()
        state = c.flag(F_EXITED)
        self.assertTrue(state.flags & F_NO_STATUS)
        self.assertFalse(state.flags & F_KILLED)
        self.ended(m)
        self.assertEqual(process.wait(), 7)

    def test_kill_ends_all_that_is_below_it(self):
        process = self.by_hand("chain:6", "say:deep\\n", "wait")
        process.stdout.readline()
        tree = harness.descendants(process.pid)
        self.assertEqual(len(tree), 6)
        watched = harness.Watched([process.pid, *tree])
        m = self.watch(process.pid)
        c = m.connect()
        c.flag(F_UP)
        self.assertEqual(c.ask(KILL), (0, ""))
        self.assertTrue(c.flag(F_EXITED).flags & F_KILLED)
        self.assert_all_end(watched)
        self.ended(m)

    def test_a_new_socket_is_a_reboot(self):
        self.bind()
        c = self.watch(self.by_hand("wait").pid).connect()
        c.flag(F_UP)
        for boot in (5, 6):
            self.bind()
            state = c.until(lambda c, boot=boot: next((s for s in c.states if s.boot == boot), None))
            self.assertTrue(state.flags & F_READY)
        # Another file in its directory is none.
        with open(os.path.join(os.path.dirname(self.socket), "notes"), "w", encoding="ascii"):
            pass
        self.bind()
        c.until(lambda c: c.state.boot >= 7)
        self.assertEqual(c.state.boot, 7)

    def test_one_that_is_gone_is_an_end(self):
        process = self.by_hand("wait")
        start = self.start_of(process.pid)
        process.kill()
        process.wait()
        self.ended(self.watch(process.pid, start))

    def test_another_process_with_its_number_is_not_touched(self):
        process = self.by_hand("wait")
        self.ended(self.watch(process.pid, self.start_of(process.pid) + 1))
        self.assertIsNone(process.poll())

    def test_let_go_it_runs_on(self):
        process = self.by_hand("wait")
        for way in ("term", "disown", "kill"):
            m = self.watch(process.pid)
            c = m.connect()
            c.flag(F_UP)
            if way == "disown":
                c.send(DISOWN)
            else:
                m.process.send_signal(signal.SIGTERM if way == "term" else signal.SIGKILL)
            self.assertEqual(m.wait(), -signal.SIGKILL if way == "kill" else 0)
            self.assertFalse(os.path.exists(m.exit), "its end was not recorded")
            self.assertEqual(harness.alive([process.pid]), {process.pid})

    def test_a_signal_goes_to_it_and_what_it_has_not_is_refused(self):
        process = self.by_hand("signal:10", "wait")
        self.assertEqual(process.stdout.readline(), b"awaiting\n")
        c = self.watch(process.pid).connect()
        c.flag(F_UP)
        self.assertEqual(c.ask(PIN, b"\0" * 8)[0], 3)
        self.assertEqual(c.attach("con0")[0][0], 19)
        self.assertEqual(c.ask(SIGNAL, b"\n\0\0\0\0\0\0\0"), (0, ""))
        self.assertEqual(process.stdout.readline(), b"signal 10\n")


if __name__ == "__main__":
    fixture.main()
