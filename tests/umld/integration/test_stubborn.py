"""Guests that are slow, silent, lie, flood or will not go: the daemon keeps its word all the same."""
import select
import signal
import time

import harness
from harness import Case, Error


class Ladder(Case):
    def prepare_stop(self, fake):
        self.set(stop_seconds=1)
        self.boot("web", fake=fake)

    def test_one_that_ignores_ctrl_alt_del_is_halted(self):
        self.prepare_stop("ignorecad")
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")
        self.assertEqual(self.runtime("web")["exitStatus"], 0)

    def test_one_that_reboots_on_ctrl_alt_del_is_halted_when_it_is_up_again(self):
        self.prepare_stop("cadreboot")
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")
        self.assertEqual(self.runtime("web")["exitStatus"], 0)

    def test_one_that_ignores_everything_is_killed(self):
        self.prepare_stop("ignorecad,ignorehalt")
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")
        self.assertEqual(self.runtime("web")["exitSignal"], signal.SIGKILL)

    def test_one_that_answers_nothing_is_killed_in_time(self):
        self.prepare_stop("silent")
        begun = time.monotonic()
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")
        self.assertLess(time.monotonic() - begun, 60)  # the rungs' limits are 16 s
        self.assertEqual(self.runtime("web")["exitSignal"], signal.SIGKILL)

    def test_stop_by_force_does_not_climb(self):
        self.prepare_stop("silent")
        self.set(stop_seconds=harness.LIMIT)
        self.call("Guest.Stop", name="web", force=True)
        self.assertNotIn("stop: cad", self.daemon.log_text())

    def test_a_kill_overtakes_a_stop(self):
        self.prepare_stop("silent")
        with self.client() as stopper:
            stopper.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            self.assertEqual(self.call("Guest.Kill", name="web")["state"], "stopped")
            self.assertEqual(stopper.reply()["parameters"]["state"], "stopped")

    def test_a_stop_that_takes_too_long_is_told_and_goes_on(self):
        self.prepare_stop("ignorecad,slow=100")
        error = self.fails("Timeout", "Guest.Stop", name="web", timeoutMs=100)
        self.assertIn("stopping", error.message)
        self.wait("web", "stopped")
        jobs = [job for job in self.call("Job.List")["jobs"] if job["kind"] == "guest.stop"]
        self.assertEqual(jobs[0]["state"], "failed")


class Answers(Case):
    def test_a_silent_guest_refuses_to_pause_in_time_and_stays_running(self):
        self.boot("web", fake="silent")
        self.fails("GuestUnresponsive", "Guest.Pause", name="web")
        self.assertEqual(self.runtime("web")["state"], "running")

    def test_a_silent_guest_refuses_to_reboot_before_the_time_limit(self):
        self.boot("web", fake="silent")
        self.fails("GuestUnresponsive", "Guest.Reboot", name="web", timeoutMs=harness.LIMIT * 10000)

    def test_a_pause_that_is_obeyed_too_late_is_undone(self):
        self.boot("web", fake="late=10000")
        self.fails("GuestUnresponsive", "Guest.Pause", name="web")
        reply = harness.until(self.answers_version, what="an answer")
        self.assertEqual(reply["status"], 0)
        self.assertEqual(self.runtime("web")["state"], "running")
        self.assertEqual(self.call("Guest.Pause", name="web")["changed"], True)
        self.assertEqual(self.call("Guest.Resume", name="web")["changed"], True)

    def answers_version(self):
        try:
            return self.call("Guest.Mconsole", name="web", command="version")
        except Error:
            return None

    def test_slow_answers_are_waited_for(self):
        self.boot("web", fake="slow=500")
        self.assertIn("Linux", self.call("Guest.Mconsole", name="web", command="version")["text"])
        self.assertEqual(self.call("Guest.Pause", name="web")["state"], "paused")

    def test_an_answer_after_the_limit_is_unresponsive_and_never_given_to_another(self):
        self.boot("web", fake="late=4000")
        self.fails("GuestUnresponsive", "Guest.Mconsole", name="web", command="log hello", timeoutMs=200)
        reply = self.call("Guest.Mconsole", name="web", command="version", timeoutMs=60000)
        self.assertIn("Linux", reply["text"])

    def test_a_reply_that_is_none_is_no_answer(self):
        self.boot("web", fake="badreply")
        error = self.fails("GuestError", "Guest.Mconsole", name="web", command="version", timeoutMs=60000)
        self.assertIn("malformed", error.message)
        self.assertEqual(self.runtime("web")["state"], "running")

    def test_one_that_dies_in_mid_reply_is_failed_and_the_caller_told(self):
        self.boot("web", fake="diemidreply")
        with self.assertRaises(Error) as caught:
            self.call("Guest.Mconsole", name="web", command="version")
        self.assertIn(caught.exception.name, ("NotRunning", "GuestUnresponsive", "Cancelled", "Crashed"))
        self.assertEqual(self.wait("web", "failed")["exitSignal"], signal.SIGKILL)

    def test_a_frozen_guest_does_not_delay_others(self):
        self.boot("ice", fake="frozen")
        self.boot("web")
        with self.client() as stuck:
            stuck.send("Guest.Mconsole", {"name": "ice", "command": "version", "timeoutMs": 60000})
            self.call("Guest.Pause", name="web")
            self.call("Guest.Resume", name="web")
            self.assertEqual(select.select([stuck.socket], [], [], 0)[0], [], "was answered before")
            self.call("Guest.Kill", name="ice")
            with self.assertRaises(Error):
                stuck.reply()
        self.boot("cold", fake="frozen")
        self.fails("GuestUnresponsive", "Guest.Mconsole", name="cold", command="version", timeoutMs=1000)

    def test_a_question_does_not_hold_up_a_halt(self):
        self.boot("web")
        with self.client() as asker:
            asker.send("Guest.Mconsole", {"name": "web", "command": "proc kallsyms"})
            self.call("Guest.Stop", name="web")

    def test_long_answers_come_whole(self):
        self.boot("web")
        text = self.call("Guest.Mconsole", name="web", command="proc kallsyms")["text"]
        self.assertGreaterEqual(len(text), 6200)

    def test_the_guests_own_refusal_is_an_answer(self):
        self.boot("web")
        reply = self.call("Guest.Mconsole", name="web", command="config eth9")
        self.assertNotEqual((reply["status"], reply["text"]), (0, ""))

    def test_wrong_mconsole_commands_never_reach_the_guest(self):
        self.boot("web")
        for command in ("haltfoo", "frobnicate", "version now", "stack", "sysrq t"):
            with self.subTest(command=command):
                self.assertTrue(self.fails("InvalidValue", "Guest.Mconsole", name="web", command=command).hint)
        self.assertEqual(self.runtime("web")["state"], "running")

    def test_mconsole_needs_a_running_guest(self):
        self.create("web")
        self.fails("NotRunning", "Guest.Mconsole", name="web", command="version")


class Floods(Case):
    def test_a_flood_of_notifications_is_cut_and_what_is_missing_is_told(self):
        self.boot("web", fake="flood=2000")
        told = lost = 0
        with self.client() as client:
            query = {"since": 0, "types": ["guest.notify", "guest.notify-lost"], "guest": "web", "follow": True}
            for reply in client.stream("Server.Subscribe", query):
                data = reply["event"]["data"]
                told += "text" in data
                lost += int(data.get("count", 0))
                if told + lost == 2000:
                    break
        self.assertGreaterEqual(told, 100)

    def test_a_flooding_guest_leaves_others_their_turn(self):
        self.boot("loud", fake="flood=20000", wait="none")
        self.boot("web")
        self.assertEqual(self.call("Guest.Kill", name="loud")["state"], "stopped")

    def test_status_text_is_shown(self):
        self.boot("web")
        self.call("Console.Send", name="web", data="notify STATUS=warming up\n")
        harness.until(lambda: self.runtime("web").get("status") == "warming up", what="the status text")

    def test_a_guest_that_burns_its_cpu_can_be_stopped(self):
        self.boot("web", fake="hog")
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")


if __name__ == "__main__":
    harness.main()
