/* A transform: rows in, rows out. The operator defines the two functions at the end. */
#ifndef WEIR_TRANSFORM_H
#define WEIR_TRANSFORM_H

#include "config.h"
#include "out.h"
#include "rows.h"
#include "shape.h"

/* Carries a column of the input over to the output, unread: each output row has the value of the row it comes from. */
void weir_keep(weir_shape *shape, const char *name);

/* Adds a column to the output, after those kept: its index for weir_put_…. */
uint32_t weir_add(weir_shape *shape, const char *name, weir_type type);
/* One that may have nulls. */
uint32_t weir_add_nullable(weir_shape *shape, const char *name, weir_type type);
/* One whose values are parts of column `of` that is read, of its type: what is put must point into that column's data.
 * The host takes the values from there, and nothing is copied. */
uint32_t weir_add_parts(weir_shape *shape, const char *name, uint32_t of);
/* Such a one that may have nulls. */
uint32_t weir_add_nullable_parts(weir_shape *shape, const char *name, uint32_t of);

/* DEFINED BY THE OPERATOR. Once, before any rows: reads the config and says what the operator reads and writes. */
void weir_configure(weir_config *config, weir_shape *shape);

/* DEFINED BY THE OPERATOR. A few thousand rows of a partition. How a partition is cut into calls is the host's choice, so
 * what comes out must not depend on it. */
void weir_apply(const weir_batch *batch, weir_out *out);

#endif
