package broker

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// rule tells the clients of one network an address.
type rule struct {
	text string
	any  bool         // from is "*"
	from netip.Prefix // whose addresses it is for
	to   endpoint     // no host: auto
}

func (r *rule) matches(client netip.Addr) bool {
	return r.any || client.IsValid() && r.from.Contains(client.WithZone(""))
}

// match returns the first rule for a client; nil when there is none.
func match(rules []rule, client netip.Addr) *rule {
	for i := range rules {
		if rules[i].matches(client) {
			return &rules[i]
		}
	}
	return nil
}

// parseRules reads --advertise: "auto", one host:port for everybody, or rules
// for client networks, of which the first that matches counts:
//
//	10.0.0.0/8=broker:9092,192.168.1.7=auto,*=localhost:19092
func parseRules(text string) ([]rule, error) {
	if text = strings.TrimSpace(text); text == "" || text == "auto" {
		return nil, nil
	}
	var rules []rule
	for part := range strings.SplitSeq(text, ",") {
		r, err := parseRule(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("--advertise %s: %w", text, err)
		}
		for i := range rules {
			if rules[i].covers(&r) {
				return nil, fmt.Errorf("--advertise %s: %q is never used, since %q comes first and matches the same clients: put it before that one, or leave it out", text, r.text, rules[i].text)
			}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// covers says whether r matches every client that other matches.
func (r *rule) covers(other *rule) bool {
	if r.any || other.any {
		return r.any
	}
	return r.from.Bits() <= other.from.Bits() && r.from.Contains(other.from.Addr())
}

func parseRule(text string) (rule, error) {
	r := rule{text: text}
	if text == "" {
		return r, fmt.Errorf("there is an empty rule: remove the comma too many")
	}
	from, to, isRule := strings.Cut(text, "=")
	if !isRule {
		from, to = "*", text
	}
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	if from == "*" {
		r.any = true
	} else {
		var err error
		if r.from, err = parseNetwork(from); err != nil {
			return r, err
		}
	}
	if to == "auto" {
		return r, nil
	}
	var err error
	r.to, err = parseEndpoint(to)
	return r, err
}

// parseNetwork reads the clients that a rule is for: a network or one address.
func parseNetwork(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		ip, ipErr := netip.ParseAddr(strings.Trim(text, "[]"))
		if ipErr != nil {
			return p, fmt.Errorf("%q on the left of '=' is not a client's network: write it like 10.0.0.0/8, 192.168.1.7 or *", text)
		}
		ip = ip.Unmap().WithZone("")
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	if p.Addr().Is4In6() {
		return p, fmt.Errorf("%q: write IPv4 networks like 10.0.0.0/8", text)
	}
	return p.Masked(), nil
}

// parsePublished reads --published; empty means not given.
func parsePublished(text string) (endpoint, error) {
	if text = strings.TrimSpace(text); text == "" {
		return endpoint{}, nil
	}
	to, err := parseEndpoint(text)
	if err != nil {
		return to, fmt.Errorf("--published %s: %w", text, err)
	}
	return to, nil
}

// parseEndpoint reads host:port or host, the host a name or an address; IPv6
// addresses with a port are in brackets. A host alone keeps the port dialled.
func parseEndpoint(text string) (endpoint, error) {
	var none endpoint
	if i := strings.Index(text, "://"); i >= 0 {
		return none, fmt.Errorf("there are no listener names here: write %s instead of %s", text[i+3:], text)
	}
	host, port := text, ""
	if ip, err := netip.ParseAddr(text); err != nil || ip.Is4() {
		var hasPort bool
		if rest, ok := strings.CutPrefix(text, "["); ok {
			h, after, closed := strings.Cut(rest, "]")
			if _, err := netip.ParseAddr(h); err != nil || !closed || after != "" && after[0] != ':' {
				return none, fmt.Errorf("%q is not an address: write IPv6 like [2001:db8::1]:9092", text)
			}
			host = h
			port, hasPort = strings.CutPrefix(after, ":")
		} else if strings.Count(text, ":") > 1 {
			return none, fmt.Errorf("%q is not an address: write one host:port, IPv6 like [2001:db8::1]:9092", text)
		} else {
			host, port, hasPort = strings.Cut(text, ":")
		}
		if hasPort && port == "" {
			return none, fmt.Errorf("%q has no port after ':': write %s:9092, or %s alone for the port that the client dialled", text, host, host)
		}
	}
	to := endpoint{host: host}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return none, fmt.Errorf("%q is not a port: use 1 to 65535", port)
		}
		to.port = uint16(n)
	}
	return to, checkHost(host, text)
}

// checkHost refuses what no client could connect to.
func checkHost(host, text string) error {
	if ip, err := netip.ParseAddr(host); err == nil {
		switch {
		case ip.Unmap().IsUnspecified():
			return fmt.Errorf("clients cannot connect to %s, which only means 'listen everywhere': name an address of this machine, or use auto", host)
		case ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			return fmt.Errorf("clients cannot connect to %s: name an address of this machine, or use auto", host)
		}
		return nil
	}
	if host == "" {
		return fmt.Errorf("%q names no host: write host:port, for example localhost%s", text, text)
	}
	if strings.Trim(host, "0123456789") == "" {
		return fmt.Errorf("%q names no host: write host:port, for example localhost:%s", text, host)
	}
	if strings.Trim(host, "0123456789.") == "" {
		return fmt.Errorf("%q is not an IPv4 address: write four numbers from 0 to 255, like 192.168.1.10", host)
	}
	for _, c := range host {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return fmt.Errorf("%q cannot be in a host name (%q): write host:port", c, text)
		}
	}
	if len(host) > 253 {
		return fmt.Errorf("the host name has %d characters: the longest possible has 253", len(host))
	}
	return nil
}

func (e endpoint) String() string {
	return net.JoinHostPort(e.host, strconv.Itoa(int(e.port)))
}
