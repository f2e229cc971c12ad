//go:build race

package ui

// raceDetector says whether this is built to find races, which takes its time.
const raceDetector = true
