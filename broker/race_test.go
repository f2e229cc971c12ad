//go:build race

package broker

// raceDetector: it lets more things escape, and pools forget.
const raceDetector = true
