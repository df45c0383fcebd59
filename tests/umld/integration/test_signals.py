"""What guests say about themselves: states, events, metrics, wishes; what is too much, malformed or forged."""
import harness
from harness import Case


class Speaker(Case):
    """Speaks through a guest."""

    def say(self, *lines, name="web", command="notify"):
        """One write of these lines, and a second one whose arrival shows that the first was taken."""
        self.type(name, f"{command} " + "\\n".join(lines))
        self.done(name)

    def type(self, name, line):
        self.call("Console.Send", name=name, data=line + "\n")

    def done(self, name="web"):
        self.count = getattr(self, "count", 0) + 1
        mark = f"mark {self.count}"
        self.type(name, "notify " + mark)
        harness.until(lambda: any(e["data"]["text"].endswith(mark) for e in self.events(types=["guest.notify"], guest=name)),
                      what=mark)

    def told(self, kind, name="web"):
        return [event["data"] for event in self.events(types=[kind], guest=name)]

    def console(self, name="web"):
        """One that outlives the daemon."""
        console = self.client()
        console.upgrade("Console.Attach", {"name": name})
        return console

    def say_to_nobody(self, console, line):
        """While the daemon is away; the echo shows that it was sent."""
        console.send_raw(f"notify {line}\n".encode())
        console.read_until(f"fake: notify {line}\n".encode())


class Signals(Speaker):
    def test_several_lines_of_one_write_each_have_their_effect(self):
        self.boot("web")
        self.say("STATUS=serving", "HEALTH=failing disk full", "METRIC requests 12", "METRIC load 0.5", "other words", "more")
        now = self.runtime("web")
        self.assertEqual((now["status"], now["health"], now["healthText"]), ("serving", "failing", "disk full"))
        self.assertEqual(now["metrics"], {"requests": 12, "load": 0.5})
        self.assertEqual((now["notifyBad"], now["notifyDropped"]), (0, 0))
        self.assertEqual(self.told("guest.status"), [{"boot": "1", "text": "serving"}])
        self.assertEqual(self.told("guest.health"), [{"boot": "1", "health": "failing", "text": "disk full"}])
        self.assertEqual(self.told("guest.notify")[0], {"text": "other words\nmore"})

    def test_only_changes_are_told_and_ok_ends_failing(self):
        self.boot("web")
        for line in ("HEALTH=ok", "HEALTH=ok", "HEALTH=failing a", "HEALTH=failing a", "HEALTH=failing b", "HEALTH=ok"):
            self.say(line)
        self.assertEqual([(e["health"], e["text"]) for e in self.told("guest.health")],
                         [("ok", ""), ("failing", "a"), ("failing", "b"), ("ok", "")])
        now = self.runtime("web")
        self.assertEqual((now["health"], now.get("healthText")), ("ok", None))

    def test_bad_lines_are_counted_and_the_first_is_told(self):
        self.boot("web")
        self.say("HEALTH=sick", "METRIC 9 1", "METRIC x inf", "WANT=coffee", "READY=2", "METRIC good 1")
        now = self.runtime("web")
        self.assertEqual((now["notifyBad"], now["metrics"]), (5, {"good": 1}))
        self.assertNotIn("health", now)
        bad = self.told("guest.signal-bad")
        self.assertEqual([b["text"] for b in bad], ["HEALTH=sick"])
        self.assertIn("ok or failing", bad[0]["problem"])

    def test_a_guest_has_64_metrics_and_may_go_on_changing_them(self):
        self.boot("web")
        for first in range(0, 70, 10):
            self.say(*(f"METRIC m{i} {i}" for i in range(first, first + 10)))
        self.say("METRIC m0 -1")
        now = self.runtime("web")
        self.assertEqual(len(now["metrics"]), 64)
        self.assertEqual((now["metrics"]["m0"], now["metrics"]["m63"]), (-1, 63))
        self.assertEqual(now["notifyBad"], 6)
        self.assertIn("64", self.told("guest.signal-bad")[0]["problem"])

    def test_what_the_kernel_cut_off_is_not_believed(self):
        self.boot("web")
        self.say("METRIC whole 1", "STATUS=" + "s" * 470, "METRIC cut 123456789")  # the last is longer than what fits
        now = self.runtime("web")
        self.assertEqual(now["metrics"], {"whole": 1})
        self.assertEqual(now["status"], "s" * 470)
        self.assertEqual(now["notifyBad"], 1)
        self.assertIn("512", self.told("guest.signal-bad")[0]["problem"])

    def test_text_is_utf8_without_control_characters(self):
        self.boot("web")
        self.type("web", "notify STATUS=gr\u00fcn \u2713 \x1b[31m\x07")
        self.done()
        self.assertEqual(self.runtime("web")["status"], "gr\u00fcn \u2713 ?[31m?")

    def test_only_main_speaks(self):
        self.boot("web")
        self.say("HEALTH=failing forged", command="forge")
        now = self.runtime("web")
        self.assertNotIn("health", now)
        harness.until(lambda: self.runtime("web")["notifyDropped"] == 1, what="the forgery counted")

    def test_a_reboot_in_place_and_a_new_start_forget_what_was_said(self):
        self.boot("web")
        said = ("STATUS=old", "HEALTH=failing", "METRIC x 1", "METRIC 9 bad")
        for again in (lambda: self.call("Guest.Reboot", name="web"),
                      lambda: (self.call("Guest.Stop", name="web"), self.call("Guest.Start", name="web"))):
            self.say(*said)
            self.assertEqual(self.runtime("web")["health"], "failing")
            again()
            self.wait("web", "ready")
            now = self.runtime("web")
            for key in ("status", "health", "healthText", "metrics"):
                self.assertNotIn(key, now)
            self.assertEqual(now["notifyBad"], 0)

    def test_a_killed_daemon_knows_it_all_again_and_announces_what_it_missed(self):
        self.boot("web")
        self.say("STATUS=before", "HEALTH=failing before", "METRIC x 1")
        self.daemon.kill()
        self.daemon.start()
        self.wait("web", "running")
        harness.until(lambda: self.runtime("web").get("metrics"), what="what was kept")
        now = self.runtime("web")
        self.assertEqual((now["status"], now["health"], now["healthText"], now["metrics"]),
                         ("before", "failing", "before", {"x": 1}))
        self.assertEqual(len(self.told("guest.health")), 1)  # nothing changed, nothing is told

    def test_what_is_said_while_the_daemon_is_away_is_not_lost(self):
        self.boot("web")
        self.say("HEALTH=ok")
        console = self.console()
        self.daemon.kill()
        self.say_to_nobody(console, "HEALTH=failing later\\nMETRIC late 7\\nSTATUS=said to nobody")
        self.daemon.start()
        harness.until(lambda: self.runtime("web").get("health") == "failing", what="what was kept")
        now = self.runtime("web")
        self.assertEqual((now["healthText"], now["metrics"], now["status"]), ("later", {"late": 7}, "said to nobody"))
        self.assertEqual([e["health"] for e in self.told("guest.health")], ["ok", "failing"])

    def test_a_flood_of_health_ends_in_what_holds(self):
        self.boot("web", fake="flood=3000")
        self.type("web", "notify HEALTH=failing in the end")
        harness.until(lambda: self.runtime("web").get("health") == "failing", what="the last word")
        harness.until(lambda: [e["text"] for e in self.told("guest.health")] == ["in the end"], what="its event")


class Wishes(Speaker):
    def test_a_wish_to_halt_is_an_orderly_stop(self):
        self.boot("web", restart="always")
        self.type("web", "notify WANT=halt")
        now = self.wait("web", "stopped")
        self.assertEqual((now["state"], now["want"], now["exitStatus"]), ("stopped", "down", 0))
        self.assertEqual(self.told("guest.want"), [{"boot": "1", "want": "halt"}])
        self.assertEqual([(e["why"], e["text"]) for e in self.told("guest.state") if e["to"] == "stopping"],
                         [("M_WANT_HALT", "it asked to be halted")])

    def test_a_wish_to_reboot_is_done_in_place(self):
        self.boot("web")
        main = self.runtime("web")["pid"]
        self.type("web", "notify WANT=reboot")
        harness.until(lambda: self.runtime("web")["bootNumber"] == 2, what="the reboot")
        now = self.wait("web", "ready")
        self.assertEqual((now["pid"], now["state"]), (main, "running"))
        self.assertEqual(self.told("guest.want"), [{"boot": "1", "want": "reboot"}])

    def test_wishes_are_braked_and_the_last_is_followed_in_the_end(self):
        self.boot("web")
        self.type("web", "notify WANT=reboot")
        harness.until(lambda: self.runtime("web")["bootNumber"] == 2, what="the reboot")
        self.wait("web", "ready")
        for _ in range(20):
            self.type("web", "notify WANT=reboot")
        self.done()
        self.assertEqual(len(self.told("guest.want")), 1)
        harness.until(lambda: len(self.told("guest.want")) == 2, 30, "the second wish")
        harness.until(lambda: self.runtime("web")["bootNumber"] == 3, what="the second reboot")

    def test_while_stopping_a_wish_changes_nothing(self):
        self.set(stop_seconds=60)
        self.boot("web", fake="ignorecad")
        with self.client() as stopper, self.client() as starter:
            stopper.send("Guest.Stop", {"name": "web"})
            self.wait("web", "stopping")
            starter.send("Guest.Start", {"name": "web"})  # its owner wants it again afterwards
            self.say("WANT=halt")
            self.assertEqual(self.told("guest.want"), [])
            self.call("Guest.Mconsole", name="web", command="halt")
            self.assertEqual(starter.reply()["parameters"]["state"], "running")

    def test_a_wish_nobody_heard_is_followed_when_umld_is_back(self):
        self.boot("web")
        console = self.console()
        self.daemon.kill()
        self.say_to_nobody(console, "WANT=halt")
        self.daemon.start()
        self.assertEqual(self.wait("web", "stopped")["want"], "down")
        self.assertEqual(len(self.told("guest.want")), 1)


class Metrics(Speaker):
    def metrics(self, *guests):
        reply = self.daemon.umlctl("metrics", *guests)
        self.assertEqual(reply.returncode, 0, reply.stderr)
        return reply.stdout

    def value(self, text, sample):
        for line in text.splitlines():
            if line.rpartition(" ")[0] == sample:
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no {sample} in\n{text}")

    def test_umlds_own_and_the_guests_metrics_in_the_text_format(self):
        self.boot("web")
        self.boot("db", fake="noready", wait="kernel")
        self.create("idle")
        self.say("METRIC requests 12", "METRIC ratio 0.1", "HEALTH=ok")
        self.say("METRIC requests 7", "HEALTH=failing", name="db")
        text = self.metrics()
        for sample, expected in (('umld_guests{state="running"}', 2), ('umld_guests{state="stopped"}', 1),
                                 ('umld_guests{state="failed"}', 0), ('guest_requests{guest="web"}', 12),
                                 ('guest_requests{guest="db"}', 7), ('guest_ratio{guest="web"}', 0.1),
                                 ('umld_guest_ready{guest="web"}', 1), ('umld_guest_ready{guest="db"}', 0),
                                 ('umld_guest_health{guest="web"}', 1), ('umld_guest_health{guest="db"}', 0),
                                 ('umld_guest_boot_number{guest="web"}', 1), ('umld_guest_boot_number{guest="idle"}', 0),
                                 ('umld_guest_restarts_total{guest="db"}', 0), ('umld_guest_responsive{guest="web"}', 1),
                                 ('umld_guest_notify_dropped_total{guest="web"}', 0)):
            self.assertEqual(self.value(text, sample), expected, sample)
        self.assertGreaterEqual(self.value(text, 'umld_guest_uptime_seconds{guest="web"}'), 0)
        self.assertNotIn('umld_guest_health{guest="idle"}', text)
        self.assertNotIn('umld_guest_uptime_seconds{guest="idle"}', text)
        self.check_format(text)

    def check_format(self, text):
        """A family is named once, before its samples, which stand together."""
        family, seen = None, set()
        for line in text.splitlines():
            if line.startswith("# HELP "):
                family = line.split()[2]
                self.assertNotIn(family, seen)
                seen.add(family)
            elif line.startswith("# TYPE "):
                self.assertEqual(line.split()[2], family)
                self.assertIn(line.split()[3], ("gauge", "counter", "untyped"))
            else:
                self.assertRegex(line, r'^[a-z_0-9]+(\{[a-z]+="[^"]*"\})? \S+$')
                self.assertEqual(line.split("{")[0].split(" ")[0], family)
                float(line.rpartition(" ")[2])
        self.assertIn("umld_info", seen)

    def test_one_guests_alone_and_one_that_is_not_there(self):
        self.boot("web")
        self.boot("db")
        self.say("METRIC x 1")
        text = self.metrics("web")
        self.assertEqual(self.value(text, 'guest_x{guest="web"}'), 1)
        self.assertNotIn("db", text)
        self.assertNotIn("umld_guests{", text)
        reply = self.daemon.umlctl("metrics", "nobody")
        self.assertEqual((reply.returncode, reply.stdout), (7, ""))
        self.assertIn("nobody", reply.stderr)

    def test_a_guest_cannot_pass_its_metric_off_as_umlds(self):
        self.boot("web")
        self.say("METRIC umld_guest_ready 0")
        text = self.metrics()
        self.assertEqual(self.value(text, 'umld_guest_ready{guest="web"}'), 1)
        self.assertEqual(self.value(text, 'guest_umld_guest_ready{guest="web"}'), 0)

    def test_a_stopped_guest_has_no_metrics_of_its_own(self):
        self.boot("web")
        self.say("METRIC x 1", "HEALTH=ok")
        self.call("Guest.Stop", name="web")
        text = self.metrics()
        self.assertNotIn("guest_x", text)
        self.assertNotIn("umld_guest_health", text)

    def test_the_user_sees_it(self):
        self.boot("web")
        self.say("HEALTH=failing disk full", "STATUS=sulking", "METRIC x 1.5")
        self.assertIn("running, ready, failing (disk full)", self.daemon.umlctl("status", "web").stdout)
        shown = self.daemon.umlctl("show", "web").stdout
        self.assertRegex(shown, r"health +failing: disk full")
        self.assertRegex(shown, r"metric +x 1.5")
        self.assertRegex(shown, r"hang +event")
        self.assertRegex(self.daemon.umlctl("list").stdout, r"web +running +failing")


if __name__ == "__main__":
    harness.main()
