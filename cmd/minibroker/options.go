package main

// This file owns how settings come together: flags go before the environment,
// the environment before the file, the file before defaults.

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"minibroker/broker"
	"minibroker/broker/config"
)

// options are the settings that the program runs with.
type options struct {
	host      string
	port      int
	brokers   int
	racks     []string
	httpPort  int // -1: none
	ui        bool
	api       bool
	clock     string    // real, movable or virtual
	startAt   time.Time // of a virtual clock; zero: now
	requests  int       // that the transcript has
	topics    []topicSpec
	fixtures  []setting
	configs   map[string]string // of the broker
	security  []broker.Option   // users, ACLs, protocols of ports, TLS
	caOut     setting           // file for the certificate of the broker's own authority
	ignored   []string          // configs given that have no effect, for the log
	advertise string
	published string
	level     slog.Level
	json      bool // log as JSON
}

// setting is a value with the place it was given at, for error texts.
type setting struct {
	value string
	place string // "--port", "MINIBROKER_PORT", "port in broker.yaml"
	typed bool   // on the command line or in the environment
}

func (s setting) errorf(format string, args ...any) error {
	if s.typed {
		return usageError{s.fails(format, args...).Error()}
	}
	return s.fails(format, args...)
}

// fails is an error of something else than how the setting is written.
func (s setting) fails(format string, args ...any) error {
	return fmt.Errorf("%s: %s", s.place, fmt.Sprintf(format, args...))
}

// layer is the settings of one place, by flag. Repeatable flags may have many.
type layer map[string][]setting

// repeatable are the flags that may be given more than once; in the environment
// and in properties their values are separated by semicolons or new lines.
var repeatable = []string{"topic", "fixture", "set", "advertise", "rack", "user", "super-user", "acl", "extra-port"}

func splitRepeated(text string) []string {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' || r == '\r' })
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// gather reads all places and checks what it can without opening a port.
func gather(flags *pflag.FlagSet, env func(string) (string, bool)) (*options, error) {
	layers := []layer{fromFlags(flags), fromEnvironment(flags, env)}
	if file, ok := first(layers, "config"); ok && file.value != "" {
		l, err := fromFile(file.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file.place, err)
		}
		layers = append(layers, l)
	}
	layers = append(layers, defaults(flags))
	o := &options{}
	for _, read := range []func([]layer) error{o.readPlain, o.readControl, o.readConfigs, o.readTopics, o.readUsers, o.readPorts, o.readLogging} {
		if err := read(layers); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func fromFlags(flags *pflag.FlagSet) layer {
	l := layer{}
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if many, ok := f.Value.(pflag.SliceValue); ok {
			values = many.GetSlice()
		}
		for _, v := range values {
			l[f.Name] = append(l[f.Name], setting{v, "--" + f.Name, true})
		}
	})
	return l
}

func environmentName(flag string) string {
	return "MINIBROKER_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fromEnvironment reads the variables of all flags. An empty one is as good as
// unset: compose files write them so.
func fromEnvironment(flags *pflag.FlagSet, env func(string) (string, bool)) layer {
	l := layer{}
	flags.VisitAll(func(f *pflag.Flag) {
		name := environmentName(f.Name)
		text, _ := env(name)
		if text == "" {
			return
		}
		values := []string{text}
		if slices.Contains(repeatable, f.Name) {
			values = splitRepeated(text)
		}
		for _, v := range values {
			l[f.Name] = append(l[f.Name], setting{v, name, true})
		}
	})
	return l
}

func defaults(flags *pflag.FlagSet) layer {
	l := layer{}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.DefValue != "" && !slices.Contains(repeatable, f.Name) {
			l[f.Name] = []setting{{f.DefValue, "--" + f.Name, true}}
		}
	})
	return l
}

// first is the setting of the first place that has one.
func first(layers []layer, flag string) (setting, bool) {
	for _, l := range layers {
		if s := l[flag]; len(s) > 0 {
			return s[len(s)-1], true
		}
	}
	return setting{}, false
}

// ofFirst is what the first place says that has something to say about a
// repeatable flag.
func ofFirst(layers []layer, flag string) []setting {
	for _, l := range layers {
		if given := l[flag]; len(given) > 0 {
			return given
		}
	}
	return nil
}

// joined is the same of a flag of which the values go together.
func joined(layers []layer, flag string) string {
	var values []string
	for _, s := range ofFirst(layers, flag) {
		values = append(values, s.value)
	}
	return strings.Join(values, ",")
}

func (o *options) readPlain(layers []layer) (err error) {
	host, _ := first(layers, "host")
	published, _ := first(layers, "published")
	o.host, o.published = host.value, published.value
	o.advertise = joined(layers, "advertise")
	if racks := joined(layers, "rack"); racks != "" {
		for _, rack := range strings.Split(racks, ",") {
			o.racks = append(o.racks, strings.TrimSpace(rack))
		}
	}
	brokers, _ := first(layers, "brokers")
	if o.brokers, err = strconv.Atoi(brokers.value); err != nil || o.brokers < 1 {
		return brokers.errorf("%q is not a number of brokers: use 1 or more", brokers.value)
	}
	for _, l := range slices.Backward(layers) {
		o.fixtures = append(o.fixtures, l["fixture"]...)
	}
	port, _ := first(layers, "port")
	if o.port, err = readPort(port); err != nil {
		return err
	}
	pages, _ := first(layers, "ui")
	switch strings.ToLower(pages.value) {
	case "on", "true":
		o.ui = true
	case "off", "false":
	default:
		return pages.errorf("%q is neither on nor off", pages.value)
	}
	httpPort, _ := first(layers, "http-port")
	if httpPort.value == "off" || httpPort.value == "-1" {
		o.httpPort = -1
		return nil
	}
	o.httpPort, err = readPort(httpPort)
	return err
}

// readControl reads what the HTTP API is for.
func (o *options) readControl(layers []layer) error {
	control, _ := first(layers, "api")
	switch strings.ToLower(control.value) {
	case "auto":
		ip, err := netip.ParseAddr(o.host)
		o.api = o.host == "" || o.host == "localhost" || err == nil && ip.IsLoopback()
	case "on", "true":
		o.api = true
	case "off", "false":
	default:
		return control.errorf("%q is none of on, off and auto", control.value)
	}
	switch of, _ := first(layers, "clock"); strings.ToLower(of.value) {
	case "real", "movable", "virtual":
		o.clock = strings.ToLower(of.value)
	default:
		at, err := time.Parse(time.RFC3339, of.value)
		if err != nil {
			return of.errorf("%q is no clock: use real, movable, virtual, or a time such as 2026-01-31T12:00:00Z", of.value)
		}
		o.clock, o.startAt = "virtual", at
	}
	requests, _ := first(layers, "transcript")
	n, err := strconv.ParseUint(requests.value, 10, 20)
	if err != nil {
		return requests.errorf("%q is not a number of requests: use 0 to 1000000", requests.value)
	}
	o.requests = int(n)
	return nil
}

func readPort(s setting) (int, error) {
	n, err := strconv.ParseUint(s.value, 10, 16)
	if err != nil {
		return 0, s.errorf("%q is not a port: use 1 to 65535, or 0 for any free one", s.value)
	}
	return int(n), nil
}

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func (o *options) readLogging(layers []layer) error {
	level, _ := first(layers, "log-level")
	var ok bool
	if o.level, ok = logLevels[strings.ToLower(level.value)]; !ok {
		return level.errorf("%q is not a level: use debug, info, warn or error", level.value)
	}
	switch format, _ := first(layers, "log-format"); strings.ToLower(format.value) {
	case "json":
		o.json = true
	case "text":
	default:
		return format.errorf("%q is not a format: use text or json", format.value)
	}
	return nil
}

// readConfigs merges the broker configs of all places, name by name.
func (o *options) readConfigs(layers []layer) error {
	o.configs = map[string]string{}
	places := map[string]string{}
	for _, l := range slices.Backward(layers) {
		for _, s := range l["set"] {
			name, value, ok := strings.Cut(s.value, "=")
			if name = strings.TrimSpace(name); !ok || name == "" {
				return fmt.Errorf("%s %q: write name=value, such as num.partitions=3", s.place, s.value)
			}
			o.configs[name], places[name] = value, s.place
		}
	}
	b, err := config.NewBroker(o.configs)
	if err != nil {
		return fmt.Errorf("%s%w", blame(places, err), err)
	}
	o.ignored = b.Ignored()
	// The flags and what the broker works out from them are what holds; a
	// client that asks must not be told what a file for Apache Kafka said.
	drop := []string{"listeners", "advertised.listeners"}
	if b.Int("node.id") == 0 { // common in such files, and here ids start at 1
		drop = append(drop, "node.id", "broker.id")
	}
	for _, name := range drop {
		if _, given := o.configs[name]; given && !slices.Contains(o.ignored, name) {
			o.ignored = append(o.ignored, name)
		}
		delete(o.configs, name)
	}
	return nil
}

// blame finds the place of the config that an error speaks of.
func blame(places map[string]string, err error) string {
	for _, name := range slices.SortedFunc(maps.Keys(places), func(a, b string) int { return len(b) - len(a) }) {
		if strings.Contains(err.Error(), name) {
			return places[name] + ": "
		}
	}
	return ""
}

// readTopics merges the topics of all places, name by name; they are created in
// the order in which they were first named.
func (o *options) readTopics(layers []layer) error {
	for _, l := range slices.Backward(layers) {
		for _, s := range l["topic"] {
			t, err := parseTopic(s.value)
			if err != nil {
				return fmt.Errorf("%s %q: %w", s.place, s.value, err)
			}
			if i := slices.IndexFunc(o.topics, func(o topicSpec) bool { return o.name == t.name }); i >= 0 {
				o.topics[i] = t
				continue
			}
			o.topics = append(o.topics, t)
		}
	}
	return nil
}
