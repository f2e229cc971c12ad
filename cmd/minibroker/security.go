package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"minibroker/broker"
)

// This file owns the settings of who may come in and how: users, ACLs, what the
// ports speak, and certificates.

// readUsers reads users and ACLs, of all places together. No error shows a
// password.
func (o *options) readUsers(layers []layer) error {
	for _, l := range layers {
		for flag, option := range map[string]func(name, password string) broker.Option{"user": broker.WithUser, "super-user": broker.WithSuperUser} {
			for _, s := range l[flag] {
				name, password, ok := strings.Cut(s.value, ":")
				if !ok || name == "" || password == "" {
					return s.errorf("write name:password")
				}
				o.security = append(o.security, option(name, password))
			}
		}
		for _, s := range l["acl"] {
			o.security = append(o.security, broker.WithACL(s.value))
		}
	}
	return nil
}

// readPorts reads what clients must speak at which port, and TLS.
func (o *options) readPorts(layers []layer) error {
	protocol, given := first(layers, "security-protocol")
	if given && protocol.value != "" {
		if err := checkProtocol(protocol, protocol.value); err != nil {
			return err
		}
		o.security = append(o.security, broker.WithSecurityProtocol(protocol.value))
	}
	extra := ofFirst(layers, "extra-port")
	speaksTLS := strings.HasSuffix(strings.ToUpper(protocol.value), "SSL") || len(extra) == 0 && protocol.value == ""
	for _, s := range extra {
		name, number, ok := strings.Cut(s.value, ":")
		if !ok {
			return s.errorf("%q is no port with a protocol: write PROTOCOL:PORT, such as SSL:9093", s.value)
		}
		if err := checkProtocol(s, name); err != nil {
			return err
		}
		port, err := readPort(setting{number, s.place, s.typed})
		if err != nil {
			return err
		}
		o.security = append(o.security, broker.WithExtraPort(name, port))
		speaksTLS = speaksTLS || strings.HasSuffix(strings.ToUpper(name), "SSL")
	}
	return o.readTLS(layers, speaksTLS)
}

func checkProtocol(s setting, name string) error {
	if !slices.Contains(broker.SecurityProtocols, strings.ToUpper(name)) {
		return s.errorf("%q is no security protocol: use %s", name, strings.Join(broker.SecurityProtocols, ", "))
	}
	return nil
}

// readTLS reads certificates. Each of the flags says that TLS is wanted; it must
// be told where, if ports are given and none speaks it.
func (o *options) readTLS(layers []layer, spoken bool) error {
	cert, _ := first(layers, "tls-cert")
	key, _ := first(layers, "tls-key")
	clients, _ := first(layers, "tls-client-ca")
	out, _ := first(layers, "tls-ca-out")
	wants, _ := given(cert, key, clients, out)
	switch {
	case wants.value == "":
		return nil
	case !spoken:
		return wants.errorf("no port speaks TLS: add --security-protocol SSL (or SASL_SSL), or --extra-port SSL:9093")
	case cert.value == "" && key.value != "":
		return key.errorf("a key needs its certificate: add --tls-cert")
	case cert.value != "" && out.value != "":
		return out.errorf("there is no authority of the broker's own with --tls-cert: leave one of the two out")
	}
	var certificates []tls.Certificate
	if cert.value != "" {
		for _, s := range []setting{cert, key} {
			if _, err := s.read(); s.value != "" && err != nil {
				return err
			}
		}
		pair, err := tls.LoadX509KeyPair(cert.value, cmp.Or(key.value, cert.value))
		if err != nil {
			return cert.fails("%s: %s", cert.value, strings.TrimPrefix(err.Error(), "tls: "))
		}
		certificates = append(certificates, pair)
	}
	o.security = append(o.security, broker.WithTLS(certificates...))
	if clients.value != "" {
		text, err := clients.read()
		if err != nil {
			return err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return clients.fails("%s has no certificates in PEM", clients.value)
		}
		o.security = append(o.security, broker.WithClientCA(pool))
	}
	o.caOut = out
	return nil
}

// given is the first setting that has a value.
func given(settings ...setting) (setting, bool) {
	for _, s := range settings {
		if s.value != "" {
			return s, true
		}
	}
	return setting{}, false
}

// read reads the file that s names.
func (s setting) read() ([]byte, error) {
	text, err := os.ReadFile(s.value)
	if err != nil {
		return nil, s.fails("cannot read %s: %s", s.value, reason(err))
	}
	return text, nil
}

// reason is why a file cannot be opened, without its name.
func reason(err error) error {
	if p := new(fs.PathError); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// writeCA gives clients outside the process what they need to trust the broker.
func writeCA(to setting, b *broker.Broker) error {
	if to.value == "" {
		return nil
	}
	if err := os.WriteFile(to.value, b.CA(), 0o644); err != nil {
		return to.fails("cannot write %s: %s", to.value, reason(err))
	}
	return nil
}
