// An independent Varlink client (github.com/varlink/go, Debian's golang-github-varlink-go-dev)
// against umld's server: what it parses and what it gets must satisfy somebody else's reading of
// the protocol. Usage: client SOCKET (of the stub server), or client SOCKET umld: of a real umld
// which has a stopped guest "web" whose kernel is the fake guest.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/varlink/go/varlink"
	"github.com/varlink/go/varlink/idl"
)

type args map[string]interface{}

func check(ok bool, format string, a ...interface{}) {
	if !ok {
		fmt.Fprintf(os.Stderr, format+"\n", a...)
		os.Exit(1)
	}
}

func connect(ctx context.Context) *varlink.Connection {
	c, err := varlink.NewConnection(ctx, "unix:"+os.Args[1])
	check(err == nil, "connect: %v", err)
	return c
}

// Every interface the service names is described in text that this library's parser takes. It knows
// an older rule for interfaces' names, without capitals (today's is that of io.systemd.Hostname), so
// that one line is put in small letters for it.
func introspect(ctx context.Context, c *varlink.Connection) {
	var vendor, product, version, url string
	var interfaces []string

	err := c.GetInfo(ctx, &vendor, &product, &version, &url, &interfaces)
	check(err == nil, "GetInfo: %v", err)
	check(vendor == "umld" && version != "", "GetInfo: vendor %q version %q", vendor, version)
	check(len(interfaces) >= 7, "GetInfo: only %v", interfaces)
	for _, name := range interfaces {
		text, err := c.GetInterfaceDescription(ctx, name)
		check(err == nil, "description of %s: %v", name, err)
		lower := strings.ToLower(name)
		parsed, err := idl.New(strings.Replace(text, "interface "+name, "interface "+lower, 1))
		check(err == nil, "%s: %v", name, err)
		check(parsed.Name == lower, "%s calls itself %s", name, parsed.Name)
		check(len(parsed.Methods) > 0, "%s has no methods", name)
	}
}

func calls(ctx context.Context, c *varlink.Connection) {
	var pong struct{ Version string }
	var started struct {
		Changed bool
		State   string
	}

	err := c.Call(ctx, "io.umld.Server.Ping", nil, &pong)
	check(err == nil && pong.Version != "", "Ping: %v %q", err, pong.Version)
	err = c.Call(ctx, "io.umld.Guest.Start", args{"name": "web", "timeoutMs": 1000}, &started)
	check(err == nil, "Start: %v", err)
}

func errors(ctx context.Context, c *varlink.Connection) {
	err := c.Call(ctx, "io.umld.Server.Pong", nil, nil)
	notFound, ok := err.(*varlink.MethodNotFound)
	check(ok && strings.HasSuffix(notFound.Method, "Pong"), "unknown method: %v", err)
	err = c.Call(ctx, "io.umld.Nothing.Ping", nil, nil)
	noInterface, ok := err.(*varlink.InterfaceNotFound)
	check(ok && noInterface.Interface == "io.umld.Nothing", "unknown interface: %v", err)
	err = c.Call(ctx, "io.umld.Guest.Start", args{"name": "../x"}, nil)
	invalid, ok := err.(*varlink.InvalidParameter)
	check(ok && invalid.Parameter == "name", "bad name: %v", err)
	err = c.Call(ctx, "io.umld.Console.Attach", args{"name": "web"}, nil)
	check(err != nil && err.Error() == "io.umld.Server.InvalidValue", "no upgrade: %v", err)
}

func more(ctx context.Context, c *varlink.Connection) {
	receive, err := c.Send(ctx, "io.umld.Server.Subscribe", args{"follow": true}, varlink.More)
	check(err == nil, "Subscribe: %v", err)
	replies := 0
	for {
		var reply struct{}
		flags, err := receive(ctx, &reply)
		check(err == nil, "Subscribe: %v", err)
		replies++
		if flags&varlink.Continues == 0 {
			break
		}
	}
	check(replies == 4, "Subscribe: %d replies", replies)
}

func pipeline(ctx context.Context, c *varlink.Connection) {
	var receives []func(context.Context, interface{}) (uint64, error)

	for i := 0; i < 200; i++ {
		_, err := c.Send(ctx, "io.umld.Guest.Resume", args{"name": "web"}, varlink.Oneway)
		check(err == nil, "oneway: %v", err)
		receive, err := c.Send(ctx, "io.umld.Server.Ping", nil, 0)
		check(err == nil, "pipelined Ping: %v", err)
		receives = append(receives, receive)
	}
	for _, receive := range receives {
		var pong struct{ Version string }
		_, err := receive(ctx, &pong)
		check(err == nil && pong.Version != "", "pipelined Ping: %v", err)
	}
}

// Says hello on the raw stream that the connection becomes.
func greet(ctx context.Context, c *varlink.Connection) varlink.ReadWriterContext {
	receive, err := c.Upgrade(ctx, "io.umld.Console.Attach", args{"name": "web"})
	check(err == nil, "Attach: %v", err)
	var attached struct{ Device string }
	_, stream, err := receive(ctx, &attached)
	check(err == nil && attached.Device == "con0", "Attach: %v %q", err, attached.Device)
	_, err = stream.Write(ctx, []byte("hello\n"))
	check(err == nil, "raw write: %v", err)
	return stream
}

func upgrade(ctx context.Context, c *varlink.Connection) {
	stream := greet(ctx, c)
	text, err := stream.ReadBytes(ctx, '\n')
	check(err == nil && string(text) == "hello\n", "raw read: %v %q", err, text)
}

// The life of a guest: started, heard, typed at, stopped, and every event of it told in order.
func life(ctx context.Context, c *varlink.Connection) {
	var verb struct {
		Changed bool
		State   string
	}
	var got struct {
		Guest struct {
			Runtime struct {
				State string
				Pid   int
			}
		}
	}

	err := c.Call(ctx, "io.umld.Guest.Start", args{"name": "web", "timeoutMs": 60000}, &verb)
	check(err == nil && verb.Changed && verb.State == "running", "Start: %v %v", err, verb)
	err = c.Call(ctx, "io.umld.Guest.Get", args{"name": "web"}, &got)
	check(err == nil && got.Guest.Runtime.Pid > 1, "Get: %v %v", err, got)
	console := connect(ctx)
	stream := greet(ctx, console)
	for text := ""; !strings.HasSuffix(text, "fake: hello\n"); {
		line, err := stream.ReadBytes(ctx, '\n')
		check(err == nil, "raw read: %v %q", err, text)
		text += string(line)
	}
	console.Close()
	err = c.Call(ctx, "io.umld.Guest.Stop", args{"name": "web"}, &verb)
	check(err == nil && verb.Changed && verb.State == "stopped", "Stop: %v %v", err, verb)
	err = c.Call(ctx, "io.umld.Guest.Start", args{"name": "nobody"}, nil)
	check(err != nil && err.Error() == "io.umld.Server.NotFound", "Start of nobody: %v", err)
}

func events(ctx context.Context, c *varlink.Connection) {
	receive, err := c.Send(ctx, "io.umld.Server.Subscribe", args{"since": 0}, varlink.More)
	check(err == nil, "Subscribe: %v", err)
	types := ""
	for seq := 1; ; seq++ {
		var reply struct {
			Event struct {
				Seq  int
				Type string
			}
		}
		flags, err := receive(ctx, &reply)
		check(err == nil, "Subscribe: %v", err)
		if flags&varlink.Continues == 0 {
			break
		}
		check(reply.Event.Seq == seq, "event %d comes as number %d", reply.Event.Seq, seq)
		types += reply.Event.Type + " "
	}
	check(strings.Contains(types, "guest.ready") && strings.Contains(types, "guest.ended"), "events: %s", types)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	check(len(os.Args) == 2 || len(os.Args) == 3 && os.Args[2] == "umld", "usage: client SOCKET [umld]")
	c := connect(ctx)
	introspect(ctx, c)
	if len(os.Args) == 3 {
		errors(ctx, c)
		life(ctx, c)
		events(ctx, c)
	} else {
		calls(ctx, c)
		errors(ctx, c)
		more(ctx, c)
		pipeline(ctx, c)
		upgrade(ctx, c)
	}
	c.Close()
	fmt.Println("varlink_go: all agreed")
}
