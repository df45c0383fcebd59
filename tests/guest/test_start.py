#!/usr/bin/env python3
"""The safe start recipe of the UML host-interface reference (Appendix B), point by point, on a running guest."""

import os
import re
import resource
import signal
import stat
import unittest

import guest_harness
from guest_harness import Daemon, cmdline, link, read, status_field

ADDR_NO_RANDOMIZE = 0x0040000


class Start(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.close)
        d = cls.daemon
        cls.raw = d.disk("raw.img")
        # What a killed umld may leave behind: a stale run directory with a pid file and sub-directory.
        cls.inner = d.run + "/g/web/in"
        os.makedirs(cls.inner + "/uml/sub")
        for name in ("/uml/pid", "/uml/mconsole", "/notify", "/q1"):
            with open(cls.inner + name, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        cls.guest = d.guest("web", "mem=72M", "ubd0=" + cls.raw, "ubd1r=" + d.image(), "con1=managed", "--", "user=word")
        cls.pid = cls.guest.pid()
        cls.argv = read(f"/proc/{cls.pid}/cmdline").decode().split("\0")[:-1]

    def test_words_of_the_kernel(self):
        lpj = [word for word in self.argv if word.startswith("lpj=")]
        self.assertRegex(lpj[0], r"^lpj=[1-9]\d+$", "learnt by the probe, passed from the first start on")
        self.assertEqual(self.argv, [
            os.path.realpath("/usr/bin/linux.uml"), "mem=72M", "umid=uml", f"uml_dir={self.inner}/",
            f"mconsole=notify:{self.inner}/notify", lpj[0], "con=null", "ssl=null", "con0=fd:0,fd:1", "pty.legacy_count=0",
            f"ubd0d={self.raw}", f"ubd1rd={self.daemon.image()}", "con1=fd:10", "root=/dev/ubda", "rw", "console=tty0",
            "hostname=web", "user=word"])

    def test_environment_is_exactly_what_it_needs(self):
        entries = dict(entry.split("=", 1) for entry in read(f"/proc/{self.pid}/environ").decode().split("\0") if entry)
        kernel = self.daemon.call("io.umld.Kernel.List")["kernels"][0]
        expected = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp"}
        if kernel["guard"]:
            expected["LD_PRELOAD"] = self.daemon.folder + "/p/libexec/umld/libumlguard.so"
            self.assertIn(b"libumlguard.so", read(f"/proc/{self.pid}/maps"))
        self.assertEqual(entries, expected)

    def test_directory_personality_and_limits(self):
        self.assertEqual(link(f"/proc/{self.pid}/cwd"), self.inner)
        self.assertTrue(int(read(f"/proc/{self.pid}/personality"), 16) & ADDR_NO_RANDOMIZE)
        self.assertEqual(resource.prlimit(self.pid, resource.RLIMIT_CORE), (0, 0))
        self.assertEqual(self.argv[0], link(f"/proc/{self.pid}/exe"), "a reboot executes argv[0] again")

    def test_descriptors_are_the_intended_ones(self):
        targets = {int(name): link(f"/proc/{self.pid}/fd/{name}") for name in os.listdir(f"/proc/{self.pid}/fd")}
        self.assertEqual(len({targets[0], targets[1], targets[2]}), 1)
        self.assertRegex(targets[0], r"^/dev/pts/\d+$")
        self.assertRegex(targets[10], r"^/dev/pts/\d+$")
        self.assertNotEqual(targets[10], targets[0])
        memory = [text for text in targets.values() if "deleted" in text]
        self.assertEqual(len(memory), 1)
        self.assertRegex(memory[0], r"^/tmp/", "guest memory is a file in the sandbox's own tmpfs")
        for text in targets.values():
            self.assertRegex(text, r"^(/dev/(pts/\d+|u?random)|/tmp/.* \(deleted\)|(socket|pipe|anon_inode):.*|" +
                             re.escape(self.raw) + "|" + re.escape(self.daemon.image()) + ")$")

    def test_memory_directory_lets_code_be_mapped(self):
        mounts = [line.split() for line in read(f"/proc/{self.pid}/mountinfo").decode().splitlines()]
        tmp = [fields for fields in mounts if fields[4] == "/tmp"][0]
        self.assertNotIn("noexec", tmp[5])
        self.assertIn("tmpfs", tmp)
        self.assertIn("size=", tmp[-1], "its size is bounded")

    def test_run_directory_is_private_and_fresh(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.inner).st_mode), 0o700)
        self.assertFalse(os.path.exists(self.inner + "/uml/sub"), "what was stale is gone")
        names = sorted(name for name in os.listdir(self.inner) if not re.match(r"^[qcw]\d+$", name))
        self.assertEqual(names, ["notify", "uml"])
        self.assertEqual(sorted(os.listdir(self.inner + "/uml")), ["mconsole", "pid"])
        self.assertTrue(stat.S_ISSOCK(os.stat(self.inner + "/notify").st_mode))
        self.assertLessEqual(len(self.inner + "/uml/mconsole"), 107)

    def test_pid_file_is_mains_pid_in_its_namespace(self):
        numbers = status_field(self.pid, "NSpid").split()
        self.assertEqual(numbers[0], str(self.pid))
        self.assertGreater(len(numbers), 1)
        self.assertEqual(read(self.inner + "/uml/pid").decode().strip(), numbers[-1])

    def test_process_group_is_the_kernels_own(self):
        """A panic sends SIGTERM to its process group: nothing else may be in it."""
        fields = read(f"/proc/{self.pid}/stat").rsplit(b")", 1)[1].split()
        self.assertEqual(int(fields[2]), self.pid)
        members = [pid for pid in guest_harness.pids()
                   if (text := read(f"/proc/{pid}/stat").rsplit(b")", 1)[-1].split()) and text[2:3] == [str(self.pid).encode()]]
        for pid in members:
            self.assertTrue(cmdline(pid).startswith(self.argv[0]), cmdline(pid))

    def test_chain_of_processes_is_short(self):
        def parent(pid):
            return int(status_field(pid, "PPid"))

        init = parent(self.pid)
        self.assertIn("umlinit", cmdline(init))
        bwrap = parent(init)
        self.assertIn("bwrap", cmdline(bwrap))
        self.assertEqual(parent(bwrap), self.guest.runtime()["monitorPid"])
        self.assertNotIn(b"libumlguard", read(f"/proc/{init}/maps") + read(f"/proc/{bwrap}/maps"), "the guard is for the kernel alone")

    def test_a_second_start_is_the_same_again_and_signals_are_default(self):
        guest = self.daemon.guest("twice", start=False)
        self.addCleanup(guest.remove)
        seen = []
        for _ in range(2):
            guest.start()
            argv = cmdline(guest.pid())
            seen.append(argv)
            ignored = int(status_field(guest.pid(), "SigIgn"), 16)
            self.assertFalse(ignored >> (signal.SIGCHLD - 1) & 1)
            self.daemon.ctl("kill", "twice")
        self.assertEqual(seen[0], seen[1])


if __name__ == "__main__":
    guest_harness.main()
