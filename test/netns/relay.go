package netns

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
)

// A process sees one network namespace. To reach another one, the test binary starts itself there as a relay, and the
// two speak over a unix socket, which has its place in the file system and so belongs to no network namespace.

// relayEnv holds the relay's four words: listen network, listen address, next hop, target.
const relayEnv = "MINIBROKER_TEST_RELAY"

// relayConnected is the byte that a relay sends back before the bytes of a connection that it could make.
const relayConnected = '+'

// A test binary that is started as a relay never comes to its tests.
func init() {
	if words := os.Getenv(relayEnv); words != "" {
		w := strings.Split(words, " ")
		fmt.Println(serveRelay(w[0], w[1], w[2], w[3]))
		os.Exit(1)
	}
}

// relay starts a relay on the machine and waits until it listens. It ends when its standard input does, so that it
// never outlives the test.
func (m *Machine) relay(network, address, next, target string) {
	t := m.lab.t
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", append(m.Prefix()[1:], self)...)
	cmd.Env = append(os.Environ(), relayEnv+"="+strings.Join([]string{network, address, next, target}, " "))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "listening\n" {
		t.Fatalf("relay on %s: %q, %v", m.ns, line, err)
	}
}

// serveRelay accepts connections and carries each one on: by tcp to the address in the connection's first line when
// next is "tcp", else through the relay whose socket is next, to target.
func serveRelay(network, address, next, target string) error {
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			in := bufio.NewReader(conn)
			if next != "tcp" {
				out, err := net.Dial("unix", next)
				if err != nil {
					return
				}
				status := make([]byte, 1)
				if _, err := fmt.Fprintf(out, "%s\n", target); err == nil {
					if _, err := io.ReadFull(out, status); err == nil && status[0] == relayConnected {
						carry(conn, in, out)
					}
				}
				out.Close()
				return
			}
			to, err := in.ReadString('\n')
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", strings.TrimSuffix(to, "\n"))
			if err != nil {
				_, _ = conn.Write([]byte{'-'})
				return
			}
			if _, err := conn.Write([]byte{relayConnected}); err == nil {
				carry(conn, in, out)
			}
			out.Close()
		}()
	}
}

// carry copies both ways until either side ends.
func carry(conn net.Conn, in io.Reader, out net.Conn) {
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(out, in); done <- struct{}{} }()
	go func() { _, _ = io.Copy(conn, out); done <- struct{}{} }()
	<-done
}
