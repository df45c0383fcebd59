#!/usr/bin/env python3
"""The orderly stop of real guests: each rung, and every way in which a kernel can refuse to go down."""

import os
import signal
import subprocess

import guest_harness


def on_ctrl_alt_del(command):
    """For the guest's shell: its init runs this from now on. That it has read its table is seen by a new line in it."""
    return (f"sed 's:^\\(.*ctrlaltdel\\:\\).*:\\1{command}:' /etc/inittab >/tmp/inittab && "
            "echo '::respawn:/bin/sh -c \"touch /tmp/read; sleep 1000\"' >>/tmp/inittab && "
            "mount -o bind /tmp/inittab /etc/inittab && kill -HUP 1 && "
            "until [ -e /tmp/read ]; do usleep 10000; done")


WRITE = "dd if=/dev/zero bs=64k count=192 2>/dev/null | tr '\\000' x >/root/file"


class Stop(guest_harness.Case):
    def setUp(self):
        self.settings()

    def settings(self, **values):
        for name, value in {"stop_seconds": 20, "sync_seconds": 5, "halt_seconds": 5, **values}.items():
            self.daemon.ctl("settings", f"{name.replace('_', '-')}={value}")

    def stop(self, guest, **parameters):
        """(how, the rungs it took)."""
        reply = self.daemon.call("io.umld.Guest.Stop", name=guest.name, **parameters)
        self.assertEqual((reply["changed"], reply["state"]), (True, "stopped"))
        self.assertFalse(os.path.exists(f"{self.daemon.run}/g/{guest.name}"), "the run directory is gone")
        self.assertFalse(guest.runtime().get("cause"))
        steps = [e["data"] for e in self.daemon.events(guest.name) if e["type"] == "guest.stop-step"]
        return reply["how"], [(step["rung"], step["result"]) for step in steps]

    def check_disk(self, disk):
        fsck = subprocess.run(["/sbin/e2fsck", "-f", "-n", disk], capture_output=True, text=True, check=False)
        self.assertEqual(fsck.returncode, 0, fsck.stdout)
        return fsck.stdout

    def test_a_guest_that_shuts_down_needs_ctrl_alt_del_only(self):
        how, steps = self.stop(self.guest("plain"))
        self.assertEqual((how, steps), ("shutdown", [("cad", "down")]))

    def test_an_init_without_handler_lets_the_kernel_reboot_and_is_halted(self):
        guest = self.guest("bare", "ready=kernel", "--", "init=/bin/sleep", "1000")
        how, steps = self.stop(guest)
        self.assertEqual((how, steps), ("rebooted", [("cad", "rebooted"), ("halt", "down")]))
        self.assertEqual(guest.runtime()["bootNumber"], 2)

    def test_an_init_that_reboots_is_halted_as_it_comes_up_with_clean_disks(self):
        disk = self.daemon.disk("again.img")
        guest = self.guest("again", "ubd0=" + disk)
        with guest.shell() as shell:
            shell.run(on_ctrl_alt_del("/etc/umld/down reboot"))
        how, steps = self.stop(guest)
        self.assertEqual((how, steps), ("rebooted", [("cad", "rebooted"), ("halt", "down")]))
        self.assertNotIn("recovering journal", self.check_disk(disk))

    def deafen(self, guest, command="true"):
        with guest.shell() as shell:
            shell.run(f"{on_ctrl_alt_del('/bin/true')} && {command}", seconds=60)

    def test_what_a_deaf_guest_has_written_is_on_its_disk_when_it_is_halted(self):
        disk = self.daemon.disk("deaf.img")
        guest = self.guest("deaf", "mem=128M", "ubd0=" + disk)
        self.settings(sync_seconds=60)
        self.deafen(guest, WRITE)
        how, steps = self.stop(guest, graceMs=200)
        self.assertEqual(how, "halted")
        self.assertEqual(steps, [("cad", "timeout"), ("sync", "done"), ("remount", "done"), ("halt", "down")])
        self.check_disk(disk)
        content = subprocess.run(["/sbin/debugfs", "-R", "cat /root/file", disk], capture_output=True, check=True).stdout
        self.assertEqual((len(content), content.strip(b"x")), (192 << 16, b""))

    def test_what_was_written_is_on_the_disk_after_a_reboot(self):
        self.settings(sync_seconds=60)
        disk = self.daemon.disk("turned.img")
        guest = self.guest("turned", "mem=128M", "ubd0=" + disk)
        with guest.shell() as shell:
            shell.run(WRITE, seconds=60)
        self.daemon.ctl("reboot", "turned")
        guest.wait("ready")
        with guest.shell() as shell:
            self.assertEqual(shell.run("wc -c </root/file; tr -d x </root/file").split(), [str(192 << 16)])

    def test_a_kernel_that_does_not_answer_is_killed_after_each_rungs_time(self):
        self.settings(stop_seconds=1, sync_seconds=1, halt_seconds=1)
        guest = self.guest("frozen")
        os.kill(guest.pid(), signal.SIGSTOP)
        how, steps = self.stop(guest)
        self.assertEqual(how, "killed")
        self.assertEqual([rung for rung, _ in steps], ["cad", "sync", "remount", "halt", "kill"])
        self.assertEqual(steps[-1], ("kill", "down"))

    def test_a_paused_guest_is_resumed_and_shuts_down(self):
        guest = self.guest("paused")
        self.daemon.ctl("pause", "paused")
        how, steps = self.stop(guest)
        self.assertEqual((how, steps), ("shutdown", [("resume", "done"), ("cad", "down")]))

    def test_a_stop_before_the_kernel_is_up_kills_what_there_is(self):
        guest = self.guest("early", start=False)
        self.daemon.call("io.umld.Guest.Start", name="early", wait="none")
        guest.wait("booting")
        how, _ = self.stop(guest)
        # The kernel may have come up in between: then Ctrl-Alt-Del reaches it before any init.
        self.assertIn(how, ("killed", "rebooted", "halted", "shutdown"))

    def test_a_stop_before_init_listens_ends_it(self):
        self.settings(stop_seconds=3)
        guest = self.guest("soon", start=False)
        self.daemon.call("io.umld.Guest.Start", name="soon", wait="kernel")
        how, steps = self.stop(guest)
        self.assertIn(how, ("rebooted", "halted", "shutdown"), steps)

    def test_a_stop_while_it_reboots_ends_it(self):
        guest = self.guest("turn")
        with guest.shell() as shell:
            shell.send("reboot\n")
            shell.read_until(rb"reboot: Restarting system")
        how, steps = self.stop(guest)
        self.assertIn(how, ("rebooted", "shutdown", "halted"), steps)

    def test_a_stop_taken_back_before_init_acted_leaves_the_guest_running(self):
        guest = self.guest("stays")
        self.deafen(guest)
        before = guest.pid()
        with self.daemon.connect() as connection:
            guest_harness.send_request(connection, "io.umld.Guest.Stop", {"name": "stays"})
            guest.wait("stopping")
            [job] = self.daemon.call("io.umld.Job.List", active=True)["jobs"]
            self.daemon.call("io.umld.Job.Cancel", id=job["id"])
            with self.assertRaises(guest_harness.CallError) as caught:
                guest_harness.read_reply(connection)
            self.assertEqual(caught.exception.name, "Cancelled")
        self.assertEqual((guest.runtime()["state"], guest.pid()), ("running", before))
        self.assertIn("Linux", self.daemon.ctl("mconsole", "stays", "version").stdout)
        how, steps = self.stop(guest, graceMs=100)
        self.assertEqual(how, "halted", steps)


if __name__ == "__main__":
    guest_harness.main()
