"""The host goes down: all guests within one budget, in reverse order, and up again with the next daemon."""
import time

import harness
from harness import Case, Error


class Shutdown(Case):
    """The daemon ends by itself; the next one brings everything up again, which end() then stops."""

    def shut_down(self, budget_ms=30000, **more):
        return self.call("Server.Shutdown", guests="stop", budgetMs=budget_ms, **more)

    def ended(self):
        self.assertEqual(self.daemon.process.wait(harness.LIMIT), 0)

    def states(self):
        return {g["definition"]["name"]: (g["runtime"]["state"], g["runtime"]["want"])
                for g in self.call("Guest.List")["guests"]}

    def order(self, kind="guest.stopped"):
        return [e["object"] for e in self.events(types=[kind])]

    def test_dependents_go_first_and_the_next_daemon_starts_what_was_up(self):
        self.create("db")
        self.create("mail", depends=["db"])
        self.create("web", depends=["db", "mail"])
        self.create("idle")
        self.boot("alone")
        self.call("Guest.Start", name="web", timeoutMs=30000)
        reply = self.shut_down()
        self.assertEqual((reply["done"], reply["total"], reply["killed"]), (4, 4, []))
        self.ended()
        self.daemon.start()
        for name in ("db", "mail", "web", "alone"):
            self.assertTrue(self.wait(name, "ready")["ready"])
        self.assertEqual(self.states()["idle"], ("stopped", "down"))
        self.assertEqual([n for n in self.order() if n != "alone"], ["web", "mail", "db"])
        self.assertEqual([n for n in self.order("guest.ready") if n != "alone"], ["db", "mail", "web"] * 2)
        job = next(j for j in self.call("Job.List")["jobs"] if j["kind"] == "host.shutdown")
        self.assertEqual((job["state"], job["done"], job["total"]), ("done", 4, 4))

    def test_guests_that_depend_on_nothing_go_down_side_by_side(self):
        self.set(stop_seconds=2, sync_seconds=1, halt_seconds=1)
        for i in range(4):
            self.boot(f"g{i}", fake="ignorecad")
        begun = time.monotonic()
        self.shut_down(60000)
        self.assertLess(time.monotonic() - begun, 8)
        self.ended()
        self.daemon.start()

    def test_what_is_not_down_in_time_is_halted_then_killed(self):
        self.set(stop_seconds=600)
        self.boot("polite")
        self.boot("deaf", fake="ignorecad", protect={"stop": "it matters"})
        self.boot("stuck", fake="silent", depends=["polite"])
        self.boot("slow", fake="ignorecad,ignorehalt")
        begun = time.monotonic()
        with self.client() as client:
            replies = list(client.stream("Server.Shutdown", {"guests": "stop", "budgetMs": 15000}))
        self.assertLess(time.monotonic() - begun, 30)
        self.assertEqual(sorted(replies[-1]["killed"]), ["slow", "stuck"])
        phases = [reply["phase"] for reply in replies]
        self.assertEqual(sorted(set(phases), key=phases.index), ["asking", "halting", "killing"])
        self.ended()
        self.assertEqual(self.guest_directories(), [])
        self.daemon.start()
        self.call("Guest.Update", name="deaf", set=["protect:stop="])
        how = {e["object"]: e["data"]["how"] for e in self.events(types=["guest.stopped"])}
        self.assertEqual((how["polite"], how["deaf"]), ("shutdown", "halted"))
        self.assertEqual(set(self.states().values()) - {("preparing", "up"), ("booting", "up"), ("running", "up")}, set())

    def test_one_that_waits_or_backs_off_or_is_paused_goes_down_and_comes_back(self):
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        self.call("Guest.Start", name="web", wait="none")
        self.create("loop", fake="noready,exit=3:0", restart="onFailure")
        self.call("Guest.Start", name="loop", wait="none")
        self.boot("ice")
        self.call("Guest.Pause", name="ice")
        self.wait("db", "running")
        self.wait("loop", "backoff")
        self.assertEqual(self.shut_down()["total"], 4)
        self.ended()
        self.daemon.start()
        self.wait("ice", "ready")
        self.wait("db", "running")
        self.assertEqual({want for _, want in self.states().values()}, {"up"})
        self.call("Guest.Stop", name="loop")

    def test_nothing_is_started_meanwhile_and_there_is_one_at_a_time(self):
        self.set(stop_seconds=600)
        self.boot("web", fake="ignorecad")
        self.create("new")
        with self.client() as client:
            client.send("Server.Shutdown", {"guests": "stop", "budgetMs": 6000})
            self.wait("web", "stopping")
            self.assertIn("shutting", self.fails("WrongState", "Guest.Start", name="new").message)
            self.fails("Busy", "Server.Shutdown", guests="stop")
            client.reply()
        self.ended()
        self.daemon.start()

    def test_a_users_stop_in_the_middle_is_kept(self):
        self.set(stop_seconds=600)
        self.boot("web", fake="ignorecad")
        with self.client() as client:
            client.send("Server.Shutdown", {"guests": "stop", "budgetMs": 20000})
            self.wait("web", "stopping")
            self.call("Guest.Kill", name="web")
            client.reply()
        self.ended()
        self.daemon.start()
        self.assertEqual(self.states(), {"web": ("stopped", "down")})

    def test_a_shutdown_that_is_cancelled_brings_back_what_is_down(self):
        self.set(stop_seconds=600)
        self.create("db", fake="ignorecad")
        self.create("web", depends=["db"])
        self.call("Guest.Start", name="web", timeoutMs=30000)
        before = self.runtime("db")["pid"]
        with self.client() as client:
            client.send("Server.Shutdown", {"guests": "stop", "budgetMs": 600000})
            self.wait("db", "stopping")
            [job] = self.call("Job.List", active=True)["jobs"]
            self.call("Job.Cancel", id=job["id"])
            with self.assertRaises(Error) as caught:
                client.reply()
            self.assertEqual(caught.exception.name, "Cancelled")
        run = self.wait("web", "ready")
        self.assertEqual((run["bootNumber"], run["want"]), (2, "up"))
        self.assertEqual(self.runtime("db")["pid"], before)
        self.assertTrue(self.daemon.alive())

    def test_umlctl_tells_what_happened_and_an_empty_host_is_down_at_once(self):
        done = self.daemon.umlctl("--socket", self.daemon.api, "shutdown", "--guests")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("0 guests stopped", done.stdout)
        self.ended()
        self.daemon.start()
        self.set(stop_seconds=1, sync_seconds=1, halt_seconds=1)
        self.boot("web", fake="silent")
        done = self.daemon.umlctl("--socket", self.daemon.api, "shutdown", "--guests", "--budget", "60s")
        self.assertEqual(done.returncode, 0)
        self.assertIn("1 guests stopped, the next umld starts them again", done.stdout)
        self.assertIn('"web" had to be killed', done.stderr)
        self.ended()
        self.daemon.start()

    def test_a_plain_shutdown_leaves_guests_alone(self):
        self.boot("web")
        before = self.runtime("web")["pid"]
        self.call("Server.Shutdown", guests="keep")
        self.ended()
        self.daemon.start()
        self.assertEqual(self.wait("web", "ready")["pid"], before)


if __name__ == "__main__":
    harness.main()
