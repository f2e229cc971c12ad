package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"minibroker/broker/config"
)

var update = flag.Bool("update", false, "write the generated tables of docs/configuration.md, and docs/openapi.json")

const configurationPage = "../../docs/configuration.md"

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(configurationPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheConfigurationPageHasTheTablesOfTheCode(t *testing.T) {
	text := page(t)
	want := text
	for name, table := range map[string]string{"flags": flagTable(), "topics": topicTable(), "broker": brokerTable(), "own": ownTable()} {
		block := regexp.MustCompile(`(?s)(<!-- ` + name + `: generated[^\n]*-->\n).*?(<!-- end -->)`)
		if !block.MatchString(want) {
			t.Fatalf("the page has no place for the table %q", name)
		}
		want = block.ReplaceAllStringFunc(want, func(s string) string {
			m := block.FindStringSubmatch(s)
			return m[1] + table + m[2]
		})
	}
	switch {
	case text == want:
	case *update:
		if err := os.WriteFile(configurationPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("a table of docs/configuration.md is old: run go test ./cmd/minibroker -run TestTheConfigurationPage -update")
	}
}

func flagTable() string {
	var b strings.Builder
	b.WriteString("| flag | environment | |\n| --- | --- | --- |\n")
	command(nil).Flags().VisitAll(func(f *pflag.Flag) {
		usage := f.Usage
		if f.DefValue != "" && f.DefValue != "[]" {
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | %s |\n", f.Name, environmentName(f.Name), usage)
	})
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return code(*s)
}

func topicTable() string {
	var b strings.Builder
	b.WriteString("| topic config | type | default | broker's name | |\n| --- | --- | --- | --- | --- |\n")
	for _, d := range config.TopicDefs() {
		var names []string
		for _, s := range d.Synonyms {
			names = append(names, code(s.Name))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", d.Name, d.Type, value(d.Default), strings.Join(names, ", "), d.Doc)
	}
	return b.String()
}

func brokerTable() string {
	var b strings.Builder
	b.WriteString("| broker config | type | default | changed live | |\n| --- | --- | --- | --- | --- |\n")
	for _, d := range config.BrokerDefs() {
		if d.Doc == "" {
			continue
		}
		live := "yes"
		if d.ReadOnly {
			live = "no"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", d.Name, d.Type, value(d.Default), live, d.Doc)
	}
	return b.String()
}

func ownTable() string {
	var b strings.Builder
	b.WriteString("| broker config | here | in Apache Kafka |\n| --- | --- | --- |\n")
	own := config.OwnDefaults()
	for _, name := range slices.Sorted(maps.Keys(own)) {
		d, _ := config.BrokerDef(name)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, value(d.Default), value(own[name]))
	}
	return b.String()
}
