//go:build !linux

package broker

// lookAround reads this machine's surroundings. Containers are Linux: the
// engines of other systems run them in a Linux virtual machine.
func lookAround() surroundings { return surroundings{} }
