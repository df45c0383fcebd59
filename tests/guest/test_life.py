#!/usr/bin/env python3
"""A real guest's life: start, stop, pause, panic, power off, restart, and what each leaves behind."""

import os
import select
import subprocess

import guest_harness
from guest_harness import Stream, until


class Life(guest_harness.Case):
    def assert_nothing_runs(self, guest):
        self.assertFalse(os.path.exists(f"{self.daemon.run}/g/{guest.name}"), "the run directory is gone")
        left = [pid for pid in self.daemon.processes() if f"/{guest.name}/".encode() in guest_harness.read(f"/proc/{pid}/cmdline")]
        self.assertEqual(left, [])

    def test_stop_asks_the_guest_and_leaves_a_clean_file_system(self):
        disk = self.daemon.disk("stop.img")
        guest = self.guest("stop", "ubd0=" + disk)
        with guest.shell() as shell:
            shell.run("echo kept >/root/file; sleep 1000 &")
        reply = self.daemon.call("io.umld.Guest.Stop", name="stop")
        self.assertEqual((reply["changed"], reply["state"]), (True, "stopped"))
        runtime = guest.runtime()
        self.assertEqual((runtime["state"], runtime["want"], runtime["exitStatus"]), ("stopped", "down", 0))
        self.assertNotIn("cause", {key for key, value in runtime.items() if value})
        self.assert_nothing_runs(guest)
        fsck = subprocess.run(["/sbin/e2fsck", "-f", "-n", disk], capture_output=True, text=True, check=False)
        self.assertEqual(fsck.returncode, 0, fsck.stdout)
        self.assertNotIn("recovering journal", fsck.stdout)
        self.assertIn("reboot: ", guest.log(), "init switched the guest off by itself")
        content = subprocess.run(["/sbin/debugfs", "-R", "cat /root/file", disk], capture_output=True, check=True).stdout
        self.assertEqual(content, b"kept\n")
        self.assertFalse(self.daemon.call("io.umld.Guest.Stop", name="stop")["changed"])

    def test_stop_of_a_guest_that_ignores_ctrl_alt_del_halts_it(self):
        self.daemon.ctl("settings", "stop-seconds=1")
        self.addCleanup(self.daemon.ctl, "settings", "stop-seconds=20")
        disk = self.daemon.disk("deaf.img")
        guest = self.guest("deaf", "ubd0=" + disk)
        with guest.shell() as shell:
            shell.run("echo 1 >/proc/sys/kernel/ctrl-alt-del; kill -STOP 1; kill -STOP 1; echo 0 >/proc/sys/kernel/ctrl-alt-del; "
                      "echo written >/root/file")
        self.daemon.ctl("stop", "deaf")
        self.assertEqual(guest.runtime()["state"], "stopped")
        self.assert_nothing_runs(guest)
        # Synced and remounted read-only by the kernel before it was halted.
        fsck = subprocess.run(["/sbin/e2fsck", "-f", "-n", disk], capture_output=True, text=True, check=False)
        self.assertEqual(fsck.returncode, 0, fsck.stdout)

    def test_pause_freezes_and_stop_of_a_paused_guest_resumes_it_first(self):
        disk = self.daemon.disk("pause.img")
        guest = self.guest("pause", "ubd0=" + disk)
        with guest.shell() as shell:
            shell.run("(while :; do echo tick; usleep 20000; done) >/dev/tty0 2>/dev/null &")
            shell.read_until(rb"tick\r\ntick")
            self.daemon.ctl("pause", "pause")
            self.assertEqual(guest.runtime()["state"], "paused")
            main = guest.pid()
            before = size = 0

            def quiet():
                """What was written before the pause may still be on its way."""
                nonlocal before, size
                before, size = cpu_time(main), self.log_size("pause")
                if not select.select([shell.connection], [], [], 0.7)[0]:
                    return True
                self.assertTrue(shell.connection.recv(65536), "the console was closed")
                return False
            until(quiet, "nothing is written by a paused guest")
            self.assertEqual(self.log_size("pause"), size)
            self.assertLessEqual(cpu_time(main) - before, 3, "nothing is computed")
            self.daemon.ctl("resume", "pause")
            self.assertEqual(guest.runtime()["state"], "running")
            shell.data = b""
            shell.read_until(rb"tick\r\ntick")
        self.daemon.ctl("pause", "pause")
        self.daemon.ctl("stop", "pause")
        self.assertEqual((guest.runtime()["state"], guest.runtime()["exitStatus"]), ("stopped", 0))
        fsck = subprocess.run(["/sbin/e2fsck", "-f", "-n", disk], capture_output=True, text=True, check=False)
        self.assertEqual(fsck.returncode, 0, fsck.stdout)

    def log_size(self, name):
        return self.daemon.call("io.umld.Console.Read", name=name, maxBytes=1)["size"]

    def test_panic_fails_the_guest_with_its_text(self):
        guest = self.guest("panic")
        with guest.shell() as shell:
            shell.send("echo c >/proc/sysrq-trigger\n")
            runtime = guest.wait("failed")
        self.assertIn("sysrq triggered crash", runtime["cause"])
        self.assertTrue(runtime["cause"].startswith("kernel panic"))
        self.assertEqual(runtime["exitSignal"], 6)
        self.assertIn("sysrq triggered crash", self.events(guest, "guest.panic")[0]["text"])
        self.assertIn("Kernel panic - not syncing: sysrq triggered crash", guest.log())
        self.assert_nothing_runs(guest)
        reply = self.daemon.ctl("start", "panic")
        self.assertEqual(reply.returncode, 0)
        self.assertFalse(guest.runtime().get("cause"))

    def test_exit_status_is_what_root_wrote_to_exitcode(self):
        guest = self.guest("status")
        with guest.shell() as shell:
            shell.send("echo 42 >/proc/exitcode; poweroff\n")
            runtime = guest.wait("exit")
        self.assertEqual((runtime["state"], runtime["exitStatus"]), ("failed", 42))
        self.assertIn("42", runtime["cause"])

    def test_power_off_from_inside_stops_the_guest(self):
        guest = self.guest("off")
        with guest.shell() as shell:
            shell.send("poweroff\n")
            runtime = guest.wait("exit")
        self.assertEqual((runtime["state"], runtime["want"], runtime["exitStatus"]), ("stopped", "down", 0))
        self.assert_nothing_runs(guest)

    def test_restart_on_failure_starts_again_but_not_after_a_power_off(self):
        guest = self.guest("again", "restart=onFailure")
        first = guest.pid()
        with guest.shell() as shell:
            shell.send("echo c >/proc/sysrq-trigger\n")
            guest.wait("backoff")
        guest.wait("running")
        runtime = guest.wait("ready")
        self.assertEqual((runtime["state"], runtime["bootNumber"], runtime["restarts"]), ("running", 2, 1))
        self.assertNotEqual(runtime["pid"], first)
        with guest.shell() as shell:
            shell.send("poweroff\n")
            self.assertEqual(guest.wait("exit")["state"], "stopped")

    def test_reboot_from_inside_and_by_umlctl_is_in_place(self):
        guest = self.guest("reboot")
        main = guest.pid()
        with guest.shell() as shell:
            shell.send("reboot\n")
            shell.read_until(rb"reboot: Restarting system")
            shell.read_until(rb"login: ")
        runtime = guest.wait("ready")
        self.assertEqual((runtime["pid"], runtime["bootNumber"]), (main, 2))
        self.daemon.ctl("reboot", "reboot")
        runtime = guest.wait("ready")
        self.assertEqual((runtime["pid"], runtime["bootNumber"], runtime["state"]), (main, 3, "running"))
        self.assertEqual([event["boot"] for event in self.events(guest, "guest.rebooted")], ["2", "3"])
        with Stream(guest, readOnly=True, back=-1) as stream:
            stream.read_until(rb"reboot login: ")  # it comes after READY=1
        for boot in (1, 2, 3):
            text = guest.log(boot=boot)
            self.assertEqual(text.count("Linux version 6."), 1, f"boot {boot}")
            self.assertIn("reboot login:", text)

    def test_ready_when_a_line_comes_on_the_console(self):
        guest = self.guest("regex", "ready=console:late [l]ogin:", "--", "hostname=late", start=False)
        reply = self.daemon.call("io.umld.Guest.Start", name="regex")
        self.assertTrue(reply["ready"])
        self.assertIn("late login:", guest.log())

    def test_ready_kernel_does_not_wait_for_init(self):
        self.guest("early", "ready=kernel", "--", "init=/bin/sleep", "1000", start=False)
        self.assertTrue(self.daemon.call("io.umld.Guest.Start", name="early")["ready"])

    def test_start_without_a_root_says_what_the_kernel_said(self):
        guest = self.guest("rootless", start=False, root=False)
        reply = self.daemon.ctl("start", "rootless", check=False)
        self.assertEqual(reply.returncode, 12)
        self.assertIn("Unable to mount root fs", reply.stderr)
        self.assertEqual(guest.runtime()["state"], "failed")
        self.daemon.ctl("reset-failed", "rootless")
        self.assertEqual(guest.runtime()["state"], "stopped")

    def test_kill_pulls_the_plug(self):
        guest = self.guest("kill")
        self.daemon.ctl("kill", "kill")
        self.assertEqual(guest.runtime()["state"], "stopped")
        self.assert_nothing_runs(guest)

    def test_guests_run_side_by_side(self):
        guests = [self.guest(f"side{i}", "mem=48M", start=False) for i in range(4)]
        self.daemon.ctl("start", *(guest.name for guest in guests))
        self.assertEqual([guest.runtime()["ready"] for guest in guests], [True] * 4)
        self.daemon.ctl("stop", *(guest.name for guest in guests))
        self.assertEqual([guest.runtime()["state"] for guest in guests], ["stopped"] * 4)


def cpu_time(pid):
    """Ticks of main alone; its stubs do not run while it does not."""
    fields = guest_harness.read(f"/proc/{pid}/stat").rsplit(b")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    guest_harness.main()
