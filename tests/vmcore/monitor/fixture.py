"""TestCase for umlmon with a scriptable program in the kernel's place."""

import functools
import os
import shutil
import subprocess
import sys
import unittest

import harness
from real import LIBRARIES, ENV


def bwrap_works():
    """None, or why no sandbox can be made here."""
    if not shutil.which("bwrap"):
        return "bwrap is not installed"
    probe = subprocess.run(["bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "true"],
                           capture_output=True, check=False)
    return None if probe.returncode == 0 else "no sandbox: " + probe.stderr.decode().strip()


NO_SANDBOX = bwrap_works()


def fake_argv(m, words, sandbox, init_words=(), kernel=None):
    kernel = kernel or harness.program("fake_kernel")
    umlinit = harness.program("umlinit")
    if not sandbox:
        return [umlinit, "--no-namespace", *init_words, "--", kernel, *words]
    argv = [shutil.which("bwrap"), "--unshare-user", "--unshare-pid", "--unshare-ipc",
            "--unshare-uts", "--unshare-net", "--die-with-parent", "--as-pid-1"]
    for path in (umlinit, harness.program("umlguard"), harness.program("fake_kernel")) + LIBRARIES:
        argv += ["--ro-bind", path, path]
    argv += ["--proc", "/proc", "--dev", "/dev", "--bind", m.inner, m.inner, "--cap-drop", "ALL",
             "--remount-ro", "/"]
    return argv + ["--", umlinit, *init_words, "--", kernel, *words]


def both(test):
    """Decorator: run a test without and with the sandbox."""

    @functools.wraps(test)
    def run(self):
        for sandbox in (False, True):
            with self.subTest(sandbox=sandbox):
                if sandbox and NO_SANDBOX:
                    self.skipTest(NO_SANDBOX)
                test(self, sandbox)

    return run


class MonitorTest(unittest.TestCase):
    """Each test fails if a process of its guests is left over."""

    def setUp(self):
        harness.become_subreaper()
        self.addCleanup(self.nothing_is_left)

    def nothing_is_left(self):
        # Orphans have come to us; reap those already dead.
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        left = harness.descendants(os.getpid())
        for pid in left:
            os.kill(pid, 9)
        self.assertEqual(left, {}, "processes were left over")

    def start(self, *words, sandbox=False, init_words=(), kernel=None, **options):
        if sandbox and NO_SANDBOX:
            self.skipTest(NO_SANDBOX)
        options.setdefault("env", ENV)
        m = harness.Monitor(lambda m: fake_argv(m, words, sandbox, init_words, kernel),
                            **options, extra=[("env", "NOTIFY=%NOTIFY%")])
        self.addCleanup(m.stop)
        return m

    def assert_all_end(self, watched, timeout=harness.TIMEOUT):
        self.assertTrue(watched.all_end(timeout), "still alive: %s" % watched.survivors())
        watched.close()


def main():
    """unittest.main with exit 77 when every test was skipped."""
    result = unittest.main(argv=sys.argv, exit=False, verbosity=2).result
    for test, why in result.skipped:
        print("SKIP %s: %s" % (test, why))
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.testsRun and len(result.skipped) >= result.testsRun else 0)
