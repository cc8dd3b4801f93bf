/* Keyed state across batches: a key's state and its rows of a batch, to its next state and output rows. The operator
 * defines the two functions at the end. */
#ifndef WEIR_STATE_H
#define WEIR_STATE_H

#include "config.h"
#include "out.h"
#include "rows.h"
#include "shape.h"

/* Reads a column of the key: its index in weir_touched.keys. The key's columns all cross. */
uint32_t weir_read_key(weir_shape *shape, const char *name, weir_type type);

/* Adds a column to a key's state: its index both to read and to put. */
uint32_t weir_remember(weir_shape *shape, const char *name, weir_type type);
/* One that may have nulls. */
uint32_t weir_remember_nullable(weir_shape *shape, const char *name, weir_type type);
/* To be raised whenever the meaning or the columns of the state change; 1 where it is not called. */
void weir_state_version(weir_shape *shape, uint32_t version);

/* Adds a column to the output: its index for weir_put_…. */
uint32_t weir_output(weir_shape *shape, const char *name, weir_type type);
/* One that may have nulls. */
uint32_t weir_output_nullable(weir_shape *shape, const char *name, weir_type type);

/* Why a key is in a call. */
typedef enum weir_cause {
    /* It has rows in this batch. */
    WEIR_ROWS,
    /* It had none for the idle timeout; this is its last call: whatever the answer, the key is forgotten. */
    WEIR_IDLE,
    /* The timer that it asked for is due. It may have rows, too. */
    WEIR_TIMER,
    /* The operator is called with every known key in every batch. */
    WEIR_ALL,
} weir_cause;

/* What becomes of a key after the call. */
typedef enum weir_fate {
    /* Its state is what was put into the turn's `next`. */
    WEIR_KEEP,
    /* It is forgotten. */
    WEIR_REMOVE,
    /* State and timer stay as they are, and nothing need be put. */
    WEIR_UNCHANGED,
} weir_fate;

/* What a call has of all its keys. */
typedef struct weir_touched {
    /* A row for each key. */
    weir_batch keys;
    /* The rows of all keys, column by column as they are read. */
    weir_batch input;
    /* A row for each key: its state, where it has one. */
    weir_batch previous;
} weir_touched;

/* A key of a call. */
typedef struct weir_key {
    /* Its row in `keys` and in `previous`. */
    uint32_t index;
    /* Its rows of `input`: from `first` up to `end`, which is not of it. */
    uint32_t first;
    uint32_t end;
    bool has_state;
    weir_cause cause;
} weir_key;

/* The answer for a key. */
typedef struct weir_turn {
    /* The key's next state, a row that has been begun: one value into each column, where the fate is WEIR_KEEP. */
    weir_out *next;
    /* Output rows: weir_emit(turn->output, key.index) begins one. */
    weir_out *output;
    /* The batch time, in milliseconds since the Unix epoch, at which to wake the key; 0 for never. */
    uint64_t timer;
} weir_turn;

/* DEFINED BY THE OPERATOR. Once, before any rows: reads the config and says what the operator reads, remembers and
 * answers with. */
void weir_configure(weir_config *config, weir_shape *shape);

/* DEFINED BY THE OPERATOR. What becomes of a key. Rows of `input` can be rejected; its state must then be as if they had not
 * come. */
weir_fate weir_update(weir_key key, const weir_touched *touched, weir_turn *turn);

#endif
