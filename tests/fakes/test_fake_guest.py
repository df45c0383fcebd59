"""The fake guest keeps its word: TOOL is mconsole_tool, FAKE the program."""
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "mconsole"))
import quirks  # noqa: E402
from uml_harness import Guest, Lines  # noqa: E402

TOOL = FAKE = ""
LONG = "proc kallsyms"  # its answer has more parts than the host's net.unix.max_dgram_qlen


def boot(*words, **options):
    return Guest(TOOL, FAKE, *words, **options)


def run(*words, **options):
    return subprocess.run([FAKE, *words], stdout=subprocess.PIPE, timeout=90, check=False, text=True,
                          **options)


class Questions(unittest.TestCase):
    def test_version_comes_from_the_file_name(self):
        self.assertEqual(run("--version").stdout, "6.1.176\n")
        out = subprocess.run(["/x/fake-1/fake_guest-7.2.0", "--version"], executable=FAKE,
                             stdout=subprocess.PIPE, check=True)
        self.assertEqual(out.stdout, b"7.2.0\n")

    def test_help_and_config_are_what_a_probe_looks_for(self):
        self.assertRegex(run("--help").stdout, r"(?s)eth\[0-9\]\+=.*vec\[0-9\]\+:")
        config = run("--showconfig").stdout.splitlines()
        for word in ("MCONSOLE", "HOSTFS", "UML_NET_VECTOR"):
            self.assertIn(f"CONFIG_{word}=y", config)


class Life(unittest.TestCase):
    def test_boot_announces_socket_then_ready(self):
        with boot("mem=64M") as g:
            self.assertEqual(g.notes.line(), f"SOCKET {len(g.socket)} {g.socket}")
            self.assertEqual(g.notes.line(), "USER 7 READY=1")
            g.console.expect("fake: argument mem=64M\n")
            with open(f"{g.dir}/uml/pid", encoding="ascii") as f:
                self.assertEqual(int(f.read()), g.process.pid)

    def test_halt_ends_with_0_and_cleans_up(self):
        with boot() as g:
            g.notes.expect("READY=1")
            self.assertEqual(g.mconsole("halt"), ("Ok", 0, ""))
            self.assertEqual(g.wait(), 0)
            self.assertFalse(os.path.exists(f"{g.dir}/uml"))

    def test_sigterm_ends_with_1_and_cleans_up(self):
        with boot() as g:
            g.notes.expect("READY=1")
            g.process.send_signal(signal.SIGTERM)
            self.assertEqual(g.wait(), 1)
            self.assertFalse(os.path.exists(f"{g.dir}/uml"))

    def test_reboot_keeps_the_pid_and_announces_itself_again(self):
        with boot("fake=reboot=0:2") as g:
            for boot_number in range(3):
                g.notes.expect("SOCKET")
                g.console.expect(f"fake: boot {boot_number} pid {g.process.pid}\n")
            g.notes.expect("READY=1")
            self.assertEqual(g.mconsole("version")[0], "Ok")

    def test_noreboot_turns_reboot_into_exit(self):
        with boot("noreboot") as g:
            g.notes.expect("READY=1")
            g.mconsole("reboot")
            self.assertEqual(g.wait(), 0)

    def test_panic_is_notified_and_aborts(self):
        with boot("fake=panic=0") as g:
            g.notes.expect("PANIC 10 fake panic\n")
            self.assertEqual(g.wait(), -signal.SIGABRT)
            self.assertTrue(os.path.exists(g.socket))

    def test_exit_gives_the_code(self):
        with boot("fake=exit=7:0") as g:
            self.assertEqual(g.wait(), 7)

    def test_a_taken_umid_leads_to_a_random_one(self):
        with boot() as g:
            g.notes.expect("READY=1")
            second = subprocess.Popen([FAKE, f"uml_dir={g.dir}", "umid=uml", "fake=exit=0:0"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            out = second.communicate(timeout=90)[0]
            self.assertIn(b'umid "uml" is already in use', out)
            self.assertIn(b"/fake%d/mconsole" % second.pid, out)
            self.assertEqual(g.mconsole("version")[0], "Ok")

    def test_a_dead_guests_directory_is_taken_over(self):
        with boot("fake=panic=0") as g:
            g.wait()
            again = run(f"uml_dir={g.dir}", "umid=uml", "fake=exit=3:0", stdin=subprocess.DEVNULL)
            self.assertEqual(again.returncode, 3)
            self.assertIn(f"initialized on {g.socket}", again.stdout)

    def test_probe(self):
        for word, avx in (("", 0), ("fake=probebad", 2000)):
            with boot("umld.probe", word) as g:
                g.notes.expect("SOCKET")
                g.notes.line()
                line = f"PROBE avx={avx} threads=0 pthread=ok lpj=49152"
                self.assertEqual(g.notes.line(), f"USER {len(line)} {line}")
                g.notes.expect("READY=1")
                self.assertEqual(g.wait(), 0)

    def test_it_is_small(self):
        with boot() as g:
            g.notes.expect("READY=1")
            g.mconsole("help")
            with open(f"/proc/{g.process.pid}/status", encoding="ascii") as f:
                rss = next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))
            self.assertLess(rss, 150)


class Faults(unittest.TestCase):
    def answer(self, script, *words, **options):
        with boot(f"fake={script}") as g:
            g.notes.expect("READY=1")
            return g.mconsole(*(words or ("version",)), **options)

    def test_silent_and_frozen_do_not_answer(self):
        self.assertEqual(self.answer("silent", timeout_ms=100)[0], "GuestUnresponsive")
        self.assertEqual(self.answer("frozen", timeout_ms=100)[0], "GuestUnresponsive")

    def test_slow_answers(self):
        self.assertEqual(self.answer("slow=50")[0], "Ok")
        self.assertEqual(self.answer("slow=5000", timeout_ms=50)[0], "GuestUnresponsive")

    def test_late_is_late_once(self):
        with boot("fake=late=3000") as g:
            g.notes.expect("READY=1")
            self.assertEqual(g.mconsole("version", timeout_ms=50)[0], "GuestUnresponsive")
            self.assertEqual(g.mconsole("help")[0], "Ok")

    def test_badreply_is_malformed(self):
        code, _, text = self.answer("badreply")
        self.assertEqual(code, "GuestError")
        self.assertIn("malformed reply (64 bytes)", text)
        self.assertIn("(3 bytes)", self.answer("badreply=3")[2])

    def test_diemidreply_breaks_off(self):
        with boot("fake=diemidreply") as g:
            g.notes.expect("READY=1")
            code, _, text = g.mconsole("version", timeout_ms=3000)
            self.assertEqual(code, "GuestUnresponsive")
            self.assertIn("broke off", text)
            self.assertEqual(g.wait(), -signal.SIGKILL)

    def test_noready_and_nosocket(self):
        with boot("fake=noready,exit=0:0") as g:
            g.wait()
            g.notes.expect("SOCKET")
        with boot("fake=nosocket") as g:
            self.assertEqual(g.notes.line(), "USER 7 READY=1")
            self.assertEqual(g.mconsole("version")[0], "NotRunning")

    def test_cad_and_halt_can_be_ignored(self):
        with boot("fake=ignorecad,ignorehalt") as g:
            g.notes.expect("READY=1")
            for command in ("cad", "halt", "version"):
                self.assertEqual(g.mconsole(command)[0], "Ok")
        with boot("fake=cadreboot") as g:
            g.notes.expect("READY=1")
            g.mconsole("cad")
            g.notes.expect("SOCKET")
        with boot() as g:
            g.notes.expect("READY=1")
            g.mconsole("cad")
            self.assertEqual(g.wait(), 0)

    def test_flood_sends_every_one(self):
        with boot("fake=flood=500") as g:
            for i in range(500):
                g.notes.expect(f"FLOOD={i}\n")

    def test_a_script_file(self):
        with boot() as g:
            script = f"{g.dir}/script"
            with open(script, "w", encoding="ascii") as f:
                f.write("silent\nexit=9:50\n")
            self.assertEqual(run(f"uml_dir={g.dir}", "umid=b", f"fake={script}",
                                 stdin=subprocess.DEVNULL).returncode, 9)


def numbered(size):
    alphabet = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    lines = b"".join((b"line %010d " % i + alphabet)[:63] + b"\n" for i in range(size // 64))
    return lines, size % 64


class Consoles(unittest.TestCase):
    def test_output_is_exact(self):
        size = 200000 + 7
        with boot(f"fake=output={size}") as g:
            g.console.expect("init started\n")
            lines, rest = numbered(size)
            got = g.console.take(size)
            self.assertEqual(got[:len(lines)], lines)
            self.assertEqual(len(got) - len(lines), rest)

    def test_mconsole_answers_while_nobody_reads_the_console(self):
        with boot("fake=output=1000000") as g:
            g.notes.expect("READY=1")
            self.assertEqual(g.mconsole("version")[0], "Ok")

    def test_outputforever_goes_on(self):
        with boot("fake=outputforever=1") as g:
            g.console.expect("line 0000000020 ")

    def test_a_line_on_a_pty_is_answered(self):
        master, slave = pty.openpty()
        with boot("con1=none", stdin=slave, con0="con0=fd:0,fd:0") as g:
            os.close(slave)
            console = Lines(master)
            console.expect("init started\n")
            os.write(master, b"hello\r")
            console.expect("fake: hello\n")
            os.write(master, b"notify FOO=1\n")
            g.notes.expect("USER 5 FOO=1\n")
            os.write(master, b"exit 5\n")
            self.assertEqual(g.wait(), 5)
        os.close(master)


class Quirks(quirks.Quirks, unittest.TestCase):
    def setUp(self):
        self.guest = boot()
        self.addCleanup(self.guest.close)
        self.guest.notes.expect("READY=1")
        self.connect()

    def test_a_prefix_halts(self):
        self.send("haltfoo")
        self.assertEqual(self.receive(), (0, 0, ""))
        self.assertEqual(self.guest.wait(), 0)

    def test_what_the_queue_of_an_unconnected_client_cannot_take_is_lost_with_the_end(self):
        """So clients connect: the host limits what others than the peer may queue."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.bind(f"{self.guest.dir}/unconnected{self.clients}")
        client.sendto(struct.pack("<III", 0xCAFEBABE, 2, len(LONG)) + LONG.encode(), self.guest.socket)
        select.select([client], [], [], 90)
        self.send("version")  # done behind it, by the same worker
        self.assertIn("Linux", self.receive()[2])
        client.setblocking(False)
        mores = []
        with self.assertRaises(BlockingIOError):
            while True:
                mores.append(struct.unpack("<I", client.recv(2000)[4:8])[0])
        self.assertGreater(len(mores), 5)
        self.assertEqual(set(mores), {1})
        self.send(LONG)
        while self.receive()[1]:
            pass

    def test_stop_freezes_all_but_mconsole(self):
        self.send("stop")
        self.assertEqual(self.receive()[2], "stopped")
        self.guest.process.send_signal(signal.SIGTERM)  # waits for go
        self.send("stop")
        self.assertEqual(self.receive()[::2], (1, "Already stopped"))
        self.send("go")
        self.assertEqual(self.receive()[0], 0)
        self.assertEqual(self.guest.wait(), 1)


def main():
    global TOOL, FAKE
    FAKE, TOOL = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    return 0 if unittest.main(exit=False).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
