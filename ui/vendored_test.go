package ui

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

func TestVendoredScriptsAreTheOnesThatWerePublished(t *testing.T) {
	list, err := staticFiles.ReadFile("static/VENDORED.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(fields) < 2 {
			continue
		}
		seen++
		body, err := staticFiles.ReadFile("static/" + fields[1])
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != fields[0] {
			t.Errorf("%s is not what was vendored: its sha256 is %x", fields[1], sum)
		}
	}
	if seen == 0 {
		t.Error("nothing is listed")
	}
	if licence, err := staticFiles.ReadFile("static/uPlot.LICENSE.txt"); err != nil || !strings.Contains(string(licence), "MIT License") {
		t.Errorf("uPlot's licence is missing: %v", err)
	}
	if licence, err := staticFiles.ReadFile("static/htmx.LICENSE.txt"); err != nil || !strings.Contains(string(licence), "Zero-Clause BSD") {
		t.Errorf("htmx's licence is missing: %v", err)
	}
}

func TestNoTemplateHasInlineScriptOrStyle(t *testing.T) {
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		raw, err := templateFiles.ReadFile("templates/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		text := string(raw)
		for _, bad := range []string{" style=", "<style", "<script>", " onclick=", " hx-on", "javascript:"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q, which the content security policy forbids", e.Name(), bad)
			}
		}
	}
}
