/* Rows that have grown are handed to the host: the memory that they grew in is the answer's.
 *
 * Whoever frees an answer looks at lengths and knows no capacities, so a list that is empty has no memory. */
#include "internal.h"

#include <stdlib.h>

static void *unless_empty(void *ptr, size_t len) {
    if (len) return ptr;
    free(ptr);
    return NULL;
}

weir_out weir_out_of(const weir_schema *schema) {
    weir_out out = {.width = schema->len, .columns = weir_alloc(schema->len, sizeof *out.columns)};
    for (uint32_t i = 0; i < schema->len; i++) out.columns[i].type = schema->fields[i].type;
    return out;
}

static weir_operator_rows_values_t parts(const weir_builder *builder) {
    weir_operator_rows_slices_t slices = {.column = builder->source_index};
    slices.starts.ptr = unless_empty(builder->starts, builder->len);
    slices.lengths.ptr = unless_empty(builder->lengths, builder->len);
    slices.starts.len = slices.lengths.len = builder->len;
    return (weir_operator_rows_values_t){.tag = WEIR_OPERATOR_ROWS_VALUES_SLICES, .val.slices = slices};
}

static weir_operator_rows_values_t values(const weir_builder *builder) {
    weir_operator_rows_values_t values = {.tag = (uint8_t)builder->type};
    uint32_t len = builder->len;
    switch (builder->type) {
    case WEIR_BOOLEAN:
        values.val.boolean.len = (len + 7) / 8;
        values.val.boolean.ptr = unless_empty(builder->bits, len);
        break;
    case WEIR_INT64:
    case WEIR_TIMESTAMP:
        values.val.int64.len = len;
        values.val.int64.ptr = unless_empty(builder->int64, len);
        break;
    case WEIR_FLOAT64:
        values.val.float64.len = len;
        values.val.float64.ptr = unless_empty(builder->float64, len);
        break;
    case WEIR_UTF8:
    case WEIR_BINARY:
        values.val.utf8.offsets.len = len + 1;
        values.val.utf8.offsets.ptr = builder->offsets ? builder->offsets : weir_alloc(1, sizeof(int32_t));
        values.val.utf8.data.len = builder->data.len;
        values.val.utf8.data.ptr = unless_empty(builder->data.ptr, builder->data.len);
        break;
    }
    return values;
}

static weir_operator_rows_option_bitmap_t validity(const weir_builder *builder) {
    if (!builder->validity) return (weir_operator_rows_option_bitmap_t){.is_some = false};
    return (weir_operator_rows_option_bitmap_t){true, {builder->validity, (builder->len + 7) / 8}};
}

static void check_count(const weir_builder *builder, weir_str name, uint32_t rows) {
    if (builder->len == rows) return;
    weir_buffer message = {0};
    weir_write(&message, "the operator put ");
    weir_write_number(&message, builder->len);
    weir_write(&message, " values into column `");
    weir_write_str(&message, name);
    weir_write(&message, "` and emitted ");
    weir_write_number(&message, rows);
    weir_write(&message, " rows; each row has one value in each column");
    weir_fail_with(message);
}

weir_operator_rows_column_t *weir_out_take(weir_out *out, const weir_schema *schema) {
    weir_operator_rows_column_t *columns = unless_empty(weir_alloc(out->width, sizeof *columns), out->width);
    for (uint32_t i = 0; i < out->width; i++) {
        const weir_builder *builder = &out->columns[i];
        check_count(builder, schema->fields[i].name, out->len);
        columns[i].values = builder->is_part ? parts(builder) : values(builder);
        columns[i].validity = validity(builder);
    }
    free(out->columns);
    return columns;
}

void weir_check_order(const weir_out *out, uint32_t input) {
    for (uint32_t i = 0; i < out->len; i++) {
        uint32_t before = i ? out->from[i - 1] : 0;
        if (out->from[i] >= before && out->from[i] < input) continue;
        weir_buffer message = {0};
        weir_write(&message, "the operator emitted a row from input row ");
        weir_write_number(&message, out->from[i]);
        weir_write(&message, out->from[i] < before ? " after one from " : " of ");
        weir_write_number(&message, out->from[i] < before ? before : input);
        weir_fail_with(message);
        return;
    }
}
