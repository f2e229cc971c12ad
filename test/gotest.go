package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

type counts struct{ passed, failed, skipped int }

func (c counts) plus(d counts) counts {
	return counts{c.passed + d.passed, c.failed + d.failed, c.skipped + d.skipped}
}

// event is a line of `go test -json` (see `go doc test2json`).
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// tests runs `go test` and shows a line per package and all that a failed test printed.
func (r *runner) tests(binary string, args []string) counts {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Env = append(os.Environ(), "MINIBROKER_TEST_BINARY="+binary)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var c counts
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		output := map[string]string{} // of each test and package that has not ended
		failed := map[string]bool{}   // packages in which a test failed
		for d := json.NewDecoder(stdout); d.More() && err == nil; {
			var e event
			if err = d.Decode(&e); err == nil {
				r.event(e, output, failed, &c)
			}
		}
		err = cmd.Wait()
	}
	if stderr.Len() > 0 {
		fmt.Fprintf(r.out, "%s", stderr.String())
	}
	if err != nil && c.failed == 0 {
		fmt.Fprintln(r.out, "go test:", err)
		c.failed = 1
	}
	return c
}

func (r *runner) event(e event, output map[string]string, failed map[string]bool, c *counts) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		output[key] += e.Output
		return
	case "build-output":
		fmt.Fprint(r.out, e.Output)
		return
	case "pass":
		if e.Test != "" {
			c.passed++
		} else {
			fmt.Fprintf(r.out, "ok   %s %.1f s\n", e.Package, e.Elapsed)
			r.out.Flush()
		}
	case "skip":
		if e.Test != "" { // else a package without tests
			c.skipped++
			r.notes = append(r.notes, e.Test+": "+reason(output[key]))
		}
	case "fail":
		fmt.Fprintf(r.out, "FAIL %s %.1f s\n%s", key, e.Elapsed, output[key])
		r.out.Flush()
		// A package fails with its tests; on its own it does when it does not build or panics.
		if e.Test != "" || !failed[e.Package] {
			c.failed++
			r.bad = append(r.bad, key)
		}
		failed[e.Package] = true
	default:
		return
	}
	delete(output, key)
}

// reason finds what a skipped test said: the last "file.go:12: text" of its output.
func reason(output string) string {
	why := "it does not say why"
	for line := range strings.Lines(output) {
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			_, why, _ = strings.Cut(strings.TrimSpace(text), ": ")
		}
	}
	return why
}
