#!/usr/bin/env python3
"""test_boot.py BUILD_IMAGE PROBE_CPIO [GUARD]: image and probe on the real kernel."""

import base64
import os
import subprocess
import sys
import tempfile

import dhcp
import guest_boot
from guest_boot import Guest

guard = sys.argv[3] if len(sys.argv) > 3 else None


def check(condition, what, guest=None):
    if not condition:
        if guest:
            print(guest.text(guest.con)[-3000:])
        sys.exit(f"not so: {what}")


def boots_logs_in_and_shuts_down_at_ctrl_alt_del(image):
    with Guest(f"ubd0={image}", "root=/dev/ubda", "hostname=web", preload=guard) as guest:
        check(guest.pump(lambda: "READY=1\n" in guest.notes), "READY=1 is reported", guest)
        check(guest.pump(lambda: "web login:" in guest.text(guest.con)), "a login prompt with the host name", guest)
        guest.send(guest.con, "root\n")
        check(guest.pump(lambda: "web:~#" in guest.text(guest.con)), "root needs no password", guest)
        guest.send(guest.con, "touch /written && id && sleep 1000 & mount\n")
        check(guest.pump(lambda: "uid=0(root)" in guest.text(guest.con)), "a shell of root on a writable /", guest)
        guest.mconsole("cad")
        check(guest.pump(guest.ended, 15), "Ctrl-Alt-Del ends the guest", guest)
        check(guest.process.returncode == 0, "with status 0", guest)
    fsck = subprocess.run(["/sbin/e2fsck", "-f", "-n", image], capture_output=True, text=True, check=False)
    check(fsck.returncode == 0, f"the file system is clean: {fsck.stdout}")


def run(image, command, *words, data="", server=None):
    """Exit status and output of a command run as umlctl run does."""
    word = base64.urlsafe_b64encode(command.encode()).decode().rstrip("=")
    with Guest(f"ubd0r={image}", "root=/dev/ubda", f"umld.run={word}", *words, preload=guard, server=server) as guest:
        if data:
            check(guest.pump(lambda: b"GO" in guest.output[guest.ssl]), "the command asks for input", guest)
            guest.send(guest.ssl, data)
        check(guest.pump(guest.ended), f"{command!r} ends", guest)
        check("READY=1\n" in guest.notes, "ready before the command", guest)
        check("login:" not in guest.text(guest.con), "no login beside the command", guest)
        return guest.process.returncode, guest.output[guest.ssl]


def runs_commands_exactly(image):
    check(run(image, "echo 'a  b' \"$HOME\" \u00e9; exit 7") == (7, "a  b /root \u00e9\n".encode()), "words and status")
    check(run(image, "printf 'x\\r\\ny\\0\\377'; kill -9 $$") == (137, b"x\r\ny\0\xff"), "bytes are kept, signals told")
    check(run(image, "echo GO; head -c 4 | od -c | head -n 1", data="a\x03\x04\n")[1].split() ==
          [b"GO", b"0000000", b"a", b"003", b"004", b"\\n"], "input is raw")
    check(run(image, "touch /x 2>/dev/null || echo ro")[1] == b"ro\n", "/ of a shared image stays as it is")


def configures_its_network(image):
    show = "ip -4 -o address show vec0 | grep -o 'inet [^ ]*'; ip route; cat /etc/resolv.conf; hostname"
    static = run(image, show, "ip=10.1.2.3::10.1.2.1:255.255.255.0:fixed:vec0:none:10.1.2.53:10.1.2.54", server=lambda frame: None)
    lines = [" ".join(line.split()) for line in static[1].decode().splitlines()]
    for line in ("inet 10.1.2.3/24", "default via 10.1.2.1 dev vec0", "nameserver 10.1.2.53", "nameserver 10.1.2.54", "fixed"):
        check(line in lines, f"ip=ADDRESS gives {line!r}: {lines}")
    # A server that is slow to answer keeps no guest from getting up: the command waits itself.
    show = "for i in $(seq 600); do ip -4 -o address show vec0 | grep -q inet && break; sleep 0.1; done; " + show
    for words in (["ip=dhcp"], []):
        lines = [" ".join(line.split()) for line in run(image, show, *words, server=dhcp.answer)[1].decode().splitlines()]
        for line in ("inet 10.9.8.7/24", "default via 10.9.8.1 dev vec0", "search lan.test", "nameserver 10.9.8.53"):
            check(line in lines, f"DHCP ({words}) gives {line!r}: {lines}")
    check(run(image, "cat /sys/class/net/vec0/flags", "ip=off", server=dhcp.answer)[1] == b"0x1002\n", "ip=off leaves it down")


def probe_finds_registers_kept(cpio):
    with Guest(f"initrd={cpio}", preload=guard) as guest:
        check(guest.pump(lambda: len(guest.notes) >= 2), "the probe reports", guest)
        check(guest.notes[1] == "READY=1", f"READY=1 comes last: {guest.notes}", guest)
        fields = dict(word.split("=") for word in guest.notes[0].split()[1:])
        check(guest.notes[0].startswith("PROBE avx="), guest.notes[0])
        check((fields["avx"], fields["threads"], fields["pthread"]) == ("0", "0", "ok"), guest.notes[0])
        check(int(fields["lpj"]) > 1000, f"lpj was read: {guest.notes[0]}")
        check(guest.pump(guest.ended, 15), "the probe switches its guest off", guest)


def main():
    reason = guest_boot.missing()
    if reason:
        print(reason)
        return guest_boot.SKIP
    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "root.img")
        subprocess.run([sys.argv[1], "busybox", image, str(32 << 20)], check=True, stdout=subprocess.DEVNULL)
        boots_logs_in_and_shuts_down_at_ctrl_alt_del(image)
        runs_commands_exactly(image)
        configures_its_network(image)
    probe_finds_registers_kept(sys.argv[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
