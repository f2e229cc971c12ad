package storage_test

import (
	"testing"

	"minibroker/storage"
	"minibroker/storage/logtest"
)

func TestConformance(t *testing.T) {
	logtest.Run(t, func(start int64) logtest.Log { return storage.New(start) })
}
