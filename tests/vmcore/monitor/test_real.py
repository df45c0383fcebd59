"""Real UML kernels under umlmon: they boot, end, and leave nothing running on the host."""

import os
import signal

import fixture
import harness
import real
from fixture import both
from harness import F_EXITED, F_PANIC, F_READY, F_UP, KILL

ESCAPED = "/tmp/um-escaped"


class Real(fixture.MonitorTest):
    def setUp(self):
        super().setUp()
        if os.path.exists(ESCAPED):
            os.unlink(ESCAPED)

    def boot(self, what="loop", sandbox=True, ready="notify", **options):
        why = real.missing(sandbox) or (sandbox and fixture.NO_SANDBOX)
        if why:
            self.skipTest(why)
        env = real.ENV
        m = harness.Monitor(lambda m: real.argv(m, what, sandbox, **options), ready=ready, env=env)
        self.addCleanup(m.stop)
        return m, m.connect()

    def up(self, c, m):
        """Processes of a guest that is ready and running user code."""
        c.flag(F_READY)
        c.attach(flags=harness.READ_ONLY)[1].until(b"tick")
        return harness.Watched(harness.descendants(m.process.pid))

    def clean(self, watched):
        self.assertEqual(watched.survivors(), [])
        watched.close()
        self.assertFalse(os.path.exists(ESCAPED), "a guest process wrote on the host")

    @both
    def test_kill_leaves_nothing(self, sandbox):
        m, c = self.boot(sandbox=sandbox)
        watched = self.up(c, m)
        self.assertGreaterEqual(len(watched.fds), 5)
        self.assertEqual(c.ask(KILL), (0, ""))
        c.flag(F_EXITED)
        self.clean(watched)

    @both
    def test_a_sigkill_of_main_leaves_nothing(self, sandbox):
        m, c = self.boot(sandbox=sandbox)
        watched = self.up(c, m)
        harness.kill(c.state.main_pid)
        state = c.flag(F_EXITED)
        self.assertEqual(state.wait_status, signal.SIGKILL)
        self.clean(watched)

    def test_a_sigkill_of_main_leaves_nothing_even_without_the_guard(self):
        m, c = self.boot(guard=False)
        watched = self.up(c, m)
        harness.kill(c.state.main_pid)
        c.flag(F_EXITED)
        self.clean(watched)

    @both
    def test_a_sigkill_of_umlmon_leaves_nothing(self, sandbox):
        m, c = self.boot(sandbox=sandbox)
        watched = self.up(c, m)
        m.process.kill()
        self.assertTrue(watched.all_end(10), watched.survivors())
        self.clean(watched)

    @both
    def test_a_sigkill_of_umlinit_leaves_nothing(self, sandbox):
        m, c = self.boot(sandbox=sandbox)
        watched = self.up(c, m)
        init = [p for p in watched.fds if harness.comm(p) == "umlinit"]
        harness.kill(init[0])
        c.flag(F_EXITED)
        self.clean(watched)

    def test_the_guests_exit_code(self):
        m, c = self.boot("halt")
        state = c.flag(F_EXITED)
        self.assertEqual(state.wait_status, 7 << 8)
        self.assertTrue([s for s in c.states if s.flags & F_READY])
        m.wait()
        self.assertIn(b"guest init runs: halt", m.log())

    def test_a_panic(self):
        m, c = self.boot("panic")
        state = c.flag(F_EXITED)
        self.assertTrue(state.flags & F_PANIC)
        self.assertIn("Attempted to kill init", state.panic)
        self.assertEqual(state.wait_status & 0x7F, signal.SIGABRT)

    def test_a_reboot_in_place(self):
        m, c = self.boot("reboot")
        c.until(lambda c: next((s for s in c.states if s.boot == 2 and s.flags & F_READY), None))
        first, second = [s for s in c.states if s.flags & F_UP][0], c.state
        self.assertEqual(first.main_pid, second.main_pid)
        self.assertIn(b"guest init runs: reboot", m.log(boot=1))
        c.attach(flags=harness.READ_ONLY, back=-1)[1].until(b"guest init runs: reboot")


if __name__ == "__main__":
    fixture.main()
