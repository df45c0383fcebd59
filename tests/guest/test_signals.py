#!/usr/bin/env python3
"""A real guest speaks through /proc/mconsole, hangs, and uses the kernel's watchdog."""

import os
import shutil
import signal

import guest_harness


class Signals(guest_harness.Case):
    def event(self, guest, kind, seconds=60):
        return guest_harness.until(lambda: self.events(guest, kind), f"{kind} of {guest.name}", seconds)[-1]

    # ---- words

    def test_all_forms_from_inside(self):
        guest = self.guest("words")
        with guest.shell() as shell:
            shell.run("echo STATUS=serving >/proc/mconsole")
            shell.run("printf 'HEALTH=failing disk full\\nMETRIC requests 12\\nMETRIC load 0.25\\n' >/proc/mconsole")
            shell.run("echo HEALTH=perhaps >/proc/mconsole; echo hello >/proc/mconsole")
            guest_harness.until(lambda: self.events(guest, "guest.notify"), "the last words")
            now = guest.runtime()
            self.assertEqual((now["status"], now["health"], now["healthText"], now["metrics"], now["notifyBad"]),
                             ("serving", "failing", "disk full", {"requests": 12, "load": 0.25}, 1))
            shell.run("echo HEALTH=ok >/proc/mconsole")
            guest_harness.until(lambda: guest.runtime()["health"] == "ok", "the recovery")
        self.assertEqual([e["health"] for e in self.events(guest, "guest.health")], ["failing", "ok"])
        self.assertIn('guest_requests{guest="words"} 12', self.daemon.ctl("metrics", "words").stdout)

    def test_more_than_512_bytes_are_cut_by_the_kernel_and_the_rest_not_believed(self):
        guest = self.guest("long")
        with guest.shell() as shell:
            shell.run("x=$(printf '%0490d' 7); printf \"STATUS=$x\\nMETRIC m 123456789\\n\" >/tmp/words")
            shell.run("dd if=/tmp/words of=/proc/mconsole bs=1024 count=1")  # one write
            self.event(guest, "guest.signal-bad")
        now = guest.runtime()
        self.assertEqual((len(now["status"]), now.get("metrics"), now["notifyBad"]), (490, None, 1))

    def test_only_root_of_the_guest_may_speak(self):
        guest = self.guest("nobody")
        with guest.shell() as shell:
            shell.run("mount -t tmpfs none /mnt; cp /etc/passwd /mnt; echo somebody:x:1000:1000::/:/bin/sh >>/mnt/passwd; "
                      "mount -o bind /mnt/passwd /etc/passwd")
            shell.run("busybox su somebody -c true")
            status = shell.run("busybox su somebody -c 'echo WANT=halt >/proc/mconsole'", check=False)[1]
            self.assertNotEqual(status, 0)
        self.assertEqual(guest.runtime()["state"], "running")

    def test_its_wishes_are_followed_in_order(self):
        guest = self.guest("wishes", "ubd0=" + self.daemon.disk("wishes.img"), "restart=always")
        main = guest.pid()
        with guest.shell() as shell:
            shell.send("echo WANT=reboot >/proc/mconsole\n")
            guest_harness.until(lambda: guest.runtime()["bootNumber"] == 2, "the reboot")
        now = guest.wait("ready")
        self.assertEqual((now["pid"], now["state"]), (main, "running"))
        with guest.shell() as shell:
            shell.send("echo WANT=halt >/proc/mconsole\n")
            now = guest.wait("stopped")
        self.assertEqual((now["want"], now["exitStatus"]), ("down", 0))
        self.assertEqual([e["want"] for e in self.events(guest, "guest.want")], ["reboot", "halt"])

    def test_a_panic_keeps_the_kernels_dump(self):
        guest = self.guest("panic")
        with guest.shell() as shell:
            shell.send("echo c >/proc/sysrq-trigger\n")
            guest.wait("failed")
        evidence = self.event(guest, "guest.evidence")
        with open(evidence["path"], encoding="utf-8") as file:
            text = file.read()
        self.assertIn("sysrq triggered crash", text)
        self.assertIn("Call Trace", text.split("== con0, the end ==")[1])

    # ---- hangs

    def test_a_stopped_kernel_hangs_recovers_and_is_restarted_if_its_policy_says_so(self):
        self.daemon.ctl("settings", "hang-seconds=2")
        self.addCleanup(self.daemon.ctl, "settings", "hang-seconds=30")
        seen, dog, deaf = (self.guest(name, "hang=" + policy, start=False)
                           for name, policy in (("seen", "event"), ("dog", "restart"), ("deaf", "none")))
        self.daemon.ctl("start", "seen", "dog", "deaf")
        mains = {guest.name: guest.pid() for guest in (deaf, seen, dog)}
        for main in mains.values():
            os.kill(main, signal.SIGSTOP)
        event = self.event(seen, "guest.hang")
        self.assertEqual((event["source"], event["text"]), ("mconsole", "no answer for 2 s"))
        with open(event["evidence"], encoding="utf-8") as file:
            self.assertRegex(file.read(), r"State:\s+T")
        self.assertEqual(seen.runtime()["watch"], "hung")
        os.kill(mains["seen"], signal.SIGCONT)
        self.event(seen, "guest.responsive")
        self.assertEqual((seen.runtime()["watch"], seen.pid()), ("responsive", mains["seen"]))
        guest_harness.until(lambda: dog.runtime()["bootNumber"] == 2, "the restart")
        self.assertTrue(dog.wait("ready")["ready"])
        self.assertNotEqual(dog.pid(), mains["dog"])
        self.assertEqual((self.events(deaf, "guest.hang"), deaf.runtime()["state"]), ([], "running"))
        os.kill(mains["deaf"], signal.SIGCONT)
        with deaf.shell() as shell:
            self.assertEqual(shell.run("echo alive"), "alive")


class Watchdog(guest_harness.Case):
    """With a helper that has less patience, but is otherwise the same program."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shutil.copy(os.path.join(guest_harness.BUILD, "tests/netd/compat/hasty_watchdog"),
                    cls.daemon.folder + "/p/libexec/umld/compat/uml_watchdog")

    def test_a_watchdog_that_is_not_written_to_bites(self):
        guest = self.guest("bites", "hang=restart")
        with guest.shell() as shell:
            shell.run("[ -c /dev/watchdog ] || mknod /dev/watchdog c 10 130")
            shell.run("exec 3>/dev/watchdog && echo >&3")
            event = guest_harness.until(lambda: self.events(guest, "guest.hang"), "the hang")[0]
            self.assertEqual((event["source"], event["policy"]), ("watchdog", "restart"))
            guest_harness.until(lambda: guest.runtime()["bootNumber"] == 2, "the restart")
        guest.wait("ready")

    def test_one_that_is_written_to_or_closed_does_not(self):
        fed, biting = self.guest("fed"), self.guest("biting")
        with fed.shell() as shell, biting.shell() as other:
            shell.run("[ -c /dev/watchdog ] || mknod /dev/watchdog c 10 130")
            other.run("[ -c /dev/watchdog ] || mknod /dev/watchdog c 10 130")
            shell.run("exec 3>/dev/watchdog && echo >&3; exec 3>&-")  # closed: the helper goes
            shell.run("(exec 3>/dev/watchdog; while echo >&3; do usleep 100000; done) &")
            other.run("exec 3>/dev/watchdog")
            guest_harness.until(lambda: self.events(biting, "guest.hang"), "the other one's hang")
        self.assertEqual(self.events(fed, "guest.hang"), [])


if __name__ == "__main__":
    guest_harness.main()
