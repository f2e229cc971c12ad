//go:build planned

// Package planned keeps requirements in go.mod until their users land.
package planned

import (
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/magiconair/properties"
	_ "github.com/pierrec/lz4/v4"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/spf13/cobra"
	_ "github.com/twmb/franz-go/pkg/kadm"
	_ "go.uber.org/goleak"
	_ "go.yaml.in/yaml/v3"
	_ "pgregory.net/rapid"
)
