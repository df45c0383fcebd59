#!/usr/bin/env python3
"""The lint checks report what they are there for, and nothing else."""

import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402


def tree(contents):
    root = tempfile.TemporaryDirectory()
    for path, text in contents.items():
        full = os.path.join(root.name, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
    return root


def problems(check, contents):
    with tree(contents) as root:
        return list(check(os.path.realpath(root)))


def expect(count, check, contents, what):
    found = problems(check, contents)
    if len(found) != count:
        sys.exit(f"{what}: expected {count} problems, found {found}")


def main():
    up = '#include "umld/server.h"\n'
    expect(1, lint.check_includes, {"vmcore/base/a.c": up}, "an include that goes up is reported")
    expect(0, lint.check_includes, {"umld/a.c": up}, "a room may include itself")
    expect(0, lint.check_includes, {"tests/umld/a.c": up}, "tests include anything")
    expect(0, lint.check_includes, {"umld/a.c": '#include "vmcore/monitor/proto.h"\n'}, "one header of a room")
    expect(1, lint.check_includes, {"umld/a.c": '#include "vmcore/monitor/loop.h"\n'}, "and not the others")
    expect(1, lint.check_includes, {"umld/server.c": "#include <sqlite3.h>\n"}, "sqlite outside of db*")
    expect(0, lint.check_includes, {"umld/db_queries.c": "#include <sqlite3.h>\n"}, "sqlite inside of db*")
    expect(1, lint.check_includes, {"vmcore/guest/a.c": "#include <jansson.h>\n"}, "the core knows no JSON")
    expect(1, lint.check_includes, {"cli/a.c": "#include <histedit.h>\n"}, "libedit outside of the line editor")
    expect(0, lint.check_includes, {"cli/a.c": '#include "mconsole/shell.h"\n'}, "umlctl has the shell")
    expect(1, lint.check_includes, {"cli/a.c": '#include "mconsole/lane.h"\n'}, "and not the kernel's socket")
    expect(1, lint.check_includes, {"cli/a.c": "#include <event2/event.h>\n"}, "libevent outside of the loop")

    long_file = "int x;\n" * (lint.MAX_FILE_LINES + 1)
    long_function = "int f(void)\n{\n" + "    ;\n" * lint.MAX_FUNCTION_LINES + "    return 0;\n}\n"
    none = {"tests/lint/size-exceptions": ""}
    try:
        expect(1, lint.check_sizes, {"cli/a.c": long_file, **none}, "a long file is reported")
        expect(1, lint.check_sizes, {"cli/a.c": long_function, **none}, "a long function is reported")
        excuse = {"tests/lint/size-exceptions": "cli/a.c:f it is one table\n"}
        expect(0, lint.check_sizes, {"cli/a.c": long_function, **excuse}, "an exception with a reason")
        expect(1, lint.check_sizes, {"cli/a.c": "int x;\n", **excuse}, "an exception nobody needs")
    except lint.CannotRun as reason:
        print(reason)
        return lint.SKIP

    schema = {"schemas/io.umld.Guest.varlink": "interface io.umld.Guest\nmethod ResetFailed(name: string) -> ()\n"}
    handler = "void api_guest_reset_failed(struct umld *umld, int x)\n"
    expect(0, lint.check_schemas, {"umld/a.c": handler, **schema}, "method and handler match")
    other = handler.replace("reset_failed", "reset")
    expect(2, lint.check_schemas, {"umld/a.c": other, **schema}, "neither without the other")

    expect(1, lint.check_folders, {"lib/a.c": ""}, "a folder nobody planned")
    expect(0, lint.check_folders, {"build-x/a.c": "", "umld/a.c": ""}, "build folders are not ours")

    meson = {"tests/meson.build": "'cli'\n", "tests/cli/meson.build": "foreach n : ['words']\n"}
    expect(0, lint.check_registered, {"tests/cli/test_words.c": "", **meson}, "a registered test")
    expect(1, lint.check_registered, {"tests/cli/test_other.c": "", **meson}, "a test nobody runs")
    expect(1, lint.check_registered, {"tests/x/meson.build": "", **meson}, "a folder nobody enters")
    expect(2, lint.check_scripts, {"a": "#!/bin/sh\nif\n"}, "a script that is neither valid nor executable")
    with tree({"docs/a.md": ""}) as root:
        root = os.path.realpath(root)
        with open(os.path.join(root, "docs/a.md"), "w", encoding="utf-8") as file:
            file.write(f"see {root}/docs\n")
        if not list(lint.check_paths(root)):
            sys.exit("a path of this machine is to be reported")
    return 0


if __name__ == "__main__":
    sys.exit(main())
