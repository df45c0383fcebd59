#!/usr/bin/env python3
"""build-image BUILD_IMAGE: what it makes, what it refuses, what it leaves behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

SIZE = 32 << 20
builder = sys.argv[1]
os.environ["PATH"] += ":/usr/sbin:/sbin"


def build(*arguments, program=builder, **options):
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, **options)


def check(condition, what):
    if not condition:
        sys.exit(f"not so: {what}")


def debugfs(image, command):
    return subprocess.run(["debugfs", "-R", command, image], capture_output=True, text=True, check=True).stdout


def makes_a_clean_small_image(folder):
    image = folder + "/a.img"
    reply = build("busybox", image, str(SIZE))
    check(reply.returncode == 0, f"a plain build works: {reply.stderr}")
    lines = reply.stdout.split("\n")
    check(lines == ["stage 0 3", "mkfs 1 3", "finish 2 3", "finish 3 3", ""], f"progress lines, not {lines}")
    check(os.stat(image).st_size == SIZE, "the size that was asked for")
    check(os.stat(image).st_blocks * 512 < 6 << 20, "at most 6 MB really used")
    fsck = subprocess.run(["e2fsck", "-f", "-n", image], capture_output=True, text=True, check=False)
    check(fsck.returncode == 0, f"e2fsck finds no fault: {fsck.stdout}")
    check(os.listdir(folder) == ["a.img"], "nothing else is left")
    return image


def belongs_to_root(image):
    for place in ("/", "/bin", "/etc", "/etc/umld", "/dev", "/root"):
        for line in debugfs(image, f"ls -l {place}").splitlines():
            fields = re.match(r"\s*\d+\s+(\d+)\s+\(\d+\)\s+(\d+)\s+(\d+)", line)
            if fields:
                check(fields[2] == "0" and fields[3] == "0", f"root owns all of {place}: {line}")
    check("Type: character special" in debugfs(image, "stat /dev/console"), "/dev/console is a device")
    check("Mode:  0600" in debugfs(image, "stat /etc/shadow"), "/etc/shadow is private")


def is_the_same_for_an_ordinary_user(folder):
    if os.getuid() != 0:
        return  # all of this test ran as one
    os.chmod(folder, 0o777)
    # A copy: the clone may be where only root gets.
    shutil.copytree(os.path.dirname(builder) + "/guest", folder + "/guest")
    mine = shutil.copy(builder, folder)
    reply = build("busybox", folder + "/user.img", str(SIZE), program=mine, user=65534, group=65534, extra_groups=[])
    check(reply.returncode == 0, f"an ordinary user can build: {reply.stderr}")
    belongs_to_root(folder + "/user.img")


def refuses_nonsense(folder):
    for arguments, status in (
        ((), 2),
        (("busybox", folder + "/x"), 2),
        (("gentoo", folder + "/x", str(SIZE)), 2),
        (("busybox", folder + "/x", "12M"), 2),
        (("busybox", folder + "/x", "-1"), 2),
        (("busybox", folder + "/x", "9" * 30), 2),
        (("busybox", folder + "/x", "4096"), 2),
        (("busybox", folder + "/nowhere/x", str(SIZE)), 1),
    ):
        reply = build(*arguments)
        check(reply.returncode == status, f"{arguments} ends with {status}, not {reply.returncode}")
        check(reply.stderr.startswith("build-image: ") and reply.stderr.count("\n") == 1, "one line says why")
    check(not os.path.exists(folder + "/x"), "a refused build leaves no file")


def names_the_missing_package(folder):
    tools = folder + "/tools"
    os.mkdir(tools)
    for name in ("sh", "dirname", "readlink", "rm"):
        os.symlink(shutil.which(name), f"{tools}/{name}")
    reply = build("busybox", folder + "/x", str(SIZE), env={"PATH": tools})
    check(reply.returncode == 5 and "apt install busybox-static" in reply.stderr, f"not: {reply.stderr}")


def leaves_nothing_when_ended(folder):
    os.mkdir(folder + "/tmp")
    for phase in ("stage", "mkfs", "finish"):
        environment = {**os.environ, "TMPDIR": folder + "/tmp"}
        process = subprocess.Popen([builder, "busybox", folder + "/t.img", str(256 << 20)], env=environment, stdout=subprocess.PIPE)
        for line in process.stdout:
            if line.decode().startswith(phase):
                process.send_signal(signal.SIGTERM)
                break
        process.communicate()
        check(os.listdir(folder + "/tmp") == [], f"no staging directory after SIGTERM in {phase}")
        left = [name for name in os.listdir(folder) if name.startswith("t.img.")]
        check(left == [], f"no temporary image after SIGTERM in {phase}: {left}")


def main():
    for program in ("busybox", "mke2fs", "debugfs", "e2fsck"):
        if not shutil.which(program):
            print(f"no {program}")
            return 77
    with tempfile.TemporaryDirectory() as folder:
        image = makes_a_clean_small_image(folder)
        belongs_to_root(image)
        is_the_same_for_an_ordinary_user(folder)
        refuses_nonsense(folder)
        names_the_missing_package(folder)
        leaves_nothing_when_ended(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
