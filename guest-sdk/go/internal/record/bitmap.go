package record

// Bit reads a bitmap: one bit a row, least significant bit of each byte first.
func Bit(bitmap []byte, row int) bool {
	return bitmap[row>>3]>>(row&7)&1 != 0
}

// SetBit sets a bit of a bitmap.
func SetBit(bitmap []byte, row int) {
	bitmap[row>>3] |= 1 << (row & 7)
}

// NewBitmap has a clear bit for each row.
func NewBitmap(rows int) []byte {
	return make([]byte, (rows+7)/8)
}
