#!/usr/bin/env python3
"""test_umlnetd.py UMLNETD: the program as its clients see it, on real sockets."""

import contextlib
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import switch_world
from switch_world import BROADCAST, LIMIT, Folder, closed, frame, request

UMLNETD = sys.argv.pop(1)


class World(Folder):
    def start(self, *options, ready=True, **more):
        words = options or ("--listen", "uml:" + self.path("ctl"), "--listen", "seqpacket:" + self.path("seq"))
        self.log = tempfile.TemporaryFile("w+")
        self.addCleanup(self.log.close)
        process = subprocess.Popen([UMLNETD, *words], stdout=subprocess.PIPE, stderr=self.log, text=True, **more)
        self.addCleanup(self.end, process)
        if ready:
            self.assertTrue(select.select([process.stdout], [], [], LIMIT)[0])
            self.assertEqual(process.stdout.readline(), "ready\n", self.logged())
        return process

    def logged(self):
        """What the last one started has written."""
        self.log.seek(0)
        return self.log.read()

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=LIMIT)


class Handshake(World):
    def test_versions_1_and_3_are_served(self):
        self.start()
        self.pair(self.client(version=1), self.client(version=3))

    def test_a_request_may_come_in_pieces(self):
        self.start()
        for split in (1, 4, 8, 12, 60, 122):
            client = self.client(split=split)
            self.settle()
            self.pair(client, self.client())

    def test_other_versions_and_rubbish_are_hung_up_on_at_once(self):
        self.start()
        bad = [request(v, b"\0x") for v in (2, 4, 5, 1 << 30)]
        bad += [b"GET / HTTP/1.0\r\n\r\n", b"\0" * 120, request(3, b"\0x", 9), request(3, b"/no/such/socket")]
        for text in bad:
            sock = self.connect("ctl", socket.SOCK_STREAM)
            sock.sendall(text)
            self.assertTrue(closed(sock), text)

    def test_silence_is_hung_up_on_after_a_while(self):
        self.start()
        silent, half = (self.connect("ctl", socket.SOCK_STREAM) for _ in range(2))
        half.sendall(request(3, b"\0x")[:50])
        self.assertTrue(closed(silent) and closed(half))

    def test_whoever_talks_on_after_the_request_is_hung_up_on(self):
        self.start()
        client = self.client()
        client.control.sendall(b"x" * 300)
        self.assertTrue(closed(client.control))

    def test_a_thousand_silent_connections_do_not_keep_a_client_out(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4096:
            self.skipTest(f"only {hard} descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.start()
        silent = [self.connect("ctl", socket.SOCK_STREAM) for _ in range(1000)]
        self.pair(self.client(), self.client())
        self.assertTrue(all(closed(sock) for sock in silent[:700]))
        self.assertLess(self.logged().count("\n"), 200, "the log is bounded, too")

    def test_out_of_descriptors_it_serves_on_and_accepts_again_later(self):
        self.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
        a, b = self.client(), self.client()
        silent = [self.connect("ctl", socket.SOCK_STREAM) for _ in range(60)]
        self.pair(a, b)
        for sock in silent:
            sock.close()
        self.pair(self.client(), self.client())


class Vde(World):
    def start_vde(self):
        return self.start("--listen", "vde:" + self.path("vde"), "--listen", "uml:" + self.path("ctl"))

    def data_files(self):
        return [name for name in os.listdir(self.path("vde")) if name[0].isdigit()]

    def test_vde_clients_reach_each_other_and_clients_of_uml_switch(self):
        self.start_vde()
        a, b, old = self.vde_client(), self.vde_client(), self.client()
        self.pair(a, b)
        a.send(frame(BROADCAST, 1, b"to all"))
        self.assertEqual(old.receive(), frame(BROADCAST, 1, b"from a"))
        old.send(frame(1, 3, b"from old"))
        self.assertEqual(a.receive(), frame(1, 3, b"from old"))

    def test_each_client_has_a_socket_file_of_its_own_as_long_as_it_is_connected(self):
        self.start_vde()
        a, b = self.vde_client(), self.vde_client()
        self.assertNotEqual(a.to, b.to)
        self.assertEqual(sorted(self.data_files()), sorted(os.path.basename(c.to) for c in (a, b)))
        self.assertEqual(os.stat(a.to).st_mode & 0o777, 0o660)
        a.control.close()
        self.settle()
        self.assertEqual(self.data_files(), [os.path.basename(b.to)])

    def test_nobody_else_can_send_to_the_socket_file(self):
        self.start_vde()
        a = self.vde_client()
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        with self.assertRaises(PermissionError):
            stranger.sendto(frame(BROADCAST, 3, b""), a.to)

    def test_the_folder_goes_with_the_switch(self):
        process = self.start_vde()
        self.vde_client().close()
        process.terminate()
        self.assertEqual(process.wait(LIMIT), 0)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_what_a_dead_switch_left_is_swept_and_nothing_else(self):
        process = self.start_vde()
        self.vde_client()
        self.assertEqual(len(self.data_files()), 1)
        process.kill()
        process.wait(LIMIT)
        with open(self.path("vde/123.45"), "w", encoding="ascii"):
            pass
        self.start_vde()
        self.assertEqual(self.data_files(), ["123.45"])

    def test_a_folder_that_leaves_no_room_for_names_is_refused(self):
        process = self.start("--listen", "vde:" + self.path("x" * 80), ready=False)
        self.assertEqual(process.wait(LIMIT), 1)
        self.assertIn("longer than the 91 bytes", self.logged())


class VdePort(World):
    """A client may ask for the number of its port; as at vde_switch, clients of one number are one port."""

    def start_vde(self):
        return self.start("--listen", "vde:" + self.path("vde"), "--listen", "uml:" + self.path("ctl"))

    def test_clients_of_one_number_are_one_port(self):
        self.start_vde()
        a, b, other = self.vde_client(port=7), self.vde_client(port=7), self.vde_client()
        self.assertTrue(os.path.basename(a.to).startswith("007."))
        a.send(frame(BROADCAST, 1, b"from a"))
        self.assertEqual(other.receive(), frame(BROADCAST, 1, b"from a"))
        other.send(frame(1, 3, b"for a"))
        self.assertEqual([c.receive() for c in (a, b)], [frame(1, 3, b"for a")] * 2)

    def test_a_number_that_cannot_be_is_hung_up_on(self):
        self.start_vde()
        sock = self.connect("vde/ctl", socket.SOCK_STREAM)
        name, data = switch_world.Client.bound_socket()
        self.addCleanup(data.close)
        sock.sendall(request(3, name, 5000 << 8))
        self.assertTrue(closed(sock))


class RealVde(World):
    """vde_plug(1), which is libvdeplug, which is also QEMU's `-netdev vde`: frames with two bytes of length on stdio."""

    def setUp(self):
        super().setUp()
        if not shutil.which("vde_plug"):
            self.skipTest("vde_plug is not installed (apt install vdeplug)")
        self.start("--listen", "vde:" + self.path("vde"), "--listen", "uml:" + self.path("ctl"))

    def plug(self, suffix=""):
        process = subprocess.Popen(["vde_plug", "vde://" + self.path("vde") + suffix], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, bufsize=0)
        self.addCleanup(self.end, process)
        return process

    def say(self, plug, data):
        plug.stdin.write(len(data).to_bytes(2, "big") + data)

    def hear(self, plug):
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            self.assertTrue(select.select([plug.stdout], [], [], LIMIT)[0])
            more = os.read(plug.stdout.fileno(), 1)
            self.assertTrue(more, "it has ended")
            data += more
        return data[2:]

    def introduce(self, plug, src, witness):
        """It is attached: its frame has come."""
        self.say(plug, frame(BROADCAST, src, b"hello".ljust(46, b"\0")))
        self.assertEqual(witness.receive(), frame(BROADCAST, src, b"hello".ljust(46, b"\0")))

    def test_plugs_reach_each_other_and_guests(self):
        guest = self.client()
        a, b = self.plug(), self.plug()
        self.introduce(a, 1, guest)
        self.introduce(b, 2, guest)
        self.say(b, frame(1, 2, b"b to a".ljust(46, b"\0")))
        heard = self.hear(a)
        if heard == frame(BROADCAST, 2, b"hello".ljust(46, b"\0")):  # b came later than a
            heard = self.hear(a)
        self.assertEqual(heard, frame(1, 2, b"b to a".ljust(46, b"\0")))
        guest.send(frame(2, 3, b"guest to b".ljust(46, b"\0")))
        heard = self.hear(b)
        if heard == frame(BROADCAST, 1, b"hello".ljust(46, b"\0")):  # a was told before b came, or after
            heard = self.hear(b)
        self.assertEqual(heard, frame(2, 3, b"guest to b".ljust(46, b"\0")))

    def test_a_plug_gets_the_port_it_asks_for(self):
        guest = self.client()
        a = self.plug("[42]")
        self.introduce(a, 1, guest)
        self.assertEqual([name[:4] for name in os.listdir(self.path("vde")) if name[0].isdigit()], ["042."])

    def test_the_port_goes_with_the_plug(self):
        guest = self.client()
        a = self.plug()
        self.introduce(a, 1, guest)
        a.terminate()
        a.wait(LIMIT)
        self.settle()
        self.assertEqual([name for name in os.listdir(self.path("vde")) if name[0].isdigit()], [])


class Life(World):
    def test_a_port_ends_with_its_control_connection(self):
        self.start()
        a, b = self.client(), self.client()
        self.pair(a, b)
        a.control.close()
        self.settle()
        with self.assertRaises(ConnectionRefusedError):
            a.send(frame(2, 1, b""))

    def test_nobody_else_can_send_to_a_port(self):
        self.start()
        a, b = self.client(), self.client()
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        with self.assertRaises(PermissionError):
            stranger.sendto(frame(BROADCAST, 3, b""), a.to)
        self.pair(a, b)

    def test_old_clients_and_guests_with_vector_devices_are_on_one_network(self):
        self.start()
        a, b = self.client(), self.connect("seq", socket.SOCK_SEQPACKET)
        b.send(frame(BROADCAST, 2, b"from b"))
        self.assertEqual(a.receive(), frame(BROADCAST, 2, b"from b"))
        a.send(frame(2, 1, b"x" * 9000))
        self.assertEqual(b.recv(70000), frame(2, 1, b"x" * 9000))

    def passes_all(self, count):
        """Whether all of that many frames come through to a reader that reads only when nothing more goes in."""
        a, b = self.connect("seq", socket.SOCK_SEQPACKET), self.connect("seq", socket.SOCK_SEQPACKET)
        self.settle()
        sent = got = 0
        a.setblocking(False)
        while got < count:
            # Queues are full up to the sender each time. Nothing at all: what is awaited was dropped.
            readable, writable, _ = select.select([b], [a] if sent < count else [], [], 5 if sent == count else LIMIT)
            if not readable and not writable:
                return False
            with contextlib.suppress(BlockingIOError):
                if writable:
                    a.send(frame(BROADCAST, 1, b"%6d" % sent))
                    sent += 1
                    continue
            for _ in range(500):
                if not select.select([b], [], [], 0)[0]:
                    break
                if b.recv(100)[14:] != b"%6d" % got:
                    return False
                got += 1
        a.close(), b.close()
        return True

    def test_a_blocking_sender_loses_nothing_to_a_reader_that_pauses(self):
        self.start()
        # The reader has 200 ms, and a busy host may keep it from its CPU for longer: then once more.
        self.assertTrue(any(self.passes_all(20000) for _ in range(5)))

    def test_a_port_that_stops_reading_stops_nobody_for_long(self):
        self.start()
        a, b, stalled = (self.connect("seq", socket.SOCK_SEQPACKET) for _ in range(3))
        stalled.send(frame(BROADCAST, 3, b""))
        a.recv(100), b.recv(100)
        for i in range(20000):
            a.send(frame(3, 1, b"%6d" % i))
        a.send(frame(BROADCAST, 1, b"last"))
        self.assertEqual(b.recv(100), frame(BROADCAST, 1, b"last"))


class Files(World):
    def test_signals_end_it_and_remove_the_sockets(self):
        for signo in (signal.SIGTERM, signal.SIGINT):
            process = self.start()
            process.send_signal(signo)
            self.assertEqual(process.wait(LIMIT), 0)
            self.assertEqual(os.listdir(self.folder.name), [])

    def test_the_socket_of_a_dead_one_is_taken_over_that_of_a_live_one_is_not(self):
        first = self.start()
        second = self.start(ready=False)
        self.assertEqual(second.wait(LIMIT), 1)
        self.assertIn("another program listens there", self.logged())
        first.kill()
        first.wait(LIMIT)
        self.start()
        self.pair(self.client(), self.client())

    def test_a_path_that_is_too_long_is_refused_not_cut(self):
        process = self.start("--listen", "uml:" + self.path("x" * 120), ready=False)
        self.assertEqual(process.wait(LIMIT), 1)
        self.assertIn("longer than the 107 bytes", self.logged())

    def test_the_command_line_is_checked(self):
        for words in ([], ["--listen", "x"], ["--listen", "tcp:/x"], ["--nothing"], ["--hub"], ["--listen"], ["word"]):
            process = subprocess.run([UMLNETD, *words], capture_output=True, text=True, timeout=LIMIT, check=False)
            self.assertEqual(process.returncode, 2, words)
            self.assertIn("umlnetd: ", process.stderr)
        process = subprocess.run([UMLNETD, "--help"], capture_output=True, text=True, timeout=LIMIT, check=False)
        self.assertEqual(process.returncode, 0)
        self.assertIn("--listen KIND:PATH", process.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
