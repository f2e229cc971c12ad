package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestAStudentWalksThroughThePagesInABrowser(t *testing.T) {
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	if err := run(ctx, "chromium", t.TempDir()); err != nil {
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
