"""The life of a guest, step by step, with the fake guest as kernel."""
import os
import signal
import threading
import unittest

import harness
from harness import Case, Error


class Basics(Case):
    def test_start_waits_until_ready_and_stop_until_it_is_down(self):
        reply = self.boot("web")
        self.assertEqual((reply["changed"], reply["state"], reply["ready"]), (True, "running", True))
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")
        run = self.runtime("web")
        self.assertEqual((run["state"], run["want"], run["exitStatus"]), ("stopped", "down", 0))
        self.assertIsNone(run.get("cause"))
        self.assertEqual(self.guest_directories(), [])

    def test_goals_that_hold_already_change_nothing(self):
        self.boot("web")
        self.assertFalse(self.call("Guest.Start", name="web")["changed"])
        self.call("Guest.Pause", name="web")
        self.assertFalse(self.call("Guest.Pause", name="web")["changed"])
        for method in ("Kill", "Stop"):
            self.call(f"Guest.{method}", name="web")
            self.assertFalse(self.call(f"Guest.{method}", name="web")["changed"], method)
        self.assertFalse(self.call("Guest.ResetFailed", name="web")["changed"])

    def test_a_kill_is_answered_even_if_a_start_follows_in_the_same_round(self):
        self.create("web", fake="exit=3:0", restart="onFailure")
        self.call("Guest.Start", name="web", wait="none")
        self.wait("web", "backoff")
        self.ask_in_one_round("Kill", "Start")

    def test_a_kill_behind_a_start_in_the_same_round_is_answered(self):
        for number in range(10):
            self.create(f"web{number}", fake="noready")
            self.ask_in_one_round("Start", "Kill", name=f"web{number}")

    def ask_in_one_round(self, *methods, name="web"):
        answers = {}

        def ask(method):
            answers[method] = self.call(f"Guest.{method}", name=name, **({"wait": "none"} if method == "Start" else {}))

        os.kill(self.daemon.process.pid, signal.SIGSTOP)
        threads = [threading.Thread(target=ask, args=(method,)) for method in methods]
        for thread in threads:
            thread.start()
        os.kill(self.daemon.process.pid, signal.SIGCONT)
        for thread in threads:
            thread.join(harness.LIMIT)
        self.assertEqual(sorted(answers), sorted(methods))

    def test_a_running_guest_tells_who_it_is(self):
        self.boot("web", "mem=64M")
        run = self.runtime("web")
        self.assertEqual((run["bootNumber"], run["ready"], run["want"]), (1, True, "up"))
        self.assertTrue(run["kernel"].endswith("fake_guest"))
        for key in ("startedAt", "kernelUpAt", "readyAt"):
            self.assertRegex(run[key], r"^\d{4}-\d\d-\d\dT")
        for key in ("pid", "monitorPid"):
            self.assertTrue(os.path.exists(f"/proc/{run[key]}"), key)

    def test_kill_ends_it_at_once(self):
        self.boot("web", fake="ignorecad,ignorehalt")
        self.assertEqual(self.call("Guest.Kill", name="web")["state"], "stopped")
        self.assertIsNone(self.runtime("web").get("cause"))

    def test_pause_and_resume(self):
        self.boot("web")
        self.assertEqual(self.call("Guest.Pause", name="web")["state"], "paused")
        self.assertEqual(self.fails("WrongState", "Guest.Start", name="web").hint, "resume it: umlctl resume web")
        self.assertEqual(self.fails("WrongState", "Guest.Reboot", name="web").hint,
                         "resume it first: umlctl resume web")
        self.assertEqual(self.call("Guest.Resume", name="web")["state"], "running")

    def test_a_paused_guest_is_resumed_to_be_stopped(self):
        self.boot("web")
        self.call("Guest.Pause", name="web")
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")
        self.assertEqual(self.runtime("web")["exitStatus"], 0)

    def test_reboot_keeps_the_process_and_raises_the_boot_number(self):
        self.boot("web")
        before = self.runtime("web")
        self.assertTrue(self.call("Guest.Reboot", name="web")["changed"])
        after = self.runtime("web")
        self.assertEqual((after["pid"], after["bootNumber"]), (before["pid"], 2))
        self.wait("web", "ready")

    def test_reboots_by_itself_are_counted_and_logged_apart(self):
        self.boot("web", fake="reboot=300:2")
        with self.client() as client:
            for event in client.stream("Server.Subscribe", {"since": 0, "types": ["guest.rebooted"], "follow": True}):
                if event["event"]["data"]["boot"] == "3":
                    break
        self.wait("web", "ready")
        # Where a new boot begins is known by its notification only, which may overtake its first lines.
        def whole():
            return "".join(self.log("web", boot=boot) for boot in (1, 2, 3))
        harness.until(lambda: "fake: boot 2 pid" in whole(), what="the last boot's first lines")
        for number in range(3):
            self.assertEqual(whole().count(f"fake: boot {number} pid"), 1)
        self.assertIn("fake: boot 0 pid", self.log("web", boot=1))

    def test_remove_is_refused_while_it_runs_and_force_kills_first(self):
        self.boot("web")
        error = self.fails("WrongState", "Guest.Remove", name="web")
        self.assertIn("umlctl stop web", error.hint)
        self.assertTrue(self.call("Guest.Remove", name="web", force=True)["changed"])
        self.fails("NotFound", "Guest.Get", name="web")
        self.assertFalse(os.path.exists(f"{self.daemon.state}/guests/web"))
        self.assertFalse(self.call("Guest.Remove", name="web")["changed"])

    def test_a_removed_guests_name_is_free_and_starts_anew(self):
        for _ in range(3):
            self.boot("web")
            self.call("Guest.Remove", name="web", force=True)
        self.boot("web")
        self.assertEqual(self.runtime("web")["bootNumber"], 1)

    def test_no_console_log_outlives_its_guest(self):
        self.boot("web")
        self.call("Guest.Stop", name="web")
        self.assertTrue(os.listdir(f"{self.daemon.state}/guests/web/log"))
        self.call("Guest.Remove", name="web")
        self.assertEqual(os.listdir(f"{self.daemon.state}/guests"), [])


class Ends(Case):
    def ended(self, fake, state, **fields):
        self.boot("web", fake=fake, wait="none", **fields)
        run = self.wait("web", state)
        return run

    def test_a_panic_is_failed_with_its_text(self):
        run = self.ended("panic=0", "failed")
        self.assertIn("fake panic", run["cause"])
        self.assertEqual(run["exitSignal"], signal.SIGABRT)
        self.assertEqual([e["data"]["text"] for e in self.events(types=["guest.panic"])], ["fake panic"])

    def test_a_power_off_is_stopped_and_not_wanted_any_more(self):
        run = self.ended("exit=0:0", "stopped")
        self.assertEqual((run["exitStatus"], run["want"], run.get("cause")), (0, "down", "powered off"))

    def test_an_exit_code_is_a_failure(self):
        run = self.ended("exit=3:0", "failed")
        self.assertEqual((run["exitStatus"], run["cause"]), (3, "exit status 3"))
        self.assertEqual(self.call("Guest.ResetFailed", name="web"), {"changed": True, "state": "stopped"})
        self.assertIsNone(self.runtime("web").get("cause"))

    def test_a_killed_main_process_is_reported_with_its_signal(self):
        self.boot("web")
        os.kill(self.runtime("web")["pid"], signal.SIGKILL)
        run = self.wait("web", "exit")
        self.assertEqual((run["state"], run["exitSignal"]), ("failed", signal.SIGKILL))

    def test_an_exit_is_an_event_before_the_life_is_over(self):
        self.boot("left", fake="exit=3:0", wait="none")
        self.boot("killed")
        os.kill(self.runtime("killed")["pid"], signal.SIGKILL)
        for name, how in (("left", {"status": "3"}), ("killed", {"signal": "9"})):
            self.wait(name, "failed")
            exited, ended = self.events(guest=name, types=["guest.exited", "guest.ended"])
            self.assertEqual((exited["type"], exited["data"]), ("guest.exited", {"boot": "1", **how}))
            self.assertEqual((ended["type"], ended["data"]["boot"]), ("guest.ended", "1"))

    def test_start_tells_at_once_that_the_guest_died(self):
        self.create("web", fake="noready,exit=3:0")
        error = self.fails("Crashed", "Guest.Start", name="web", timeoutMs=harness.LIMIT * 10000)
        self.assertIn("exit status 3", error.message)
        self.assertIn("umlctl logs web", error.hint)

    def test_on_failure_it_starts_again_and_gives_up_in_the_end(self):
        self.create("web", fake="exit=3:500", restart="onFailure")
        with self.assertRaises(Error):
            self.call("Guest.Start", name="web", wait="ready", timeoutMs=1)
        run = self.wait("web", "backoff")
        self.assertIn("exit status 3", run["cause"])
        run = self.wait("web", "running")
        self.assertGreaterEqual(run["restarts"], 1)
        self.assertEqual(run["bootNumber"], run["restarts"] + 1)

    def test_a_start_forgives_earlier_failures(self):
        self.create("web", fake="exit=3:0")
        for boot in range(1, 8):
            self.call("Guest.Start", name="web", wait="none")
            self.wait("web", "failed")
            self.assertEqual(self.runtime("web")["bootNumber"], boot)
        self.assertEqual(self.runtime("web")["restarts"], 0)

    def test_waiting_for_the_exit_sees_one_go_by(self):
        self.boot("web", restart="always", wait="ready")
        with self.client() as waiter:
            waiter.send("Guest.Wait", {"name": "web", "condition": "exit", "timeoutMs": 60000})
            os.kill(self.runtime("web")["pid"], signal.SIGKILL)
            self.assertEqual(waiter.reply()["parameters"]["guest"]["runtime"]["exitSignal"], signal.SIGKILL)

    def test_a_dead_monitor_ends_the_guest_and_is_reported(self):
        self.boot("web")
        run = self.runtime("web")
        os.kill(run["monitorPid"], signal.SIGKILL)
        after = self.wait("web", "exit")
        self.assertEqual((after["state"], after["cause"]), ("failed", "monitor died"))
        harness.until(lambda: not os.path.exists(f"/proc/{run['pid']}"), what="the end of the kernel")


class Waiting(Case):
    def test_ready_by_kernel_needs_no_notification(self):
        self.assertTrue(self.boot("web", fake="noready", ready="kernel")["ready"])

    def test_ready_by_console_needs_the_line(self):
        self.assertTrue(self.boot("web", fake="noready", ready="console", readyPattern="fake: argument .*")["ready"])

    def test_a_guest_that_never_gets_ready_times_out_and_goes_on(self):
        self.boot("web", fake="noready", wait="kernel")
        error = self.fails("Timeout", "Guest.Start", name="web", timeoutMs=300)
        self.assertIn("kernel up but not ready", error.message)
        self.assertEqual(self.runtime("web")["state"], "running")
        self.create("late", fake="noready")
        self.fails("Timeout", "Guest.Start", name="late", timeoutMs=300)
        jobs = self.call("Job.List")["jobs"]
        self.assertEqual((jobs[0]["kind"], jobs[0]["object"], jobs[0]["state"]), ("guest.start", "late", "failed"))
        self.wait("late", "running")

    def test_wait_kernel_does_not_wait_for_ready(self):
        self.assertFalse(self.boot("web", fake="noready", wait="kernel")["ready"])

    def test_a_kernel_that_never_comes_up_is_killed_in_time(self):
        self.set(boot_seconds=1)
        self.create("web", fake="nosocket")
        error = self.fails("Crashed", "Guest.Start", name="web", wait="kernel")
        self.assertIn("not ready in time", error.message)
        self.assertEqual(self.runtime("web")["exitSignal"], signal.SIGKILL)

    def test_progress_shows_each_state_once(self):
        self.create("web")
        with self.client() as client:
            states = [r["state"] for r in client.stream("Guest.Start", {"name": "web"})]
        self.assertEqual(states[-1], "running")
        self.assertIn("booting", states)
        changes = [s for i, s in enumerate(states[:-1]) if i and s == states[i - 1]]
        self.assertEqual(changes, [])

    def test_a_stop_answers_the_start_that_waits(self):
        self.create("web", fake="noready")
        with self.client() as client:
            client.send("Guest.Start", {"name": "web"})
            self.wait("web", "running")
            self.call("Guest.Stop", name="web")
            with self.assertRaises(Error) as caught:
                client.reply()
        self.assertEqual(caught.exception.name, "Cancelled")

    def test_a_start_during_the_stop_brings_it_up_again(self):
        self.boot("web", fake="slow=300")
        with self.client() as stopper:
            stopper.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            reply = self.call("Guest.Start", name="web")
            self.assertEqual((reply["changed"], reply["state"], reply["ready"]), (True, "running", True))
            self.assertIn("state", stopper.reply()["parameters"])
        run = self.runtime("web")
        self.assertEqual((run["bootNumber"], run["restarts"]), (2, 0))

    def test_a_removal_answers_everybody_who_waits(self):
        self.boot("web", fake="noready", wait="kernel")
        with self.client() as a, self.client() as b:
            a.send("Guest.Wait", {"name": "web", "condition": "ready"})
            b.send("Guest.Wait", {"name": "web", "condition": "backoff"})
            self.call("Guest.Remove", name="web", force=True)
            for client in (a, b):
                with self.assertRaises(Error) as caught:
                    client.reply()
                self.assertEqual(caught.exception.name, "Cancelled")

    @unittest.skipIf(harness.sanitized(), "memory sizes")
    def test_waiting_clients_that_leave_are_forgotten(self):
        self.boot("web", fake="noready", wait="kernel")
        for _ in range(20):
            self.forget_waits(100)
        before = self.daemon.memory_kib()
        for _ in range(40):
            self.forget_waits(100)
        self.assertLess(self.daemon.memory_kib() - before, 512)

    def forget_waits(self, count):
        clients = []
        for _ in range(min(count, 30)):
            client = self.daemon.client()
            client.send("Guest.Wait", {"name": "web", "condition": "ready", "timeoutMs": 3600000})
            clients.append(client)
        self.call("Server.Ping")
        for client in clients:
            client.close()
        self.call("Server.Ping")

    def test_a_condition_that_is_no_state_is_refused(self):
        self.create("web")
        error = self.fails("InvalidValue", "Guest.Wait", name="web", condition="happy")
        self.assertIn("happy", error.message)
        self.assertIn("ready", error.hint)

    def test_many_guests_start_at_once(self):
        names = [f"g{i}" for i in range(12)]
        for name in names:
            self.create(name)
        failures = []

        def start(name):
            try:
                self.call("Guest.Start", name=name)
            except Error as error:
                failures.append(error)
        threads = [threading.Thread(target=start, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(failures, [])
        self.assertEqual(self.call("Server.Status")["running"], len(names))


if __name__ == "__main__":
    harness.main()
