/* An aggregate: the rows of a key to one row. The operator defines the functions at the end.
 *
 * The host groups rows by key and moves them; the operator folds what it is given, in several steps, so that rows can be
 * folded before they cross the network, and windows can be put together from batches:
 *
 *     rows --create--> accumulators --merge--> one accumulator --finish--> output
 *                                    retract: takes an old batch out of a window's accumulator again */
#ifndef WEIR_AGGREGATE_H
#define WEIR_AGGREGATE_H

#include "config.h"
#include "out.h"
#include "rows.h"
#include "shape.h"

/* Adds a column to what rows are folded into: its index both to read and to put. */
uint32_t weir_accumulate(weir_shape *shape, const char *name, weir_type type);
/* One that may have nulls. */
uint32_t weir_accumulate_nullable(weir_shape *shape, const char *name, weir_type type);

/* Adds a column to the output, before which the host puts the key: its index for weir_put_…. */
uint32_t weir_output(weir_shape *shape, const char *name, weir_type type);
/* One that may have nulls. */
uint32_t weir_output_nullable(weir_shape *shape, const char *name, weir_type type);

/* The rows of a group: from `first` up to `end`, which is not of it. */
typedef struct weir_group {
    uint32_t first;
    uint32_t end;
} weir_group;

/* DEFINED BY THE OPERATOR. Once, before any rows: reads the config and says what the operator reads, folds into and
 * answers with. */
void weir_configure(weir_config *config, weir_shape *shape);

/* The functions below put one value into each column of the row that has been begun for them. */

/* DEFINED BY THE OPERATOR. The rows of a group to an accumulator. A row that is rejected must not be in it; where all are
 * rejected, nothing need be put. */
void weir_create(weir_group group, const weir_batch *rows, weir_out *accumulator);

/* DEFINED BY THE OPERATOR. The accumulators of a group, one or several, to one. Must be associative. */
void weir_merge(weir_group group, const weir_batch *accumulators, weir_out *merged);

/* DEFINED BY THE OPERATOR. The accumulator in row `row` to the answer. */
void weir_finish(uint32_t row, const weir_batch *accumulators, weir_out *output);

/* DEFINED BY THE OPERATOR WHERE THERE IS AN INVERSE: sliding windows then cost what changes, not what they span. Takes a
 * part out of a total that it had been merged into. Answers whether nothing remains, as if no row had ever been added: the
 * host then drops the key, and nothing need be put. */
__attribute__((weak)) bool weir_retract(uint32_t row, const weir_batch *totals, const weir_batch *parts, weir_out *rest);

#endif
