package main

// This file owns how the commands that are clients of a cluster log in to it.

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"minibroker/ui"
)

// loginFlags are those of every command that is a client.
func loginFlags(f *pflag.FlagSet) {
	f.Bool("tls", false, "reach the brokers by TLS")
	f.String("tls-ca", "", "file of certificates to trust, in PEM (default the machine's)")
	f.String("tls-cert", "", "file of the certificate to show the brokers, in PEM")
	f.String("tls-key", "", "file of its key, in PEM")
	f.String("sasl-mechanism", "", "how to log in: "+strings.Join(ui.Mechanisms, ", "))
	f.String("sasl-username", "", "user to log in as")
	f.String("sasl-password", "", "password; better given in the environment")
}

// readRemote reads which cluster a command is a client of, and how to log in.
func readRemote(layers []layer) (r ui.Remote, err error) {
	get := func(name string) setting { s, _ := first(layers, name); return s }
	for seed := range strings.SplitSeq(get("bootstrap-servers").value, ",") {
		if seed = strings.TrimSpace(seed); seed != "" {
			r.Seeds = append(r.Seeds, seed)
		}
	}
	if len(r.Seeds) == 0 {
		return r, usageError{"--bootstrap-servers: name a broker of the cluster, as host:port"}
	}
	mechanism := get("sasl-mechanism")
	r.Mechanism, r.User, r.Password = mechanism.value, get("sasl-username").value, get("sasl-password").value
	if mechanism.value != "" && !slices.Contains(ui.Mechanisms, mechanism.value) {
		return r, mechanism.errorf("%q is not known: use %s", mechanism.value, strings.Join(ui.Mechanisms, ", "))
	}
	if mechanism.value == "" && r.User != "" {
		return r, usageError{"--sasl-username needs --sasl-mechanism: " + strings.Join(ui.Mechanisms, ", ")}
	}
	r.TLS, err = trust(get("tls").value == "true", get("tls-ca"), get("tls-cert"), get("tls-key"))
	return r, err
}

// trust is nil where the brokers are reached in plain text.
func trust(on bool, ca, cert, key setting) (*tls.Config, error) {
	if !on && ca.value == "" && cert.value == "" && key.value == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca.value != "" {
		pem, err := os.ReadFile(ca.value)
		if err != nil {
			return nil, ca.errorf("%v", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, ca.errorf("%s has no certificate in PEM", ca.value)
		}
	}
	if cert.value == "" && key.value == "" {
		return c, nil
	}
	if cert.value == "" || key.value == "" {
		return nil, usageError{"--tls-cert and --tls-key go together"}
	}
	pair, err := tls.LoadX509KeyPair(cert.value, key.value)
	if err != nil {
		return nil, cert.errorf("%v", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
