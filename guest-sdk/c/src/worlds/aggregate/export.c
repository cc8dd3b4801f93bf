/* An aggregate as a component: what the host calls, in terms of what the operator defines.
 *
 * Each answer has one row for each group, or for each row of what it is made of. It is begun here, and the operator puts
 * the values. */
#include "../../internal.h"
#include "weir/aggregate.h"

#include <stdlib.h>

typedef exports_weir_operator_aggregate_batch_t batch_t;
typedef exports_weir_operator_aggregate_failure_t failure_t;

/* The shape, since weir_configure. */
static weir_shape shape;
static weir_schema accumulator;
static weir_schema output;

uint32_t weir_accumulate(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return weir_schema_add(&accumulator, name, type, false);
}

uint32_t weir_accumulate_nullable(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return weir_schema_add(&accumulator, name, type, true);
}

uint32_t weir_output(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return weir_schema_add(&output, name, type, false);
}

uint32_t weir_output_nullable(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return weir_schema_add(&output, name, type, true);
}

bool exports_weir_operator_aggregate_configure(wit_string_t *json, exports_weir_operator_aggregate_list_field_t *input,
                                               exports_weir_operator_aggregate_shape_t *ret, failure_t *err) {
    weir_begin(0);
    /* The names of the input, and the config, live as long as the instance. */
    shape.input = weir_schema_of(input->ptr, input->len);
    weir_config *config = weir_open_config(json->ptr, json->len);
    weir_configure(config, &shape);
    weir_close_config(config);
    if (weir_failed(err)) return false;

    weir_announce_reads(&shape, &ret->reads);
    ret->accumulator.ptr = weir_schema_announce(&accumulator);
    ret->accumulator.len = accumulator.len;
    ret->output.ptr = weir_schema_announce(&output);
    ret->output.len = output.len;
    ret->retracts = weir_retract != NULL;
    return true;
}

static batch_t answer(weir_out *out, const weir_schema *schema) {
    free(out->from);
    batch_t batch = {.row_count = out->len, .columns = {.len = out->width}};
    batch.columns.ptr = weir_out_take(out, schema);
    return batch;
}

static bool ended(batch_t *ret, failure_t *err) {
    if (!weir_failed(err)) return true;
    exports_weir_operator_aggregate_batch_free(ret);
    return false;
}

bool exports_weir_operator_aggregate_create(wit_list_u32_t *groups, batch_t *input,
                                            exports_weir_operator_aggregate_created_t *ret, failure_t *err) {
    weir_begin(0);
    weir_batch rows = weir_view(input);
    weir_out out = weir_out_of(&accumulator);
    for (size_t i = 0; i + 1 < groups->len; i++) {
        weir_group group = {groups->ptr[i], groups->ptr[i + 1]};
        weir_emit(&out, (uint32_t)i);
        weir_create(group, &rows, &out);
        /* Nobody reads the accumulator of a group whose rows are all rejected, but there must be one. */
        if (weir_rejected_since(group.first) >= group.end - group.first) weir_put_blanks(&out);
    }
    ret->accumulators = answer(&out, &accumulator);
    weir_take_rejects(&ret->rejects.ptr, &ret->rejects.len);
    weir_view_free(rows);
    exports_weir_operator_aggregate_batch_free(input);
    wit_list_u32_free(groups);
    if (!weir_failed(err)) return true;
    exports_weir_operator_aggregate_created_free(ret);
    return false;
}

bool exports_weir_operator_aggregate_merge(wit_list_u32_t *groups, batch_t *accumulators, batch_t *ret, failure_t *err) {
    weir_batch parts = weir_view(accumulators);
    weir_out out = weir_out_of(&accumulator);
    for (size_t i = 0; i + 1 < groups->len; i++) {
        weir_emit(&out, (uint32_t)i);
        weir_merge((weir_group){groups->ptr[i], groups->ptr[i + 1]}, &parts, &out);
    }
    *ret = answer(&out, &accumulator);
    weir_view_free(parts);
    exports_weir_operator_aggregate_batch_free(accumulators);
    wit_list_u32_free(groups);
    return ended(ret, err);
}

bool exports_weir_operator_aggregate_retract(batch_t *total, batch_t *part,
                                             exports_weir_operator_aggregate_tuple2_batch_list_u8_t *ret, failure_t *err) {
    weir_batch totals = weir_view(total), parts = weir_view(part);
    weir_out out = weir_out_of(&accumulator);
    size_t bytes = (totals.rows + 7) / 8;
    uint8_t *nothing = bytes ? weir_alloc(bytes, 1) : NULL;
    for (uint32_t row = 0; row < totals.rows; row++) {
        weir_emit(&out, row);
        bool is_nothing = weir_retract && weir_retract(row, &totals, &parts, &out);
        if (is_nothing) weir_put_blanks(&out);
        nothing[row / 8] |= (uint8_t)(is_nothing << row % 8);
    }
    ret->f0 = answer(&out, &accumulator);
    ret->f1.ptr = nothing;
    ret->f1.len = bytes;
    weir_view_free(totals);
    weir_view_free(parts);
    exports_weir_operator_aggregate_batch_free(total);
    exports_weir_operator_aggregate_batch_free(part);
    if (!weir_failed(err)) return true;
    exports_weir_operator_aggregate_tuple2_batch_list_u8_free(ret);
    return false;
}

bool exports_weir_operator_aggregate_finish(batch_t *accumulators, batch_t *ret, failure_t *err) {
    weir_batch totals = weir_view(accumulators);
    weir_out out = weir_out_of(&output);
    for (uint32_t row = 0; row < totals.rows; row++) {
        weir_emit(&out, row);
        weir_finish(row, &totals, &out);
    }
    *ret = answer(&out, &output);
    weir_view_free(totals);
    exports_weir_operator_aggregate_batch_free(accumulators);
    return ended(ret, err);
}
