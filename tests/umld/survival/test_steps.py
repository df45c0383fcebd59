"""umld dies at one named step of a verb and is started again: the work is finished or undone by rule."""
import os
import signal
import time
import unittest

import world
from world import Case, until


class Steps(Case):
    """Each point of the list in turn, with a guest of its own in the same world."""

    def die_at(self, point, method, **parameters):
        self.w.arm(point)
        with self.w.send_only(method, **parameters):
            self.w.died()

    def each(self, points, one):
        for number, point in enumerate(points):
            with self.subTest(point=point):
                try:
                    one(f"g{number}", point)
                finally:
                    self.w.disarm()
                    if not self.w.up():
                        self.w.start()
                    self.w.settled()
                    self.check_reality()

    def assert_jobs_closed(self):
        self.assertEqual(self.w.call("Job.List", active=True)["jobs"], [])
        events = self.w.events()
        begun, ended = ([e["data"]["job"] for e in events if e["type"] == kind] for kind in ("job.started", "job.ended"))
        self.assertEqual(sorted(begun), sorted(ended), "each job has one beginning and one end")

    def assert_job(self, name, kind, state, **more):
        """The job of that guest has this outcome, by its rule, whichever daemon saw it."""
        jobs = [j for j in self.w.call("Job.List", limit=1000)["jobs"] if (j["object"], j["kind"]) == (name, kind)]
        self.assertEqual(len(jobs), 1, jobs)
        job = self.w.call("Job.Wait", id=jobs[0]["id"], timeoutMs=world.LIMIT * 1000)["job"]
        self.assertEqual({key: job.get(key) for key in ("state", *more)}, {"state": state, **more})


class Start(Steps):
    def test_a_start_cut_off_before_it_was_stored_never_happened(self):
        def one(name, point):
            self.w.create(name)
            self.die_at(point, "Guest.Start", name=name)
            self.w.start()
            run = self.w.settled()[name]
            self.assertEqual((run["state"], run["want"]), ("stopped", "down"))
            self.assertEqual([j for j in self.w.call("Job.List")["jobs"] if j["object"] == name], [])
            self.assert_jobs_closed()
        self.each(["enter:preparing", "before-commit"], one)

    def test_a_stored_start_is_finished(self):
        def one(name, point):
            self.w.create(name)
            self.die_at(point, "Guest.Start", name=name)
            self.w.start()
            run = self.w.wait(name, "ready")
            self.assertEqual((run["state"], run["want"], run["restarts"]), ("running", "up", 0))
            self.assert_job(name, "guest.start", "done", done=3, total=3)
            self.assert_jobs_closed()
            types = [e["type"] for e in self.w.events(guest=name)]
            self.assertEqual((types.count("guest.kernel-up"), types.count("guest.ready")), (1, 1), types)
        self.each(["stored:preparing", "done:preparing", "enter:booting", "stored:booting", "spawned:booting",
                   "done:booting", "enter:running"], one)

    def test_the_guest_whose_start_it_saw_through_keeps_its_processes(self):
        self.w.create("web")
        self.die_at("done:booting", "Guest.Start", name="web")
        pids = until(lambda: len(self.w.ours()) >= 4 and self.w.ours(), what="its processes")
        self.w.start()
        run = self.w.wait("web", "ready")
        self.assertLessEqual({run["pid"], run["monitorPid"]}, pids)

    def test_ready_that_came_while_it_was_dead_is_announced(self):
        self.w.create("web", fake="slow=0")
        self.w.call("Guest.Start", name="web", wait="none")
        self.w.kill()
        time.sleep(0.3)
        self.w.start()
        self.assertTrue(self.w.wait("web", "ready")["ready"])
        self.assertIn("guest.ready", [e["type"] for e in self.w.events(guest="web")])


class Stop(Steps):
    def test_a_stop_is_finished_whatever_rung_it_was_on(self):
        fakes = {"sysrq s": "ignorecad", "sysrq u": "ignorecad", "halt": "ignorecad"}
        self.w.call("Server.Set", name="stop-seconds", value="1")

        def one(name, point):
            self.w.boot(name, fakes.get(point, "ignorecad" if "stopping" in point else ""))
            self.die_at(point, "Guest.Stop", name=name)
            self.w.start()
            run = self.w.wait(name, "exit")
            self.assertEqual((run["state"], run["want"]), ("stopped", "down"))
            self.assertNotIn("cause", run)
            self.assert_job(name, "guest.stop", "done", done=3, total=3)
            self.assert_jobs_closed()
        self.each(["stored:stopping", "done:stopping", "cad", "sysrq s", "sysrq u", "halt", "enter:releasing",
                   "stored:releasing", "done:releasing", "enter:stopped", "stored:stopped", "done:stopped"], one)

    def test_a_stop_that_was_not_stored_did_not_happen(self):
        before = self.w.boot("web")
        self.die_at("enter:stopping", "Guest.Stop", name="web")
        self.w.start()
        run = self.w.settled()["web"]
        self.assertEqual((run["state"], run["pid"]), ("running", before["pid"]))

    def test_a_paused_guest_is_resumed_first_by_the_next_daemon_too(self):
        self.w.boot("web")
        self.w.call("Guest.Pause", name="web")
        self.die_at("stored:stopping", "Guest.Stop", name="web")
        self.w.start()
        run = self.w.wait("web", "exit")
        # One that cannot answer would have been killed in the end.
        self.assertEqual((run["state"], run["exitStatus"], run.get("exitSignal")), ("stopped", 0, None))

    def test_a_start_wished_behind_a_stop_still_comes(self):
        self.w.call("Server.Set", name="stop-seconds", value="1")
        self.w.boot("web", "ignorecad")
        self.w.send_only("Guest.Stop", name="web").socket.close()
        self.w.wait("web", "stopping")
        self.w.call("Guest.Start", name="web", wait="none")
        self.w.restart()
        run = self.w.wait("web", "ready")
        self.assertEqual((run["bootNumber"], run["want"]), (2, "up"))

    def test_a_kill_is_finished(self):
        def one(name, point):
            self.w.boot(name)
            self.die_at(point, "Guest.Kill", name=name)
            self.w.start()
            run = self.w.wait(name, "exit")
            self.assertEqual((run["state"], run["want"], run.get("cause")), ("stopped", "down", None))
        self.each(["stored:killing", "done:killing", "stored:releasing", "done:releasing"], one)


class Verbs(Steps):
    def test_pause_and_resume_are_carried_on(self):
        def one(name, point):
            verb, state, point = point.split("/")
            self.w.boot(name)
            if verb == "Resume":
                self.w.call("Guest.Pause", name=name)
            before = self.w.runtime(name)
            self.die_at(point, "Guest." + verb, name=name)
            self.w.start()
            after = self.w.wait(name, state)
            self.assertEqual(after["pid"], before["pid"])
        self.each(["Pause/paused/stored:running", "Pause/paused/done:running", "Pause/paused/enter:paused",
                   "Resume/running/stored:paused", "Resume/running/done:paused", "Resume/running/enter:running"], one)

    def test_paused_stays_paused_through_two_daemons(self):
        before = self.w.boot("web")
        self.w.call("Guest.Pause", name="web")
        self.w.restart()
        self.w.restart()
        run = self.w.settled()["web"]
        self.assertEqual((run["state"], run["pid"]), ("paused", before["pid"]))
        self.w.call("Guest.Resume", name="web")

    def test_a_crash_in_the_middle_of_adopting_loses_nothing(self):
        before = self.w.boot("web")
        self.w.call("Guest.Pause", name="web")
        for point in ("before-commit", "after-commit", "enter:paused"):
            self.w.kill()
            self.w.arm(point)
            self.w.start()
            self.w.died()
        self.w.start()
        run = self.w.settled()["web"]
        self.assertEqual((run["state"], run["pid"]), ("paused", before["pid"]))

    def test_a_reboot_is_carried_on(self):
        def one(name, point):
            before = self.w.boot(name)
            self.die_at(point, "Guest.Reboot", name=name)
            self.w.start()
            until(lambda: self.w.runtime(name)["bootNumber"] > 1 and self.w.runtime(name)["ready"])
            run = self.w.settled()[name]
            self.assertEqual((run["state"], run["pid"]), ("running", before["pid"]))
        self.each(["stored:running", "done:running"], one)

    def test_definitions_are_whole_or_not_there(self):
        w = self.w
        for point, there in (("before-commit", False), ("after-commit", True)):
            self.die_at(point, "Guest.Create", definition={"name": "new", "kernel": "fake"})
            w.start()
            self.assertEqual("new" in w.guests(), there)
        for point, value in (("before-commit", None), ("after-commit", "mem=48M")):
            self.die_at(point, "Guest.Update", name="new", set=["mem=48M"])
            w.start()
            values = [v["value"] for v in w.call("Guest.Config", name="new")["values"]]
            self.assertEqual(values, ([value] if value else []) + ["kernel=fake"])
        for point, there in (("before-commit", True), ("after-commit", False)):
            self.die_at(point, "Guest.Remove", name="new")
            w.start()
            self.assertEqual("new" in w.guests(), there)
        self.check_reality()


class Signals(Steps):
    """What a guest wishes, and what is done about one that hangs."""

    def die_at_words(self, point, name, line):
        self.w.arm(point)
        with self.w.send_only("Console.Send", name=name, data=line + "\n"):
            self.w.died()

    def told(self, name, kind):
        return [e for e in self.w.events(guest=name) if e["type"] == kind]

    def test_a_wish_to_halt_is_followed_even_if_it_was_not_stored(self):
        def one(name, point):
            self.w.boot(name, restart="always")
            self.die_at_words(point, name, "notify WANT=halt")
            self.w.start()
            run = self.w.wait(name, "exit")
            self.assertEqual((run["state"], run["want"], run["exitStatus"]), ("stopped", "down", 0))
            self.assertEqual(len(self.told(name, "guest.want")), 1)
        self.each(["enter:stopping", "stored:stopping", "done:stopping"], one)

    def test_a_wish_to_reboot_is_followed_once(self):
        def one(name, point):
            before = self.w.boot(name)
            self.die_at_words(point, name, "notify WANT=reboot")
            self.w.start()
            until(lambda: self.w.runtime(name)["bootNumber"] > 1 and self.w.runtime(name)["ready"])
            # Behind whatever else may be on its way to the kernel.
            self.w.call("Guest.Mconsole", name=name, command="sysrq s")
            self.w.call("Guest.Mconsole", name=name, command="version")
            run = self.w.settled()[name]
            self.assertEqual((run["state"], run["pid"], run["bootNumber"]), ("running", before["pid"], 2))
            self.assertEqual(len(self.told(name, "guest.want")), 1)
        self.each(["stored:running", "done:running"], one)

    def test_a_guest_that_hangs_is_restarted_or_left_failed_whoever_sees_it_through(self):
        self.w.call("Server.Set", name="hang-seconds", value="1")

        def one(name, point):
            policy, point = point.split("/")
            before = self.w.boot(name, hang=policy)
            self.w.arm(point)
            os.kill(before["pid"], signal.SIGSTOP)
            self.w.died()
            self.w.start()
            if policy == "restart":
                until(lambda: self.w.runtime(name)["bootNumber"] == 2 and self.w.runtime(name)["ready"])
                self.assertEqual(self.w.runtime(name)["restarts"], 1)
            else:
                run = self.w.wait(name, "exit")
                self.assertEqual(run["state"], "failed")
                self.assertTrue(run["cause"].startswith("hung"), run["cause"])
            self.assertEqual(len(self.told(name, "guest.hang")), 1)
        self.each([f"{policy}/{point}" for policy in ("restart", "kill")
                   for point in ("enter:killing", "stored:killing", "done:killing")], one)


class Attach(Steps):
    def attach_and_die(self, point):
        """The connection of a client whose attachment umld did not see through, and what it was sent."""
        self.w.arm(point)
        console = self.w.connect()
        self.addCleanup(console.socket.close)
        console.send("Console.Attach", {"name": "web"}, upgrade=True)
        self.w.died()
        return console

    def typed(self, console, line):
        console.socket.sendall(line + b"\n")
        text = b""
        while b"fake: " + line not in text:
            text += console.take()

    def test_a_client_that_umlmon_has_taken_is_attached_although_umld_dies(self):
        self.w.boot("web")
        console = self.attach_and_die("attached")
        self.assertEqual(console.receive(), {"parameters": {"device": "con0", "boot": 1}})
        self.typed(console, b"nobody but us")
        self.w.start()
        self.w.wait("web", "running")
        with self.assertRaises(world.Refused) as caught:
            self.w.attach("web")
        self.assertEqual(caught.exception.name, "Busy")
        self.typed(console, b"still us")

    def test_a_client_has_no_reply_or_is_attached(self):
        before = self.w.boot("web")
        # Stopped, so that umld is gone before its request is read.
        os.kill(before["monitorPid"], signal.SIGSTOP)
        console = self.attach_and_die("attach")
        os.kill(before["monitorPid"], signal.SIGCONT)
        self.assertEqual(console.socket.recv(100), b"")
        self.w.start()
        self.w.wait("web", "running")
        with self.w.attach("web") as other:
            self.typed(other, b"the next one")
        # Not stopped: it is one or the other.
        for _ in range(3):
            console = self.attach_and_die("attach")
            try:
                console.receive()
            except world.Gone:
                pass
            else:
                self.typed(console, b"taken")
            console.socket.close()
            self.w.start()
            self.w.wait("web", "running")


class Jobs(Steps):
    def test_a_start_that_fails_under_the_next_daemon_is_a_failed_job(self):
        def one(name, point):
            self.w.create(name, "noready,panic=300")
            self.die_at(point, "Guest.Start", name=name)
            self.w.start()
            self.assert_job(name, "guest.start", "failed", errorName="Crashed")
            self.assert_jobs_closed()
        self.each(["stored:preparing", "stored:booting", "done:booting", "enter:running", "enter:releasing"], one)

    def test_a_start_that_is_cancelled_under_the_next_daemon(self):
        def one(name, point):
            self.w.create(name, "noready")
            self.die_at(point, "Guest.Start", name=name)
            self.w.start()
            job = self.w.call("Job.List", active=True)["jobs"][0]
            self.assertEqual((job["kind"], job["object"]), ("guest.start", name))
            self.assertTrue(self.w.call("Job.Cancel", id=job["id"])["changed"])
            self.assert_job(name, "guest.start", "cancelled", errorName="Cancelled")
            self.assertEqual(self.w.wait(name, "exit")["state"], "stopped")
            self.assert_jobs_closed()
        self.each(["stored:preparing", "done:booting", "enter:running"], one)

    def test_a_job_whose_time_ran_out_meanwhile_has_a_little_more(self):
        """The limit is that of the call; a daemon that was away gives the guest ten seconds to be seen as it is."""
        self.w.create("web", "noready")
        self.w.arm("done:booting")
        with self.w.send_only("Guest.Start", name="web", timeoutMs=1):
            self.w.died()
        self.w.start()
        self.w.wait("web", "running")
        self.w.call("Console.Send", name="web", data="notify READY=1\n")
        self.assert_job("web", "guest.start", "done")

    def test_the_job_of_a_guest_that_is_gone_has_failed(self):
        self.w.create("web", "noready")
        with self.w.send_only("Guest.Start", name="web"):
            self.w.wait("web", "running")
            self.w.arm("after-commit")
            self.w.send_only("Guest.Remove", name="web", force=True).socket.close()
            self.w.died()
        self.w.start()
        until(lambda: "web" not in self.w.guests() or self.w.guests()["web"]["state"] == "stopped")
        job = self.w.call("Job.List")["jobs"][0]
        self.assertIn(self.w.call("Job.Wait", id=job["id"])["job"]["state"], ("failed", "cancelled"))
        self.assert_jobs_closed()

    def test_a_kernel_probe_cut_off_leaves_no_guest_and_no_verdict(self):
        w = self.w
        kernel = w.directory + "/fake_guest-6.5.0"
        with open(world.FAKE, "rb") as source, open(kernel, "wb") as copy:
            copy.write(source.read())
        world.os.chmod(kernel, 0o755)
        for point in ("probe-stored:booting", "probe-spawned:booting", "probe-done:booting", "probe-enter:running"):
            with self.subTest(point=point):
                self.die_at(point, "Kernel.Add", path=kernel, name="other")
                w.start()
                until(lambda: not w.directories(), what="the probe's directory removed")
                self.assertEqual([n for n in world.os.listdir(w.state + "/guests") if n.startswith("probe-")], [])
                self.assertEqual(w.call("Job.List")["jobs"][0]["error"][-14:], "probe it again")
                self.assert_jobs_closed()
                self.check_reality()
        self.assertTrue(w.call("Kernel.Add", path=kernel, name="other")["kernel"])

    @unittest.skipUnless(world.shutil.which("busybox"), "no busybox")
    def test_an_image_build_cut_off_leaves_no_file_and_a_failed_job(self):
        w = self.w
        with w.send_only("Image.Build", kind="busybox", name="img", bytes=16 << 20):
            until(lambda: world.below([w.process.pid]), what="the builder")
            w.kill()
        until(lambda: not w.ours(), what="the end of the builder")
        w.start()
        self.assertEqual(w.call("Image.List")["images"], [])
        jobs = [j for j in w.call("Job.List")["jobs"] if j["kind"] == "image.build"]
        self.assertEqual([j["state"] for j in jobs], ["failed"])
        self.assertIn("build it again", jobs[0]["error"])
        self.assertEqual([n for n in world.os.listdir(w.state + "/images")], [])
        w.call("Image.Build", kind="busybox", name="img", bytes=16 << 20)


if __name__ == "__main__":
    world.main()
