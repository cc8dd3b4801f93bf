/* Rows that grow. */
#include "internal.h"

#include <stdlib.h>

/* Room for the rows of a call of the usual size. */
#define FIRST 4096

void weir_grow_out(weir_out *out) {
    out->capacity = out->capacity ? 2 * out->capacity : FIRST;
    out->from = weir_realloc(out->from, out->capacity, sizeof *out->from);
}

void weir_grow(weir_builder *builder) {
    uint32_t capacity = builder->capacity ? 2 * builder->capacity : FIRST;
    if (builder->is_part) {
        builder->starts = weir_realloc(builder->starts, capacity, sizeof *builder->starts);
        builder->lengths = weir_realloc(builder->lengths, capacity, sizeof *builder->lengths);
    } else {
        switch (builder->type) {
        case WEIR_BOOLEAN: builder->bits = weir_realloc(builder->bits, capacity / 8, 1); break;
        case WEIR_INT64:
        case WEIR_TIMESTAMP: builder->int64 = weir_realloc(builder->int64, capacity, sizeof *builder->int64); break;
        case WEIR_FLOAT64: builder->float64 = weir_realloc(builder->float64, capacity, sizeof *builder->float64); break;
        case WEIR_UTF8:
        case WEIR_BINARY:
            builder->offsets = weir_realloc(builder->offsets, (size_t)capacity + 1, sizeof *builder->offsets);
            builder->offsets[0] = 0;
            break;
        }
    }
    if (builder->validity) {
        builder->validity = weir_realloc(builder->validity, capacity / 8, 1);
        memset(builder->validity + builder->capacity / 8, 0, (capacity - builder->capacity) / 8);
    }
    builder->capacity = capacity;
}

/* All values so far are there. */
static void begin_validity(weir_builder *builder) {
    builder->validity = weir_alloc(builder->capacity / 8, 1);
    for (uint32_t row = 0; row < builder->len; row++) builder->validity[row / 8] |= (uint8_t)(1u << row % 8);
}

void weir_put_blank(weir_out *out, uint32_t column) {
    weir_type type = out->columns[column].type;
    switch (type) {
    case WEIR_BOOLEAN: weir_put_boolean(out, column, false); break;
    case WEIR_INT64: weir_put_int64(out, column, 0); break;
    case WEIR_TIMESTAMP: weir_put_timestamp(out, column, 0); break;
    case WEIR_FLOAT64: weir_put_float64(out, column, 0); break;
    case WEIR_UTF8:
    case WEIR_BINARY: weir_put_var(out, column, type, (weir_str){0}); break;
    }
}

void weir_put_blanks(weir_out *out) {
    for (uint32_t i = 0; i < out->width; i++) {
        if (out->columns[i].len == out->len - 1) weir_put_blank(out, i);
    }
}

void weir_put_null(weir_out *out, uint32_t column) {
    if (column >= out->width) weir_wrong_put(out, column, WEIR_UTF8);
    weir_builder *builder = weir_room(out, column, out->columns[column].type);
    if (!builder->validity) begin_validity(builder);
    uint32_t row = builder->len;
    weir_put_blank(out, column);
    builder->validity[row / 8] &= (uint8_t)~(1u << row % 8);
}

void weir_wrong_put(const weir_out *out, uint32_t column, weir_type type) {
    weir_buffer message = {0};
    weir_write(&message, "a value of type ");
    weir_write(&message, weir_type_name(type));
    weir_write(&message, " is put into column ");
    weir_write_number(&message, column);
    if (column < out->width) {
        weir_write(&message, ", which is ");
        weir_write(&message, weir_type_name(out->columns[column].type));
    } else {
        weir_write(&message, " of ");
        weir_write_number(&message, out->width);
    }
    weir_panic_str(NULL, 0, (weir_str){message.ptr, message.len});
}

void weir_no_part(uint32_t column) {
    weir_buffer message = {0};
    weir_write(&message, "what is put into column ");
    weir_write_number(&message, column);
    weir_write(&message, " is no part of the column that its values are parts of");
    weir_panic_str(NULL, 0, (weir_str){message.ptr, message.len});
}
