#!/usr/bin/env python3
"""Devices of a running kernel: added, taken away, put back when it refuses, and there again after a reboot."""

import contextlib
import os
import pwd
import shutil
import signal
import unittest

import guest_harness
from guest_harness import CallError, until


class Live(guest_harness.Case):
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
        until(lambda: not self.mounted(guest, disk), "the removed disk has left the sandbox")

    def mounted(self, guest, path):
        """Options of the mount at path in the guest's sandbox, or None."""
        with open(f"/proc/{guest.pid()}/mountinfo", encoding="utf-8") as file:
            found = [line.split() for line in file]
        return next((fields[5].split(",") for fields in found if fields[4] == path), None)

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
        until(lambda: "login: " in self.daemon.ctl("logs", "con", "con2", check=False).stdout, "con2 has a login")
        refused = self.daemon.ctl("config", "con", "con2=null", check=False)
        self.assertIn("already open", refused.stderr)
        self.assertIn("in the guest", refused.stderr, "what is to be done")
        with guest.shell() as shell:
            shell.run("while ps | grep -q 'tty[2]'; do kill $(ps | awk '/tty[2]/ {print $1}'); sleep 0.1; done")
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
        with self.assertRaises(CallError) as caught:
            self.update("con", "con5=pts")
        self.assertEqual(caught.exception.name, "Unsupported")

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
        guest = self.guest("kept")
        self.update("kept", "ubd1=" + disk)
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.start()
        self.daemon.call("io.umld.Guest.Wait", name="kept", condition="state=running", timeoutMs=60000)
        self.daemon.ctl("detach", "kept", "ubd1")
        until(lambda: not self.mounted(guest, disk), "the removed disk has left the sandbox")

    def test_read_only_disk_cannot_be_written_whatever_its_mode(self):
        disk = self.daemon.disk("ro.img")
        os.chmod(disk, 0o666)
        guest = self.guest("ro")
        self.assertEqual(self.how(self.update("ro", "ubd1r=" + disk)), {"ubd1": "live"})
        self.assertIn("ro", self.mounted(guest, disk))
        with guest.shell() as shell:
            self.assertEqual(shell.run("cat /sys/block/ubdb/ro"), "1")
            shell.run("mount -o ro /dev/ubdb /mnt && test -e /mnt/bin && umount /mnt")
        with self.assertRaises(CallError) as caught:
            self.update("ro", "ubd1=" + disk, dryRun=True, ifRevision=1)  # its revision is 2 by now
        self.assertEqual(caught.exception.name, "Conflict")
        reply = self.update("ro", "ubd1=" + disk, dryRun=True)
        self.assertEqual(self.how(reply), {"ubd1": "nextStart"}, "one file, and the answer could not tell the two apart")

    @unittest.skipUnless(shutil.which("uml_mkcow"), "no uml_mkcow: apt install uml-utilities")
    def test_cow_disk_is_added_with_its_backing_file(self):
        backing = self.daemon.disk("base.img")
        cow, before = self.daemon.cow("added.cow", backing), os.stat(backing)
        guest = self.guest("cow")
        reply = self.update("cow", "ubd1=" + cow)
        self.assertEqual(self.how(reply), {"ubd1": "nextStart"}, "nobody named the backing file")
        self.daemon.ctl("config", "cow", "--unset", "ubd1")
        self.assertEqual(self.how(self.update("cow", f"ubd1={cow},{backing}")), {"ubd1": "live"})
        self.assertIn("ro", self.mounted(guest, backing))
        self.use(guest, write=True)
        self.daemon.ctl("reboot", "cow")
        self.use(guest, write=False)
        self.daemon.ctl("detach", "cow", "ubd1")
        until(lambda: not self.mounted(guest, cow) and not self.mounted(guest, backing), "both files have left the sandbox")
        self.assertEqual(self.how(self.update("cow", f"ubd1={cow},{backing}")), {"ubd1": "live"})
        self.daemon.ctl("stop", "cow")
        guest.start()
        self.use(guest, write=False)
        after = os.stat(backing)
        self.assertEqual((before.st_mtime_ns, before.st_size), (after.st_mtime_ns, after.st_size))

    def use(self, guest, write):
        """ubd1, as soon as it is there, with a file on it that is written first or was before."""
        with guest.shell() as shell:
            until(lambda: shell.run("grep -c ubdb /proc/partitions", check=False)[0] == "1", "ubd1 is there")
            command = "echo in-the-cow >/mnt/root/file" if write else "cat /mnt/root/file"
            self.assertEqual(shell.run(f"mount /dev/ubdb /mnt && {command} && umount /mnt"), "" if write else "in-the-cow")

    def test_managed_console_needs_a_start(self):
        self.guest("tty")
        before = self.stored("tty")
        refused = self.daemon.ctl("config", "tty", "con4=managed", check=False)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("none is left for con4", refused.stderr)
        self.assertIn("umlctl config tty con4=managed --stored", refused.stderr)
        self.assertEqual(self.stored("tty"), before)
        self.daemon.ctl("config", "tty", "con4=managed", "--stored")
        self.assertIn("con4=managed", self.stored("tty"))


class Apart(Live):
    """Guests that are users of their own: files are opened to them, and closed again."""

    user = pwd.getpwuid(65534).pw_name
    for name in [name for name in vars(Live) if name.startswith("test_")]:  # what is the same for everybody
        if "disk" not in name:
            locals()[name] = None

    def entries(self, path):
        """Numbers with an entry of their own in the file's access control list."""
        with contextlib.suppress(OSError):
            data = os.getxattr(path, "system.posix_acl_access")
            entries = [data[i:i + 8] for i in range(4, len(data), 8)]
            return [int.from_bytes(entry[4:], "little") for entry in entries if entry[0] == 2]
        return []

    def test_disk_file_is_open_to_the_guest_while_it_has_it(self):
        disk, foreign = self.daemon.disk("acl.img"), self.daemon.disk("foreign.img")
        os.chown(foreign, 0, 0)
        os.chmod(foreign, 0o640)
        os.chown(foreign, -1, self.daemon.owner)  # umld may read it; it is not umld's to give
        guest = self.guest("acl")
        self.update("acl", "ubd1=" + disk)
        self.assertEqual(self.entries(disk), [guest.uid()])
        with self.assertRaises(CallError) as caught:
            self.update("acl", "ubd2r=" + foreign)
        self.assertIn("cannot be read by the guest's own user", caught.exception.parameters["message"])
        self.daemon.ctl("detach", "acl", "ubd1")
        until(lambda: not self.entries(disk), "the file is closed to it again")


if __name__ == "__main__":
    guest_harness.main()
