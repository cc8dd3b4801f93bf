package host

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// LevelError is that of Log.
const LevelError = 3

// collectAfter is how many bytes may have been allocated since the last collection before the next call begins with one:
// a part of what an instance may have, which is 64 MiB unless the pipeline says otherwise.
const collectAfter = 12 << 20

var live uint64

func init() {
	// A collection reads the clock, which it may not while the host puts a call's arguments into memory. So none begins
	// by itself.
	debug.SetGCPercent(-1)
}

// Call calls into the operator, of which a panic is told and traps.
func Call[T any](operator func() (T, error)) (T, error) {
	collect()
	defer func() {
		if panicked := recover(); panicked != nil {
			tell(panicked)
			trap()
		}
	}()
	return operator()
}

// Unexported is what a call fails with that comes for an operator which is not there.
func Unexported(world string) error {
	return errors.New("the operator does not export anything of the world `" + world + "`: see weir.Export")
}

// collect frees what earlier calls have left, now and then.
func collect() {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc < live+collectAfter {
		return
	}
	runtime.GC()
	runtime.ReadMemStats(&memory)
	live = memory.HeapAlloc
}

// tell logs the stack, then in a line what went wrong and where: a host shows the last line.
func tell(panicked any) {
	said := fmt.Sprint(panicked)
	if err, ok := panicked.(error); ok {
		said = err.Error()
	}
	var trace strings.Builder
	fmt.Fprintf(&trace, "panic: %s", said)
	place := ""
	for _, frame := range operatorFrames() {
		at := fmt.Sprintf("%s:%d", short(frame.File), frame.Line)
		fmt.Fprintf(&trace, "\n    %s  %s", at, frame.Function)
		if place == "" {
			place = at
		}
	}
	Log(LevelError, trace.String())
	if place != "" {
		said = "panicked at " + place + ": " + said
	}
	Log(LevelError, said)
}

// operatorFrames are the innermost first, without those of Go and of the SDK around the operator's.
func operatorFrames() []runtime.Frame {
	counters := make([]uintptr, 64)
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters)])
	var own []runtime.Frame
	for {
		frame, more := frames.Next()
		if isOperators(frame.Function) {
			own = append(own, frame)
		}
		if !more {
			return own
		}
	}
}

func isOperators(function string) bool {
	for _, prefix := range []string{"runtime.", "weir.", "weir/", "weir:"} {
		if strings.HasPrefix(function, prefix) {
			return false
		}
	}
	return true
}

func short(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}
