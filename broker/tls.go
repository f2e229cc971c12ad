package broker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"minibroker/broker/auth"
	"minibroker/protocol"
)

// This file owns TLS: the certificates that brokers show, those that their
// clients need, and the beginning of a connection.

// WithTLS makes the broker's port speak TLS: security.protocol is SSL, or
// SASL_SSL with [WithUser]. Without certificates the broker is its own
// authority and has one for whatever name a client calls it by:
// [Broker.TLSConfig] is what a client in this process needs to trust it,
// [Broker.CA] what others do. Whether clients must show certificates, too, says
// the config ssl.client.auth: none, requested or required. It is for ports that
// speak SSL; at those of SASL_SSL clients log in. Certificates of the broker's own
// authority are accepted, see [Broker.ClientTLSConfig], or those of
// [WithClientCA].
func WithTLS(certificates ...tls.Certificate) Option {
	return func(o *options) { o.tls = &tlsOptions{certificates} }
}

// WithClientCA says whose certificates clients may show. It goes with [WithTLS],
// in any order.
func WithClientCA(pool *x509.CertPool) Option { return func(o *options) { o.clients = pool } }

type tlsOptions struct{ certificates []tls.Certificate }

// Certificates are good for as long as anybody's clock may say: tests set their
// own.
var (
	validFrom  = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	validUntil = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
)

// authority makes certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey

	mu    sync.Mutex
	known map[string]*tls.Certificate // those made for brokers, by name
}

func newAuthority() (*authority, error) {
	a := &authority{known: make(map[string]*tls.Certificate)}
	// A name that no certificate has which it signs: OpenSSL would take that for
	// self-signed.
	made, err := a.make(pkix.Name{CommonName: "minibroker's authority"}, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	})
	if err != nil {
		return nil, err
	}
	a.certificate, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	return a, nil
}

// make signs a certificate; the authority's own, as long as it has none.
func (a *authority) make(subject pkix.Name, edit func(*x509.Certificate)) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: validFrom, NotAfter: validUntil, KeyUsage: x509.KeyUsageDigitalSignature}
	edit(c)
	by, signer := a.certificate, a.key
	if by == nil {
		by, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// of is a broker's certificate for the name and the address by which a client
// reached it.
func (a *authority) of(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	at := addrPort(hello.Conn.LocalAddr()).Addr()
	key := hello.ServerName + " " + at.String()
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.known[key]; c != nil {
		return c, nil
	}
	c, err := a.make(pkix.Name{CommonName: "minibroker"}, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.DNSNames = []string{"localhost", "minibroker"}
		if name, err := os.Hostname(); err == nil && name != "localhost" {
			c.DNSNames = append(c.DNSNames, name)
		}
		if hello.ServerName != "" {
			c.DNSNames = append(c.DNSNames, hello.ServerName)
		}
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		if at.IsValid() {
			c.IPAddresses = append(c.IPAddresses, at.AsSlice())
		}
	})
	if err == nil && len(a.known) < 1000 {
		a.known[key] = c
	}
	return c, err
}

// secure sets TLS up, if some port speaks it.
func (b *Broker) secure(o *options) error {
	speaks := false
	for _, p := range b.nodes[0].ports {
		speaks = speaks || p.protocol.tls()
	}
	if !speaks {
		return nil
	}
	if o.tls == nil {
		o.tls = &tlsOptions{}
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: o.tls.certificates, ClientCAs: o.clients}
	var err error
	if b.authority, err = newAuthority(); err != nil {
		return err
	}
	if len(c.Certificates) == 0 {
		c.GetCertificate = b.authority.of
	}
	if c.ClientCAs == nil {
		c.ClientCAs = b.authority.pool()
	}
	switch b.started.String("ssl.client.auth") {
	case "required":
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case "requested":
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	b.tls = c
	// Who logs in shows no certificate: Kafka's ChannelBuilders, too, has
	// ssl.client.auth for SSL only, unless it is set for one listener.
	b.loginTLS = c.Clone()
	b.loginTLS.ClientAuth = tls.NoClientCert
	return nil
}

// WantsCertificates says whether clients must show a certificate at ports that
// speak SSL: ssl.client.auth=required.
func (b *Broker) WantsCertificates() bool {
	return b.tls != nil && b.tls.ClientAuth == tls.RequireAndVerifyClientCert
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// TLSConfig is what a client needs to trust a broker with [WithTLS] that is its
// own authority; nil without TLS.
func (b *Broker) TLSConfig() *tls.Config {
	if b.tls == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: b.authority.pool()}
}

// ClientTLSConfig is [Broker.TLSConfig] with a certificate of the client's, whose
// user is User:CN=name.
func (b *Broker) ClientTLSConfig(name string) (*tls.Config, error) {
	c := b.TLSConfig()
	if c == nil {
		return nil, errors.New("the broker has no TLS: start it with WithTLS")
	}
	made, err := b.authority.make(pkix.Name{CommonName: name}, func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	if err != nil {
		return nil, err
	}
	c.Certificates = []tls.Certificate{*made}
	return c, nil
}

// CA is the certificate of the broker's own authority, in PEM: what clients
// outside this process trust (ssl.truststore.location, ssl_cafile). It is new for
// each broker, and nil without TLS and where the broker has certificates of others.
func (b *Broker) CA() []byte {
	if b.tls == nil || b.tls.GetCertificate == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.authority.certificate.Raw})
}

// shakeHands begins TLS on a connection, and says whether it can go on.
func (c *conn) shakeHands() bool {
	b := c.broker
	config := b.tls
	if c.sasl != nil {
		config = b.loginTLS
	}
	nc := tls.Server(c.nc, config)
	if err := nc.HandshakeContext(context.Background()); err != nil {
		c.explainHandshake(err)
		return false
	}
	state := nc.ConnectionState()
	c.peer.serverName = state.ServerName
	if c.principal = auth.Anonymous; len(state.PeerCertificates) > 0 && c.sasl == nil {
		c.principal = auth.User(distinguished(state.PeerCertificates[0].Subject))
	}
	c.wire, c.in, c.out.w = nc, protocol.NewFrameReader(nc), nc
	return true
}

// explainHandshake writes the line that says what to change.
func (c *conn) explainHandshake(err error) {
	log, from := c.broker.loggers.socket, c.nc.RemoteAddr().String()
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && record.Conn != nil {
		if protocol.Sniff([4]byte(record.RecordHeader[:4])) == protocol.HTTP {
			log.Info("HTTP on the Kafka port, which speaks TLS", "client", from)
			return
		}
		log.Warn(fmt.Sprintf("a client speaks plaintext on a TLS port: set security.protocol=%s in the client, and let it trust the broker's CA", c.peer.port.protocol), "client", from)
		return
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		// It went away, as clients do with spare connections. One that does not
		// trust the broker says so by an alert.
		log.Debug("a client left during the TLS handshake", "client", from)
		return
	}
	log.Warn("a TLS handshake failed: does the client trust the broker's CA, and show a certificate where ssl.client.auth asks for one?", "client", from, "error", err)
}

// subjectNames are the names of a subject's parts (RFC 2253, with Java's names).
var subjectNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// distinguished is a subject as Java writes it: the last part first.
func distinguished(subject pkix.Name) string {
	var parts []string
	for _, set := range subject.ToRDNSequence() {
		var names []string
		for _, a := range set {
			names = append(names, attributeName(a.Type)+"="+escapeName(fmt.Sprint(a.Value)))
		}
		parts = append([]string{strings.Join(names, "+")}, parts...)
	}
	return strings.Join(parts, ",")
}

func attributeName(id asn1.ObjectIdentifier) string {
	if name := subjectNames[id.String()]; name != "" {
		return name
	}
	return id.String()
}

var nameEscapes = strings.NewReplacer(`\`, `\\`, ",", `\,`, "+", `\+`, `"`, `\"`, "<", `\<`, ">", `\>`, ";", `\;`)

func escapeName(value string) string { return nameEscapes.Replace(value) }
