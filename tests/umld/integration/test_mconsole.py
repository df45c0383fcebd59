"""mconsole through the API: guards that ask the kernel first, patched kernels, pieces of logs, SIGINT."""
import os
import subprocess

import harness

UML_MCONSOLE = os.path.join(harness.BUILD, "mconsole", "uml_mconsole")


class Mconsole(harness.Case):
    def ask(self, command, **more):
        return self.call("Guest.Mconsole", name="web", command=command, **more)

    def refused(self, command, reason):
        error = self.fails("InvalidValue", "Guest.Mconsole", name="web", command=command)
        self.assertIn(reason, error.message)
        self.assertIn("--force", error.hint)
        self.assertEqual(self.runtime("web")["state"], "running")

    def test_removing_a_disk_that_was_never_set_up_is_refused(self):
        self.boot("web")
        self.refused("remove ubd0", "crashes the kernel")
        # an empty slot is no danger: the kernel says so itself
        self.assertEqual(self.ask("remove ubd5"), {"text": "Device doesn't exist", "status": -19})

    def test_force_sends_it_and_the_kernel_crashes(self):
        self.boot("web")
        with self.client() as asker:
            asker.send("Guest.Mconsole", {"name": "web", "command": "remove ubd0", "force": True})
            self.assertEqual(self.wait("web", "failed")["exitSignal"], 6)

    def test_a_disk_that_is_there_is_removed(self):
        self.boot("web", "ubd1=" + self.file("data.img", harness.EXT4))
        self.assertEqual(self.ask("remove ubd1"), {"text": "", "status": 0})
        self.assertEqual(self.ask("remove ubd1")["status"], -19)

    def test_stacks_of_kernel_threads_are_refused(self):
        self.boot("web")
        self.assertIn("Call Trace", self.ask("stack 1")["text"])
        self.refused("stack 2", "kernel thread")
        self.assertEqual(self.ask("stack 2", force=True)["status"], 1)

    def test_exec_goes_to_patched_kernels_only(self):
        self.boot("web")
        self.refused("exec ls", "patched")
        self.assertEqual(self.ask("exec ls", force=True), {"text": "Unknown command", "status": 1})
        self.assertIn("Linux", self.ask("version")["text"])  # and what comes next is not held up

    def test_a_patched_kernel_executes(self):
        self.boot("web", fake="exec")
        self.assertEqual(self.ask("exec ls -l /")["text"], "ran: ls -l /\n")

    def test_a_guard_and_its_command_share_one_time_limit(self):
        self.boot("web", fake="silent")
        error = self.fails("GuestUnresponsive", "Guest.Mconsole", name="web", command="remove ubd1", timeoutMs=300)
        self.assertIn("web", error.object)

    def test_a_piece_of_a_file_is_logged_as_it_is(self):
        self.boot("web")
        self.ask("log   two\n lines\n")
        harness.until(lambda: "  two\n lines\n" in self.log("web"), 20, "the text in the log")

    def test_uml_mconsole_reaches_a_guest_in_its_sandbox(self):
        """Its address has to be a path there: the guest is in another network namespace."""
        self.boot("web", "ubd1=" + self.file("data.img", harness.EXT4))
        ask = lambda *words: subprocess.run([UML_MCONSOLE, "web", *words], env=self.daemon.environment(), text=True,
                                            stdout=subprocess.PIPE, timeout=harness.LIMIT, check=False)
        done = ask("version")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout.startswith("OK Linux "), done.stdout)
        self.assertGreater(len(ask("proc", "kallsyms").stdout), 6200)
        self.assertIn("umlctl mconsole web int", subprocess.run(
            [UML_MCONSOLE, "web", "int"], env=self.daemon.environment(), text=True, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, timeout=harness.LIMIT, check=False).stderr)
        self.assertEqual(sorted(os.listdir(f"{self.daemon.run}/g/web/in")), ["notify", "uml"])

    def test_umlctl_interrupts(self):
        self.boot("web")
        self.assertEqual(self.daemon.umlctl("mconsole", "web", "int").returncode, 0)
        self.assertEqual(self.wait("web", "failed")["exitStatus"], 1)

    def test_interrupt_is_a_sigint_to_the_kernel_alone(self):
        self.boot("web")
        self.boot("other")
        self.assertEqual(self.call("Guest.Interrupt", name="web"), {})
        self.assertEqual(self.wait("web", "failed")["exitStatus"], 1)  # a kernel without debugger ends
        self.assertEqual(self.runtime("other")["state"], "running")

    def test_interrupt_needs_a_running_guest(self):
        self.create("web")
        self.fails("NotRunning", "Guest.Interrupt", name="web")
        self.fails("NotFound", "Guest.Interrupt", name="nobody")


if __name__ == "__main__":
    harness.main()
