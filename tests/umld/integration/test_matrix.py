"""What every changing method promises, tried on each: the methods come from the interfaces, so a new one that has no
row in SAMPLES fails here.

twice        a method that states a goal changes nothing the second time
requestId    the same call again gets the same reply and happens once; another call with that id is a conflict
ifRevision   of a guest that has changed meanwhile: a conflict, and nothing happens
dryRun       says whether something would change; stores, emits and starts nothing
"""
import os
import sqlite3
import sys
import time
import unittest
from dataclasses import dataclass, field

import harness
from harness import Case, Client

sys.path.insert(0, os.path.join(harness.SOURCE, "schemas"))
import idl  # noqa: E402

SCHEMAS = os.path.join(harness.SOURCE, "schemas")
METHODS = {f"{interface.name.removeprefix('io.umld.')}.{method.name}": method
           for interface in idl.parse_files([os.path.join(SCHEMAS, name) for name in sorted(os.listdir(SCHEMAS))
                                             if name.endswith(".varlink")]).values()
           for method in interface.methods.values() if "mutates" in method.flags}
GOAL, AGAIN, SAME = "changed is false the second time", "may be done again", "the same reply again"
BUILDER = "#!/bin/sh\ncase $2 in *slow*) exec sleep 600 ;; esac\necho made > \"$2\"\n"


@dataclass
class Sample:
    """prepare: a function of the case and a name nobody has: makes what the call needs, returns its parameters."""
    prepare: object
    other: dict = field(default_factory=dict)  # what makes it another call
    twice: str = GOAL  # or the error of the second
    count: object = None  # a function of the case and the parameters: how often it happened, by another witness
    settle: object = lambda case, params: None  # what follows the call by itself has happened


def stopped(case, name):
    case.create(name)
    return {"name": name}


def attached(case, name):
    case.create(name, "con3=none")
    return {"name": name, "device": "con3"}


def running(case, name):
    case.boot(name)
    return {"name": name}


def paused(case, name):
    case.boot(name)
    case.call("Guest.Pause", name=name)
    return {"name": name}


def failed(case, name):
    case.create(name, kernel=kernel_file(case, "gone")["path"])
    os.unlink(os.path.join(case.daemon.directory, "gone"))
    with case.assertRaises(harness.Error):
        case.call("Guest.Start", name=name)
    return {"name": name}


def network(case, name):
    case.call("Network.Create", definition={"name": name})
    running_network(case, name)
    return {"name": name}


def running_network(case, name):
    harness.until(lambda: case.call("Network.Get", name=name)["network"]["runtime"]["state"] == "running",
                  what="the network")


def with_port(case, name):
    params = network(case, name)
    case.create("web", f"net0={name}")
    return {**params, "mac": "02:00:00:00:00:05", "port": "web/net0"}


def with_mac(case, name):
    case.call("Network.FixMac", **(params := with_port(case, name)))
    del params["port"]
    return params


def with_(prepare, **more):
    return lambda case, name: {**prepare(case, name), **more}


def by_hand(case, name):
    return {"name": name, "socket": case.by_hand(name)[1]}


def image(case, name):
    case.call("Image.Build", kind="busybox", name=name)
    return {"name": name}


def building(case, name):
    """A build that takes longer than the test; the id of its job."""
    client = case.client()
    client.send("Image.Build", {"kind": "busybox", "name": f"slow-{name}"})

    def job():
        found = [j["id"] for j in case.call("Job.List", active=True)["jobs"] if name in j["object"]]
        return found[0] if found else None
    return {"id": harness.until(job, what="the build's job")}


def kernel_file(case, name):
    path = os.path.join(case.daemon.directory, name)
    os.symlink(harness.FAKE, path + ".link")
    with open(harness.FAKE, "rb") as file:
        case.file(name, file.read(), 0o755)
    return {"path": path, "name": name}


def kernel(case, name):
    case.call("Kernel.Add", **kernel_file(case, name))
    return {"name": name}


def typed(case, params):
    """How often the line came: a marker behind it says that no more come."""
    case.call("Console.Send", name=params["name"], data="marker\n")
    return case.printed(params["name"], "fake: marker").count("fake: hello")


def ended(case, params):
    """Without a debugger SIGINT is a kernel's end."""
    case.wait(params["name"], "exit")


def no_jobs(case, params):
    harness.until(lambda: not case.call("Job.List", active=True)["jobs"], what="the end of the job")


def another_daemon(case, params):
    """The one that was asked to end has done so, and another serves."""
    case.assertEqual(case.daemon.process.wait(timeout=harness.LIMIT), 0)
    case.daemon.start()


SAMPLES = {
    "Console.Resize": Sample(with_(running, device="con0", rows=30, columns=100), {"rows": 31}, SAME),
    "Console.Send": Sample(with_(running, data="hello\n"), {"data": "other\n"}, SAME, typed),
    "Guest.Create": Sample(lambda case, name: {"definition": {"name": name, "kernel": "fake"}},
                           {"definition": {"name": "another", "kernel": "fake"}}, "Exists"),
    "Guest.Adopt": Sample(by_hand, {"name": "another"}),
    "Guest.Update": Sample(with_(stopped, set=["mem=65M"]), {"set": ["mem=66M"]}),
    "Guest.Detach": Sample(attached, {"device": "ubd9"}, "NotFound"),
    "Guest.Remove": Sample(stopped, {"force": True}),
    "Guest.Start": Sample(stopped, {"wait": "kernel"}),
    "Guest.Stop": Sample(running, {"force": True}),
    "Guest.Interrupt": Sample(running, {"name": "another"}, "NotRunning", settle=ended),
    "Guest.Kill": Sample(running, {"name": "another"}),
    "Guest.Reboot": Sample(running, {"timeoutMs": 50000}, AGAIN),
    "Guest.Pause": Sample(running, {"name": "another"}),
    "Guest.Resume": Sample(paused, {"name": "another"}),
    "Guest.Mconsole": Sample(with_(running, command="version"), {"command": "help"}, SAME),
    "Guest.ResetFailed": Sample(failed, {"name": "another"}),
    "Image.Build": Sample(lambda case, name: {"kind": "busybox", "name": name}, {"replace": True}),
    "Image.Remove": Sample(image, {"name": "another"}),
    "Job.Cancel": Sample(building, {"id": "999"}, settle=no_jobs),
    "Kernel.Probe": Sample(lambda case, name: {"kernel": "fake"}, {"kernel": "another"}, AGAIN),
    "Kernel.Add": Sample(kernel_file, {"name": "another"}),
    "Kernel.Remove": Sample(kernel, {"name": "another"}),
    "Network.Create": Sample(lambda case, name: {"definition": {"name": name}}, {"definition": {"name": "another"}},
                             "Exists", settle=lambda case, params: running_network(case, params["definition"]["name"])),
    "Network.Update": Sample(with_(network, change={"storm": 5}), {"change": {"storm": 6}}),
    "Network.Remove": Sample(network, {"name": "another"}),
    "Network.Restart": Sample(network, {"name": "another"}, AGAIN),
    "Network.FixMac": Sample(with_port, {"mac": "02:00:00:00:00:06"}),
    "Network.ForgetMac": Sample(with_mac, {"mac": "02:00:00:00:00:06"}),
    "Server.SetLogLevel": Sample(lambda case, name: {"level": "debug"}, {"level": "error"}),
    "Server.Set": Sample(lambda case, name: {"name": "parallel-boots", "value": "3"}, {"value": "4"}),
    "Server.Shutdown": Sample(lambda case, name: {}, None, AGAIN, settle=another_daemon),
}


class Matrix(Case):
    """A method per test method is made below, one for each aspect and row."""

    def prepare(self):
        path = os.path.join(self.daemon.libexec, "build-image")
        os.unlink(path)
        with open(path, "w", encoding="ascii") as file:
            file.write(BUILDER)
        os.chmod(path, 0o755)

    def dump(self):
        """The whole database as text: definitions, states, boot numbers, jobs, events, settings."""
        with sqlite3.connect(f"file:{self.daemon.state}/umld.db?mode=ro", uri=True) as db:
            return list(db.iterdump())

    def happened(self):
        """The same without the memory of requests, and the processes there are, once nothing moves any more."""
        def steady():
            before = self.dump()
            time.sleep(0.1)
            moved = before != self.dump()
            return None if moved else ([line for line in before if not line.startswith('INSERT INTO "request"')],
                                       sorted(harness.descendants(self.daemon.process.pid)))
        return harness.until(steady, what="a quiet database")

    def check_twice(self, method, sample, params):
        first = self.call(method, **params)
        sample.settle(self, params)
        if sample.twice not in (GOAL, AGAIN, SAME):
            self.fails(sample.twice, method, **params)
            return
        second = self.call(method, **params)
        if sample.twice == GOAL:
            self.assertEqual((first["changed"], second["changed"]), (True, False))
        elif sample.twice == SAME:
            self.assertEqual(first, second)
        sample.settle(self, params)

    def check_request_id(self, method, sample, params):
        first = self.call(method, requestId="r", **params)
        sample.settle(self, params)
        before = self.happened()
        self.assertEqual(self.call(method, requestId="r", **params), first)
        self.assertEqual(self.happened(), before, "the repeat did something")
        if sample.other is not None:
            self.fails("Conflict", method, requestId="r", **{**params, **sample.other})
        error = self.fails("Conflict", "Job.Cancel" if method != "Job.Cancel" else "Kernel.Remove", requestId="r",
                           **({"id": "1"} if method != "Job.Cancel" else {"name": "none"}))
        self.assertEqual(error.field, "requestId")
        self.assertEqual(self.happened(), before, "a refused repeat did something")
        if sample.count:
            self.assertEqual(sample.count(self, params), 1)

    def check_stale_revision(self, method, sample, params):
        before = self.happened()
        error = self.fails("Conflict", method, ifRevision=7, **params)
        self.assertEqual(error.field, "ifRevision")
        self.assertEqual(self.happened(), before, "a refused change happened")
        self.call(method, ifRevision=1, **params)

    def check_dry_run(self, method, sample, params):
        before, stored = self.happened(), self.dump()
        reply = self.call(method, dryRun=True, requestId="d", **params)
        self.assertEqual(self.dump(), stored)
        self.assertEqual(self.happened(), before)
        self.assertIsNone(self.daemon.process.poll())
        if sample.count:
            self.assertEqual(sample.count(self, params), 0)
        # Not remembered either: the real one with that id is run, and did what was foretold.
        real = self.call(method, requestId="d", **params)
        self.assertEqual(reply.get("changed"), real.get("changed"))
        sample.settle(self, params)


class Rows(unittest.TestCase):
    def test_every_changing_method_has_a_sample(self):
        self.assertEqual(sorted(METHODS), sorted(SAMPLES))

    def test_every_sample_gives_what_its_method_takes(self):
        for method, sample in SAMPLES.items():
            names = {f.name for f in METHODS[method].input.fields}
            self.assertLessEqual(set(sample.other or {}), names, method)


def make(aspect, method, sample):
    def test(self):
        getattr(self, f"check_{aspect}")(method, sample, sample.prepare(self, "m1"))
    return test


for name, row in SAMPLES.items():
    takes = {f.name for f in METHODS[name].input.fields} if name in METHODS else set()
    for what, needs in (("twice", None), ("request_id", "requestId"), ("stale_revision", "ifRevision"),
                        ("dry_run", "dryRun")):
        if needs is None or needs in takes:
            setattr(Matrix, f"test_{what}_{name.replace('.', '_').lower()}", make(what, name, row))


class Repeats(Case):
    """A repeat while the first still runs, or after its client or its daemon has gone."""

    def begin(self, method, **params):
        client = Client(self.daemon.api)
        self.addCleanup(client.close)
        client.send(method, params)
        return client

    def wait_for_state(self, name, state):
        harness.until(lambda: self.runtime(name)["state"] == state, what=f"{name} {state}")

    def reboot_is_wished(self):
        with sqlite3.connect(f"file:{self.daemon.state}/umld.db?mode=ro", uri=True) as db:
            return db.execute("SELECT 1 FROM guest WHERE asked = 'reboot'").fetchone()

    def test_a_repeat_while_the_first_runs_gets_its_outcome(self):
        self.create("web", fake="noready")
        first = self.begin("Guest.Start", name="web", requestId="r")
        self.wait_for_state("web", "running")
        second = self.begin("Guest.Start", name="web", requestId="r")
        self.fails("Conflict", "Guest.Start", name="web", wait="kernel", requestId="r")
        self.call("Console.Send", name="web", data="notify READY=1\n")
        self.assertEqual(first.reply(), second.reply())
        self.assertEqual(self.runtime("web")["bootNumber"], 1)

    def test_a_repeat_while_the_first_runs_gets_its_error(self):
        self.create("web", fake="noready")
        first = self.begin("Guest.Start", name="web", requestId="r")
        self.wait_for_state("web", "running")
        second = self.begin("Guest.Start", name="web", requestId="r")
        # Another call of that client waits its turn; one of another connection does not.
        self.call("Guest.Kill", name="web")
        errors = [client.receive() for client in (first, second)]
        self.assertEqual(errors[0], errors[1])
        self.assertEqual(errors[0]["error"], "io.umld.Server.Cancelled")
        # A failure is not remembered: the same call again is a new try.
        third = self.begin("Guest.Start", name="web", requestId="r")
        self.wait_for_state("web", "running")
        self.call("Console.Send", name="web", data="notify READY=1\n")
        self.assertTrue(third.reply()["parameters"]["changed"])

    def test_a_client_that_vanished_learns_how_its_call_ended(self):
        self.boot("web", fake="slow=700")
        first = self.begin("Guest.Reboot", name="web", requestId="r")
        harness.until(self.reboot_is_wished, what="the wish")
        first.close()
        second = self.begin("Guest.Reboot", name="web", requestId="r")
        self.assertTrue(second.reply()["parameters"]["changed"])
        self.assertEqual(self.runtime("web")["bootNumber"], 2)
        self.assertTrue(self.call("Guest.Reboot", name="web", requestId="r")["changed"])
        self.assertEqual(self.runtime("web")["bootNumber"], 2)

    def test_a_oneway_call_is_remembered_too(self):
        self.create("web")
        with Client(self.daemon.api) as client:
            client.send("Guest.Start", {"name": "web", "requestId": "r"}, oneway=True)
            # Behind it on the same connection: answered when it has ended.
            client.call("Server.Ping")
        self.call("Guest.Kill", name="web")
        self.assertTrue(self.call("Guest.Start", name="web", requestId="r")["changed"])
        self.assertEqual(self.runtime("web")["state"], "stopped")

    def test_replies_are_known_after_the_daemon_was_killed(self):
        self.boot("web")
        first = self.call("Guest.Reboot", name="web", requestId="r")
        self.daemon.kill()
        self.daemon.start()
        self.wait("web", "ready")
        self.assertEqual(self.call("Guest.Reboot", name="web", requestId="r"), first)
        self.assertEqual(self.runtime("web")["bootNumber"], 2)

    def test_a_call_whose_daemon_died_is_run_again(self):
        self.create("web", fake="noready")
        self.begin("Guest.Start", name="web", requestId="r")
        self.wait_for_state("web", "running")
        self.daemon.kill()
        self.daemon.start()
        second = self.begin("Guest.Start", name="web", requestId="r")
        self.wait_for_state("web", "running")
        self.call("Console.Send", name="web", data="notify READY=1\n")
        self.assertFalse(second.reply()["parameters"]["changed"])
        self.assertEqual(self.runtime("web")["bootNumber"], 1)

    def test_a_dry_start_refuses_what_the_start_would(self):
        self.create("web", kernel=kernel_file(self, "gone")["path"])
        os.unlink(os.path.join(self.daemon.directory, "gone"))
        dry = self.fails("BadConfig", "Guest.Start", name="web", dryRun=True)
        real = self.fails("BadConfig", "Guest.Start", name="web")
        self.assertIn("gone", dry.message)
        self.assertIn("gone", real.message)
        disk = self.file("root.img", harness.EXT4)
        self.boot("one", f"ubd0={disk}")
        self.create("two", f"ubd0={disk}")
        for dry_run in (True, False):
            self.assertIn("one", self.fails("Conflict", "Guest.Start", name="two", dryRun=dry_run).message)

    def test_dry_verbs_refuse_by_state_and_danger(self):
        self.create("web")
        for method in ("Reboot", "Pause", "Resume"):
            self.fails("NotRunning", f"Guest.{method}", name="web", dryRun=True)
        self.fails("NotRunning", "Guest.Mconsole", name="web", command="version", dryRun=True)
        self.fails("NotFound", "Guest.Stop", name="none", dryRun=True)
        self.call("Guest.Start", name="web")
        self.fails("WrongState", "Guest.Remove", name="web", dryRun=True)
        self.fails("InvalidValue", "Guest.Mconsole", name="web", command="sysrq t", dryRun=True)
        self.fails("NotFound", "Console.Send", name="web", device="con9", data="x", dryRun=True)
        self.assertEqual(self.call("Guest.Mconsole", name="web", command=" sysrq  t", force=True, dryRun=True),
                         {"text": "sysrq t", "status": 0})
        self.assertEqual(self.runtime("web")["state"], "running")


if __name__ == "__main__":
    harness.main()
