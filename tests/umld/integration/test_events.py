"""Events and jobs: numbered without gaps, replayed, followed, filtered; rows that outlive the daemon."""
import os
import threading

import harness
from harness import Case, Error


class Events(Case):
    def test_numbers_have_no_gap_over_restarts(self):
        self.boot("web")
        for end in (self.daemon.kill, self.daemon.terminate):
            end()
            self.daemon.start()
            self.wait("web", "running")
        self.call("Guest.Kill", name="web")
        seqs = [event["seq"] for event in self.events()]
        self.assertEqual(seqs, list(range(1, len(seqs) + 1)))
        self.assertEqual(self.call("Server.Status")["lastEvent"], seqs[-1])

    def test_a_life_is_told_in_order(self):
        self.boot("web")
        self.call("Guest.Stop", name="web")
        types = [event["type"] for event in self.events(guest="web") if event["type"] != "guest.state"]
        expected = ["guest.defined", "guest.kernel-up", "guest.ready", "guest.stopped"]
        self.assertEqual([t for t in types if t in expected], expected)
        states = [event["data"]["to"] for event in self.events(types=["guest.state"], guest="web")]
        self.assertEqual(states, ["preparing", "booting", "running", "stopping", "releasing", "stopped"])

    def test_following_misses_nothing_between_replay_and_news(self):
        seen = []

        def follow():
            with self.daemon.client() as client:
                for reply in client.stream("Server.Subscribe", {"since": 0, "follow": True}):
                    seen.append(reply["event"]["seq"])
                    if reply["event"]["type"] == "setting.changed" and reply["event"]["data"]["value"] == "599":
                        return
        threads = [threading.Thread(target=follow) for _ in range(5)]
        for thread in threads[:2]:
            thread.start()
        for value in range(400, 600):
            self.call("Server.Set", name="stop-seconds", value=str(value))
            if value == 500:
                for thread in threads[2:]:
                    thread.start()
        for thread in threads:
            thread.join(harness.LIMIT)
        count = self.call("Server.Status")["lastEvent"]
        self.assertEqual(sorted(seen), sorted(list(range(1, count + 1)) * 5))

    def test_a_slow_reader_loses_nothing_and_holds_up_nobody(self):
        lazy = self.client()
        lazy.send("Server.Subscribe", {"since": 0, "follow": True}, more=True)
        with self.client() as busy:
            for value in range(3000):
                busy.call("Server.Set", {"name": "stop-seconds", "value": str(1 + value % 500)})
        count = self.call("Server.Status")["lastEvent"]
        seqs = []
        for reply in lazy.replies():
            seqs.append(reply["event"]["seq"])
            if seqs[-1] == count:
                break
        self.assertEqual(seqs, list(range(1, count + 1)))

    def test_only_new_ones_without_since(self):
        with self.client() as client:
            client.send("Server.Subscribe", {"follow": True}, more=True)
            self.daemon.call("Server.Ping")
            self.call("Server.Set", name="stop-seconds", value="77")
            self.assertEqual(client.reply()["parameters"]["event"]["type"], "setting.changed")

    def refused(self, **parameters):
        with self.daemon.client() as client, self.assertRaises(Error) as caught:
            list(client.stream("Server.Subscribe", parameters))
        return caught.exception

    def test_wrong_subscriptions(self):
        error = self.fails("InvalidValue", "Server.Subscribe", since=0)
        self.assertIn("more", error.hint)
        self.assertEqual(self.events(since=10 ** 9), [])
        self.assertEqual(self.refused(since=10 ** 9, follow=True).name, "Conflict")
        for wrong in ({"guests": ["a b"]}, {"guests": [""]}, {"types": ["Guest.*"]}, {"types": ["guest.*x"]},
                      {"sinceTime": "yesterday"}, {"sinceTime": "2999-01-01T00:00:00Z"}, {"sinceTime": "2026-01-01T00:00:00Z", "since": 1},
                      {"guests": ["x"] * 65}):
            self.assertEqual(self.refused(**wrong).name, "InvalidValue", wrong)

    def test_filters_by_name_pattern_type_and_time(self):
        for name in ("web1", "web2", "db"):
            self.create(name)
        self.assertEqual({e["object"] for e in self.events(guests=["web*"])}, {"web1", "web2"})
        self.assertEqual({e["object"] for e in self.events(guests=["web?", "db"], types=["guest.*"])}, {"web1", "web2", "db"})
        self.assertEqual({e["type"] for e in self.events(types=["job.*", "kernel.*"])}, {"job.started", "job.ended", "kernel.verdict"})
        times = [(e["seq"], e["time"]) for e in self.events()]
        seq, when = times[len(times) // 2]
        found = [e["seq"] for e in self.events(since=None, sinceTime=when)]
        self.assertEqual(found, list(range(found[0], times[-1][0] + 1)))
        self.assertLessEqual(found[0], seq)
        self.assertGreaterEqual([t for s, t in times if s == found[0]][0], when)
        self.assertEqual(self.events(since=None, sinceTime="2199-01-01T00:00:00Z"), [])
        self.assertEqual(len(self.events(since=None, sinceTime="1999-01-01T00:00:00+01:00")), times[-1][0])

    def test_marks_say_how_far_a_reader_of_little_is(self):
        with self.client() as client:
            client.send("Server.Subscribe", {"follow": True, "marks": True, "types": ["guest.*"]}, more=True)
            begun = client.reply()["parameters"]
            self.assertEqual(list(begun), ["at"])
            with self.daemon.client() as busy:
                for value in range(1100):
                    busy.call("Server.Set", {"name": "stop-seconds", "value": str(1 + value % 500)})
            self.assertGreaterEqual(client.reply()["parameters"]["at"], begun["at"] + 1000)
            self.create("web")
            self.assertEqual(client.reply()["parameters"]["event"]["type"], "guest.defined")

    def test_who_asked_is_an_event_before_what_follows(self):
        self.boot("web")
        self.call("Guest.Pause", name="web")
        self.call("Guest.Kill", name="web")
        asked = [e["data"] for e in self.events(guest="web", types=["guest.asked"])]
        self.assertEqual(asked, [{"verb": verb, "by": str(os.getuid())} for verb in ("start", "pause", "kill")])
        told = [e["type"] for e in self.events(guest="web")]
        self.assertLess(told.index("guest.asked"), told.index("guest.state"))
        self.assertEqual([e["data"]["failures"] for e in self.events(guest="web", types=["guest.ended"])], ["0"])

    def test_a_guests_bytes_are_made_safe(self):
        self.boot("web")
        self.call("Console.Send", name="web", data="notify a\x1b[31m\x7fb\u00e4\n")
        events = harness.until(lambda: self.events(types=["guest.notify"]), what="the notification")
        text = events[0]["data"]["text"]
        self.assertNotIn("\x1b", text)


class Jobs(Case):
    def test_a_start_is_a_job_with_its_outcome(self):
        reply = self.boot("web")
        job = self.call("Job.Get", id=reply["job"])["job"]
        self.assertEqual((job["kind"], job["object"], job["state"]), ("guest.start", "web", "done"))
        self.assertTrue(job["endedAt"])
        self.create("bad", fake="exit=3:0,noready")
        with self.assertRaises(Error):
            self.call("Guest.Start", name="bad")
        job = self.call("Job.List", limit=1)["jobs"][0]
        self.assertEqual(job["state"], "failed")
        self.assertIn("exit status 3", job["error"])

    def test_a_waiting_client_that_leaves_does_not_end_the_job(self):
        self.create("web", fake="noready")
        with self.daemon.client() as client:
            client.send("Guest.Start", {"name": "web"})
            self.wait("web", "running")
        self.assertEqual(len(self.call("Job.List", active=True)["jobs"]), 1)
        self.call("Console.Send", name="web", data="notify READY=1\n")
        harness.until(lambda: not self.call("Job.List", active=True)["jobs"], what="the end of the job")

    def test_unknown_jobs(self):
        for text in ("4711", "x", "-1", "9" * 30):
            for method in ("Job.Get", "Job.Cancel", "Job.Wait"):
                self.fails("NotFound", method, id=text)

    def test_a_cancelled_start_stops_the_guest(self):
        self.create("web", fake="noready")
        client = self.client()
        client.send("Guest.Start", {"name": "web"})
        self.wait("web", "running")
        job = self.call("Job.List", active=True)["jobs"][0]["id"]
        self.assertTrue(self.call("Job.Cancel", id=job)["changed"])
        with self.assertRaises(Error) as caught:
            client.reply()
        self.assertEqual(caught.exception.name, "Cancelled")
        ended = self.call("Job.Wait", id=job)["job"]
        self.assertEqual((ended["state"], ended["errorName"]), ("cancelled", "Cancelled"))
        self.assertEqual(self.wait("web", "exit")["state"], "stopped")
        self.assertFalse(self.call("Job.Cancel", id=job)["changed"])
        asked = self.events(guest="web", types=["guest.asked"])[-1]["data"]
        self.assertEqual(asked, {"verb": "stop", "by": f"job {job}"})

    def test_a_start_nobody_waits_for_is_a_job_until_the_kernel_is_up(self):
        self.create("web")
        job = self.call("Guest.Start", name="web", wait="none")["job"]
        with self.daemon.client() as client:
            seen = [reply["job"] for reply in client.stream("Job.Wait", {"id": job})]
        phases = [j["phase"] for j in seen]
        self.assertEqual(seen[-1]["state"], "done")
        self.assertEqual((seen[-1]["done"], seen[-1]["total"], seen[-1]["uid"]), (3, 3, os.getuid()))
        self.assertEqual(phases, sorted(phases, key=["", "preparing", "booting", "running"].index))
        self.assertEqual(self.runtime("web")["state"], "running")

    def test_waiting_for_a_job_has_a_limit_and_may_be_given_up(self):
        self.create("web", fake="noready")
        starting = self.client()
        starting.send("Guest.Start", {"name": "web"})
        self.wait("web", "running")
        job = self.call("Job.List", active=True)["jobs"][0]["id"]
        for _ in range(3):
            with self.daemon.client() as client:
                client.send("Job.Wait", {"id": job})
        error = self.fails("Timeout", "Job.Wait", id=job, timeoutMs=200)
        self.assertIn("job show", error.hint)

    def test_an_interrupted_start_goes_on_and_its_job_has_the_true_outcome(self):
        self.create("web", fake="noready")
        client = self.client()
        client.send("Guest.Start", {"name": "web"})
        self.wait("web", "running")
        self.daemon.kill()
        self.daemon.start()
        self.wait("web", "running")
        job = self.call("Job.List", active=True)["jobs"][0]
        self.assertEqual((job["kind"], job["state"]), ("guest.start", "running"))
        self.call("Console.Send", name="web", data="notify READY=1\n")
        self.assertEqual(self.call("Job.Wait", id=job["id"])["job"]["state"], "done")
        started = [e["data"]["job"] for e in self.events(types=["job.started"])]
        ended = [e["data"]["job"] for e in self.events(types=["job.ended"])]
        self.assertEqual(sorted(started), sorted(ended))


class Settings(Case):
    kernel = False

    def test_wrong_settings(self):
        self.assertIn("stop-seconds", self.fails("NotFound", "Server.Set", name="speed", value="1").hint)
        for name, value in (("stop-seconds", "0"), ("stop-seconds", "x"), ("pinning", "maybe"),
                            ("console-log-size", "1"), ("log-level", "loud"), ("boot-seconds", "99999")):
            self.fails("InvalidValue", "Server.Set", name=name, value=value)
        self.assertFalse(self.call("Server.Set", name="pinning", value="on")["changed"])

    def test_the_log_level_at_run_time(self):
        for number, level in enumerate(("info", "error", "debug")):
            self.assertEqual(self.call("Server.SetLogLevel", level=level)["changed"], level != "info")
            self.assertEqual(self.call("Server.Status")["logLevel"], level)
            self.create(f"g{number}", kernel=None)
            self.assertEqual(f"guest g{number}: defined" in self.daemon.log_text(), level != "error")


if __name__ == "__main__":
    harness.main()
