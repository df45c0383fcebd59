"""uml_mconsole keeps the old client's contract and has none of its faults.

M1 to M19 are the features and faults of the uml_mconsole of uml-utilities 20070815 that a successor is measured by;
each test names its own; M16, notifications, is in test_wire.c.
"""
import fcntl
import os
import select
import socket
import subprocess
import time
import unittest

from mconsole_world import LIMIT, PROGRAM, Case


def text_of(answers):
    """For scripted kernels: every command gets the same parts."""
    return lambda command: answers


class Targets(Case):
    def test_m1_a_name_is_looked_for_at_home_then_in_tmp_then_as_a_path(self):
        self.scripted(text_of([(0, 0, "at home")]))
        self.scripted(text_of([(0, 0, "by path")]), directory=f"{self.home}/web")
        self.assertEqual(self.gives(0, "OK at home\n", "web", "version"), "")  # no warning about the others
        self.assertEqual(self.gives(0, "OK by path\n", f"{self.home}/web/mconsole", "version"), "")
        self.assertEqual(self.gives(0, "OK by path\n", "web/mconsole", "version"), "")
        umid = f"umld-test-{os.getpid()}"
        made = [d for d in ("/tmp/uml", f"/tmp/uml/{umid}") if not os.path.isdir(d)]
        for directory in made:
            self.addCleanup(os.rmdir, directory)
        self.addCleanup(os.unlink, f"/tmp/uml/{umid}/mconsole")
        for directory in made:
            os.mkdir(directory)
        self.scripted(text_of([(0, 0, "in tmp")]), directory=f"/tmp/uml/{umid}")
        self.assertEqual(self.gives(0, "OK in tmp\n", umid, "version"), "")

    def test_m1_a_guest_of_umld_is_found_and_answers_to_its_own_directory(self):
        inner = f"{self.home}/run/g/web/in"
        kernel = self.scripted(text_of([(0, 0, "managed")]), directory=f"{inner}/uml")
        self.assertEqual(self.gives(0, "OK managed\n", "web", "version"), "")
        self.assertTrue(kernel.clients[0].startswith(f"{inner}/m"), kernel.clients)
        self.assertEqual(os.listdir(inner), ["uml"])  # the client's socket is gone

    def test_m1_one_message_names_every_place_when_there_is_none(self):
        error = self.gives(7, "", "nobody", "version")
        for place in (f"{self.home}/.uml/nobody/mconsole", "/tmp/uml/nobody/mconsole", " nobody,",
                      f"{self.home}/run/g/nobody/in/uml/mconsole"):
            self.assertIn(place, error)
        self.assertEqual(error.count("\n"), 1)

    def test_m2_names_longer_than_eleven_characters_are_whole(self):
        name = "a-name-of-more-than-eleven-characters"
        self.scripted(text_of([(0, 0, "x")]), umid=name)
        self.scripted(text_of([(0, 0, "wrong")]), umid=name[:11])
        self.gives(0, "OK x\n", name, "version")
        terminal = self.terminal(name)
        terminal.expect(f"({name}) ")

    def test_m17_what_a_dead_kernel_left_behind_is_removed(self):
        kernel = self.fake()
        kernel.kill()
        kernel.wait()
        self.assertEqual(sorted(os.listdir(f"{self.home}/.uml/web")), ["mconsole", "pid"])
        done = self.run_program("web", "version")
        self.assertEqual(done.returncode, 7)
        self.assertIn("ERR its kernel has died; what it left behind was removed", done.stdout)
        self.assertFalse(os.path.exists(f"{self.home}/.uml/web"))

    def test_m17_nothing_is_removed_while_the_process_of_the_pid_file_lives(self):
        self.scripted(text_of(None)).close()
        for pid in (str(os.getpid()), "0", "", "99999999999999999999", "12ab"):
            with open(f"{self.home}/.uml/web/pid", "w", encoding="ascii") as file:
                file.write(pid + "\n")
            done = self.run_program("web", "version")
            self.assertEqual(done.returncode, 7)
            self.assertRegex(done.stdout, "^ERR .*no kernel listens on this socket\n$")
            self.assertEqual(sorted(os.listdir(f"{self.home}/.uml/web")), ["mconsole", "pid"], pid)

    def test_a_file_is_no_target(self):
        with open(f"{self.home}/file", "w", encoding="ascii"):
            pass
        self.assertIn("no UML", self.gives(7, "", "file", "version"))

    def test_the_address_of_a_client_of_an_unmanaged_kernel_is_abstract(self):
        kernel = self.scripted(text_of([(0, 0, "x")]))
        self.gives(0, "OK x\n", "web", "version")
        self.assertEqual(kernel.clients[0][:1], b"\0")


class Answers(Case):
    def test_m3_the_status_is_the_low_byte_of_the_kernels_error(self):
        for err, status in ((0, 0), (1, 1), (-19, 237), (-16, 240), (-22, 234), (-2, 254), (256, 1)):
            kernel = self.scripted(text_of([(err, 0, "text")]), umid=f"err{err}")
            self.gives(status, f"{'ERR' if err else 'OK'} text\n", f"err{err}", "version")
            kernel.close()

    def test_m3_the_first_part_says_whether_it_failed(self):
        """The kernel flags an error in the first packet only; the old client looked at the last: OK and 0."""
        self.scripted(text_of([(-22, 1, "a long "), (0, 0, "error")]))
        self.gives(234, "ERR a long error\n", "web", "version")

    def test_m3_no_socket_and_no_answer_have_statuses_of_their_own(self):
        self.gives(7, "", "nobody", "version")
        self.scripted(text_of(None))
        self.assertEqual(self.run_program("--timeout", "1", "web", "version").returncode, 10)

    def test_m4_a_line_begins_with_ok_or_err_on_standard_output(self):
        self.scripted(lambda command: [(command != "version", 0, "what it says")])
        self.gives(0, "OK what it says\n", "web", "version")
        self.gives(1, "ERR what it says\n", "web", "proc", "none")

    def test_m4_an_empty_answer_and_one_that_ends_its_line(self):
        self.scripted(lambda command: [(0, 0, "" if command == "go" else "\nline\n")])
        self.gives(0, "OK \n", "web", "go")
        self.gives(0, "OK \nline\n\n", "web", "proc", "uptime")

    def test_nuls_belong_to_the_text(self):
        self.scripted(text_of([(0, 1, "one\0"), (0, 0, "\0two")]))
        self.gives(0, "OK one\0\0two\n", "web", "version")

    def test_m5_a_kernel_that_does_not_answer_is_given_up(self):
        self.scripted(text_of(None))
        begun = time.monotonic()
        done = self.run_program("-t", "1", "web", "version")
        self.assertRegex(done.stdout, r"^ERR the guest's kernel did not answer within \d+ ms\n$")
        self.assertGreaterEqual(time.monotonic() - begun, 0.9)

    def test_m5_there_is_a_limit_without_the_option(self):
        self.scripted(text_of(None))
        self.assertEqual(self.run_program("web", "version").returncode, 10)

    def test_m5_only_the_kernel_is_believed(self):
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        refused = []

        def answer(_):
            try:
                stranger.sendto(b"\0" * 8 + b"\7\0\0\0forged\0", kernel.clients[-1])
            except PermissionError as error:
                refused.append(error)
            return [(0, 0, "true")]

        kernel = self.scripted(answer)
        self.gives(0, "OK true\n", "web", "version")
        self.assertEqual(len(refused), 1)

    def test_m5_clients_of_one_kernel_take_turns(self):
        queued = []

        def answer(_):
            """Nobody else has sent anything while this one has no answer."""
            queued.extend(select.select([kernel.socket], [], [], 0.1)[0])
            return [(0, 0, "x")]

        kernel = self.scripted(answer)
        clients = [subprocess.Popen([PROGRAM, "web", "version"], env=self.env, stdout=subprocess.PIPE)
                   for _ in range(6)]
        for client in clients:
            self.assertEqual(client.communicate(timeout=LIMIT)[0], b"OK x\n")
        self.assertEqual((queued, len(kernel.commands)), ([], 6))

    def test_m5_a_turn_that_does_not_come_is_given_up(self):
        self.scripted(text_of([(0, 0, "x")]), directory=f"{self.home}/held")
        lock = os.open(f"{self.home}/held", os.O_RDONLY)
        self.addCleanup(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.gives(9, "ERR another mconsole client is at work on this kernel\n", "-t", "1", "held/mconsole", "version")
        fcntl.flock(lock, fcntl.LOCK_UN)
        self.gives(0, "OK x\n", "held/mconsole", "version")

    def test_m6_the_parts_of_a_reply_are_joined(self):
        self.scripted(text_of([(0, 1, "one "), (0, 1, "two "), (0, 1, ""), (0, 0, "three")]))
        self.gives(0, "OK one two three\n", "web", "version")

    def test_m6_a_reply_without_end_is_cut(self):
        kernel = self.scripted(lambda command: ((0, 1, "x" * 511) for _ in range(2000)))
        done = self.run_program("web", "version")
        self.assertEqual((done.returncode, done.stdout), (11, "ERR the reply is longer than 262144 bytes\n"))
        self.assertEqual(kernel.commands, ["version"])

    def test_m6_a_reply_that_breaks_off_is_no_success(self):
        self.scripted(text_of([(0, 1, "x")] * 3))
        done = self.run_program("web", "version")
        self.assertEqual(done.returncode, 10)
        self.assertIn("ERR the reply broke off after 3 parts", done.stdout)

    def test_m15_a_busy_interface_comes_with_advice(self):
        self.scripted(text_of([(-16, 0, "Device is currently open")]))
        error = self.gives(240, "ERR Device is currently open\n", "web", "remove", "eth0")
        self.assertIn("take the interface down in the guest", error)


if __name__ == "__main__":
    unittest.main()
