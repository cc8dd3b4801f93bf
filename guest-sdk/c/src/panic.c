/* The log, and the end of an instance: what went wrong goes to the log, since the trap that follows says nothing. */
#include "internal.h"

#include <stdlib.h>

void weir_log_str(weir_level level, weir_str message) {
    wit_string_t text = {(uint8_t *)message.ptr, message.len};
    weir_operator_log_log((weir_operator_log_level_t)level, &text);
}

void weir_panic_str(const char *file, int line, weir_str message) {
    /* No memory of the heap's, of which there may be none. */
    static char text[1024];
    weir_buffer buffer = {text, 0, sizeof text};
    if (file && strlen(file) < 256) {
        weir_write(&buffer, file);
        weir_write(&buffer, ":");
        weir_write_number(&buffer, (uint64_t)line);
        weir_write(&buffer, ": ");
    }
    size_t room = buffer.capacity - buffer.len;
    if (message.len > room) {
        message.len = room;
        /* Not within a character. */
        while (message.len && (message.ptr[message.len] & 0xC0) == 0x80) message.len--;
    }
    weir_write_str(&buffer, message);
    weir_log_str(WEIR_ERROR, (weir_str){buffer.ptr, buffer.len});
    __builtin_trap();
}

/* In the place of libc's, which says nothing. */
void abort(void) {
    weir_panic_str(NULL, 0, weir_str_of("aborted"));
}

/* In the place of libc's, which writes to a standard error that is not there. */
_Noreturn void __assert_fail(const char *condition, const char *file, int line, const char *function);

void __assert_fail(const char *condition, const char *file, int line, const char *function) {
    (void)function;
    weir_buffer message = {0};
    weir_write(&message, "assertion failed: ");
    weir_write(&message, condition);
    weir_panic_str(file, line, (weir_str){message.ptr, message.len});
}
