//go:build !unix

package venv

import "sync"

var local sync.Mutex

// lock holds within this process only: on this system, run the test packages one at a time (go test -p 1).
func lock(string) (unlock func(), err error) {
	local.Lock()
	return local.Unlock, nil
}
