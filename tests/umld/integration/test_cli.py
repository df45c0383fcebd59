"""umlctl against the real daemon: exit statuses, what is said on stderr, the words of daily use."""
import glob
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import Case


class Statuses(Case):
    def ctl(self, *words, status=0, **options):
        done = self.daemon.umlctl(*words, **options)
        self.assertEqual(done.returncode, status, f"{words}\n{done.stdout}\n{done.stderr}")
        for text in (done.stdout, done.stderr):
            self.assertNotIn("(null)", text)
        return done

    def test_a_tour(self):
        self.ctl("create", "web", "mem=64M", "kernel=fake")
        self.ctl("start", "web")
        self.assertIn("running", self.ctl("status", "web").stdout)
        self.assertIn("web", self.ctl("list").stdout)
        self.ctl("pause", "web")
        self.ctl("resume", "web")
        self.ctl("reboot", "web")
        self.assertIn("Linux", self.ctl("mconsole", "web", "version").stdout)
        harness.until(lambda: "fake: init started" in self.ctl("logs", "web").stdout, what="its console")
        self.ctl("config", "web", "mem=80M")
        self.assertIn("mem=80M", self.ctl("config", "web").stdout)
        self.ctl("stop", "web")
        self.ctl("wait", "web", "stopped")
        self.ctl("remove", "web")
        self.assertNotIn("web", self.ctl("list").stdout)

    def test_each_kind_of_failure_has_its_own_status_and_reason(self):
        self.create("web")
        seen = {}
        for words in (("start", "nobody"), ("create", "web"), ("create", "new", "udb0=x"), ("frobnicate",),
                      ("pause", "web"), ("kernel", "add", "/bin/ls"), ("wait", "web", "running", "--timeout", "1")):
            done = self.daemon.umlctl(*words)
            self.assertNotEqual(done.returncode, 0, words)
            self.assertTrue(done.stderr.startswith("umlctl: ") or "usage" in done.stderr.lower(), done.stderr)
            self.assertEqual(done.stdout, "", words)
            seen[words[0] + str(len(words))] = done.returncode
        self.assertEqual(len({seen["start2"], seen["create2"], seen["create3"]}), 3, seen)

    def test_starting_what_runs_already_is_no_failure(self):
        self.boot("web")
        self.ctl("start", "web")

    def test_remove_force_of_a_running_guest(self):
        self.boot("web")
        self.assertNotEqual(self.daemon.umlctl("remove", "web").returncode, 0)
        self.ctl("remove", "--force", "web")

    def test_json_output_is_json(self):
        self.create("web")
        json.loads(self.ctl("call", "io.umld.Guest.List").stdout)

    def test_events_and_jobs(self):
        self.boot("web")
        self.assertIn("guest.ready", self.ctl("events", "--since", "0").stdout)
        self.assertIn("guest.start", self.ctl("job", "list").stdout)

    def test_doctor_and_kernels(self):
        self.assertIn("kernel", self.daemon.umlctl("doctor").stdout)
        self.assertIn("fake", self.ctl("kernel", "list").stdout)

    def test_many_guests_by_pattern_and_label(self):
        for number in range(6):
            self.create(f"g{number}", labels={"customer": str(number % 2)})
        self.assertEqual(self.ctl("start", "g*", "--dry-run").stdout.count("would start"), 6)
        self.assertEqual({g["runtime"]["state"] for g in self.call("Guest.List")["guests"]}, {"stopped"})
        started = self.ctl("start", "g*", "-l", "customer=1", "--request-id", "night").stdout
        self.assertEqual(started, "".join(f"g{n}: running, ready\n" for n in (1, 3, 5)))
        self.ctl("kill", "g3")
        # The same command again: remembered, and not done again.
        self.assertEqual(self.ctl("start", "g*", "-l", "customer=1", "--request-id", "night").stdout, started)
        self.assertEqual(self.runtime("g3")["state"], "stopped")
        self.assertEqual(self.ctl("stop", "--all", "--force").stdout.count("stopped"), 6)
        self.ctl("stop", "g0", "g9", status=15)
        self.ctl("remove", "x*", status=7)
        self.ctl("remove", "g*", "-l", "customer!=1")
        self.assertEqual([g["definition"]["name"] for g in self.call("Guest.List")["guests"]], ["g1", "g3", "g5"])

    def test_shutdown(self):
        self.ctl("shutdown")
        self.assertEqual(self.daemon.process.wait(harness.LIMIT), 0)


class AnotherClient(Case):
    """Not ours, and not even C: tests/umld/varlink_go/client.go on the real daemon."""

    def test_a_go_program_runs_a_guest(self):
        folder = f"{harness.SOURCE}/tests/umld/varlink_go"
        built = subprocess.run([f"{folder}/run", "--build", f"{folder}/client.go", self.daemon.directory], check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
        if built.returncode == 77:
            self.skipTest(built.stdout.strip())
        self.assertEqual(built.returncode, 0, built.stdout)
        self.create("web")
        done = subprocess.run([f"{self.daemon.directory}/client", self.daemon.api, "umld"], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=harness.LIMIT)
        self.assertEqual((done.returncode, done.stdout), (0, "varlink_go: all agreed\n"))


@unittest.skipUnless(shutil.which("meson"), "no meson to install with")
class Installed(unittest.TestCase):
    """What `meson install` puts below DESTDIR is whole, and runs from where it is."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="um", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.directory, "DESTDIR": f"{self.directory}/dest",
                            "UMLD_RUN_DIR": f"{self.directory}/run", "UMLD_STATE_DIR": f"{self.directory}/state"}

    def ctl(self, *words, status=0):
        done = subprocess.run([self.umlctl, *words], env=self.environment, stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.LIMIT)
        self.assertEqual(done.returncode, status, f"{words} {done.stdout} {done.stderr}")
        return done.stdout

    def test_an_installation_below_destdir_runs_from_there(self):
        subprocess.run(["meson", "install", "-C", harness.BUILD, "--no-rebuild", "--quiet"], env=self.environment, check=True,
                       stdout=subprocess.DEVNULL, timeout=harness.LIMIT)
        self.umlctl, = glob.glob(f"{self.directory}/dest/**/bin/umlctl", recursive=True)
        libexec = os.path.join(os.path.dirname(os.path.dirname(self.umlctl)), "libexec/umld")
        try:
            programs = json.loads(self.ctl("--json", "doctor"))["checks"][0]
            self.assertEqual((programs["result"], programs["text"]), ("ok", f"all in {libexec}"))
            self.ctl("kernel", "add", harness.FAKE, "--name", "fake")
            self.ctl("create", "web", "kernel=fake")
            self.ctl("start", "web")
            monitor = json.loads(self.ctl("--json", "show", "web"))["guest"]["runtime"]["monitorPid"]
            self.assertEqual(os.readlink(f"/proc/{monitor}/exe"), f"{libexec}/umlmon")
            self.ctl("remove", "--force", "web")
        finally:
            self.ctl("shutdown")


if __name__ == "__main__":
    harness.main()
