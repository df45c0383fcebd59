#!/usr/bin/env python3
"""umlnetd as umld sees it, without a switch: takes a configuration, answers lists, fails when it is told to.

$UMLD_LIBEXEC/fault: lines `WORD [ARGUMENT]`, read at the start and before each answer:
  start         ends at once                      silent       never says anything
  version       speaks version 99                 refuse TYPE  refuses requests of that number
  die TYPE      ends when asked that              mute TYPE    never answers that
  bare          gives no sockets back             slow         does not end at HANDOVER or SIGTERM
  stranger      answers what it was not asked
$UMLD_LIBEXEC/told.NAME: a line of JSON for each request.
"""
import array
import json
import os
import selectors
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "netd"))
import netd_proto as proto  # noqa: E402

BASE = os.environ["UMLD_LIBEXEC"]


def faults():
    try:
        with open(os.path.join(BASE, "fault"), encoding="ascii") as file:
            return {line.split()[0]: line.split()[1:] for line in file if line.split()}
    except FileNotFoundError:
        return {}


class Fake:
    def __init__(self, name):
        self.name, self.ports, self.macs, self.named = name, {}, {}, set()
        self.listens = {}
        self.flags = proto.KEPT if os.fstat(5).st_size else 0
        os.pwrite(5, b"state", 0)
        self.ctl = socket.socket(fileno=3)
        self.ctl.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.ctl, selectors.EVENT_READ)
        self.started = time.time_ns()

    def tell(self, kind, **more):
        with open(os.path.join(BASE, f"told.{self.name}"), "a", encoding="ascii") as file:
            file.write(json.dumps({"pid": os.getpid(), "type": kind, **more}) + "\n")

    def send(self, sock, kind, body, serial=0, fds=()):
        version = 99 if "version" in faults() else proto.CTL_VERSION
        header = proto.HEADER.pack(proto.CTL_MAGIC, version, kind, serial, len(body))
        sock.sendmsg([header + body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])

    def state(self):
        return proto.STATE_BODY.pack(self.name.encode(), os.getpid(), self.flags, 0, 0, 0, self.started)

    def accept(self):
        sock, _ = self.ctl.accept()
        sock.setblocking(True)
        self.selector.register(sock, selectors.EVENT_READ)
        if "silent" in faults():
            return
        self.send(sock, proto.STATE, self.state(), fds=() if "bare" in faults() else (3, 4))
        for body, fd in self.listens.values():
            self.send(sock, proto.LISTENER, body, fds=(fd,))

    def change(self, kind, body, fds):
        """What a request does: (errno, what follows the reply)."""
        if kind == proto.NETWORK:
            self.named = set()
            self.tell(kind, keys=proto.NETWORK_BODY.unpack(body))
        elif kind == proto.LISTEN:
            number, _, name = struct.unpack_from("=II64s", body)
            self.named.add(("listen", number))
            if fds:
                self.listens[number] = (body, os.dup(fds[0]))
            self.tell(kind, id=number, name=proto.text_of(name), fds=len(fds))
        elif kind == proto.PORT:
            number, _, guest, device = struct.unpack_from("=II64s16s", body)
            policy = proto.POLICY_HEAD.unpack_from(body, 88)
            self.ports[number] = f"{proto.text_of(guest)}/{proto.text_of(device)}"
            self.named.add(("port", number))
            self.tell(kind, id=number, name=self.ports[number], mode=policy[0], vlan=policy[1], isolation=policy[4],
                      mac=policy[8][:6].hex(), ipv4=policy[9])
        elif kind == proto.PORT_DROP:
            number = proto.ID_BODY.unpack(body)[0]
            self.ports.pop(number, None)
            self.tell(kind, id=number)
        elif kind in (proto.MAC_FIX, proto.MAC_FORGET):
            mac, vlan, _, number = proto.MAC_BODY.unpack(body)
            key = (mac[:6], vlan)
            known = self.macs.pop(key, None)
            if kind == proto.MAC_FIX:
                self.macs[key] = number
                self.named.add(key)
            self.tell(kind, mac=mac[:6].hex(), vlan=vlan, port=number)
            if kind == proto.MAC_FORGET and known is None:
                return 2, b""
        elif kind == proto.GO:
            self.ports = {n: p for n, p in self.ports.items() if ("port", n) in self.named}
            self.macs = {k: p for k, p in self.macs.items() if k in self.named}
            self.flags |= proto.GOING
            self.tell(kind, ports=sorted(self.ports.values()))
        elif kind == proto.PORTS:
            return 0, self.port_records(proto.ID_BODY.unpack(body)[0])
        elif kind == proto.MACS:
            return 0, b"".join(proto.MAC_INFO.pack(m, v, 0, p, 1, 0) for (m, v), p in self.macs.items())
        else:
            self.tell(kind)
        return 0, b""

    def port_records(self, cursor):
        """Two at a time, so that umld has to ask for more. A port of an old client is always there."""
        rows = sorted(self.ports.items()) + [(proto.LISTENER_PORTS, "uml0.1")]
        self.next = cursor + 2 if cursor + 2 < len(rows) else 0
        return b"".join(proto.PORT_INFO.pack(n, proto.UP, name.encode(), 10, 1000, 20, 2000, 3, 256, *([0, 4] + [0] * 30))
                        for n, name in rows[cursor:cursor + 2])

    def answer(self, sock, kind, serial, body, fds):
        fault = faults()
        if fault.get("die") == [str(kind)]:
            os._exit(7)
        if fault.get("mute") == [str(kind)]:
            return
        self.next = 0
        errnum, rest = (22, b"") if fault.get("refuse") == [str(kind)] else self.change(kind, body, fds)
        if "stranger" in fault:
            serial += 1
        self.send(sock, proto.REPLY, proto.REPLY_BODY.pack(errnum, self.next, b"fake says no" if errnum else b"") + rest,
                  serial)
        if kind == proto.GO and not errnum:
            self.send(sock, proto.STATE, self.state())
        if kind == proto.HANDOVER and "slow" not in fault:
            os._exit(0)

    def serve(self, sock):
        data, fds, _, _ = socket.recv_fds(sock, proto.CTL_MAX, 4)
        if not data:
            self.selector.unregister(sock)
            sock.close()
            return
        _, _, kind, serial, length = proto.HEADER.unpack_from(data)
        assert length == len(data) - proto.HEADER.size
        self.answer(sock, kind, serial, data[proto.HEADER.size:], fds)
        for fd in fds:
            os.close(fd)

    def run(self):
        while True:
            for key, _ in self.selector.select():
                try:
                    if key.fileobj is self.ctl:
                        self.accept()
                    else:
                        self.serve(key.fileobj)
                except BlockingIOError:
                    pass
                except OSError:  # a daemon that is gone
                    if key.fileobj is not self.ctl:
                        self.selector.unregister(key.fileobj)
                        key.fileobj.close()


if __name__ == "__main__":
    if "start" in faults():
        sys.exit(3)
    if "slow" in faults():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Fake(sys.argv[2]).run()
