"""Each command: what it asks the daemon, what it prints."""

import json
import os
import pty
import socket
import subprocess
import unittest

from fake_umld import Case, Error, Raw, UMLCTL, common, guest


def hang_up(params, call):
    reply = {'job': '7', 'phase': 'killing', 'done': 3, 'total': 3, 'killed': ['web']}
    raise Raw(json.dumps({'parameters': reply if params else {}}).encode() + b'\0', 'end')


class Create(Case):
    def setUp(self):
        super().setUp()
        self.script('Guest.Create', lambda p, c: {'guest': guest(p['definition']['name'],
                                                                 'stopped'), 'changed': True})

    def test_words_become_definition_fields_and_devices(self):
        out = self.ok('create', 'web', 'mem=128M', 'kernel=/k/linux', 'restart=onFailure',
                      'autostart=yes', 'owner=0', 'trusted=no', 'sandbox=off', 'pinned=on',
                      'ready=console:login: $', 'label:tier=front=1', 'ubd0=a.cow,b.img',
                      '--', 'quiet', 'x=y')
        self.assertEqual(out, 'web: created\n')
        sent = self.sent('Guest.Create')
        self.assertEqual(sent['cwd'], os.path.realpath(self.dir))
        self.assertEqual(sent['definition'], {
            'name': 'web', 'devices': ['mem=128M', 'ubd0=a.cow,b.img'], 'kernel': '/k/linux',
            'restart': 'onFailure', 'autostart': True, 'owner': 0, 'trusted': False,
            'sandbox': False, 'pinned': True, 'ready': 'console', 'readyPattern': 'login: $',
            'labels': {'tier': 'front=1'}, 'cmdline': ['quiet', 'x=y']})
        self.assertNotIn('dryRun', sent)

    def test_dependencies_and_protection_are_a_list_and_a_map(self):
        self.ok('create', 'web', 'depends=db,dns', 'protect:stop=the shop = open', 'protect:remove=x')
        self.assertEqual(self.umld.params('io.umld.Guest.Create')[0]['definition'], {
            'name': 'web', 'depends': ['db', 'dns'],
            'protect': {'stop': 'the shop = open', 'remove': 'x'}})
        self.ok('create', 'web', 'depends=')
        self.assertEqual(self.umld.params('io.umld.Guest.Create')[1]['definition']['depends'], [])

    def test_warnings_are_notes_on_stderr(self):
        self.script('Guest.Create', {'guest': guest('web', 'stopped'), 'changed': True,
                                     'warnings': ['it depends on "db"']})
        done = self.run_ctl('create', 'web', 'depends=db')
        self.assertEqual((done.returncode, done.stdout), (0, 'web: created\n'))
        self.assertIn('it depends on "db"', done.stderr)

    def test_owner_by_user_name(self):
        self.ok('create', 'web', 'owner=root')
        self.assertEqual(self.sent('Guest.Create')['definition']['owner'], 0)

    def test_definition_from_file_with_words_on_top(self):
        with open(os.path.join(self.dir, 'web.json'), 'w', encoding='utf-8') as f:
            json.dump({'guest': {'definition': {'name': 'web', 'devices': ['mem=1G']}}}, f)
        self.ok('create', '-f', 'web.json', 'ubd0=x', 'restart=always')
        self.assertEqual(self.sent('Guest.Create')['definition'],
                         {'name': 'web', 'devices': ['mem=1G', 'ubd0=x'], 'restart': 'always'})

    def test_definition_from_standard_input_under_another_name(self):
        self.ok('create', 'two', '--file=-', stdin='{"name": "one"}')
        self.assertEqual(self.sent('Guest.Create')['definition'], {'name': 'two'})

    def test_standard_input_may_be_what_cannot_be_opened_again(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.sendall(b'{"name": "one"}')
            ours.shutdown(socket.SHUT_WR)
            subprocess.run([UMLCTL, 'create', '-f', '-'], stdin=theirs, env=self.env, timeout=30, check=True)
        self.assertEqual(self.sent('Guest.Create')['definition'], {'name': 'one'})

    def test_dry_run_shows_the_definition(self):
        out = self.ok('create', 'web', '--dry-run')
        self.assertIs(self.sent('Guest.Create')['dryRun'], True)
        self.assertIn('guest web would be created:', out)
        self.assertIn('mem=128M', out)

    def test_wrong_words_are_usage_errors(self):
        self.assertIn('"oops" is not of the form KEY=VALUE', self.usage('create', 'web', 'oops'))
        self.usage('create', 'web', 'protect:=why')
        self.assertIn('restart= must be never, onFailure or always',
                      self.usage('create', 'web', 'restart=maybe'))
        self.assertIn('sandbox= must be yes or no', self.usage('create', 'web', 'sandbox=perhaps'))
        self.assertIn('ready= must be', self.usage('create', 'web', 'ready=console:'))
        self.assertIn('owner= names no user', self.usage('create', 'web', 'owner=no such user'))
        self.assertIn("the guest's name must come first", self.usage('create', 'mem=1G'))
        self.assertIn('not a JSON object', self.run_ctl('create', '-f', '-', stdin='[1').stderr)
        self.fails(7, 'create', '-f', 'missing.json')


class Look(Case):
    def test_list_is_a_table_of_at_most_80_columns(self):
        guests = [guest('a'), guest('a-rather-long-name', 'stopped'),
                  guest('b', 'failed', kernel='/k/linux-' + 'x' * 100)]
        self.script('Guest.List', {'guests': guests})
        lines = self.ok('list').splitlines()
        self.assertEqual(lines[0].split(), ['NAME', 'STATE', 'READY', 'PID', 'BOOT', 'MEM',
                                            'KERNEL', 'UPTIME'])
        self.assertEqual(lines[1].split()[:7], ['a', 'running', 'yes', '4242', '2', '128M',
                                                'linux.uml'])
        self.assertIn('~', lines[3])
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertEqual(len(lines), 4)
        self.assertEqual(self.ok('ls').splitlines(), lines)

    def test_list_of_nothing_is_a_header(self):
        self.script('Guest.List', {'guests': []})
        self.assertEqual(len(self.ok('list').splitlines()), 1)

    def test_json_is_exactly_the_reply(self):
        reply = {'guests': [guest('a') | {'later': [1, {'ü': None}]}]}
        self.script('Guest.List', reply)
        out = self.ok('--json', 'list')
        self.assertEqual(json.loads(out), reply)
        self.assertEqual(out.count('\n'), 1)
        self.assertEqual(self.ok('list', '--json'), out)

    def test_show(self):
        self.script('Guest.Get', {'guest': guest(cause='exit status 3', cpu=1)})
        out = self.ok('show', 'web')
        self.assertEqual(self.sent('Guest.Get'), {'name': 'web'})
        for text in ('guest web', 'ubd0=/img/web.img', 'tier=front', 'running, ready',
                     'pid          4242', '2026-01-01 00:00:00Z', 'exit status 3'):
            self.assertIn(text, out)

    def test_escape_sequences_of_guests_do_not_reach_the_terminal(self):
        self.script('Guest.Get', {'guest': guest(status='\x1b]0;evil\x07\x9b1m')})
        self.script('Guest.Mconsole', {'text': 'a\x1b[2Jb\n', 'status': 0})
        for out in (self.ok('show', 'web'), self.ok('status', 'web'),
                    self.ok('mconsole', 'web', 'version')):
            for bad in '\x1b\x07\x9b':
                self.assertNotIn(bad, out)

    def test_status(self):
        self.script('Server.Status', {'version': '1.2', 'pid': 7, 'mode': 'user', 'runDir': '/r',
                                      'stateDir': '/s', 'startedAt': '2026-01-01T00:00:00Z',
                                      'guests': 3, 'running': 2, 'logLevel': 'info',
                                      'lastEvent': 99})
        self.script('Guest.Get', {'guest': guest(state='failed', cause='kernel panic: boom',
                                                 ready=False)})
        self.assertIn('umld 1.2, user mode, pid 7', self.ok('status'))
        self.assertEqual(self.ok('status', 'web'), 'web: failed: kernel panic: boom\n')

    def test_colours_on_a_terminal_only_and_not_with_no_color(self):
        self.script('Guest.List', {'guests': [guest('a')]})
        self.assertNotIn('\x1b', self.ok('list'))
        self.assertIn('\x1b[32mrunning', self.on_terminal('list'))
        self.assertNotIn('\x1b', self.on_terminal('--no-color', 'list'))
        self.env['NO_COLOR'] = '1'
        self.assertNotIn('\x1b', self.on_terminal('list'))

    def on_terminal(self, *words):
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(UMLCTL, [UMLCTL, *words], self.env)
        text = b''
        try:
            while piece := os.read(fd, 4096):
                text += piece
        except OSError:
            pass
        os.waitpid(pid, 0)
        os.close(fd)
        return text.decode()


class Verbs(Case):
    def test_start(self):
        self.script('Guest.Start', {'changed': True, 'state': 'running', 'ready': True})
        self.assertEqual(self.ok('start', 'web'), 'web: running, ready\n')
        self.assertEqual(self.sent('Guest.Start'), {'name': 'web', 'timeoutMs': 120000})

    def test_start_without_waiting_says_what_is_under_way(self):
        for state, changed, told in (('stopped', True, 'starting'), ('failed', True, 'starting'), ('booting', False, 'already booting')):
            self.script('Guest.Start', {'changed': changed, 'state': state, 'ready': False})
            self.assertEqual(self.ok('start', 'web', '--wait', 'none'), f'web: {told}\n')

    def test_start_options(self):
        self.script('Guest.Start', {'changed': False, 'state': 'running', 'ready': False})
        self.assertEqual(self.ok('start', '--wait', 'kernel', 'web', '--timeout', '2m'),
                         'web: already running\n')
        self.assertEqual(self.sent('Guest.Start'),
                         {'name': 'web', 'wait': 'kernel', 'timeoutMs': 120000})
        self.umld.requests.clear()
        self.ok('start', '-wnone', 'web')
        self.assertEqual(self.sent('Guest.Start'), {'name': 'web', 'wait': 'none'})
        self.umld.requests.clear()
        self.assertIn('must be kernel|ready|none', self.usage('start', 'web', '--wait=soon'))

    def test_stop(self):
        self.script('Guest.Stop', {'changed': True, 'state': 'stopped'})
        self.assertEqual(self.ok('--timeout', '500ms', 'stop', '--force', 'web'),
                         'web: stopped\n')
        self.assertEqual(self.sent('Guest.Stop'),
                         {'name': 'web', 'force': True, 'timeoutMs': 500})

    def test_times_that_are_none_are_usage_errors(self):
        self.usage('stop', '--grace', 'long', 'web')
        self.usage('shutdown', '--budget', '9')
        self.usage('shutdown', '--guests', '--budget', 'soon')

    def test_stop_says_how_it_ended_and_gives_time(self):
        for how, text in (('shutdown', ''), ('killed', ' (killed)'), ('crashed', ' (it crashed on the way)'),
                          ('halted', ' (it did not shut down; synced and halted)'),
                          ('rebooted', ' (it rebooted instead of powering off, and was halted as it came up)')):
            self.script('Guest.Stop', {'changed': True, 'state': 'stopped', 'how': how})
            self.assertEqual(self.ok('stop', '--grace', '2m', 'web'), f'web: stopped{text}\n')
        self.assertEqual({(p['graceMs'], p['timeoutMs']) for p in self.umld.params('io.umld.Guest.Stop')},
                         {(120000, 210000)})

    def test_status_says_what_is_waited_for(self):
        self.script('Guest.Get', {'guest': guest(state='preparing', doing='waits for db (booting)')})
        self.assertEqual(self.ok('status', 'web'), 'web: preparing: waits for db (booting)\n')
        self.script('Guest.Get', {'guest': guest(state='backoff', cause='exit status 3', failures=2,
                                                 nextStartAt='2026-01-01T00:00:00.5Z')})
        self.assertEqual(self.ok('status', 'web'), 'web: backoff: exit status 3; starts again in 0s\n')
        self.assertIn('failures     2', self.ok('show', 'web'))

    def test_plain_verbs(self):
        for word, method in (('kill', 'Kill'), ('pause', 'Pause'), ('resume', 'Resume'),
                             ('reset-failed', 'ResetFailed')):
            self.script('Guest.' + method, {'changed': False, 'state': 'stopped'})
            self.assertEqual(self.ok(word, 'web'), 'web: already stopped\n')
            self.assertEqual(self.sent('Guest.' + method), {'name': 'web'})
        self.script('Guest.Reboot', {'changed': True, 'state': 'running'})
        self.assertEqual(self.ok('reboot', 'web'), 'web: running\n')
        self.script('Guest.Remove', {'changed': True})
        self.assertEqual(self.ok('rm', 'web', '--force'), 'web: removed\n')
        self.assertEqual(self.sent('Guest.Remove'), {'name': 'web', 'force': True})

    def test_wait(self):
        self.script('Guest.Wait', {'guest': guest(state='stopped', cause='powered off'), 'met': 'exit'})
        self.assertEqual(self.ok('wait', 'web'), 'web: stopped: powered off\n')
        self.assertEqual(self.sent('Guest.Wait'),
                         {'name': 'web', 'condition': 'exit', 'timeoutMs': 86400000})

    def test_wait_for_an_event_a_line_or_either(self):
        self.script('Guest.Wait', {'guest': guest(), 'met': 'event>=7', 'seq': 9, 'text': 'guest.ready'})
        self.assertEqual(self.ok('wait', 'web', 'event>=7'), 'web: event 9: guest.ready\n')
        self.umld.requests.clear()
        self.script('Guest.Wait', {'guest': guest(), 'met': 'console=/lo/', 'text': 'web\x1b[1m login:'})
        self.assertEqual(self.ok('wait', 'web', 'console=/lo/', 'failed', '--timeout', '5'), 'web: web?[1m login:\n')
        self.assertEqual(self.sent('Guest.Wait'), {'name': 'web', 'condition': 'console=/lo/', 'others': ['failed'],
                                                   'timeoutMs': 5000})

    def test_wait_that_fails(self):
        for name, status in (('Timeout', 10), ('Crashed', 12), ('NotFound', 7), ('NotRunning', 7), ('Cancelled', 13)):
            def script(params, call, name=name):
                raise Error(name, **common('not there'))
            self.script('Guest.Wait', script)
            self.fails(status, 'wait', 'web', 'ready')

    def test_explain(self):
        self.script('Guest.Explain', {
            'state': 'failed', 'text': 'failed: kernel panic',
            'causes': [{'seq': 3, 'time': '2026-01-01T00:00:00.123Z', 'text': 'uid 0 asked for start'}],
            'advice': ['umlctl logs web --boot 7']})
        self.assertEqual(self.ok('explain', 'web'),
                         'web: failed: kernel panic\n  2026-01-01 00:00:00Z  uid 0 asked for start\n'
                         '  try: umlctl logs web --boot 7\n')
        self.assertEqual(self.sent('Guest.Explain'), {'name': 'web'})

    def several(self, params, call):
        if params['name'].startswith('bad'):
            raise Error('NotFound', **common('no such guest', f'guest "{params["name"]}"'))
        if params['name'].startswith('busy'):
            raise Error('Busy', **common('in use', f'guest "{params["name"]}"'))
        return {'changed': True, 'state': 'stopped'}

    def test_several_guests_are_reported_each(self):
        self.script('Guest.Stop', self.several)
        names = [f'g{i}' for i in range(20)]
        self.assertEqual(self.ok('stop', *names), ''.join(f'{n}: stopped\n' for n in names))
        done = self.run_ctl('stop', 'one', 'bad', 'two')
        self.assertEqual(done.returncode, 15)
        self.assertEqual(done.stdout, 'one: stopped\ntwo: stopped\n')
        self.assertEqual(done.stderr, 'umlctl: guest "bad": no such guest\n')
        self.fails(7, 'stop', 'bad1', 'bad2')
        self.fails(1, 'stop', 'bad1', 'busy')

    def test_several_guests_in_json_have_a_line_each(self):
        self.script('Guest.Stop', self.several)
        lines = self.run_ctl('--json', 'stop', 'one', 'bad').stdout.splitlines()
        self.assertEqual(json.loads(lines[0]), {'name': 'one', 'changed': True, 'state': 'stopped'})
        self.assertEqual(json.loads(lines[1])['error'], 'io.umld.Server.NotFound')
        self.assertEqual(json.loads(self.ok('--json', 'stop', 'one')), {'changed': True, 'state': 'stopped'})

    def test_config(self):
        self.script('Guest.Config', {'values': [
            {'device': 'ubd0', 'value': 'ubd0=/img', 'where': 'stored'},
            {'device': 'con1', 'value': 'con1=pts', 'where': 'live'},
            {'device': 'con2', 'value': 'con2=pts', 'where': 'differs', 'live': 'con2=none'},
            {'device': 'ubd1', 'value': 'ubd1=/b', 'where': 'differs'},
            {'device': 'mem', 'value': 'mem=64M', 'where': 'both', 'live': 'mem=64M'}]})
        self.assertEqual(self.ok('config', 'web').splitlines(), [
            'ubd0=/img  (stored only)', 'con1=pts  (live only)', 'con2=pts  (live: con2=none)', 'ubd1=/b  (live: not there)',
            'mem=64M'])
        self.script('Guest.Config', {'values': [{'device': 'ubd0', 'value': 'ubd0=/img', 'where': 'stored'}]})
        self.assertEqual(self.ok('config', 'web'), 'ubd0=/img\n', 'of a guest that does not run all is only stored')
        self.ok('config', 'web', 'ubd0')
        self.assertEqual(self.umld.params('io.umld.Guest.Config'),
                         [{'name': 'web'}, {'name': 'web'}, {'name': 'web', 'device': 'ubd0'}])
        self.script('Guest.Update', {'guest': guest(), 'changed': True})
        done = self.run_ctl('config', 'web', 'mem=1G', '--unset', 'ubd1', '-u', 'con1')
        self.assertEqual(done.stdout, 'web: changed\n')
        self.assertIn('takes effect at its next start', done.stderr)
        sent = self.sent('Guest.Update')
        self.assertEqual((sent['set'], sent['unset']), (['mem=1G'], ['ubd1', 'con1']))
        self.assertNotIn('cmdline', sent)
        self.ok('config', 'web', '--', 'quiet', 'root=/dev/ubdb', '--', 'single')
        self.ok('config', 'web', 'mem=2G', '--', 'quiet')
        self.assertEqual([(p['set'], p['cmdline']) for p in self.umld.params('io.umld.Guest.Update')[1:]],
                         [([], ['quiet', 'root=/dev/ubdb', '--', 'single']), (['mem=2G'], ['quiet'])])
        self.umld.requests.clear()
        self.usage('config', 'web', 'ubd0', 'mem=1G')
        self.usage('config', 'web', 'ubd0', 'ubd1')

    def test_mconsole(self):
        self.script('Guest.Mconsole', lambda p, c: {'text': 'OK ' + p['command'], 'status': 0})
        self.assertEqual(self.ok('mconsole', 'web', 'config', 'ubd0', '--force'),
                         'OK config ubd0\n')
        self.assertEqual(self.sent('Guest.Mconsole'),
                         {'name': 'web', 'command': 'config ubd0', 'force': True})
        self.assertEqual(self.ok('mconsole', 'web', stdin='version\n\ngo\nquit\nno\n'),
                         'OK version\nOK go\n')
        self.script('Guest.Mconsole', {'text': 'Unknown command', 'status': 1})
        self.assertIn('Unknown command', self.fails(1, 'mconsole', 'web', 'nonsense'))


class Host(Case):
    def test_kernels(self):
        kernel = {'name': '6.1', 'path': '/k', 'version': '6.1.1', 'dynamic': True, 'guard': True,
                  'xstate': 'guarded', 'killSafe': False, 'lpj': 5, 'transports': ['tap', 'bess'],
                  'config': {'HOSTFS': 'y', 'MODULES': 'm', **{f'OPTION_{n}': 'y' for n in range(20)}}, 'usable': True}
        self.script('Kernel.List', {'kernels': [kernel]})
        self.script('Kernel.Probe', {'kernel': kernel})
        self.script('Kernel.Add', {'kernel': kernel, 'changed': True})
        self.script('Kernel.Remove', {'changed': True})
        self.assertIn('6.1.1', self.ok('kernel', 'list'))
        out = self.ok('kernel', 'probe', './linux')
        self.assertIn('tap bess', out)
        self.assertIn('config       HOSTFS MODULES=m OPTION_0 ', out)
        self.assertLessEqual(max(map(len, out.splitlines())), 80)
        self.assertEqual(self.sent('Kernel.Probe'),
                         {'kernel': os.path.realpath(self.dir) + '/linux'})
        self.ok('kernel', 'add', 'linux', '--name', 'mine')
        self.assertEqual(self.sent('Kernel.Add'),
                         {'path': os.path.realpath(self.dir) + '/linux', 'name': 'mine'})
        self.assertEqual(self.ok('kernel', 'rm', 'mine'), 'mine: removed\n')

    def test_images(self):
        image = {'name': 'busybox', 'path': '/i/b.img', 'kind': 'busybox', 'bytes': 67108864,
                 'createdAt': '2026-01-01T00:00:00Z'}
        self.script('Image.List', {'images': [image]})
        self.script('Image.Build', {'image': image, 'job': '1', 'changed': True})
        self.script('Image.Remove', {'changed': True})
        self.assertEqual(self.ok('image', 'list').splitlines()[1].split(),
                         ['busybox', 'busybox', '64M', '2026-01-01', '/i/b.img'])
        self.assertEqual(self.ok('image', 'build', 'busybox', '--size=64M', '--replace'),
                         'busybox: built, /i/b.img\n')
        self.assertEqual(self.sent('Image.Build'),
                         {'kind': 'busybox', 'bytes': 67108864, 'replace': True})
        self.ok('image', 'rm', 'busybox')
        self.umld.requests.clear()
        self.usage('image', 'build', 'busybox', '--size', 'big')

    def test_waiting_for_a_job_and_following_it(self):
        def job(state, **more):
            return {'job': {'id': '7', 'kind': 'image.build', 'object': 'busybox', 'state': state, 'phase': 'copy',
                            'done': 1, 'total': 4, 'startedAt': '2026-01-01T00:00:00Z', 'uid': 0} | more}
        self.script('Job.Wait', [job('running'), job('done')])
        self.assertEqual(self.ok('job', 'wait', '7'), '7: done\n')
        self.assertEqual(self.umld.calls('io.umld.Job.Wait')[0]['parameters'], {'id': '7', 'timeoutMs': 86400000})
        lines = self.ok('job', 'show', '7', '--follow').splitlines()
        self.assertEqual(lines[:2], ['7: copy 25%', 'job 7'])
        self.script('Job.Wait', [job('failed', error='no space', errorName='NoResources')])
        self.assertIn('job 7: failed: no space', self.fails(11, 'job', 'wait', '7'))
        self.script('Job.Wait', [job('cancelled', error='by hand', errorName='Cancelled')])
        self.fails(13, 'job', 'wait', '7')

    def test_jobs(self):
        job = {'id': '7', 'kind': 'image.build', 'object': 'busybox', 'state': 'running',
               'phase': 'copy', 'done': 1, 'total': 4, 'startedAt': '2026-01-01T00:00:00Z'}
        self.script('Job.List', {'jobs': [job]})
        self.script('Job.Get', {'job': job})
        self.script('Job.Cancel', {'changed': True})
        self.assertIn('25%', self.ok('job', 'list', '--active', '-n', '5'))
        self.assertEqual(self.sent('Job.List'), {'limit': 5, 'active': True})
        self.assertIn('copy', self.ok('job', 'show', '7'))
        self.assertEqual(self.ok('job', 'cancel', '7'), '7: is being cancelled\n')

    def test_shutdown_waits_until_the_daemon_serves_nobody_any_more(self):
        self.script('Server.Shutdown', {})
        self.assertIn('--timeout', self.fails(10, '--timeout', '300ms', 'shutdown'))

    def test_doctor(self):
        checks = [{'name': 'bwrap', 'result': 'ok', 'text': 'found'}]
        self.script('Server.Doctor', lambda p, c: {'checks': checks})
        self.assertEqual(self.ok('doctor'), 'ok       bwrap: found\n')
        checks.append({'name': 'shm', 'result': 'problem', 'text': 'noexec', 'hint': 'remount'})
        done = self.run_ctl('doctor')
        self.assertEqual(done.returncode, 5)
        self.assertIn('-> remount', done.stdout)

    def test_settings(self):
        self.script('Server.Settings', {'settings': {'a': '1', 'b': '2'}})
        self.script('Server.Set', {'changed': True})
        self.assertEqual(self.ok('settings'), 'a=1\nb=2\n')
        self.assertEqual(self.ok('settings', 'b'), 'b=2\n')
        self.fails(7, 'settings', 'c')
        self.ok('settings', 'a=x=y')
        self.assertEqual(self.sent('Server.Set'), {'name': 'a', 'value': 'x=y'})

    def test_api_commands(self):
        self.umld.scripts['org.varlink.service.GetInfo'] = {
            'vendor': 'umld', 'product': 'umld', 'version': '1', 'url': '', 'interfaces': ['a.b']}
        self.umld.scripts['org.varlink.service.GetInterfaceDescription'] = {
            'description': 'interface a.b\n'}
        self.assertIn('a.b', self.ok('introspect'))
        self.assertEqual(self.ok('introspect', 'a.b'), 'interface a.b\n')
        self.script('Server.Ping', {'version': '9'})
        self.assertIn('umld 9', self.ok('version'))
        self.script('Server.Shutdown', hang_up)
        self.assertIn('guests go on', self.ok('shutdown'))
        done = self.run_ctl('shutdown', '--guests', '--budget', '2m')
        self.assertEqual(done.returncode, 0)
        self.assertIn('3 guests stopped', done.stdout)
        self.assertIn('guest "web" had to be killed', done.stderr)
        self.assertEqual(self.umld.params('io.umld.Server.Shutdown')[1], {'guests': 'stop', 'budgetMs': 120000})
        self.script('Guest.Get', lambda p, c: {'echo': p})
        self.assertEqual(self.ok('call', 'io.umld.Guest.Get', '{"name": "x"}'),
                         '{"echo":{"name":"x"}}\n')
        self.assertEqual(self.ok('call', 'io.umld.Guest.Get', '-', stdin='{"n":1}'),
                         '{"echo":{"n":1}}\n')
        self.fails(2, 'call', 'io.umld.Guest.Get', '{')


if __name__ == '__main__':
    unittest.main()
