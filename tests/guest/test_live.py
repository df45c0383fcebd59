#!/usr/bin/env python3
"""Devices of a running kernel: added, taken away, put back when it refuses, and there again after a reboot."""

import os
import signal
import unittest

import guest_harness
from guest_harness import CallError, Daemon, until


class Live(unittest.TestCase):
    user = None

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(user=cls.user)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.image()

    def guest(self, name, *words, **options):
        guest = self.daemon.guest(name, *words, **options)
        self.addCleanup(guest.remove)
        return guest

    def update(self, name, *words, **more):
        return self.daemon.call("io.umld.Guest.Update", name=name, set=list(words), **more)

    def stored(self, name):
        return self.daemon.call("io.umld.Guest.Get", name=name)["guest"]["definition"]["devices"]

    def how(self, reply):
        return {a["device"]: a["how"] for a in reply["applied"]}

    def test_disk_is_added_used_and_removed(self):
        disk = self.daemon.disk("added.img")
        guest = self.guest("disk")
        told = self.daemon.ctl("config", "disk", "ubd1=" + disk)
        self.assertIn("disk: ubd1: live", told.stdout)
        self.assertIn("ubd1=" + disk, self.stored("disk"))
        with guest.shell() as shell:
            shell.run("mount /dev/ubdb /mnt && echo live >/mnt/root/file && sync")
            refused = self.daemon.ctl("detach", "disk", "ubd1", check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("unmount the disk in the guest first", refused.stderr)
            self.assertIn("ubd1=" + disk, self.stored("disk"))
            self.assertEqual(shell.run("cat /mnt/root/file"), "live", "a refused removal changes nothing")
            shell.run("umount /mnt")
            self.assertIn("disk: ubd1: live", self.daemon.ctl("detach", "disk", "ubd1").stdout)
            self.assertEqual(shell.run("grep -c ubdb /proc/partitions", check=False)[0], "0")
        self.assertFalse([word for word in self.stored("disk") if word.startswith("ubd1=")])
        until(lambda: not self.holders(), "nothing keeps the removed disk open")

    def holders(self):
        names = []
        for pid in self.daemon.processes():
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    names += [pid] if file.read().strip() == "umlhold" else []
            except OSError:
                continue
        return names

    def test_disks_outlive_a_reboot_in_place_and_a_restart(self):
        first, second = self.daemon.disk("first.img"), self.daemon.disk("second.img")
        guest = self.guest("again", "ubd2=" + second)
        self.assertEqual(self.how(self.update("again", "ubd1=" + first)), {"ubd1": "live"})
        self.daemon.ctl("detach", "again", "ubd2")
        for verb in (["reboot"], ["stop"]):
            self.daemon.ctl(*verb, "again")
            if verb == ["stop"]:
                guest.start()
            with guest.shell() as shell:
                until(lambda: shell.run("grep -c ubdb /proc/partitions", check=False)[0] == "1", "ubd1 is there again")
                until(lambda: shell.run("grep -c ubdc /proc/partitions", check=False)[0] == "0", "ubd2 is not")

    def test_memory_is_given_back_to_the_host_and_returned(self):
        guest = self.guest("mem", "mem=160M")
        with guest.shell() as shell:
            # Touched once by the guest, all of it is the host's to give.
            shell.run("mount -t tmpfs -o size=90m x /mnt && dd if=/dev/zero of=/mnt/x bs=1M count=88 && umount /mnt")
            touched = self.resident(guest)
            free = int(shell.run("awk '/MemFree/ {print $2}' /proc/meminfo")) >> 10
            self.assertEqual(self.how(self.update("mem", "mem=96M")), {"mem": "live"})
            less = int(shell.run("awk '/MemFree/ {print $2}' /proc/meminfo")) >> 10
            self.assertGreaterEqual(free - less, 48)
            self.assertLess(self.resident(guest), touched - 32)
            self.assertEqual(self.how(self.update("mem", "mem=160M")), {"mem": "live"})
            again = int(shell.run("awk '/MemFree/ {print $2}' /proc/meminfo")) >> 10
            self.assertGreaterEqual(again - less, 48)
        reply = self.update("mem", "mem=200M")
        self.assertEqual(self.how(reply), {"mem": "nextStart"})
        self.assertIn("started with 160M", reply["applied"][0]["note"])
        with self.assertRaises(CallError) as caught:
            self.update("mem", "mem=24M")
        self.assertIn("memory are free", caught.exception.parameters["message"])
        self.assertIn("mem=200M", self.stored("mem"))

    def resident(self, guest):
        """MB of the host that the guest's memory takes."""
        with open(f"/proc/{guest.pid()}/status", encoding="utf-8") as file:
            return int(next(line for line in file if line.startswith("VmRSS:")).split()[1]) >> 10

    def test_console_goes_from_managed_to_null_and_back(self):
        guest = self.guest("con", "con2=managed")
        self.assertEqual(self.how(self.update("con", "con2=null")), {"con2": "live"})
        self.assertEqual(self.daemon.call("io.umld.Guest.Mconsole", name="con", command="config con2")["text"], "null")
        self.update("con", "con3=null", "con2=managed", apply="stored")
        values = {v["device"]: v for v in self.daemon.call("io.umld.Guest.Config", name="con")["values"]}
        self.assertEqual(values["con2"], {"device": "con2", "value": "con2=managed", "where": "differs", "live": "con2=null"})
        self.assertEqual(values["con3"]["where"], "stored")
        self.assertEqual(values["ubd0"]["where"], "both")
        self.assertIn("con2=managed  (live: con2=null)", self.daemon.ctl("config", "con").stdout)
        self.assertEqual(self.how(self.update("con", "con2=managed")), {"con2": "live"})
        with guest.shell() as shell:
            shell.run("echo through-con2 >/dev/tty2")
        until(lambda: "through-con2" in self.daemon.ctl("logs", "con", "con2", check=False).stdout, "con2 is heard again")
        reply = self.update("con", "con5=pts")
        self.assertEqual(self.how(reply), {"con5": "nextStart"})

    def test_one_that_fails_puts_all_back(self):
        disk = self.daemon.disk("back.img")
        guest = self.guest("back")
        with guest.shell() as shell:
            before = self.stored("back")
            with self.assertRaises(CallError):
                self.update("back", "ubd1=" + disk, "con0=null")  # con0 is what the shell is on
            self.assertEqual(self.stored("back"), before)
            self.assertEqual(shell.run("grep -c ubdb /proc/partitions", check=False)[0], "0")
        self.assertEqual(self.how(self.update("back", "ubd1=" + disk, apply="stored")), {"ubd1": "nextStart"})

    def test_disk_of_another_guest_is_refused(self):
        disk = self.daemon.disk("mine.img")
        self.guest("owner")
        self.guest("other")
        self.update("owner", "ubd1=" + disk)
        with self.assertRaises(CallError) as caught:
            self.update("other", "ubd1=" + disk)
        self.assertIn('in use by guest "owner"', caught.exception.parameters["message"])

    def test_daemon_killed_later_still_knows(self):
        disk = self.daemon.disk("kept.img")
        self.guest("kept")
        self.update("kept", "ubd1=" + disk)
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.start()
        self.daemon.call("io.umld.Guest.Wait", name="kept", condition="state=running", timeoutMs=60000)
        self.daemon.ctl("detach", "kept", "ubd1")
        until(lambda: not self.holders(), "nothing keeps the removed disk open")

    def test_writable_file_is_not_given_read_only(self):
        disk = self.daemon.disk("ro.img")
        self.guest("ro")
        reply = self.update("ro", "ubd1r=" + disk)
        if os.getuid() == 0 and not self.user:
            self.assertEqual(self.how(reply), {"ubd1": "nextStart"})
            self.assertIn("may write the file", reply["applied"][0]["note"])


if __name__ == "__main__":
    guest_harness.main()
