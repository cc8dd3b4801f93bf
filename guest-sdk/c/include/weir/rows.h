/* The rows of a call, column by column. */
#ifndef WEIR_ROWS_H
#define WEIR_ROWS_H

#include "base.h"

/* A view of an input column: as many values as the call has rows, in Arrow's layout. */
typedef struct weir_column {
    weir_type type;
    /* One bit a row, least significant first; set where there is a value. NULL: no value is null. */
    const uint8_t *validity;
    union {
        /* Of a boolean: one bit a row. */
        const uint8_t *bits;
        /* Of int64 and timestamp. */
        const int64_t *int64;
        const double *float64;
        /* Of utf8 and binary: value i is data[offsets[i]] up to data[offsets[i + 1]]. */
        struct {
            const int32_t *offsets;
            const char *data;
        };
    };
} weir_column;

/* The columns that the operator reads, in the order in which it said so. */
typedef struct weir_batch {
    uint32_t rows;
    uint32_t width;
    const weir_column *columns;
} weir_batch;

_Noreturn void weir_wrong_type(weir_type wanted, weir_type found);

static inline void weir_expect(const weir_column *column, weir_type type) {
    if (__builtin_expect(column->type != type, 0)) weir_wrong_type(type, column->type);
}

static inline bool weir_bit(const uint8_t *bits, uint32_t row) {
    return bits[row / 8] >> (row % 8) & 1;
}

static inline bool weir_is_null(const weir_column *column, uint32_t row) {
    return column->validity && !weir_bit(column->validity, row);
}

static inline weir_str weir_cut(const weir_column *column, uint32_t row) {
    if (weir_is_null(column, row)) return (weir_str){NULL, 0};
    int32_t start = column->offsets[row];
    return (weir_str){column->data + start, (size_t)(column->offsets[row + 1] - start)};
}

/* The row's value. That of a null is empty, 0 or false: ask weir_is_null where that is not enough. */

static inline weir_str weir_text(const weir_column *column, uint32_t row) {
    weir_expect(column, WEIR_UTF8);
    return weir_cut(column, row);
}

static inline weir_str weir_bytes(const weir_column *column, uint32_t row) {
    weir_expect(column, WEIR_BINARY);
    return weir_cut(column, row);
}

static inline int64_t weir_int64(const weir_column *column, uint32_t row) {
    weir_expect(column, WEIR_INT64);
    return weir_is_null(column, row) ? 0 : column->int64[row];
}

/* Microseconds since the Unix epoch. */
static inline int64_t weir_timestamp(const weir_column *column, uint32_t row) {
    weir_expect(column, WEIR_TIMESTAMP);
    return weir_is_null(column, row) ? 0 : column->int64[row];
}

static inline double weir_float64(const weir_column *column, uint32_t row) {
    weir_expect(column, WEIR_FLOAT64);
    return weir_is_null(column, row) ? 0 : column->float64[row];
}

static inline bool weir_boolean(const weir_column *column, uint32_t row) {
    weir_expect(column, WEIR_BOOLEAN);
    return !weir_is_null(column, row) && weir_bit(column->bits, row);
}

#endif
