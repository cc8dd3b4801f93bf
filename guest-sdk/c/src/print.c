/* What takes a format. In a file of its own, since printf is most of a small operator. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static weir_buffer print(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) return (weir_buffer){0};
    weir_buffer buffer = {0};
    /* And the zero byte that printf ends with. */
    weir_grow_data(&buffer, (size_t)len + 1);
    buffer.len = (size_t)vsnprintf(buffer.ptr, buffer.capacity, format, arguments);
    return buffer;
}

void weir_log(weir_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    weir_buffer message = print(format, arguments);
    va_end(arguments);
    weir_log_str(level, (weir_str){message.ptr, message.len});
    free(message.ptr);
}

void weir_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    weir_fail_with(print(format, arguments));
    va_end(arguments);
}

void weir_reject(uint32_t row, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    weir_reject_with(row, print(format, arguments));
    va_end(arguments);
}

void weir_panic_at(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    weir_buffer message = print(format, arguments);
    va_end(arguments);
    weir_panic_str(file, line, (weir_str){message.ptr, message.len});
}
