"""Consoles: logs, clients, typing, ptys handed to users, readiness by pattern."""

import fcntl
import os
import select
import signal
import socket
import struct
import termios
import time

import fixture
import harness
from harness import F_EXITED, F_READY, F_STARTED, F_UP, READ_ONLY, STEAL


def send_all_possible(sock):
    """Fill a non-blocking socket; bytes sent."""
    sock.setblocking(False)
    sent = 0
    try:
        while True:
            sent += sock.send(b"x" * 4096)
    except BlockingIOError:
        return sent
    finally:
        sock.setblocking(True)


class Output(fixture.MonitorTest):
    def test_history_and_live_output_reach_a_reader(self):
        m = self.start("say:early\\n", "line", "say:late\\n", "wait")
        c = m.connect()
        result, console = c.attach()
        self.assertEqual(result, (0, ""))
        console.until(b"early\n")
        console.sock.sendall(b"go\n")
        console.until(b"got <go>\nlate\n")
        self.assertEqual(m.log(), b"early\ngot <go>\nlate\n")  # raw pty: no echo, no CR added

    def test_each_reader_starts_where_it_asks(self):
        m = self.start("say:0123456789", "line", "wait")
        c = m.connect()
        c.attach()[1].until(b"0123456789")
        for back, text in ((-2, b"0123456789"), (-1, b"0123456789"), (3, b"789"), (0, b"")):
            console = c.attach(flags=READ_ONLY, back=back)[1]
            if text:
                console.until(text)
            self.assertEqual(console.data, text)

    def test_the_greeting_comes_before_earlier_and_later_output(self):
        m = self.start("say:earlier,", "line", "wait")
        c = m.connect()
        c.attach(flags=READ_ONLY)[1].until(b"earlier,")
        c.write("con0", b"x\n")  # its answer may be earlier or later output
        console = c.attach(back=-1, greeting=b"{hello}\0")[1]
        console.until(b"got <x>\n")
        self.assertEqual(console.data, b"{hello}\0earlier,got <x>\n")

    def test_whoever_has_seen_the_greeting_misses_nothing(self):
        m = self.start("echo")
        c = m.connect()
        writer = c.attach()[1]
        for number in range(30):
            result, reader = c.attach(flags=READ_ONLY, back=0, greeting=b"in:", ask=c.send)
            reader.until(b"in:")
            writer.sock.sendall(b"<%d>" % number)
            # Nothing but what was typed since, and all of it.
            self.assertEqual(reader.until(b">"), b"in:<%d>" % number)
            self.assertEqual(c.until(lambda c: c.replies.get(result)), (0, ""))
            reader.close()
            writer.until(b"<%d>" % number)

    def test_a_greeting_that_is_too_long_is_refused(self):
        m = self.start("wait")
        c = m.connect()
        self.assertEqual(c.attach(greeting=b"x" * 193)[0][0], 90)  # EMSGSIZE
        self.assertEqual(c.attach(greeting=b"x" * 192)[1].until(b"x" * 192), b"x" * 192)

    def test_nobody_is_greeted_of_whom_the_daemon_cannot_be_told(self):
        m = self.start("echo")
        daemon, other = m.connect(), m.connect()
        for c in (daemon, other):
            c.flag(F_STARTED)
        m.process.send_signal(signal.SIGSTOP)
        client = daemon.attach(greeting=b"hello", early=b"lost", ask=daemon.send)[1]
        daemon.sock.close()
        m.process.send_signal(signal.SIGCONT)
        self.assertEqual(client.to_end(), b"")
        # Its place is free, and nothing was typed.
        result, console = other.attach(early=b"typed")
        self.assertEqual(result, (0, ""))
        self.assertEqual(console.until(b"typed"), b"typed")

    def test_a_slow_reader_loses_nothing_without_rotation(self):
        m = self.start("line", "lines:40000", "say:done", "wait", log_size=64 << 20)
        c = m.connect()
        console = c.attach()[1]
        fast = c.attach(flags=READ_ONLY)[1]
        console.sock.sendall(b"\n")
        fast.until(b"done")  # the slow one has read nothing yet
        console.until(b"done")
        numbers = [int(l.split()[1]) for l in console.data.splitlines() if l.startswith(b"line")]
        self.assertEqual(numbers, list(range(40000)))
        self.assertEqual(console.data, fast.data)

    def test_a_slow_reader_is_told_what_rotation_took(self):
        m = self.start("line", "lines:40000", "say:done", "line", "wait", log_size=8192,
                       log_parts=4)
        c = m.connect()
        console = c.attach()[1]
        console.sock.sendall(b"\n")
        fast = c.attach(flags=READ_ONLY, back=0)[1]
        fast.until(b"done")
        console.until(b"done")
        self.assertIn(b"bytes dropped by rotation ...]", console.data)
        # What is shown plus what is said to be dropped is the whole.
        dropped = sum(int(line.split()[1]) for line in console.data.split(b"\r\n")
                      if line.startswith(b"[... "))
        notes = sum(len(line) + 4 for line in console.data.split(b"\r\n")
                    if line.startswith(b"[... "))
        whole = sum(len("line %08d ......................................\n" % i)
                    for i in range(40000)) + len("got <>\ndone")
        self.assertEqual(len(console.data) - notes + dropped, whole)

    def test_logs_are_rotated_and_bounded(self):
        m = self.start("lines:2000", log_size=4096, log_parts=3)
        m.wait()
        sizes = {n: os.path.getsize(os.path.join(m.log_dir, n)) for n in os.listdir(m.log_dir)}
        self.assertEqual(len(sizes), 3, sizes)
        self.assertLessEqual(max(sizes.values()), 4096)
        self.assertTrue(m.log().endswith(b"line 00001999 %s\n" % (b"." * 38)))

    def test_a_guest_nobody_reads_is_not_held_up(self):
        m = self.start("lines:100000", "exit:4", log_size=1 << 20, log_parts=2)
        self.assertEqual(m.wait(), 0)
        self.assertEqual(m.record()["wait_status"], str(4 << 8))

    def test_a_reader_that_stopped_sending_still_reads(self):
        m = self.start("line", "say:after\\n", "line", "wait")
        c = m.connect()
        console = c.attach()[1]
        console.sock.sendall(b"x\n")
        console.sock.shutdown(socket.SHUT_WR)
        console.until(b"got <x>\nafter\n")
        # And it is no writer any more.
        self.assertEqual(c.attach()[0], (0, ""))

    def test_readers_get_the_rest_after_the_end(self):
        m = self.start("line", "lines:30000", "say:the end", "exit:0", log_size=64 << 20)
        c = m.connect()
        console = c.attach()[1]
        console.sock.sendall(b"\n")
        c.flag(F_EXITED)
        self.assertTrue(console.to_end().endswith(b"the end"))
        self.assertEqual(console.data.count(b"line "), 30000)
        self.assertEqual(m.wait(), 0)

    def test_a_reader_that_never_reads_holds_umlmon_for_two_seconds_only(self):
        m = self.start("line", "lines:30000", "exit:0")
        c = m.connect()
        console = c.attach()[1]
        console.sock.sendall(b"\n")
        c.flag(F_EXITED)
        begin = time.monotonic()
        self.assertEqual(m.wait(), 0)
        self.assertLess(time.monotonic() - begin, 30)

    def test_a_second_console_has_its_own_log_and_clients(self):
        m = self.start("write:10:on one\\n", "say:on zero\\n", "read:10", "wait",
                       consoles=["con1 managed 10"])
        c = m.connect()
        one = c.attach("con1")[1]
        one.until(b"on one\n")
        one.sock.sendall(b"hello\n")
        c.attach("con0")[1].until(b"on zero\n10 got <hello>\n")
        self.assertEqual(m.log("con1"), b"on one\n")
        self.assertEqual(c.consoles, {"con0": ["managed", "-"], "con1": ["managed", "-"]})

    def test_log_files_of_earlier_boots_are_kept_and_read(self):
        m = self.start("say:first", boot=1)
        m.wait()
        again = self.start("say:second", "wait", boot=2, log_dir=m.log_dir)
        console = again.connect().attach(back=-2)[1]
        console.until(b"firstsecond")
        only = again.connect().attach(flags=READ_ONLY, back=-1)[1]
        self.assertEqual(only.until(b"second"), b"second")


class Input(fixture.MonitorTest):
    def test_a_second_writer_is_refused_but_a_reader_is_not(self):
        m = self.start("echo")
        c = m.connect()
        first = c.attach()[1]
        result, second = c.attach()
        self.assertEqual(result[0], 16)  # EBUSY
        self.assertIn("somebody else", result[1])
        self.assertEqual(second.to_end(), b"")  # closed
        self.assertEqual(c.attach(flags=READ_ONLY)[0], (0, ""))
        first.close()
        # The place is free once umlmon has seen the hangup.
        deadline = time.monotonic() + harness.TIMEOUT
        while c.attach()[0][0]:
            self.assertLess(time.monotonic(), deadline)

    def test_stealing_makes_the_old_writer_a_reader(self):
        m = self.start("echo")
        c = m.connect()
        old = c.attach()[1]
        old.sock.sendall(b"old")
        old.until(b"old")
        result, new = c.attach(flags=STEAL)
        self.assertEqual(result, (0, ""))
        old.until(b"[console taken over]")
        old.sock.sendall(b"ignored")
        new.sock.sendall(b"new")
        old.until(b"new")
        self.assertEqual(new.until(b"new"), b"oldnew")
        self.assertNotIn(b"ignored", old.data)

    def test_a_read_only_client_types_nothing(self):
        m = self.start("echo")
        c = m.connect()
        reader = c.attach(flags=READ_ONLY)[1]
        reader.sock.sendall(b"ignored")
        c.write("con0", b"typed")
        reader.until(b"typed")
        self.assertEqual(m.log(), b"typed")

    def test_a_guest_that_does_not_read_pushes_back_and_loses_nothing(self):
        total = 1000000
        m = self.start("signal:10", "count:%d" % total, "wait")
        c = m.connect()
        console = c.attach()[1]
        console.until(b"awaiting")
        sent = send_all_possible(console.sock)
        # umlmon took its bounded share and no more.
        self.assertLess(sent, total)
        self.assertEqual(c.ask(harness.SIGNAL, struct.pack("=ii", 10, 0)), (0, ""))
        console.sock.sendall(b"y" * (total - sent))
        console.until(b"counted %d" % total)

    def test_what_was_typed_before_hanging_up_arrives(self):
        m = self.start("signal:10", "count:100000", "wait")
        c = m.connect()
        console = c.attach()[1]
        console.until(b"awaiting")
        console.sock.setblocking(False)
        self.assertEqual(console.sock.send(b"x" * 100000), 100000)
        console.close()
        reader = c.attach(flags=READ_ONLY)[1]
        c.ask(harness.SIGNAL, struct.pack("=ii", 10, 0))
        reader.until(b"counted 100000")

    def test_what_was_sent_early_is_typed_first_and_whole(self):
        early = b"".join(b"%06d," % i for i in range(40000))
        m = self.start("signal:10", "echo")
        c = m.connect()
        writer = c.attach(early=early)[1]
        writer.until(b"awaiting")  # and does not read: umlmon's share is taken, the rest waits
        writer.sock.sendall(b"later")
        c.ask(harness.SIGNAL, struct.pack("=ii", 10, 0))
        text = writer.until(b"later")
        self.assertEqual(text[text.index(b"000000,"):], early + b"later")

    def test_early_input_is_dropped_with_its_right_to_type(self):
        m = self.start("signal:10", "echo")
        c = m.connect()
        old = c.attach(early=b"old," * 100000)[1]
        old.until(b"awaiting")
        new = c.attach(flags=STEAL, early=b"new.")[1]
        ignored = c.attach(flags=READ_ONLY, early=b"read-only")[1]
        c.ask(harness.SIGNAL, struct.pack("=ii", 10, 0))
        text = new.until(b"new.")
        self.assertLess(text.count(b"old,"), 90000)  # a pty's and umlmon's share was on its way
        ignored.sock.sendall(b"read-only")
        c.write("con0", b"!")
        self.assertNotIn(b"read-only", ignored.until(b"!"))

    def test_write_requests_are_typed_until_the_console_is_full(self):
        m = self.start("signal:10", "line", "wait")
        c = m.connect()
        c.attach(flags=READ_ONLY)[1].until(b"awaiting")
        results = [c.write("con0", b"z" * 4000)[0] for _ in range(60)]
        self.assertEqual(results[0], 0)
        self.assertEqual(results[-1], 11)  # EAGAIN
        self.assertEqual(set(results), {0, 11})

    def test_window_sizes(self):
        m = self.start("winsize", "line", "winsize", "wait")
        c = m.connect()
        console = c.attach()[1]
        console.until(b"winsize 24 80\n")
        self.assertEqual(c.ask(harness.RESIZE, struct.pack("=16sHHI", b"con0", 50, 132, 0)), (0, ""))
        console.sock.sendall(b"\n")
        console.until(b"winsize 50 132\n")

    def test_attach_refusals(self):
        m = self.start("wait", consoles=["con1 pts 10"])
        c = m.connect()
        self.assertEqual(c.attach("con7")[0][0], 19)  # ENODEV
        self.assertEqual(c.attach("con1")[0][0], 95)  # EOPNOTSUPP
        body = struct.pack("=16sIIq", b"con0", 0, 0, 0)
        with open("/dev/null", "rb") as null:
            self.assertEqual(c.ask(harness.ATTACH, body, null.fileno())[0], 88)  # ENOTSOCK
        for bad in (struct.pack("=16sIIq", b"x" * 16, 0, 0, 0),
                    struct.pack("=16sIIq", b"con0", 8, 0, 0),
                    struct.pack("=16sIIq", b"con0", 0, 0, -3)):
            ours, theirs = socket.socketpair()
            self.assertEqual(c.ask(harness.ATTACH, bad, theirs.fileno())[0], 22)  # EINVAL
            theirs.close()
            self.assertEqual(ours.recv(1), b"")
            ours.close()
        results = [c.attach(flags=READ_ONLY)[0][0] for _ in range(40)]
        self.assertEqual(results.count(0), 32)
        self.assertEqual(results[-1], 87)  # EUSERS


class Pts(fixture.MonitorTest):
    def test_users_open_the_slave_and_may_close_it_again(self):
        m = self.start("write:10:guest says\\n", "read:10", "read:10", "wait",
                       consoles=["con1 pts 10"])
        c = m.connect()
        console = c.attach(flags=READ_ONLY)[1]
        kind, path = c.until(lambda c: c.consoles)["con1"]
        self.assertEqual(kind, "pts")
        for text in (b"first", b"second"):
            user = os.open(path, os.O_RDWR | os.O_NOCTTY)
            if text == b"first":
                said = b""
                while not said.endswith(b"\n"):
                    self.assertTrue(select.select([user], [], [], 10)[0])
                    said += os.read(user, 100)
                self.assertEqual(said, b"guest says\n")
            os.write(user, text + b"\n")
            os.close(user)  # no hangup for the guest: umlmon keeps the slave open
            console.until(b"10 got <%s>" % text)

    def test_slaves_are_raw(self):
        m = self.start("wait", consoles=["con1 pts 10"])
        path = m.connect().until(lambda c: c.consoles)["con1"][1]
        user = os.open(path, os.O_RDWR | os.O_NOCTTY)
        flags = termios.tcgetattr(user)
        size = struct.unpack("HHHH", fcntl.ioctl(user, termios.TIOCGWINSZ, b"\0" * 8))
        os.close(user)
        self.assertEqual(flags[3] & (termios.ECHO | termios.ICANON | termios.ISIG), 0)
        self.assertEqual(flags[1] & termios.OPOST, 0)
        self.assertEqual(size[:2], (24, 80))


class Boots(fixture.MonitorTest):
    def test_a_reboot_in_place_starts_new_logs_and_clears_ready(self):
        m = self.start("say:a", "write:10:b", "notify:0:s1", "notify:3:READY=1", "line",
                       "notify:0:s2", "say:c", "line", "notify:3:READY=1", "wait",
                       consoles=["con1 managed 10"], ready="notify", boot=6)
        c = m.connect()
        console = c.attach(flags=READ_ONLY)[1]
        first = c.flag(F_UP | F_READY)
        self.assertEqual(first.boot, 6)
        self.assertGreater(first.ready_wall_ns, 0)
        c.write("con0", b"\n")
        second = c.until(lambda c: next((s for s in c.states if s.boot == 7), None))
        self.assertTrue(second.flags & F_UP)
        self.assertFalse(second.flags & F_READY)
        self.assertEqual(second.ready_wall_ns, 0)
        self.assertGreaterEqual(second.up_wall_ns, first.up_wall_ns)
        console.until(b"c")
        # What came just before the notification may be read after it; never the other way round.
        self.assertEqual(m.log("con0"), b"agot <>\nc")
        self.assertTrue(m.log("con0", 6).startswith(b"a"))
        self.assertTrue(m.log("con0", 7).endswith(b"c"))
        self.assertIn("con1.7.0.log", os.listdir(m.log_dir))
        c.write("con0", b"\n")
        c.until(lambda c: c.state.boot == 7 and c.state.flags & F_READY)
        m.process.send_signal(signal.SIGTERM)
        m.wait()
        self.assertEqual(m.record()["boot"], "7")

    def test_ready_by_console_pattern(self):
        m = self.start("say:booting\\n\\033[1mweb log", "line", "say:in: ", "wait",
                       ready="console", pattern="^(.\\[[0-9]m)?web login:")
        c = m.connect()
        c.flag(F_STARTED)
        c.write("con0", b"\n")
        # The pattern is sought in con0's lines, even those without an end.
        with self.assertRaises(TimeoutError):
            c.flag(F_READY, 0.3)  # `got <>` came between

    def test_ready_by_a_prompt_without_newline(self):
        m = self.start("say:booting\\n", "say:web login: ", "wait", ready="console",
                       pattern="^web login:")
        self.assertTrue(m.connect().flag(F_READY))

    def test_other_signs_of_readiness_do_not_count(self):
        m = self.start("line", "notify:0:s", "notify:3:READY=1", "say:x\\n", "line", "say:up\\n",
                       "wait", ready="console", pattern="^up$")
        c = m.connect()
        c.flag(F_STARTED)
        c.write("con0", b"\n")
        c.flag(F_UP)
        c.until(lambda c: [n for n in c.notifies if n[0] == 3])
        self.assertFalse(c.state.flags & F_READY)
        c.write("con0", b"\n")
        c.flag(F_READY)


if __name__ == "__main__":
    fixture.main()
