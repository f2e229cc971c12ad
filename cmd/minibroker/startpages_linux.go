package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forgetStart lets go of the pages of the program's file that are mapped, as
// the kernel does with its own code for starting. Most of them were needed only
// to start, and count as the process's memory for as long as it runs; those that
// are used again come back from the page cache, in a microsecond.
func forgetStart() {
	for _, m := range programMappings() {
		// What was written, as when the program was put at another address, is
		// anonymous from then on, and would be lost.
		if m.anonymous == 0 {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED)
		}
	}
}

// mapping is a part of the program's file in memory; sizes are in KiB.
type mapping struct {
	from, to            uintptr
	resident, anonymous int
}

// programMappings are those that can't be written; none if the kernel does not
// say.
func programMappings() (all []mapping) {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer f.Close()
	ours := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		switch words := strings.Fields(lines.Text()); {
		case len(words) >= 5 && strings.Contains(words[0], "-"): // from-to r-xp offset device inode path
			ours = !strings.Contains(words[1], "w") && strings.HasSuffix(lines.Text(), " "+exe)
			if ours {
				all = append(all, mapping{})
				m := &all[len(all)-1]
				_, _ = fmt.Sscanf(words[0], "%x-%x", &m.from, &m.to)
			}
		case ours && words[0] == "Rss:":
			all[len(all)-1].resident, _ = strconv.Atoi(words[1])
		case ours && words[0] == "Anonymous:":
			all[len(all)-1].anonymous, _ = strconv.Atoi(words[1])
		}
	}
	return all
}
