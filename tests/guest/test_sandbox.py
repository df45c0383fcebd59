#!/usr/bin/env python3
"""A guest's root looks for the host: hostfs in every spelling, /proc, devices, disks, other guests.

Two guests run: "evil" with everything a definition can give it, "plain" whose hostfs= names a
directory. The same tests run with umld as root, as an ordinary user, and in system mode.
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import unittest

import guest_harness
from guest_harness import CallError, Daemon, link, read, status_field, status_fields

MARK = "umld-host-marker"  # never written into a guest in one piece
HALVES = "umld-host''-marker"
DEVICES = ("null", "random")
KERNEL = os.path.realpath(shutil.which("linux.uml") or "/usr/bin/linux.uml")


def with_parents(paths):
    found = {"/"}
    for path in paths:
        while path != "/":
            found.add(path)
            path = os.path.dirname(path)
    return found


def libraries():
    text = subprocess.run(["ldd", KERNEL], capture_output=True, text=True, check=True).stdout
    found = set(re.findall(r"(?:=> |^\s+)(/\S+)", text, re.M))
    libgcc = {os.path.dirname(path) + "/libgcc_s.so.1" for path in found}  # loaded when a thread is cancelled
    return found | {path for path in libgcc if os.path.exists(path)}


def cow_header(backing):
    """Version 3, as the kernel writes it."""
    st = os.stat(backing)
    header = struct.pack(">IIIQIII", 0x4F4F4F4D, 3, int(st.st_mtime), st.st_size, 512, 4096, 0)
    return (header + backing.encode()).ljust(8192, b"\0")


class Sandbox:
    """The tests; Root, Ordinary and Apart below say as whom."""

    uid = None
    user = None

    @classmethod
    def setUpClass(cls):
        if cls.uid and os.getuid() != 0:
            raise unittest.SkipTest("everything here already runs as an ordinary user")
        cls.daemon = d = Daemon(cls.uid, cls.user)
        cls.addClassCleanup(d.close)
        cls.secret = d.file("secret", f"{MARK}\n" * 4096)
        with open(d.home + "/secret", "w", encoding="ascii") as file:
            file.write(MARK)
        cls.share, cls.fixed, cls.base = (d.directory(name) for name in ("share", "fixed", "base"))
        for path in (cls.share, cls.fixed, cls.base):
            d.file(path + "/here", "declared\n")
            for name, target in (("etc", "/etc"), ("up", "../.."), ("secret", cls.secret), ("root", "/proc/1/root")):
                os.symlink(target, f"{path}/{name}")
        cls.raw = d.file("raw.img", bytes(1 << 20))
        cls.plain = d.guest("plain", "hostfs=" + cls.base)
        cls.evil = d.guest("evil", "ubd0=" + d.disk("evil.img"), "ubd1=" + cls.raw,
                           f"share0={cls.share}:/srv/share", f"share1={cls.fixed}:/srv/fixed:ro")
        cls.sh = cls.evil.shell()
        cls.addClassCleanup(cls.sh.close)
        cls.sh.run("mkdir -p /h /m; mount -t hostfs none /h -o /")

    def declared(self, guest, disks):
        d = self.daemon
        paths = {KERNEL, d.folder + "/p/libexec/umld/umlinit", d.folder + "/p/libexec/umld/libumlguard.so", "/usr/bin/uml_watchdog",
                 "/tmp", "/proc"}
        paths |= libraries() | set(disks) | {"/dev/" + name for name in DEVICES}
        paths |= {guest.inner + name for name in ("", "/notify", "/uml", "/uml/mconsole", "/uml/pid")}
        return with_parents(paths)

    def reachable(self, shell, top):
        prune = f"\\( -path '{top}/proc/*' -o -path '{top}/srv/*/*' -o -name 'q[0-9]*' -o -name 'c[0-9]*' -o -name 'w[0-9]*' \\) -prune"
        text = shell.run(f"cd / && find {top}/ {prune} -o -print")
        return {os.path.normpath(line[len(top):] or "/") for line in text.split("\n") if line}

    # ---- hostfs

    def test_whatever_hostfs_path_is_mounted_only_what_was_declared_is_there(self):
        expected = self.declared(self.evil, {self.daemon.files + "/evil.img", self.raw, "/srv/share", "/srv/fixed"})
        for path in ("/", "../../..", "/../..", "/srv/share/../../..", "//", "/proc/self/root", "/proc/self/cwd" + "/.." * 9,
                     "/proc/thread-self/root/", "/proc/self/fd/../../.."):
            self.sh.run(f"mount -t hostfs none /m -o {path}")
            found = self.reachable(self.sh, "/m")
            self.sh.run("umount /m")
            self.assertEqual(found - expected, set(), f"-o {path} shows more")
            self.assertEqual(expected - found, set(), f"-o {path} lacks what should be there")

    def test_places_of_the_host_cannot_be_mounted(self):
        for path in ("/etc", "/root", "/home", "/boot", "/sys", "/run", "/opt", "/proc/1/root", "/proc/1/cwd", "/srv/share/etc", "/srv/share/up/etc",
                     "/srv/share/root", "/srv/fixed/secret", self.daemon.home, self.daemon.state, self.daemon.run + "/g/plain"):
            status = self.sh.run(f"mount -t hostfs none /m -o {path} && ls -la /m", check=False)[1]
            self.assertNotEqual(status, 0, path)

    def test_hostfs_directory_is_left_by_dots_but_only_into_the_sandbox(self):
        with self.plain.shell() as shell:
            shell.run("mount -t hostfs none /mnt && cat /mnt/here && umount /mnt")
            image = self.daemon.image()
            expected = self.declared(self.plain, {image, self.base})
            expected |= {f"{self.base}/{name}" for name in ("here", "etc", "up", "secret", "root")}
            up = "/.." * self.base.count("/")
            shell.run(f"mount -t hostfs none /mnt -o {up}")
            self.assertEqual(self.reachable(shell, "/mnt"), expected)

    def test_markers_of_the_host_are_found_nowhere(self):
        for mark in (HALVES, "leak-of-''the-environment"):
            find = "find /h/usr /h/lib /h/srv /h/tmp /h/var /h/dev -type f ! -name '*.img'"
            self.assertEqual(self.sh.run(f"{find} | xargs grep -l {mark}", check=False)[0], "")
        for pid in self.evil.processes():
            self.assertNotIn(b"leak-of-the-environment", read(f"/proc/{pid}/environ"))
        for path in (self.secret, self.daemon.home + "/secret", "/etc/hostname", "/etc/passwd", "/srv/share/secret"):
            self.assertNotEqual(self.sh.run(f"cat /h{path}", check=False)[1], 0, path)

    def test_nothing_of_umld_or_of_other_guests_is_there(self):
        d = self.daemon
        for path in (d.run + "/api", d.run + "/lock", d.run + "/g/evil/mon", d.run + "/g/plain", d.run + "/g/plain/in/uml/mconsole",
                     d.state + "/umld.db", d.state + "/guests", d.folder + "/umld.err"):
            if "plain/" not in path:
                self.assertTrue(os.path.exists(path), f"{path} would prove nothing")
            self.assertNotEqual(self.sh.run(f"ls -d /h{path}", check=False)[1], 0, path)

    # ---- /proc

    def test_proc_shows_no_process_but_the_guests(self):
        numbers = {int(name) for name in self.sh.run("cd /h/proc && echo [0-9]*").split()}
        inside = {int(ids[-1]) for pid in self.evil.processes() if (ids := status_field(pid, "NSpid").split())}  # it may have ended
        self.assertLessEqual(len(numbers - inside), 4, "only stubs of the commands themselves come and go")
        # A link of /proc is followed in the guest; the host follows it on the way to a mount.
        for number in numbers & inside:
            for name in ("root", "cwd/../../../../../../../.."):
                text, status = self.sh.run(f"mount -t hostfs none /m -o /proc/{number}/{name} && ls /m && umount /m", check=False)
                if status == 0:
                    self.assertEqual(text.split(), ["dev", "lib", "lib64", "proc", "srv", "tmp", "usr", "var"])

    def test_proc_cannot_be_written(self):
        with open("/proc/sys/kernel/core_pattern", "rb") as file:
            before = file.read()
        for name in ("sys/kernel/core_pattern", "sys/kernel/hostname", "sys/kernel/modprobe", "sys/vm/drop_caches", "sysrq-trigger",
                     "self/mem", "self/oom_score_adj", "self/uid_map", "2/mem", "pressure/cpu", "irq/default_smp_affinity", "mtrr"):
            text, status = self.sh.run(f"true >>/h/proc/{name}", check=False)
            self.assertNotEqual(status, 0, name + text)
        self.sh.run("mount -t hostfs none /m -o /proc/sys/kernel; echo 'x' >/m/core_pattern; umount /m", check=False)
        with open("/proc/sys/kernel/core_pattern", "rb") as file:
            self.assertEqual(file.read(), before)

    def test_network_and_host_name_of_the_sandbox_are_its_own(self):
        pid = self.evil.pid()
        text = read(f"/proc/{pid}/net/dev").decode()
        self.assertEqual(re.findall(r"^\s*(\S+):", text, re.M), ["lo"])
        self.assertNotIn(b"@", read(f"/proc/{pid}/net/unix"), "no abstract socket of the host")
        if os.getuid() == 0:
            name = subprocess.run(["nsenter", "-t", str(pid), "--uts", "uname", "-n"], capture_output=True, text=True, check=True)
            self.assertEqual(name.stdout, "guest\n")

    # ---- devices, shares, disks

    def test_device_nodes_cannot_be_made(self):
        for place in ("/h/tmp", "/h/srv/share", "/h" + self.evil.inner):
            for kind in ("b 8 0", "b 253 0", "b 254 0", "c 1 1", "c 10 200"):
                self.assertNotEqual(self.sh.run(f"mknod {place}/node {kind}", check=False)[1], 0, place + kind)
                self.assertNotEqual(self.sh.run(f"ls {place}/node", check=False)[1], 0)

    def test_places_that_were_not_declared_writable_are_not(self):
        libs = sorted(libraries())
        for path in ["/x", "/dev/x", "/usr/x", "/srv/x", "/srv/fixed/x", "/proc/x", libs[0], KERNEL, self.daemon.folder + "/p/x",
                     "/usr/bin/uml_watchdog", self.daemon.folder + "/p/libexec/umld/umlinit", self.daemon.folder + "/p/libexec/umld/libumlguard.so"]:
            self.assertNotEqual(self.sh.run(f"true >>/h{path}", check=False)[1], 0, path)
            self.assertNotEqual(self.sh.run(f"chmod 4777 /h{path}", check=False)[1], 0, path)

    def test_read_only_share_stays_read_only(self):
        self.sh.run("mount -t hostfs none /m -o /srv/fixed; mount -o remount,rw /m; cat /m/here")
        for command in ("echo x >/m/here", "touch /m/new", "rm -f /m/here", "mv -f /m/here /m/there", "chmod 777 /m/here", "ln /m/here /h/srv/share/x"):
            self.assertNotEqual(self.sh.run(command, check=False)[1], 0, command)
        self.sh.run("umount /m")
        with open(self.fixed + "/here", encoding="ascii") as file:
            self.assertEqual(file.read(), "declared\n")
        self.assertEqual(sorted(os.listdir(self.fixed)), ["etc", "here", "root", "secret", "up"])

    def test_share_is_written_as_the_guests_user_and_links_lead_nowhere(self):
        self.sh.run("mount -t hostfs none /m -o /srv/share; echo from-the-guest >/m/out; mkdir /m/dir; ln -s /etc/passwd /m/dir/link")
        self.assertEqual(read(self.share + "/out"), b"from-the-guest\n")
        self.assertEqual(os.stat(self.share + "/out").st_uid, self.evil.uid())
        # A link is followed in the guest, where it means the guest's own file, or on the way to a mount.
        self.assertEqual(self.sh.run("cat /m/dir/link"), self.sh.run("cat /etc/passwd"))
        self.assertNotEqual(self.sh.run("mount -t hostfs none /mnt -o /srv/share/dir/link/..", check=False)[1], 0)
        self.sh.run("rm -r /m/out /m/dir; umount /m")

    def test_cow_header_on_a_raw_disk_opens_no_file(self):
        """Flag d, at a reboot in place, a new start, after a change of the definition, and with a new daemon."""
        d, guest = self.daemon, d_guest(self.daemon)
        with open(self.share + "/header", "wb") as file:
            file.write(cow_header(self.secret))
        words = [f"ubd0r={d.image()}", f"ubd1={d.file('cow.img', bytes(1 << 20))}", f"share0={self.share}:/srv/share"]
        d.ctl("create", guest.name, *words)
        guest.start()

        def look():
            with guest.shell() as shell:
                # uml(kernel) 6.1: with flag d it still asks for the size of the file that the header names, and
                # where that does not exist the device is missing.
                found = shell.run(f"cat /dev/ubdb 2>/dev/null | grep -c {HALVES}; cat /proc/cmdline")
                self.assertRegex(found, r"^0\n.* ubd1d=")
                shell.run(f"mount -t hostfs none /mnt -o /; ! ls /mnt{self.secret}")

        with guest.shell() as shell:
            shell.run("mount -t hostfs none /mnt -o /srv/share; cat /mnt/header >/dev/ubdb; sync")
        d.ctl("reboot", guest.name)
        guest.wait("ready")
        look()
        for change in (lambda: None, lambda: d.ctl("config", guest.name, "mem=72M"), self.restart_daemon):
            d.ctl("stop", guest.name)
            change()
            guest.start()
            look()
        guest.remove()

    def restart_daemon(self):
        self.daemon.call("io.umld.Server.Shutdown")
        self.daemon.process.wait(guest_harness.LIMIT)
        self.daemon.start()

    # ---- what the guest may do to its own run directory

    def test_links_in_the_run_directory_do_not_lead_umld_to_another_guest(self):
        inner = "/h" + self.evil.inner
        self.sh.run(f"mv {inner}/uml {inner}/kept; ln -s {self.plain.inner}/uml {inner}/uml")
        try:
            with self.assertRaises(CallError):
                self.daemon.call("io.umld.Guest.Mconsole", name="evil", command="stop", timeoutMs=3000)
            with self.plain.shell() as shell:
                shell.run("true")
            self.assertEqual(self.plain.runtime()["state"], "running")
        finally:
            self.sh.run(f"rm {inner}/uml; mv {inner}/kept {inner}/uml")
        self.assertIn("Linux evil", self.daemon.call("io.umld.Guest.Mconsole", name="evil", command="version")["text"])

    def test_litter_in_the_run_directory_is_removed_with_the_guest(self):
        d, guest = self.daemon, d_guest(self.daemon)
        d.ctl("create", guest.name, f"ubd0r={d.image()}")
        guest.start()
        with guest.shell() as shell:
            inner = "/mnt" + guest.inner
            shell.run(f"mount -t hostfs none /mnt -o /; cd {inner}; ln -s {self.share} share; ln -s {self.share}/here notify2; mkfifo pipe")
            shell.run("i=0; while [ $i -lt 300 ]; do mkdir d && cd d || break; i=$((i + 1)); done; cd /")
        d.ctl("kill", guest.name)
        self.assertFalse(os.path.exists(f"{d.run}/g/{guest.name}"))
        self.assertTrue(os.path.exists(self.share + "/here"), "links were not followed")
        guest.remove()

    # ---- seen from the host

    def test_main_lives_in_namespaces_of_its_own_without_any_right(self):
        pid = self.evil.pid()
        for name in ("user", "pid", "mnt", "ipc", "uts", "net", "cgroup"):
            mine, its = link(f"/proc/self/ns/{name}"), link(f"/proc/{pid}/ns/{name}")
            other = link(f"/proc/{self.plain.pid()}/ns/{name}")
            self.assertTrue(its.startswith(name + ":"), its)
            self.assertNotIn(its, (mine, other), name)
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status_field(pid, name), 16), 0, name)
        self.assertEqual(status_field(pid, "NoNewPrivs"), "1")
        self.assertEqual(status_field(pid, "Uid").split(), [str(self.evil.uid())] * 4)

    def test_no_descriptor_of_the_host_reaches_the_guest(self):
        allowed = re.compile(r"(socket|pipe|anon_inode):\[?\w*\]?|/dev/pts/\d+|/dev/random|/tmp/#\d+ \(deleted\)|"
                             rf"{re.escape(self.daemon.files)}/(evil|raw)\.img|/|/srv/.*|/proc/.*|{re.escape(self.evil.inner)}.*")
        terminals = set()
        for pid in self.evil.processes():
            for name in descriptors(pid):
                target = link(f"/proc/{pid}/fd/{name}")
                self.assertRegex(target or "/", re.compile(rf"^({allowed.pattern})$"), f"{pid} {name}")
                if target.startswith("/dev/pts"):
                    terminals.add(target)
        self.assertEqual(len(terminals), 1, "con0's own terminal and no other")
        stat = read(f"/proc/{self.evil.pid()}/stat").rsplit(b")", 1)[1].split()
        self.assertEqual(int(stat[4]), 0, "no controlling terminal")


def descriptors(pid):
    """Names in /proc/PID/fd. umlinit, first in its sandbox, and who has just ended show theirs to root only."""
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        if status_field(pid, "NSpid").split()[-1:] == ["1"] or status_field(pid, "State")[:1] in ("", "Z", "X"):
            return []
        raise


def d_guest(daemon):
    """A guest of one test, not yet defined."""
    d_guest.count = getattr(d_guest, "count", 0) + 1
    return guest_harness.Guest(daemon, f"own{d_guest.count}")


class Root(Sandbox, unittest.TestCase):
    """umld runs as whoever runs the tests: root, in CI."""


class Ordinary(Sandbox, unittest.TestCase):
    """umld runs as an ordinary user."""

    uid = guest_harness.ORDINARY


class Apart(Sandbox, unittest.TestCase):
    """System mode: umld is somebody without any right, and each guest somebody else."""

    user = "daemon"

    def test_the_two_guests_are_two_users_and_neither_is_root_or_umlds(self):
        users = [guest.uid() for guest in (self.evil, self.plain)]
        self.assertEqual(len({0, self.daemon.owner, *users}), 4)
        for guest, uid in zip((self.evil, self.plain), users):
            seen = 0
            for pid in guest.processes():
                status = status_fields(pid)
                if not status:  # the guest's kernel ends processes of its own at any time
                    continue
                seen += 1
                for name in ("Uid", "Gid"):
                    self.assertEqual(status[name].split(), [str(uid)] * 4, guest_harness.cmdline(pid))
                self.assertEqual(status["Groups"], "")
                for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                    self.assertEqual(int(status[name], 16), 0, name)
            self.assertGreater(seen, 0)
        for pid in (self.daemon.process.pid, self.evil.runtime()["monitorPid"]):
            self.assertEqual(status_field(pid, "Uid").split(), [str(self.daemon.owner)] * 4)
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(status_field(pid, name), 16), 0, f"umld and umlmon keep none: {name}")

    def test_a_setuid_program_in_a_share_is_nobodys_but_the_guests(self):
        self.sh.run("mount -t hostfs none /m -o /srv/share; cp /bin/busybox /m/setuid; chmod 6755 /m/setuid; umount /m")
        found = os.stat(self.share + "/setuid")
        self.assertEqual((found.st_uid, found.st_gid), (self.evil.uid(), self.evil.uid()))
        self.assertNotIn(found.st_uid, (0, self.daemon.owner))
        for owner in ("0:0", f"{self.daemon.owner}:{self.daemon.owner}", f"{self.plain.uid()}:{self.plain.uid()}"):
            self.sh.run(f"mount -t hostfs none /m -o /srv/share; chown {owner} /m/setuid; umount /m", check=False)
            self.assertEqual(os.stat(self.share + "/setuid").st_uid, self.evil.uid(), owner)

    def test_a_file_of_another_guest_stays_closed_even_where_the_path_leads_to_it(self):
        with open(self.share + "/others", "w", encoding="ascii") as file:
            file.write(MARK)
        os.chown(self.share + "/others", self.plain.uid(), self.plain.uid())
        os.chmod(self.share + "/others", 0o600)
        self.assertNotEqual(self.sh.run("cat /h/srv/share/others", check=False)[1], 0)
        os.unlink(self.share + "/others")

    def test_as_a_native_process_it_cannot_reach_umld_its_monitor_or_the_other_guest(self):
        """What would be left to one that breaks out of kernel and sandbox: its uid, without namespaces."""
        uid = self.evil.uid()
        pids = {"umld": self.daemon.process.pid, "umlmon": self.evil.runtime()["monitorPid"], "plain": self.plain.pid()}
        program = (f"import os\nos.setgroups([]); os.setresgid({uid}, {uid}, {uid}); os.setresuid({uid}, {uid}, {uid})\n"
                   "def refused(what, *words):\n"
                   "    try: what(*words)\n"
                   "    except PermissionError: return\n"
                   "    raise SystemExit(f'{what.__name__}{words} was allowed')\n"
                   f"for pid in {list(pids.values())}: refused(os.kill, pid, 0); refused(os.listdir, f'/proc/{{pid}}/fd')\n"
                   f"for path in {[self.daemon.run + '/g/plain/in', self.daemon.run + '/g/evil', self.daemon.state]}: refused(os.listdir, path)\n"
                   f"refused(os.open, {self.daemon.image()!r}, os.O_RDWR)\n")
        subprocess.run([sys.executable, "-c", program], check=True, cwd="/")


if __name__ == "__main__":
    guest_harness.main()
