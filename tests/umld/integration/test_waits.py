"""Guest.Wait: each condition, met before and after the call, out of reach, and several at once."""
import threading
import time

import harness
from harness import Case, until


class Waiting:
    """A wait under way; result() is its reply or the name of its error."""

    def __init__(self, case, condition, *others, name="web", timeout_ms=30000):
        self.client = case.client()
        self.client.send("Guest.Wait", {"name": name, "condition": condition, "others": list(others),
                                        "timeoutMs": timeout_ms})

    def result(self):
        try:
            return self.client.reply()["parameters"]
        except harness.Error as error:
            return error.name


class Conditions(Case):
    def met(self, condition, *others, **more):
        reply = Waiting(self, condition, *others, **more).result()
        self.assertIsInstance(reply, dict, reply)
        return reply

    def say(self, text):
        self.call("Console.Send", name="web", data=text + "\n")

    def test_what_is_no_condition_is_refused_with_those_there_are(self):
        self.create("web")
        for text in ("", "redy", "ready=", "state=", "state=up", "event>=", "event>=x", "event>=-1", "event=", "event=A",
                     "console=", "console=login", "console=/", "console=//", "console=/(/", "console=/(a)\\1/",
                     "console=/a{999}/", "console>/", "stop"):
            name = "InvalidParameter" if text == "" else "InvalidValue"
            self.fails(name, "Guest.Wait", name="web", condition=text)
            if text:
                self.fails(name, "Guest.Wait", name="web", condition="exit", others=[text])
        hint = self.fails("InvalidValue", "Guest.Wait", name="web", condition="redy").hint
        for form in ("ready", "state=STATE", "event>=SEQ", "console=/REGEX/", "console>/REGEX/"):
            self.assertIn(form, hint)
        self.fails("NotFound", "Guest.Wait", name="nobody", condition="exit")

    def test_states_by_either_name(self):
        self.create("web", fake="noready")
        self.assertEqual(self.met("state=stopped")["met"], "state=stopped")
        waiting = [Waiting(self, "running"), Waiting(self, "state=running"), Waiting(self, "paused")]
        self.call("Guest.Start", name="web", wait="kernel")
        self.assertEqual([w.result()["met"] for w in waiting[:2]], ["running", "state=running"])
        self.call("Guest.Pause", name="web")
        self.assertEqual(waiting[2].result()["guest"]["runtime"]["state"], "paused")

    def test_what_a_guest_at_rest_cannot_reach_fails_at_once(self):
        self.create("web")
        for condition in ("ready", "kernel", "health=ok", "status=/x/", "console=/x/", "console>/x/"):
            error = self.fails("NotRunning", "Guest.Wait", name="web", condition=condition)
            self.assertIn("umlctl start web", error.hint)

    def test_ready_and_kernel(self):
        self.create("web", fake="noready")
        self.call("Guest.Start", name="web", wait="none")
        ready = Waiting(self, "ready")
        self.met("kernel")
        self.say("notify READY=1")
        self.assertEqual(ready.result()["met"], "ready")
        self.met("ready")

    def test_ready_outlasts_a_backoff_and_ends_with_the_guest(self):
        self.create("web", fake="noready,exit=3:0", restart="onFailure")
        self.call("Guest.Start", name="web", wait="none")
        begun = self.call("Server.Status")["lastEvent"]
        self.met("state=backoff")
        ready = Waiting(self, "ready", timeout_ms=60000)
        self.met(f"event>={begun}")
        self.met("state=backoff")
        self.call("Guest.Stop", name="web")
        self.assertEqual(ready.result(), "Cancelled")

    def test_a_crash_while_waiting_for_ready_is_one(self):
        self.create("web", fake="noready,panic=300")
        self.call("Guest.Start", name="web", wait="none")
        self.assertEqual(Waiting(self, "ready").result(), "Crashed")
        self.assertEqual(Waiting(self, "console=/never/").result(), "Crashed")  # failed by now

    def test_time_is_up(self):
        self.boot("web", fake="noready", wait="kernel")
        begun = time.monotonic()
        self.assertEqual(Waiting(self, "ready", "console=/never/", "event=guest.panic", timeout_ms=300).result(), "Timeout")
        self.assertGreaterEqual(time.monotonic() - begun, 0.29)

    def test_what_the_guest_says_of_itself(self):
        self.boot("web")
        failing = Waiting(self, "health=failing")
        dbs = Waiting(self, "status=/^[0-9]+ of 3 mounted$/")
        self.say("notify HEALTH=ok")
        self.met("health=ok")
        self.say("notify STATUS=3 of 3 mounted")
        self.assertEqual(dbs.result()["text"], "3 of 3 mounted")
        self.met("status=/mount/")
        self.say("notify HEALTH=failing disk full")
        self.assertEqual(failing.result()["met"], "health=failing")
        late = Waiting(self, "health=ok")
        self.call("Guest.Stop", name="web")
        self.assertEqual(late.result(), "Cancelled")
        self.fails("InvalidValue", "Guest.Wait", name="web", condition="health=good")
        self.fails("InvalidValue", "Guest.Wait", name="web", condition="status=mounted")

    def test_events_by_number(self):
        self.boot("web")
        last = self.call("Server.Status")["lastEvent"]
        past = self.met("event>=1")
        self.assertEqual(past["seq"], max(e["seq"] for e in self.events(guest="web")))
        waiting = Waiting(self, f"event>={last + 1}")
        self.set(stop_seconds=3)  # an event, but not about this guest
        self.create("other")
        self.say("notify HELLO")
        reply = waiting.result()
        self.assertGreater(reply["seq"], last + 1)
        self.assertEqual(reply["text"], "guest.notify")

    def test_events_by_type_are_those_to_come(self):
        self.boot("web")
        waiting = [Waiting(self, "event=guest.ready"), Waiting(self, "event=guest.reb*"), Waiting(self, "event=guest.notify")]
        self.say("notify X")
        self.assertEqual(waiting[2].result()["text"], "guest.notify")
        self.call("Guest.Reboot", name="web")
        rebooted = waiting[1].result()
        self.assertEqual(self.events(since=rebooted["seq"] - 1)[0]["type"], "guest.rebooted")
        self.assertGreater(waiting[0].result()["seq"], 0)

    def test_a_line_of_this_boot_that_is_there_already(self):
        self.boot("web", fake="output=200000")
        reply = self.met("console=/^line 0000000007 a.*[A-Z]$/")
        self.assertEqual(reply["text"][:15], "line 0000000007")
        self.met("console=/line 0000003[0-9]{3}/")

    def test_a_line_to_come_and_a_prompt(self):
        self.boot("web")
        old = Waiting(self, "console=/one/")
        self.say("one")
        self.assertEqual(old.result()["text"], "fake: one")
        new = Waiting(self, "console>/fake: (one|two)$/")
        # Its attachment is under way when its answer would be: a second wait is answered behind it.
        until(lambda: self.say("two") or self.ended(new), what="the line")
        self.assertEqual(new.result()["text"], "fake: two")

    def ended(self, waiting):
        waiting.client.socket.settimeout(0.2)
        try:
            return waiting.client.socket.recv(1, harness.socket.MSG_PEEK)
        except TimeoutError:
            return False
        finally:
            waiting.client.socket.settimeout(harness.LIMIT)

    def test_last_words_count(self):
        """The line is written, and the guest gone, before the daemon looks."""
        self.boot("web")
        waiting = Waiting(self, "console=/fake: good ?bye/")
        self.say("goodbye\nexit 0")
        self.assertEqual(waiting.result()["text"], "fake: goodbye")
        self.wait("web", "exit")

    def test_a_line_of_the_next_life(self):
        self.create("web", fake="noready,exit=3:0", restart="always")
        self.call("Guest.Start", name="web", wait="none")
        self.met("state=backoff")
        boot = self.runtime("web")["bootNumber"]
        self.met("console>/fake: argument/")
        self.assertGreater(self.runtime("web")["bootNumber"], boot)

    def test_any_of_several(self):
        self.boot("web")
        waiting = Waiting(self, "console=/panic/", "state=paused", "event=guest.hang")
        self.call("Guest.Pause", name="web")
        self.assertEqual(waiting.result()["met"], "state=paused")
        self.call("Guest.Resume", name="web")
        # One that cannot come any more does not end the others; when none can, that is the answer.
        waiting = Waiting(self, "ready", "state=failed", name="web2") if self.create("web2") else None
        both = Waiting(self, "ready", "console=/x/", name="web2")
        self.assertEqual(both.result(), "NotRunning")
        self.call("Guest.Remove", name="web2")
        self.assertEqual(waiting.result(), "Cancelled")

    def test_hostile_patterns_and_guests_hold_up_nobody(self):
        self.create("web", fake="outputforever=0")
        self.call("Guest.Start", name="web")
        waits = [Waiting(self, "console=/((((l?){4}){4}){4}.?){2}z z/", timeout_ms=1500) for _ in range(8)]
        slowest = 0
        for _ in range(30):
            begun = time.monotonic()
            self.call("Server.Ping")
            slowest = max(slowest, time.monotonic() - begun)
        self.assertLess(slowest, 2)
        self.assertEqual([w.result() for w in waits], ["Timeout"] * 8)

    def test_clients_that_vanish_leave_nothing(self):
        self.boot("web", fake="outputforever=20")
        before = self.daemon.descriptors()
        waits = [Waiting(self, "console=/never/", "event=guest.panic") for _ in range(10)]
        # Ten connections with an attachment each; the one that was open a moment ago may have been counted.
        until(lambda: self.daemon.descriptors() >= before + 18, what="ten attachments")
        for waiting in waits:
            waiting.client.close()
        until(lambda: self.daemon.descriptors() <= before, what="their end")

    def test_more_readers_than_a_console_has_places_for_are_refused(self):
        self.boot("web")
        waits = [Waiting(self, "console=/never/", timeout_ms=2000) for _ in range(40)]
        results = []
        threads = [threading.Thread(target=lambda w=w: results.append(w.result())) for w in waits]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(harness.LIMIT)
        self.assertEqual(sorted(results), ["Busy"] * 8 + ["Timeout"] * 32)


if __name__ == "__main__":
    harness.main()
