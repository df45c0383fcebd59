#!/usr/bin/env python3
"""test_real_guests.py UMLNETD UML_SWITCH UMLGUARD: guests with a real kernel, started by hand as the HOWTO does, reach
each other over the switch. Exit 77: cannot run here."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "mconsole"))

from uml_harness import Lines  # noqa: E402

KERNEL = os.environ.get("UMLD_TEST_KERNEL", "/usr/bin/linux.uml")
BUSYBOX = "/bin/busybox"
LIMIT = 120  # seconds that no boot takes
UMLNETD, UML_SWITCH, UMLGUARD = (os.path.realpath(word) for word in sys.argv[1:4])
del sys.argv[1:4]

# What a kernel does not know of its command line, init has in its environment: me, peer.
INIT = """#!/bin/busybox sh
/bin/busybox ip address add $me/24 dev eth0
/bin/busybox ip link set eth0 up && echo UP
[ -z "$peer" ] || /bin/busybox ping -c 3 -W 60 $peer && echo REACHED
while :; do /bin/busybox sleep 1000; done
"""


def why_not():
    for path in (KERNEL, BUSYBOX):
        if not os.access(path, os.X_OK):
            return f"{path} is not installed"
    for program in ("mke2fs", "setarch"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"{program} is not installed"
    return None


def make_image(folder):
    for name in ("bin", "dev"):
        os.makedirs(f"{folder}/root/{name}")
    shutil.copy(BUSYBOX, f"{folder}/root/bin/busybox")
    with open(f"{folder}/root/init", "w", encoding="ascii") as file:
        file.write(INIT)
    os.chmod(f"{folder}/root/init", 0o755)
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", f"{folder}/root", f"{folder}/fs", "8M"], check=True, env=env,
                   stdout=subprocess.DEVNULL)


class RealGuests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ug", dir="/tmp")
        self.addCleanup(self.folder.cleanup)
        make_image(self.folder.name)

    def path(self, name):
        return f"{self.folder.name}/{name}"

    def switch(self, program, *words):
        process = subprocess.Popen([program, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(select.select([process.stdout], [], [], LIMIT)[0])
        self.assertTrue(process.stdout.readline())

    def boot(self, name, eth0, *words):
        env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LD_PRELOAD": UMLGUARD}
        process = subprocess.Popen(
            ["setarch", "-R", KERNEL, f"uml_dir={self.path('uml')}/", f"umid={name}", "mem=64M", "con=null", "ssl=null",
             "con0=null,fd:1", f"ubd0rd={self.path('fs')}", "root=98:0", "ro", "init=/init", "console=tty0",
             f"eth0={eth0}", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
            start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(os.killpg, process.pid, signal.SIGKILL)  # its helpers as well
        return Lines(process.stdout.fileno())

    def reach(self, first, second):
        """A guest is booted on each, and the second reaches the first."""
        self.boot("a", first, "me=10.9.0.1").expect("UP", LIMIT)
        console = self.boot("b", second, "me=10.9.0.2", "peer=10.9.0.1")
        text = console.expect("REACHED", LIMIT)
        self.assertIn("3 packets received, 0% packet loss", text)

    def test_over_umlnetd(self):
        self.switch(UMLNETD, "--listen", "uml:" + self.path("ctl"))
        self.reach(f"daemon,,unix,{self.path('ctl')}", f"daemon,,unix,{self.path('ctl')}")

    def test_over_uml_switch(self):
        self.switch(UML_SWITCH, "-unix", self.path("ctl"))
        self.reach(f"daemon,,unix,{self.path('ctl')}", f"daemon,,unix,{self.path('ctl')}")

    def test_a_vde_device_at_the_port_it_asks_for(self):
        self.switch(UMLNETD, "--listen", "vde:" + self.path("vde"))
        self.reach(f"vde,{self.path('vde')},,5", f"daemon,,unix,{self.path('vde')}/ctl")
        ports = sorted(name[:4] for name in os.listdir(self.path("vde")) if name[0].isdigit())
        self.assertEqual(len(ports), 2)
        self.assertIn("005.", ports)


if __name__ == "__main__":
    if reason := why_not():
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
