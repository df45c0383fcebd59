"""The life of a guest, step by step, with the fake guest as kernel."""

import harness
from harness import Case


class Basics(Case):
    def test_start_waits_until_ready_and_stop_until_it_is_down(self):
        reply = self.boot("web")
        self.assertEqual((reply["changed"], reply["state"], reply["ready"]), (True, "running", True))
        self.assertEqual(self.call("Guest.Stop", name="web")["state"], "stopped")
        run = self.runtime("web")
        self.assertEqual((run["state"], run["want"], run["exitStatus"]), ("stopped", "down", 0))
        self.assertNotIn("cause", run)
        self.assertEqual(self.guest_directories(), [])


if __name__ == "__main__":
    harness.main()
