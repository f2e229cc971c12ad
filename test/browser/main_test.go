package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"minibroker/test/harness"
)

func TestAStudentWalksThroughThePagesInABrowser(t *testing.T) {
	chromium := harness.NeedTool(t, "chromium", "chromium")
	if err := run(t.Context(), options{chromium: chromium, shots: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
}

// The pages of a cluster that runs somewhere else: another minibroker, or Apache
// Kafka with MINIBROKER_TEST_REFERENCE.
func TestAStudentWalksThroughThePagesOfAnotherCluster(t *testing.T) {
	chromium := harness.NeedTool(t, "chromium", "chromium")
	if err := run(t.Context(), options{chromium: chromium, bootstrap: harness.Start(t, harness.Options{}).Bootstrap}); err != nil {
		t.Fatal(err)
	}
}

func TestAxeIsTheOneThatWasPublished(t *testing.T) {
	list, err := os.ReadFile("testdata/VENDORED.txt")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(axe))
	if !strings.Contains(string(list), hex.EncodeToString(sum[:])+"  axe.min.js") {
		t.Errorf("axe.min.js is not what was vendored: its sha256 is %x", sum)
	}
	if licence, err := os.ReadFile("testdata/axe.LICENSE.txt"); err != nil || !strings.Contains(string(licence), "Mozilla Public License") {
		t.Errorf("axe's licence is missing: %v", err)
	}
}
