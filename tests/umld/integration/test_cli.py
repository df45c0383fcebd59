"""umlctl against the real daemon: exit statuses, what is said on stderr, the words of daily use."""
import json

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

    def test_shutdown(self):
        self.ctl("shutdown")
        self.assertEqual(self.daemon.process.wait(harness.LIMIT), 0)


if __name__ == "__main__":
    harness.main()
