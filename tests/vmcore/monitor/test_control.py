"""umld's connections: states, notifications and their limits, requests, malformed messages."""

import os
import signal
import socket
import stat
import struct
import time

import fixture
import harness
from fixture import both
from harness import (CONSOLES, F_EXITED, F_PANIC, F_READY, F_STARTED, F_UP, KEPT, KILL, PIN, SIGNAL,
                     STATE)


class Connections(fixture.MonitorTest):
    def test_state_comes_first_and_consoles_second(self):
        m = self.start("wait")
        c = m.connect()
        c.until(lambda c: c.consoles)
        self.assertEqual(c.order[:2], [STATE, CONSOLES])
        self.assertEqual(c.states[0].monitor_pid, m.process.pid)
        self.assertEqual(harness.comm(m.process.pid), "umlmon:t1")

    def test_sockets_are_for_the_owner_only(self):
        m = self.start("wait")
        m.connect().flag(F_STARTED)
        for path in (m.socket, m.notify):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_umlmon_leads_a_session_of_its_own(self):
        m = self.start("wait")
        m.connect().flag(F_STARTED)
        self.assertEqual(os.getsid(m.process.pid), m.process.pid)

    def test_several_daemons_get_every_change_and_a_ninth_is_closed(self):
        m = self.start("line", "notify:0:up", "wait")
        connections = [m.connect() for _ in range(8)]
        for c in connections:
            c.flag(F_STARTED)
        ninth = m.connect()
        self.assertFalse(ninth.pump())
        connections[0].write("con0", b"\n")
        for c in connections:
            c.flag(F_UP)
        connections[3].close()
        deadline = time.monotonic() + harness.TIMEOUT
        while not (again := m.connect()).pump():
            self.assertLess(time.monotonic(), deadline)
        self.assertTrue(again.states)

    def test_a_new_daemon_finds_the_state_as_it_is(self):
        m = self.start("notify:0:up", "notify:3:READY=1", "wait", ready="notify")
        first = m.connect()
        main = first.flag(F_READY).main_pid
        first.close()
        state = m.connect().flag(F_READY)
        self.assertEqual(state.main_pid, main)

    def test_malformed_messages_close_the_connection_and_nothing_else(self):
        m = self.start("wait")
        device = struct.pack("=16s", b"con0")
        attach = struct.pack("=16sIIq", b"con0", 0, 0, 0)
        null = os.open("/dev/null", os.O_RDONLY)
        self.addCleanup(os.close, null)
        for kind, body, options in (
                (KILL, b"", {"version": 1}), (KILL, b"", {"length": 5}), (KILL, b"x", {}),
                (PIN, b"\0" * 7, {}), (PIN, b"\0" * 9, {}), (harness.ATTACH, device, {}),
                (harness.ATTACH, attach, {}), (harness.ATTACH, attach, {"fds": [null] * 3}),
                (KILL, b"", {"fds": [null]}), (99, b"", {}), (0, b"", {}), (STATE, b"", {}),
                (harness.WRITE, device, {}), (SIGNAL, b"\0" * 4, {})):
            c = m.connect()
            c.flag(F_STARTED)
            c.until(lambda c: c.consoles)
            c.send(kind, body, *options.pop("fds", ()), **options)
            while c.pump():
                pass
            self.assertTrue(c.eof)
            self.assertEqual(c.replies, {})
        for raw in (b"x", b"x" * 15, b"x" * 16, b"x" * 5000):
            c = m.connect()
            c.flag(F_STARTED)
            c.sock.send(raw)
            while c.pump():
                pass
        self.assertFalse(m.connect().flag(F_STARTED).flags & F_EXITED)

    def test_a_daemon_that_does_not_read_is_closed_and_the_guest_goes_on(self):
        m = self.start("line", "say:alive", "wait")
        c = m.connect()
        c.flag(F_STARTED)
        try:
            for _ in range(20000):
                c.send(harness.RESIZE, struct.pack("=16sHHI", b"con0", 24, 80, 0))
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            self.fail("was not closed")
        other = m.connect()
        other.write("con0", b"\n")
        other.attach(flags=harness.READ_ONLY)[1].until(b"alive")


class Notifications(fixture.MonitorTest):
    def start_held(self, *words, **options):
        """A guest that waits for a line, so that the daemon is there before it goes on."""
        m = self.start("line", *words, **options)
        c = m.connect()
        c.flag(F_STARTED)
        c.write("con0", b"\n")
        return m, c

    def test_they_are_forwarded_whole_with_their_boot(self):
        text = "x" * 512
        m, c = self.start_held("notify:0:/path", "notify:3:a\\nb", "notify:3:" + text,
                               "notify:2:", "wait", boot=3)
        c.until(lambda c: len(c.notifies) >= 4)
        self.assertEqual(c.notifies, [(0, b"/path", 3), (3, b"a\nb", 3), (3, text.encode(), 3),
                                      (2, b"", 3)])

    def test_only_main_speaks_for_the_guest(self):
        m, c = self.start_held("alien:3:READY=1", "alien:1:panic", "alien:0:up", "garbage:3", "notify:3:last", "wait",
                               ready="notify")
        c.until(lambda c: c.notifies)
        self.assertEqual(c.notifies, [(3, b"last", 1)])
        # Dropped ones are reported without a flood of reports.
        c.until(lambda c: c.state.notify_dropped == 6)
        self.assertFalse(c.state.flags & (F_READY | F_UP | F_PANIC))

    @both
    def test_the_watchdog_helper_may_say_hang_and_not_often(self, sandbox):
        m, c = self.start_held(*["alien:2:"] * 50, "notify:3:last", "wait", sandbox=sandbox)
        c.until(lambda c: (3, b"last", 1) in c.notifies)
        hangs = [n for n in c.notifies if n[0] == 2]
        self.assertGreaterEqual(len(hangs), 5)
        self.assertLess(len(hangs), 50)
        c.until(lambda c: c.state.notify_dropped == 50 - len(hangs))

    def test_a_new_daemon_hears_the_last_word_of_each_kind(self):
        m, c = self.start_held("notify:3:STATUS=a\\nMETRIC x 1", "notify:3:STATUS=b\\nhello", "notify:3:HEALTH=failing disk",
                               "line", "notify:0:up", "notify:3:METRIC x 2", "line", "notify:0:again", "notify:3:STATUS=new", "wait")
        c.until(lambda c: len(c.notifies) == 3)
        again = m.connect()
        again.until(lambda c: c.notifies)
        self.assertEqual(again.notifies, [(KEPT, b"STATUS=b\nMETRIC x 1\nHEALTH=failing disk\n", 1)])
        self.assertEqual(again.order, [harness.STATE, harness.CONSOLES, harness.NICS, harness.NOTIFY])
        c.write("con0", b"\n")  # the first boot of the kernel: still the same life
        c.until(lambda c: len(c.notifies) == 5)
        again = m.connect()
        again.until(lambda c: c.notifies)
        self.assertEqual(again.notifies, [(KEPT, b"STATUS=b\nMETRIC x 2\nHEALTH=failing disk\n", 1)])
        c.write("con0", b"\n")  # a reboot in place: what was said before is over
        c.until(lambda c: len(c.notifies) == 7)
        again = m.connect()
        again.until(lambda c: c.notifies)
        self.assertEqual(again.notifies, [(KEPT, b"STATUS=new\n", 2)])

    def test_after_a_flood_the_last_word_is_told_all_the_same(self):
        m, c = self.start_held("flood:20000", "notify:3:HEALTH=failing", "wait")
        c.until(lambda c: (KEPT, b"HEALTH=failing\n", 1) in c.notifies)
        self.assertGreater(c.state.notify_dropped, 0)

    def test_strangers_on_the_host_do_not_count_either(self):
        m = self.start("wait", ready="notify")
        c = m.connect()
        c.flag(F_STARTED)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(struct.pack("=IIII", 0xCAFEBABE, 2, 3, 7) + b"READY=1", m.notify)
        c.until(lambda c: c.state.notify_dropped == 1)
        self.assertFalse(c.state.flags & F_READY)

    @both
    def test_ready_is_one_line_among_several(self, sandbox):
        m, c = self.start_held("notify:3:READY=10\\nNOTREADY=1", "notify:3:STATUS=x\\nREADY=1\\n",
                               "wait", ready="notify", sandbox=sandbox)
        c.flag(F_READY)
        self.assertEqual([n[1] for n in c.notifies], [b"READY=10\nNOTREADY=1"])

    def test_ready_with_the_kernel(self):
        m, c = self.start_held("notify:0:up", "wait", ready="kernel")
        state = c.flag(F_UP)
        self.assertTrue(state.flags & F_READY)

    def test_a_flood_is_drained_limited_and_counted(self):
        begin = time.monotonic()
        m, c = self.start_held("notify:0:up", "flood:20000", "notify:3:READY=1", "notify:1:oops",
                               "notify:0:again", "say:through", "wait", ready="notify")
        console = c.attach(flags=harness.READ_ONLY)[1]
        console.until(b"through")
        c.until(lambda c: len([n for n in c.notifies if n[0] == 0]) == 2)
        elapsed = time.monotonic() - begin
        users = len([n for n in c.notifies if n[0] == 3])
        self.assertGreaterEqual(users, 190)
        self.assertLessEqual(users, 200 + 100 * (elapsed + 2))
        # The important ones went through, and what they mean was done.
        self.assertIn((1, b"oops", 1), c.notifies)
        self.assertTrue([s for s in c.states if s.flags & F_READY])
        self.assertEqual(c.state.boot, 2)
        c.until(lambda c: c.state.notify_dropped >= 20000 - users)

    def test_a_flood_without_any_daemon_does_not_hold_the_guest(self):
        m = self.start("flood:20000", "exit:2")
        self.assertEqual(m.wait(), 0)
        self.assertEqual(m.record()["wait_status"], str(2 << 8))

    def test_forged_boots_are_limited_too(self):
        words = ["notify:0:x"] * 400
        begin = time.monotonic()
        m, c = self.start_held(*words, "say:through", "wait", log_parts=3)
        c.attach(flags=harness.READ_ONLY)[1].until(b"through")
        # So many states may have closed a daemon that was not quick; a new one sees the result.
        again = m.connect()
        self.assertTrue(again.pump())
        self.assertGreater(again.state.notify_dropped, 0)
        # A burst of 100, then 50 in a second.
        self.assertLess(again.state.boot, 110 + 50 * (time.monotonic() - begin))
        self.assertLessEqual(len(os.listdir(m.log_dir)), 3)

    def test_a_panic_is_kept_as_one_line(self):
        m, c = self.start_held("notify:1:Kernel panic\\nsecond line", "notify:1:another",
                               "raise:6")
        state = c.flag(F_EXITED)
        self.assertTrue(state.flags & F_PANIC)
        self.assertEqual(state.panic, "Kernel panic second line")
        m.wait()
        self.assertEqual(m.record()["panic"], "Kernel panic second line")
        self.assertEqual(state.wait_status, 6)


def all_cpus():
    """All that a process may use here, however the tests themselves are pinned."""
    own = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, range(os.cpu_count()))
        return os.sched_getaffinity(0)
    finally:
        os.sched_setaffinity(0, own)


class Requests(fixture.MonitorTest):
    @both
    def test_pin_reaches_every_process_and_is_undone(self, sandbox):
        m = self.start("chain:3", "say:up", "wait", sandbox=sandbox)
        c = m.connect()
        c.attach()[1].until(b"up")
        main = c.flag(F_STARTED).main_pid
        cpu = min(os.sched_getaffinity(0))
        tree = [main] + list(harness.descendants(main))
        self.assertEqual(c.ask(PIN, struct.pack("=ii", cpu, 0)), (0, ""))
        self.assertEqual([os.sched_getaffinity(p) for p in tree], [{cpu}] * 4)
        self.assertEqual(c.state.pinned_cpu, cpu)
        self.assertEqual(c.ask(PIN, struct.pack("=ii", -1, 0)), (0, ""))
        self.assertEqual([os.sched_getaffinity(p) for p in tree], [all_cpus()] * 4)
        self.assertEqual(c.state.pinned_cpu, -1)
        self.assertEqual(c.ask(PIN, struct.pack("=ii", 1000, 0))[0], 22)
        self.assertEqual(c.ask(PIN, struct.pack("=ii", -5, 0))[0], 22)

    @both
    def test_a_signal_reaches_main_only(self, sandbox):
        m = self.start("chain:2", "signal:10", "wait", sandbox=sandbox)
        c = m.connect()
        console = c.attach()[1]
        console.until(b"awaiting")
        below = harness.descendants(m.process.pid)
        self.assertEqual(c.ask(SIGNAL, struct.pack("=ii", 10, 0)), (0, ""))
        console.until(b"signal 10")
        self.assertEqual(harness.descendants(m.process.pid).keys(), below.keys())
        for bad in (0, -1, 65, 1000):
            self.assertEqual(c.ask(SIGNAL, struct.pack("=ii", bad, 0))[0], 22)

    def test_requests_after_the_end_are_answered(self):
        m = self.start("line", "lines:30000", "exit:0")
        c = m.connect()
        c.attach()[1].sock.sendall(b"\n")  # a client that does not read: two seconds' time
        c.flag(F_EXITED)
        self.assertEqual(c.ask(KILL), (0, ""))
        self.assertEqual(c.ask(SIGNAL, struct.pack("=ii", 15, 0))[0], 3)
        self.assertEqual(c.ask(PIN, struct.pack("=ii", 0, 0))[0], 3)
        m.wait()
        self.assertFalse(int(m.record()["flags"]) & harness.F_KILLED)

    def test_a_stopped_umlinit_does_not_save_a_guest_from_kill(self):
        m = self.start("chain:2", "say:up", "wait")
        c = m.connect()
        c.attach()[1].until(b"up")
        init = [p for p in harness.descendants(m.process.pid) if harness.comm(p) == "umlinit"]
        harness.kill(init[0], signal.SIGSTOP)
        watched = harness.Watched(harness.descendants(m.process.pid))
        self.assertEqual(c.ask(KILL), (0, ""))
        c.flag(F_EXITED)
        self.assertEqual(watched.survivors(), [])
        watched.close()


class Size(fixture.MonitorTest):
    def test_umlmon_is_small(self):
        m = self.start("say:up", "wait", consoles=["con1 managed 10"])
        c = m.connect()
        c.attach()[1].until(b"up")
        with open("/proc/%d/smaps_rollup" % m.process.pid, encoding="utf-8") as f:
            sizes = {l.split(":")[0]: int(l.split()[1]) for l in f if l.endswith("kB\n")}
        with open("/proc/%d/maps" % m.process.pid, encoding="utf-8") as f:
            if "libasan" in f.read():
                self.skipTest("sanitized build")
        print("umlmon PSS %(Pss)d KiB, private %(Private_Dirty)d KiB" % sizes)
        # PSS depends on who else maps libc; what is umlmon's own does not.
        self.assertLessEqual(sizes["Private_Dirty"] + sizes["Private_Clean"], 300)


if __name__ == "__main__":
    fixture.main()
