#!/usr/bin/env python3
"""Real kernels that somebody started by hand, with umlctl: adopted, used, let go, ended, and started by umld."""

import contextlib
import os
import select
import signal
import subprocess
import time
import unittest

import guest_harness
from guest_harness import Daemon, Guest, until


class Adopt(unittest.TestCase):
    """As the ordinary user who started them, from his ~/.uml."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(uid=guest_harness.ORDINARY)
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.image()

    def by_hand(self, umid, *words, as_user=True):
        """With Debian's kernel and its defaults but for what a machine without a screen needs."""
        environment = {"PATH": "/usr/bin:/bin", "HOME": self.daemon.home, "TMPDIR": "/dev/shm",
                       "LD_PRELOAD": f"{self.daemon.folder}/p/libexec/umld/libumlguard.so"}
        process = subprocess.Popen(
            ["setarch", "-R", "linux.uml", f"umid={umid}", "con0=null,fd:1", "con1=pts", "con=null", "ssl=null", "mem=64M",
             f"ubd0r={self.daemon.image()}", "root=98:0", "ro", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.daemon.files, env=environment,
            **(self.daemon.as_user() if as_user else {}))
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.end, process)
        self.printed(process.stdout.fileno(), b"login: ")
        return process

    def printed(self, fd, text):
        data, end = b"", time.monotonic() + guest_harness.LIMIT
        while text not in data:
            ready = select.select([fd], [], [], max(0, end - time.monotonic()))[0]
            piece = os.read(fd, 65536) if ready else b""
            self.assertTrue(piece, f"{text} did not come: {data[-1500:]}")
            data += piece

    def end(self, process):
        """Main last, as umlmon does it: what it makes meanwhile would go on without it."""
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            while tree := self.living(self.below(process.pid)):
                for pid in tree:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)
            process.kill()
        process.wait()

    def living(self, tree):
        return [pid for pid in tree if guest_harness.status_field(pid, "State")[:1] not in ("", "Z")]

    def below(self, pid):
        found = []
        for child in guest_harness.pids():
            if guest_harness.status_field(child, "PPid") == str(pid):
                found += [child, *self.below(child)]
        return found

    def adopt(self, umid, *words):
        process = self.by_hand(umid, *words)
        said = self.daemon.ctl("adopt", umid).stdout
        guest = Guest(self.daemon, umid)
        self.addCleanup(self.daemon.ctl, "remove", "--force", umid)
        self.assertIn(f"process {process.pid}, Linux", said)
        return process, guest

    def test_adopted_used_and_let_go(self):
        process, guest = self.adopt("web")
        ctl = self.daemon.ctl
        runtime = guest.runtime()
        self.assertEqual((runtime["state"], runtime["pid"], runtime["ready"]), ("running", process.pid, True))
        self.assertIn("running, adopted", ctl("list").stdout)
        self.assertIn(", adopted", ctl("status", "web").stdout)
        devices = runtime["adopted"]["devices"]
        self.assertEqual((devices["ubd0"], devices["con0"]), (self.daemon.image(), "null"))  # its input: the kernel tells no more
        shown = ctl("show", "web").stdout
        self.assertIn("ubd0=" + self.daemon.image(), shown)
        # The login on con1 has opened it: its terminal is known, and named.
        self.assertRegex(ctl("mconsole", "web", "config con1").stdout, "pts:/dev/pts/[0-9]+")
        self.assertIn("Linux", ctl("mconsole", "web", "version").stdout)
        ctl("pause", "web")
        self.assertEqual(guest.runtime()["state"], "paused")
        ctl("resume", "web")
        ctl("reboot", "web")
        runtime = guest.runtime()
        self.assertEqual((runtime["state"], runtime["bootNumber"], runtime["pid"]), ("running", 2, process.pid))
        ctl("remove", "web")
        self.assertIsNone(process.poll())
        self.assertEqual(self.daemon.uml_mconsole("web", "version")[0], 0)

    def test_found_again_after_the_daemon_was_killed(self):
        process, guest = self.adopt("kept")
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.daemon.start()
        runtime = guest.wait("state=running")
        self.assertEqual(runtime["pid"], process.pid)

    def test_stopped_in_order_and_started_as_umlds_own(self):
        process, guest = self.adopt("again")
        self.assertEqual(self.daemon.call("io.umld.Guest.Stop", name="again")["how"], "shutdown")
        process.wait(guest_harness.LIMIT)
        runtime = guest.runtime()
        self.assertEqual(runtime["state"], "stopped")
        self.assertNotIn("exitStatus", runtime)
        self.daemon.ctl("config", "again", "con0=managed", "con1=null")
        guest.start()
        runtime = guest.runtime()
        self.assertEqual((runtime["state"], runtime["bootNumber"]), ("running", 2))
        self.assertNotIn("adopted", runtime)
        with guest.shell() as shell:
            self.assertIn("root=98:0", shell.run("cat /proc/cmdline"))

    def test_kill_ends_all_its_processes(self):
        process, _ = self.adopt("tree")
        tree = self.below(process.pid)
        self.assertTrue(tree, "it has processes below it")
        self.daemon.ctl("kill", "tree")
        self.assertEqual(process.wait(guest_harness.LIMIT), -signal.SIGKILL)
        # Whose parent is gone is reaped by init, some time.
        until(lambda: not self.living(tree), "its processes are gone")

    @unittest.skipUnless(os.getuid() == 0, "only root can be two users")
    def test_another_users_is_refused(self):
        folder = self.daemon.directory("roots")
        os.chmod(folder, 0o755)
        process = self.by_hand("alien", f"uml_dir={folder}/", as_user=False)
        reply = self.daemon.ctl("adopt", f"{folder}/alien/mconsole", check=False)
        self.assertEqual(reply.returncode, 4, reply.stderr)
        self.assertIn("belongs to uid 0", reply.stderr)
        self.assertIsNone(process.poll())


if __name__ == "__main__":
    guest_harness.main()
