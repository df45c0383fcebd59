"""Guests that end, fail or change while umld is dead: reported as if it had been there."""
import calendar
import os
import time

import world
from world import Case, Gone, alive, until


class Ends(Case):
    def while_dead(self, name, line):
        """Kill umld, type line, wait until the guest's monitor is gone, start umld again. Its exit record."""
        monitor = self.w.runtime(name)["monitorPid"]
        type_line = self.w.typist(name)
        self.w.kill()
        type_line(line)
        until(lambda: not alive(monitor), what="the end of the guest")
        with open(f"{self.w.state}/guests/{name}/exit", encoding="utf-8") as file:
            record = dict(fact.rstrip("\n").split("=", 1) for fact in file)
        self.w.start()
        return record

    def test_the_exit_status_and_the_time_are_the_true_ones(self):
        self.w.boot("web")
        record = self.while_dead("web", b"exit 3")
        run = self.w.settled()["web"]
        self.assertEqual((run["state"], run["exitStatus"], run["cause"]), ("failed", 3, "exit status 3"))
        told = calendar.timegm(time.strptime(run["exitedAt"][:19], "%Y-%m-%dT%H:%M:%S"))
        self.assertEqual(told, int(record["exit_wall_ns"]) // 10**9)
        self.assertEqual([e["type"] for e in self.w.events(guest="web")].count("guest.failed"), 1)
        self.check_reality()

    def test_a_clean_end_is_a_stop(self):
        self.w.boot("web")
        self.while_dead("web", b"exit 0")
        run = self.w.settled()["web"]
        self.assertEqual((run["state"], run["want"], run["exitStatus"]), ("stopped", "down", 0))

    def test_a_panic_is_told_with_its_text(self):
        self.w.boot("web")
        self.while_dead("web", b"panic")
        run = self.w.settled()["web"]
        self.assertEqual((run["state"], run["cause"]), ("failed", "kernel panic: Attempted to kill init!"))

    def test_a_panic_whose_kill_was_cut_off_is_still_a_panic(self):
        for number, (restart, state, point) in enumerate((
                ("never", "failed", "enter:killing"), ("never", "failed", "enter:releasing"),
                ("always", "running", "enter:killing"), ("always", "running", "enter:releasing"))):
            with self.subTest(restart=restart, point=point):
                name = f"g{number}"
                self.w.create(name, "panic=300", restart=restart)
                self.w.arm(point)
                with self.w.send_only("Guest.Start", name=name):
                    self.w.died()
                self.w.start()
                run = self.w.wait(name, state)
                self.assertEqual(run["want"], "up" if restart == "always" else "down")
                if state == "failed":
                    self.assertEqual(run["cause"], "kernel panic: fake panic")
                else:
                    self.w.call("Guest.Kill", name=name)

    def test_the_restart_policy_is_applied(self):
        self.w.boot("web", restart="onFailure")
        self.while_dead("web", b"exit 3")
        run = self.w.wait("web", "running")
        self.assertGreaterEqual(run["bootNumber"], 2)
        self.assertGreaterEqual(run["restarts"], 1)

    def test_a_restart_that_was_due_is_made(self):
        self.w.create("web", "exit=3:100", restart="always")
        self.w.call("Guest.Start", name="web", wait="none")
        self.w.wait("web", "backoff")
        self.w.restart()
        self.assertEqual(self.w.wait("web", "running")["want"], "up")

    def test_each_step_of_reporting_an_end_may_be_the_last(self):
        for number, point in enumerate(("enter:releasing", "stored:releasing", "done:releasing", "enter:failed",
                                        "stored:failed", "done:failed")):
            with self.subTest(point=point):
                name = f"g{number}"
                self.w.boot(name)
                type_line = self.w.typist(name)
                self.w.arm(point)
                type_line(b"exit 3")
                self.w.died()
                self.w.start()
                run = self.w.settled()[name]
                self.assertEqual((run["state"], run["exitStatus"], run["cause"]), ("failed", 3, "exit status 3"))
                told = [e["type"] for e in self.w.events(guest=name)].count("guest.failed")
                self.assertEqual(told, 1)
                self.assertFalse(os.path.exists(f"{self.w.state}/guests/{name}/exit"))

    def test_what_is_stored_is_news_before_anything_is_done_about_it(self):
        self.w.boot("web")
        type_line = self.w.typist("web")
        with self.w.connect() as reader:
            reader.send("Server.Subscribe", {"since": 0, "follow": True, "guest": "web", "types": ["guest.state"]},
                        more=True)
            self.w.arm("stored:releasing")
            type_line(b"exit 3")
            states = []
            try:
                while True:
                    states.append(reader.receive()["parameters"]["event"]["data"]["to"])
            except Gone:
                pass
        self.w.died()
        self.assertEqual(states[-1], "releasing")
        self.w.start()
        self.assertEqual([e["data"]["to"] for e in self.w.events(guest="web", types=["guest.state"])][:len(states)],
                         states)

    def test_a_reboot_in_place_is_noticed(self):
        before = self.w.boot("web")
        self.w.call("Guest.Pause", name="web")
        self.w.call("Guest.Resume", name="web")
        type_line = self.w.typist("web")
        self.w.kill()
        type_line(b"reboot")
        until(lambda: any(".2." in f for f in os.listdir(f"{self.w.state}/guests/web/log")), what="boot 2")
        self.w.start()
        run = self.w.wait("web", "ready")
        self.assertEqual((run["pid"], run["bootNumber"]), (before["pid"], 2))
        self.assertIn("guest.rebooted", [e["type"] for e in self.w.events(guest="web")])
        self.check_reality()

    def test_pause_stays_true_and_output_whole_for_one_that_writes_on(self):
        before = self.w.boot("web", "outputforever=2")
        with self.w.attach("web", back=-1) as console:
            text = b""
            for _ in range(3):
                end = time.monotonic() + 0.2
                self.w.kill()
                while time.monotonic() < end:
                    text += console.take()
                self.w.start()
            seen = len(text)
            while len(text) < seen + 640:
                text += console.take()
        self.assertIsNone(world.numbered_gap(text.decode()))
        self.assertGreater(text.count(b"\n"), 50)
        self.assertIsNone(world.numbered_gap(self.w.console("web")))
        self.assertEqual(self.w.settled()["web"]["pid"], before["pid"])

    def test_sigterm_and_shutdown_leave_guests_alone(self):
        before = self.w.boot("web")
        self.assertEqual(self.w.terminate(), 0)
        self.assertTrue(alive(before["pid"]))
        self.w.start()
        self.assertEqual(self.w.settled()["web"]["pid"], before["pid"])
        try:
            self.w.call("Server.Shutdown")
        except world.Gone:
            pass
        self.assertEqual(self.w.process.wait(world.LIMIT), 0)
        self.assertTrue(alive(before["pid"]))
        self.w.start()
        after = self.w.settled()["web"]
        self.assertEqual((after["state"], after["ready"], after["pid"], after["monitorPid"]),
                         ("running", True, before["pid"], before["monitorPid"]))
        self.check_reality()

    def test_sigterm_in_the_middle_of_verbs_is_clean(self):
        self.w.call("Server.Set", name="stop-seconds", value="1")
        self.w.boot("stops", "ignorecad")
        self.w.boot("asks", "slow=1000", wait="kernel")
        self.w.create("starts", "noready")
        calls = [self.w.send_only("Guest.Stop", name="stops"), self.w.send_only("Guest.Start", name="starts"),
                 self.w.send_only("Guest.Pause", name="asks"),
                 self.w.send_only("Guest.Mconsole", name="asks", command="version")]
        self.w.wait("starts", "running")
        self.assertEqual(self.w.terminate(), 0)
        for call in calls:
            call.socket.close()
        self.w.start()
        self.assertEqual(self.w.wait("stops", "exit")["state"], "stopped")
        self.assertEqual(self.w.wait("asks", "paused")["state"], "paused")
        start, = self.w.call("Job.List", active=True)["jobs"]  # it goes on until the guest is ready
        self.w.call("Console.Send", name="starts", data="notify READY=1\n")
        self.assertEqual(self.w.call("Job.Wait", id=start["id"])["job"]["state"], "done")


if __name__ == "__main__":
    world.main()
