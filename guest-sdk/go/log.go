package weir

import (
	"fmt"

	"weir/internal/host"
)

// Debugf says something to the operator's author. The task's log is kept by the host, bounded; it is the only thing that
// an operator can call. Outside a host, lines go to standard error, or to package weirtest while it runs the operator.
func Debugf(format string, args ...any) { host.Log(0, fmt.Sprintf(format, args...)) }

// Infof says something worth knowing.
func Infof(format string, args ...any) { host.Log(1, fmt.Sprintf(format, args...)) }

// Warnf says something worth a look.
func Warnf(format string, args ...any) { host.Log(2, fmt.Sprintf(format, args...)) }

// Errorf says that something is wrong.
func Errorf(format string, args ...any) { host.Log(host.LevelError, fmt.Sprintf(format, args...)) }
