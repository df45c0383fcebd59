"""Clients of the switches, and a folder for a test's sockets."""

import contextlib
import os
import socket
import struct
import tempfile
import unittest

LIMIT = 60  # seconds that nothing here takes on any machine
BROADCAST = b"\xff" * 6


def address_bytes(name):
    """struct sockaddr_un as the kernel's client sends it: all 110 bytes."""
    return struct.pack("=H108s", socket.AF_UNIX, name)


def request(version, name, type_word=0):
    if version == 0:
        return struct.pack("=I6x", type_word) + address_bytes(name)
    if version == 1:
        return struct.pack("=II6x", 0xFEEDFACE, type_word) + address_bytes(name)
    return struct.pack("=III", 0xFEEDFACE, version, type_word) + address_bytes(name)


def frame(dst, src, text):
    return (dst if isinstance(dst, bytes) else bytes([2, 0, 0, 0, 0, dst])) + bytes([2, 0, 0, 0, 0, src, 8, 0]) + text


def closed(sock):
    """Whether the other end hangs up."""
    sock.settimeout(LIMIT)
    with contextlib.suppress(ConnectionResetError):
        return sock.recv(200) == b""
    return True


class Client:
    """What a guest's `ethN=daemon` does."""

    count = 0

    @classmethod
    def bound_socket(cls):
        """A data socket with a name as the kernel makes it, all 108 bytes."""
        Client.count += 1
        name = (b"\0" + struct.pack("=3xii", os.getpid(), Client.count) + b"\xa5" * 90).ljust(108, b"\0")
        data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        data.bind(name)
        data.settimeout(LIMIT)
        return name, data

    def __init__(self, world, version=3, split=None):
        self.name, self.data = self.bound_socket()
        self.control = world.connect("ctl", socket.SOCK_STREAM)
        whole = request(version, self.name) + (b"" if version == 1 else b"\0\0")
        for piece in [whole] if split is None else [whole[:split], whole[split:]]:
            self.control.sendall(piece)
            if split is not None and piece != whole[split:]:
                world.settle()
        answer = b""
        while len(answer) < 110:
            answer += self.control.recv(110 - len(answer))
        self.to = answer[2:]

    def send(self, data):
        self.data.sendto(data, self.to)

    def receive(self):
        return self.data.recv(70000)

    def close(self):
        self.data.close()
        self.control.close()


class VdeClient:
    """What libvdeplug does: a data socket in the switch's folder, a request without padding but with a text."""

    count = 0

    def __init__(self, world, port=0):
        VdeClient.count += 1
        self.path = world.path(f"vde/.{os.getpid()}-{VdeClient.count}")
        self.control = world.connect("vde/ctl", socket.SOCK_STREAM)
        self.data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.data.bind(self.path)
        self.data.settimeout(LIMIT)
        self.control.sendall(request(3, self.path.encode(), port << 8) + b"somebody UNIX: x=1\0")
        answer = b""
        while len(answer) < 110:
            answer += self.control.recv(110 - len(answer))
        self.to = answer[2:].rstrip(b"\0").decode()
        self.data.connect(self.to)

    def send(self, data):
        self.data.send(data)

    def receive(self):
        return self.data.recv(70000)

    def close(self):
        self.data.close()
        self.control.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class Folder(unittest.TestCase):
    """A folder with the control socket of a switch in it, `ctl`."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="un", dir="/tmp")
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return f"{self.folder.name}/{name}"

    def connect(self, name, kind):
        sock = socket.socket(socket.AF_UNIX, kind)
        self.addCleanup(sock.close)
        sock.connect(self.path(name))
        sock.settimeout(LIMIT)
        return sock

    def settle(self):
        """The switch has dealt with what was sent before: a later connection was answered."""
        probe = self.connect("ctl", socket.SOCK_STREAM)
        probe.sendall(b"no request")
        self.assertTrue(closed(probe))

    def client(self, **options):
        client = Client(self, **options)
        self.addCleanup(client.close)
        return client

    def vde_client(self, **options):
        client = VdeClient(self, **options)
        self.addCleanup(client.close)
        return client

    def pair(self, a, b):
        """Both ways between two clients, sources learnt."""
        a.send(frame(BROADCAST, 1, b"from a"))
        self.assertEqual(b.receive(), frame(BROADCAST, 1, b"from a"))
        b.send(frame(1, 2, b"from b"))
        self.assertEqual(a.receive(), frame(1, 2, b"from b"))
