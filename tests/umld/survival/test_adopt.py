"""umld dies at one named step of adopting a UML that somebody started by hand, or of letting it go. The UML never minds."""
import os
import signal
import subprocess

import world
from world import Case, FAKE, alive, until


class Adopt(Case):
    def by_hand(self, name):
        """(process, path of its socket)"""
        path = f"{self.w.directory}/uml/{name}/mconsole"
        process = subprocess.Popen([FAKE, f"uml_dir={self.w.directory}/uml/", f"umid={name}", "con0=null,fd:1"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        until(lambda: os.path.exists(path), what="its socket")
        return process, path

    def die_at(self, point, method, **parameters):
        self.w.arm(point)
        with self.w.send_only(method, **parameters):
            self.w.died()

    def settled(self):
        """All guests, or none, once none is on its way."""
        rest = world.REST + ("running", "paused")
        until(lambda: all(run["state"] in rest for run in self.w.guests().values()), what="every guest at rest")
        return self.w.guests()

    def assert_untouched(self, name, process):
        """It runs, nobody has asked it to end, and it answers."""
        self.assertIsNone(process.poll())
        self.assertEqual([e for e in self.w.events(guest=name) if e["type"] == "guest.stop-step"], [])

    def test_adopting_is_finished_or_never_happened(self):
        for number, (point, there) in enumerate((("enter:adopting", False), ("before-commit", False), ("stored:adopting", True),
                                                 ("spawned:adopting", True), ("done:adopting", True), ("enter:running", True))):
            with self.subTest(point=point):
                name = f"g{number}"
                process, path = self.by_hand(name)
                self.die_at(point, "Guest.Adopt", name=name, socket=path)
                self.w.start()
                guests = self.settled()
                self.assertEqual(name in guests, there)
                if not there:
                    guests[name] = self.w.call("Guest.Adopt", name=name, socket=path)["guest"]["runtime"]
                run = guests[name]
                self.assertEqual((run["state"], run["want"], run["pid"], run["bootNumber"]),
                                 ("running", "up", process.pid, 1))
                self.assert_untouched(name, process)
                self.w.call("Guest.Mconsole", name=name, command="version")

    def test_letting_go_is_finished_or_never_happened(self):
        for number, (point, gone) in enumerate((("enter:releasing", False), ("stored:releasing", True), ("done:releasing", True),
                                                ("enter:stopped", True))):
            with self.subTest(point=point):
                name = f"g{number}"
                process, path = self.by_hand(name)
                monitor = self.w.call("Guest.Adopt", name=name, socket=path)["guest"]["runtime"]["monitorPid"]
                self.die_at(point, "Guest.Remove", name=name)
                self.w.start()
                run = self.settled().get(name)
                if run:
                    self.assertEqual((run["state"], run["want"]), ("stopped", "down") if gone else ("running", "up"))
                    self.w.call("Guest.Remove", name=name)
                else:
                    self.assertTrue(gone)
                self.assert_untouched(name, process)
                until(lambda: not alive(monitor), what="the end of its monitor")
                self.assertEqual(self.w.call("Guest.Adopt", name=name, socket=path)["guest"]["runtime"]["pid"], process.pid)

    def test_its_end_at_any_step_is_an_end(self):
        for number, point in enumerate(("enter:releasing", "stored:releasing", "done:releasing", "enter:stopped")):
            with self.subTest(point=point):
                name = f"g{number}"
                process, path = self.by_hand(name)
                self.w.call("Guest.Adopt", name=name, socket=path)
                self.w.arm(point)
                process.send_signal(signal.SIGKILL)
                self.w.died()
                self.w.start()
                run = self.settled()[name]
                self.assertEqual((run["state"], run["want"]), ("stopped", "down"))
                self.assertIn("known to its parent only", run["cause"])
                self.assertNotIn("exitStatus", run)


if __name__ == "__main__":
    world.main()
