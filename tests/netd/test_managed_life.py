#!/usr/bin/env python3
"""test_managed_life.py UMLNETD: what comes by listeners that umld gives, and what survives `umlnetd --managed`."""

import errno
import os
import select
import socket
import struct
import sys
import time
import unittest

from managed_world import World
import netd_proto as np
from netd_proto import LIMIT, frame

GAP_LIMIT = 5  # seconds; some milliseconds on a quiet host, printed for each


class Listeners(World):
    def given(self, kind, name, path=None):
        """(packed LISTEN, [descriptor]) of a listening socket as umld binds it."""
        kinds = {"seqpacket": socket.SOCK_SEQPACKET}
        sock = self.net.listening(path or name, kinds.get(kind, socket.SOCK_STREAM))
        self.socks.append(sock)
        return np.listen(7, kind, name), [sock.fileno()]

    def old_client(self, path, name):
        data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socks += [data, control]
        data.settimeout(LIMIT)
        control.settimeout(LIMIT)
        data.bind(name.ljust(108, b"\0") if name[0] == 0 else name)
        control.connect(self.net.path(path))
        address = struct.pack("=H108s", socket.AF_UNIX, name)
        control.sendall(struct.pack("=III", 0xFEEDFACE, 3, 0) + address + b"\0\0")
        answer = b""
        while len(answer) < 110:
            piece = control.recv(110 - len(answer))
            self.assertTrue(piece, "hung up on")
            answer += piece
        to = answer[2:]
        data.connect(to if to[0] == 0 else to.rstrip(b"\0"))
        return data, control

    def test_old_clients_and_offered_links_meet(self):
        control = self.start()
        control.configure([np.port(1, "web")], [self.given("uml", "uml")])
        web = self.link("web")[0]
        old, _ = self.old_client("uml", b"\0test-managed-%d" % os.getpid() + b"\1" * 70)
        self.passes(old, web)
        self.passes(web, old, src=2, dst=1)
        ports = control.ports()
        number = max(ports)
        self.assertGreaterEqual(number, np.LISTENER_PORTS)
        self.assertEqual(ports[number].name, "uml-1")
        self.assertEqual(control.macs()[(np.mac_of(1), 0)].port, number)

    def test_a_vde_clients_data_socket_is_in_the_listeners_folder(self):
        control = self.start()
        os.mkdir(self.net.path("vde"))
        control.configure([np.port(1, "web")], [self.given("vde", "vde", "vde/ctl")])
        web = self.link("web")[0]
        old, _ = self.old_client("vde/ctl", self.net.path("vde/.client").encode())
        self.passes(old, web)
        self.assertEqual(os.path.dirname(old.getpeername()), self.net.path("vde"))

    def test_a_new_umld_gets_the_sockets_and_keeps_the_clients(self):
        control = self.start()
        said = self.given("seqpacket", "seq")
        control.configure([np.port(1, "web")], [said])
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socks.append(client)
        client.settimeout(LIMIT)
        client.connect(self.net.path("seq"))
        web = self.link("web")[0]
        self.passes(client, web)
        control.close()
        again = self.control()
        message = again.receive()
        self.assertEqual((message.type, message.body), (np.LISTENER, said[0]))
        with socket.socket(fileno=message.fds[0]) as sock:
            self.assertEqual(sock.getsockname(), self.net.path("seq"))
        policy = np.listen(7, "seqpacket", "seq", mode=np.ACCESS, vlan=5)
        again.configure([np.port(1, "web", mode=np.TRUNK, vlans=[5])], [(policy, [])])
        client.send(frame(2, 1, b"tagged"))
        self.assertEqual(web.recv(2000), frame(2, 1, b"\0\5\x08\0tagged", b"\x81\0"))
        again.configure([np.port(1, "web")])
        self.assertEqual(client.recv(10), b"")
        self.assertTrue(os.path.exists(self.net.path("seq")), "the file is umld's")

    def test_other_sockets_are_refused(self):
        control = self.start()
        control.do(np.NETWORK, np.network())
        body, fds = self.given("uml", "uml")
        for wrong in (np.listen(7, "seqpacket", "x"), np.listen(0, "uml", "x"), np.listen(7, "uml", "")):
            self.assertEqual(control.ask(np.LISTEN, wrong, fds).errnum, errno.EINVAL)
        self.assertEqual(control.ask(np.LISTEN, body, fds).errnum, 0)
        self.assertEqual(control.ask(np.LISTEN, np.listen(7, "stream2", "x")).errnum, errno.EINVAL)


class Restarts(World):
    """umlmon's and umld's part is this program's: it holds the guests' sockets and the listening ones."""

    def setUp(self):
        super().setUp()
        self.control_ = self.start()
        self.configure()
        self.web, self.web_held, _ = self.link("web")
        self.db, self.db_held, _ = self.link("db")

    def configure(self):
        self.control_.configure([np.port(1, "web"), np.port(2, "db")])

    def send(self, numbers):
        for n in numbers:
            self.web.send(frame(2, 1, b"%08d" % n))

    def received(self, count):
        return [int(self.db.recv(2000)[14:]) for _ in range(count)]

    def again(self):
        """umld starts it again and umlmon offers its links."""
        self.control_.close()
        self.control_ = self.start()
        self.configure()
        for name, held in (("web", self.web_held), ("db", self.db_held)):
            self.assertEqual(self.offer(name, held.fileno()).answer(), (0, ""))

    def test_frames_for_a_link_that_is_not_back_yet_wait_for_it(self):
        self.db.send(frame(1, 2))
        self.web.recv(2000)
        self.net.kill()
        self.send(range(10))
        self.control_ = self.start()
        self.configure()
        self.assertEqual(self.offer("web", self.web_held.fileno()).answer(), (0, ""))
        while not self.control_.ports()[2].waiting:
            pass
        self.web.send(frame(np.BROADCAST, 1, b"%08d" % 10))
        while self.control_.ports()[1].in_frames < 11:
            pass
        self.assertEqual(self.offer("db", self.db_held.fileno()).answer(), (0, ""))
        self.assertEqual(self.received(11), list(range(11)))

    def test_a_link_that_does_not_come_back_is_not_waited_for_for_ever(self):
        self.db.send(frame(1, 2))
        self.web.recv(2000)
        self.net.kill()
        self.send(range(10))
        self.control_ = self.start()
        self.configure()
        self.assertEqual(self.offer("web", self.web_held.fileno()).answer(), (0, ""))
        deadline = time.monotonic() + LIMIT
        while self.control_.ports()[2].drops["send"] < 10 and time.monotonic() < deadline:
            select.select([self.control_.sock], [], [], 0.05)
        port = self.control_.ports()[2]
        self.assertEqual((port.waiting, port.drops["send"]), (0, 10))

    def check(self, how):
        self.db.send(frame(1, 2, b"here I am"))
        self.web.recv(2000)
        self.send(range(100))
        self.assertEqual(self.received(100), list(range(100)))
        before, macs = self.control_.ports(), self.control_.macs()
        last = time.monotonic()
        how()
        self.send(range(100, 120))  # it waits in the guest's socket
        self.again()
        first = self.received(1)
        gap = time.monotonic() - last
        self.assertEqual(first + self.received(19), list(range(100, 120)))
        print(f"{self.id().split('.')[-1]}: gap {gap * 1000:.0f} ms", file=sys.stderr)
        self.assertLess(gap, GAP_LIMIT)
        self.assertEqual(self.control_.first.flags, np.KEPT)
        self.assertEqual({k: m.port for k, m in macs.items()},
                         {k: m.port for k, m in self.control_.macs().items()})
        after = self.control_.ports()
        self.assertEqual(after[1].in_frames, before[1].in_frames + 20)
        self.assertEqual(after[2].out_frames, before[2].out_frames + 20)

    def test_kill_loses_nothing_that_was_not_queued(self):
        self.check(self.net.kill)

    def test_handover_loses_nothing(self):
        def hand_over():
            self.control_.do(np.HANDOVER)
            self.assertEqual(self.net.process.wait(LIMIT), 0)
        self.check(hand_over)

    def test_handover_sends_what_waits_first(self):
        # More than the receiver's socket takes, less than what makes the switch hold the sender.
        count = 0
        while not self.control_.ports()[2].waiting:
            self.send(range(count, count + 50))
            count += 50
            while self.control_.ports()[1].in_frames < count:
                pass
        self.control_.post(np.HANDOVER)
        self.assertEqual(self.received(count), list(range(count)))
        self.assertEqual(self.net.process.wait(LIMIT), 0)

    def test_it_can_be_killed_before_it_was_configured(self):
        self.send(range(1))
        self.assertEqual(self.received(1), [0])
        for _ in range(3):
            self.net.kill()
            self.control_.close()
            self.control_ = self.start()
        self.assertEqual(self.control_.first.macs, 1)
        self.configure()
        self.assertEqual(self.control_.ports()[1].in_frames, 1)

    def test_ports_that_are_not_named_again_are_forgotten(self):
        self.send(range(1))
        self.assertEqual(self.received(1), [0])
        self.net.kill()
        self.control_ = self.start()
        self.control_.configure([np.port(2, "db")])
        self.assertEqual(self.control_.macs(), {})
        self.assertEqual(list(self.control_.ports()), [2])

    def test_a_state_that_is_not_understood_is_started_anew(self):
        self.net.kill()
        for damage in (lambda: os.pwrite(self.net.state, b"\xff" * 8, 8), lambda: os.ftruncate(self.net.state, 100),
                       lambda: os.ftruncate(self.net.state, 1 << 24), lambda: os.pwrite(self.net.state, b"x", 0)):
            damage()
            self.control_ = self.start()
            self.assertEqual((self.control_.first.flags, self.control_.first.macs), (0, 0))
            self.configure()
            self.assertEqual(self.control_.ports()[1].in_frames, 0)
            self.net.kill()


if __name__ == "__main__":
    unittest.main(verbosity=1)
