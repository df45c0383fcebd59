#!/usr/bin/env python3
"""test_uml_switch_tap.py UML_SWITCH: tap devices, in a network namespace of its own (S8). Exit 77: cannot run here."""

import os
import shutil
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

import switch_program  # noqa: E402
from switch_world import BROADCAST, LIMIT, frame  # noqa: E402

UML_SWITCH = os.path.realpath(sys.argv.pop(1))
IN_NAMESPACE = "UML_SWITCH_TEST_NAMESPACE"


class Tap(switch_program.Program):
    program = UML_SWITCH

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True, timeout=LIMIT)

    def host_end(self, name):
        """A socket for whole frames on the host's side."""
        self.ip("link", "set", name, "up")
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.addCleanup(sock.close)
        sock.bind((name, 0))
        sock.settimeout(LIMIT)
        return sock

    def receive(self, sock, text):
        """Until that frame comes; the host sends some of its own."""
        while sock.recv(70000)[14:] != text:
            pass

    def test_s8_taps_are_ports_and_may_be_several(self):
        process = self.start("-tap", "t0", "-tap", "t1")
        self.expect(process, "tap device 't0' tap device 't1'\n")
        guest, t0, t1 = self.client(), self.host_end("t0"), self.host_end("t1")
        guest.send(frame(BROADCAST, 1, b"from the guest"))
        self.receive(t0, b"from the guest")
        self.receive(t1, b"from the guest")
        t1.send(frame(1, 7, b"from the host".ljust(46, b"\0")))
        self.receive(guest.data, b"from the host".ljust(46, b"\0"))
        guest.send(frame(7, 1, b"answer"))
        self.receive(t1, b"answer")

    def test_s8_a_tap_that_is_there_is_attached_to_and_outlives_it(self):
        self.ip("tuntap", "add", "keep0", "mode", "tap")
        process = self.start("-tap", "keep0")
        guest, host = self.client(), self.host_end("keep0")
        guest.send(frame(BROADCAST, 1, b"from the guest"))
        self.receive(host, b"from the guest")
        self.assertIn("another program is attached", self.refused("-unix", self.path("two"), "-tap", "keep0"))
        self.stop(process)
        self.ip("link", "show", "keep0")

    def test_s8_a_tap_that_cannot_be_had_is_an_error(self):
        self.ip("tuntap", "add", "tun0", "mode", "tun")
        for name, message in (("tun0", "no tap device"), ("x" * 16, "1 to 15 characters"), ("", "1 to 15 characters")):
            self.assertIn(message, self.refused("-unix", self.path("ctl"), "-tap", name))
            self.assertEqual(os.listdir(self.folder.name), [])

    def test_a_tap_that_goes_is_said_and_the_others_are_served_on(self):
        process = self.start("-tap", "t0")
        self.host_end("t0")
        self.ip("link", "delete", "t0")
        self.expect(process, "t0: the tap device is gone")
        self.pair(self.client(), self.client())

    def test_s8_who_may_not_have_a_tap_is_told_and_nothing_is_left(self):
        message = self.refused("-unix", self.path("ctl"), "-tap", "t0", without_rights=True)
        self.assertIn("t0: cannot attach to the tap device: Operation not permitted", message)
        self.assertIn("ip tuntap add t0 mode tap", message)
        self.assertEqual(os.listdir(self.folder.name), [])


def why_not():
    if os.geteuid():
        return "making tap devices needs root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    return None if shutil.which("ip") else "ip is not installed (apt install iproute2)"


def main():
    if os.environ.get(IN_NAMESPACE):
        unittest.main(verbosity=2)
    if reason := why_not():
        print(f"skipped: {reason}")
        sys.exit(77)
    os.environ[IN_NAMESPACE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-B", os.path.realpath(__file__), UML_SWITCH])


if __name__ == "__main__":
    main()
