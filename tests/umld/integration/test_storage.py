"""The state directory: second daemons, corrupt, newer, locked and full databases, what is kept."""
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import unittest

import harness
from harness import Case, Client, Error


class Opening(Case):
    kernel = False

    def refused(self, *words):
        """umld with these options ends at once; its complaint."""
        done = subprocess.run(self.daemon.arguments(*words), env=self.daemon.environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=30, check=False)
        self.assertNotEqual(done.returncode, 0, done.stderr)
        self.assertGreater(done.returncode, 0, done.stderr)
        return done

    def spoil(self, change):
        """Stop the daemon, change the database, and show what umld says."""
        self.daemon.terminate()
        database = sqlite3.connect(f"{self.daemon.state}/umld.db")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        change(f"{self.daemon.state}/umld.db")
        return self.refused()

    def test_a_second_daemon_on_the_same_run_directory_is_refused(self):
        done = self.refused()
        self.assertIn(f"pid {self.daemon.process.pid}", done.stderr)
        self.call("Server.Ping")

    def test_a_second_daemon_on_the_same_state_is_refused(self):
        done = self.refused("--run-dir", self.daemon.directory + "/other")
        self.assertIn(f"pid {self.daemon.process.pid}", done.stderr)
        self.assertIn("state", done.stderr)
        self.call("Server.Ping")

    def test_who_holds_the_state_is_told_even_when_its_run_directory_is_gone(self):
        """As after a logout: the system clears the run directory away, umld and its lock on the state stay."""
        shutil.rmtree(self.daemon.run)
        done = self.refused()
        self.assertIn(f"--socket {self.daemon.api}", done.stderr)
        self.assertIn(f"kill {self.daemon.process.pid} ", done.stderr)
        self.assertEqual(self.daemon.terminate(), 0)

    def test_a_file_that_is_no_database(self):
        def change(path):
            with open(path, "wb") as file:
                file.write(b"this is no database\n" * 400)
        done = self.spoil(change)
        self.assertIn("corrupt", done.stderr)
        self.assertIn("move it away", done.stderr)

    def test_a_corrupt_database(self):
        def change(path):
            with open(path, "r+b") as file:
                file.seek(4096)
                file.write(os.urandom(os.path.getsize(path) - 4096))
        self.assertIn("corrupt", self.spoil(change).stderr)

    def test_a_truncated_database(self):
        def change(path):
            os.truncate(path, os.path.getsize(path) // 2)
        self.assertIn("corrupt", self.spoil(change).stderr)

    def test_a_newer_database(self):
        def change(path):
            database = sqlite3.connect(path)
            database.execute("PRAGMA user_version = 4711")
            database.close()
        done = self.spoil(change)
        self.assertIn("newer umld", done.stderr)
        self.assertIn("4711", done.stderr)

    def test_a_database_without_its_tables(self):
        def change(path):
            database = sqlite3.connect(path)
            database.execute("DROP TABLE job")
            database.commit()
            database.close()
        self.assertIn("tables", self.spoil(change).stderr)

    def test_a_locked_database(self):
        holder = []

        def change(path):
            holder.append(sqlite3.connect(path))
            holder[0].execute("PRAGMA locking_mode = EXCLUSIVE")
            holder[0].execute("BEGIN EXCLUSIVE")
        done = self.spoil(change)
        self.assertIn("locked by another program", done.stderr)
        holder[0].close()
        self.daemon.start()

    def test_a_child_does_not_inherit_the_locks(self):
        """With flock(2) one that is not yet past its exec would keep the next umld out after a kill -9."""
        with open("/proc/locks", encoding="ascii") as file:
            ours = [fields for fields in map(str.split, file) if fields[4] == str(self.daemon.process.pid)]
        for directory in (self.daemon.run, self.daemon.state):
            inode = os.stat(directory + "/lock").st_ino
            self.assertEqual([fields[1] for fields in ours if fields[5].endswith(f":{inode}")], ["POSIX"])

    def test_directories_that_cannot_be_made(self):
        self.daemon.terminate()
        path = self.file("plain")
        for option in ("--run-dir", "--state-dir"):
            self.assertIn(path, self.refused(option, path + "/below").stderr)

    def test_socket_paths_over_107_bytes(self):
        self.daemon.terminate()
        done = self.refused("--run-dir", "/tmp/" + "x" * 90)
        self.assertIn("bytes long", done.stderr)
        done = self.refused("--socket", "/tmp/" + "x" * 110)
        self.assertIn("long", done.stderr)

    def test_check_only_changes_nothing_and_says_all_is_well(self):
        self.daemon.terminate()
        done = subprocess.run(self.daemon.arguments("--check"), env=self.daemon.environment(), stdout=subprocess.PIPE,
                              text=True, timeout=30, check=False)
        self.assertEqual((done.returncode, "all is well" in done.stdout), (0, True))

    def test_wrong_options(self):
        self.assertEqual(self.refused("--frobnicate").returncode, 2)
        self.assertEqual(self.refused("surplus").returncode, 2)
        self.assertIn("loud", self.refused("--log-level", "loud").stderr)

    def test_background_returns_when_it_serves_and_logs_to_the_state(self):
        self.daemon.terminate()
        done = subprocess.run(self.daemon.arguments("--background"), env=self.daemon.environment(), timeout=30,
                              check=False)
        self.assertEqual(done.returncode, 0)
        self.call("Server.Ping")
        self.call("Server.Shutdown")
        with open(f"{self.daemon.state}/umld.log", encoding="utf-8") as log:
            harness.until(lambda: "ending on request" in log.read(), what="the log")
        harness.until(lambda: not os.path.exists(self.daemon.api), what="the end")

    def test_shutdown_answers_and_ends(self):
        self.call("Server.Shutdown")
        self.assertEqual(self.daemon.process.wait(harness.LIMIT), 0)

    def test_the_next_daemon_waits_for_one_that_is_ending(self):
        """Stopped on its way out: it listens no more, and still has its locks."""
        pid = self.daemon.process.pid
        os.unlink(self.daemon.api)
        os.kill(pid, signal.SIGSTOP)
        log = f"{self.daemon.directory}/next"
        with open(log, "wb") as file, subprocess.Popen(self.daemon.arguments(), env=self.daemon.environment(), stdout=file,
                                                       stderr=file) as following:
            try:
                with self.assertRaises(subprocess.TimeoutExpired):
                    following.wait(0.5)
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)
                self.assertEqual(self.daemon.process.wait(20), 0)
                harness.until(self.daemon_answers, what="the next daemon")
            finally:
                following.terminate()
            self.assertEqual(following.wait(20), 0)

    def daemon_answers(self):
        try:
            return self.call("Server.Ping")
        except OSError:
            return None

    def test_settings_and_guests_are_there_again(self):
        self.create("web", "mem=64M", kernel=harness.FAKE, labels={"a": "b"})
        self.set(stop_seconds=7)
        before = self.call("Guest.Get", name="web")
        for end in (self.daemon.terminate, self.daemon.kill):
            end()
            self.daemon.start()
            self.assertEqual(self.call("Guest.Get", name="web"), before)
            self.assertEqual(self.call("Server.Settings")["settings"]["stop-seconds"], "7")


class Full(Case):
    """The database cannot grow: a limit on the size of files stands for a full disk."""

    def fill(self):
        resource.prlimit(self.daemon.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def make_room(self):
        resource.prlimit(self.daemon.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def test_nothing_is_promised_that_is_not_stored_and_nothing_is_lost(self):
        self.boot("web")
        self.fill()
        with self.client() as first:
            first.send("Server.Set", {"name": "stop-seconds", "value": "9"})
            error = harness.until(self.refusal, what="a refusal")
            self.assertEqual((error.name, error.retryable), ("NoResources", True))
            # Reading goes on, without burning the processor.
            before = self.cpu_ticks()
            for _ in range(20):
                self.assertEqual(self.call("Guest.List")["guests"][0]["runtime"]["state"], "running")
            first.socket.settimeout(1)
            with self.assertRaises(TimeoutError):
                first.receive()
            self.assertLess(self.cpu_ticks() - before, 50)
            first.socket.settimeout(harness.LIMIT)
            self.make_room()
            self.assertEqual(first.reply()["parameters"], {"changed": True})
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.call("Server.Settings")["settings"]["stop-seconds"], "9")
        self.assertEqual(self.wait("web", "running")["bootNumber"], 1)

    def refusal(self):
        """What came in the same round as the first change waits as that one does."""
        try:
            with Client(self.daemon.api, 2) as client:
                client.call("Server.Set", {"name": "pinning", "value": "off"})
        except TimeoutError:
            return None
        except Error as error:
            return error
        return None

    def cpu_ticks(self):
        with open(f"/proc/{self.daemon.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def test_a_guest_that_ends_meanwhile_is_reported_afterwards(self):
        self.boot("web")
        self.fill()
        os.kill(self.runtime("web")["pid"], 9)
        harness.until(lambda: self.runtime("web")["state"] != "running", what="the end seen")
        self.make_room()
        self.assertEqual(self.wait("web", "failed")["exitSignal"], 9)
        seqs = [event["seq"] for event in self.events()]
        self.assertEqual(seqs, list(range(1, len(seqs) + 1)))


class Locked(Case):
    def test_another_writer_delays_changes_and_nothing_else(self):
        self.create("web")
        other = sqlite3.connect(f"{self.daemon.state}/umld.db", isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        with self.client() as client:
            client.send("Guest.Update", {"name": "web", "set": ["mem=48M"]})
            for _ in range(5):
                self.call("Guest.Get", name="web")
            other.execute("ROLLBACK")
            try:
                client.reply()
            except Error as error:
                self.assertTrue(error.retryable, str(error))
        harness.until(self.can_update, what="an update")

    def can_update(self):
        try:
            return self.call("Guest.Update", name="web", set=["mem=49M"])["changed"]
        except Error:
            return False


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("mount"), "mounting needs root")
class FullDisk(Case):
    def prepare(self):
        os.makedirs(self.daemon.state)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.daemon.state], check=False,
                              stderr=subprocess.PIPE)
        if done.returncode:
            self.skipTest("mounting is not permitted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.daemon.state], check=False)

    def fill(self, leave=0):
        """Until `leave` bytes are free."""
        room = os.statvfs(self.daemon.state)
        with open(f"{self.daemon.state}/ballast", "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, room.f_bavail * room.f_frsize - leave)

    @unittest.skipUnless(shutil.which("busybox"), "no busybox: apt install busybox-static")
    def test_an_image_that_finds_no_room_is_refused_as_that(self):
        self.fill(leave=1 << 20)
        with self.assertRaises(Error) as caught:
            self.call("Image.Build", kind="busybox")
        self.assertEqual(caught.exception.name, "NoResources")
        self.assertIn("No space left", caught.exception.parameters["message"])
        self.assertEqual(self.call("Image.List")["images"], [])

    def test_a_new_database_without_room_says_so(self):
        self.daemon.terminate()
        for name in os.listdir(self.daemon.state):
            if name.startswith("umld.db"):
                os.unlink(f"{self.daemon.state}/{name}")
        self.fill(leave=32 << 10)
        done = subprocess.run(self.daemon.arguments(), env=self.daemon.environment(), stderr=subprocess.PIPE, text=True,
                              timeout=30, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("make room", done.stderr)
        self.assertNotIn("move it away", done.stderr)

    def test_a_full_disk_stops_changes_and_room_brings_them_back(self):
        self.create("web")
        self.fill()
        held = []
        for number in range(200):
            client = Client(self.daemon.api, 2)
            held.append(client)
            try:
                client.call("Guest.Update", {"name": "web", "set": [f"mem={32 + number}M"]})
            except (Error, TimeoutError):
                break
        else:
            self.fail("the disk never got full")
        self.assertEqual(self.call("Guest.Get", name="web")["guest"]["definition"]["name"], "web")
        os.unlink(f"{self.daemon.state}/ballast")
        harness.until(self.can_update, what="an update")
        for client in held:
            client.close()

    def can_update(self):
        try:
            return self.call("Guest.Update", name="web", set=["mem=500M"])["changed"]
        except Error:
            return False


if __name__ == "__main__":
    harness.main()
