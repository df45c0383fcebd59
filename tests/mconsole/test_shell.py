"""The shell on a terminal: line editing, history, completion, ^C and ^D. uml_mconsole is its front here."""
import os
import signal
import stat
import unittest

from mconsole_world import Case, until

UP, CONTROL_A, CONTROL_C, CONTROL_D, CONTROL_R, TAB = "\x1b[A", "\x01", "\x03", "\x04", "\x12", "\t"


def echo(command):
    """Answers tell what was asked, so that they cannot be taken for what was typed."""
    return [(0, 0, f"<{command}>")]


class Shell(Case):
    def setUp(self):
        super().setUp()
        self.env["XDG_STATE_HOME"] = f"{self.home}/state"
        self.history = f"{self.home}/state/umld/mconsole_history"

    def begin(self, answer=echo, umid="web"):
        self.kernel = self.scripted(answer, umid)
        return self.again(umid)

    def again(self, umid="web"):
        terminal = self.terminal(umid)
        terminal.expect(f"({umid}) ")
        return terminal

    def answered(self, terminal, text):
        """The answer is there, and so is the next prompt: only now are keys the line editor's."""
        terminal.expect(text)
        terminal.expect(") ")

    def lines(self):
        with open(self.history, encoding="utf-8") as file:
            return file.read().splitlines()

    def test_the_prompt_has_the_guests_name_and_control_d_ends_with_0(self):
        terminal = self.begin()
        terminal.type("version\r")
        self.answered(terminal, "OK <version>")
        terminal.type(CONTROL_D)
        self.assertEqual(terminal.wait(), 0)

    def test_quit_ends_with_0_whatever_came_before(self):
        terminal = self.begin(lambda command: [(-22, 0, "no")])
        terminal.type("version\r")
        self.answered(terminal, "ERR no")
        terminal.type("quit\r")
        self.assertEqual(terminal.wait(), 0)

    def test_a_line_is_edited(self):
        terminal = self.begin()
        terminal.type("rsiono" + "\x7f" + CONTROL_A + "ve\r")
        self.answered(terminal, "OK <version>")

    def test_control_c_gives_up_the_line_and_nothing_else(self):
        terminal = self.begin()
        terminal.type("halt" + CONTROL_C)
        terminal.expect("halt^C\r\n(web) ")
        terminal.type("version\r")
        self.answered(terminal, "OK <version>")
        terminal.type(CONTROL_C)
        terminal.type("go\r")
        self.answered(terminal, "OK <go>")
        self.assertEqual(self.kernel.commands, ["version", "go"])

    def test_control_c_while_a_command_runs_ends_the_shell(self):
        terminal = self.begin(lambda command: None)
        terminal.type("version\r")
        until(lambda: self.kernel.commands, "the command")
        terminal.type(CONTROL_C)
        self.assertEqual(terminal.wait(), 128 + signal.SIGINT)

    def test_earlier_lines_come_back_in_this_shell_and_the_next(self):
        terminal = self.begin()
        for line in ("proc cpuinfo", "version"):
            terminal.type(line + "\r")
            self.answered(terminal, f"OK <{line}>")
        terminal.type(UP + UP + "\r")
        self.answered(terminal, "OK <proc cpuinfo>")
        terminal.type("quit\r")
        terminal.wait()
        terminal = self.again()
        terminal.type(CONTROL_R + "vers\r")
        self.answered(terminal, "OK <version>")
        self.assertEqual(self.lines(), ["proc cpuinfo", "version", "proc cpuinfo", "quit", "version"])

    def test_the_history_is_its_owners_alone_and_survives_a_kill(self):
        os.umask(os.umask(0) & ~0o077)  # no help from the umask
        terminal = self.begin()
        terminal.type("proc secret\r")
        self.answered(terminal, "OK <proc secret>")
        os.kill(terminal.pid, signal.SIGKILL)
        self.assertEqual(self.lines(), ["proc secret"])
        self.assertEqual(stat.S_IMODE(os.stat(self.history).st_mode), 0o600)
        os.chmod(self.history, 0o644)
        self.again()
        self.assertEqual(stat.S_IMODE(os.stat(self.history).st_mode), 0o600)

    def test_the_history_is_bounded(self):
        os.makedirs(os.path.dirname(self.history))
        with open(self.history, "w", encoding="ascii") as file:
            file.writelines(f"proc {i}\n" for i in range(2000))
        terminal = self.begin()
        self.assertEqual(self.lines(), [f"proc {i}" for i in range(1500, 2000)])
        terminal.type(UP + "\r")
        self.answered(terminal, "OK <proc 1999>")

    def test_a_history_nobody_typed_is_begun_anew(self):
        os.makedirs(os.path.dirname(self.history))
        with open(self.history, "wb") as file:
            file.truncate(100 << 20)
        terminal = self.begin()
        terminal.type("go\r")
        self.answered(terminal, "OK <go>")
        self.assertEqual(self.lines(), ["go"])

    def test_without_a_place_for_history_the_shell_works(self):
        with open(f"{self.home}/state", "w", encoding="ascii"):
            pass
        self.scripted(echo)
        terminal = self.terminal("web")
        terminal.expect("state")  # it says so
        terminal.expect("(web) ")
        terminal.type("go\r")
        self.answered(terminal, "OK <go>")

    def test_a_history_that_is_a_link_is_not_followed(self):
        os.makedirs(os.path.dirname(self.history))
        with open(f"{self.home}/precious", "w", encoding="ascii") as file:
            file.write("precious")
        os.symlink(f"{self.home}/precious", self.history)
        terminal = self.begin()
        terminal.type("go\r")
        self.answered(terminal, "OK <go>")
        with open(f"{self.home}/precious", encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")

    def test_tab_completes_a_command(self):
        terminal = self.begin()
        terminal.type("ve" + TAB + "\r")
        self.answered(terminal, "OK <version>")
        terminal.type("mc" + TAB + "\r")
        self.answered(terminal, "uml_mconsole client version 2")

    def test_tab_shows_the_choice_when_there_is_one(self):
        terminal = self.begin()
        terminal.type("s" + TAB)
        for word in ("switch", "sysrq", "stop", "stack"):
            terminal.expect(word)
        terminal.expect("(web) s")

    def test_tab_completes_devices_of_the_kernels_command_line(self):
        def answer(command):
            if command == "proc cmdline":
                return [(0, 0, "\nmem=64M ubd0rd=/disk con=null con12=pts root=98:0 vec0:transport=tap\n")]
            return echo(command)

        terminal = self.begin(answer)
        terminal.type("config con" + TAB + "\r")
        self.answered(terminal, "OK <config con12>")
        terminal.type("config v" + TAB + "\r")
        self.answered(terminal, "OK <config vec0>")
        terminal.type("config " + TAB)
        for word in ("ubd0", "con12", "vec0", "mem"):
            terminal.expect(word)
        terminal.expect("(web) config ")

    def test_tab_completes_guests_for_switch(self):
        terminal = self.begin()
        self.scripted(lambda command: [(0, 0, "the database")], umid="database")
        terminal.type("switch da" + TAB + "\r")
        terminal.expect("Switched to 'database'\r\n(database) ")
        terminal.type("version\r")
        self.answered(terminal, "OK the database")

    def test_tab_where_nothing_fits_changes_nothing(self):
        terminal = self.begin()
        terminal.type("version" + " x" + TAB + "\x7f\x7f\r")
        self.answered(terminal, "OK <version>")

    def test_what_a_guest_answers_cannot_command_the_terminal(self):
        terminal = self.begin(lambda command: [(0, 0, "a\x1b]0;owned\x07b\tc")])
        terminal.type("version\r")
        terminal.expect("OK a?]0;owned?b")
        # in a pipe it is as it came
        self.gives(0, "OK a\x1b]0;owned\x07b\tc\n", "web", "version")

    def test_the_terminal_is_given_back(self):
        terminal = self.begin()
        self.assertIn("-icanon", terminal.settings())
        terminal.type("quit\r")
        terminal.expect("\n")
        # The session is gone with its leader: what is left is what it set last.
        self.assertEqual(terminal.wait(), 0)
        self.assertIn(" icanon", terminal.settings())
        self.assertIn("intr = ^C", terminal.settings())


if __name__ == "__main__":
    unittest.main()
