#!/usr/bin/env python3
"""test_quickstart.py: the first command of the README, in a fresh clone. Slow: it builds everything once more."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import guest_harness

SOURCE = pathlib.Path(__file__).resolve().parents[2]


class Quickstart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not (SOURCE / ".git").exists() or not shutil.which("git"):
            raise unittest.SkipTest("no git clone to clone from")
        cls.folder = tempfile.mkdtemp(prefix="umq-", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        # The working tree as it is: what is not committed yet counts too.
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(SOURCE), cls.folder + "/clone"], check=True)
        changed = subprocess.run(["git", "-C", str(SOURCE), "diff", "--binary", "HEAD"], capture_output=True, check=True).stdout
        if changed:
            subprocess.run(["git", "-C", cls.folder + "/clone", "apply"], input=changed, check=True)
        for name in ("run", "state", "home"):
            os.mkdir(f"{cls.folder}/{name}", 0o700)
        cls.environment = {"PATH": os.environ["PATH"], "HOME": cls.folder + "/home", "LANG": "C.UTF-8",
                           "UMLD_RUN_DIR": cls.folder + "/run", "UMLD_STATE_DIR": cls.folder + "/state"}
        cls.addClassCleanup(cls.end)

    @classmethod
    def end(cls):
        """The demo guest and the daemon; then nothing of the folder may run."""
        umlctl = cls.folder + "/clone/build/stage/bin/umlctl"
        if os.path.exists(umlctl):
            for words in (("remove", "--force", "demo"), ("shutdown",)):
                subprocess.run([umlctl, "--no-start", *words], env=cls.environment, check=False, capture_output=True, timeout=guest_harness.LIMIT)
        left = lambda: [pid for pid in guest_harness.pids() if pid != os.getpid() and cls.folder.encode() in guest_harness.evidence(pid)]
        try:
            guest_harness.until(lambda: not left(), "everything has ended")
        finally:
            for pid in left():
                os.kill(pid, signal.SIGKILL)

    def begin(self):
        return subprocess.Popen(["./quickstart"], cwd=self.folder + "/clone", env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, process, limit):
        """What it said."""
        try:
            text, _ = process.communicate(timeout=limit)
        finally:
            process.kill()
        self.assertEqual(process.returncode, 0, text[-3000:])
        return text

    def test_two_at_once_then_one_more_quick_and_harmless(self):
        both = [self.begin(), self.begin()]
        first, second = sorted((self.finish(process, 600) for process in both), key=lambda text: "waiting for another" in text)
        self.assertNotIn("waiting for another", first)
        self.assertIn("waiting for another quickstart", second)
        umlctl = self.folder + "/clone/build/stage/bin/umlctl"
        for part in ("demo: running, ready", "demo login:", "umlctl console demo"):
            self.assertIn(part, first)
            self.assertIn(part, second)
        show = lambda: subprocess.run([umlctl, "--json", "show", "demo"], env=self.environment, check=True, capture_output=True).stdout
        before, started = show(), time.monotonic()
        self.assertIn("demo: running, ready", self.finish(self.begin(), 300))
        self.assertLess(time.monotonic() - started, 90)
        self.assertEqual(show(), before, "the guest did not notice")
        run = subprocess.run([umlctl, "run", "--rm", "--", "uname", "-n"], env=self.environment, capture_output=True, text=True,
                             check=False, timeout=120)
        self.assertEqual(run.returncode, 0, run.stderr)
        status = subprocess.run(["git", "-C", self.folder + "/clone", "status", "--porcelain"], capture_output=True, text=True, check=True)
        self.assertNotIn("??", status.stdout, "only ignored files were made")


if __name__ == "__main__":
    guest_harness.main()
