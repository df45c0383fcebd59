"""Help against golden files; man page and completion are well formed.

UPDATE_GOLDEN=1 writes the files anew.
"""

import os
import pathlib
import shutil
import subprocess
import unittest

UMLCTL = os.environ['UMLCTL']
GOLDEN = pathlib.Path(__file__).resolve().parent.parent / 'golden' / 'help'


def output(*words):
    return subprocess.run([UMLCTL, *words], capture_output=True, text=True, check=True).stdout


def commands():
    names = []
    for line in output('help').split('\nOptions\n')[0].splitlines():
        if line.startswith('  '):
            names.append(line.strip().split('  ')[0].split(',')[0])
    return names


class Help(unittest.TestCase):
    maxDiff = None

    def golden(self, name, text):
        file = GOLDEN / (name.replace(' ', '-') + '.txt')
        if os.environ.get('UPDATE_GOLDEN'):
            file.write_text(text, encoding='utf-8')
        self.assertEqual(text, file.read_text(encoding='utf-8'), file.name)

    def test_overview(self):
        self.golden('umlctl', output('help'))
        self.assertEqual(output('--help'), output('help'))

    def test_every_command(self):
        self.assertGreater(len(commands()), 30)
        for name in commands():
            with self.subTest(name):
                self.golden(name, output('help', *name.split()))
                self.assertEqual(output(*name.split(), '--help'), output('help', *name.split()))

    def test_no_golden_file_of_a_command_that_is_gone(self):
        known = {name.replace(' ', '-') + '.txt' for name in commands()} | {'umlctl.txt'}
        self.assertEqual({f.name for f in GOLDEN.iterdir()}, known)

    def test_fits_80_columns(self):
        for name in [''] + commands():
            for line in output('help', *name.split()).splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_help_of_a_noun_lists_its_commands(self):
        text = output('help', 'kernel')
        for name in ('kernel list', 'kernel probe', 'kernel add', 'kernel rm'):
            self.assertIn(name, text)

    def test_man_page_names_every_command_and_renders(self):
        page = output('--dump-man')
        for name in commands():
            self.assertIn('.SS umlctl ' + name.replace('-', '\\-'), page)
        checker = shutil.which('man')
        if not checker:
            self.skipTest('man is not installed')
        done = subprocess.run([checker, '--warnings', '-l', '-'], input=page, text=True,
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))

    def complete(self, *words):
        script = output('--dump-completion') + '''
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _umlctl
printf '%s\\n' "${COMPREPLY[@]}"
'''
        path = os.path.dirname(UMLCTL) + ':' + os.environ['PATH']
        env = os.environ | {'PATH': path, 'UMLD_SOCKET': '/nonexistent'}
        done = subprocess.run(['bash', '-c', script, 'x', 'umlctl', *words], env=env, text=True,
                              capture_output=True, check=True)
        self.assertEqual(done.stderr, '')
        return done.stdout.split()

    def test_completion(self):
        self.assertEqual(self.complete('sta'), ['status', 'start'])
        self.assertEqual(self.complete('kernel', 'pr'), ['probe'])
        self.assertEqual(self.complete('start', '--wait', ''), ['kernel', 'ready', 'none'])
        self.assertIn('--force', self.complete('stop', '--f'))
        self.assertIn('--replace', self.complete('image', 'build', '--'))
        self.assertIn('--json', self.complete('--socket', '/x', '--j'))
        self.assertIn('--force', self.complete('--request-id', 'x', '--dry-run', 'stop', '--f'))
        self.assertIn('--label', self.complete('pause', '--l'))
        self.assertEqual(self.complete('start', ''), [])


if __name__ == '__main__':
    unittest.main()
