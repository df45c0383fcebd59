"""What a kernel does with requests that no tool of ours would send: the real one, and so the fake one, too.

This is what the lanes and the table of verbs protect users from; if a kernel stops doing it, or the fake guest
differs from it, that shows here.
"""
import signal
import socket
import struct


class Quirks:
    """For a test case whose setUp() has a guest and calls connect(). No test ends the guest."""

    CON0 = "null,fd:1"  # what the kernel says of con0
    clients = 0

    def connect(self):
        type(self).clients += 1
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(f"{self.guest.dir}/client{self.clients}")
        self.socket.connect(self.guest.socket)
        self.socket.settimeout(90)

    def send(self, text, magic=0xCAFEBABE, version=2, length=None):
        text = text.encode()
        self.socket.send(struct.pack("<III", magic, version, len(text) if length is None else length)
                         + text)

    def receive(self):
        data = self.socket.recv(2000)
        err, more, length = struct.unpack("<iII", data[:12])
        self.assertEqual(len(data), 12 + length)
        return err, more, data[12:-1].decode()

    def send_at_once(self, *commands):
        """The kernel finds all of them in one look."""
        self.guest.process.send_signal(signal.SIGSTOP)
        for command in commands:
            self.send(command)
        self.guest.process.send_signal(signal.SIGCONT)

    def test_prefixes_match(self):
        self.send("versionXYZ")
        self.assertIn("Linux", self.receive()[2])

    def test_a_wrong_magic_gets_bare_text(self):
        self.send("version", magic=1)
        self.assertTrue(self.socket.recv(100).startswith(b"ERR Version 0"))

    def test_another_version_gets_two_answers(self):
        self.send("version", version=1)
        self.assertEqual(self.receive()[::2], (1, "This driver only supports version 2 clients"))
        self.assertIn("Linux", self.receive()[2])

    def test_too_large(self):
        self.send("x" * 512, length=512)
        self.assertEqual(self.receive()[::2], (1, "Request too large"))

    def test_an_empty_datagram_repeats_the_last_command(self):
        self.send("version")
        first = self.receive()
        self.socket.send(b"")
        self.assertEqual(self.receive(), first)

    def test_the_magic_alone_repeats_the_last_command(self):
        self.send("version")
        first = self.receive()
        self.socket.send(struct.pack("<I", 0xCAFEBABE))
        self.assertEqual(self.receive(), first)

    def test_a_short_datagram_is_completed_by_the_one_before(self):
        self.send("config con0")
        self.assertEqual(self.receive(), (0, 0, self.CON0))
        self.send("config", length=len("config con0"))
        self.assertEqual(self.receive(), (0, 0, self.CON0))

    def test_parts_have_511_bytes_and_streams_end_with_an_empty_one(self):
        self.send("help")
        err, more, text = self.receive()
        self.assertEqual((err, more, len(text)), (0, 1, 511))
        while more:
            err, more, text = self.receive()
        self.assertTrue(text)
        self.send("proc version")
        self.assertEqual(self.receive(), (0, 1, "\n"))
        self.assertEqual(self.receive()[1], 1)
        self.assertEqual(self.receive(), (0, 0, ""))

    def test_a_burst_runs_interrupts_first_and_the_rest_backwards(self):
        self.send_at_once("config con0", "proc nix", "go")
        self.assertEqual([self.receive()[2] for _ in range(3)],
                         ["Not stopped", "Failed to open file", self.CON0])

    def test_a_rejected_request_stalls_those_behind_it(self):
        self.send_at_once("bogus", "version")
        self.assertEqual(self.receive()[::2], (1, "Unknown command"))
        self.socket.settimeout(0.1)
        with self.assertRaises(socket.timeout):
            self.socket.recv(1000)
        self.socket.settimeout(90)
        self.send("go")
        self.assertEqual(self.receive()[2], "Not stopped")
        self.assertIn("Linux", self.receive()[2])
