package weir

import "time"

// Timestamp is microseconds since the Unix epoch, UTC: a timestamp column as plain integers.
type Timestamp int64

// TimestampOf is a time in whole microseconds, rounded down.
func TimestampOf(t time.Time) Timestamp {
	return Timestamp(t.UnixMicro())
}

// Time is the timestamp as a time, in UTC.
func (t Timestamp) Time() time.Time {
	return time.UnixMicro(int64(t)).UTC()
}

var now uint64

// BatchTime is the end of the interval of the batch that is being worked on: the only "now" that an operator has, and the
// same whenever the batch is computed again. It is known to transforms and operators with state while they take rows;
// elsewhere it is the Unix epoch.
func BatchTime() time.Time {
	return time.UnixMilli(int64(now)).UTC()
}
