#!/usr/bin/env python3
"""lint.py CHECK ROOT [ARGUMENT…]: rules of the house that a machine can hold. See CHECKS at the end.

Each check returns the problems it found, as lines of text. Exit status 0, 1 problems, 77 cannot run.
"""

import json
import os
import re
import shutil
import subprocess
import sys

SKIP = 77
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60

# Includes go downwards only (docs/architecture.md): room -> what it may include besides itself.
# A row ending in .h is one header.
ROOMS = {
    "vmcore/base": [],
    "mconsole": ["vmcore/base"],
    "vmcore/disk": ["vmcore/base"],
    # order.h is the contract that launch_order.c writes: names of keys, nothing else.
    "vmcore/guest": ["vmcore/base", "vmcore/disk", "vmcore/monitor/order.h"],
    "vmcore/preload": [],
    "vmcore/monitor": ["vmcore/base", "mconsole/wire.h", "mconsole/signals.h", "netd/offer.h"],
    "netd": ["vmcore/base", "schemas"],
    # Programs that UML kernels start themselves: as little as can be.
    "netd/compat": ["vmcore/base", "mconsole/wire.h"],
    # An old command line over the switch.
    "netd/compat/switch": ["vmcore/base", "netd"],
    "umld": [
        "vmcore/base",
        "vmcore/disk",
        "vmcore/guest",
        "vmcore/monitor/order.h",
        "vmcore/monitor/proto.h",
        "netd/proto.h",
        # Names of counters: a table of words, no functions are called.
        "netd/drop.h",
        "mconsole",
        "schemas",
    ],
    "cli": ["vmcore/base", "schemas", "mconsole/shell.h", "mconsole/find.h"],
    "images": [],
}

# Libraries: header (or folder of headers) -> the only files that may use it.
LIBRARIES = {
    "sqlite3.h": r"umld/db[^/]*$",
    "jansson.h": r"(umld|cli)/",
    "event2/": r"vmcore/base/loop\.c$",
    "histedit.h": r"mconsole/line_edit\.c$",
    "editline/": r"mconsole/line_edit\.c$",
    "libslirp.h": r"netd/[^/]*slirp[^/]*$",
    "pcap.h": r"netd/[^/]*pcap[^/]*$",
    "pcap/": r"netd/[^/]*pcap[^/]*$",
}

TOP_LEVEL = {".ci", "cli", "docs", "images", "mconsole", "netd", "schemas", "tests", "umld", "vmcore"}


class CannotRun(Exception):
    """The check lacks something; the text says what."""


def files(root, *endings):
    """Paths below root, relative to it, without build directories and hidden ones except .ci."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            f
            for f in folders
            if f != "__pycache__" and (not f.startswith(".") or f == ".ci") and not (folder == root and f.startswith("build"))
        )
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            if path != ".git" and (not endings or name.endswith(endings)):
                yield path


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_script(root, path):
    with open(os.path.join(root, path), "rb") as file:
        return file.read(2) == b"#!"


def room_of(path):
    return max((r for r in ROOMS if path.startswith(r + "/")), key=len, default=None)


def judge_include(root, path, name):
    """Problem with one #include "name" of a file, or None."""
    room = room_of(path)
    if "/" not in name:
        beside = os.path.join(root, os.path.dirname(path), name)
        return None if os.path.exists(beside) else "write it from the root of the tree"
    if room is None or room_of(name) == room:
        return None
    for allowed in ROOMS[room]:
        if name == allowed or (not allowed.endswith(".h") and name.startswith(allowed + "/")):
            return None
    return f"{room} may include only: {', '.join(ROOMS[room]) or 'nothing else'}"


def check_includes(root):
    for path in files(root, ".c", ".h"):
        for number, line in enumerate(read(root, path).splitlines(), 1):
            quoted = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            system = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
            if quoted:
                problem = judge_include(root, path, quoted[1])
                if problem:
                    yield f'{path}:{number}: #include "{quoted[1]}": {problem}'
            if system and not path.startswith("tests/"):
                for header, users in LIBRARIES.items():
                    if system[1].startswith(header) and not re.match(users, path):
                        yield f"{path}:{number}: <{system[1]}> only in {users}"


def read_exceptions(root, path):
    """`FILE reason` and `FILE:FUNCTION reason` lines."""
    exceptions = {}
    for line in read(root, path).splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(" ")
            if len(reason.split()) < 3:
                raise CannotRun(f"{path}: {name} needs a reason")
            exceptions[name] = reason
    return exceptions


def long_functions(root, paths):
    ctags = shutil.which("ctags")
    if not ctags:
        raise CannotRun("no ctags: apt install universal-ctags")
    command = [ctags, "--output-format=json", "--languages=C,Python", "--kinds-C=f", "--kinds-Python=fm"]
    command += ["--fields=+ne", "-f", "-", "-L", "-"]
    reply = subprocess.run(command, cwd=root, input="\n".join(paths), capture_output=True, text=True, check=False)
    if reply.returncode:
        raise CannotRun(f"ctags is not universal-ctags with JSON: {reply.stderr.strip()}")
    for line in reply.stdout.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag" and "end" in tag:
            length = tag["end"] - tag["line"] + 1
            if length > MAX_FUNCTION_LINES:
                yield tag["path"], tag["name"], length


def check_sizes(root):
    exceptions_path = "tests/lint/size-exceptions"
    exceptions = read_exceptions(root, exceptions_path)
    used = set()

    def judge(name, length, limit, what):
        if name in exceptions:
            used.add(name)
        else:
            yield f"{name}: {what} of {length} lines (at most {limit}; exceptions: {exceptions_path})"

    for path in files(root):
        if path.endswith((".c", ".h", ".py", ".build")) or is_script(root, path):
            length = read(root, path).count("\n")
            if length > MAX_FILE_LINES:
                yield from judge(path, length, MAX_FILE_LINES, "file")
    for path, function, length in long_functions(root, list(files(root, ".c", ".h", ".py"))):
        yield from judge(f"{path}:{function}", length, MAX_FUNCTION_LINES, "function")
    for name in sorted(set(exceptions) - used):
        yield f"{exceptions_path}: {name} is no exception any more"


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def check_schemas(root):
    """Every method has its handler in umld, every handler its method."""
    methods = set()
    for path in files(os.path.join(root, "schemas"), ".varlink"):
        text = read(root, "schemas/" + path)
        interface = re.search(r"^interface\s+io\.umld\.(\w+)", text, re.M)
        if interface:
            for method in re.findall(r"^method\s+(\w+)\s*\(", text, re.M):
                methods.add(f"api_{snake(interface[1])}_{snake(method)}")
    interfaces = sorted({m.split("_")[1] for m in methods})
    pattern = rf"^void\s+(api_(?:{'|'.join(interfaces)})_\w+)\((?:um_unused )?struct umld \*"
    handlers = set()
    for path in files(os.path.join(root, "umld"), ".c"):
        handlers.update(re.findall(pattern, read(root, "umld/" + path), re.M))
    if not handlers:
        raise CannotRun("umld has no handlers here")
    for name in sorted(methods - handlers):
        yield f"schemas: no handler {name} in umld"
    for name in sorted(handlers - methods):
        yield f"umld: handler {name} belongs to no method of schemas"


def check_folders(root):
    for name in sorted(os.listdir(root)):
        if os.path.isdir(os.path.join(root, name)):
            if name not in TOP_LEVEL and name != ".git" and not name.startswith("build"):
                yield f"{name}/: no other top-level folders (docs/architecture.md)"


def options_of(program):
    reply = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=30, check=False)
    options = set(re.findall(r"--[a-z][a-z-]+", reply.stdout + reply.stderr))
    if not options:
        raise CannotRun(f"{program} --help names no options")
    return options


def judge_page(root, page, program):
    """Options of a hand-written man page against those of the program's --help."""
    text = re.sub(r"\\-|\\\(hy", "-", read(root, page))
    documented = set(re.findall(r"--[a-z][a-z-]+", text))
    options = options_of(program)
    for option in sorted(options - documented):
        yield f"{page}: {option} is missing"
    for option in sorted(documented - options - {"--help", "--version"}):
        yield f"{page}: {os.path.basename(program)} has no {option}"


def check_manual(root, umlctl, umld, uml_mconsole):
    """The pages in docs/man against --help; the generated umlctl(1) against the table of commands."""
    yield from judge_page(root, "docs/man/umld.8", umld)
    yield from judge_page(root, "docs/man/uml_mconsole.1", uml_mconsole)
    manual = subprocess.run([umlctl, "--dump-man"], capture_output=True, text=True, timeout=30, check=False).stdout
    manual = manual.replace("\\-", "-")
    for name in re.findall(r"^\s*X\((\w+)\)", read(root, "cli/commands.h"), re.M):
        words = name.replace("_", " ")
        if not re.search(rf"\b({words}|{words.replace(' ', '-')})\b", manual):
            yield f"umlctl(1): command {words} is missing"


def check_paths(root):
    """No file names a place that exists on one developer's machine only."""
    common = {"/", "/home", "/root", "/tmp", "/usr", "/usr/src", "/srv", "/opt", "/var", "/var/tmp", "/build", "/src"}
    private = [place + "/" for place in (root, os.path.dirname(root)) if place not in common]
    for path in files(root):
        text = read(root, path)
        for place in private:
            if place in text:
                yield f"{path}: names {place}, which is on this machine only"


def check_registered(root):
    """A test that no meson.build names is never run."""
    for path in files(os.path.join(root, "tests")):
        folder, name = os.path.split("tests/" + path)
        if name == "meson.build" and folder != "tests":
            above = read(root, os.path.dirname(folder) + "/meson.build")
            if f"'{os.path.basename(folder)}'" not in above and f"/{os.path.basename(folder)}'" not in above:
                yield f"{folder}: {os.path.dirname(folder)}/meson.build does not enter it"
        test = re.fullmatch(r"test_(\w+)\.(c|py|sh)", name)
        if not test:
            continue
        build = os.path.join(root, folder, "meson.build")
        text = read(root, folder + "/meson.build") if os.path.exists(build) else ""
        if name not in text and f"'{test[1]}'" not in text:
            yield f"{folder}/{name}: not registered in {folder}/meson.build"


def check_scripts(root):
    """Shell scripts parse, and scripts are executable."""
    for path in files(root):
        full = os.path.join(root, path)
        if not is_script(root, path):
            continue
        if not os.access(full, os.X_OK) and not path.startswith("images/guest/"):
            yield f"{path}: starts with #! but is not executable"
        first = read(root, path).split("\n", 1)[0]
        shell = re.fullmatch(r"#!\s*(/bin/(?:ba)?sh)\b.*", first)
        if shell:
            reply = subprocess.run([shell[1], "-n", full], capture_output=True, text=True, check=False)
            if reply.returncode:
                yield f"{path}: {reply.stderr.strip()}"


CHECKS = {
    "includes": check_includes,
    "sizes": check_sizes,
    "schemas": check_schemas,
    "folders": check_folders,
    "manual": check_manual,
    "paths": check_paths,
    "registered": check_registered,
    "scripts": check_scripts,
}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in CHECKS:
        print(f"usage: lint.py {'|'.join(CHECKS)} ROOT [ARGUMENT…]", file=sys.stderr)
        return 2
    try:
        problems = list(CHECKS[sys.argv[1]](os.path.realpath(sys.argv[2]), *sys.argv[3:]))
    except CannotRun as reason:
        print(f"{sys.argv[1]}: {reason}")
        return SKIP
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
