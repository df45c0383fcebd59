#!/usr/bin/env python3
"""What a definition says is what the guest has: memory, disks, COW files, hostfs, initrd, kernel words, mconsole."""

import os
import re
import shutil
import subprocess
import unittest

import guest_harness
from guest_harness import BUILD, CallError, Daemon


class Devices(guest_harness.Case):
    def test_memory_is_what_mem_says(self):
        totals = []
        for size in (48, 160):
            with self.guest(f"mem{size}", f"mem={size}M").shell() as shell:
                totals.append(int(shell.run("cat /proc/meminfo").split()[1]) >> 10)
        self.assertTrue(28 <= totals[0] <= 48 and 125 <= totals[1] <= 160, totals)
        self.assertAlmostEqual(totals[1] - totals[0], 112, delta=8)

    def test_kernel_words_arrive_in_order_behind_umlds_own(self):
        words = ["one=1", "two", "quiet", "--", "behind"]
        guest = self.daemon
        guest.ctl("create", "words", "ubd0r=" + guest.image(), "--", *words)
        guest = guest_harness.Guest(guest, "words")
        self.addCleanup(guest.remove)
        guest.start()
        with guest.shell() as shell:
            line = shell.run("cat /proc/cmdline")
            self.assertTrue(line.endswith("root=/dev/ubda ro console=tty0 one=1 two quiet -- behind"), line)

    def test_kernels_make_no_crowd_of_helpers_at_start(self):
        """A process per device before / is there: more than threads-max at once, and the disk waits for a second."""
        terminals = "ls /dev | grep '^[pt]ty[p-za-e][0-9a-f]$' | wc -l"
        with self.guest("few", "mem=40M").shell() as shell:
            self.assertEqual(shell.run(terminals), "0")
            self.assertLess(int(shell.run("echo $$")), int(shell.run("cat /proc/sys/kernel/threads-max")))
        self.daemon.ctl("create", "some", "ubd0r=" + self.daemon.image(), "--", "pty.legacy_count=2")
        guest = guest_harness.Guest(self.daemon, "some")
        self.addCleanup(guest.remove)
        guest.start()
        with guest.shell() as shell:
            self.assertEqual(shell.run(terminals), "4", "the user's word is the last")

    def test_two_disks_one_read_only(self):
        second, third = self.daemon.disk("second.img"), self.daemon.disk("third.img")
        guest = self.guest("disks", "ubd1=" + second, "ubd2r=" + third)
        with guest.shell() as shell:
            shell.run("mount /dev/ubdb /mnt && echo written >/mnt/root/file && umount /mnt")
            self.assertNotEqual(shell.run("mount -o rw /dev/ubdc /mnt && echo x >/mnt/root/file", check=False)[1], 0)
            self.assertNotEqual(shell.run("echo x >/dev/ubdc", check=False)[1], 0)
            self.assertEqual(shell.run("cat /sys/block/ubdb/size"), str((32 << 20) // 512))
        content = subprocess.run(["/sbin/debugfs", "-R", "cat /root/file", second], capture_output=True, check=True).stdout
        self.assertEqual(content, b"written\n")

    def test_one_disk_is_not_given_to_two_writers(self):
        disk = self.daemon.disk("shared.img")
        self.guest("first", "ubd0=" + disk)
        second = self.guest("second", "ubd0=" + disk, start=False)
        reply = self.daemon.ctl("start", "second", check=False)
        self.assertNotEqual(reply.returncode, 0)
        self.assertIn(f'disk {disk} is in use by guest "first"', reply.stderr)
        self.assertEqual(second.runtime()["state"], "failed")
        link = self.daemon.files + "/link.img"
        os.symlink(disk, link)
        self.daemon.ctl("config", "second", "ubd0r=" + link)
        self.assertIn('in use by guest "first"', self.daemon.ctl("start", "second", check=False).stderr)
        self.daemon.ctl("stop", "first")
        second.start()

    def test_a_disk_of_a_kernel_that_umld_did_not_start_is_left_alone(self):
        """Seen by the lock that a kernel really holds: that of a guest of another umld."""
        disk = self.daemon.disk("foreign.img")
        other = Daemon(user=self.user)
        self.addCleanup(other.close)
        other.image()
        holder = other.guest("holder", "ubd1=" + disk)
        with holder.shell() as shell:
            shell.run("exec 3</dev/ubdb")  # kernels before 6.12 lock what is open
            mine = self.guest("mine", "ubd1=" + disk, start=False)
            reply = self.daemon.ctl("start", "mine", check=False)
            self.assertEqual(reply.returncode, 8, reply.stderr)
            self.assertIn(f"disk {disk} is locked by process {holder.pid()} (", reply.stderr)
        other.ctl("kill", "holder")
        mine.start()

    @unittest.skipUnless(shutil.which("uml_mkcow"), "no uml_mkcow: apt install uml-utilities")
    def test_cow_keeps_the_backing_file_as_it_is(self):
        backing = self.daemon.disk("backing.img")
        before = os.stat(backing)
        cow = self.daemon.cow("one.cow", backing)
        guest = self.guest("cow", f"ubd0={cow},{backing}")
        with guest.shell() as shell:
            shell.run("echo in-the-cow >/root/file; sync")
        self.daemon.ctl("stop", "cow")
        guest.start()
        with guest.shell() as shell:
            self.assertEqual(shell.run("cat /root/file"), "in-the-cow")
        after = os.stat(backing)
        self.assertEqual((before.st_mtime_ns, before.st_size), (after.st_mtime_ns, after.st_size))
        self.assertGreater(os.stat(cow).st_blocks, 8)

    @unittest.skipUnless(shutil.which("uml_mkcow"), "no uml_mkcow: apt install uml-utilities")
    def test_backing_file_may_be_named_by_the_header_alone(self):
        backing = self.daemon.disk("named.img")
        guests = [self.guest(f"header{i}", "con1=managed", "ubd0=" + self.daemon.cow(f"header{i}.cow", backing)) for i in range(2)]
        for i, guest in enumerate(guests):
            with guest.shell() as shell:
                shell.run(f"echo {i} >/root/file")
        for i, guest in enumerate(guests):
            with guest.shell("con1") as shell:
                self.assertEqual(shell.run("cat /root/file"), str(i))

    @unittest.skipUnless(shutil.which("uml_mkcow"), "no uml_mkcow: apt install uml-utilities")
    def test_cow_on_a_changed_backing_file_is_refused_before_the_start(self):
        backing = self.daemon.disk("changed.img")
        cow = self.daemon.cow("changed.cow", backing)
        os.utime(backing, (1, 1))
        reply = self.daemon.ctl("create", "changed", f"ubd0={cow},{backing}", check=False)
        if reply.returncode == 0:
            self.addCleanup(self.daemon.ctl, "remove", "changed")
            reply = self.daemon.ctl("start", "changed", check=False)
        self.assertEqual(reply.returncode, 2, reply.stderr)
        self.assertIn("changed.img was modified after", reply.stderr)

    def test_hostfs_directory_is_read_and_written(self):
        folder = self.daemon.directory("given")
        self.daemon.file("given/in", "from the host\n")
        guest = self.guest("hostfs", "hostfs=" + folder)
        with guest.shell() as shell:
            shell.run("mount -t hostfs none /mnt")
            self.assertEqual(shell.run("cat /mnt/in"), "from the host")
            shell.run("mkdir /mnt/sub && echo from the guest >/mnt/sub/out && mv /mnt/sub/out /mnt/sub/moved && rm -f /mnt/in")
        with open(folder + "/sub/moved", encoding="ascii") as file:
            self.assertEqual(file.read(), "from the guest\n")
        self.assertEqual(os.listdir(folder), ["sub"])

    def test_initrd_boots_without_a_disk(self):
        cpio = next(os.path.join(top, "probe.cpio") for top, _, names in os.walk(BUILD) if "probe.cpio" in names)
        copy = self.daemon.files + "/probe.cpio"
        shutil.copy(cpio, copy)
        self.daemon.give(copy)
        guest = self.guest("initrd", "initrd=" + copy, "ready=notify", root=False)
        self.assertEqual(guest.wait("exit")["exitStatus"], 0)
        notes = [event["data"]["text"] for event in self.daemon.events("initrd") if event["type"] == "guest.notify"]
        self.assertRegex(notes[0], r"^PROBE avx=0 threads=0 pthread=ok")

    def test_mconsole_commands_answer_with_the_kernels_own_words(self):
        guest = self.guest("mc", "con1=null", "ubd1r=" + self.daemon.image())
        with guest.shell() as shell:
            shell.run("echo marker-of-$((40 + 2)) >/tmp/file")
        ask = lambda command, **more: self.daemon.call("io.umld.Guest.Mconsole", name="mc", command=command, **more)
        self.assertRegex(ask("version")["text"], r"^Linux mc 6\.\d+")
        self.assertEqual(ask("config con0")["text"].strip(), "fd:0,fd:1")
        self.assertEqual(ask("config con1")["text"].strip(), "null")
        self.assertIn("busybox.img", ask("config ubd1")["text"])
        self.assertRegex(ask("config mem")["text"], r"^\d+")
        self.assertIn("processor", ask("proc cpuinfo")["text"])
        self.assertRegex(ask("proc uptime")["text"], r"^\s*\d+\.\d+ ")
        self.assertIn("Commands", ask("help")["text"])
        long = ask("proc vmstat")["text"]
        self.assertGreater(len(long), 1024, "an answer in several packets")
        self.assertIn("nr_free_pages ", long)
        reply = self.daemon.ctl("mconsole", "mc", "version")
        self.assertRegex(reply.stdout, r"^Linux mc 6\.")
        with self.assertRaises(CallError) as caught:
            ask("sysrq t")
        self.assertIn("force", str(caught.exception.parameters))
        reply = self.daemon.ctl("mconsole", "mc", "frobnicate", check=False)
        self.assertNotEqual(reply.returncode, 0)
        self.assertEqual(guest.runtime()["state"], "running")
        # the answer, not the console: the shell has turned kernel messages off there
        self.assertIn("Emergency Sync", ask("sysrq s")["text"])

    def test_mconsole_guards_know_the_real_kernel(self):
        guest = self.guest("guards")
        ask = lambda command: self.daemon.call("io.umld.Guest.Mconsole", name="guards", command=command)
        # a kernel at work cannot walk a stack: asked again until it is at rest
        guest_harness.until(lambda: "Call Trace" in ask("stack 1")["text"], "a stack")
        for command, reason in (("stack 2", "kernel thread"), ("exec ls", "patched")):
            with self.assertRaises(CallError) as caught:
                ask(command)
            self.assertIn(reason, caught.exception.parameters["message"])
        self.assertEqual(ask("remove ubd0")["status"], -16)  # set up, and in use
        self.assertEqual(ask("remove ubd7")["status"], -19)  # an empty slot
        self.assertEqual(guest.runtime()["state"], "running")

    def test_uml_mconsole_reaches_a_guest_in_its_sandbox(self):
        self.guest("reach")
        status, text = self.daemon.uml_mconsole("reach", "version")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"^OK Linux reach 6\.")
        self.assertGreater(len(self.daemon.uml_mconsole("reach", "proc", "vmstat")[1]), 1024)
        self.assertEqual(self.daemon.uml_mconsole("reach", "remove", "ubd7"), (237, "ERR Device doesn't exist\n"))

    def test_umlctl_mconsole_int_ends_the_kernel(self):
        guest = self.guest("sigint")
        self.daemon.ctl("mconsole", "sigint", "int")
        self.assertEqual(guest.wait("exit")["exitStatus"], 1)

    def test_config_of_a_running_guest_counts_from_the_next_start(self):
        guest = self.guest("conf")
        self.daemon.ctl("config", "conf", "mem=96M", "ubd1r=" + self.daemon.image())
        with guest.shell() as shell:
            self.assertNotIn("96M", shell.run("cat /proc/cmdline"))
        self.daemon.ctl("reboot", "conf")
        self.assertNotIn("96M", guest_harness.cmdline(guest.pid()))
        self.daemon.ctl("stop", "conf")
        guest.start()
        self.assertTrue(re.search(r"mem=96M .*ubd1rd?=", guest_harness.cmdline(guest.pid())))

    def test_wrong_devices_are_told_apart_when_defined(self):
        for words, text in ((["ubd0=/nowhere/root.img"], "/nowhere/root.img"), (["ubd99=x"], "ubd99"), (["mem=1K"], "mem"),
                            (["con1=xterm"], "xterm"), (["share0=/"], "/"), (["initrd=/nowhere"], "/nowhere"), (["frob=1"], "frob")):
            reply = self.daemon.ctl("create", "wrong", *words, check=False)
            if reply.returncode == 0:
                self.addCleanup(self.daemon.ctl, "remove", "wrong", check=False)
            self.assertIn(reply.returncode, (2, 3, 6, 7), f"{words} {reply.stderr}")
            self.assertIn(text, reply.stderr)


if __name__ == "__main__":
    guest_harness.main()
