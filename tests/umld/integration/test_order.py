"""Dependencies between guests: who waits for whom, and what becomes of those that wait."""
import harness
from harness import Case, Error


class Order(Case):
    def start(self, name, **more):
        return self.call("Guest.Start", name=name, wait="none", **more)

    def make_ready(self, name):
        self.call("Console.Send", name=name, data="notify READY=1\n")

    def waiting(self, name, text):
        """Wait until it says that it waits for this."""
        def doing():
            run = self.runtime(name)
            return run["state"] == "preparing" and text in (run.get("doing") or "") and run
        return harness.until(doing, what=f"{name} waiting for {text}")

    def types(self, *names, kind="guest.ready"):
        return [e["object"] for e in self.events(types=[kind]) if e["object"] in names]

    def test_a_start_brings_up_what_it_depends_on_and_waits_until_that_is_ready(self):
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        self.start("web")
        self.wait("db", "running")
        run = self.waiting("web", "waits for db (running)")
        self.assertEqual((run["want"], run.get("pid")), ("up", None))
        self.assertEqual(self.runtime("db")["want"], "up")
        asked = self.events(types=["guest.asked"], guest="db")
        self.assertEqual([(e["data"]["verb"], e["data"]["by"]) for e in asked], [("start", "guest web")])
        self.make_ready("db")
        self.assertTrue(self.wait("web", "ready")["ready"])
        self.assertEqual(self.types("web", "db"), ["db", "web"])

    def test_a_chain_starts_in_order_and_one_that_is_ready_is_not_waited_for(self):
        self.create("a")
        self.create("b", depends=["a"])
        self.create("c", depends=["b", "a"])
        self.call("Guest.Start", name="c", timeoutMs=30000)
        self.assertEqual(self.types("a", "b", "c"), ["a", "b", "c"])
        self.call("Guest.Stop", name="c")
        self.call("Guest.Start", name="c", timeoutMs=30000)
        self.assertEqual(self.types("a", "b", "c"), ["a", "b", "c", "c"])

    def test_waiting_takes_no_place_among_those_that_boot(self):
        self.set(parallel_boots=1)
        self.create("db", fake="noready")
        for name in ("w1", "w2", "w3"):
            self.create(name, depends=["db"])
            self.start(name)
        self.waiting("w3", "waits for db")
        self.boot("other")
        self.make_ready("db")
        for name in ("w1", "w2", "w3"):
            self.assertTrue(self.wait(name, "ready")["ready"])

    def test_the_failure_of_what_it_waits_for_is_its_own_and_names_it(self):
        self.create("db", fake="noready,exit=3:0")
        self.create("web", depends=["db"], restart="always")
        error = self.fails("WrongState", "Guest.Start", name="web")
        self.assertIn("db, which it depends on, failed: exit status 3", error.message)
        run = self.runtime("web")
        self.assertEqual((run["state"], run["want"], run["bootNumber"]), ("failed", "down", 0))
        # A failure of each link of a chain names the link below it.
        self.create("top", depends=["web"])
        error = self.fails("WrongState", "Guest.Start", name="top")
        self.assertIn("web, which it depends on, failed: cannot start", error.message)

    def test_one_that_crashes_and_is_tried_again_is_waited_for(self):
        self.create("db", fake="noready,exit=3:0", restart="onFailure")
        self.create("web", depends=["db"])
        self.start("web")
        self.waiting("web", "waits for db (backoff)")
        self.call("Guest.Stop", name="db")
        run = self.wait("web", "failed")
        self.assertIn("db, which it depends on, was stopped", run["cause"])

    def test_a_users_start_tries_again_what_has_failed_but_the_restart_policy_does_not(self):
        self.create("db", fake="noready,exit=3:0")
        self.fails("Crashed", "Guest.Start", name="db")
        self.create("web", depends=["db"])
        self.fails("WrongState", "Guest.Start", name="web")
        self.assertEqual(self.runtime("db")["bootNumber"], 2)
        self.call("Guest.Update", name="web", set=["depends=", "restart=onFailure"])
        self.start("web")
        self.call("Guest.Update", name="web", set=["depends=db"])
        self.wait("web", "ready")
        self.call("Console.Send", name="web", data="exit 4\n")
        self.assertIn("db, which it depends on, failed", self.wait("web", "failed")["cause"])
        self.assertEqual(self.runtime("db")["bootNumber"], 2)

    def test_a_dependency_stopped_while_it_is_waited_for_is_not_started_again(self):
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        self.start("web")
        self.wait("db", "running")
        self.call("Guest.Kill", name="db")
        self.assertIn("db, which it depends on, was stopped", self.wait("web", "failed")["cause"])
        self.assertEqual(self.runtime("db")["state"], "stopped")

    def test_waiting_has_a_limit(self):
        self.set(depend_seconds=1)
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        error = self.fails("Timeout", "Guest.Start", name="web", timeoutMs=30000)
        self.assertIn("not ready after 1 s: waits for db (running)", error.message)
        self.assertEqual(self.runtime("web")["state"], "failed")
        self.assertEqual(self.runtime("db")["state"], "running")

    def test_one_that_waits_can_be_stopped_and_forgets_its_wait(self):
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        self.start("web")
        self.waiting("web", "waits for db")
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")
        self.make_ready("db")
        self.wait("db", "ready")
        self.assertEqual(self.runtime("web")["bootNumber"], 0)

    def test_a_paused_dependency_is_not_ready(self):
        self.boot("db")
        self.call("Guest.Pause", name="db")
        self.create("web", depends=["db"])
        self.start("web")
        self.waiting("web", "waits for db (paused)")
        self.call("Guest.Resume", name="db")
        self.wait("web", "ready")

    def test_what_runs_goes_on_when_what_it_depends_on_ends(self):
        self.create("db")
        self.create("web", depends=["db"])
        self.call("Guest.Start", name="web", timeoutMs=30000)
        self.call("Guest.Stop", name="db")
        self.assertEqual(self.runtime("web")["state"], "running")

    def test_the_dependencies_can_be_changed_while_it_waits(self):
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        self.start("web")
        self.waiting("web", "waits for db")
        self.call("Guest.Update", name="web", set=["depends="])
        self.assertTrue(self.wait("web", "ready")["ready"])

    def test_progress_says_what_a_start_waits_for(self):
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        with self.client() as client:
            for reply in client.stream("Guest.Start", {"name": "web"}):
                if reply.get("doing") == "waits for db (running)":
                    self.make_ready("db")
            self.assertTrue(reply["ready"])


class Definitions(Case):
    def test_a_name_nobody_has_is_warned_of_and_refused_at_the_start(self):
        definition = {"name": "web", "kernel": "fake", "depends": ["db"], "cmdline": ["root=98:0"]}
        reply = self.call("Guest.Create", definition=definition)
        self.assertEqual(len(reply["warnings"]), 1)
        self.assertIn('"db", which is not defined', reply["warnings"][0])
        self.create("top", depends=["web"])
        for name in ("web", "top"):
            error = self.fails("BadConfig", "Guest.Start", name=name)
            self.assertEqual((error.object, error.field), ('guest "web"', "depends"))
            self.assertIn('"db", which is not defined', error.message)
            self.assertEqual(self.runtime(name)["state"], "stopped")
        self.create("db")
        self.assertIsNone(self.call("Guest.Update", name="web", set=["autostart=on"]).get("warnings"))
        self.call("Guest.Start", name="top", timeoutMs=30000)

    def test_circles_are_refused_and_named(self):
        self.create("a", depends=["b"])
        self.create("b", depends=["c"])
        definition = {"name": "c", "kernel": "fake", "depends": ["d", "a"]}
        for dry in (True, False):
            error = self.fails("InvalidValue", "Guest.Create", definition=definition, dryRun=dry)
            self.assertEqual((error.object, error.field), ('guest "c"', "depends"))
            self.assertIn("c -> a -> b -> c", error.message)
        self.create("c", depends=["d"])
        error = self.fails("InvalidValue", "Guest.Update", name="c", set=["depends=d,a"])
        self.assertIn("c -> a -> b -> c", error.message)
        error = self.fails("InvalidValue", "Guest.Update", name="c", set=["depends=c"])
        self.assertIn("depends on itself", error.message)
        self.assertEqual(self.call("Guest.Get", name="c")["guest"]["definition"]["depends"], ["d"])

    def test_what_others_need_is_removed_by_force_only(self):
        self.create("db")
        for name in ("web", "mail"):
            self.create(name, depends=["db"])
        error = self.fails("Conflict", "Guest.Remove", name="db")
        self.assertIn("web, mail cannot start without it", error.message)
        self.assertIn("--force", error.hint)
        self.assertTrue(self.call("Guest.Remove", name="db", force=True)["changed"])
        self.fails("BadConfig", "Guest.Start", name="web")

    def test_removal_by_force_ends_the_wait_for_it(self):
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        self.call("Guest.Start", name="web", wait="none")
        self.wait("db", "running")
        self.call("Guest.Remove", name="db", force=True)
        self.assertIn("db", self.wait("web", "failed")["cause"])


class Protection(Case):
    def refused(self, method, verb, **more):
        error = self.fails("Conflict", method, name="web", **more)
        self.assertIn(f"is protected from {verb}: the shop", error.message)
        self.assertIn(f"umlctl config web protect:{verb}=", error.hint)

    def test_protection_from_stop_holds_with_force_and_is_lifted_while_it_runs(self):
        self.boot("web", protect={"stop": "the shop"})
        self.refused("Guest.Stop", "stop")
        self.refused("Guest.Stop", "stop", force=True)
        self.refused("Guest.Kill", "stop")
        self.refused("Guest.Remove", "stop", force=True)
        self.call("Guest.Reboot", name="web")
        self.assertEqual(self.runtime("web")["want"], "up")
        self.call("Guest.Update", name="web", set=["protect:stop="])
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")

    def test_one_that_is_down_is_stopped_already_whatever_its_protection(self):
        self.create("web", protect={"stop": "the shop"})
        for method in ("Stop", "Kill"):
            self.assertFalse(self.call(f"Guest.{method}", name="web")["changed"])
        self.assertTrue(self.call("Guest.Remove", name="web")["changed"])

    def test_protection_from_removal_holds_with_force(self):
        self.create("web", protect={"remove": "the shop"})
        self.refused("Guest.Remove", "remove")
        self.refused("Guest.Remove", "remove", force=True)
        self.assertEqual(self.call("Guest.Get", name="web")["guest"]["definition"]["protect"], {"remove": "the shop"})
        self.call("Guest.Update", name="web", set=["protect:remove="])
        self.assertTrue(self.call("Guest.Remove", name="web")["changed"])

    def test_keys_and_reasons_are_checked(self):
        for protect in ({"pause": "no"}, {"stop": ""}, {"stop": "x" * 300}):
            with self.subTest(protect=protect):
                definition = {"name": "web", "kernel": "fake", "protect": protect}
                self.assertEqual(self.fails("InvalidValue", "Guest.Create", definition=definition).field, "protect")

    def end(self):
        for guest in self.call("Guest.List")["guests"]:
            self.call("Guest.Update", name=guest["definition"]["name"], set=["protect:stop=", "protect:remove="])
        super().end()


class Restarts(Case):
    def test_the_next_start_and_the_count_are_shown_and_the_brake_says_why(self):
        self.create("web", fake="noready,exit=3:0", restart="always")
        with self.assertRaises(Error):
            self.call("Guest.Start", name="web")
        run = self.runtime("web")
        self.assertEqual((run["state"], run["failures"], run["want"]), ("backoff", 1, "up"))
        self.assertRegex(run["nextStartAt"], r"^\d{4}-\d\d-\d\dT")
        self.assertIn("starts again in", self.daemon.umlctl("status", "web").stdout)
        run = self.wait("web", "failed", 60000)
        self.assertEqual((run["failures"], run["want"], run.get("nextStartAt")), (5, "down", None))
        self.assertEqual(run["cause"], "exit status 3 (5 failures in a row: not started again)")
        self.call("Guest.ResetFailed", name="web")
        run = self.runtime("web")
        self.assertEqual((run["state"], run.get("failures"), run.get("cause")), ("stopped", None, None))

    def test_a_power_off_with_restart_always_is_no_failure(self):
        self.create("web", fake="exit=0:0", restart="always")
        self.call("Guest.Start", name="web", wait="none")
        run = self.wait("web", "backoff")
        self.assertEqual((run.get("failures"), run["cause"]), (None, "powered off"))
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")

    def test_a_reboot_from_inside_is_no_end(self):
        self.boot("web", fake="reboot=100:1", restart="onFailure")
        with self.client() as client:
            for event in client.stream("Server.Subscribe", {"since": 0, "types": ["guest.rebooted"], "follow": True}):
                if event:
                    break
        run = self.wait("web", "ready")
        self.assertEqual((run["restarts"], run["bootNumber"], run.get("failures")), (0, 2, None))

    def test_a_busy_host_boots_one_at_a_time_and_says_why(self):
        self.set(parallel_boots=1)
        for name in ("a", "b"):
            self.create(name, fake="nosocket,noready")
            self.call("Guest.Start", name=name, wait="none")
        self.wait("a", "booting")
        harness.until(lambda: "parallel-boots" in (self.runtime("b").get("doing") or ""), what="the reason")
        self.call("Guest.Kill", name="a")
        self.wait("b", "booting")


if __name__ == "__main__":
    harness.main()
