"""A real guest for tests: initramfs writer and the argument vectors umld would make."""

import os
import shutil

from harness import program

KERNEL = "/usr/bin/linux.uml"
LIBRARIES = ("/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2")


def newc(entries):
    """cpio archive (newc) of (name, mode, data, rdev) entries."""
    out = b""
    for number, (name, mode, data, rdev) in enumerate(entries + [("TRAILER!!!", 0, b"", (0, 0))], 1):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        out += head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return out


def write_initramfs(path):
    with open(program("real_init"), "rb") as f:
        init = f.read()
    with open(path, "wb") as f:
        f.write(newc([("dev", 0o040755, b"", (0, 0)),
                      ("dev/console", 0o020600, b"", (5, 1)),
                      ("init", 0o100755, init, (0, 0))]))
    os.chmod(path, 0o644)


def missing(sandbox):
    """Why real guests cannot run here, or None."""
    if not os.access(KERNEL, os.X_OK):
        return KERNEL + " is not installed"
    if sandbox and not shutil.which("bwrap"):
        return "bwrap is not installed"
    return None


def kernel_argv(m, what):
    return [KERNEL, "mem=64M", "initrd=%s/initrd" % m.inner, "root=/dev/ram0", "rdinit=/init",
            "con=null", "con0=fd:0,fd:1", "ssl=null", "uml_dir=%s/" % m.inner, "umid=uml",
            "mconsole=notify:%s" % m.notify, "console=tty0", "--", what]


def argv(m, what="loop", sandbox=True, guard=True):
    write_initramfs(os.path.join(m.inner, "initrd"))
    umlinit, preload = program("umlinit"), program("umlguard")
    init = [umlinit] + (["--preload", preload] if guard else [])
    if not sandbox:
        return init + ["--no-namespace", "--"] + kernel_argv(m, what)
    bwrap = [shutil.which("bwrap"), "--unshare-user", "--unshare-pid", "--unshare-ipc",
             "--unshare-uts", "--unshare-net", "--die-with-parent", "--as-pid-1"]
    # First what is empty: the programs may themselves be below /tmp.
    bwrap += ["--proc", "/proc", "--dev", "/dev", "--size", str(128 << 20), "--perms", "1777",
              "--tmpfs", "/tmp"]
    for path in (KERNEL,) + LIBRARIES + (umlinit, preload):
        bwrap += ["--ro-bind", path, path]
    bwrap += ["--bind", m.inner, m.inner, "--cap-drop", "ALL", "--remount-ro", "/"]
    return bwrap + ["--"] + init + ["--"] + kernel_argv(m, what)


ENV = (("PATH", "/usr/bin:/bin"), ("HOME", "/"), ("TMPDIR", "/tmp"))
