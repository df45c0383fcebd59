"""The lane library against a real UML kernel: TOOL is mconsole_tool. Exit 77: cannot run here."""
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import quirks
from uml_harness import Guest

KERNEL = os.environ.get("UMLD_TEST_KERNEL", "/usr/bin/linux.uml")
BUSYBOX = "/bin/busybox"
TOOL = ""
IMAGE = ""

# What the kernel says to good and to bad arguments, one after the other in one guest: command, status, text.
ANSWERS = (
    ("sysrq", 0, "sysrq: HELP"),
    ("sysrq 9", 0, "Loglevel set to 9"),
    ("proc", 1, "Read of file failed"),  # a directory
    ("proc /version", 0, "Linux version"),
    ("proc ../etc/passwd", 1, "Failed to open file"),  # the mount is not left
    ("proc 1/cmdline", 1, "Read of file failed"),  # a process's own files cannot be read from inside the kernel
    ("stack", 1, "Please specify a pid"),
    ("stack x", 1, "Please specify a pid"),
    ("config con1", 0, "null"),
    ("config con1=pts", 0, ""),
    ("config con1", 0, "pts"),
    ("config con1=bogus", -1, "failed to parse channel pair"),
    ("config con1", 0, "none"),
    ("remove con1", -22, "configured as 'none'"),
    ("config con=null", -22, "Can't configure all devices"),
    ("config conx=null", -22, "Couldn't parse device number"),
    ("config con16=null", -22, "Device number out of range"),
    ("remove con0", -22, "Device is already open"),
    ("remove conx", 1, "Couldn't parse device number"),
    ("config ssl0=pts", 0, ""),
    ("remove ssl0", 0, ""),
    ("config ssl64", 1, "number out of range"),
    ("config ubda", 0, "/fs"),
    ("config ubd16=/x", 1, "Device number out of range"),
    ("config ubd1x=/x", -22, "Expected '=' or flag letter"),
    ("remove ubd0", -16, "Device is currently open"),
    ("remove ubd16", 1, "must be between 0 and 15"),
    ("config eth0", 1, "No get_config routine defined"),
    ("config eth0=bogus", 1, ""),
    ("config eth=mcast", -22, "Bad device number"),
    ("config eth0=mcast", 0, ""),
    ("config eth0=mcast", -22, "Device already configured"),
    ("remove eth0", 0, ""),
    ("remove eth0", -19, "Device doesn't exist"),
    ("config eth2=daemon,,unix,/nonexistent", 0, ""),  # a lie: there is
    ("remove eth2", -19, "Device doesn't exist"),
    ("config vec0", 1, "No get_config routine defined"),
    ("config vec0=transport=tap", -22, "Expected ':'"),
    ("config vec0:transport=bogus", 0, ""),  # told when the interface goes up
    ("config vec0:transport=tap", -22, "Device already configured"),
    ("remove vec0", 0, ""),
    ("remove vec0", -19, "Device doesn't exist"),
    ("config mem=4M", -22, "increment to start with '-' or '+'"),
    ("config mem=-x", -22, "Failed to parse memory increment"),
    ("remove mem", -16, "doesn't support the remove operation"),
    ("remove nix0", 1, "Bad remove option"),
    ("versionXYZ", 0, "Linux"),
    ("log", 0, ""),
)

INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
echo -n READY=1 > /proc/mconsole
while :; do /bin/busybox sleep 1000; done
"""


def why_not():
    for path in (KERNEL, BUSYBOX):
        if not os.access(path, os.X_OK):
            return f"{path} is not installed"
    for program in ("mke2fs", "setarch"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"{program} is not installed"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        if "amx_tile" in f.read() and not os.environ.get("UMLGUARD"):
            return "this CPU has AMX: kernels before 6.13 need libumlguard.so, named by UMLGUARD"
    return None


def make_image(directory):
    root = f"{directory}/root"
    for name in ("bin", "proc", "dev"):
        os.makedirs(f"{root}/{name}")
    shutil.copy(BUSYBOX, f"{root}/bin/busybox")
    with open(f"{root}/init", "w", encoding="ascii") as f:
        f.write(INIT)
    os.chmod(f"{root}/init", 0o755)
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, f"{directory}/fs", "8M"], check=True,
                   env=env, stdout=subprocess.DEVNULL)
    return f"{directory}/fs"


def boot(*words, disk="ubd0rd", root="98:0"):
    env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp"}
    if os.environ.get("UMLGUARD"):
        env["LD_PRELOAD"] = os.environ["UMLGUARD"]
    guest = Guest(TOOL, KERNEL, "con=null", "ssl=null", "mem=64M", f"{disk}={IMAGE}", f"root={root}",
                  "ro", "init=/init", "console=tty0", *words, prefix=("setarch", "-R"), env=env)
    return guest


def ready(guest):
    guest.notes.expect(f"SOCKET {len(guest.socket)} {guest.socket}\n")
    guest.notes.expect("USER 7 READY=1\n")
    return guest


class OneGuest(unittest.TestCase):
    """Commands that leave the guest as it was share one boot."""

    @classmethod
    def setUpClass(cls):
        cls.guest = boot()
        cls.addClassCleanup(cls.guest.close)
        ready(cls.guest)

    def ok(self, *words):
        code, status, text = self.guest.mconsole(*words)
        self.assertEqual((code, status), ("Ok", 0), text)
        return text

    def refused(self, message, *words, status=1):
        code, got, text = self.guest.mconsole(*words, raw=True)
        self.assertEqual((code, got), ("GuestError", status), text)
        self.assertIn(message, text)

    def test_version_names_the_kernel(self):
        self.assertRegex(self.ok("version"), r"^Linux \S+ \d+\.\d+\.\d+\S* .*x86_64$")

    def test_help_comes_in_several_parts_without_nuls(self):
        text = self.ok("help")
        self.assertGreater(len(text), 511)
        self.assertNotIn("\0", text)
        self.assertIn("stack <pid>", text)

    def test_config_shows_devices(self):
        self.assertEqual(self.ok("config", "con0"), "null")
        self.assertEqual(self.ok("config", "ubd0"), IMAGE)
        self.assertEqual(self.ok("config", "ubd3"), "")
        self.assertEqual(self.ok("config", "mem"), "1610612736")

    def test_config_errors_carry_the_errno(self):
        self.refused("Device is already configured", "config", "ubd0=/x", status=-16)
        self.refused("Couldn't determine size", "config", "ubd1=/nonexistent", status=-2)
        self.refused("Bad configuration option", "config", "nix0")
        self.refused("Device doesn't exist", "remove", "ubd5", status=-19)

    def test_good_and_bad_arguments(self):
        for command, status, text in ANSWERS:
            with self.subTest(command=command):
                code, got, answer = self.guest.mconsole(*command.split(), raw=True)
                self.assertEqual((code, got), ("GuestError" if status else "Ok", status), answer)
                self.assertIn(text, answer)
        self.ok("version")

    def test_a_disk_is_plugged_and_removed(self):
        disk = f"{self.guest.dir}/disk"
        with open(disk, "wb") as f:
            f.truncate(1 << 20)
        self.ok("config", f"ubd2d={disk}")
        self.assertEqual(self.ok("config", "ubd2"), disk)
        self.ok("remove", "ubd2")
        self.assertEqual(self.ok("config", "ubd2"), "")

    def test_proc_reads_files(self):
        self.assertIn("Linux version", self.ok("proc", "version"))
        self.assertIn("root=98:0", self.ok("proc", "cmdline"))
        self.refused("Failed to open file", "proc", "nonexistent")

    def test_a_long_proc_file_is_whole(self):
        # /proc/vmstat: several kilobytes, a known last line
        text = self.ok("proc", "vmstat")
        self.assertGreater(len(text), 2000)
        self.assertIn("nr_free_pages", text)
        self.assertRegex(text, r"\n\S+ \d+\n$")
        for line in text.strip().splitlines():
            self.assertRegex(line, r"^\S+ \d+$")  # nothing lost or doubled at a part's edge

    def test_sysrq_streams_what_it_prints(self):
        self.assertIn("sync(s)", self.ok("sysrq", "h"))
        self.assertIn("Emergency Sync", self.ok("sysrq", "s"))

    def test_log_reaches_the_console(self):
        self.ok("log", "umld", "was", "here")
        self.guest.console.expect("umld was here\n", 10)

    def test_stack_of_init(self):
        # A kernel that was stopped at work by the request's interrupt cannot walk the stack: asked again.
        end = time.monotonic() + 30
        while "Call Trace" not in (text := self.ok("stack", "1")):
            self.assertLess(time.monotonic(), end, text)
        self.refused("Couldn't find that pid", "stack", "9999")

    def test_stop_freezes_and_go_resumes(self):
        self.assertEqual(self.ok("stop"), "stopped")
        self.refused("Already stopped", "stop")
        self.assertIn("Linux", self.ok("version"))
        self.ok("go")
        self.refused("Not stopped", "go")

    def test_unknown_commands_stay_here_and_would_be_refused_there(self):
        code, _, text = self.guest.mconsole("versionx")
        self.assertEqual(code, "InvalidValue", text)
        self.refused("Unknown command", "bogus")
        self.ok("version")  # the queue goes on after a rejected one


class Quirks(quirks.Quirks, unittest.TestCase):
    CON0 = "null"

    @classmethod
    def setUpClass(cls):
        cls.guest = boot()
        cls.addClassCleanup(cls.guest.close)
        ready(cls.guest)

    def setUp(self):
        self.connect()


class Ends(unittest.TestCase):
    def test_halt_ends_with_status_0_and_no_socket(self):
        with boot() as guest:
            ready(guest)
            self.assertEqual(guest.mconsole("halt")[0], "Ok")
            self.assertEqual(guest.wait(), 0)
            self.assertFalse(os.path.exists(guest.socket))
            self.assertEqual(guest.mconsole("version")[0], "NotRunning")

    def test_reboot_sends_socket_again_in_the_same_process(self):
        with boot() as guest:
            ready(guest)
            pid = guest.process.pid
            self.assertEqual(guest.mconsole("reboot")[0], "Ok")
            ready(guest)
            with open(f"{guest.dir}/uml/pid", encoding="ascii") as f:
                self.assertEqual(int(f.read()), pid)
            self.assertEqual(guest.mconsole("version")[0], "Ok")

    def test_a_panic_is_notified_and_leaves_a_dead_socket(self):
        with boot() as guest:
            ready(guest)
            guest.mconsole("sysrq", "c", timeout_ms=3000)
            guest.notes.expect("PANIC ")
            self.assertIn("sysrq", guest.notes.line())
            self.assertEqual(guest.wait(), -6)
            self.assertTrue(stat.S_ISSOCK(os.stat(guest.socket).st_mode))
            self.assertEqual(guest.mconsole("version")[0], "NotRunning")

    def test_a_missing_root_is_a_panic_with_its_reason(self):
        with boot("root=98:160") as guest:
            guest.notes.expect("PANIC ")
            self.assertIn("VFS: Unable to mount root fs", guest.notes.line())
            self.assertEqual(guest.wait(), -6)


def main():
    global TOOL, IMAGE
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return 77
    TOOL = os.path.abspath(sys.argv.pop(1))
    with tempfile.TemporaryDirectory(prefix="mc", dir="/tmp") as directory:
        IMAGE = make_image(directory)
        return 0 if unittest.main(exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
