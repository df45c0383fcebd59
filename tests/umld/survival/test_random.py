"""umld is killed at random moments while clients use it; after each restart the world must add up.

UMLD_SEED repeats a run, UMLD_KILLS sets the number of kills (100), UMLD_SECONDS ends it earlier (150).
"""
import os
import random
import re
import shutil
import threading
import time

import world
from world import Case, Gone, Refused

KILLS, SECONDS = int(os.environ.get("UMLD_KILLS", "100")), float(os.environ.get("UMLD_SECONDS", "150"))
SEED = int(os.environ.get("UMLD_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
GUESTS = {
    "plain-1": {}, "plain-2": {}, "plain-3": {}, "deaf": {"fake": "ignorecad"}, "mute": {"fake": "noready"},
    "talks": {"fake": "outputforever=5"}, "said": {"fake": "output=200000"},
    "reboots": {"fake": "outputforever=5,reboot=400:3"}, "ends": {"fake": "exit=3:600", "restart": "always"},
    "panics": {"fake": "panic=800", "restart": "onFailure"},
}
STEADY = ("steady-1", "steady-2")
VERBS = ("Start", "Start", "Stop", "Kill", "Pause", "Resume", "Reboot", "Mconsole", "Update")


class Gate:
    """Clients pass one by one step; the checker closes it and has the world to itself."""

    def __init__(self):
        self.condition, self.inside, self.closed, self.over = threading.Condition(), 0, False, False

    def __enter__(self):
        with self.condition:
            self.condition.wait_for(lambda: not self.closed or self.over)
            self.inside += 1

    def __exit__(self, *_):
        with self.condition:
            self.inside -= 1
            self.condition.notify_all()

    def close(self, clients):
        with self.condition:
            self.closed = True
            if not self.condition.wait_for(lambda: self.inside == 0, world.LIMIT * 2 / 3):
                raise AssertionError(f"a call never ended: {[c.doing for c in clients if c.doing]}")

    def open(self):
        with self.condition:
            self.closed = False
            self.condition.notify_all()

    def finish(self):
        with self.condition:
            self.over = True
            self.condition.notify_all()


class Client(threading.Thread):
    def __init__(self, case, number):
        super().__init__(daemon=True)
        self.case, self.rng, self.problem, self.calls = case, random.Random(SEED * 31 + number), None, 0
        self.doing = None

    def run(self):
        try:
            while not self.case.gate.over:
                with self.case.gate:
                    try:
                        self.step()
                        self.calls += 1
                    except Gone:
                        self.doing = None
                    except Refused as refused:
                        self.doing = None
                        if refused.name in ("Internal", "InvalidParameter"):
                            raise
                time.sleep(self.rng.random() * 0.01)
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem

    def step(self):
        verb, name = self.rng.choice(VERBS), self.rng.choice(list(GUESTS))
        more = {}
        if verb == "Start":
            more = {"wait": self.rng.choice(("none", "kernel")), "timeoutMs": 1000}
        elif verb in ("Stop", "Reboot"):
            more = {"timeoutMs": 1000}
        elif verb == "Mconsole":
            more = {"command": "version", "timeoutMs": 1000}
        elif verb == "Update":
            more = {"set": [f"mem={self.rng.randrange(16, 64)}M"]}
        self.doing = (verb, name)
        self.case.w.call("Guest." + verb, name=name, **more)
        self.doing = None


class Follower(Client):
    """Reads events; reconnects with the last number it saw."""

    last = 0

    def run(self):
        try:
            while not self.case.gate.over:
                try:
                    with self.case.w.connect(5) as connection:
                        connection.send("Server.Subscribe", {"since": self.last, "follow": True}, more=True)
                        while not self.case.gate.over:
                            event = connection.receive()["parameters"]["event"]
                            if event["seq"] != self.last + 1:
                                raise ValueError(f"event {event['seq']} behind {self.last}")
                            self.last = event["seq"]
                except Gone:
                    time.sleep(0.01)
                except AssertionError:
                    pass  # five seconds without events
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem


class Reader(Client):
    """One console connection through all of it."""

    def __init__(self, case, number, name):
        super().__init__(case, number)
        self.connection, self.guest = case.w.attach(name, back=-1), name
        self.text = b""

    def run(self):
        try:
            while not self.case.gate.over:
                self.text += self.connection.take()
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem


class Random(Case):
    def check(self):
        """Retried for a moment: some guests go on living while they are looked at."""
        for runtime in self.w.guests().values():
            self.assertIn(runtime["state"], world.STATES)
        end = time.monotonic() + world.LIMIT
        while True:
            try:
                busy = {n: r["state"] for n, r in self.w.guests().items()
                        if r["state"] not in world.REST + ("running", "paused", "backoff")}
                self.assertEqual(busy, {})
                self.check_reality()
                return
            except (AssertionError, TypeError, KeyError):
                if time.monotonic() > end:
                    raise
            time.sleep(0.01)

    def real_guests(self):
        """Two guests of the real kernel, if there is one. Returns their names."""
        w = self.w
        path = os.environ["PATH"] + ":/sbin:/usr/sbin"
        missing = [p for p in ("linux.uml", "busybox", "mke2fs", "debugfs") if not shutil.which(p, path=path)]
        if missing or os.environ.get("UMLD_REAL") == "0":
            print(f"without real guests: {', '.join(missing) or 'not wanted'}")
            return []
        image = w.call("Image.Build", kind="busybox", name="real", bytes=24 << 20)["image"]["path"]
        for number in (1, 2):
            shutil.copy(image, f"{w.directory}/{number}.img")
            w.call("Guest.Create", cwd=w.directory, definition={
                "name": f"real-{number}", "kernel": shutil.which("linux.uml"),
                "devices": ["mem=64M", f"ubd0={number}.img"]})
            self.start_real(f"real-{number}")
        return ["real-1", "real-2"]

    def start_real(self, name, tries=3):
        """A real kernel's boot fails once in some hundred on a busy machine (docs/performance.md); not our subject."""
        try:
            self.w.call("Guest.Start", name=name, wait="ready", timeoutMs=world.LIMIT * 800)
        except Refused as refused:
            if tries == 1:
                raise
            print(f"{name} did not come up: {refused}")
            self.w.call("Guest.Kill", name=name)
            self.start_real(name, tries - 1)

    def prepare(self):
        self.w.call("Server.Set", name="stop-seconds", value="1")
        for name in STEADY:
            self.w.boot(name, "outputforever=3")
        for name, fields in GUESTS.items():
            self.w.create(name, **fields)
        names = [*STEADY, *self.real_guests()]
        return {name: self.w.runtime(name)["pid"] for name in names}

    def test_a_hundred_kills_under_load(self):
        print(f"seed {SEED}")
        rng = random.Random(SEED)
        self.gate = Gate()
        steady = self.prepare()
        readers = [Reader(self, 50 + n, name) for n, name in enumerate(STEADY)]
        threads = [Client(self, n) for n in range(4)] + [Follower(self, 40)] + readers
        for thread in threads:
            thread.start()
        begun, kills = time.monotonic(), 0
        try:
            while kills < KILLS and time.monotonic() - begun < SECONDS:
                time.sleep(rng.random() ** 2 * 0.4)
                self.w.kill()
                kills += 1
                if rng.random() < 0.3:
                    time.sleep(rng.random() * 0.2)
                self.w.start()
                if rng.random() < 0.3 or kills == KILLS:
                    self.gate.close(threads)
                    self.check()
                    self.gate.open()
                self.assertEqual([t.problem for t in threads if t.problem], [])
        except BaseException:
            print(f"seed {SEED}, kill {kills}")
            raise
        finally:
            self.gate.open()
            self.gate.finish()
            for thread in threads:
                thread.join(world.LIMIT)
        self.check()
        self.assertEqual([t.problem for t in threads if t.problem], [])
        self.assertEqual({n: self.w.runtime(n)["pid"] for n in steady}, steady)
        self.assert_consoles_whole(readers)
        print(f"{kills} kills in {time.monotonic() - begun:.0f} s, {sum(t.calls for t in threads)} calls, "
              f"{threads[4].last} events followed, {sum(len(r.text) for r in readers)} console bytes")

    def assert_consoles_whole(self, readers):
        for reader in readers:
            self.assertIsNone(world.numbered_gap(reader.text.decode(errors="replace")), reader.guest)
            self.assertGreater(len(reader.text), 10000)
            reader.connection.socket.close()
        for name in (*STEADY, "talks", "said", "reboots"):
            log = f"{self.w.state}/guests/{name}/log"
            boots = {}
            for file in os.listdir(log) if os.path.isdir(log) else ():
                boot, part = re.fullmatch(r"con0\.(\d+)\.(\d+)\.log", file).groups()
                boots.setdefault(int(boot), []).append((int(part), file))
            for boot, parts in boots.items():
                text = ""
                for _, file in sorted(parts):
                    with open(f"{log}/{file}", encoding="utf-8", errors="replace") as stream:
                        text += stream.read()
                self.assertIsNone(world.numbered_gap(text), f"{name} boot {boot}")


if __name__ == "__main__":
    world.main()
