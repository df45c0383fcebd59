"""mconsole commands per second: through umld, and by uml_mconsole in a shell loop over the same guests.

All guests are outside the sandbox: uml_mconsole binds an abstract address, which a kernel with a network
namespace of its own cannot answer.
"""

import itertools
import select
import time

import bench_lib
import population

TARGET = 20
AHEAD = 32  # requests on one connection that are not answered yet; umld reads 64
CONNECTIONS = 8
LIMIT = 60  # seconds without any answer
LOOP = 'program=$1; shift; for socket; do "$program" "$socket" version || exit; done'


class Pipe:
    """One connection with requests sent ahead."""

    def __init__(self, d, requests):
        self.api, self.requests, self.left, self.open = d.api(), iter(requests), len(requests), 0

    def fill(self):
        ahead = list(itertools.islice(self.requests, AHEAD - self.open))
        if ahead:
            self.open += len(ahead)
            self.api.socket.sendall(b"".join(ahead))

    def take(self):
        data = self.api.socket.recv(1 << 16)
        if not data or b'"error"' in data:
            raise bench_lib.Failed(f"mconsole: {data[:300]!r}")
        count = data.count(b"\0")
        self.open -= count
        self.left -= count


def give_up(count):
    raise bench_lib.Failed(f"{count} mconsole commands: no answer for {LIMIT} s")


def through_api(d, names, count, connections):
    """Commands per second, the guests in turn. Connections have guests of their own while there are enough."""
    pipes = []
    for i in range(connections):
        whose = names[i::connections] or names
        mine = [bench_lib.Api.encode("Guest.Mconsole", name=name, command="version") for name in whose]
        pipes.append(Pipe(d, (mine * (count // len(mine) + 1))[: count // connections]))
    done = sum(pipe.left for pipe in pipes)
    begin = time.perf_counter()
    waiting = {pipe.api.socket: pipe for pipe in pipes}
    for pipe in pipes:
        pipe.fill()
    while waiting:
        for sock in select.select(list(waiting), [], [], LIMIT)[0] or give_up(done):
            waiting[sock].take()
            waiting[sock].fill()
            if not waiting[sock].left:
                del waiting[sock]
    seconds = time.perf_counter() - begin
    for pipe in pipes:
        pipe.api.close()
    return done / seconds


def by_program(argv, env, commands):
    seconds, status = bench_lib.timed(argv, env, 120, quiet=2)
    if status:
        raise bench_lib.Failed(f"{' '.join(argv)[:200]}: status {status}")
    return commands / seconds


def turns(options, d, names):
    """Commands per second of each way; in turns, so that each sees the same host."""
    uml_mconsole = bench_lib.need("uml_mconsole", "uml-utilities")
    sockets = [f"{d.run}/g/{name}/in/uml/mconsole" for name in names]
    count = max(len(names), options.calls)
    loops = sockets * max(1, count // 10 // len(sockets))
    ways = {
        "one": lambda: through_api(d, names, count, 1),
        "many": lambda: through_api(d, names, count, CONNECTIONS),
        "umlctl": lambda: by_program([d.umlctl, "mconsole", ",".join(names), "version"], d.env, len(names)),
        "loop": lambda: by_program(["/bin/sh", "-c", LOOP, "sh", uml_mconsole, *loops], d.env, len(loops)),
    }
    rates = {key: [] for key in ways}
    for i in range(options.rounds * 2 - 1):
        for key in list(ways)[i % 4 :] + list(ways)[: i % 4]:
            rates[key].append(ways[key]())
    return {key: bench_lib.summary(values, 0) for key, values in rates.items()}


def rows_of(kind, n, rates):
    loop = rates["loop"]["median"]
    one = rates["one"]["median"]
    ratio = round(max(one, rates["many"]["median"]) / loop, 1)
    return [
        (f"{n} {kind}: API, one connection", one, "/s", rates["one"]),
        (f"  API, {CONNECTIONS} connections", rates["many"]["median"], "/s", rates["many"]),
        (f"  program umlctl mconsole, {n} name{'s' * (n > 1)}", rates["umlctl"]["median"], "/s", rates["umlctl"]),
        ("  shell loop of uml_mconsole", loop, "/s", rates["loop"]),
        ("  API against the loop", ratio, "x", None, f"> {TARGET}", ratio > TARGET),
        ("  umlctl against the loop", round(rates["umlctl"]["median"] / loop, 1), "x", None),
    ]


def run(options):
    rows = []
    with bench_lib.image(options) as image, bench_lib.daemon(options) as d:
        for n in options.commanded:
            kind, names = population.running(options, d, image, n)
            rows += rows_of(kind, n, turns(options, d, names))
    return {"rows": rows}
