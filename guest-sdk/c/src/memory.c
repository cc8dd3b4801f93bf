/* Memory, and text that grows in it. */
#include "internal.h"

#include <stdlib.h>

void weir_out_of_memory(void) {
    weir_panic_str(NULL, 0, weir_str_of("out of memory"));
}

void *weir_alloc(size_t count, size_t size) {
    void *ptr = calloc(count ? count : 1, size);
    if (!ptr) weir_out_of_memory();
    return ptr;
}

void *weir_realloc(void *ptr, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) weir_out_of_memory();
    ptr = realloc(ptr, bytes);
    if (!ptr) weir_out_of_memory();
    return ptr;
}

void weir_grow_data(weir_buffer *data, size_t by) {
    size_t wanted = data->len + by;
    /* Arrow's offsets are signed. */
    if (wanted > INT32_MAX) weir_out_of_memory();
    size_t capacity = data->capacity ? 2 * data->capacity : 64;
    if (capacity < wanted) capacity = wanted;
    data->ptr = weir_realloc(data->ptr, capacity, 1);
    data->capacity = capacity;
}

void weir_write_str(weir_buffer *buffer, weir_str text) {
    weir_append(buffer, text);
}

void weir_write(weir_buffer *buffer, const char *text) {
    weir_append(buffer, weir_str_of(text));
}

void weir_write_number(weir_buffer *buffer, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    weir_append(buffer, (weir_str){digits + at, sizeof digits - at});
}
