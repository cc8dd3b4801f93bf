/* What an operator reads, and the columns that it answers with. */
#include "internal.h"

uint32_t weir_read(weir_shape *shape, const char *name, weir_type type) {
    return weir_reads_add(&shape->reads, &shape->input, "input", name, type);
}

const weir_field *weir_find(const weir_shape *shape, const char *name) {
    return weir_schema_find(&shape->input, name);
}

void *weir_copy(const void *from, size_t count, size_t size) {
    return count ? memcpy(weir_alloc(count, size), from, count * size) : NULL;
}

void weir_announce_reads(const weir_shape *shape, wit_option_list_u32_t *into) {
    into->is_some = true;
    into->val.ptr = weir_copy(shape->reads.indices, shape->reads.len, sizeof(uint32_t));
    into->val.len = shape->reads.len;
}
