"""A scripted daemon: canned replies per method, every request recorded."""

import fcntl
import json
import os
import pty
import select
import shutil
import socket
import subprocess
import tempfile
import termios
import threading
import time
import unittest

UMLCTL = os.environ['UMLCTL']


class Error(Exception):
    """Raised by a script: answered as an error of the API."""

    def __init__(self, name, **params):
        super().__init__(name)
        self.name = name if '.' in name else 'io.umld.Server.' + name
        self.params = params


class Raw(Exception):
    """Raised by a script: these bytes, then this behaviour."""

    def __init__(self, data=b'', then='close'):
        super().__init__(then)
        self.data = data
        self.then = then


class Upgrade(Exception):
    """Raised by a script: answer, then hand the socket to a function."""

    def __init__(self, reply, talk, with_reply=b''):
        super().__init__('upgrade')
        self.reply = reply
        self.talk = talk
        self.with_reply = with_reply


def common(message, object='guest "web"', field='', hint='', retryable=False, more=()):
    return {'object': object, 'field': field, 'message': message, 'hint': hint,
            'retryable': retryable, 'more': list(more)}


class FakeUmld:
    """Scripts: method -> reply dict, list of replies, or function(params, call) giving either."""

    def __init__(self, path):
        self.path = path
        self.scripts = {}
        self.requests = []
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.stopping = threading.Event()
        self.acceptor = threading.Thread(target=self.accept, daemon=True)
        self.acceptor.start()

    def close(self):
        # Joined before the close: the next test's listener may get the same descriptor number.
        self.stopping.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join(10)
        self.listener.close()

    def accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        data = b''
        with conn:
            while True:
                while b'\0' not in data:
                    try:
                        piece = conn.recv(65536)
                    except OSError:
                        return
                    if not piece:
                        return
                    data += piece
                text, data = data.split(b'\0', 1)
                try:
                    if not self.answer(conn, json.loads(text)):
                        return
                except OSError:
                    return

    def answer(self, conn, call):
        with self.lock:
            self.requests.append(call)
        script = self.scripts.get(call['method'])
        try:
            if script is None:
                raise Error('org.varlink.service.MethodNotFound', method=call['method'])
            replies = script(call.get('parameters', {}), call) if callable(script) else script
            replies = replies if isinstance(replies, list) else [replies]
            if not call.get('more'):
                replies = replies[-1:]
            for i, params in enumerate(replies):
                message = {'parameters': params}
                if i + 1 < len(replies):
                    message['continues'] = True
                conn.sendall(json.dumps(message).encode() + b'\0')
        except Error as error:
            conn.sendall(json.dumps({'error': error.name, 'parameters': error.params}).encode()
                         + b'\0')
        except Raw as raw:
            conn.sendall(raw.data)
            if raw.then == 'silence':
                self.stopping.wait(20)
            return False
        except Upgrade as upgrade:
            conn.sendall(json.dumps({'parameters': upgrade.reply}).encode() + b'\0'
                         + upgrade.with_reply)
            upgrade.talk(conn)
            return False
        return True

    def calls(self, method):
        with self.lock:
            return [r for r in self.requests if r['method'] == method]

    def params(self, method):
        return [r.get('parameters', {}) for r in self.calls(method)]


def guest(name='web', state='running', **runtime):
    live = {'state': state, 'want': 'up', 'ready': state == 'running', 'bootNumber': 2,
            'restarts': 0, 'memory': 128 << 20}
    if state == 'running':
        live |= {'pid': 4242, 'startedAt': '2026-01-01T00:00:00.5Z', 'kernel': '/usr/bin/linux.uml'}
    return {'definition': {'name': name, 'devices': ['mem=128M', 'ubd0=/img/web.img'],
                           'restart': 'never', 'labels': {'tier': 'front'}},
            'runtime': live | runtime, 'revision': 3, 'createdAt': '2026-01-01T00:00:00Z'}


class Terminal:
    """umlctl on a pty of its own."""

    def __init__(self, words, env, columns=100):
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, columns))
        self.before = termios.tcgetattr(self.slave)
        self.text = b''
        self.proc = subprocess.Popen([UMLCTL, *words], stdin=self.slave, stdout=self.slave,
                                     stderr=self.slave, env=env, start_new_session=True,
                                     preexec_fn=lambda: fcntl.ioctl(
                                         0, termios.TIOCSCTTY, 0))

    def read(self, seconds=0.1):
        while select.select([self.master], [], [], seconds)[0]:
            piece = os.read(self.master, 4096)
            if not piece:
                break
            self.text += piece
            seconds = 0
        return self.text

    def expect(self, text):
        wait_until(lambda: text in self.read(0.02))

    def type(self, text):
        os.write(self.master, text)

    def end(self):
        wait_until(lambda: self.read(0.02) is None or self.proc.poll() is not None)
        status = self.proc.wait()
        self.read(0.02)
        same = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return status, same


class Case(unittest.TestCase):
    """A test with its own daemon and directory."""

    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='umlctl-')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.umld = FakeUmld(os.path.join(self.dir, 'api'))
        self.addCleanup(self.umld.close)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith('UMLD_')}
        self.env |= {'UMLD_SOCKET': self.umld.path, 'TERM': 'xterm'}
        self.env.pop('NO_COLOR', None)

    def script(self, method, reply):
        self.umld.scripts['io.umld.' + method] = reply

    def sent(self, method):
        """Parameters of the only call of that method."""
        params = self.umld.params('io.umld.' + method)
        self.assertEqual(len(params), 1, f'{method}: {params}')
        return params[0]

    def run_ctl(self, *words, stdin='', timeout=120, env=None):
        return subprocess.run([UMLCTL, *words], input=stdin, capture_output=True, text=True,
                              timeout=timeout, env=env or self.env, cwd=self.dir, check=False)

    def ok(self, *words, **more):
        done = self.run_ctl(*words, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, status, *words, **more):
        done = self.run_ctl(*words, **more)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stderr

    def usage(self, *words):
        text = self.fails(2, *words)
        self.assertEqual(self.umld.requests, [], 'the daemon was asked despite wrong usage')
        return text


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('waited in vain')
        time.sleep(0.01)
