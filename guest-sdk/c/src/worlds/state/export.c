/* A state as a component: what the host calls, in terms of what the operator defines. */
#include "../../internal.h"
#include "weir/state.h"

#include <stdlib.h>

typedef exports_weir_operator_state_failure_t failure_t;
typedef exports_weir_operator_state_list_field_t list_field_t;
typedef exports_weir_operator_state_touched_t touched_t;
typedef exports_weir_operator_state_updated_t updated_t;

/* The shape, since weir_configure. */
static weir_shape shape;
static weir_schema keys;
static weir_schema state;
static weir_schema output;
static uint32_t version = 1;

uint32_t weir_read_key(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    /* All of them cross, in their order: only the index is of interest. */
    weir_reads read = {0};
    weir_reads_add(&read, &keys, "key", name, type);
    uint32_t index = read.indices[0];
    free(read.indices);
    return index;
}

uint32_t weir_remember(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return weir_schema_add(&state, name, type, false);
}

uint32_t weir_remember_nullable(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return weir_schema_add(&state, name, type, true);
}

void weir_state_version(weir_shape *shape, uint32_t raised) {
    (void)shape;
    version = raised;
}

uint32_t weir_output(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return weir_schema_add(&output, name, type, false);
}

uint32_t weir_output_nullable(weir_shape *shape, const char *name, weir_type type) {
    (void)shape;
    return weir_schema_add(&output, name, type, true);
}

bool exports_weir_operator_state_configure(wit_string_t *json, list_field_t *of_key, list_field_t *input,
                                           exports_weir_operator_state_shape_t *ret, failure_t *err) {
    weir_begin(0);
    /* The names of the input, and the config, live as long as the instance. */
    shape.input = weir_schema_of(input->ptr, input->len);
    keys = weir_schema_of(of_key->ptr, of_key->len);
    weir_config *config = weir_open_config(json->ptr, json->len);
    weir_configure(config, &shape);
    weir_close_config(config);
    if (weir_failed(err)) return false;

    weir_announce_reads(&shape, &ret->reads);
    ret->state.ptr = weir_schema_announce(&state);
    ret->state.len = state.len;
    ret->version = version;
    ret->output.ptr = weir_schema_announce(&output);
    ret->output.len = output.len;
    return true;
}

static weir_operator_rows_batch_t batch(weir_out *out, const weir_schema *schema) {
    weir_operator_rows_batch_t batch = {.row_count = out->len, .columns = {.len = out->width}};
    batch.columns.ptr = weir_out_take(out, schema);
    return batch;
}

static void update(const touched_t *all, updated_t *ret) {
    uint32_t count = all->keys.row_count;
    ret->fates.len = ret->timers.len = count;
    ret->fates.ptr = count ? weir_alloc(count, sizeof *ret->fates.ptr) : NULL;
    ret->timers.ptr = count ? weir_alloc(count, sizeof *ret->timers.ptr) : NULL;

    weir_touched touched = {weir_view(&all->keys), weir_view(&all->input), weir_view(&all->previous)};
    weir_out next = weir_out_of(&state), out = weir_out_of(&output);
    for (uint32_t i = 0; i < count; i++) {
        bool has_state = weir_bit(all->present.ptr, i);
        weir_key key = {i, all->groups.ptr[i], all->groups.ptr[i + 1], has_state, (weir_cause)all->causes.ptr[i]};
        weir_turn turn = {&next, &out, 0};
        weir_emit(&next, i);
        weir_fate fate = weir_update(key, &touched, &turn);
        /* Nobody reads the next state of a key that is not kept, but there must be one. */
        if (fate != WEIR_KEEP) weir_put_blanks(&next);
        ret->fates.ptr[i] = (exports_weir_operator_state_fate_t)fate;
        ret->timers.ptr[i] = turn.timer;
    }
    weir_check_order(&out, count);
    free(next.from);
    ret->next = batch(&next, &state);
    ret->output_from.len = out.len;
    ret->output_from.ptr = out.from;
    ret->output = batch(&out, &output);
    weir_take_rejects(&ret->rejects.ptr, &ret->rejects.len);
    weir_view_free(touched.keys);
    weir_view_free(touched.input);
    weir_view_free(touched.previous);
}

bool exports_weir_operator_state_update(uint64_t batch_time, touched_t *touched, updated_t *ret, failure_t *err) {
    weir_begin(batch_time);
    update(touched, ret);
    exports_weir_operator_state_touched_free(touched);
    if (!weir_failed(err)) return true;
    exports_weir_operator_state_updated_free(ret);
    return false;
}
