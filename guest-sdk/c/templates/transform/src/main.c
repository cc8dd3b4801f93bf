/* A row for each `@mention` in a text, beside the user who wrote it. */
#include <weir/transform.h>

/* The columns that are read, and those that are added, in the order of weir_configure. */
enum { TEXT };
enum { MENTION };

/* Shorter names are passed over. */
static size_t shortest;

void weir_configure(weir_config *config, weir_shape *shape) {
    int64_t wanted = weir_config_int64(config, "shortest", 1);
    if (wanted < 0) weir_fail("`shortest` must not be negative, but is %lld", (long long)wanted);
    shortest = wanted > 1 ? (size_t)wanted : 1;

    weir_read(shape, "text", WEIR_UTF8);
    weir_keep(shape, "user");
    weir_add_parts(shape, "mention", TEXT);
}

static bool is_of_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '@' || c & 0x80;
}

void weir_apply(const weir_batch *batch, weir_out *out) {
    const weir_column *texts = &batch->columns[TEXT];
    for (uint32_t row = 0; row < batch->rows; row++) {
        weir_str text = weir_text(texts, row);
        const char *at = text.ptr, *end = text.ptr + text.len;
        while (at < end) {
            const char *word = at;
            while (at < end && is_of_word(*at)) at++;
            weir_str name = {word + 1, (size_t)(at - word) - 1};
            if (at > word && *word == '@' && name.len >= shortest) {
                weir_emit(out, row);
                weir_put_text(out, MENTION, name);
            }
            if (at == word) at++;
        }
    }
}
