#!/usr/bin/env python3
"""System mode, each guest a user of its own: life, consoles and devices are the same as ever, and the
daemon may be killed."""

import os
import unittest

import guest_harness
import test_consoles
import test_devices
import test_life
from guest_harness import LIMIT, Daemon, status_field, until

USER = "daemon"


class Life(test_life.Life):
    user = USER


class Consoles(test_consoles.Consoles):
    user = USER


class Devices(test_devices.Devices):
    user = USER


class Daemons(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(user=USER)
        cls.addClassCleanup(cls.daemon.close)

    def again(self):
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()

    def test_a_guest_outlives_kill_9_of_umld_and_is_managed_as_before(self):
        disk = self.daemon.disk("kept.img")
        guest = self.daemon.guest("kept", "ubd0=" + disk)
        self.addCleanup(guest.remove)
        with guest.shell() as shell:
            before = guest.runtime()
            self.again()
            shell.run("echo still-here >/root/file; sync", seconds=LIMIT)
        after = guest.wait("ready")
        for key in ("pid", "monitorPid", "bootNumber", "uid"):
            self.assertEqual(before[key], after[key], key)
        call = self.daemon.call
        self.assertIn("Linux kept", call("io.umld.Guest.Mconsole", name="kept", command="version")["text"])
        call("io.umld.Guest.Pause", name="kept")
        call("io.umld.Guest.Resume", name="kept")
        call("io.umld.Guest.Reboot", name="kept")
        self.assertEqual(guest.wait("ready")["bootNumber"], before["bootNumber"] + 1)
        call("io.umld.Guest.Stop", name="kept")
        guest.start()
        self.assertEqual(guest.uid(), before["uid"])
        with guest.shell() as shell:
            self.assertEqual(shell.run("cat /root/file"), "still-here")

    def test_a_guest_whose_monitor_died_with_umld_is_cleared_away(self):
        guest = self.daemon.guest("lost")
        self.addCleanup(guest.remove)
        main, monitor = guest.pid(), guest.runtime()["monitorPid"]
        self.daemon.process.kill()
        self.daemon.process.wait()
        os.kill(monitor, 9)
        self.daemon.start()
        self.assertEqual(guest.wait("exit")["cause"], "monitor died")
        until(lambda: status_field(main, "State")[:1] in ("", "Z"), "the kernel's end")
        self.assertFalse(os.path.exists(f"{self.daemon.run}/g/lost"))


if __name__ == "__main__":
    guest_harness.main()
