"""Guest.Explain: the causal answer in each state, from who asked to what failed how often."""
import os

import harness
from harness import Case, until

ME = f"uid {os.getuid()}"


class Explain(Case):
    def explain(self, name="web"):
        reply = self.call("Guest.Explain", name=name)
        seqs = [cause["seq"] for cause in reply["causes"]]
        self.assertEqual(seqs, sorted(set(seqs)), "causes in order, none twice")
        stored = {event["seq"] for event in self.events()}
        self.assertLessEqual(set(seqs), stored)
        for text in (reply["text"], *reply["advice"], *(cause["text"] for cause in reply["causes"])):
            for junk in ("{", "}", "(null)", "not known", "somebody"):
                self.assertNotIn(junk, text)
        return reply

    def causes(self, reply):
        return [cause["text"] for cause in reply["causes"]]

    def test_a_guest_that_never_ran(self):
        self.create("web")
        reply = self.explain()
        self.assertEqual((reply["state"], reply["text"], reply["causes"]), ("stopped", "has never been started", []))
        self.assertEqual(reply["advice"], ["umlctl start web"])
        self.fails("NotFound", "Guest.Explain", name="nobody")

    def test_who_started_it_and_who_stopped_it(self):
        self.boot("web")
        reply = self.explain()
        self.assertRegex(reply["text"], rf"^has been ready for \d+ s, started because {ME} asked at 20..-..-.. ..:..:..Z$")
        self.assertIn(f"{ME} asked for start", self.causes(reply))
        self.call("Guest.Stop", name="web")
        reply = self.explain()
        self.assertRegex(reply["text"], f"^was stopped because {ME} asked for it at ")
        self.assertEqual(self.causes(reply), [f"{ME} asked for stop", "its stop: cad: down", "stopped after releasing (nothing is left of it)"])

    def test_the_answer_outlives_the_daemon(self):
        self.boot("web")
        self.call("Guest.Stop", name="web")
        before = self.explain()
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.explain(), before)

    def test_an_end_nobody_asked_for(self):
        self.create("web", fake="exit=0:100")
        self.call("Guest.Start", name="web", wait="none")
        self.wait("web", "exit")
        self.assertRegex(self.explain()["text"], "^ended by itself at .*: powered off; restart=never does not")

    def test_a_row_of_panics(self):
        self.create("web", fake="noready,panic=0", restart="onFailure")
        self.call("Guest.Start", name="web", wait="none")
        self.wait("web", "backoff")
        text = self.explain()["text"]
        self.assertRegex(text, r"^ended at .*: kernel panic: fake panic; that is end 1 in a row, after 5 .* next start is in \d s$")
        self.wait("web", "failed", timeout_ms=60000)
        reply = self.explain()
        self.assertRegex(reply["text"], "^5 ends in a row, the last at .*: kernel panic: fake panic; the first at .*: "
                                        "kernel panic: fake panic; restart=onFailure gives up after 5$")
        self.assertEqual([c for c in self.causes(reply) if c.startswith("boot")],
                         [f"boot {n} ended: kernel panic: fake panic" for n in range(1, 6)])
        self.assertEqual(reply["advice"], ["umlctl logs web --boot 5", "umlctl reset-failed web"])
        self.call("Guest.ResetFailed", name="web")
        self.assertRegex(self.explain()["text"], f"^had failed; {ME} reset it at ")

    def test_running_but_not_ready_with_its_last_words(self):
        self.boot("web", fake="noready", wait="kernel")
        self.call("Console.Send", name="web", data="mounting disks\n")
        until(lambda: "mounting" in self.log("web"))
        text = self.explain()["text"]
        self.assertRegex(text, r"not ready: its kernel has been up for \d+ s, and nothing in it wrote READY=1 .*; "
                               "its console last said: fake: mounting disks$")
        self.boot("db", ready="console", readyPattern="login: $", fake="noready", wait="kernel")
        self.assertIn("no line on con0 fits /login: $/", self.explain("db")["text"])

    def test_waiting_for_a_place(self):
        self.set(parallel_boots=1)
        self.create("slow", fake="nosocket,noready")
        self.create("web")
        self.call("Guest.Start", name="slow", wait="none")
        self.wait("slow", "booting")
        self.call("Guest.Start", name="web", wait="none")
        self.wait("web", "preparing")
        self.assertEqual(self.explain()["text"], "waits for one of 1 boot places; 1 guests are booting")
        self.assertRegex(self.explain("slow")["text"], r"its kernel was started \d+ s ago and has not reported yet; in \d+ s ")

    def test_paused_and_being_stopped(self):
        self.boot("web", fake="ignorecad")
        self.call("Guest.Pause", name="web")
        self.assertRegex(self.explain()["text"], f"^was paused because {ME} asked for it at ")
        self.call("Guest.Resume", name="web")
        stopping = self.client()
        stopping.send("Guest.Stop", {"name": "web"})
        self.wait("web", "stopping")
        self.assertRegex(self.explain()["text"],
                         rf"^{ME} asked for stop at .*; asked to shut down \(Ctrl-Alt-Del\); in \d+ s it is killed")

    def test_the_rungs_of_a_stop_are_its_causes(self):
        self.set(stop_seconds=1)
        self.boot("web", fake="ignorecad")
        for _ in range(2):
            self.call("Guest.Stop", name="web")
            reply = self.explain()
            self.assertRegex(reply["text"], f"^was stopped because {ME} asked for it at ")
            rungs = [cause for cause in self.causes(reply) if cause.startswith("its stop: ")]
            self.assertEqual(rungs[0], "its stop: cad: timeout")
            self.assertEqual(rungs[-1], "its stop: halt: down")
            self.assertEqual(len(rungs), len(set(rungs)), "of this stop, not of the one before")
            self.call("Guest.Start", name="web")

    def test_what_it_said_of_itself(self):
        self.boot("web")
        self.call("Console.Send", name="web", data="notify HEALTH=failing disk full\n")
        self.wait("web", "health=failing")
        until(lambda: self.events(types=["guest.health"]))
        reply = self.explain()
        self.assertEqual(reply["text"], "runs and is ready, but says itself that it is failing: disk full")
        self.assertIn("it said HEALTH=failing disk full", self.causes(reply))
        self.call("Console.Send", name="web", data="notify WANT=halt\n")
        self.wait("web", "exit")
        self.assertRegex(self.explain()["text"], r"^asked for its own halt \(WANT=halt\) at ")

    def test_a_kernel_that_does_not_answer(self):
        self.set(hang_seconds=1)
        self.create("web", fake="frozen")
        self.call("Guest.Start", name="web", wait="kernel")
        self.call("Guest.Wait", name="web", condition="event=guest.hang", timeoutMs=60000)
        text = self.explain()["text"]
        self.assertRegex(text, r"^runs, but its kernel does not answer; that was found at .*: no answer .*; hang=event")

    def test_a_chatty_guest_does_not_push_the_cause_out(self):
        self.boot("web", fake="flood=200")
        until(lambda: len(self.events(types=["guest.notify"])) >= 50)
        self.assertIn(f"{ME} asked for start", self.causes(self.explain()))


if __name__ == "__main__":
    harness.main()
