/* What the SDK's files share. Nothing here uses printf: an operator that has no use for it does not carry it. */
#ifndef WEIR_INTERNAL_H
#define WEIR_INTERNAL_H

#include "weir/config.h"
#include "weir/out.h"
#include "weir/rows.h"
#include "weir/shape.h"
#include "wit.h"

/* What the bindings call, too, where they would abort. */
_Noreturn void weir_out_of_memory(void);
/* Memory that is zero, or the end of the instance. */
void *weir_alloc(size_t count, size_t size);
void *weir_realloc(void *ptr, size_t count, size_t size);

void weir_write(weir_buffer *buffer, const char *text);
void weir_write_str(weir_buffer *buffer, weir_str text);
void weir_write_number(weir_buffer *buffer, uint64_t number);

void weir_log_str(weir_level level, weir_str message);
_Noreturn void weir_panic_str(const char *file, int line, weir_str message);

/* Begins a call of an export. */
void weir_begin(uint64_t batch_time);
/* The call fails with this text, which it takes, unless it has failed before. */
void weir_fail_with(weir_buffer message);
/* Whether the call has failed; if so, hands the text over. */
bool weir_failed(weir_operator_rows_failure_t *err);
/* Rejects a row with this reason, which it takes. */
void weir_reject_with(uint32_t row, weir_buffer reason);
/* How many rows from `row` on are rejected. */
uint32_t weir_rejected_since(uint32_t row);
/* Hands over the rejects, each row once and in order. */
void weir_take_rejects(weir_operator_rows_reject_t **ptr, size_t *len);

/* The config of the operator, which is to live as long as the instance. */
weir_config *weir_open_config(const uint8_t *json, size_t len);
/* Fails the call if there are keys that nobody has asked for. */
void weir_close_config(const weir_config *config);

/* Columns by name. */
typedef struct weir_schema {
    weir_field *fields;
    uint32_t len;
} weir_schema;

weir_schema weir_schema_of(const weir_operator_rows_field_t *fields, size_t len);
const weir_field *weir_schema_find(const weir_schema *schema, const char *name);
/* Adds a column: its index. */
uint32_t weir_schema_add(weir_schema *schema, const char *name, weir_type type, bool nullable);
/* The index of a column. Fails the call where there is none; messages call the schema the `place`, and what the operator
 * does with the column the `verb`. */
uint32_t weir_schema_index(const weir_schema *schema, const char *place, const char *name, const char *verb);
/* The fields as the host wants to hear of them. */
weir_operator_rows_field_t *weir_schema_announce(const weir_schema *schema);
const char *weir_type_name(weir_type type);

/* Input columns that are read. */
typedef struct weir_reads {
    uint32_t *indices;
    uint32_t len;
} weir_reads;

/* Reads a column. Fails the call where there is none, or one of another type. */
uint32_t weir_reads_add(weir_reads *reads, const weir_schema *schema, const char *place, const char *name, weir_type type);

/* What all worlds have in their shape. */
struct weir_shape {
    weir_schema input;
    weir_reads reads;
};

/* A copy to hand over. NULL where there is nothing. */
void *weir_copy(const void *from, size_t count, size_t size);
/* The columns that are read, as the host wants to hear of them. */
void weir_announce_reads(const weir_shape *shape, wit_option_list_u32_t *into);

/* Views of a batch's columns. */
weir_batch weir_view(const weir_operator_rows_batch_t *batch);
void weir_view_free(weir_batch batch);

/* Rows of these columns. */
weir_out weir_out_of(const weir_schema *schema);
/* Puts a value that nobody reads. */
void weir_put_blank(weir_out *out, uint32_t column);
/* Puts such values into the columns of the last row that have none. */
void weir_put_blanks(weir_out *out);
/* Hands the columns over. Fails the call where one has not a value for each row. What has been handed over is whole, and
 * can be freed, then too. */
weir_operator_rows_column_t *weir_out_take(weir_out *out, const weir_schema *schema);
/* Fails the call unless each row comes from one of `input`, and none from one before that of the row before. */
void weir_check_order(const weir_out *out, uint32_t input);

#endif
