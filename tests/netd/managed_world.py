"""What tests of `umlnetd --managed` share: a network in a folder, and the parts of umld and umlmon."""

import sys
import tempfile
import unittest

import netd_proto as np
from netd_proto import frame

UMLNETD = sys.argv.pop(1)


class World(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="um", dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.net = np.Managed(UMLNETD, folder.name)
        self.addCleanup(self.net.close)
        self.socks = []
        self.addCleanup(lambda: [s.close() for s in self.socks])

    def start(self, *options, **more):
        self.net.start(*options, **more)
        return self.control()

    def control(self):
        control = self.net.control()
        self.addCleanup(control.close)
        return control

    def pair(self):
        guest, held = np.link_pair()
        self.socks += [guest, held]
        return guest, held

    def offer(self, guest, fd, device="vec0", kind=0):
        offer = self.net.offer(guest, fd, device, kind)
        self.addCleanup(offer.close)
        return offer

    def link(self, guest, device="vec0"):
        """A guest's socket, as umlmon offers it."""
        sock, held = self.pair()
        offer = self.offer(guest, held.fileno(), device)
        self.assertEqual(offer.answer(), (0, ""))
        return sock, held, offer

    def two(self, **keys):
        control = self.start()
        control.configure([np.port(1, "web"), np.port(2, "db")], **keys)
        return control, self.link("web")[0], self.link("db")[0]

    def passes(self, a, b, payload=b"x" * 50, src=1, dst=2):
        a.send(frame(dst, src, payload))
        self.assertEqual(b.recv(70000), frame(dst, src, payload))
