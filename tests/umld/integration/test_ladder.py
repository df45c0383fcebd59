"""The orderly stop, rung by rung, and what can be done to it on the way."""
import os
import signal
import time

import harness
from harness import Case, Error


class Ladder(Case):
    def steps(self, name="web"):
        """(rung, result) of every rung that was left."""
        return [(e["data"]["rung"], e["data"]["result"]) for e in self.events(types=["guest.stop-step"], guest=name)]

    def quick(self):
        self.set(stop_seconds=1, sync_seconds=1, halt_seconds=1)

    def stop(self, name="web", **more):
        reply = self.call("Guest.Stop", name=name, **more)
        self.assertEqual(reply["state"], "stopped")
        self.assertIsNone(self.runtime(name).get("cause"))
        return reply["how"]

    def test_one_that_shuts_down_needs_one_rung(self):
        self.boot("web")
        self.assertEqual(self.stop(), "shutdown")
        self.assertEqual(self.steps(), [("cad", "down")])
        [stopped] = self.events(types=["guest.stopped"], guest="web")
        self.assertEqual(stopped["data"]["how"], "shutdown")
        self.assertNotIn("how", self.call("Guest.Stop", name="web"))

    def test_one_that_ignores_ctrl_alt_del_is_synced_remounted_and_halted(self):
        self.quick()
        self.boot("web", fake="ignorecad")
        begun = time.monotonic()
        self.assertEqual(self.stop(), "halted")
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        self.assertEqual(self.steps(), [("cad", "timeout"), ("sync", "done"), ("remount", "done"), ("halt", "down")])
        for event in self.events(types=["guest.stop-step"])[:1]:
            self.assertGreaterEqual(int(event["data"]["ms"]), 900)

    def remounted_after(self, looks):
        self.boot("web", fake=f"ignorecad,lateremount={looks}")
        how = self.stop(graceMs=100)
        [step] = [e["data"] for e in self.events(types=["guest.stop-step"]) if e["data"]["rung"] == "remount"]
        return how, step["result"], int(step["ms"])

    def test_it_is_not_halted_while_a_disk_is_written_to(self):
        how, result, ms = self.remounted_after(10)
        self.assertEqual((how, result), ("halted", "done"))
        self.assertGreaterEqual(ms, 300)

    def test_a_disk_that_stays_writable_holds_up_no_stop(self):
        self.set(sync_seconds=1)
        how, result, ms = self.remounted_after(1000000)
        self.assertEqual((how, result), ("halted", "timeout"))
        self.assertGreaterEqual(ms, 900)

    def test_a_reboot_waits_for_the_disks_too(self):
        self.boot("web", fake="lateremount=10")
        begun = time.monotonic()
        self.call("Guest.Reboot", name="web")
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)
        self.wait("web", "ready")

    def test_one_that_reboots_instead_is_halted_as_it_comes_up(self):
        self.boot("web", fake="cadreboot")
        self.assertEqual(self.stop(), "rebooted")
        self.assertEqual(self.steps(), [("cad", "rebooted"), ("halt", "down")])

    def test_one_that_ignores_everything_is_killed(self):
        self.quick()
        self.boot("web", fake="ignorecad,ignorehalt")
        self.assertEqual(self.stop(), "killed")
        self.assertEqual(self.steps()[-2:], [("halt", "timeout"), ("kill", "down")])

    def test_one_that_never_answers_is_given_each_rungs_time_and_killed(self):
        self.quick()
        for fake in ("silent", "frozen"):
            self.boot(fake, fake=fake)
            begun = time.monotonic()
            self.assertEqual(self.stop(fake), "killed")
            self.assertLess(time.monotonic() - begun, 20)
            self.assertEqual([rung for rung, _ in self.steps(fake)], ["cad", "sync", "remount", "halt", "kill"])

    def test_a_kernel_stopped_by_a_signal_is_killed(self):
        self.quick()
        self.boot("web")
        os.kill(self.runtime("web")["pid"], signal.SIGSTOP)
        self.assertEqual(self.stop(), "killed")

    def test_a_paused_one_is_resumed_first(self):
        self.boot("web")
        self.call("Guest.Pause", name="web")
        self.assertEqual(self.stop(), "shutdown")
        self.assertEqual(self.steps(), [("resume", "done"), ("cad", "down")])

    def test_a_stop_while_it_boots_kills_it(self):
        self.create("web", fake="nosocket")
        self.call("Guest.Start", name="web", wait="none")
        self.wait("web", "booting")
        self.assertEqual(self.stop(), "killed")
        self.assertEqual(self.steps(), [("kill", "down")])

    def test_a_stop_while_it_reboots_ends_it(self):
        self.boot("web", fake="slow=300")
        with self.client() as client:
            client.call("Server.Ping")
            client.send("Guest.Reboot", {"name": "web"})
            self.call("Server.Ping")  # sent later, so the reboot has been taken
            self.assertIn(self.stop(), ("shutdown", "rebooted"))
            with self.assertRaises(Error):
                client.reply()

    def test_force_kills_at_once(self):
        self.boot("web")
        self.assertEqual(self.stop(force=True), "killed")
        self.assertEqual(self.steps(), [("kill", "down")])

    def test_a_kill_cuts_a_stop_short(self):
        self.boot("web", fake="ignorecad")
        with self.client() as client:
            client.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            self.call("Guest.Kill", name="web")
            self.assertEqual(client.reply()["parameters"]["how"], "killed")
        self.assertEqual(self.steps(), [("cad", "cut short"), ("kill", "down")])

    def test_the_time_to_shut_down_can_be_given_with_the_stop(self):
        self.set(stop_seconds=600)
        self.boot("web", fake="ignorecad")
        self.assertEqual(self.stop(graceMs=300), "halted")

    def test_one_that_panics_on_the_way_has_crashed(self):
        self.boot("web", fake="ignorecad")
        with self.client() as client:
            client.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            self.call("Console.Send", name="web", data="panic\n")
            self.assertEqual(client.reply()["parameters"]["how"], "crashed")

    def test_progress_tells_each_rung(self):
        self.quick()
        self.boot("web", fake="ignorecad")
        with self.client() as client:
            doing = [reply.get("doing") or "" for reply in client.stream("Guest.Stop", {"name": "web"})]
        text = "\n".join(doing)
        for part in ("Ctrl-Alt-Del", "synced", "halted"):
            self.assertIn(part, text)
        self.assertEqual(doing[-1], "")

    def test_umlctl_says_how_it_ended(self):
        self.boot("web", fake="ignorecad")
        done = self.daemon.umlctl("stop", "--grace", "300ms", "web")
        self.assertEqual((done.returncode, done.stdout), (0, "web: stopped (it did not shut down; synced and halted)\n"))


class Cancelled(Case):
    def job(self, kind):
        [job] = [j for j in self.call("Job.List", active=True)["jobs"] if j["kind"] == kind]
        return job["id"]

    def state_of(self, job):
        return self.call("Job.Get", id=job)["job"]["state"]

    def test_a_start_that_is_cancelled_brings_the_guest_down_again(self):
        for name, fake, state in (("boot", "nosocket", "booting"), ("slow", "noready", "running")):
            with self.subTest(state=state):
                self.create(name, fake=fake)
                with self.client() as client:
                    client.send("Guest.Start", {"name": name})
                    self.wait(name, state)
                    job = self.job("guest.start")
                    self.assertTrue(self.call("Job.Cancel", id=job)["changed"])
                    with self.assertRaises(Error) as caught:
                        client.reply()
                    self.assertEqual(caught.exception.name, "Cancelled")
                run = self.wait(name, "stopped")
                self.assertEqual((run["want"], self.state_of(job)), ("down", "cancelled"))
                self.assertFalse(self.call("Job.Cancel", id=job)["changed"])

    def test_a_start_that_waits_for_another_guest_can_be_cancelled(self):
        self.create("db", fake="noready")
        self.create("web", depends=["db"])
        job = self.call("Guest.Start", name="web", wait="none")["job"]
        self.wait("db", "running")
        self.call("Job.Cancel", id=job)
        self.wait("web", "stopped")
        self.assertEqual((self.state_of(job), self.runtime("db")["state"]), ("cancelled", "running"))

    def test_a_stop_that_is_cancelled_in_time_leaves_the_guest_up(self):
        self.boot("web", fake="ignorecad")
        before = self.runtime("web")["pid"]
        with self.client() as client:
            client.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            job = self.job("guest.stop")
            self.call("Job.Cancel", id=job)
            with self.assertRaises(Error) as caught:
                client.reply()
            self.assertEqual(caught.exception.name, "Cancelled")
        run = self.runtime("web")
        self.assertEqual((run["state"], run["want"], run["pid"]), ("running", "up", before))
        self.assertEqual(self.state_of(job), "cancelled")
        self.assertEqual([e["data"]["result"] for e in self.events(types=["guest.stop-step"])], ["taken back"])
        # It can be stopped again, and one that goes down by itself after all is simply down.
        self.assertEqual(self.call("Guest.Stop", name="web", graceMs=100)["how"], "halted")

    def test_a_paused_guest_whose_stop_is_cancelled_can_be_used(self):
        self.boot("web", fake="ignorecad")
        self.call("Guest.Pause", name="web")
        with self.client() as client:
            client.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            self.call("Job.Cancel", id=self.job("guest.stop"))
            with self.assertRaises(Error):
                client.reply()
        self.call("Guest.Pause", name="web")
        self.call("Guest.Resume", name="web")

    def test_a_stop_beyond_its_first_rung_cannot_be_cancelled(self):
        self.set(halt_seconds=600)
        self.boot("web", fake="ignorecad,ignorehalt")
        with self.client() as client:
            client.send("Guest.Stop", {"name": "web", "graceMs": 100})
            harness.until(lambda: "halted" in (self.runtime("web").get("doing") or ""), what="the rung halt")
            error = self.fails("WrongState", "Job.Cancel", id=self.job("guest.stop"))
            self.assertIn("too late", error.message)
            self.call("Guest.Kill", name="web")
            self.assertEqual(client.reply()["parameters"]["how"], "killed")


if __name__ == "__main__":
    harness.main()
