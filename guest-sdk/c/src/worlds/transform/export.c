/* A transform as a component: what the host calls, in terms of what the operator defines. */
#include "../../internal.h"
#include "weir/transform.h"

#include <stdlib.h>

/* What a column's values are parts of, if they are. */
typedef struct part {
    bool is_part;
    uint32_t of;
} part;

/* The shape, since weir_configure. */
static weir_shape shape;
static uint32_t *keeps;
static uint32_t keeps_len;
static weir_schema adds;
/* One for each of `adds`. */
static part *parts;

void weir_keep(weir_shape *shape, const char *name) {
    uint32_t index = weir_schema_index(&shape->input, "input", name, "keeps");
    keeps = weir_realloc(keeps, keeps_len + 1, sizeof *keeps);
    keeps[keeps_len++] = index;
}

static uint32_t add(const char *name, weir_type type, bool nullable, part part) {
    weir_schema_add(&adds, name, type, nullable);
    parts = weir_realloc(parts, adds.len, sizeof *parts);
    parts[adds.len - 1] = part;
    return adds.len - 1;
}

uint32_t weir_add(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return add(name, type, false, (part){0});
}

uint32_t weir_add_nullable(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return add(name, type, true, (part){0});
}

static uint32_t add_parts(const weir_shape *shape, const char *name, uint32_t of, bool nullable) {
    if (of >= shape->reads.len) weir_panic_str(NULL, 0, weir_str_of("weir_add_parts of a column that is not read"));
    uint32_t index = shape->reads.indices[of];
    /* The column may not be there, in which case the call has failed already. */
    weir_type type = index < shape->input.len ? shape->input.fields[index].type : WEIR_UTF8;
    return add(name, type, nullable, (part){true, of});
}

uint32_t weir_add_parts(weir_shape *shape, const char *name, uint32_t of) {
    return add_parts(shape, name, of, false);
}

uint32_t weir_add_nullable_parts(weir_shape *shape, const char *name, uint32_t of) {
    return add_parts(shape, name, of, true);
}

bool exports_weir_operator_transform_configure(wit_string_t *json, exports_weir_operator_transform_list_field_t *input,
                                               exports_weir_operator_transform_shape_t *ret,
                                               exports_weir_operator_transform_failure_t *err) {
    weir_begin(0);
    /* The names of the input, and the config, live as long as the instance. */
    shape.input = weir_schema_of(input->ptr, input->len);
    weir_config *config = weir_open_config(json->ptr, json->len);
    weir_configure(config, &shape);
    weir_close_config(config);
    if (weir_failed(err)) return false;

    weir_announce_reads(&shape, &ret->reads);
    ret->keeps.ptr = weir_copy(keeps, keeps_len, sizeof *keeps);
    ret->keeps.len = keeps_len;
    ret->adds.ptr = weir_schema_announce(&adds);
    ret->adds.len = adds.len;
    return true;
}

static weir_out out_of(const weir_batch *batch) {
    weir_out out = weir_out_of(&adds);
    for (uint32_t i = 0; i < out.width; i++) {
        part part = parts[i];
        if (!part.is_part) continue;
        const weir_column *source = &batch->columns[part.of];
        weir_builder *builder = &out.columns[i];
        builder->is_part = true;
        builder->source = (weir_str){source->data, (size_t)source->offsets[batch->rows]};
        builder->source_index = part.of;
    }
    return out;
}

/* Where rows come from, in the fewest words. */
static exports_weir_operator_transform_origin_t origin(weir_out *out, uint32_t input) {
    bool is_same = out->len == input;
    for (uint32_t i = 0; is_same && i < input; i++) is_same = out->from[i] == i;
    exports_weir_operator_transform_origin_t origin = {.tag = EXPORTS_WEIR_OPERATOR_TRANSFORM_ORIGIN_SAME};
    if (is_same || !out->len) {
        free(out->from);
        out->from = NULL;
    }
    if (is_same) return origin;
    origin.tag = EXPORTS_WEIR_OPERATOR_TRANSFORM_ORIGIN_FROM;
    origin.val.from.ptr = out->from;
    origin.val.from.len = out->len;
    return origin;
}

bool exports_weir_operator_transform_apply(uint64_t batch_time, exports_weir_operator_transform_batch_t *input,
                                           exports_weir_operator_transform_emitted_t *ret,
                                           exports_weir_operator_transform_failure_t *err) {
    weir_begin(batch_time);
    weir_batch batch = weir_view(input);
    weir_out out = out_of(&batch);
    weir_apply(&batch, &out);

    weir_check_order(&out, batch.rows);
    ret->columns.len = out.width;
    ret->columns.ptr = weir_out_take(&out, &adds);
    ret->origin = origin(&out, batch.rows);
    weir_take_rejects(&ret->rejects.ptr, &ret->rejects.len);
    weir_view_free(batch);
    exports_weir_operator_transform_batch_free(input);
    if (!weir_failed(err)) return true;
    exports_weir_operator_transform_emitted_free(ret);
    return false;
}
