"""Consoles and their logs: complete, apart by boot, many readers and one writer."""
import fcntl
import os
import re
import struct
import termios

import harness
from harness import Case, Error


def unread(sock):
    """Bytes on their way to the other side of a unix socket."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


class Attached(Case):
    def attach(self, name="web", **parameters):
        client = self.client()
        reply = client.upgrade("Console.Attach", {"name": name, **parameters})
        return client, reply

    def test_typing_is_answered_on_the_raw_connection(self):
        self.boot("web")
        console, reply = self.attach()
        self.assertEqual((reply["device"], reply["boot"]), ("con0", 1))
        console.send_raw(b"hello\n")
        console.read_until(b"fake: hello\n")

    def test_bytes_right_behind_the_request_are_typed(self):
        self.boot("web")
        client = self.client()
        client.send_raw(b'{"method":"io.umld.Console.Attach","parameters":{"name":"web"},"upgrade":true}\0early\n')
        client.receive()
        client.read_until(b"fake: early\n")

    def test_all_of_them_are_typed_however_many(self):
        self.boot("web")
        self.boot("other", wait="none", fake="noready")
        # The fake guest answers with the beginning of a line this long, and so never talks itself deaf.
        typed = b"".join(b"%05d %s\n" % (number, b"." * 1000) for number in range(300))
        client = self.client()
        # Behind a call that is under way, so that umld has read it all before it comes to Attach.
        client.send("Guest.Wait", {"name": "other", "condition": "exit"})
        client.send("Console.Attach", {"name": "web"}, upgrade=True)
        client.send_raw(typed + b"after\n")
        harness.until(lambda: unread(client.socket) == 0, what="umld reading")
        self.call("Guest.Kill", name="other")
        client.receive()
        self.assertEqual(client.receive()["parameters"]["device"], "con0")
        answers = re.findall(rb"^fake: (\d+) ", client.read_until(b"fake: after\n"), re.M)
        self.assertEqual([int(number) for number in answers], list(range(300)))

    def test_earlier_output_comes_first_when_asked_for(self):
        self.boot("web")
        console, _ = self.attach(back=-1)
        text = console.read_until(b"fake: init started\n")
        self.assertTrue(text.startswith(b"Linux version"), text[:60])

    def test_several_readers_see_the_same(self):
        self.boot("web")
        writer, _ = self.attach()
        readers = [self.attach(readOnly=True)[0] for _ in range(3)]
        writer.send_raw(b"to all\n")
        for reader in (writer, *readers):
            reader.read_until(b"fake: to all\n")

    def test_whoever_has_the_reply_misses_nothing(self):
        self.boot("web")
        writer, _ = self.attach()
        for number in range(30):
            line = b"number %d\n" % number
            with self.client() as reader:
                reader.upgrade("Console.Attach", {"name": "web", "readOnly": True})
                writer.send_raw(line)
                reader.read_until(b"fake: " + line)

    def test_a_reader_cannot_type(self):
        self.boot("web")
        reader, _ = self.attach(readOnly=True)
        reader.send_raw(b"secret\n")
        self.call("Console.Send", name="web", data="open\n")
        self.assertNotIn(b"secret", reader.read_until(b"fake: open\n"))

    def test_the_writer_is_one_until_it_is_stolen(self):
        self.boot("web")
        first, _ = self.attach()
        first.send_raw(b"one\n")
        first.read_until(b"fake: one\n")
        with self.assertRaises(Error) as caught:
            self.attach()
        self.assertEqual(caught.exception.name, "Busy", str(caught.exception))
        self.assertIn("--steal", caught.exception.hint)
        second, _ = self.attach(steal=True)
        second.send_raw(b"two\n")
        second.read_until(b"fake: two\n")

    def test_a_writer_that_leaves_makes_room(self):
        self.boot("web")
        first, _ = self.attach()
        first.close()
        harness.until(self.try_attach, what="attaching again")

    def try_attach(self):
        try:
            return self.attach()
        except Error:
            return None

    def test_a_session_outlives_the_daemon(self):
        self.boot("web")
        console, _ = self.attach()
        self.daemon.terminate()
        console.send_raw(b"still here\n")
        console.read_until(b"fake: still here\n")
        self.daemon.start()
        self.wait("web", "running")

    def test_the_end_of_the_guest_ends_the_session(self):
        self.boot("web")
        console, _ = self.attach()
        self.call("Guest.Kill", name="web")
        while console.read():
            pass

    def test_wrong_consoles_are_refused_before_the_upgrade(self):
        self.boot("web", "con1=pts", "con2=null")
        cases = {"con5": "NotFound", "con1": "Unsupported", "con2": "NotFound"}
        for device, name in cases.items():
            with self.assertRaises(Error) as caught:
                self.attach(device=device)
            self.assertEqual((device, caught.exception.name), (device, name))
            self.assertTrue(caught.exception.hint)
        self.create("idle")
        with self.assertRaises(Error) as caught:
            self.attach("idle")
        self.assertEqual(caught.exception.name, "NotRunning")
        self.fails("InvalidValue", "Console.Attach", name="web")

    def test_further_managed_consoles_are_apart(self):
        self.boot("web", "con1=managed", "ssl0=managed")
        for device in ("con1", "ssl0"):
            console, _ = self.attach(device=device, back=-1)
            console.send_raw(b"hi\n")
            console.read_until(b"fake: hi\n")
        listed = {c["device"]: c for c in self.call("Console.List", name="web")["consoles"]}
        self.assertEqual(sorted(listed), ["con0", "con1", "ssl0"])

    def test_a_pts_console_has_a_path_to_open(self):
        self.boot("web", "con1=pts")
        listed = {c["device"]: c for c in self.call("Console.List", name="web")["consoles"]}
        fd = os.open(listed["con1"]["path"], os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, fd)
        os.write(fd, b"hi\n")
        seen = b""
        while b"fake: hi" not in seen:
            seen += os.read(fd, 1000)

    def test_send_and_resize(self):
        self.boot("web")
        console, _ = self.attach(readOnly=True)
        self.call("Console.Send", name="web", data="typed\n")
        console.read_until(b"fake: typed\n")
        self.call("Console.Resize", name="web", device="con0", rows=50, columns=132)
        for method, more in (("Send", {"data": "x"}), ("Resize", {"rows": 5, "columns": 5})):
            self.fails("NotFound", f"Console.{method}", name="web", device="con7", **more)
            self.fails("NotFound", f"Console.{method}", name="nobody", device="con0", **more)


class Logs(Case):
    def test_output_is_complete_however_much(self):
        size = 300000
        self.boot("web", fake=f"output={size}")
        whole = self.printed("web", "line 0000004687 abcdefghijklmno\n")  # a shorter one makes it exact
        numbered = [line for line in whole.splitlines() if line.startswith("line ")]
        self.assertEqual([int(line[5:15]) for line in numbered], list(range(len(numbered))))
        self.assertEqual(len(numbered), -(-size // 64))

    def test_rotation_keeps_the_newest_parts_and_reading_goes_over_them(self):
        self.set(console_log_size="8K", console_log_parts=4)
        self.boot("web", fake="output=200000")
        folder = f"{self.daemon.state}/guests/web/log"
        harness.until(lambda: re.search(b"line 0000003124 [^\n]+\n", self.tail(folder)), what="all output")
        parts = os.listdir(folder)
        self.assertLessEqual(len(parts), 4)
        self.assertLessEqual(max(os.path.getsize(os.path.join(folder, part)) for part in parts), 8192 + 4096)
        numbered = [int(l[5:15]) for l in self.log("web").splitlines() if l.startswith("line ") and len(l) > 20]
        self.assertEqual(numbered, list(range(numbered[0], 3125)))
        self.assertGreater(len(numbered), 300)

    def tail(self, folder):
        parts = sorted(os.listdir(folder), key=lambda name: int(name.split(".")[2]))
        with open(os.path.join(folder, parts[-1]), "rb") as file:
            return file.read()

    def test_reading_by_offset_from_both_ends(self):
        self.boot("web")
        whole = self.printed("web", "fake: init started\n")
        part = self.call("Console.Read", name="web", offset=6, maxBytes=7)
        self.assertEqual((part["data"], part["offset"], part["next"]), (whole[6:13], 6, 13))
        part = self.call("Console.Read", name="web", offset=-5)
        self.assertEqual(part["data"], whole[-5:])
        part = self.call("Console.Read", name="web", offset=1 << 40)
        self.assertEqual((part["data"], part["next"]), ("", part["size"]))

    def test_each_start_has_its_own_log(self):
        self.create("web")
        for _ in range(2):
            self.call("Guest.Start", name="web")
            self.call("Console.Send", name="web", data=f"life {_}\n")
            harness.until(lambda: f"fake: life {_}" in self.log("web"), what="the line")
            self.call("Guest.Stop", name="web")
        self.assertIn("fake: life 0", self.log("web", boot=1))
        self.assertNotIn("fake: life 0", self.log("web", boot=2))
        self.assertEqual(self.call("Console.List", name="web")["consoles"][0]["boots"], [1, 2])

    def test_what_is_not_utf8_is_replaced_and_does_not_shift_offsets(self):
        self.boot("web")
        console = self.client()
        console.upgrade("Console.Attach", {"name": "web"})
        console.send_raw("a\xff\xfeb ä€𝄞\n".encode("latin-1", "ignore") + "ä€𝄞\n".encode())
        console.read_until("fake: ä€𝄞\n".encode())
        text = self.log("web")
        self.assertIn("a\ufffd\ufffdb", text)
        self.assertIn("fake: ä€𝄞", text)

    def test_unknown_consoles_and_boots(self):
        self.boot("web")
        self.fails("NotFound", "Console.Read", name="web", device="con7")
        self.fails("NotFound", "Console.Read", name="web", boot=17)
        self.fails("NotFound", "Console.Read", name="nobody")
        self.create("new")
        self.assertEqual(self.call("Console.Read", name="new")["size"], 0)


if __name__ == "__main__":
    harness.main()
