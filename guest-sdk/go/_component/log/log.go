// Package log sends the operator's lines to the host.
package log

import (
	bindings "weir/internal/bindings/weir_operator_log"
	"weir/internal/host"
)

func init() { host.Log = bindings.Log }
