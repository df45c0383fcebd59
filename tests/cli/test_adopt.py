"""umlctl adopt: which socket is meant is found out by umlctl, since the daemon has another home and directory."""

import os
import socket
import unittest

from fake_umld import Case, guest


class Adopt(Case):
    def setUp(self):
        super().setUp()
        self.env['HOME'] = self.dir

    def answer(self, changed=True, **more):
        def reply(params, call):
            adopted = {'socket': params['socket'], 'uid': 0, 'version': 'Linux web 6.1', 'devices': {'ubd0': '/img'}, **more}
            return {'guest': guest(params['name'], adopted=adopted), 'changed': changed}
        self.script('Guest.Adopt', reply)

    def bind(self, *parts):
        path = os.path.join(self.dir, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
        return path

    def test_a_umid_is_looked_for_in_the_callers_home(self):
        path = self.bind('.uml', 'debian', 'mconsole')
        self.answer()
        self.assertEqual(self.ok('adopt', 'debian'), 'debian: adopted, process 4242, Linux web 6.1\n')
        self.assertEqual(self.sent('Guest.Adopt'), {'name': 'debian', 'socket': path})

    def test_a_path_is_made_absolute_and_the_name_may_be_given(self):
        path = self.bind('x', 'mconsole')
        self.answer(changed=False)
        self.assertIn('web: was adopted already', self.ok('adopt', 'x/mconsole', '--name', 'web'))
        self.assertEqual(self.sent('Guest.Adopt'), {'name': 'web', 'socket': path})

    def test_what_can_never_be_started_again_is_said(self):
        self.bind('.uml', 'web', 'mconsole')
        self.answer(whyNot='con1=xterm: no')
        self.assertIn('cannot start it again: con1=xterm: no', self.ok('adopt', 'web'))

    def test_a_dry_run_says_what_would_be_done(self):
        path = self.bind('.uml', 'web', 'mconsole')
        self.answer()
        self.assertIn(f'would adopt {path} as web', self.ok('adopt', 'web', '--dry-run'))
        self.assertIs(self.sent('Guest.Adopt')['dryRun'], True)

    def test_nothing_there_names_the_places(self):
        self.assertIn(self.dir + '/.uml/nobody/mconsole', self.fails(7, 'adopt', 'nobody'))

    def test_a_umid_that_is_no_name(self):
        self.bind('-x', 'mconsole')
        self.assertIn('--name', self.fails(2, 'adopt', './-x/mconsole'))
        self.assertEqual(self.umld.requests, [])

    def test_list_show_and_status_mark_it(self):
        adopted = {'socket': '/u/web/mconsole', 'uid': 7, 'version': 'Linux web 6.1', 'devices': {'ubd0': '/img'},
                   'whyNot': 'con1=xterm: no'}
        self.script('Guest.List', {'guests': [guest(adopted=adopted), guest('old', 'stopped', adopted=adopted)]})
        self.script('Guest.Get', lambda p, c: {'guest': guest(p['name'], 'stopped' if p['name'] == 'old' else 'running',
                                                              adopted=adopted)})
        self.script('Console.List', {'consoles': []})
        listed = self.ok('list').splitlines()
        self.assertIn('running, adopted', listed[1])
        self.assertNotIn('adopted', listed[2])
        self.assertIn('running, adopted, ready', self.ok('status', 'web'))
        self.assertNotIn('adopted', self.ok('status', 'old'))
        shown = self.ok('show', 'web')
        for text in ('/u/web/mconsole', 'Linux web 6.1', 'ubd0=/img', 'con1=xterm: no'):
            self.assertIn(text, shown)


if __name__ == '__main__':
    unittest.main()
