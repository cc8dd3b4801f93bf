/* What is known of the call that is going on: whether it has failed, and which rows it rejects. There is one call at a
 * time, so this is static. */
#include "internal.h"

#include <stdlib.h>

static uint64_t time;
static bool has_failed;
static weir_buffer failure;
static weir_operator_rows_reject_t *rejects;
static size_t rejects_len, rejects_capacity;

uint64_t weir_batch_time(void) {
    return time;
}

void weir_begin(uint64_t batch_time) {
    time = batch_time;
}

void weir_fail_with(weir_buffer message) {
    if (has_failed) {
        free(message.ptr);
        return;
    }
    has_failed = true;
    failure = message;
}

bool weir_failed(weir_operator_rows_failure_t *err) {
    if (!has_failed) return false;
    has_failed = false;
    *err = (weir_operator_rows_failure_t){(uint8_t *)failure.ptr, failure.len};
    failure = (weir_buffer){0};
    return true;
}

void weir_reject_with(uint32_t row, weir_buffer reason) {
    if (rejects_len == rejects_capacity) {
        rejects_capacity = rejects_capacity ? 2 * rejects_capacity : 16;
        rejects = weir_realloc(rejects, rejects_capacity, sizeof *rejects);
    }
    rejects[rejects_len++] = (weir_operator_rows_reject_t){row, {(uint8_t *)reason.ptr, reason.len}};
}

uint32_t weir_rejected_since(uint32_t row) {
    uint32_t count = 0;
    for (size_t i = rejects_len; i && rejects[i - 1].row >= row; i--) count++;
    return count;
}

/* By row, and what is rejected twice in the order in which it was. Rows are rejected in order but by odd operators, so this
 * moves nearly nothing. */
static void sort(void) {
    for (size_t i = 1; i < rejects_len; i++) {
        weir_operator_rows_reject_t reject = rejects[i];
        size_t at = i;
        for (; at && rejects[at - 1].row > reject.row; at--) rejects[at] = rejects[at - 1];
        rejects[at] = reject;
    }
}

void weir_take_rejects(weir_operator_rows_reject_t **ptr, size_t *len) {
    sort();
    size_t kept = 0;
    for (size_t i = 0; i < rejects_len; i++) {
        if (kept && rejects[kept - 1].row == rejects[i].row) {
            weir_operator_rows_reject_free(&rejects[i]);
        } else {
            rejects[kept++] = rejects[i];
        }
    }
    *ptr = kept ? rejects : NULL;
    *len = kept;
    /* Whoever frees an answer frees no list that is empty. */
    if (!kept) free(rejects);
    rejects = NULL;
    rejects_len = rejects_capacity = 0;
}
