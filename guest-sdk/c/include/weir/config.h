/* The operator's `config` of the pipeline file, and the JSON that is in it.
 *
 * Each weir_config_… looks a key up. A value of another type fails the call with a message; so does, after
 * weir_configure, a key that was never asked for, since a key without effect must not go unnoticed. */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include "base.h"

typedef struct weir_config weir_config;

/* Whether the key is there. */
bool weir_config_has(weir_config *config, const char *key);

/* The key's value, or `otherwise` where the key is not there. Text stays where it is as long as the instance lives. */
int64_t weir_config_int64(weir_config *config, const char *key, int64_t otherwise);
double weir_config_float64(weir_config *config, const char *key, double otherwise);
bool weir_config_boolean(weir_config *config, const char *key, bool otherwise);
weir_str weir_config_text(weir_config *config, const char *key, const char *otherwise);

/* A value in JSON, as it is written. */
typedef struct weir_json {
    const char *at;
    /* Behind the last character of what holds the value. */
    const char *end;
} weir_json;

typedef enum weir_json_kind {
    /* There is no value. */
    WEIR_JSON_NONE,
    WEIR_JSON_NULL,
    WEIR_JSON_BOOLEAN,
    WEIR_JSON_NUMBER,
    WEIR_JSON_TEXT,
    WEIR_JSON_ARRAY,
    WEIR_JSON_OBJECT,
} weir_json_kind;

/* The key's value, for what is no plain value: lists and tables. */
weir_json weir_config_json(weir_config *config, const char *key);

weir_json_kind weir_json_kind_of(weir_json value);
/* The member of an object; none where there is none. */
weir_json weir_json_member(weir_json object, const char *key);

/* Each item of an array, or member of an object with its key:
 *
 *     weir_json_items items = weir_json_items_of(value);
 *     while (weir_json_next(&items)) … items.key, items.value … */
typedef struct weir_json_items {
    /* As it is written, without the quotes. */
    weir_str key;
    weir_json value;
    const char *at;
    const char *end;
} weir_json_items;

weir_json_items weir_json_items_of(weir_json value);
bool weir_json_next(weir_json_items *items);

/* The value, if it is of this type: false where it is not. */
bool weir_json_int64(weir_json value, int64_t *into);
bool weir_json_float64(weir_json value, double *into);
bool weir_json_boolean(weir_json value, bool *into);
/* Text with its escapes resolved, in memory of its own that is never freed. */
bool weir_json_text(weir_json value, weir_str *into);

#endif
