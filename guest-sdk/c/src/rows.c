/* Views of what the host sends. */
#include "internal.h"

#include <stdlib.h>

void weir_wrong_type(weir_type wanted, weir_type found) {
    weir_buffer message = {0};
    weir_write(&message, "a column is read as ");
    weir_write(&message, weir_type_name(wanted));
    weir_write(&message, ", but it is ");
    weir_write(&message, weir_type_name(found));
    weir_panic_str(NULL, 0, (weir_str){message.ptr, message.len});
}

static weir_column view(const weir_operator_rows_column_t *column) {
    weir_column view = {.type = (weir_type)column->values.tag};
    if (column->validity.is_some) view.validity = column->validity.val.ptr;
    switch (view.type) {
    case WEIR_BOOLEAN: view.bits = column->values.val.boolean.ptr; break;
    case WEIR_INT64:
    case WEIR_TIMESTAMP: view.int64 = column->values.val.int64.ptr; break;
    case WEIR_FLOAT64: view.float64 = column->values.val.float64.ptr; break;
    case WEIR_UTF8:
    case WEIR_BINARY:
        view.offsets = column->values.val.utf8.offsets.ptr;
        view.data = (const char *)column->values.val.utf8.data.ptr;
        break;
    }
    return view;
}

weir_batch weir_view(const weir_operator_rows_batch_t *batch) {
    uint32_t width = (uint32_t)batch->columns.len;
    weir_column *columns = weir_alloc(width, sizeof *columns);
    for (uint32_t i = 0; i < width; i++) columns[i] = view(&batch->columns.ptr[i]);
    return (weir_batch){batch->row_count, width, columns};
}

void weir_view_free(weir_batch batch) {
    free((void *)batch.columns);
}
