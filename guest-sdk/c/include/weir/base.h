/* What every operator needs: text, the types of columns, the log, and the two ways of stopping. */
#ifndef WEIR_BASE_H
#define WEIR_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Text or bytes that lie somewhere else. There is no zero byte at the end. */
typedef struct weir_str {
    const char *ptr;
    size_t len;
} weir_str;

/* For printf: weir_fail("no such user: " WEIR_FMT, WEIR_ARG(user)) */
#define WEIR_FMT "%.*s"
#define WEIR_ARG(text) (int)(text).len, (text).ptr

static inline weir_str weir_str_of(const char *text) {
    return (weir_str){text, strlen(text)};
}

static inline bool weir_str_is(weir_str text, const char *other) {
    return text.len == strlen(other) && memcmp(text.ptr, other, text.len) == 0;
}

/* The type of a column. */
typedef enum weir_type {
    WEIR_BOOLEAN,
    WEIR_INT64,
    WEIR_FLOAT64,
    /* Microseconds since the Unix epoch, UTC. */
    WEIR_TIMESTAMP,
    /* Text; always valid UTF-8. */
    WEIR_UTF8,
    WEIR_BINARY,
} weir_type;

/* A column's name and type. */
typedef struct weir_field {
    weir_str name;
    weir_type type;
    bool nullable;
} weir_field;

typedef enum weir_level {
    WEIR_DEBUG,
    WEIR_INFO,
    WEIR_WARN,
    WEIR_ERROR,
} weir_level;

/* Appends a line to the task's log. The host bounds how much it keeps. */
__attribute__((format(printf, 2, 3))) void weir_log(weir_level level, const char *format, ...);

/* The operator cannot go on with this config or these rows: once the function that was called returns, the job stops and
 * shows this text. Of several, the first is shown. A pure function has nothing to retry. */
__attribute__((format(printf, 1, 2))) void weir_fail(const char *format, ...);

/* Row `row` of the call cannot be taken; the pipeline says what becomes of it. It should have no output. */
__attribute__((format(printf, 2, 3))) void weir_reject(uint32_t row, const char *format, ...);

/* Something is wrong with the program itself: logs the text with its place, and ends the instance. `assert` and `abort` do
 * the same. */
#define weir_panic(...) weir_panic_at(__FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 3, 4))) _Noreturn void weir_panic_at(const char *file, int line, const char *format, ...);

/* The end of the batch's interval, in milliseconds since the Unix epoch: the only clock. 0 where there is none, as in an
 * aggregate. */
uint64_t weir_batch_time(void);

#endif
