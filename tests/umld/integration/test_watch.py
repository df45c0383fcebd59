"""Guests that hang: found in time, never falsely, evidence kept, policy obeyed; and what looking costs."""
import os
import re
import signal
import threading
import time

import harness
from harness import Case

WITHIN = 40  # seconds for what takes two or three on a quiet machine


class Watched(Case):
    def prepare_hang(self, seconds=1, **definition):
        self.set(hang_seconds=seconds)
        self.boot("web", **definition)
        return self.runtime("web")["pid"]

    def stop_main(self, pid):
        """The kernel's main process; it goes on after the test in any case."""
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(self.go_on, pid)

    def go_on(self, pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def told(self, kind, name="web"):
        return [event["data"] for event in self.events(types=[kind], guest=name)]

    def hung(self, name="web"):
        return harness.until(lambda: self.told("guest.hang", name), WITHIN, f"the hang of {name}")[0]

    def pings(self):
        families = self.call("Server.Metrics")["metrics"]
        return next(f for f in families if f["name"] == "umld_pings_total")["samples"][0]["value"]

    def type(self, line, name="web"):
        self.call("Console.Send", name=name, data=line + "\n")


class Hangs(Watched):
    def test_a_stopped_kernel_is_found_told_and_found_to_be_back(self):
        main = self.prepare_hang()
        self.assertEqual(self.runtime("web")["watch"], "responsive")
        self.stop_main(main)
        event = self.hung()
        self.assertEqual((event["source"], event["text"], event["policy"], event["boot"]),
                         ("mconsole", "no answer for 1 s", "event", "1"))
        now = self.runtime("web")
        self.assertEqual((now["state"], now["watch"], now["pid"]), ("running", "hung", main))
        self.assertIn("not answering", self.daemon.umlctl("status", "web").stdout)
        self.assertRegex(self.daemon.umlctl("list").stdout, r"web +running +hung")
        self.assertIn('umld_guest_responsive{guest="web"} 0', self.daemon.umlctl("metrics").stdout)
        self.go_on(main)
        harness.until(lambda: self.told("guest.responsive"), WITHIN, "the recovery")
        self.assertEqual(self.runtime("web")["watch"], "responsive")
        self.assertEqual(len(self.told("guest.hang")), 1)

    def test_it_is_suspected_first(self):
        main = self.prepare_hang(seconds=6)
        self.stop_main(main)
        harness.until(lambda: self.runtime("web")["watch"] == "suspect", WITHIN, "suspicion")
        self.assertEqual(self.told("guest.hang"), [])
        self.go_on(main)
        harness.until(lambda: self.runtime("web")["watch"] == "responsive", WITHIN, "an answer")
        self.assertEqual(self.told("guest.responsive"), [])  # it never hung

    def test_the_evidence_says_what_can_be_known(self):
        main = self.prepare_hang()
        self.stop_main(main)
        path = self.hung()["evidence"]
        self.assertEqual(path, f"{self.daemon.state}/guests/web/evidence/1-hang.txt")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertRegex(text, r"guest: web\nboot: 1\nwhen: 20\d\d-.*\nhang: no answer for 1 s\n")
        self.assertRegex(text, r"last answer to a ping: (\d+ ms ago|never)")
        self.assertRegex(text, r"first ping without an answer: \d+ ms ago")
        self.assertRegex(text, r"State:\s+T")
        self.assertIn(f"== /proc/{main}/wchan ==", text)
        self.assertIn(f"== /proc/{main}/stack ==", text)
        self.assertIn("fake: init started", text)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_restart_kills_it_and_starts_it_again_whatever_restart_says(self):
        main = self.prepare_hang(hang="restart", restart="never")
        self.stop_main(main)
        self.assertEqual(self.hung()["policy"], "restart")
        harness.until(lambda: self.runtime("web")["bootNumber"] == 2, WITHIN, "the next boot")
        now = self.wait("web", "ready")
        self.assertEqual((now["restarts"], now["watch"]), (1, "responsive"))
        self.assertNotEqual(now["pid"], main)
        states = [event["to"] for event in self.told("guest.state")]
        self.assertEqual(states[-6:], ["killing", "releasing", "backoff", "preparing", "booting", "running"])

    def test_kill_leaves_it_failed_with_the_cause(self):
        main = self.prepare_hang(hang="kill", restart="always")
        self.stop_main(main)
        now = self.wait("web", "failed")
        self.assertEqual((now["cause"], now["exitSignal"]), ("hung: no answer for 1 s", signal.SIGKILL))
        self.assertEqual(self.told("guest.responsive"), [])

    def test_none_does_not_even_look(self):
        self.set(hang_seconds=1)
        self.boot("web", fake="silent", hang="none")
        self.assertEqual(self.pings(), 0)
        self.boot("other", fake="silent")
        self.hung("other")
        self.assertEqual(self.told("guest.hang"), [])
        self.assertNotIn("watch", self.runtime("web"))

    def test_the_policy_can_be_changed_while_it_runs(self):
        self.prepare_hang()
        self.call("Guest.Update", name="web", set=["hang=none"])
        self.assertNotIn("watch", self.runtime("web"))
        self.call("Guest.Update", name="web", set=["hang=kill"])
        self.assertEqual(self.runtime("web")["watch"], "responsive")
        self.assertIn("none, event", self.fails("InvalidValue", "Guest.Update", name="web", set=["hang=maybe"]).hint)
        self.assertEqual(self.daemon.umlctl("create", "x", "hang=never").returncode, 2)

    def test_a_kernel_that_reads_nothing_is_found_too(self):
        self.prepare_hang(fake="frozen")
        self.hung()

    def test_a_killed_daemon_remembers_who_hangs_and_tells_the_recovery(self):
        main = self.prepare_hang()
        self.stop_main(main)
        self.hung()
        self.daemon.kill()
        self.daemon.start()
        self.wait("web", "running")
        harness.until(lambda: self.runtime("web").get("watch") == "hung", what="what was stored")
        self.go_on(main)
        harness.until(lambda: self.told("guest.responsive"), WITHIN, "the recovery")
        self.assertEqual(len(self.told("guest.hang")), 1)


class Alarms(Watched):
    """Nothing of this is a hang."""

    def no_hang_while_another_hangs(self, name="web"):
        """As long as it takes to find one out that was started later."""
        self.boot("other", fake="silent")
        self.hung("other")
        self.assertEqual(self.told("guest.hang", name), [])

    def test_slow_answers(self):
        self.prepare_hang(seconds=4, fake="slow=700")
        self.no_hang_while_another_hangs()

    def test_a_paused_guest(self):
        self.prepare_hang()
        self.call("Guest.Pause", name="web")
        self.assertNotIn("watch", self.runtime("web"))
        self.no_hang_while_another_hangs()
        self.call("Guest.Resume", name="web")
        self.assertEqual(self.runtime("web")["watch"], "responsive")

    def test_a_guest_that_is_being_stopped(self):
        self.set(stop_seconds=20)
        self.prepare_hang(fake="ignorecad,ignorehalt")
        with self.client() as stopper:
            stopper.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            self.no_hang_while_another_hangs()
            self.call("Guest.Kill", name="web")

    def test_a_question_that_takes_long(self):
        self.prepare_hang(fake="late=6000")
        with self.client() as asker:
            asker.send("Guest.Mconsole", {"name": "web", "command": "proc version", "timeoutMs": 30000})
            self.assertEqual(asker.reply()["parameters"]["status"], 0)
        self.assertEqual(self.told("guest.hang"), [])

    def test_a_daemon_that_was_stopped_together_with_its_guests(self):
        main = self.prepare_hang()
        before = self.pings()
        harness.until(lambda: self.pings() > before, WITHIN, "a ping")
        self.stop_main(main)
        self.daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(4)  # as long as the host might have been suspended
        self.daemon.process.send_signal(signal.SIGCONT)
        self.go_on(main)
        self.no_hang_while_another_hangs()


class Watchdogs(Watched):
    """The kernel's own watchdog: HANG from its helper."""

    def test_its_report_is_told_with_evidence_and_nothing_else_is_done(self):
        self.boot("web")
        self.type("hang")
        event = self.hung()
        self.assertEqual((event["source"], event["policy"]), ("watchdog", "event"))
        self.assertTrue(os.path.exists(event["evidence"]))
        now = self.runtime("web")
        self.assertEqual((now["state"], now["watch"]), ("running", "responsive"))

    def test_its_report_restarts_or_kills_as_the_policy_says(self):
        self.boot("web", hang="restart")
        self.type("hang")
        harness.until(lambda: self.runtime("web")["bootNumber"] == 2, WITHIN, "the next boot")
        self.wait("web", "ready")
        self.boot("db", hang="kill")
        self.type("hang", "db")
        self.assertRegex(self.wait("db", "failed")["cause"], "^hung: .*/dev/watchdog")

    def test_too_many_reports_are_one(self):
        self.boot("web")
        for _ in range(30):
            self.type("hang")
        self.type("notify done")
        harness.until(lambda: self.told("guest.notify"), what="the end")
        self.assertEqual(len(self.told("guest.hang")), 1)

    def test_on_the_way_down_it_means_nothing(self):
        self.set(stop_seconds=60)
        self.boot("web", fake="ignorecad", hang="restart")
        with self.client() as stopper:
            stopper.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            self.type("hang")
            self.type("notify done")
            harness.until(lambda: self.told("guest.notify"), what="the end")
            self.call("Guest.Mconsole", name="web", command="halt")
            self.assertEqual(stopper.reply()["parameters"]["state"], "stopped")
        self.assertEqual(self.told("guest.hang"), [])


class Panics(Watched):
    def test_a_panic_keeps_the_end_of_the_console_for_a_few_boots(self):
        self.create("web")
        for boot in range(1, 13):
            self.call("Guest.Start", name="web")
            self.type("panic")
            now = self.wait("web", "failed")
            self.assertEqual(now["cause"], "kernel panic: Attempted to kill init!")
        events = self.told("guest.evidence")
        self.assertEqual([(e["boot"], e["kind"]) for e in events], [(str(boot), "panic") for boot in range(1, 13)])
        with open(events[-1]["path"], encoding="utf-8") as file:
            text = file.read()
        self.assertRegex(text, "panic: Attempted to kill init!\n")
        self.assertIn("Kernel panic - not syncing: Attempted to kill init!", text.split("== con0")[1])
        left = os.listdir(os.path.dirname(events[-1]["path"]))
        self.assertEqual(sorted(left, key=lambda name: int(re.match(r"\d+", name)[0])),
                         [f"{boot}-panic.txt" for boot in range(3, 13)])


class Cost(Watched):
    def test_two_hundred_guests_are_looked_at_now_and_then(self):
        count = 200
        self.set(hang_seconds=30)  # the default: at most one ping in 2.7 s, usually one in 30
        begun = time.monotonic()
        names = [f"g{i}" for i in range(count)]

        def start(mine):
            with self.daemon.client(120) as client:
                for name in mine:
                    client.call("Guest.Create", {"definition": {"name": name, "kernel": "fake"}})
                    client.call("Guest.Start", {"name": name, "timeoutMs": 100000})
        threads = [threading.Thread(target=start, args=(names[i::8],)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        harness.until(lambda: self.pings() >= count, 90, "a ping for each")
        pings, passed = self.pings(), time.monotonic() - begun
        self.assertLess(pings, count * (1 + passed / 2.7))
        self.assertEqual(self.events(types=["guest.hang"]), [])


if __name__ == "__main__":
    harness.main()
