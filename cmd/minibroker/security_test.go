package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// reaches says whether a client comes to the broker, and why not.
func reaches(t *testing.T, address string, opts ...kgo.Opt) error {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(address), kgo.RequestRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return client.Ping(ctx)
}

// trusting is what a client sets that trusts the certificates of a file.
func trusting(t *testing.T, path string) kgo.Opt {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s has no certificate", path)
	}
	return kgo.DialTLSConfig(&tls.Config{RootCAs: pool})
}

var anna = kgo.SASL(plain.Auth{User: "anna", Pass: "secret"}.AsMechanism())

func TestTLSWithTheBrokersOwnAuthorityTakesOneFlag(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	s := start(t, nil, "--port", "0", "--http-port", "0", "--tls-ca-out", ca, "--user", "anna:secret")
	if !slices.Equal(s.said, []string{"security.protocol=SASL_SSL"}) {
		t.Errorf("after the bootstrap line it says %q", s.said)
	}
	if err := reaches(t, s.bootstrap, trusting(t, ca), anna); err != nil {
		t.Error(err)
	}
	if err := reaches(t, s.bootstrap, anna); err == nil {
		t.Error("a client without TLS was let in")
	}
}

func TestExtraPortsAreToldWithTheirProtocol(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	file := write(t, "b.yaml", "extra-port: [\"SSL:0\", \"SASL_PLAINTEXT:0\"]\nuser: anna:secret\ntls-ca-out: "+ca+"\n")
	s := start(t, []string{"MINIBROKER_CONFIG=" + file}, "--port", "0", "--http-port", "0")
	if len(s.said) != 2 {
		t.Fatalf("after the bootstrap line it says %q", s.said)
	}
	if err := reaches(t, s.bootstrap); err != nil {
		t.Error(err)
	}
	if err := reaches(t, after(s.said[0], "SSL: bootstrap.servers="), trusting(t, ca)); err != nil {
		t.Error(s.said[0], err)
	}
	if err := reaches(t, after(s.said[1], "SASL_PLAINTEXT: bootstrap.servers="), anna); err != nil {
		t.Error(s.said[1], err)
	}
}

func TestCertificatesAreReadFromFiles(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	cert, both := write(t, "cert.pem", certPEM), write(t, "both.pem", certPEM+keyPEM)
	for _, args := range [][]string{
		{"--tls-cert", cert, "--tls-key", write(t, "key.pem", keyPEM)},
		{"--tls-cert", both, "--security-protocol", "ssl"},
	} {
		s := start(t, nil, append(args, "--port", "0", "--http-port", "off")...)
		if err := reaches(t, s.bootstrap, trusting(t, cert)); err != nil {
			t.Error(args, err)
		}
	}

	s := start(t, nil, "--port", "0", "--http-port", "off", "--tls-cert", both, "--tls-client-ca", cert, "--set", "ssl.client.auth=required")
	if err := reaches(t, s.bootstrap, trusting(t, cert)); err == nil {
		t.Error("a client without a certificate was let in")
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(certPEM))
	mine := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if err := reaches(t, s.bootstrap, kgo.DialTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{mine}})); err != nil {
		t.Error("with a certificate:", err)
	}
}

func TestTheExtraPortsOfOnePlaceHold(t *testing.T) {
	o, err := gathered(t, []string{"--extra-port", "SSL:1001"}, "MINIBROKER_EXTRA_PORT=SSL:2001;SASL_SSL:2002")
	if err != nil || len(o.security) != 1 {
		t.Errorf("the flag's port alone should be there: %d, %v", len(o.security), err)
	}
	o, err = gathered(t, nil, "MINIBROKER_EXTRA_PORT=SSL:2001;SASL_SSL:2002", "MINIBROKER_SECURITY_PROTOCOL=SASL_PLAINTEXT")
	if err != nil || len(o.security) != 3 {
		t.Errorf("the environment's ports should be there: %d, %v", len(o.security), err)
	}
	if _, err := gathered(t, []string{"--extra-port", "PLAIN:1"}); err == nil || !strings.Contains(err.Error(), `"PLAIN" is no security protocol`) {
		t.Error(err)
	}
}
