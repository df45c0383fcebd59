"""Errors: every name with its exit status and text; daemons that misbehave; wrong usage."""

import os
import subprocess
import time
import unittest

from fake_umld import Case, Error, Raw, UMLCTL, common, guest

STATUS = {
    'InvalidValue': 2, 'NotFound': 7, 'NotRunning': 7, 'Exists': 8, 'WrongState': 8, 'Conflict': 8,
    'Busy': 9, 'Timeout': 10, 'Denied': 4, 'NoResources': 11, 'KernelUnsafe': 5,
    'MissingSoftware': 5, 'BadConfig': 6, 'GuestUnresponsive': 10, 'GuestError': 1, 'Crashed': 12,
    'Cancelled': 13, 'Unsupported': 3, 'Internal': 1,
    'SomethingNewer': 1,
    'org.varlink.service.InvalidParameter': 2, 'org.varlink.service.MethodNotFound': 3,
    'org.varlink.service.InterfaceNotFound': 3, 'org.varlink.service.PermissionDenied': 4,
}


def fail(name, **params):
    def script(_params, _call):
        raise Error(name, **params)
    return script


def misbehave(data, then='close'):
    def script(_params, _call):
        raise Raw(data, then)
    return script


class Errors(Case):
    def test_every_error_has_its_exit_status(self):
        for name, status in STATUS.items():
            with self.subTest(name):
                self.script('Guest.Get', fail(name, **common('it broke', hint='mend it')))
                self.assertEqual(self.fails(status, 'show', 'web'),
                                 'umlctl: guest "web": it broke (mend it)\n')

    def test_further_problems_have_a_line_each(self):
        self.script('Guest.Create', fail('InvalidValue', **common(
            'first', more=['guest "web": second', 'third'])))
        self.assertEqual(self.fails(2, 'create', 'web'),
                         'umlctl: guest "web": first\numlctl: guest "web": second\n'
                         'umlctl: third\n')

    def test_standard_errors_without_our_parameters(self):
        self.script('Guest.Get', fail('org.varlink.service.InvalidParameter', parameter='name'))
        self.assertIn('name', self.fails(2, 'show', 'web'))
        self.script('Guest.Get', fail('org.varlink.service.InvalidParameter', parameter='name',
                                      message='too long'))
        self.assertEqual(self.fails(2, 'show', 'web'), 'umlctl: parameter "name": too long\n')
        self.script('Guest.Get', fail('org.varlink.service.InvalidParameter', parameter='name',
                                      object='io.umld.Guest.Get', message='is a number'))
        self.assertEqual(self.fails(2, 'show', 'web'), 'umlctl: parameter "name": is a number\n')
        self.assertIn('no.such.Method', self.fails(3, 'call', 'no.such.Method'))
        self.script('Guest.Get', fail('NotFound'))
        self.assertIn('NotFound', self.fails(7, 'show', 'web'))

    def test_error_of_json_is_on_stderr_only(self):
        self.script('Guest.Get', fail('NotFound', **common('no such guest')))
        done = self.run_ctl('--json', 'show', 'web')
        self.assertEqual((done.returncode, done.stdout), (7, ''))
        self.assertIn('no such guest', done.stderr)

    def test_error_ends_a_stream(self):
        self.script('Server.Subscribe', fail('Denied', **common('not yours')))
        self.fails(4, 'events', '--follow')


class Broken(Case):
    def test_garbage(self):
        for data in (b'hello\0', b'[]\0', b'{"error": 5}\0', b'{"parameters": []}\0', b'\0'):
            with self.subTest(data):
                self.script('Guest.List', misbehave(data))
                self.assertIn('cannot be understood', self.fails(1, 'list'))

    def test_connection_closed_before_or_in_the_middle_of_a_reply(self):
        for data in (b'', b'{"parameters": {'):
            self.script('Guest.List', misbehave(data))
            self.assertIn('closed the connection', self.fails(14, 'list'))

    def test_silence_ends_at_the_time_limit(self):
        self.script('Guest.List', misbehave(b'', 'silence'))
        began = time.monotonic()
        self.assertIn('did not answer in time', self.fails(10, '--timeout', '1ms', 'list'))
        self.assertLess(time.monotonic() - began, 18)

    def test_reply_in_many_pieces_and_large(self):
        self.script('Guest.List', {'guests': [guest(f'g{i}') for i in range(3000)]})
        self.assertEqual(len(self.ok('list').splitlines()), 3001)

    def test_nobody_there(self):
        self.env['UMLD_SOCKET'] = os.path.join(self.dir, 'none')
        self.assertIn('no daemon answers at', self.fails(14, 'list'))
        self.assertIn('no daemon answers at', self.fails(14, 'stop', 'a', 'b'))
        self.fails(14, 'shutdown')
        self.assertIn('(not running)', self.ok('version'))
        del self.env['UMLD_SOCKET']
        self.fails(14, '--socket', self.dir + '/none', 'list')
        self.fails(2, '--socket', '/' + 'x' * 200, 'list')

    def test_closed_standard_output_is_quiet(self):
        self.script('Guest.List', {'guests': [guest(f'g{i}') for i in range(3000)]})
        with subprocess.Popen([UMLCTL, 'list'], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.env) as p:
            p.stdout.readline()
            p.stdout.close()
            self.assertEqual(p.stderr.read(), b'')
            self.assertEqual(p.wait(10), 141)

    def test_full_disk_is_told(self):
        self.script('Guest.List', {'guests': []})
        with open('/dev/full', 'w', encoding='ascii') as full:
            done = subprocess.run([UMLCTL, 'list'], stdout=full, stderr=subprocess.PIPE,
                                  env=self.env, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'cannot write the output', done.stderr)


class Usage(Case):
    def test_unknown_command_suggests_the_nearest(self):
        self.assertIn('unknown command "strat" (did you mean start?)', self.usage('strat'))
        self.assertIn('did you mean kernel list?', self.usage('kernel', 'lits'))
        self.assertIn('unknown command "kernel lits"; did you mean kernel list', self.usage('help', 'kernel', 'lits'))
        self.assertIn('umlctl help lists them all', self.usage('frobnicate'))

    def test_wrong_usage(self):
        for words in ((), ('start',), ('show',), ('list', '--all'), ('kernel',),
                      ('list', '--bogus'), ('--bogus',), ('list', '-z'), ('list', '--json=yes'),
                      ('--timeout', 'soon', 'list'), ('--timeout', '0', 'list'), ('--timeout',),
                      ('stop', 'a', '--', 'b'), ('run', 'mem=1G'), ('start', '-c', 'a', 'b'),
                      ('logs', 'a', '--tail', '-1'), ('logs', 'a', '-f', '-b', '3'),
                      ('logs', 'a', '-f', '--json'), ('events', '--since', 'x'),
                      ('job', 'list', '--limit', '0')):
            with self.subTest(words):
                self.usage(*words)

    def test_usage_errors_point_to_help(self):
        self.assertIn('see umlctl help start', self.usage('start', '--bogus'))

    def test_version_option(self):
        self.assertRegex(self.ok('--version'), r'^umlctl \d')


if __name__ == '__main__':
    unittest.main()
