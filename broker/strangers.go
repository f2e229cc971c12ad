package broker

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Who speaks HTTP or TLS to the Kafka port is told so, instead of a silence
// that looks like a network problem.

const (
	// strangerBytes and strangerTime bound what is read of a stranger; headTime
	// is how long the head of its request may take, and headBytes what is read
	// of it.
	strangerBytes = 64 << 10
	strangerTime  = 3 * time.Second
	headTime      = time.Second
	headBytes     = 4 << 10
)

// answerHTTP answers a browser, curl or a health check that dialled the Kafka
// port. The reader still holds the request from its first byte on.
//
// The status is 400: browsers show the page whatever it is, and a health check
// or a proxy that was pointed at this port must not take it for a web server
// that is well. (Kafka's port is checked by opening it, or by /readyz.)
func (c *conn) answerHTTP() {
	limit := c.broker.clock.AfterFunc(strangerTime, func() { _ = c.nc.Close() })
	defer limit.Stop()
	head := c.readHTTPHead()
	bootstrap, host := c.reachedAs(head)
	body := c.httpPage(bootstrap, host)
	var page bytes.Buffer
	fmt.Fprintf(&page, "HTTP/1.1 400 This is a Kafka broker\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", len(body))
	if !bytes.HasPrefix(head, []byte("HEAD ")) {
		page.WriteString(body)
	}
	c.broker.loggers.socket.Info("HTTP on the Kafka port: sent a page that says so", "client", c.nc.RemoteAddr().String(), "agent", httpField(head, "user-agent"))
	c.farewell(page.Bytes())
}

// answerTLS answers a client with security.protocol=SSL on a plaintext port.
//
// It gets a line of text, not a TLS alert: every TLS library reports text as a
// peer that does not speak TLS ("Unsupported or unrecognized SSL message" in
// Java, which then gives up; "wrong version number" in OpenSSL), while
// any alert reads as a quarrel about versions or certificates, and a mere
// close as a network problem, to be tried again for ever.
func (c *conn) answerTLS() {
	limit := c.broker.clock.AfterFunc(strangerTime, func() { _ = c.nc.Close() })
	defer limit.Stop()
	c.broker.loggers.socket.Warn("a TLS handshake came in on a plaintext port: set security.protocol="+c.peer.port.protocol.String()+" in the client", "client", c.nc.RemoteAddr().String())
	c.farewell([]byte("This Kafka port speaks plaintext: set security.protocol=" + c.peer.port.protocol.String() + "\r\n"))
}

// farewell sends p and reads on until the stranger is done: closing with bytes
// unread would reset the connection, and the reset can overtake p.
func (c *conn) farewell(p []byte) {
	if _, err := c.wire.Write(p); err != nil {
		return
	}
	if half, ok := c.wire.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c.nc, strangerBytes)
	}
}

// readHTTPHead reads a request up to the empty line. What does not come in
// time, or is too long, is left out.
func (c *conn) readHTTPHead() []byte {
	slow := c.broker.clock.AfterFunc(headTime, func() { _ = c.nc.SetReadDeadline(time.Unix(1, 0)) })
	defer slow.Stop()
	for {
		have := c.in.Unread()
		if i := bytes.Index(have, []byte("\r\n\r\n")); i >= 0 {
			return bytes.Clone(have[:i])
		}
		if len(have) >= headBytes || c.in.More() != nil {
			return bytes.Clone(c.in.Unread())
		}
	}
}

// httpField is the value of a field of a request's head.
func httpField(head []byte, name string) string {
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// reachedAs is how the stranger names this broker: the Host field is the best
// possible answer to "what do I put into bootstrap.servers".
func (c *conn) reachedAs(head []byte) (bootstrap, host string) {
	if e, err := parseEndpoint(httpField(head, "host")); err == nil {
		if e.port == 0 {
			e.port = c.peer.local.Port()
		}
		if e.port != 0 {
			return e.String(), e.host
		}
	}
	host, port := c.broker.advertiser.addressFor(c.peer, c.node)
	return net.JoinHostPort(host, strconv.Itoa(int(port))), host
}

func (c *conn) httpPage(bootstrap, host string) string {
	bootstrap = html.EscapeString(bootstrap)
	webEN, webFR := "", ""
	if port := c.broker.webPort; port != 0 {
		url := html.EscapeString("http://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/")
		webEN = fmt.Sprintf("\n<p>The web page is at <a href=\"%s\">%s</a>.</p>", url, url)
		webFR = fmt.Sprintf("\n<p>La page web est ici&nbsp;: <a href=\"%s\">%s</a>.</p>", url, url)
	}
	return fmt.Sprintf(strangerPage, bootstrap, webEN, bootstrap, webFR)
}

const strangerPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>This is a Kafka broker</title>
<style>body{font:1rem/1.5 sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}code{background:#eee;color:#111;padding:.1em .3em}</style>
<h1>This is a Kafka broker, not a web server</h1>
<p>It works, but a browser cannot talk to it. Give this to a Kafka client:</p>
<p><code>bootstrap.servers=%s</code></p>%s
<hr>
<section lang="fr">
<h1>Ceci est un broker Kafka, pas un serveur web</h1>
<p>Il fonctionne, mais un navigateur ne peut pas lui parler. Donnez ceci à un client Kafka&nbsp;:</p>
<p><code>bootstrap.servers=%s</code></p>%s
</section>
</html>
`
