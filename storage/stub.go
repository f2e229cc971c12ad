package storage

func (v *view) cleanable(cfg *Config, now, upTo int64) (n int, due int64) { return 0, Never }
