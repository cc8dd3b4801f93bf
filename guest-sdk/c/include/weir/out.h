/* Rows that the operator answers with: weir_emit begins one, and a weir_put_… for each column gives its value. */
#ifndef WEIR_OUT_H
#define WEIR_OUT_H

#include "rows.h"

/* Text that grows. */
typedef struct weir_buffer {
    char *ptr;
    size_t len;
    size_t capacity;
} weir_buffer;

/* A column that grows, in the memory that is handed to the host. */
typedef struct weir_builder {
    weir_type type;
    /* Values are parts of an input column, from which the host takes them: nothing is copied. */
    bool is_part;
    uint32_t len;
    uint32_t capacity;
    /* NULL as long as there is no null. */
    uint8_t *validity;
    union {
        uint8_t *bits;
        /* Of int64 and timestamp. */
        int64_t *int64;
        double *float64;
        /* Of utf8 and binary. */
        struct {
            int32_t *offsets;
            weir_buffer data;
        };
        /* Of parts. */
        struct {
            uint32_t *starts;
            uint32_t *lengths;
            /* The data of the input column, and which column that is. */
            weir_str source;
            uint32_t source_index;
        };
    };
} weir_builder;

/* Rows that grow. */
typedef struct weir_out {
    uint32_t width;
    weir_builder *columns;
    /* Where each row comes from. */
    uint32_t *from;
    uint32_t len;
    uint32_t capacity;
} weir_out;

/* What the functions below do seldom. */
void weir_grow_out(weir_out *out);
void weir_grow(weir_builder *builder);
void weir_grow_data(weir_buffer *data, size_t by);
_Noreturn void weir_wrong_put(const weir_out *out, uint32_t column, weir_type type);
_Noreturn void weir_no_part(uint32_t column);

/* The builder of a column of this type, with room for a value. */
static inline weir_builder *weir_room(weir_out *out, uint32_t column, weir_type type) {
    if (__builtin_expect(column >= out->width || out->columns[column].type != type, 0)) {
        weir_wrong_put(out, column, type);
    }
    weir_builder *builder = &out->columns[column];
    if (__builtin_expect(builder->len == builder->capacity, 0)) weir_grow(builder);
    return builder;
}

/* Counts the value that was put. */
static inline void weir_done(weir_builder *builder) {
    uint32_t row = builder->len++;
    if (__builtin_expect(builder->validity != NULL, 0)) builder->validity[row / 8] |= (uint8_t)(1u << row % 8);
}

static inline void weir_append(weir_buffer *data, weir_str value) {
    if (__builtin_expect(data->capacity - data->len < value.len, 0)) weir_grow_data(data, value.len);
    char *to = data->ptr + data->len;
    if (value.len < 16) {
        /* The call of memcpy costs more than a few bytes do. */
#pragma clang loop vectorize(disable) unroll(disable)
        for (size_t i = 0; i < value.len; i++) to[i] = value.ptr[i];
    } else {
        memcpy(to, value.ptr, value.len);
    }
    data->len += value.len;
}

static inline void weir_put_var(weir_out *out, uint32_t column, weir_type type, weir_str value) {
    weir_builder *builder = weir_room(out, column, type);
    if (builder->is_part) {
        size_t start = value.len ? (size_t)(value.ptr - builder->source.ptr) : 0;
        if (__builtin_expect(start > builder->source.len || value.len > builder->source.len - start, 0)) {
            weir_no_part(column);
        }
        builder->starts[builder->len] = (uint32_t)start;
        builder->lengths[builder->len] = (uint32_t)value.len;
    } else {
        weir_append(&builder->data, value);
        builder->offsets[builder->len + 1] = (int32_t)builder->data.len;
    }
    weir_done(builder);
}

/* Begins a row that comes from input row `from`; in an aggregate, from that group; in a state, from that key. Rows are
 * emitted in the order of what they come from. */
static inline void weir_emit(weir_out *out, uint32_t from) {
    if (__builtin_expect(out->len == out->capacity, 0)) weir_grow_out(out);
    out->from[out->len++] = from;
}

/* The row's value in a column, of each column once. */

static inline void weir_put_text(weir_out *out, uint32_t column, weir_str value) {
    weir_put_var(out, column, WEIR_UTF8, value);
}

static inline void weir_put_bytes(weir_out *out, uint32_t column, weir_str value) {
    weir_put_var(out, column, WEIR_BINARY, value);
}

static inline void weir_put_int64(weir_out *out, uint32_t column, int64_t value) {
    weir_builder *builder = weir_room(out, column, WEIR_INT64);
    builder->int64[builder->len] = value;
    weir_done(builder);
}

/* Microseconds since the Unix epoch. */
static inline void weir_put_timestamp(weir_out *out, uint32_t column, int64_t micros) {
    weir_builder *builder = weir_room(out, column, WEIR_TIMESTAMP);
    builder->int64[builder->len] = micros;
    weir_done(builder);
}

static inline void weir_put_float64(weir_out *out, uint32_t column, double value) {
    weir_builder *builder = weir_room(out, column, WEIR_FLOAT64);
    builder->float64[builder->len] = value;
    weir_done(builder);
}

static inline void weir_put_boolean(weir_out *out, uint32_t column, bool value) {
    weir_builder *builder = weir_room(out, column, WEIR_BOOLEAN);
    uint32_t row = builder->len;
    if (row % 8 == 0) builder->bits[row / 8] = 0;
    builder->bits[row / 8] |= (uint8_t)(value << row % 8);
    weir_done(builder);
}

/* Of a column that was added as nullable. */
void weir_put_null(weir_out *out, uint32_t column);

#endif
