//go:build unix

package harness

import (
	"os/exec"
	"syscall"
)

// lead makes the command the leader of a process group: a program that it starts, as `go run` does, gets its signals.
func lead(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signal sends to the command's whole group, as a terminal does at Ctrl-C.
func signal(cmd *exec.Cmd, s syscall.Signal) { _ = syscall.Kill(-cmd.Process.Pid, s) }
