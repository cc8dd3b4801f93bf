/* JSON, read where it lies. The host wrote it, so what is no JSON reads as no value, without a word. */
#include "internal.h"

#include <stdlib.h>

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* Behind a text whose first quote is at `at`. */
static const char *skip_text(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\') at++;
    }
    return at < end ? at + 1 : end;
}

/* Behind a value. Brackets need not be told apart: in JSON they close in order. */
static const char *skip_value(const char *at, const char *end) {
    size_t depth = 0;
    while (at < end) {
        char c = *at;
        if (c == '"') {
            at = skip_text(at, end);
        } else if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
            return at;
        } else {
            if (c == '[' || c == '{') depth++;
            if (c == ']' || c == '}') depth--;
            at++;
        }
    }
    return at;
}

weir_json_kind weir_json_kind_of(weir_json value) {
    const char *at = skip_space(value.at, value.end);
    if (at == value.end) return WEIR_JSON_NONE;
    switch (*at) {
    case 'n': return WEIR_JSON_NULL;
    case 't':
    case 'f': return WEIR_JSON_BOOLEAN;
    case '"': return WEIR_JSON_TEXT;
    case '[': return WEIR_JSON_ARRAY;
    case '{': return WEIR_JSON_OBJECT;
    default: return WEIR_JSON_NUMBER;
    }
}

weir_json_items weir_json_items_of(weir_json value) {
    weir_json_kind kind = weir_json_kind_of(value);
    if (kind != WEIR_JSON_ARRAY && kind != WEIR_JSON_OBJECT) return (weir_json_items){0};
    return (weir_json_items){.at = skip_space(value.at, value.end) + 1, .end = value.end};
}

bool weir_json_next(weir_json_items *items) {
    const char *end = items->end, *at = skip_space(items->at, end);
    if (at < end && *at == ',') at = skip_space(at + 1, end);
    if (at >= end || *at == ']' || *at == '}') return false;
    const char *behind = skip_value(at, end);
    items->key = (weir_str){NULL, 0};
    if (*at == '"') {
        const char *quote = skip_text(at, end), *colon = skip_space(quote, end);
        if (colon < end && *colon == ':') {
            items->key = (weir_str){at + 1, (size_t)(quote - at) - 2};
            at = skip_space(colon + 1, end);
        }
    }
    items->value = (weir_json){at, behind};
    items->at = behind;
    return true;
}

weir_json weir_json_member(weir_json object, const char *key) {
    weir_json_items items = weir_json_items_of(object);
    while (weir_json_next(&items)) {
        if (items.key.ptr && weir_str_is(items.key, key)) return items.value;
    }
    return (weir_json){NULL, NULL};
}

bool weir_json_boolean(weir_json value, bool *into) {
    if (weir_json_kind_of(value) != WEIR_JSON_BOOLEAN) return false;
    *into = *skip_space(value.at, value.end) == 't';
    return true;
}

bool weir_json_int64(weir_json value, int64_t *into) {
    if (weir_json_kind_of(value) != WEIR_JSON_NUMBER) return false;
    const char *at = skip_space(value.at, value.end);
    bool is_negative = *at == '-';
    int64_t number = 0;
    for (at += is_negative; at < value.end && *at >= '0' && *at <= '9'; at++) {
        int digit = *at - '0';
        if (__builtin_mul_overflow(number, 10, &number)) return false;
        if (__builtin_add_overflow(number, is_negative ? -digit : digit, &number)) return false;
    }
    if (skip_space(at, value.end) != value.end) return false;
    *into = number;
    return true;
}

bool weir_json_float64(weir_json value, double *into) {
    if (weir_json_kind_of(value) != WEIR_JSON_NUMBER) return false;
    /* strtod wants a zero byte at the end. */
    weir_buffer text = {0};
    weir_write_str(&text, (weir_str){value.at, (size_t)(value.end - value.at)});
    weir_write_str(&text, (weir_str){"", 1});
    *into = strtod(text.ptr, NULL);
    free(text.ptr);
    return true;
}

static uint32_t hex(const char *at, const char *end) {
    uint32_t code = 0;
    for (int i = 0; i < 4 && at + i < end; i++) {
        char c = at[i];
        code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
}

static void write_utf8(weir_buffer *text, uint32_t code) {
    char bytes[4];
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    bytes[0] = (char)(first[len] | code);
    weir_write_str(text, (weir_str){bytes, len});
}

/* Writes the escape at `at`, behind its backslash, and answers with what is behind it. */
static const char *unescape(weir_buffer *text, const char *at, const char *end) {
    static const char names[] = "bfnrt", characters[] = "\b\f\n\r\t";
    if (*at == 'u') {
        uint32_t code = hex(at + 1, end);
        at += 5;
        if (code >= 0xD800 && code < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
            code = 0x10000 + ((code - 0xD800) << 10) + (hex(at + 2, end) - 0xDC00);
            at += 6;
        }
        write_utf8(text, code);
        return at < end ? at : end;
    }
    const char *name = strchr(names, *at);
    weir_write_str(text, (weir_str){name ? &characters[name - names] : at, 1});
    return at + 1;
}

bool weir_json_text(weir_json value, weir_str *into) {
    if (weir_json_kind_of(value) != WEIR_JSON_TEXT) return false;
    const char *at = skip_space(value.at, value.end) + 1;
    const char *end = skip_text(at - 1, value.end) - 1;
    weir_buffer text = {0};
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        const char *plain = escape ? escape : end;
        weir_write_str(&text, (weir_str){at, (size_t)(plain - at)});
        at = escape && escape + 1 < end ? unescape(&text, escape + 1, end) : end;
    }
    *into = (weir_str){text.ptr, text.len};
    return true;
}
