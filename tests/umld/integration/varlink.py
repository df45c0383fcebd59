"""A small Varlink client: NUL-framed JSON over a unix socket, streams, upgrades."""
import json
import socket


class Error(Exception):
    """An error reply. name is short for io.umld.Server errors (`NotFound`)."""

    def __init__(self, reply):
        self.full_name = reply["error"]
        self.name = self.full_name.removeprefix("io.umld.Server.").removeprefix("org.varlink.service.")
        self.parameters = reply.get("parameters", {})
        super().__init__(f"{self.name}: {json.dumps(self.parameters)}")

    def __getattr__(self, key):
        try:
            return self.__dict__["parameters"][key]
        except KeyError:
            raise AttributeError(key) from None


class Closed(Exception):
    """The other side closed the connection."""


def full(method):
    return method if method.count(".") > 1 else "io.umld." + method


class Client:
    """One connection. Calls raise Error; every wait is bounded by timeout seconds."""

    def __init__(self, path, timeout=120):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.data = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, method, parameters=None, **members):
        request = {"method": full(method), **members}
        if parameters is not None:
            request["parameters"] = parameters
        self.send_raw(json.dumps(request).encode() + b"\0")

    def receive(self):
        """The next message, errors too, as it came."""
        while b"\0" not in self.data:
            more = self.socket.recv(65536)
            if not more:
                raise Closed(bytes(self.data))
            self.data += more
        message, _, rest = bytes(self.data).partition(b"\0")
        self.data = bytearray(rest)
        return json.loads(message)

    def reply(self):
        """The next message; Error if it is one."""
        message = self.receive()
        if "error" in message:
            raise Error(message)
        return message

    def call(self, method, parameters=None, **members):
        self.send(method, parameters, **members)
        return self.reply().get("parameters", {})

    def stream(self, method, parameters=None):
        """The parameters of each reply to a call with `more`."""
        self.send(method, parameters, more=True)
        return self.replies()

    def replies(self):
        while True:
            message = self.reply()
            if message.get("parameters"):
                yield message["parameters"]
            if not message.get("continues"):
                return

    def upgrade(self, method, parameters=None):
        """The reply; from now on the connection is read() and send_raw()."""
        return self.call(method, parameters, upgrade=True)

    def read(self, count=65536):
        """Raw bytes after an upgrade; b"" at the end."""
        if self.data:
            data, self.data = bytes(self.data[:count]), self.data[count:]
            return data
        return self.socket.recv(count)

    def read_until(self, mark):
        """Raw bytes up to and with mark."""
        seen = bytearray()
        while mark not in seen:
            more = self.read()
            if not more:
                raise Closed(bytes(seen))
            seen += more
        end = seen.index(mark) + len(mark)
        self.data = seen[end:] + self.data
        return bytes(seen[:end])
