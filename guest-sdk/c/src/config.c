/* The operator's config: keys that are looked up, and remembered, so that a key that nobody knows is told. */
#include "internal.h"

#include <stdlib.h>

struct weir_config {
    weir_json json;
    /* The keys that were asked for. */
    const char **known;
    size_t known_len;
};

weir_config *weir_open_config(const uint8_t *json, size_t len) {
    weir_config *config = weir_alloc(1, sizeof *config);
    config->json = (weir_json){(const char *)json, (const char *)json + len};
    return config;
}

static bool is_known(const weir_config *config, weir_str key) {
    for (size_t i = 0; i < config->known_len; i++) {
        if (weir_str_is(key, config->known[i])) return true;
    }
    return false;
}

void weir_close_config(const weir_config *config) {
    weir_json_items items = weir_json_items_of(config->json);
    while (weir_json_next(&items)) {
        if (is_known(config, items.key)) continue;
        weir_buffer message = {0};
        if (!config->known_len) {
            weir_write(&message, "the operator takes no config, but is given `");
            weir_write_str(&message, items.key);
            weir_write(&message, "`");
        } else {
            weir_write(&message, "the operator's config has a key `");
            weir_write_str(&message, items.key);
            weir_write(&message, "`, which it does not know; it knows ");
        }
        for (size_t i = 0; i < config->known_len; i++) {
            weir_write(&message, i ? ", `" : "`");
            weir_write(&message, config->known[i]);
            weir_write(&message, "`");
        }
        weir_fail_with(message);
        return;
    }
}

weir_json weir_config_json(weir_config *config, const char *key) {
    if (!is_known(config, weir_str_of(key))) {
        config->known = weir_realloc(config->known, config->known_len + 1, sizeof *config->known);
        config->known[config->known_len++] = key;
    }
    return weir_json_member(config->json, key);
}

bool weir_config_has(weir_config *config, const char *key) {
    return weir_json_kind_of(weir_config_json(config, key)) != WEIR_JSON_NONE;
}

static void wrong(const char *key, const char *wanted, weir_json found) {
    weir_buffer message = {0};
    weir_write(&message, "the operator's config is not valid: `");
    weir_write(&message, key);
    weir_write(&message, "` must be ");
    weir_write(&message, wanted);
    weir_write(&message, ", but is ");
    weir_write_str(&message, (weir_str){found.at, (size_t)(found.end - found.at)});
    weir_fail_with(message);
}

/* The key's value in the type of `otherwise`, read by `read`. */
#define LOOKED_UP(read, wanted)                                       \
    weir_json value = weir_config_json(config, key);                  \
    if (weir_json_kind_of(value) == WEIR_JSON_NONE) return otherwise; \
    if (!read(value, &otherwise)) wrong(key, wanted, value);          \
    return otherwise

int64_t weir_config_int64(weir_config *config, const char *key, int64_t otherwise) {
    LOOKED_UP(weir_json_int64, "an integer");
}

double weir_config_float64(weir_config *config, const char *key, double otherwise) {
    LOOKED_UP(weir_json_float64, "a number");
}

bool weir_config_boolean(weir_config *config, const char *key, bool otherwise) {
    LOOKED_UP(weir_json_boolean, "true or false");
}

static weir_str text(weir_config *config, const char *key, weir_str otherwise) {
    LOOKED_UP(weir_json_text, "a text");
}

weir_str weir_config_text(weir_config *config, const char *key, const char *otherwise) {
    return text(config, key, weir_str_of(otherwise));
}
