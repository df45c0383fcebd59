"""The protocols of umlnetd for tests: netd/proto.h (umld's side) and netd/offer.h (umlmon's side).

Managed starts `umlnetd --managed`, keeping what umld keeps; Control is a connection of umld, Offer one of umlmon.
"""

import array
import collections
import fcntl
import os
import socket
import struct
import subprocess

LIMIT = 60  # seconds that nothing here takes on any machine

CTL_MAGIC, CTL_VERSION, CTL_MAX = 0x756D6E64, 1, 32768
OFFER_MAGIC, OFFER_VERSION = 0x756D6F66, 1

STATE, REPLY, EVENT, LISTENER = 1, 2, 3, 4
NETWORK, LISTEN, PORT, PORT_DROP, MAC_FIX, MAC_FORGET, GO, PORTS, MACS, HANDOVER = range(16, 26)
CAPTURE, CAPTURE_END, MIRROR, IMPAIR = range(26, 30)
GOING, KEPT = 1, 2
UP, HOLDING, DROPPING, HELD = 1, 2, 4, 8
(EVENT_UP, EVENT_DOWN, EVENT_REFUSED, EVENT_DROPPING, EVENT_CAUGHT_UP, EVENT_MOVED, EVENT_MOVE_REFUSED, EVENT_LOOP,
 EVENT_CAPTURE_ENDED) = range(1, 10)
KINDS = {"uml": 0, "vde": 1, "seqpacket": 2, "stream2": 3, "stream4": 4}
TRANSPARENT, ACCESS, TRUNK = 0, 1, 2
LISTENER_PORTS = 0x80000000  # ids of the ports of listeners begin here
DROPS = ("runt giant bad-tag bad-source vlan move-guard locked-mac spoofed-ip service storm same-port isolated slow"
         " queue-full send stranger").split()

HEADER = struct.Struct("=IHHII")
STATE_BODY = struct.Struct("=64siIIIQq")
REPLY_BODY = struct.Struct("=iI160s")
EVENT_BODY = struct.Struct("=IIII64s160s")
ID_BODY = struct.Struct("=II")
NETWORK_BODY = struct.Struct("=10I")
PREFIX = struct.Struct("=16sI")
POLICY_HEAD = struct.Struct("=IHH512sIIII8sII")
POLICY_RATES = struct.Struct("=4Q")
MAC_BODY = struct.Struct("=8sHHI")
MAC_INFO = struct.Struct("=8sHHIII")
PORT_INFO = struct.Struct("=II64s5QQ32Q")
OFFER_LINK = struct.Struct("=IHH64s16sII")
OFFER_ANSWER = struct.Struct("=IHHi160s")

State = collections.namedtuple("State", "network pid flags ports macs queue_bytes start_wall_ns")
Reply = collections.namedtuple("Reply", "errnum next text rest")
Event = collections.namedtuple("Event", "kind id lost pad name text")
Message = collections.namedtuple("Message", "type serial body fds")
PortInfo = collections.namedtuple(
    "PortInfo", "id flags name in_frames in_bytes out_frames out_bytes held waiting drops")
MacInfo = collections.namedtuple("MacInfo", "mac vlan port fixed age_ms")


def text_of(raw):
    return raw.split(b"\0", 1)[0].decode()


def policy(mode=TRANSPARENT, vlan=0, vlans=(), isolation=0, storm=0, no_dhcp_server=0, no_router=0, mac=b"", ipv4=(),
           ipv6=(), rates=(0, 0, 0, 0)):
    """struct netd_ctl_policy; ipv4 and ipv6: pairs of address and number of bits; rates: in, burst, out, burst."""
    bits = bytearray(512)
    for n in vlans:
        bits[n // 8] |= 1 << n % 8
    head = POLICY_HEAD.pack(mode, vlan, 0, bytes(bits), isolation, storm, no_dhcp_server, no_router, mac, len(ipv4),
                            len(ipv6))
    prefixes = b""
    for family in (ipv4, ipv6):
        prefixes += b"".join(PREFIX.pack(a, n) for a, n in family).ljust(8 * PREFIX.size, b"\0")
    # 8 bytes aligned, as the compiler has it
    at = len(head) + len(prefixes)
    return head + prefixes + bytes(-at % 8) + POLICY_RATES.pack(*rates)


def network(hub=0, frame_max=65552, ports_max=0, mac_age_s=100, mac_guard_s=0, storm_rate=0, hold_ms=200, loop_guard=0,
            past_seconds=0, past_bytes=0):
    return NETWORK_BODY.pack(hub, frame_max, ports_max, mac_age_s, mac_guard_s, storm_rate, hold_ms, loop_guard,
                             past_seconds, past_bytes)


def port(number, guest, device="vec0", **keys):
    return struct.pack("=II64s16s", number, 0, guest.encode(), device.encode()) + policy(**keys)


def listen(number, kind, name, **keys):
    head = struct.pack("=II64s", number, KINDS[kind], name.encode())
    return head + policy(**keys)


def mac_of(text_or_number):
    if isinstance(text_or_number, bytes):
        return text_or_number
    return bytes([2, 0, 0, 0, 0, text_or_number])


def frame(dst, src, payload=b"", kind=b"\x08\x00"):
    """Numbers are the last byte of 02:00:00:00:00:xx; bytes are taken as they are."""
    return mac_of(dst) + mac_of(src) + kind + payload


BROADCAST = b"\xff" * 6


def send_with(sock, data, fds=()):
    more = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([data], more)


def receive_with(sock, size):
    data, fds, _, _ = socket.recv_fds(sock, size, 16)
    return data, fds


class Closed(Exception):
    """The other end has hung up."""


class Control:
    """A connection of umld. Unasked messages that come while a reply is awaited are kept in .unasked."""

    def __init__(self, path, states=True):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(LIMIT)
        self.sock.connect(path)
        self.serial = 0
        self.unasked = collections.deque()
        self.first, self.first_fds = None, []
        if states:
            message = self.receive()
            assert message.type == STATE, message
            self.first, self.first_fds = self.decode(message), message.fds

    def receive(self):
        try:
            data, fds = receive_with(self.sock, CTL_MAX)
        except ConnectionResetError as error:
            raise Closed from error
        if not data:
            raise Closed
        magic, version, kind, serial, length = HEADER.unpack(data[:HEADER.size])
        assert magic == CTL_MAGIC and version == CTL_VERSION and length == len(data) - HEADER.size, data
        return Message(kind, serial, data[HEADER.size:], fds)

    @staticmethod
    def decode(message):
        if message.type == STATE:
            fields = STATE_BODY.unpack(message.body)
            return State(text_of(fields[0]), *fields[1:])
        if message.type == EVENT:
            fields = EVENT_BODY.unpack(message.body)
            return Event(*fields[:4], text_of(fields[4]), text_of(fields[5]))
        if message.type == REPLY:
            errnum, after, text = REPLY_BODY.unpack(message.body[:REPLY_BODY.size])
            return Reply(errnum, after, text_of(text), message.body[REPLY_BODY.size:])
        return message.body

    def post(self, kind, body=b"", fds=()):
        """Send without waiting; the serial."""
        self.serial += 1
        send_with(self.sock, HEADER.pack(CTL_MAGIC, CTL_VERSION, kind, self.serial, len(body)) + body, fds)
        return self.serial

    def ask(self, kind, body=b"", fds=()):
        serial = self.post(kind, body, fds)
        while True:
            message = self.receive()
            if message.type == REPLY:
                assert message.serial == serial, message
                return self.decode(message)
            self.unasked.append(message)

    def do(self, kind, body=b"", fds=()):
        """ask() for what must work."""
        reply = self.ask(kind, body, fds)
        assert reply.errnum == 0, (kind, os.strerror(reply.errnum), reply.text)
        return reply

    def next_of(self, kind):
        """The next unasked message of a type, decoded; others before it are passed over."""
        while True:
            message = self.unasked.popleft() if self.unasked else self.receive()
            if message.type == kind:
                return self.decode(message)

    def event(self, kind):
        while True:
            event = self.next_of(EVENT)
            if event.kind == kind:
                return event

    def configure(self, ports=(), listens=(), macs=(), **keys):
        """All at once: NETWORK ... GO. ports and listens: packed; listens: pairs of that and descriptors."""
        self.do(NETWORK, network(**keys))
        for body, fds in listens:
            self.do(LISTEN, body, fds)
        for body in ports:
            self.do(PORT, body)
        for body in macs:
            self.do(MAC_FIX, body)
        self.do(GO)

    def list_of(self, kind, record):
        cursor, rows = 0, []
        while True:
            reply = self.do(kind, ID_BODY.pack(cursor, 0))
            rows += list(record.iter_unpack(reply.rest))
            if not reply.next:
                return rows
            cursor = reply.next

    def ports(self):
        """Number to PortInfo."""
        found = {}
        for r in self.list_of(PORTS, PORT_INFO):
            found[r[0]] = PortInfo(*r[:2], text_of(r[2]), *r[3:9], dict(zip(DROPS, r[9:])))
        return found

    def macs(self):
        """(MAC, VLAN) to MacInfo."""
        return {(r[0][:6], r[1]): MacInfo(r[0][:6], r[1], r[3], r[4], r[5]) for r in self.list_of(MACS, MAC_INFO)}

    def close(self):
        self.sock.close()
        for fd in self.first_fds:
            os.close(fd)
        self.first_fds = []


def mac_body(mac, vlan=0, number=0):
    return MAC_BODY.pack(mac_of(mac), vlan, 0, number)


class Offer:
    """A connection of umlmon that offers a link: fd is one of its descriptors, which stays the caller's."""

    def __init__(self, path, guest, device, fd, kind=0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(LIMIT)
        self.sock.connect(path)
        send_with(self.sock, OFFER_LINK.pack(OFFER_MAGIC, OFFER_VERSION, 1, guest.encode(), device.encode(), kind, 0),
                  [fd])

    def answer(self):
        """(errno, text); Closed when there is none."""
        try:
            data = self.sock.recv(4096)
        except ConnectionResetError as error:
            raise Closed from error
        if not data:
            raise Closed
        magic, version, kind, errnum, text = OFFER_ANSWER.unpack(data)
        assert (magic, version, kind) == (OFFER_MAGIC, OFFER_VERSION, 2), data
        return errnum, text_of(text)

    def ended(self):
        """Waits for the other end to hang up."""
        try:
            return self.sock.recv(4096) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.sock.close()


def link_pair():
    """A guest's socket and umlmon's descriptor of the other end."""
    guest, held = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    guest.settimeout(LIMIT)
    return guest, held


class Managed:
    """What umld keeps of a network in folder: the listening sockets, the state file, and the running umlnetd."""

    def __init__(self, program, folder, name="lan"):
        self.program, self.folder, self.name = program, folder, name
        self.ctl = self.listening("ctl")
        self.links = self.listening("links")
        self.state = os.open(self.path("state"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.log = open(self.path("log"), "w+", encoding="utf-8")
        self.process = None

    def path(self, name):
        return f"{self.folder}/{name}"

    def listening(self, name, kind=socket.SOCK_SEQPACKET):
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind(self.path(name))
        sock.listen(1024)
        return sock

    def start(self, *options, **more):
        given = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (self.ctl.fileno(), self.links.fileno(), self.state)]
        places = " ".join(f"{3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(given))
        # The shell puts the descriptors where they belong and becomes umlnetd.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" {places}', self.program, "--managed", self.name, *options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, pass_fds=given, **more)
        for fd in given:
            os.close(fd)
        return self.process

    def control(self, **more):
        return Control(self.path("ctl"), **more)

    def offer(self, guest, fd, device="vec0", kind=0):
        return Offer(self.path("links"), guest, device, fd, kind)

    def kill(self):
        """As the OOM killer does."""
        self.process.kill()
        return self.process.wait(LIMIT)

    def logged(self):
        self.log.flush()
        with open(self.path("log"), encoding="utf-8") as log:
            return log.read()

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.ctl.close()
        self.links.close()
        os.close(self.state)
        self.log.close()
