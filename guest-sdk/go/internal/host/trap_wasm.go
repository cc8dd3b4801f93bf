package host

// trap ends the instance. A panic would end the process, which the host does not take for the operator's mistake.
func trap()
