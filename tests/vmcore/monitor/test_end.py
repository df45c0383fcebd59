"""How guests end: exactly reported, wholly dead, recorded; and how starts fail."""

import os
import shutil
import signal
import tempfile

import fixture
import harness
from fixture import both
from harness import F_EXEC_FAILED, F_EXITED, F_KILLED, F_MAIN_GONE, F_STARTED, KILL


class End(fixture.MonitorTest):
    def ended(self, m, c=None):
        """The final state; umlmon's own end awaited and its leavings checked."""
        state = (c or m.connect()).flag(F_EXITED)
        self.assertIn(m.wait(), (0, 1))
        self.assertFalse(os.path.exists(m.socket))
        self.assertFalse(os.path.exists(m.notify))
        record = m.record()
        self.assertEqual(record["version"], "1")
        self.assertEqual(record["guest"], "t1")
        self.assertEqual(int(record["flags"]), state.flags)
        self.assertEqual(int(record["wait_status"]), state.wait_status)
        self.assertEqual(int(record["main_pid"]), state.main_pid)
        self.assertEqual(record["panic"], state.panic)
        return state

    @both
    def test_the_exact_wait_status_is_reported(self, sandbox):
        for words, status in ((["exit:7"], 7 << 8), (["exit:0"], 0), (["exit:255"], 255 << 8),
                              (["raise:11"], 11), (["raise:6"], 6)):
            m = self.start("line", *words, sandbox=sandbox)
            c = m.connect()
            started = c.flag(F_STARTED)
            self.assertGreater(started.main_pid, 0)
            self.assertGreater(started.main_start, 0)
            c.write("con0", b"\n")
            state = self.ended(m, c)
            self.assertEqual(state.wait_status, status)
            self.assertGreaterEqual(state.exit_wall_ns, state.start_wall_ns)

    @both
    def test_kill_ends_a_tree_that_ignores_everything(self, sandbox):
        m = self.start("chain:6", "say:deep\\n", "wait", sandbox=sandbox)
        c = m.connect()
        _, console = c.attach()
        console.until(b"deep")
        below = harness.descendants(m.process.pid)
        self.assertGreaterEqual(len(below), 8)
        watched = harness.Watched(below)
        self.assertEqual(c.ask(KILL), (0, ""))
        state = c.flag(F_EXITED)
        # Announced only when proven: no waiting here.
        self.assertEqual(watched.survivors(), [])
        watched.close()
        self.assertEqual(state.wait_status, signal.SIGKILL)
        self.assertTrue(state.flags & F_KILLED)
        self.ended(m, c)

    @both
    def test_sigterm_to_umlmon_is_a_kill_with_a_record(self, sandbox):
        m = self.start("chain:2", "wait", sandbox=sandbox)
        c = m.connect()
        c.flag(F_STARTED)
        m.process.send_signal(signal.SIGTERM)
        self.assertTrue(self.ended(m, c).flags & F_KILLED)

    @both
    def test_processes_left_by_a_kernel_that_exits_are_killed(self, sandbox):
        m = self.start("chain:4", "line", "exit:3", sandbox=sandbox)
        c = m.connect()
        c.flag(F_STARTED)
        c.write("con0", b"\n")
        state = self.ended(m, c)
        self.assertEqual(state.wait_status, 3 << 8)
        self.assertFalse(state.flags & F_KILLED)

    @both
    def test_an_exit_is_told_before_the_proof_that_nothing_is_left(self, sandbox):
        m = self.start("chain:4", "line", "exit:3", sandbox=sandbox)
        c = m.connect()
        self.assertFalse(c.flag(F_STARTED).flags & F_MAIN_GONE)
        c.write("con0", b"\n")
        state = c.flag(F_MAIN_GONE)
        self.assertEqual((state.wait_status, state.flags & F_EXITED), (3 << 8, 0))
        self.assertTrue(self.ended(m, c).flags & F_MAIN_GONE)

    @both
    def test_nothing_survives_a_sigkill_of_umlmon(self, sandbox):
        m = self.start("chain:4", "say:up", "wait", sandbox=sandbox)
        c = m.connect()
        c.attach()[1].until(b"up")
        watched = harness.Watched(harness.descendants(m.process.pid))
        self.assertGreaterEqual(len(watched.fds), 6)
        m.process.kill()
        self.assert_all_end(watched)

    @both
    def test_a_killed_umlinit_ends_the_guest_and_is_recorded(self, sandbox):
        m = self.start("chain:4", "say:up", "wait", sandbox=sandbox)
        c = m.connect()
        c.attach()[1].until(b"up")
        below = harness.descendants(m.process.pid)
        watched = harness.Watched(below)
        init = [p for p in below if harness.comm(p) == "umlinit"]
        self.assertEqual(len(init), 1)
        harness.kill(init[0])
        state = c.flag(F_EXITED)
        self.assertEqual(watched.survivors(), [])
        watched.close()
        self.assertEqual(state.wait_status, signal.SIGKILL)
        self.ended(m, c)

    def test_a_killed_bwrap_ends_the_guest_and_is_recorded(self):
        m = self.start("chain:4", "say:up", "wait", sandbox=True)
        c = m.connect()
        c.attach()[1].until(b"up")
        below = harness.descendants(m.process.pid)
        watched = harness.Watched(below)
        outer = [p for p in below if harness.comm(p) == "bwrap"]
        self.assertEqual(len(outer), 1)
        harness.kill(outer[0])
        state = c.flag(F_EXITED)
        self.assertEqual(watched.survivors(), [])
        watched.close()
        self.assertTrue(state.flags & F_STARTED)
        self.ended(m, c)

    @both
    def test_a_killed_main_ends_the_guest_with_its_status(self, sandbox):
        m = self.start("chain:4", "say:up", "wait", sandbox=sandbox)
        c = m.connect()
        c.attach()[1].until(b"up")
        watched = harness.Watched(harness.descendants(m.process.pid))
        harness.kill(c.flag(F_STARTED).main_pid)
        state = c.flag(F_EXITED)
        self.assertEqual(watched.survivors(), [])
        watched.close()
        self.assertEqual(state.wait_status, signal.SIGKILL)
        self.assertFalse(state.flags & F_KILLED)
        self.ended(m, c)

    @both
    def test_the_last_bytes_before_the_end_are_logged(self, sandbox):
        m = self.start("lines:5000", "say:the very last", "exit:0", sandbox=sandbox)
        self.assertEqual(m.wait(), 0)
        log = m.log()
        self.assertEqual(log.count(b"line "), 5000)
        self.assertTrue(log.endswith(b"the very last"), log[-100:])

    def test_a_guest_may_end_without_any_daemon_listening(self):
        m = self.start("exit:5")
        self.assertEqual(m.wait(), 0)
        record = m.record()
        self.assertEqual(record["wait_status"], str(5 << 8))
        self.assertEqual(record["exec_errno"], "0")

    def test_the_record_is_written_once_its_directory_is_there(self):
        place = tempfile.mkdtemp(prefix="um", dir="/tmp")
        self.addCleanup(shutil.rmtree, place, True)
        os.rmdir(place)
        m = self.start("line", exit_path=os.path.join(place, "exit"))
        c = m.connect()
        main = harness.Watched([c.flag(F_STARTED).main_pid])
        c.write("con0", b"\n")
        self.assert_all_end(main)
        os.mkdir(place)
        self.assertEqual(m.wait(), 0)
        self.assertEqual(m.record()["wait_status"], "0")


class StartFailure(fixture.MonitorTest):
    def failed(self, m, errnum, text):
        self.assertIn(m.wait(), (0, 1))
        record = m.record()
        self.assertEqual(int(record["flags"]) & (F_EXEC_FAILED | F_STARTED | F_EXITED),
                         F_EXEC_FAILED | F_EXITED)
        self.assertEqual(int(record["exec_errno"]), errnum)
        self.assertIn(text, record["panic"])
        self.assertIn(text, m.messages())

    @both
    def test_a_missing_kernel_is_named(self, sandbox):
        m = self.start("wait", sandbox=sandbox, kernel="/nonexistent/linux")
        self.failed(m, 2, "/nonexistent/linux: No such file")

    def test_a_kernel_that_is_no_program_is_named(self):
        m = self.start("wait", kernel="/etc/passwd")
        self.failed(m, 13, "/etc/passwd: Permission denied")

    def test_a_missing_sandbox_program_is_named(self):
        m = harness.Monitor(["/nonexistent/bwrap", "x"])
        self.addCleanup(m.stop)
        self.failed(m, 2, "/nonexistent/bwrap")

    def test_what_bwrap_said_is_kept(self):
        if fixture.NO_SANDBOX:
            self.skipTest(fixture.NO_SANDBOX)
        m = harness.Monitor([shutil.which("bwrap"), "--ro-bind", "/nonexistent/x", "/x", "true"])
        self.addCleanup(m.stop)
        self.failed(m, 5, "bwrap: Can't find source path /nonexistent/x")
        self.assertIn(b"bwrap: Can't find", m.log())

    def test_umlinit_outside_a_namespace_refuses_to_run(self):
        m = harness.Monitor([harness.program("umlinit"), "--", harness.program("fake_kernel")])
        self.addCleanup(m.stop)
        self.failed(m, 5, "umlinit: not the first process")

    def test_a_program_that_is_no_umlinit_is_ended(self):
        m = harness.Monitor(["/bin/sh", "-c", "exec 9>&-; sleep 1000"])
        self.addCleanup(m.stop)
        self.failed(m, 5, "sandbox ended before")

    def test_a_missing_log_directory_is_recorded(self):
        m = self.start("wait", log_dir="/nonexistent/log")
        self.failed(m, 2, "/nonexistent/log")

    def test_a_bad_order_ends_umlmon_with_a_message(self):
        process = harness.start_umlmon(b"version=1\0colour=red\0")
        _, text = process.communicate(timeout=harness.TIMEOUT)
        self.assertEqual(process.returncode, 2)
        self.assertIn(b'key "colour" is unknown', text)


class KernelProcess(fixture.MonitorTest):
    """What the kernel's process starts with."""

    @both
    def test_descriptors_are_streams_and_consoles_only(self, sandbox):
        m = self.start("fds", sandbox=sandbox, consoles=["con1 managed 10", "con2 pts 12"])
        m.wait()
        self.assertIn(b"fds: 0 1 2 10 12.", m.log())

    @both
    def test_process_attributes(self, sandbox):
        guard = harness.program("umlguard")
        cpu = str(min(os.sched_getaffinity(0)))
        m = self.start("line", "facts", sandbox=sandbox, init_words=["--preload", guard, "--cpu", cpu])
        c = m.connect()
        c.flag(F_STARTED)
        c.write("con0", b"\n")
        self.assertEqual(c.flag(F_EXITED).pinned_cpu, int(cpu))
        m.wait()
        self.assertIn(("facts: personality 40000 core 0 cpus 1 signals 1 preload %s" %
                       guard).encode(), m.log())

    def test_without_options_nothing_is_preloaded_or_pinned(self):
        m = self.start("facts", env=(("PATH", "/bin"), ("LD_PRELOAD", "/nonexistent.so")))
        m.wait()
        self.assertIn(b"cpus %d" % len(os.sched_getaffinity(0)), m.log())
        self.assertIn(b"preload none", m.log())


if __name__ == "__main__":
    fixture.main()
