"""Wrong input on the wire and on the command line: each is answered, and others are served meanwhile."""
import json
import os
import socket
import sqlite3
import stat
import threading
import unittest

import harness
from harness import Case, Client, Closed, Error


class Wire(Case):
    kernel = False

    def raw(self, data, replies=1):
        """Send bytes; the messages that come back, until closed or enough."""
        client = self.client()
        client.send_raw(data)
        seen = []
        try:
            while len(seen) < replies:
                seen.append(client.receive())
        except Closed:
            pass
        return seen

    def error(self, data):
        reply = self.raw(data)[0]
        self.assertIn("error", reply)
        self.assertTrue(reply["parameters"]["message"])
        self.call("Server.Ping")
        return reply["error"].rpartition(".")[2]

    def test_malformed_and_deep_and_long_requests(self):
        cases = {
            b"{]\0": "InvalidValue",
            b"[1,2]\0": "InvalidValue",
            b"{}\0": "InvalidValue",
            b'{"method":5}\0': "InvalidValue",
            b'{"method":"io.umld.Guest.Get","surplus":1}\0': "InvalidValue",
            b'{"method":"io.umld.Guest.Get","parameters":[]}\0': "InvalidParameter",
            b'{"method":"io.umld.Guest.Fetch"}\0': "MethodNotFound",
            b'{"method":"io.umld.Gust.Get"}\0': "InterfaceNotFound",
            b'{"method":"io.umld.Guest.Get"}\0': "InvalidParameter",
            b'{"method":"io.umld.Guest.Get","parameters":{"name":"a","name2":1}}\0': "InvalidParameter",
            b'{"method":"io.umld.Guest.Start","parameters":{"name":"web","timeoutMs":0}}\0': "InvalidParameter",
            b'{"method":"io.umld.Guest.Start","parameters":{"name":"web","wait":"soon"}}\0': "InvalidParameter",
            b'{"a":' * 40 + b"1" + b"}" * 40 + b"\0": "InvalidValue",
            b'{"method":"' + b"x" * (1 << 20) + b'"}\0': "InvalidValue",
            b'{"method":"io.umld.Server.Ping","parameters":{}}trailing\0': "InvalidValue",
            b'{"method":"\xff\xfe"}\0': "InvalidValue",
        }
        for data, name in cases.items():
            with self.subTest(data=data[:60]):
                self.assertEqual(self.error(data), name)

    def test_half_a_request_does_not_hold_up_others(self):
        half = self.client()
        half.send_raw(b'{"method":"io.umld.Server.')
        for _ in range(10):
            self.call("Server.Ping")
        half.send_raw(b'Ping"}\0')
        self.assertIn("version", half.reply()["parameters"])

    def test_a_truncated_request_of_one_who_leaves_is_forgotten(self):
        before = self.daemon.descriptors()
        for _ in range(50):
            with Client(self.daemon.api) as client:
                client.send_raw(b'{"method":"io.umld.Guest.List"')
        harness.until(lambda: self.daemon.descriptors() <= before, what="closing")

    def test_requests_sent_ahead_are_answered_in_order(self):
        with self.client() as client:
            for number in range(50):
                client.send("Guest.Get", {"name": f"g{number}"})
            for number in range(50):
                self.assertIn(f'"g{number}"', client.receive()["parameters"]["object"])

    def test_one_user_cannot_take_all_connections(self):
        crowd = [self.client() for _ in range(63)]
        reply = None
        for _ in range(3):
            extra = self.client()
            try:
                extra.call("Server.Ping")
                crowd.append(extra)
            except BrokenPipeError:
                with self.assertRaises(Error) as caught:
                    extra.reply()
                reply = caught.exception
            except Error as error:
                reply = error
        self.assertEqual(reply.name, "Busy")
        crowd[0].call("Server.Ping")
        for client in crowd:
            client.close()
        harness.until(self.daemon.serves, what="serving again")

    @unittest.skipIf(harness.sanitized(), "memory sizes")
    def test_a_client_that_never_reads_costs_a_bounded_amount(self):
        self.create("web", kernel=harness.FAKE, labels={f"l{i}": "x" * 60 for i in range(60)})
        lazy = self.client()
        lazy.socket.settimeout(1)
        try:
            for _ in range(20000):
                lazy.send("Guest.List")
        except TimeoutError:
            pass
        self.call("Server.Ping")
        self.assertLess(self.daemon.memory_kib(), 60000)

    def test_abrupt_ends_under_load_leave_nothing(self):
        before = self.daemon.descriptors()

        def rude():
            for _ in range(50):
                try:
                    with Client(self.daemon.api) as client:
                        client.send("Guest.List")
                        client.send("Server.Subscribe", {"since": 0, "follow": True}, more=True)
                except OSError:
                    pass  # the queue of the socket is full, or the limit of one user is reached
        threads = [threading.Thread(target=rude) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(harness.LIMIT)
        harness.until(lambda: self.daemon.descriptors() <= before, what="closing")
        self.call("Server.Ping")

    def test_line_mode_speaks_to_socat(self):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.settimeout(harness.LIMIT)
            raw.connect(self.daemon.api)
            raw.sendall(b'{"method":"io.umld.Server.Ping"}\n')
            self.assertIn("parameters", json.loads(raw.makefile("rb").readline()))

    def test_oneway_calls_are_done_and_not_answered(self):
        with self.client() as client:
            client.send("Server.Set", {"name": "stop-seconds", "value": "3"}, oneway=True)
            client.send("Server.Settings")
            self.assertEqual(client.reply()["parameters"]["settings"]["stop-seconds"], "3")


class Kernels(Case):
    def test_the_fake_kernel_is_known_with_its_facts(self):
        kernel = self.call("Kernel.List")["kernels"][0]
        self.assertEqual((kernel["name"], kernel["usable"], kernel["dynamic"]), ("fake", True, False))
        self.assertRegex(kernel["version"], r"^6\.1\.176")
        self.assertEqual(kernel["lpj"], 49152)

    def test_what_is_no_uml_kernel_is_refused_and_not_kept(self):
        with open("/bin/ls", "rb") as file:
            whole = file.read()
        cases = {
            "/bin/ls": None,
            "script": b"#!/bin/sh\necho 6.1\n",
            "short": whole[:2000],
            "text": b"hello\n",
            "empty": b"",
        }
        for name, data in cases.items():
            path = name if data is None else self.file(name, data, 0o755)
            with self.subTest(name=name), self.assertRaises(Error) as caught:
                self.call("Kernel.Add", path=path)
            self.assertIn(caught.exception.name, ("InvalidValue", "BadConfig", "Unsupported"), name)
            self.assertTrue(caught.exception.message)
        self.fails("NotFound", "Kernel.Add", path="/no/such/kernel")
        self.fails("NotFound", "Kernel.Probe", kernel="nonesuch")
        self.assertEqual(len(self.call("Kernel.List")["kernels"]), 1)

    def test_a_kernel_that_fails_the_probe_is_kept_with_the_reason_and_refused(self):
        with open(harness.FAKE, "rb") as file:
            path = self.file("probebad-5.0.0", file.read(), 0o755)
        kernel = self.call("Kernel.Add", path=path, name="old")["kernel"]
        self.assertEqual((kernel["version"], kernel["xstate"], kernel["usable"]), ("5.0.0", "broken", False))
        self.assertIn("2000 wrong after page faults", kernel["problem"])
        self.assertIn(kernel["problem"], [k.get("problem") for k in self.call("Kernel.List")["kernels"]])
        for word in ("old", path):  # known by now, so it is not even defined with it
            error = self.fails("KernelUnsafe", "Guest.Create", definition={"name": "web", "kernel": word})
            self.assertIn("2000 wrong", error.message)
            self.assertIn("dynamically linked", error.hint)
        with open(harness.FAKE, "rb") as file:
            other = self.file("probebad-5.0.1", file.read(), 0o755)
        self.create("web", kernel=other)  # found out at the start
        self.assertIn("2000 wrong", self.fails("KernelUnsafe", "Guest.Start", name="web").message)
        self.assertEqual((self.runtime("web")["state"], self.runtime("web")["bootNumber"]), ("failed", 0))

    def test_adding_twice_changes_nothing(self):
        reply = self.call("Kernel.Add", path=harness.FAKE, name="fake")
        self.assertFalse(reply["changed"])
        self.assertTrue(self.call("Kernel.Remove", name="fake")["changed"])
        self.assertFalse(self.call("Kernel.Remove", name="fake")["changed"])

    def test_a_changed_file_is_probed_again_before_the_next_start(self):
        with open(harness.FAKE, "rb") as file:
            data = file.read()
        path = self.file("kernel", data, 0o755)
        self.call("Kernel.Add", path=path, name="mine")
        self.create("web", kernel="mine")
        since = self.call("Server.Status")["lastEvent"]
        self.file("kernel", data + b"x", 0o755)
        self.call("Guest.Start", name="web")
        self.assertEqual(len(self.events(since=since, types=["kernel.verdict"])), 1)

    def test_the_probe_is_remembered_over_a_restart(self):
        since = self.call("Server.Status")["lastEvent"]
        self.daemon.terminate()
        self.daemon.start()
        self.boot("web")
        self.assertEqual(self.events(since=since, types=["kernel.verdict"]), [])

    def test_another_host_is_another_probe(self):
        """The result holds for this file on this CPU under this host's kernel."""
        self.daemon.terminate()
        database = sqlite3.connect(f"{self.daemon.state}/umld.db")
        host, = database.execute("SELECT DISTINCT host FROM kernel_probe").fetchone()
        database.execute("UPDATE kernel_probe SET host = ?", ("another CPU; 1.2.3",))
        database.commit()
        database.close()
        self.assertIn(os.uname().release, host)
        self.daemon.start()
        since = self.call("Server.Status")["lastEvent"]
        for name in ("one", "two"):
            self.boot(name)
        self.assertEqual(len(self.events(since=since, types=["kernel.verdict"])), 1)

    def test_a_daemon_that_ends_during_a_probe_leaves_no_guest(self):
        with open(harness.FAKE, "rb") as file:
            data = file.read()
        for number in range(5):
            path = self.file(f"kernel{number}", data, 0o755)
            client = self.client()
            client.send("Kernel.Add", {"path": path, "name": f"k{number}"})
            if number % 2:
                harness.until(self.guest_directories, what="the probe guest")
            self.assertEqual(self.daemon.terminate(), 0)
            self.assertEqual(self.guest_directories(), [])
            self.daemon.start()
            self.assertEqual([k["name"] for k in self.call("Kernel.List")["kernels"] if not k["usable"]], [])


class Doctor(Case):
    def test_it_names_each_check_and_does_not_hold_up_others(self):
        with self.client() as client:
            client.send("Server.Doctor")
            self.call("Server.Ping")
            checks = client.reply()["parameters"]["checks"]
        names = [check["name"] for check in checks]
        self.assertIn("namespaces", names)
        self.assertEqual(names[-1], "kernel")
        for check in checks:
            self.assertIn(check["result"], ("ok", "note", "warning", "problem"))
            self.assertTrue(check["text"])
        self.assertEqual(checks[-1]["result"], "ok")


class Images(Case):
    kernel = False

    def test_a_builder_that_is_missing_is_told(self):
        os.unlink(f"{self.daemon.libexec}/build-image")
        error = self.fails("MissingSoftware", "Image.Build", kind="busybox")
        self.assertTrue(error.hint)
        self.assertEqual(self.call("Job.List")["jobs"][0]["state"], "failed")

    def builder(self, text):
        path = f"{self.daemon.libexec}/build-image"
        os.unlink(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, stat.S_IRWXU)

    def test_progress_and_the_result(self):
        self.builder('echo "stage 0 3"; echo "mkfs 1 3"; echo data >"$2"\n')
        with self.client() as client:
            replies = list(client.stream("Image.Build", {"kind": "busybox", "name": "a.tmp"}))
        self.assertEqual([r.get("phase") for r in replies[:-1]], ["stage", "mkfs"])
        self.assertTrue(os.path.exists(replies[-1]["image"]["path"]))
        self.assertFalse(self.call("Image.Build", kind="busybox", name="a.tmp")["changed"])
        self.daemon.terminate()
        self.daemon.start()
        self.assertEqual(len(self.call("Image.List")["images"]), 1)
        self.assertTrue(self.call("Image.Remove", name="a.tmp")["changed"])
        self.assertFalse(self.call("Image.Remove", name="a.tmp")["changed"])

    def test_a_failing_builder_is_quoted(self):
        for status, name in ((1, "NoResources"), (5, "MissingSoftware")):
            self.builder(f"echo something is wrong here >&2; exit {status}\n")
            self.assertIn("something is wrong here", self.fails(name, "Image.Build", kind="busybox").message)

    def test_cancelling_ends_the_whole_builder(self):
        self.builder('echo "stage 0 3"; sleep 300 & wait\n')
        with self.client() as client:
            job = next(client.stream("Image.Build", {"kind": "busybox"}))["job"]
            error = self.fails("Busy", "Image.Build", kind="busybox")
            self.assertIn("job", error.hint)
            self.assertTrue(self.call("Job.Cancel", id=job)["changed"])
            with self.assertRaises(Error) as caught:
                client.reply()
            self.assertEqual(caught.exception.name, "Cancelled")
        self.assertEqual(self.call("Job.Get", id=job)["job"]["state"], "cancelled")
        self.assertFalse(self.call("Job.Cancel", id=job)["changed"])

    def test_a_daemon_that_ends_during_a_build_leaves_no_process(self):
        self.builder('echo "stage 0 3"; sleep 300 & wait\n')
        client = self.client()
        next(client.stream("Image.Build", {"kind": "busybox"}))
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertEqual(self.reap(), [])
        self.daemon.start()
        self.assertEqual(self.call("Job.List", active=True)["jobs"], [])
        self.assertEqual(self.call("Job.List")["jobs"][0]["state"], "failed")


if __name__ == "__main__":
    harness.main()
