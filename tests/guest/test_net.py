#!/usr/bin/env python3
"""Real guests on a network of umld's: what umlnetd's end, umld's end and the guest's own doings do to them."""

import os
import signal
import time
import unittest

import guest_harness
from guest_harness import until

LINES = 3000
PORT = 5000
NAMES = {"one": "10.9.0.1", "two": "10.9.0.2"}


def ticks(pid):
    """CPU time of a process, user and system."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


class Net(guest_harness.Case):
    def setUp(self):
        self.daemon.ctl("net", "create", "lan")
        self.addCleanup(self.daemon.ctl, "net", "rm", "lan")
        self.guests, self.shells = {}, {}
        for name in NAMES:
            self.guests[name] = self.guest(name, "net0=lan")
        for name, address in NAMES.items():
            self.guests[name].wait("ready")
            shell = self.shells[name] = self.guests[name].shell()
            self.addCleanup(shell.close)
            shell.run(f"ifconfig vec0 {address} up")

    def network(self):
        return self.daemon.call("io.umld.Network.Get", name="lan")["network"]["runtime"]

    def network_after_restart(self):
        """umld adopts it; its pid."""
        self.daemon.start()
        until(lambda: self.network()["state"] == "running", "umlnetd adopted")
        return self.network()["pid"]

    def ping(self, name="one", to="10.9.0.2"):
        """One that is answered; the first of a link that has just come up may be lost."""
        self.shells[name].run(f"until ping -c 1 -W 1 {to} >/dev/null; do :; done")

    def kill(self):
        before = self.network()["pid"]
        os.kill(before, signal.SIGKILL)
        until(lambda: self.network().get("pid") not in (None, before), "another umlnetd")

    def transfer(self):
        """Lines from one to two over TCP, slowly; what has arrived is counted by lines()."""
        one, two = self.shells["one"], self.shells["two"]
        two.run(f"sleep 1000 | nc -l -p {PORT} >/tmp/got &")
        two.run(f"until netstat -ltn 2>/dev/null | grep -q :{PORT}; do usleep 20000; done")
        text = "i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1))" % LINES
        one.run(f"({text}; usleep 1000; done) | nc 10.9.0.2 {PORT} >/dev/null 2>&1 &")
        return text

    def await_lines(self, count):
        self.shells["two"].run(f"until [ $(wc -l </tmp/got) -ge {count} ]; do usleep 10000; done")

    def test_a_tcp_connection_outlives_umlnetd_and_umld(self):
        text = self.transfer()
        self.await_lines(100)
        self.kill()
        self.await_lines(500)
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.await_lines(700)
        pid = self.network_after_restart()
        self.daemon.ctl("net", "restart", "lan")
        self.assertNotEqual(self.network()["pid"], pid)
        self.await_lines(LINES)
        self.shells["two"].run(f"{text}; done >/tmp/want; cmp /tmp/got /tmp/want")

    def test_a_device_that_went_down_comes_up_again(self):
        self.ping()
        for _ in range(3):
            self.shells["one"].run("ifconfig vec0 down")
            self.shells["one"].run("ifconfig vec0 10.9.0.1 up")
            self.ping()

    def test_a_guest_that_reboots_in_place_is_on_the_network_again(self):
        self.ping()
        self.shells["one"].send("reboot\n")
        self.guests["one"].wait("event=guest.rebooted")
        self.guests["one"].wait("ready")
        self.shells["one"].close()
        shell = self.shells["one"] = self.guests["one"].shell()
        self.addCleanup(shell.close)
        shell.run("ifconfig vec0 10.9.0.1 up")
        self.ping()

    def test_nobody_spins_while_umlnetd_is_away(self):
        """A guest whose SEQPACKET peer has closed would take a whole CPU."""
        self.ping()
        pids = [self.guests[name].pid() for name in NAMES]
        stopped = self.network()["pid"]
        os.kill(stopped, signal.SIGSTOP)
        self.addCleanup(os.kill, stopped, signal.SIGCONT)
        before, began = [ticks(pid) for pid in pids], time.monotonic()
        self.shells["one"].run("ping -c 3 -W 1 10.9.0.2", check=False)
        passed = time.monotonic() - began
        for pid, was in zip(pids, before):
            self.assertLess((ticks(pid) - was) / os.sysconf("SC_CLK_TCK"), passed / 2)
        os.kill(stopped, signal.SIGCONT)
        self.ping()

    def test_the_address_is_that_of_the_definition_and_stays(self):
        seen = self.shells["one"].run("cat /sys/class/net/vec0/address")
        self.assertIn(f"mac={seen}", self.daemon.ctl("config", "one", "net0").stdout)


if __name__ == "__main__":
    unittest.TestCase.maxDiff = None
    guest_harness.main()
