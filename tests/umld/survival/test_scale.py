"""Re-adoption of many guests: all of them, unchanged, soon. UMLD_SCALE sets how many (200)."""
import os
import time

import world
from world import Case, until

COUNT = int(os.environ.get("UMLD_SCALE", "200"))
SANITIZED = b"__asan_init" in open(world.UMLD, "rb").read()


class Scale(Case):
    def test_all_guests_are_adopted_with_their_pids(self):
        w = self.w
        w.call("Server.Set", name="parallel-boots", value="16")
        begun = time.monotonic()
        for number in range(COUNT):
            w.create(f"g{number}")
            w.call("Guest.Start", name=f"g{number}", wait="none")
        until(lambda: all(r["ready"] for r in w.guests().values()), 300, "all of them ready")
        booted = time.monotonic() - begun
        before, rss_before = w.guests(), w.rss_kib()
        w.kill()
        begun = time.monotonic()
        w.start()
        serving = time.monotonic() - begun
        after = until(lambda: (lambda g: g if all(r["state"] == "running" for r in g.values()) else None)(w.guests()))
        adopted, used = time.monotonic() - begun, w.cpu_seconds()
        print(f"{COUNT} fake guests: started in {booted:.1f} s; umld serves again after {serving * 1000:.0f} ms, "
              f"all adopted after {adopted * 1000:.0f} ms; RSS {rss_before} KiB before, {w.rss_kib()} KiB after")
        self.assertEqual({n: (r["pid"], r["monitorPid"], r["ready"]) for n, r in after.items()},
                         {n: (r["pid"], r["monitorPid"], True) for n, r in before.items()})
        self.check_reality()
        if not SANITIZED:
            self.assertLess(used, 1 + COUNT / 100)  # others may use the processor, too

    def clean(self):
        if self.w.up():
            calls = [self.w.send_only("Guest.Kill", name=name) for name in list(self.w.guests())[:60]]
            for call in calls:
                call.receive()
                call.socket.close()
        super().clean()


if __name__ == "__main__":
    world.main()
