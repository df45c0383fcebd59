#!/usr/bin/env python3
"""test_uml_switch.py UML_SWITCH: the old command line, what it has always done and what it had wrong (S4 to S19)."""

import contextlib
import os
import pty
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

import switch_program  # noqa: E402
from switch_world import BROADCAST, LIMIT, closed, frame, request  # noqa: E402

UML_SWITCH = os.path.realpath(sys.argv.pop(1))
THEIRS = shutil.which("uml_switch")


class Switch(switch_program.Program):
    program = UML_SWITCH


class Protocol(Switch):
    def test_s4_what_is_not_served_is_hung_up_on_at_once(self):
        for words in ((), ("-compat-v0", "-unix", self.path("ctl"), self.path("data"))):
            process = self.start(*words)
            for text in (request(2, b"\0x"), request(4, b"\0x"), request(3, b"\0x", 9), b"rubbish" * 20):
                sock = self.connect("ctl", socket.SOCK_STREAM)
                sock.sendall(text)
                self.assertTrue(closed(sock), text)
            self.stop(process)

    def test_s5_a_request_may_come_in_pieces(self):
        self.start()
        first = self.client(split=60)
        self.pair(first, self.client(split=7, version=1))

    def test_s6_bytes_after_the_request_end_the_port_and_so_does_the_end(self):
        process = self.start()
        a, b = self.client(), self.client()
        a.control.sendall(b"x" * 300)
        self.assertTrue(closed(a.control))
        b.control.close()
        self.expect(process, "Disconnect\nDisconnect\n")

    def test_s15_nobody_but_its_client_can_send_to_a_port(self):
        self.start()
        a, b = self.client(), self.client()
        _, stranger = self.client().bound_socket()
        self.addCleanup(stranger.close)
        with self.assertRaises(PermissionError):
            stranger.sendto(frame(BROADCAST, 3, b""), a.to)
        self.pair(a, b)


class Version0(Switch):
    def start_v0(self, *words):
        return self.start("-compat-v0", "-unix", self.path("ctl"), self.path("data"), *words)

    def test_clients_of_all_versions_reach_each_other(self):
        process = self.start_v0()
        old, older, new = self.old_client(), self.old_client(), self.client()
        self.expect(process, "New connection\n" * 3)
        self.pair(old, new)
        older.send(frame(BROADCAST, 3, b"from older"))
        self.assertEqual(new.receive(), frame(BROADCAST, 3, b"from older"))
        old.send(frame(3, 1, b"from old"))
        self.assertEqual([older.receive() for _ in range(2)],
                         [frame(BROADCAST, 1, b"from a"), frame(3, 1, b"from old")])

    def test_s15_frames_of_strangers_are_dropped_and_counted(self):
        process = self.start_v0()
        a, b = self.old_client(), self.old_client()
        self.expect(process, "New connection\n" * 2)
        _, stranger = a.bound_socket()
        nameless = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        for sock in (stranger, nameless, stranger):
            sock.sendto(frame(BROADCAST, 9, b"stranger"), a.to)
            sock.close() if sock is nameless else None
        stranger.close()
        self.pair(a, b)
        self.assertEqual(self.stop(process), 0)
        self.assertIn(" Data socket dropped: 3 stranger\n", process.text)

    def test_s15_an_address_that_only_begins_like_a_clients_is_a_stranger(self):
        process = self.start_v0()
        a, b = self.old_client(), self.old_client()
        self.expect(process, "New connection\n" * 2)
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        stranger.bind(a.name.rstrip(b"\0"))
        stranger.sendto(frame(BROADCAST, 9, b"stranger"), a.to)
        self.pair(a, b)

    def test_a_client_that_left_is_a_stranger(self):
        process = self.start_v0()
        a, b = self.old_client(), self.old_client()
        self.expect(process, "New connection\n" * 2)
        a.control.close()
        self.expect(process, "Disconnect\n")
        a.send(frame(BROADCAST, 1, b""))
        self.pair(self.client(), b)

    def test_a_reader_that_pauses_loses_nothing(self):
        process = self.start_v0()
        a, b = self.old_client(), self.old_client()
        self.expect(process, "New connection\n" * 2)
        for i in range(50):  # far more than ten datagrams, less than makes the switch hold
            a.send(frame(BROADCAST, 1, b"%4d" % i))
        self.assertEqual([b.receive()[14:] for _ in range(50)], [b"%4d" % i for i in range(50)])

    def test_both_sockets_go_with_it_stale_ones_are_replaced_live_ones_refused(self):
        process = self.start_v0()
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["ctl", "ctl.lock", "data", "data.lock"])
        other = self.refused("-compat-v0", "-unix", self.path("ctl2"), self.path("data"))
        self.assertIn("data: another program listens there", other)
        process.kill()
        process.wait(LIMIT)
        self.assertTrue(os.path.exists(self.path("data")))
        process = self.start_v0()
        self.pair(self.client(), self.client())
        self.assertEqual(self.stop(process), 0)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_a_data_socket_needs_compat_v0_in_any_order(self):
        self.assertIn("-compat-v0 only", self.refused("-unix", self.path("ctl"), self.path("data")))
        process = self.start("-unix", self.path("ctl"), self.path("data"), "-compat-v0")
        self.expect(process, f"attached to unix sockets '{self.path('ctl')}' and '{self.path('data')}'")


class Forwarding(Switch):
    def test_s7_a_hub_passes_everything_to_everybody(self):
        process = self.start("-hub")
        self.assertIn("uml_switch will be a hub instead of a switch\n", process.text)
        a, b, c = (self.client() for _ in range(3))
        self.pair(a, b)
        self.assertEqual([c.receive() for _ in range(2)], [frame(BROADCAST, 1, b"from a"), frame(1, 2, b"from b")])

    def test_s16_addresses_age_in_a_daemon_as_well(self):
        subprocess.run([UML_SWITCH, "-unix", self.path("ctl"), "-age", "1", "-daemon"], check=True, timeout=LIMIT,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(self.end_daemon)
        a, b, c = (self.client() for _ in range(3))
        a.send(frame(BROADCAST, 1, b""))
        self.assertEqual(c.receive(), frame(BROADCAST, 1, b""))
        b.receive()
        deadline = time.monotonic() + LIMIT
        while not self.floods(b, 1, c):
            self.assertLess(time.monotonic(), deadline, "never forgotten")
            time.sleep(0.1)

    def end_daemon(self):
        pid = daemon_pid(self)
        os.kill(pid, signal.SIGTERM)
        wait_gone(pid)

    def test_s17_all_addresses_of_a_port_go_with_it(self):
        process = self.start("-age", "3600")
        a, b, c = (self.client() for _ in range(3))
        for mac in (1, 2, 3):
            a.send(frame(BROADCAST, mac, b""))
            b.receive(), c.receive()
        for mac in (1, 2, 3):
            self.assertFalse(self.floods(b, mac, c))
        a.control.close()
        self.expect(process, "Disconnect\n")
        for mac in (1, 2, 3):
            self.assertTrue(self.floods(b, mac, c))

    def test_s18_an_address_moves_at_once_and_both_ports_are_told(self):
        process = self.start()
        a, b = self.client(), self.client()
        a.send(frame(BROADCAST, 1, b""))
        b.receive()
        b.send(frame(BROADCAST, 1, b""))
        self.expect(process, " Addr: 02:00:00:00:00:01 New port 1\n Addr: 02:00:00:00:00:01 New port 2 old port 1\n")

    def test_s18_with_a_guard_time_it_stays(self):
        process = self.start("-guard", "3600")
        a, b, c = (self.client() for _ in range(3))
        a.send(frame(BROADCAST, 1, b""))
        b.receive(), c.receive()
        b.send(frame(BROADCAST, 1, b"stolen"))
        self.expect(process, " Addr: 02:00:00:00:00:01 from port 2 refused, it belongs to port 1\n")
        c.send(frame(1, 3, b"still yours"))
        self.assertEqual(a.receive(), frame(1, 3, b"still yours"))
        self.stop(process)
        self.assertIn(" Port 2 dropped: 1 move-guard\n", process.text)

    def test_s19_long_frames_pass_whole(self):
        self.start()
        a, b = self.client(), self.client()
        for size in (1500, 1504, 9000, 65000):
            a.send(frame(BROADCAST, 1, bytes(size)))
            self.assertEqual(b.receive(), frame(BROADCAST, 1, bytes(size)))

    def test_s19_what_is_too_short_or_too_long_is_dropped_and_counted(self):
        process = self.start("-longest", "1514")
        a, b = self.client(), self.client()
        a.send(frame(BROADCAST, 1, bytes(1501)))
        for runt in (b"", b"x", bytes(13)):
            a.send(runt)
        self.pair(a, b)
        self.stop(process)
        self.assertIn(" Port 1 dropped: 3 runt, 1 giant\n", process.text)


def daemon_pid(world):
    """Who has called listen()."""
    sock = world.connect("ctl", socket.SOCK_STREAM)
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)


def wait_gone(pid):
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(pid)
        try:
            switch_program.select.select([fd], [], [], LIMIT)
        finally:
            os.close(fd)


class Daemon(Switch):
    def start_daemon(self, *words, **more):
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **more}
        subprocess.run([UML_SWITCH, "-daemon", *words], check=True, timeout=LIMIT, **more)
        pid = daemon_pid(self)
        self.addCleanup(self.end_daemon, pid)
        return pid

    def end_daemon(self, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_gone(pid)

    def test_s9_it_serves_when_the_caller_goes_on_and_has_left_the_caller(self):
        # A pipe that the daemon kept would keep run() from returning.
        pid = self.start_daemon("-unix", self.path("ctl"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.pair(self.client(), self.client())
        self.assertEqual(os.getsid(pid), pid)
        self.assertEqual([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)], ["/dev/null"] * 3)
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")

    def test_s9_relative_paths_are_those_of_the_caller(self):
        pid = self.start_daemon("-compat-v0", "-unix", "ctl", "data", "-pidfile", "pid", cwd=self.folder.name)
        with open(self.path("pid"), encoding="ascii") as file:
            self.assertEqual(file.read(), f"{pid}\n")
        self.end_daemon(pid)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_s9_a_daemon_that_cannot_serve_is_an_error_of_the_caller(self):
        self.start_daemon("-unix", self.path("ctl"))
        self.assertIn("another program listens there", self.refused("-daemon", "-unix", self.path("ctl")))

    def test_a_log_file_is_written_on(self):
        with open(self.path("log"), "wb") as log:
            pid = self.start_daemon("-unix", self.path("ctl"), stdout=log, stderr=log)
        self.client().close()
        self.end_daemon(pid)
        with open(self.path("log"), encoding="ascii") as file:
            self.assertRegex(file.read(), r"(?s)^uml_switch attached.*\nNew connection\n.*Caught signal 15")

    def test_s10_hanging_up_does_not_end_a_daemon(self):
        pid = self.start_daemon("-unix", self.path("ctl"))
        os.kill(pid, signal.SIGHUP)
        self.pair(self.client(), self.client())


class Life(Switch):
    def test_s10_signals_end_it_with_0_and_remove_its_files(self):
        for signo in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process = self.start("-compat-v0", "-unix", self.path("ctl"), self.path("data"))
            self.assertEqual(self.stop(process, signo), 0)
            self.assertIn(f"Caught signal {signo:d}, cleaning up and exiting\n", process.text)
            self.assertEqual(os.listdir(self.folder.name), [])

    def test_s11_the_end_of_a_terminals_input_ends_it_and_other_input_does_not(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = self.start(stdin=theirs)
        os.close(theirs)
        os.write(ours, b"some words\n")
        self.pair(self.client(), self.client())
        os.write(ours, b"\4")
        self.assertEqual(self.finish(process), 0)
        self.assertIn("EOF on stdin, cleaning up and exiting\n", process.text)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_s11_what_is_no_terminal_is_not_waited_for(self):
        with open("/dev/null", "rb") as null:
            self.start(stdin=null)
            self.pair(self.client(), self.client())

    def test_s11_input_that_is_for_another_program_does_not_stop_it(self):
        # A shell in front, the switch in another process group of its session, as with `uml_switch &`.
        script = ("import os,subprocess,sys\nos.setsid()\nimport fcntl,termios\nfcntl.ioctl(0,termios.TIOCSCTTY,0)\n"
                  "os.execv(sys.argv[1],sys.argv[1:]) if os.fork()==0 and os.setpgid(0,0) is None else os.wait()\n")
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        shell = subprocess.Popen([sys.executable, "-c", script, UML_SWITCH, "-unix", self.path("ctl")], stdin=theirs,
                                 stdout=subprocess.PIPE)
        os.close(theirs)
        self.addCleanup(shell.stdout.close)
        self.assertIn(b"attached", shell.stdout.readline())
        pid = daemon_pid(self)
        os.write(ours, b"for the shell\n")
        a, b = self.client(), self.client()
        self.pair(a, b)
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            self.assertNotEqual(file.read().rpartition(")")[2].split()[0], "T")
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(shell.wait(LIMIT), 0)

    def test_s12_of_several_that_start_at_once_over_a_dead_ones_socket_one_serves(self):
        self.start().kill()
        started = [subprocess.Popen([UML_SWITCH, "-unix", self.path("ctl")], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(8)]
        for process in started:
            self.addCleanup(process.wait, LIMIT)
            self.addCleanup(process.kill)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.stderr.close)
        first = [process.stdout.readline() for process in started]
        self.assertEqual(sum("attached" in line for line in first), 1)
        for process, line in zip(started, first):
            if not line:
                self.assertEqual(process.wait(LIMIT), 1)
        self.pair(self.client(), self.client())

    def test_s12_somebody_who_is_too_busy_to_answer_is_there_all_the_same(self):
        busy = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(busy.close)
        busy.bind(self.path("ctl"))
        busy.listen(0)
        waiting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(waiting.close)
        waiting.connect(self.path("ctl"))
        self.assertIn("another program listens there", self.refused("-unix", self.path("ctl")))
        self.assertTrue(stat.S_ISSOCK(os.stat(self.path("ctl")).st_mode))

    def test_s12_a_file_that_is_no_socket_is_not_touched(self):
        with open(self.path("ctl"), "w", encoding="ascii") as file:
            file.write("mine")
        self.assertIn("is there, and is no socket", self.refused("-unix", self.path("ctl")))
        self.assertEqual(os.listdir(self.folder.name), ["ctl"])

    def test_s13_a_path_that_does_not_fit_is_refused(self):
        long = self.path("x" * 108)
        self.assertIn("longer than the 107 bytes", self.refused("-unix", long))
        self.assertIn("longer than the 107 bytes", self.refused("-compat-v0", "-unix", self.path("ctl"), long))
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_s14_mode_and_group_are_what_is_asked_for_else_as_the_umask_says(self):
        v0 = ("-compat-v0", "-unix", self.path("ctl"), self.path("data"))
        group = os.getgroups()[-1] if os.getgroups() else os.getgid()
        for words, mask, mode in (((), 0o022, 0o755), ((), 0, 0o777), (("-mode", "660"), 0o077, 0o660),
                                  (("-mode", "600", "-group", str(group)), 0, 0o600)):
            process = self.start(*v0, *words, preexec_fn=lambda mask=mask: os.umask(mask) and None)
            for name in ("ctl", "data"):
                found = os.stat(self.path(name))
                self.assertEqual(found.st_mode & 0o777, mode, words)
                if "-group" in words:
                    self.assertEqual(found.st_gid, group)
            self.stop(process)

    def test_wrong_words_give_usage_and_1(self):
        for words in ((["-unix"]), (["-tap"]), (["word"]), (["-h"]), (["--help"]), (["-hub", "x"])):
            self.assertIn("usage: uml_switch", self.refused(*words))
        for words in (["-mode", "9"], ["-mode", ""], ["-group", "no such group"], ["-age", "0"], ["-guard", "x"],
                      ["-longest", "59"]):
            self.assertIn("it must be", self.refused(*words))

    def test_nobody_who_reads_its_lines_is_waited_for(self):
        full, end = os.pipe()
        self.addCleanup(os.close, full)
        os.set_blocking(end, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(end, b"x" * 4096)
        os.set_blocking(end, True)
        process = subprocess.Popen([UML_SWITCH, "-unix", self.path("ctl")], stdin=subprocess.DEVNULL, stdout=end)
        os.close(end)
        self.addCleanup(process.wait, LIMIT)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + LIMIT
        while not self.answers():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.pair(self.client(), self.client())

    def test_addresses_cannot_fill_the_log(self):
        process = self.start()
        a, b = self.client(), self.client()
        for i in range(3000):
            a.send(BROADCAST + bytes([2, 0, 0, 0, i >> 8, i & 255]) + b"\x08\0")
            b.receive()
        self.stop(process)
        self.assertLess(process.text.count(" Addr: "), 2000)
        self.assertRegex(process.text, r" \d+ more lines were left out\n")


@unittest.skipUnless(THEIRS, "uml-utilities is not installed")
class Beside(switch_program.Program):
    """The same done to both programs: what scripts read from the old one they read from ours."""

    def script(self, program):
        self.program = program
        process = self.start("-hub") if self.hub else self.start()
        a = self.client(version=3)
        self.expect(process, "New connection\n")
        b = self.client(version=1)
        self.expect(process, "New connection\n" * 2)
        if not self.hub:
            a.send(frame(BROADCAST, 1, b""))
            self.assertEqual(b.receive(), frame(BROADCAST, 1, b""))
            b.send(frame(1, 2, b""))
            self.assertEqual(a.receive(), frame(1, 2, b""))
            b.send(frame(BROADCAST, 1, b""))
            self.assertEqual(a.receive(), frame(BROADCAST, 1, b""))
        a.control.close()
        self.expect(process, "Disconnect\n")
        process.send_signal(signal.SIGINT)
        self.finish(process)
        self.assertEqual(os.listdir(self.folder.name), [])
        return re.sub(r"port \d+", "port N", process.text)

    def test_lines_are_the_same(self):
        for self.hub in (False, True):
            ours, theirs = self.script(UML_SWITCH), self.script(THEIRS)
            # It ends all ports itself when it ends, and says so.
            self.assertEqual(ours.replace("exiting\nDisconnect\n", "exiting\n"), theirs)

    def test_usage_is_refused_alike(self):
        for words in (["-unix"], ["-tap"], ["word"], ["-h"], ["--help"], ["-unix", "/a", "/b"], ["-compat-v0", "-unix"]):
            for program in (UML_SWITCH, THEIRS):
                got = subprocess.run([program, *words], capture_output=True, text=True, timeout=LIMIT, check=False,
                                     stdin=subprocess.DEVNULL)
                self.assertEqual(got.returncode, 1, (program, words))
                self.assertIn("usage", got.stderr.lower())


if __name__ == "__main__":
    unittest.main(verbosity=2)
