/* The lowest and the highest value of a key. */
#include <weir/aggregate.h>

#include <math.h>

/* The column that is read; those that rows are folded into, which are also the answer, in the order of weir_configure. */
enum { VALUE };
enum { LOWEST, HIGHEST };

/* Values above it are rejected. */
static double limit;

void weir_configure(weir_config *config, weir_shape *shape) {
    limit = weir_config_float64(config, "limit", INFINITY);

    weir_read(shape, "value", WEIR_FLOAT64);
    weir_accumulate(shape, "lowest", WEIR_FLOAT64);
    weir_accumulate(shape, "highest", WEIR_FLOAT64);
    weir_output(shape, "lowest", WEIR_FLOAT64);
    weir_output(shape, "highest", WEIR_FLOAT64);
}

static void put(weir_out *out, double lowest, double highest) {
    weir_put_float64(out, LOWEST, lowest);
    weir_put_float64(out, HIGHEST, highest);
}

void weir_create(weir_group group, const weir_batch *rows, weir_out *accumulator) {
    double lowest = INFINITY, highest = -INFINITY;
    for (uint32_t row = group.first; row < group.end; row++) {
        double value = weir_float64(&rows->columns[VALUE], row);
        if (weir_is_null(&rows->columns[VALUE], row)) {
            weir_reject(row, "column `value` is null");
        } else if (value > limit) {
            weir_reject(row, "%g is above %g", value, limit);
        } else {
            lowest = fmin(lowest, value);
            highest = fmax(highest, value);
        }
    }
    put(accumulator, lowest, highest);
}

void weir_merge(weir_group group, const weir_batch *accumulators, weir_out *merged) {
    double lowest = INFINITY, highest = -INFINITY;
    for (uint32_t row = group.first; row < group.end; row++) {
        lowest = fmin(lowest, weir_float64(&accumulators->columns[LOWEST], row));
        highest = fmax(highest, weir_float64(&accumulators->columns[HIGHEST], row));
    }
    put(merged, lowest, highest);
}

void weir_finish(uint32_t row, const weir_batch *accumulators, weir_out *output) {
    put(output, weir_float64(&accumulators->columns[LOWEST], row), weir_float64(&accumulators->columns[HIGHEST], row));
}
