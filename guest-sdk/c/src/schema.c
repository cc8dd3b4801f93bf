/* Columns by name, and what to say where they do not fit. */
#include "internal.h"

#include <stdlib.h>

const char *weir_type_name(weir_type type) {
    static const char *const names[] = {"boolean", "int64", "float64", "timestamp", "utf8", "binary"};
    return (size_t)type < sizeof names / sizeof *names ? names[type] : "no type";
}

weir_schema weir_schema_of(const weir_operator_rows_field_t *fields, size_t len) {
    weir_schema schema = {weir_alloc(len, sizeof *schema.fields), (uint32_t)len};
    for (size_t i = 0; i < len; i++) {
        weir_str name = {(const char *)fields[i].name.ptr, fields[i].name.len};
        schema.fields[i] = (weir_field){name, (weir_type)fields[i].data_type, fields[i].nullable};
    }
    return schema;
}

const weir_field *weir_schema_find(const weir_schema *schema, const char *name) {
    for (uint32_t i = 0; i < schema->len; i++) {
        if (weir_str_is(schema->fields[i].name, name)) return &schema->fields[i];
    }
    return NULL;
}

uint32_t weir_schema_add(weir_schema *schema, const char *name, weir_type type, bool nullable) {
    schema->fields = weir_realloc(schema->fields, schema->len + 1, sizeof *schema->fields);
    schema->fields[schema->len] = (weir_field){weir_str_of(name), type, nullable};
    return schema->len++;
}

weir_operator_rows_field_t *weir_schema_announce(const weir_schema *schema) {
    weir_operator_rows_field_t *fields = weir_alloc(schema->len, sizeof *fields);
    for (uint32_t i = 0; i < schema->len; i++) {
        const weir_field *field = &schema->fields[i];
        weir_buffer name = {0};
        weir_write_str(&name, field->name);
        fields[i].name = (wit_string_t){(uint8_t *)name.ptr, name.len};
        fields[i].data_type = (weir_operator_rows_data_type_t)field->type;
        fields[i].nullable = field->nullable;
    }
    return fields;
}

static void list(weir_buffer *message, const weir_schema *schema) {
    if (!schema->len) weir_write(message, "no columns");
    for (uint32_t i = 0; i < schema->len; i++) {
        weir_write(message, i ? ", `" : "`");
        weir_write_str(message, schema->fields[i].name);
        weir_write(message, "` (");
        weir_write(message, weir_type_name(schema->fields[i].type));
        weir_write(message, ")");
    }
}

static void write_all(weir_buffer *message, const char *const *texts, size_t len) {
    for (size_t i = 0; i < len; i++) weir_write(message, texts[i]);
}

#define WRITE(message, ...)                                     \
    do {                                                        \
        const char *const texts[] = {__VA_ARGS__};              \
        write_all(message, texts, sizeof texts / sizeof *texts); \
    } while (0)

uint32_t weir_schema_index(const weir_schema *schema, const char *place, const char *name, const char *verb) {
    const weir_field *field = weir_schema_find(schema, name);
    if (field) return (uint32_t)(field - schema->fields);
    weir_buffer message = {0};
    WRITE(&message, "the ", place, " has no column `", name, "`, which the operator ", verb, "; it has ");
    list(&message, schema);
    weir_fail_with(message);
    return 0;
}

uint32_t weir_reads_add(weir_reads *reads, const weir_schema *schema, const char *place, const char *name, weir_type type) {
    uint32_t index = weir_schema_index(schema, place, name, "reads");
    if (index < schema->len && schema->fields[index].type != type) {
        const char *wanted = weir_type_name(type), *found = weir_type_name(schema->fields[index].type);
        weir_buffer message = {0};
        WRITE(&message, "the operator reads column `", name, "` as ", wanted, ", but in the ", place, " it is ", found);
        WRITE(&message, "; the ", place, " has ");
        list(&message, schema);
        weir_fail_with(message);
    }
    reads->indices = weir_realloc(reads->indices, reads->len + 1, sizeof *reads->indices);
    reads->indices[reads->len] = index;
    return reads->len++;
}
