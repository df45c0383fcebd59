#!/usr/bin/env python3
"""tests/summary: what counts as skipped, and what CI does with it."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

SUMMARY = pathlib.Path(__file__).resolve().parents[1] / "summary"
CASES = """test_one (__main__.Roles.test_one) ... ok
test_two (__main__.Roles.test_two)
What it is about. ... skipped 'changing users needs root'
skipped "there's no room"
OK (skipped=2)
"""


class Summary(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def summary(self, results, allowed="", ci=False):
        with open(self.folder + "/log", "w", encoding="utf-8") as log:
            for result in results:
                log.write(json.dumps(result) + "\n")
        with open(self.folder + "/allowed", "w", encoding="utf-8") as file:
            file.write(allowed)
        environment = {**os.environ, "CI": "true" if ci else "false"}
        done = subprocess.run([SUMMARY, self.folder + "/log", self.folder + "/allowed"], env=environment, text=True,
                              capture_output=True, check=False)
        return done.returncode, done.stdout

    def test_skips_are_named_and_in_ci_they_fail_unless_listed(self):
        results = [{"name": "umld:lint / a b", "result": "OK"},
                   {"name": "umld:guest / guest x", "result": "SKIP", "stdout": "much\nno linux.uml\n"}]
        status, text = self.summary(results)
        self.assertEqual((status, text), (0, "skipped: guest x: no linux.uml\n1 passed, 0 failed, 1 skipped\n"))
        self.assertEqual(self.summary(results, ci=True)[0], 1)
        self.assertEqual(self.summary(results, "guest x: there is none\n", ci=True)[0], 0)

    def test_cases_skipped_inside_of_a_test_count_too(self):
        results = [{"name": "umld:integration / roles", "result": "OK", "stderr": CASES}]
        status, text = self.summary(results)
        self.assertEqual(status, 0)
        self.assertIn("skipped: roles/test_two: changing users needs root\n", text)
        self.assertIn("skipped: roles/setUpClass: there's no room\n", text)
        self.assertEqual(self.summary(results, "roles/test_two: root\n", ci=True)[0], 1)
        self.assertEqual(self.summary(results, "roles/*: root\n", ci=True)[0], 0)

    def test_a_failure_fails(self):
        status, text = self.summary([{"name": "umld:lint / a", "result": "OK"}, {"name": "umld:lint / b", "result": "FAIL"}])
        self.assertEqual((status, text), (1, "failed: b (fail)\n1 passed, 1 failed, 0 skipped\n"))


if __name__ == "__main__":
    unittest.main()
