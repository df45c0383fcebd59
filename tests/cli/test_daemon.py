"""Which daemon is asked, and starting one on demand."""

import os
import stat
import subprocess
import sys
import time
import unittest

from fake_umld import Case, UMLCTL

# Stands in for umld: logs its start, then serves one kind of call in the background.
FAKE = '''#!{python}
import json, os, socket, sys, time
open(os.environ['STARTS'], 'a').write(' '.join(sys.argv[1:]) + '\\n')
mode = os.environ.get('FAKE_MODE', '')
if mode == 'fail':
    sys.exit('database is newer than this program')
if mode == 'hang':
    time.sleep(120)
time.sleep(0.2)
s = socket.socket(socket.AF_UNIX)
s.bind(os.environ['UMLD_RUN_DIR'] + '/api')
s.listen(16)
if os.fork():
    os._exit(0)
for fd in (0, 1, 2):
    os.close(fd)
s.settimeout(60)
try:
    while True:
        conn = s.accept()[0]
        while conn.recv(4096):
            conn.sendall(json.dumps({{'parameters': {{'guests': []}}}}).encode() + b'\\0')
except OSError:
    os._exit(0)
'''


class OnDemand(Case):
    def setUp(self):
        super().setUp()
        del self.env['UMLD_SOCKET']
        self.run_dir = os.path.join(self.dir, 'run')
        self.starts = os.path.join(self.dir, 'starts')
        bin_dir = os.path.join(self.dir, 'bin')
        os.mkdir(bin_dir)
        # A copy: the real one may have a real umld beside it.
        self.umlctl = os.path.join(bin_dir, 'umlctl')
        with open(UMLCTL, 'rb') as f, open(self.umlctl, 'wb') as copy:
            copy.write(f.read())
        os.chmod(self.umlctl, 0o755)
        self.umld_program = os.path.join(bin_dir, 'umld')
        with open(self.umld_program, 'w', encoding='ascii') as f:
            f.write(FAKE.format(python=sys.executable))
        os.chmod(self.umld_program, 0o755)
        self.env |= {'UMLD_RUN_DIR': self.run_dir, 'UMLD_STATE_DIR': self.dir + '/state',
                     'STARTS': self.starts}

    def ctl(self, *words):
        return subprocess.run([self.umlctl, *words], env=self.env, capture_output=True, text=True,
                              timeout=120, check=False)

    def started(self):
        if not os.path.exists(self.starts):
            return []
        with open(self.starts, encoding='ascii') as f:
            return f.read().splitlines()

    def test_started_once_and_then_used(self):
        for _ in range(2):
            done = self.ctl('list')
            self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual(self.started(), ['--background'])
        self.assertEqual(stat.S_IMODE(os.stat(self.run_dir).st_mode), 0o700)

    def test_race_starts_one(self):
        procs = [subprocess.Popen([self.umlctl, 'list'], env=self.env, stdout=subprocess.DEVNULL)
                 for _ in range(6)]
        self.assertEqual([p.wait(120) for p in procs], [0] * 6)
        self.assertEqual(len(self.started()), 1)

    def test_failure_shows_what_the_daemon_said(self):
        self.env['FAKE_MODE'] = 'fail'
        done = self.ctl('list')
        self.assertEqual(done.returncode, 14)
        self.assertIn('database is newer than this program', done.stderr)

    def test_daemon_that_never_serves_is_given_up(self):
        self.env['FAKE_MODE'] = 'hang'
        began = time.monotonic()
        done = self.ctl('list')
        self.assertEqual(done.returncode, 14)
        self.assertIn('was not ready in time', done.stderr)
        self.assertLess(time.monotonic() - began, 55)  # it would say something else in the end

    def test_missing_program(self):
        os.unlink(self.umld_program)
        self.env['PATH'] = '/nonexistent'
        done = self.ctl('list')
        self.assertEqual(done.returncode, 5)
        self.assertIn('no daemon is running', done.stderr)

    def test_never_with_socket_nor_when_not_wanted(self):
        self.assertEqual(self.ctl('--socket', self.dir + '/none', 'list').returncode, 14)
        self.assertEqual(self.ctl('--no-start', 'list').returncode, 14)
        self.assertIn('(not running)', self.ctl('version').stdout)
        self.assertEqual(self.ctl('shutdown').returncode, 0)
        self.assertEqual(self.started(), [])

    def test_run_directory_of_somebody_else_is_refused(self):
        if os.getuid() != 0:
            self.skipTest('only root can give a directory away')
        os.mkdir(self.run_dir)
        os.chown(self.run_dir, 12345, 12345)
        done = self.ctl('list')
        self.assertEqual(done.returncode, 4)
        self.assertIn('belongs to another user', done.stderr)
        self.assertEqual(self.started(), [])


if __name__ == '__main__':
    unittest.main()
