package minibroker_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"testing"

	"minibroker/test/harness"
)

// BenchmarkStart measures from exec to the first ApiVersions answer, and what an idle broker weighs:
// go test -run '^$' -bench Start .
func BenchmarkStart(b *testing.B) {
	info, err := os.Stat(harness.Binary(b))
	if err != nil {
		b.Fatal(err)
	}
	resident := 0.0
	for b.Loop() {
		s := harness.Start(b, harness.Options{})
		conn, err := net.Dial("tcp", s.Bootstrap)
		if err != nil {
			b.Fatal(err)
		}
		apiVersions(b, conn)
		b.StopTimer()
		conn.Close()
		resident += residentMiB(b, s.Pid)
		s.Stop(b)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1000/float64(b.N), "ms/start")
	b.ReportMetric(resident/float64(b.N), "MiB-resident")
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB-binary")
}

// apiVersions asks for the API versions, in version 0, and waits for the answer.
func apiVersions(t testing.TB, conn net.Conn) {
	t.Helper()
	// Size, API key 18, version 0, correlation id 1, null client id.
	if _, err := conn.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint32(head))
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	if code := binary.BigEndian.Uint16(answer[4:]); code != 0 {
		t.Fatalf("ApiVersions v0 is answered with error %d", code)
	}
}

// residentMiB returns a process's resident memory; 0 where the system has no /proc.
func residentMiB(t testing.TB, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmRSS in\n%s", status)
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64)
	return kb / 1024
}
