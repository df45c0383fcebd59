"""uml_mconsole's commands: its own ones, what it does to the kernel's, and what it refuses (M7 to M19)."""
import os
import signal
import stat
import subprocess
import unittest

from mconsole_world import Case, until

VERSION = "OK Linux web 6.1.176 #1 Debian 6.1.176-1 x86_64\n"


def ok(_):
    return [(0, 0, "")]


class OwnCommands(Case):
    def test_m7_lines_of_standard_input_are_commands_and_the_end_is_success(self):
        self.scripted(lambda command: [(command == "version", 0, command)])
        self.gives(0, "OK go\nERR version\n", "web", stdin="go\n\n   \nversion\n")

    def test_m7_an_empty_line_is_not_sent(self):
        kernel = self.scripted(ok)
        self.gives(0, "OK \n", "web", stdin="\n \t\ngo\n")
        self.assertEqual(kernel.commands, ["go"])

    def test_m7_quit_leaves(self):
        kernel = self.scripted(ok)
        self.gives(0, "OK \n", "web", stdin="go\nquit\nversion\n")
        self.gives(0, "", "web", "quit")
        self.assertEqual(kernel.commands, ["go"])

    def test_m7_help_is_the_kernels_and_ours(self):
        self.scripted(lambda command: [(0, 0, f"<{command}>\n")])
        lines = self.run_program("web", "help").stdout.splitlines()
        self.assertEqual(lines[:3], ["OK <help>", "", "Additional local mconsole commands:"])
        for name in ("quit", "switch GUEST", "log -f FILE", "int", "mconsole-version"):
            self.assertTrue(any(line.startswith(f"    {name} - ") for line in lines), name)

    def test_m7_own_commands_match_by_prefix_as_ever(self):
        self.scripted(lambda command: [(0, 0, command)])
        self.assertIn("Additional local", self.run_program("web", "helpme").stdout)
        self.gives(0, "OK go\n", "web", stdin="go\nquitter\ngo\n")

    def test_m7_switch_turns_to_another_kernel(self):
        self.scripted(lambda command: [(0, 0, "first")])
        self.scripted(lambda command: [(0, 0, "second")], umid="db")
        self.gives(0, "OK first\nSwitched to 'db'\nOK second\n", "web", stdin="version\nswitch db\nversion\n")

    def test_m7_a_switch_that_fails_changes_nothing(self):
        self.scripted(lambda command: [(0, 0, "first")])
        done = self.run_program("web", stdin="switch nobody\nversion\n")
        self.assertRegex(done.stdout, r'^ERR no UML "nobody".*\nOK first\n$')
        self.assertEqual(self.run_program("web", "switch").returncode, 1)

    def test_m8_a_file_goes_to_the_log_in_pieces_of_whole_lines(self):
        kernel = self.scripted(ok)
        text = "".join(f"line {i} of a file\n" for i in range(100))
        with open(f"{self.home}/file", "w", encoding="ascii") as file:
            file.write(text)
        self.gives(0, "OK \n" * 4, "web", "log", "-f", "file")
        self.assertEqual("".join(c[4:] for c in kernel.commands), text)
        for command in kernel.commands:
            self.assertTrue(command.startswith("log line ") and command.endswith(" of a file\n"), command)
            self.assertLessEqual(len(command), 4 + 506 + 1)

    def test_m8_a_line_longer_than_a_request_is_cut_between_characters(self):
        kernel = self.scripted(ok)
        with open(f"{self.home}/file", "wb") as file:
            file.write(b"a" + "ü".encode() * 600 + b"\n  indented \n")
        self.gives(0, "OK \n" * 3, "web", "log", "-f", "file")
        self.assertEqual([c.count("ü") for c in kernel.commands], [252, 252, 96])
        self.assertTrue(kernel.commands[2].endswith("ü\n  indented \n"))

    def test_m8_a_last_line_without_an_end_gets_one_and_controls_are_replaced(self):
        kernel = self.scripted(ok)
        with open(f"{self.home}/file", "wb") as file:
            file.write(b"dos\r\nnul\0esc\x1b\ttab\nlast")
        self.gives(0, "OK \n", "web", "log", "-f", "file")
        self.assertEqual(kernel.commands, ["log dos\nnul?esc?\ttab\nlast\n"])

    def test_m8_a_missing_file_and_a_failing_kernel_are_failures(self):
        self.scripted(lambda command: [(-22, 0, "no")])
        self.assertEqual(self.gives(1, "ERR cannot read missing: No such file or directory\n", "web", "log", "-f", "missing"),
                         "")
        self.gives(1, "ERR cannot read .: Is a directory\n", "web", "log", "-f", ".")
        self.assertEqual(self.run_program("web", "log", "-f").returncode, 1)
        with open(f"{self.home}/file", "w", encoding="ascii") as file:
            file.write("x\n" * 1000)
        self.gives(234, "ERR no\n", "web", "log", "-f", "file")  # and the rest is not sent

    def test_m8_text_goes_to_the_log_with_one_line_feed(self):
        kernel = self.scripted(ok)
        self.gives(0, "OK \n", "web", "log", "two", "words")
        self.assertEqual(kernel.commands, ["log two words\n"])

    def test_m9_int_ends_the_kernel_it_means(self):
        kernel = self.fake()
        self.gives(0, "", "web", "int")
        self.assertEqual(kernel.wait(60), 1)

    def test_m9_int_works_by_path_and_from_any_directory(self):
        kernel = self.fake(uml_dir=f"{self.home}/elsewhere/")
        self.gives(0, "", f"{self.home}/elsewhere/web/mconsole", "int", cwd="/")
        self.assertEqual(kernel.wait(60), 1)

    def test_m9_int_never_signals_what_is_not_that_kernel(self):
        kernel = self.fake()
        bystander = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        pid_file = f"{self.home}/.uml/web/pid"
        for pid in (bystander.pid, 0, -1, 1, "", "x", 2**40, f"{kernel.pid}junk"):
            with open(pid_file, "w", encoding="ascii") as file:
                file.write(f"{pid}\n")
            # a SIGINT to pid 0 would end this test: the program is in its process group
            done = self.run_program("web", "int")
            self.assertIn(done.returncode, (1, 7), pid)
            self.assertTrue(done.stdout.startswith("ERR "), done.stdout)
        os.unlink(pid_file)
        self.assertEqual(self.run_program("web", "int").returncode, 7)
        self.assertIsNone(bystander.poll())
        self.assertIsNone(kernel.poll())

    def test_m19_a_huge_pid_file_is_no_danger(self):
        kernel = self.fake()
        with open(f"{self.home}/.uml/web/pid", "w", encoding="ascii") as file:
            file.write("1" * 100000)
        done = self.run_program("web", "int")
        self.assertEqual((done.returncode, done.stdout[:4]), (1, "ERR "))
        self.assertIsNone(kernel.poll())

    def test_m11_the_protocols_version(self):
        self.scripted(ok)
        self.gives(0, "uml_mconsole client version 2\n", "web", "mconsole-version")

    def test_m12_a_descriptor_is_passed_and_the_kernels_answer_told(self):
        kernel = self.scripted(lambda command: [(1, 0, "Unknown command")])
        fd = os.open(self.home, os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.gives(1, "ERR Unknown command\n", "web", "umlfs", str(fd), pass_fds=[fd])
        until(lambda: len(kernel.commands) == 2, "what wakes others behind an unknown command")
        self.assertEqual(kernel.commands, [f"umlfs {fd}", "version"])
        self.assertTrue(stat.S_ISDIR(os.fstat(kernel.received[0]).st_mode))
        self.gives(1, 'ERR "umlfs" needs an open descriptor\'s number\n', "web", "umlfs", str(fd))
        self.assertEqual(len(kernel.commands), 2)


class KernelCommands(Case):
    def test_m10_names_of_disk_files_are_made_absolute(self):
        kernel = self.scripted(ok)
        for name in ("disk", "base"):
            open(f"{self.home}/{name}", "w", encoding="ascii").close()
        here = os.path.realpath(self.home)
        for given, sent in (("ubd1=disk", f"ubd1={here}/disk"),
                            ("ubd1=disk,base", f"ubd1={here}/disk,{here}/base"),
                            ("ubd1rc=disk:base", f"ubd1rc={here}/disk:{here}/base"),
                            ("ubdb=new.cow,base", f"ubdb={here}/new.cow,{here}/base"),
                            ("ubd1=./disk,,serial", f"ubd1={here}/disk,,serial"),
                            ("ubd1=/dev/null", "ubd1=/dev/null"),
                            ("con1=pts", "con1=pts"), ("ubd1", "ubd1")):
            self.gives(0, "OK \n", "web", "config", given)
            self.assertEqual(kernel.commands[-1], f"config {sent}")

    def test_m10_a_file_that_is_not_there_is_refused(self):
        kernel = self.scripted(ok)
        here = os.path.realpath(self.home)
        for given, missing in (("ubd1=disk", "disk"), ("ubd1=new.cow,base", "base"), ("ubd1=no/new.cow,base", "no/new.cow")):
            done = self.run_program("web", "config", given)
            self.assertEqual((done.returncode, done.stdout), (1, f"ERR there is no file {here}/{missing}\n"))
        self.assertEqual(kernel.commands, [])

    def test_m10_a_path_the_kernels_grammar_cannot_hold_is_refused(self):
        kernel = self.scripted(ok)
        for name, why in (("a:b", "comma or colon"), ("x" * 200 + "/" + "y" * 200 + "/" + "z" * 120, "at most 511")):
            os.makedirs(f"{self.home}/{name}")
            open(f"{self.home}/{name}/disk", "w", encoding="ascii").close()
            done = self.run_program("web", "config", "ubd1=disk", cwd=f"{self.home}/{name}")
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stdout)
        self.assertEqual(kernel.commands, [])

    def test_m13_every_command_of_the_kernel_arrives_as_it_is_written(self):
        kernel = self.scripted(lambda command: [(0, 0, "exec <command> - as in a patched kernel")])
        for line in ("version", "help", "halt", "reboot", "config con0", "config mem=-8M", "remove eth0", "sysrq s", "sysrq",
                     "cad", "stop", "go", "log text\n", "proc cpuinfo", "stack 1", "exec ls -l"):
            self.assertEqual(self.run_program("web", *line.split()).returncode, 0, line)
            self.assertEqual(kernel.commands[-1], line)

    def test_no_command_becomes_another_by_its_prefix(self):
        kernel = self.scripted(ok)
        for line in ("haltfoo", "cadx", "rebooting", "halt now", "versionXYZ", "removeubd0"):
            done = self.run_program("web", *line.split())
            self.assertEqual((done.returncode, done.stdout[:4]), (1, "ERR "), line)
        self.assertEqual(kernel.commands, [])

    def test_m14_what_kills_or_hangs_guests_needs_force(self):
        kernel = self.fake()
        for line, why in (("sysrq t", "crashes"), ("remove ubd0", "crashes the kernel"), ("stack 2", "kernel thread"),
                          ("stack 0", "idle task")):
            done = self.run_program("web", *line.split())
            self.assertEqual(done.returncode, 1, line)
            self.assertIn(why, done.stdout)
            self.assertIn("--force", done.stderr)
        self.assertIsNone(kernel.poll())
        self.gives(0, VERSION, "web", "version")
        self.assertIn(self.run_program("--force", "--timeout", "2", "web", "sysrq", "t").returncode, (7, 10))
        self.assertEqual(kernel.wait(60), -signal.SIGABRT)

    def test_m14_what_is_no_danger_keeps_its_old_status(self):
        self.fake()
        self.gives(237, "ERR Device doesn't exist\n", "web", "remove", "ubd5")
        self.assertIn("Call Trace", self.run_program("web", "stack", "1").stdout)

    def test_m18_exec_goes_to_patched_kernels(self):
        self.fake("fake=exec")
        self.gives(0, "OK ran: ls -l /\n\n", "web", "exec", "ls", "-l", "/")
        self.fake(umid="plain")
        self.assertIn("patched kernels", self.run_program("plain", "exec", "ls").stdout)
        self.gives(1, "ERR Unknown command\n", "-f", "plain", "exec", "ls")
        self.assertEqual(self.run_program("plain", "version").returncode, 0)  # the queue behind it is not stalled

    def test_long_answers_of_a_real_queue_come_whole(self):
        self.fake()
        self.assertGreaterEqual(len(self.run_program("web", "proc", "kallsyms").stdout), 6200)

    def test_a_command_of_512_bytes_is_refused_and_not_sent(self):
        kernel = self.scripted(ok)
        self.assertEqual(self.run_program("web", "proc", "x" * 506).returncode, 0)
        self.assertIn("512 bytes long, the kernel takes at most 511", self.run_program("web", "proc", "x" * 507).stdout)
        self.assertEqual(len(kernel.commands), 1)


class CommandLine(Case):
    def test_without_arguments_usage_and_1(self):
        done = self.run_program()
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("usage: uml_mconsole", done.stderr)

    def test_options_stand_before_the_name_only(self):
        kernel = self.scripted(ok)
        self.gives(0, "OK \n", "web", "proc", "--force")
        self.assertEqual(kernel.commands, ["proc --force"])
        for wrong in (["--nonsense", "web"], ["--timeout", "0", "web"], ["-t", "many", "web"], ["-t"]):
            self.assertEqual(self.run_program(*wrong).returncode, 1, wrong)

    def test_help_and_version(self):
        self.assertIn("--force", self.run_program("--help").stdout)
        self.assertRegex(self.run_program("--version").stdout, r"^uml_mconsole \d")

    def test_a_kernel_that_was_halted_is_gone(self):
        kernel = self.fake()
        self.gives(0, "OK \n", "web", "halt")
        self.assertEqual(kernel.wait(60), 0)
        until(lambda: not os.path.exists(f"{self.home}/.uml/web"), "its directory's end")
        self.assertEqual(self.run_program("web", "version").returncode, 7)


if __name__ == "__main__":
    unittest.main()
