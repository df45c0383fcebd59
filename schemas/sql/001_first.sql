-- First schema. Times are nanoseconds since the epoch (UTC).
CREATE TABLE guest (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    definition  TEXT NOT NULL,                  -- JSON, io.umld.Guest.Definition
    revision    INTEGER NOT NULL DEFAULT 1,
    created_ns  INTEGER NOT NULL,
    want_up     INTEGER NOT NULL DEFAULT 0,     -- desired state, stored before it is acted upon
    state       TEXT NOT NULL DEFAULT 'stopped',
    ready       INTEGER NOT NULL DEFAULT 0,
    asked       TEXT NOT NULL DEFAULT '',       -- pause or resume sent, answer not yet seen
    boot        INTEGER NOT NULL DEFAULT 0,     -- boot number, never reused
    kernel      TEXT NOT NULL DEFAULT '',       -- path the running or last kernel was started from
    monitor_pid INTEGER NOT NULL DEFAULT 0,     -- with its start time and host boot: never a pid alone
    monitor_start INTEGER NOT NULL DEFAULT 0,
    host_boot   TEXT NOT NULL DEFAULT '',
    start_ns    INTEGER NOT NULL DEFAULT 0,
    exit_ns     INTEGER NOT NULL DEFAULT 0,
    wait_status INTEGER NOT NULL DEFAULT -1,    -- of the last exit, -1: none yet
    cause       TEXT NOT NULL DEFAULT '',
    failures    INTEGER NOT NULL DEFAULT 0,     -- consecutive, for the restart policy
    early_ends  INTEGER NOT NULL DEFAULT 0,     -- consecutive, good or bad, for its delay
    next_start_ns INTEGER NOT NULL DEFAULT 0,   -- in backoff: when the next start is due
    health      TEXT NOT NULL DEFAULT '',       -- as the guest last said: `failing disk full`
    hung        INTEGER NOT NULL DEFAULT 0,     -- its kernel was found not to answer
    restarts    INTEGER NOT NULL DEFAULT 0,
    uid         INTEGER NOT NULL DEFAULT 0,     -- of its processes, 0: the daemon's user
    rung        INTEGER NOT NULL DEFAULT 0,     -- in stopping: where on the ladder, and since and until when
    rung_ns     INTEGER NOT NULL DEFAULT 0,
    rung_until_ns INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX guest_uid ON guest(uid) WHERE uid != 0;

CREATE TABLE device (
    guest_id INTEGER NOT NULL REFERENCES guest(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name     TEXT NOT NULL,                     -- ubd0, con1
    spec     TEXT NOT NULL,                     -- the string as the user wrote it, paths absolute
    origin   TEXT NOT NULL DEFAULT '',          -- disks: "raw" or the backing file, when it was defined
    PRIMARY KEY (guest_id, name)
) STRICT;

-- UMLs that somebody else started; the row goes with the guest's first start by umld.
CREATE TABLE stranger (
    guest_id  INTEGER PRIMARY KEY REFERENCES guest(id) ON DELETE CASCADE,
    socket    TEXT NOT NULL,
    pid       INTEGER NOT NULL,                 -- with its start time and host boot: never a pid alone
    start     INTEGER NOT NULL,
    host_boot TEXT NOT NULL,
    uid       INTEGER NOT NULL,
    version   TEXT NOT NULL,
    devices   TEXT NOT NULL,                    -- JSON object of strings, as its kernel told them
    why_not   TEXT NOT NULL                     -- why umld cannot start it again; empty: it can
) STRICT;

CREATE TABLE kernel (
    name TEXT PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    added_ns INTEGER NOT NULL
) STRICT;

-- What a probe found; valid for one file on one host only.
CREATE TABLE kernel_probe (
    path      TEXT NOT NULL,
    identity  TEXT NOT NULL,                    -- dev:ino:size:mtime of the file
    host      TEXT NOT NULL,                    -- CPU model and host kernel release
    result    TEXT NOT NULL,                    -- JSON, io.umld.Kernel.Kernel without its name
    probed_ns INTEGER NOT NULL,
    PRIMARY KEY (path, identity, host)
) STRICT;

CREATE TABLE image (
    name       TEXT PRIMARY KEY,
    path       TEXT NOT NULL UNIQUE,
    kind       TEXT NOT NULL,
    created_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE job (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,
    object   TEXT NOT NULL,
    state    TEXT NOT NULL,
    phase    TEXT NOT NULL DEFAULT '',
    done     INTEGER NOT NULL DEFAULT 0,
    total    INTEGER NOT NULL DEFAULT 0,
    uid      INTEGER NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns   INTEGER NOT NULL DEFAULT 0,
    error    TEXT NOT NULL DEFAULT '',
    error_name TEXT NOT NULL DEFAULT '',        -- of vmcore/base/error.h
    goal     TEXT NOT NULL DEFAULT '',          -- what a job that goes on after a restart waits for
    limit_ns INTEGER NOT NULL DEFAULT 0         -- and until when; 0: no limit
) STRICT;
CREATE INDEX job_active ON job(state) WHERE state IN ('queued', 'running');

CREATE TABLE event (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ns INTEGER NOT NULL,
    type    TEXT NOT NULL,
    object  TEXT NOT NULL,
    data    TEXT NOT NULL                       -- JSON object of strings
) STRICT;
-- The newest of some type about one guest: explain, and waits for an event.
CREATE INDEX event_about ON event(object, type, seq);

CREATE TABLE request (
    id      TEXT PRIMARY KEY,                   -- requestId
    method  TEXT NOT NULL,
    digest  TEXT NOT NULL,                      -- of the parameters: same id, other call = conflict
    reply   TEXT NOT NULL,
    time_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
