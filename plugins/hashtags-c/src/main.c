/* A row for each hashtag of a text: a `#` and the letters, digits and underscores after it.
 *
 * Reads `text`, answers with `tag`, and carries nothing over. The tags are parts of the text: nothing is copied. The texts
 * of all rows lie one after the other, so that a `#` is looked for in all of them at once, 16 bytes at a time. */
#include <wasm_simd128.h>
#include <weir/transform.h>

enum { TEXT };
enum { TAG };

void weir_configure(weir_config *config, weir_shape *shape) {
    (void)config;
    weir_read(shape, "text", WEIR_UTF8);
    weir_add_parts(shape, "tag", TEXT);
}

/* Whatever is beyond ASCII is taken for a letter. */
static inline bool is_of_tag(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c & 0x80;
}

/* Where the search is. */
typedef struct search {
    const weir_column *text;
    /* The row that the last `#` was in, or the first. */
    uint32_t row;
    weir_out *out;
} search;

/* Answers with the tag of the `#` at `start`, if it is one. */
static inline void take(search *search, int32_t start) {
    const weir_column *text = search->text;
    uint32_t row = search->row;
    while (text->offsets[row + 1] <= start) row++;
    search->row = row;
    int32_t end = start + 1, end_of_row = text->offsets[row + 1];
    while (end < end_of_row && is_of_tag(text->data[end])) end++;
    if (end == start + 1 || weir_is_null(text, row)) return;
    weir_emit(search->out, row);
    weir_put_text(search->out, TAG, (weir_str){text->data + start, (size_t)(end - start)});
}

void weir_apply(const weir_batch *batch, weir_out *out) {
    const weir_column *text = &batch->columns[TEXT];
    search search = {.text = text, .out = out};
    int32_t end = text->offsets[batch->rows], at = 0;
    const v128_t hashes = wasm_i8x16_splat('#');
    for (; at + 16 <= end; at += 16) {
        uint32_t found = wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(text->data + at), hashes));
        for (; found; found &= found - 1) take(&search, at + __builtin_ctz(found));
    }
    for (; at < end; at++) {
        if (text->data[at] == '#') take(&search, at);
    }
}
