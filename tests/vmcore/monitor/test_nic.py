"""The guest's links: kept by umlmon, offered to umlnetd. Here the test is the guest's kernel and umlnetd."""

import array
import os
import resource
import select
import shutil
import socket
import stat
import struct
import tempfile
import time

import fixture
import harness
from harness import CONSOLES, F_EXITED, F_STARTED, KILL, NIC, NIC_DROP, NICS, STATE

OFFER = struct.Struct("=IHH64s16sII")
ANSWER = struct.Struct("=IHHi160s")
MAGIC = 0x756D6F66


def readable(sock, timeout=harness.TIMEOUT):
    return bool(select.select([sock], [], [], timeout)[0])


class Switch:
    """umlnetd's end of R/n/NETWORK/links."""

    def __init__(self, path):
        self.path = path
        self.offers = []  # an offer that is forgotten is closed
        self.listen()

    def listen(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.bind(self.path)
        self.sock.listen(64)

    def die(self):
        """With its listening socket: as if umld had gone, too."""
        self.sock.close()
        os.unlink(self.path)

    def accept(self):
        assert readable(self.sock), "no offer came"
        self.offers.append(Offer(self.sock.accept()[0]))
        return self.offers[-1]

    def close(self):
        self.sock.close()
        for offer in self.offers:
            offer.close()

    def silent(self, seconds):
        return not readable(self.sock, seconds)


class Offer:
    """One connection of umlmon's, with the guest's link in `link`."""

    def __init__(self, sock):
        self.sock = sock
        assert readable(sock), "a connection without an offer"
        data, extra, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(16))
        magic, version, kind, guest, device, self.kind, _ = OFFER.unpack(data)
        assert (magic, version, kind) == (MAGIC, 1, 1), data
        self.guest, self.device = (x.split(b"\0")[0].decode() for x in (guest, device))
        fds = array.array("i", extra[0][2]) if extra else ()
        assert len(fds) == 1, extra
        self.link = socket.socket(fileno=fds[0])

    def answer(self, errnum=0, text=b""):
        self.sock.sendall(ANSWER.pack(MAGIC, 1, 2, errnum, text))
        return self

    def ended(self):
        return readable(self.sock) and self.sock.recv(1) == b""

    def close(self):
        self.sock.close()
        self.link.close()


class Nics(fixture.MonitorTest):
    def setUp(self):
        super().setUp()
        self.dir = tempfile.mkdtemp(prefix="um", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.links = os.path.join(self.dir, "links")
        self.path = os.path.join(self.dir, "in", "net0")
        self.word = "vec0 %s %s" % (self.path, self.links)

    def begin(self, *words, nics=None, sandbox=False):
        m = harness.Monitor(lambda m: fixture.fake_argv(m, words or ("wait",), sandbox), env=fixture.ENV,
                            run_dir=self.dir,
                            extra=[("nic", n) for n in ([self.word] if nics is None else nics)])
        self.addCleanup(m.stop)
        c = m.connect()
        c.flag(F_STARTED)
        return m, c

    def guest(self, path=None):
        """The guest's kernel brings its interface up."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(path or self.path)
        self.addCleanup(sock.close)
        return sock

    def switch(self):
        s = Switch(self.links)
        self.addCleanup(s.close)
        return s

    def state(self, c, state, why="", device="vec0"):
        """Until umlmon says so; what it said since the last call counts."""
        c.until(lambda c: any(n.get(device, ["none", ""])[0] == state and why in n[device][1] for n in c.nics if device in n))
        c.nics.clear()

    def passes(self, guest, link):
        for a, b in ((guest, link), (link, guest)):
            a.sendall(b"frame")
            self.assertTrue(readable(b))
            self.assertEqual(b.recv(100), b"frame")


class Links(Nics):
    def test_a_connection_is_offered_and_its_frames_are_left_alone(self):
        switch = self.switch()
        m, c = self.begin()
        self.state(c, "down")
        self.assertEqual([k for k in c.order if k != STATE][:2], [CONSOLES, NICS])
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        guest = self.guest()
        guest.sendall(b"first")
        offer = switch.accept()
        self.assertEqual((offer.guest, offer.device, offer.kind), ("t1", "vec0", 0))
        self.state(c, "waiting", "not answered")
        offer.answer()
        self.state(c, "up")
        self.assertEqual(offer.link.recv(100), b"first")
        self.passes(guest, offer.link)
        # A new daemon is told as things are.
        again = m.connect()
        self.state(again, "up")

    def test_ifdown_ends_both_and_ifup_begins_anew(self):
        switch = self.switch()
        _, c = self.begin()
        for _ in range(3):
            guest = self.guest()
            offer = switch.accept().answer()
            self.state(c, "up")
            guest.close()
            self.assertTrue(offer.ended())
            self.assertEqual(offer.link.recv(10), b"")
            self.state(c, "down")
            offer.close()

    def test_the_newest_connection_replaces_the_one_before(self):
        switch = self.switch()
        self.begin()
        old = self.guest()
        first = switch.accept().answer()
        new = self.guest()
        second = switch.accept().answer()
        self.assertTrue(first.ended())
        self.passes(new, second.link)
        # umlmon has closed its end of the old one: with the switch's, it is over.
        first.close()
        self.assertTrue(readable(old))
        self.assertEqual(old.recv(10), b"")
        self.assertFalse(readable(second.sock, 0))

    def test_umlnetd_dies_and_returns_a_hundred_times_and_the_guest_sees_nothing(self):
        switch = self.switch()
        _, c = self.begin()
        guest = self.guest()
        for i in range(100):
            offer = switch.accept().answer()
            self.passes(guest, offer.link)
            guest.sendall(b"meanwhile %d" % i)
            offer.close()
            self.assertFalse(readable(guest, 0), "the guest has seen it")
            offer = switch.accept()
            self.assertEqual(offer.link.recv(100), b"meanwhile %d" % i)
            offer.answer()
            offer.close()
        switch.accept().answer()
        self.state(c, "up")

    def test_without_a_links_socket_it_waits_and_tries_until_there_is_one(self):
        _, c = self.begin()
        guest = self.guest()
        self.state(c, "waiting", "No such file")
        guest.sendall(b"kept")
        switch = self.switch()
        offer = switch.accept().answer()
        self.assertEqual(offer.link.recv(100), b"kept")
        self.state(c, "up")
        switch.die()
        offer.close()
        self.state(c, "waiting", "No such file")
        switch.listen()
        self.passes(guest, switch.accept().answer().link)

    def test_a_refusal_is_told_and_tried_again_at_growing_distances(self):
        switch = self.switch()
        _, c = self.begin()
        guest = self.guest()
        begun = time.monotonic()
        for _ in range(6):
            switch.accept().answer(2, b"no such port").close()
        # 10, 20, 40, 80, 160 ms between them, at the least.
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)
        self.state(c, "waiting", "no such port")
        switch.accept().answer()
        self.state(c, "up")
        self.assertFalse(readable(guest, 0))

    def test_an_answer_that_is_none_counts_as_a_refusal(self):
        switch = self.switch()
        _, c = self.begin()
        guest = self.guest()
        for bad in (b"x", ANSWER.pack(MAGIC, 2, 2, 0, b""), ANSWER.pack(MAGIC, 1, 1, 0, b""), ANSWER.pack(1, 1, 2, 0, b""),
                    ANSWER.pack(MAGIC, 1, 2, 0, b"") + b"more"):
            offer = switch.accept()
            offer.sock.sendall(bad)
            self.assertTrue(offer.ended())
        self.state(c, "waiting")
        self.passes(guest, switch.accept().answer().link)

    def test_an_accepting_umlnetd_that_hangs_up_at_once_is_not_tried_without_end(self):
        switch = self.switch()
        self.begin()
        guest = self.guest()
        begun, tries = time.monotonic(), 0
        while time.monotonic() < begun + 1:
            switch.accept().answer().close()
            tries += 1
        self.assertLessEqual(tries, 110)
        self.passes(guest, switch.accept().answer().link)

    def test_a_guest_that_floods_connections_holds_up_nobody(self):
        switch = self.switch()
        _, c = self.begin()
        for _ in range(2000):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            sock.connect(self.path)
            sock.close()
        guest = self.guest()
        deadline = time.monotonic() + harness.TIMEOUT
        while True:
            offer = switch.accept()
            offer.link.setblocking(False)
            try:
                dead = offer.link.recv(1) == b""
            except BlockingIOError:
                dead = False
            if not dead:
                break
            self.assertLess(time.monotonic(), deadline)
        offer.link.setblocking(True)
        self.passes(guest, offer.answer().link)
        self.state(c, "up")
        self.assertEqual(c.ask(KILL), (0, ""))

    def test_without_descriptors_accepting_pauses_and_goes_on(self):
        switch = self.switch()
        m, c = self.begin()
        _, hard = resource.prlimit(m.process.pid, resource.RLIMIT_NOFILE)
        used = max(int(n) for n in os.listdir("/proc/%d/fd" % m.process.pid)) + 1
        resource.prlimit(m.process.pid, resource.RLIMIT_NOFILE, (used, hard))
        guest = self.guest()
        self.assertTrue(switch.silent(0.5))
        with open("/proc/%d/stat" % m.process.pid, encoding="utf-8") as f:
            before = sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
        self.assertTrue(switch.silent(1))
        with open("/proc/%d/stat" % m.process.pid, encoding="utf-8") as f:
            after = sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
        self.assertLess(after - before, 30, "umlmon spins")
        self.assertEqual(c.ask(NIC, self.word.encode()), (0, ""))
        resource.prlimit(m.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        self.passes(guest, switch.accept().answer().link)

    def test_the_end_of_the_guest_takes_the_sockets_away(self):
        switch = self.switch()
        m, c = self.begin()
        guest = self.guest()
        offer = switch.accept().answer()
        c.ask(KILL)
        c.flag(F_EXITED)
        self.assertFalse(os.path.exists(self.path))
        m.wait()
        self.assertTrue(offer.ended())
        offer.close()
        self.assertEqual(guest.recv(1), b"")


class Live(Nics):
    def test_a_link_is_added_and_dropped_while_the_guest_runs(self):
        switch = self.switch()
        _, c = self.begin(nics=[])
        self.assertFalse(os.path.exists(self.path))
        self.assertEqual(c.ask(NIC, self.word.encode()), (0, ""))
        self.state(c, "down")
        guest = self.guest()
        offer = switch.accept().answer()
        self.passes(guest, offer.link)
        # The same again changes nothing; the same name for another network is refused.
        self.assertEqual(c.ask(NIC, self.word.encode()), (0, ""))
        self.passes(guest, offer.link)
        self.assertEqual(c.ask(NIC, ("vec0 %s /other" % self.path).encode()), (17, "it is on another network"))
        self.assertEqual(c.ask(NIC_DROP, b"vec0"), (0, ""))
        self.assertTrue(offer.ended())
        self.assertFalse(os.path.exists(self.path))
        c.until(lambda c: c.nics and c.nics[-1] == {})
        self.assertEqual(c.ask(NIC_DROP, b"vec0"), (0, ""))
        self.assertEqual(c.ask(NIC, self.word.encode()), (0, ""))
        self.passes(self.guest(), switch.accept().answer().link)

    def test_all_sixteen_and_no_more(self):
        _, c = self.begin(nics=[])
        for i in range(16):
            word = "vec%d %s%d %s" % (i, self.path, i, self.links)
            self.assertEqual(c.ask(NIC, word.encode()), (0, ""))
        c.until(lambda c: any(len(n) == 16 for n in c.nics))
        self.assertEqual(c.ask(NIC, ("vec16 %s %s" % (self.path, self.links)).encode())[0], 22)

    def test_bad_words_are_refused(self):
        _, c = self.begin(nics=[])
        for bad in ("vec0", "vec0 /a", "vec0 /a b", "vec0 a /b", "con0 /a /b", "vec0 /a /b c", "vec-1 /a /b", "vecx /a /b",
                    "vec0 /%s /b" % ("x" * 107), "x" * 299, "vec0 /no/such/dir/net0 /b"):
            errnum, text = c.ask(NIC, bad.encode())
            self.assertIn(errnum, (5, 22), bad)
            self.assertTrue(text)
        for bad in (b"", b"a\0b", b"x" * 400):
            self.assertEqual(c.ask(NIC, bad), (22, "malformed"))
        self.assertEqual(c.ask(NIC_DROP, b"x" * 16), (22, "malformed"))


if __name__ == "__main__":
    fixture.main()
