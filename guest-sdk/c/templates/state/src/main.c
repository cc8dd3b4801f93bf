/* A row whenever a sensor has moved away from what it last told. */
#include <weir/state.h>

#include <math.h>

/* The column that is read, that of the state, and those of the answer, in the order of weir_configure. */
enum { VALUE };
enum { TOLD };
enum { BEFORE, NOW };

/* Smaller moves are not told. */
static double by;

void weir_configure(weir_config *config, weir_shape *shape) {
    by = weir_config_float64(config, "by", 0);

    weir_read(shape, "value", WEIR_FLOAT64);
    weir_remember(shape, "value", WEIR_FLOAT64);
    weir_state_version(shape, 1);
    /* Before them the host puts the key. The first has nothing before it. */
    weir_output_nullable(shape, "before", WEIR_FLOAT64);
    weir_output(shape, "now", WEIR_FLOAT64);
}

weir_fate weir_update(weir_key key, const weir_touched *touched, weir_turn *turn) {
    /* No reading for the pipeline's `timeout`: the last call. */
    if (key.cause == WEIR_IDLE) return WEIR_REMOVE;

    const weir_column *values = &touched->input.columns[VALUE];
    bool has_told = key.has_state, has_moved = false;
    double told = has_told ? weir_float64(&touched->previous.columns[TOLD], key.index) : 0;
    for (uint32_t row = key.first; row < key.end; row++) {
        double value = weir_float64(values, row);
        if (weir_is_null(values, row) || !isfinite(value)) {
            weir_reject(row, "there is no measurement");
            continue;
        }
        if (has_told && fabs(value - told) <= by) continue;
        weir_emit(turn->output, key.index);
        if (has_told) weir_put_float64(turn->output, BEFORE, told);
        else weir_put_null(turn->output, BEFORE);
        weir_put_float64(turn->output, NOW, value);
        told = value;
        has_told = has_moved = true;
    }
    /* What does not change costs the host nothing. */
    if (!has_moved) return WEIR_UNCHANGED;
    weir_put_float64(turn->next, TOLD, told);
    return WEIR_KEEP;
}
