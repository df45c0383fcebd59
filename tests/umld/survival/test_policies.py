"""umld dies while a policy is at work: delays, counts, the order of starts, the ladder, the host's shutdown."""
import time

import world
from world import Case, until

FAILS = "noready,exit=3:0"


class Backoff(Case):
    def test_what_is_left_of_the_delay_and_the_count_outlive_the_daemon(self):
        w = self.w
        w.create("web", FAILS, restart="always")
        w.send_only("Guest.Start", name="web", wait="none")
        until(lambda: w.runtime("web").get("failures") == 4, 60, "four failures")  # the next start in 8 s
        before = w.runtime("web")
        self.assertEqual(before["state"], "backoff")
        w.restart()
        after = w.runtime("web")
        self.assertEqual((after["state"], after["failures"], after["cause"]), ("backoff", 4, "exit status 3"))
        # RFC 3339 with as many digits as there are: compared as text.
        self.assertLessEqual(after["nextStartAt"], before["nextStartAt"][:19] + "Z" * 9)
        self.assertEqual(after["nextStartAt"][:18], before["nextStartAt"][:18])
        begun = time.monotonic()
        run = w.wait("web", "failed")
        self.assertLess(time.monotonic() - begun, 20)
        self.assertEqual((run["failures"], run["bootNumber"]), (5, 5))

    def test_a_start_cut_off_while_it_prepares_is_no_pardon(self):
        w = self.w
        w.create("web", FAILS, restart="always")
        w.send_only("Guest.Start", name="web", wait="none")
        until(lambda: w.runtime("web").get("failures") == 2, 60, "two failures")
        w.arm("stored:preparing")
        w.died()
        w.start()
        until(lambda: w.runtime("web").get("failures") == 3, 60, "the third failure")
        w.call("Guest.Stop", name="web")


class Order(Case):
    def test_one_that_waits_goes_on_waiting(self):
        w = self.w
        w.create("db", "noready")
        w.create("web", depends=["db"])
        w.send_only("Guest.Start", name="web", wait="none")
        w.wait("db", "running")
        w.restart()
        until(lambda: "waits for db" in (w.runtime("web").get("doing") or ""), what="the wait")
        w.call("Console.Send", name="db", data="notify READY=1\n")
        self.assertTrue(w.wait("web", "ready")["ready"])
        self.assertEqual(w.runtime("db")["bootNumber"], 1)

    def test_autostart_comes_with_the_host_in_order_and_not_with_the_daemon(self):
        w = self.w
        w.create("db")
        w.create("web", autostart=True, depends=["db"])
        w.create("idle")
        w.restart()
        self.assertEqual({r["state"] for r in w.guests().values()}, {"stopped"})
        w.kill()
        w.change("UPDATE guest SET host_boot = 'earlier'")
        w.start()
        w.wait("web", "ready")
        ready = [e["object"] for e in w.events(types=["guest.ready"])]
        self.assertEqual(ready, ["db", "web"])
        self.assertEqual(w.runtime("idle")["state"], "stopped")

    def test_the_hosts_start_forgives_what_failed_before(self):
        w = self.w
        w.create("db", FAILS)
        w.create("web", autostart=True, depends=["db"])
        w.send_only("Guest.Start", name="web", wait="none")
        w.wait("web", "failed")
        w.kill()
        w.change("UPDATE guest SET host_boot = 'earlier'")
        w.start()
        until(lambda: w.runtime("db")["bootNumber"] == 2, what="another try")
        w.wait("web", "failed")


class Ladder(Case):
    def rungs(self):
        return [(e["data"]["rung"], e["data"]["result"]) for e in self.w.events(types=["guest.stop-step"])]

    def test_the_next_daemon_goes_on_where_the_last_one_was(self):
        w = self.w
        w.call("Server.Set", name="stop-seconds", value="600")
        w.call("Server.Set", name="halt-seconds", value="600")
        w.boot("web", "ignorecad,ignorehalt")
        w.arm("halt")
        with w.send_only("Guest.Stop", name="web", graceMs=200):
            w.died()
        w.start()
        until(lambda: "halted" in (w.runtime("web").get("doing") or ""), what="the rung halt")
        self.assertEqual(self.rungs(), [("cad", "timeout"), ("sync", "done"), ("remount", "done")])
        w.call("Guest.Kill", name="web")
        self.assertEqual(self.rungs()[3:], [("halt", "cut short"), ("kill", "down")])

    def test_the_time_a_rung_has_left_is_kept(self):
        w = self.w
        w.call("Server.Set", name="stop-seconds", value="600")
        w.boot("web", "ignorecad")
        begun = time.monotonic()
        w.send_only("Guest.Stop", name="web", graceMs=4000).socket.close()
        w.wait("web", "stopping")
        w.restart()
        w.wait("web", "exit")
        self.assertGreaterEqual(time.monotonic() - begun, 3.9)
        self.assertLess(time.monotonic() - begun, 60)
        self.assertEqual([rung for rung, _ in self.rungs()], ["cad", "sync", "remount", "halt"])
        [cad] = [e["data"] for e in w.events(types=["guest.stop-step"]) if e["data"]["rung"] == "cad"]
        self.assertGreaterEqual(int(cad["ms"]), 3900)

    def test_one_that_rebooted_while_nobody_looked_is_halted_at_once(self):
        w = self.w
        w.call("Server.Set", name="stop-seconds", value="600")
        w.boot("web", "ignorecad,reboot=3000:1")
        w.send_only("Guest.Stop", name="web").socket.close()
        w.wait("web", "stopping")
        w.kill()
        until(lambda: "fake: boot 1 pid" in self.console_file(), what="the reboot")
        w.start()
        w.wait("web", "exit")
        self.assertEqual(self.rungs(), [("cad", "rebooted"), ("halt", "down")])

    def console_file(self):
        text = ""
        for name in sorted(world.os.listdir(self.w.state + "/guests/web/log")):
            with open(f"{self.w.state}/guests/web/log/{name}", encoding="utf-8", errors="replace") as file:
                text += file.read()
        return text


class Shutdown(Case):
    def cut_off(self, points, fake, budget):
        w = self.w
        w.call("Server.Set", name="sync-seconds", value="1")
        w.create("db", fake)
        w.create("web", depends=["db"])
        for point in points:
            with self.subTest(point=point):
                w.call("Guest.Start", name="web")
                w.arm(point)
                with w.send_only("Server.Shutdown", guests="stop", budgetMs=budget):
                    w.died()
                w.start()
                for name in ("db", "web"):
                    self.assertEqual(w.wait(name, "ready")["want"], "up", name)
                self.assertEqual(w.call("Job.List", active=True)["jobs"], [])
                w.settled()
                self.check_reality()

    def test_a_shutdown_cut_off_anywhere_is_taken_back_by_the_next_daemon(self):
        self.cut_off(["stored:stopping", "done:stopping", "enter:releasing", "done:releasing", "stored:stopped",
                      "sysrq s", "halt"], "ignorecad", 6000)

    def test_a_shutdown_cut_off_while_it_kills_is_taken_back_too(self):
        self.cut_off(["stored:killing", "done:killing"], "ignorecad,ignorehalt", 1000)


if __name__ == "__main__":
    world.main()
