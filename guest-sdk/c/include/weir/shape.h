/* What the operator reads, in every world. */
#ifndef WEIR_SHAPE_H
#define WEIR_SHAPE_H

#include "base.h"

/* What the operator reads and answers with, as it grows in weir_configure. */
typedef struct weir_shape weir_shape;

/* Reads a column of the input: its index in weir_batch.columns. Only columns that are read cross into the sandbox. Where
 * the input has no such column, or one of another type, the call fails with a message that says so. */
uint32_t weir_read(weir_shape *shape, const char *name, weir_type type);

/* A column of the input, or NULL: for an operator that chooses what it reads. */
const weir_field *weir_find(const weir_shape *shape, const char *name);

#endif
