package main

import "testing"

func TestTheProgramForgetsItsStart(t *testing.T) {
	resident := func() (kib int) {
		for _, m := range programMappings() {
			kib += m.resident
		}
		return kib
	}
	before := resident()
	forgetStart()
	if after := resident(); before < 4<<10 || after > before/2 {
		t.Errorf("of %d KiB of the program in memory, %d are left", before, after)
	}
}
