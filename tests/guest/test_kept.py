#!/usr/bin/env python3
"""What a pause and a reboot in place must not break: TCP connections to others, inherited descriptors."""

import contextlib
import os
import select
import socket
import struct
import threading

import guest_harness
from guest_harness import link, until

LINES = 100
PORT = 5000


class Wire(threading.Thread):
    """A cable between two guests, which connect to its ends; what an end has no room for is dropped."""

    def __init__(self, guests):
        super().__init__(daemon=True)
        self.seen, self.ends = [], []
        self.ended, self.end = os.pipe()
        self.listeners = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in guests]
        for listener, guest in zip(self.listeners, guests):
            listener.bind(guest.inner + "/wire")
            listener.listen(1)

    def accept(self, index):
        end = self.listeners[index].accept()[0]
        end.setblocking(False)
        self.ends.append(end)

    def run(self):
        """Once both ends are connected."""
        others = dict(zip(self.ends, reversed(self.ends)))
        while True:
            ready = select.select([*self.ends, self.ended], [], [])[0]
            if self.ended in ready:
                return
            for end in ready:
                frame = end.recv(65536)
                if not frame:
                    return  # the guest has ended
                self.seen.append(frame)
                with contextlib.suppress(BlockingIOError, BrokenPipeError):
                    others[end].send(frame)

    def segments(self):
        """Sequence numbers of what was sent to the port with data, as often as it was."""
        numbers = []
        for frame in list(self.seen):
            if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
                continue
            tcp = frame[14 + 4 * (frame[14] & 15):14 + struct.unpack(">H", frame[16:18])[0]]
            if struct.unpack(">H", tcp[2:4])[0] == PORT and len(tcp) > 4 * (tcp[12] >> 4):
                numbers.append(tcp[4:8])
        return numbers

    def close(self):
        os.write(self.end, b"x")
        self.join()
        for end in self.listeners + self.ends:
            end.close()
        os.close(self.ended)
        os.close(self.end)


class Kept(guest_harness.Case):
    def guest(self, name, *words):
        guest = super().guest(name, *words)
        guest.wait("ready")
        return guest

    def plug(self, guest, address):
        """A network interface that is connected when it goes up; the guest's shell."""
        self.daemon.ctl("mconsole", guest.name, f"config vec0:transport=bess,dst={guest.inner}/wire")
        shell = guest.shell()
        self.addCleanup(shell.close)
        shell.run(f"ifconfig vec0 {address} up")
        return shell

    def test_a_tcp_connection_outlives_the_pause_of_either_end(self):
        guests = self.guest("taker"), self.guest("giver")
        wire = Wire(guests)
        taker, giver = self.plug(guests[0], "10.9.0.1"), self.plug(guests[1], "10.9.0.2")
        for index in range(2):
            wire.accept(index)
        wire.start()
        self.addCleanup(wire.close)
        taker.run(f"sleep 1000 | nc -l -p {PORT} >/tmp/got &")  # at the end of its input it would hang up
        taker.run(f"until netstat -ltn 2>/dev/null | grep -q :{PORT}; do usleep 20000; done")
        lines = f"i=0; while [ $i -lt {LINES} ]; do echo line $i; i=$((i+1))"
        giver.run(f"({lines}; usleep 10000; done) | nc 10.9.0.1 {PORT} >/dev/null 2>&1 &")
        taker.run("until [ $(wc -l </tmp/got) -ge 20 ]; do usleep 20000; done")

        self.daemon.ctl("pause", "taker")
        sent = wire.segments()
        until(lambda: len(set(again := wire.segments()[len(sent):])) < len(again), "what is not answered is sent again")
        self.daemon.ctl("resume", "taker")
        taker.run("until [ $(wc -l </tmp/got) -ge 40 ]; do usleep 20000; done")

        self.daemon.ctl("pause", "giver")
        self.assertEqual(guests[1].runtime()["state"], "paused")
        self.daemon.ctl("resume", "giver")
        taker.run(f"until [ $(wc -l </tmp/got) -ge {LINES} ]; do usleep 20000; done")
        taker.run(f"{lines}; done >/tmp/want; cmp /tmp/got /tmp/want")

    def descriptors(self, guest):
        """Those it was started with."""
        pid = guest.pid()
        every = {int(number): link(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
        return {number: every.get(number) for number in (0, 1, 2, 10, 11, 12)}

    def test_a_reboot_in_place_keeps_the_inherited_descriptors(self):
        guest = self.guest("again", "con1=managed", "con2=pts", "ssl0=managed")
        main, before = guest.pid(), self.descriptors(guest)
        self.assertNotIn(None, before.values())
        with guest.shell("con1", fresh=False) as shell:
            shell.send("reboot\n")
            guest.wait("event=guest.rebooted")
        self.assertEqual(guest.wait("ready")["bootNumber"], 2)
        self.assertEqual((guest.pid(), self.descriptors(guest)), (main, before))
        for device, name in (("con0", "console"), ("con1", "tty1"), ("ssl0", "ttyS0")):
            with guest.shell(device, fresh=device == "con0") as shell:
                self.assertRegex(shell.run("tty"), f"^/dev/(tty0|{name})$")


if __name__ == "__main__":
    guest_harness.main()
