/* shards -- see shards.h. */
#include "format/shards.h"
#include "base/json.h"
#include <string.h>

enum { MAX_SHARDS = 4096, MAX_INDEX = 100 << 20 };

/* A plain file name: shards lie beside their index. */
static bool plain_name(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, "..") && strcmp(name, ".");
}

/* What a shard holds, tensors from `first` on, is what the index says it holds. */
static status check_shard(const container *c, int32_t first, const char *path, const json_t *map,
                          const char *shard, error *err)
{
    for (int32_t i = first; i < c->n; i++) {
        const char *said = json_string_value(json_object_get(map, c->t[i].name));
        if (!said || strcmp(said, shard))
            return error_set(err, E_FORMAT, "%s: tensor '%.120s' is in %s, the index says %s", path,
                             c->t[i].name, shard, said ? said : "nothing of it");
    }
    return E_OK;
}

static status read_shards(container *c, const char *path, shard_read *read, const json_t *map,
                          json_t *seen, error *err)
{
    const char *name;
    json_t *file;
    char *dir = path_dir(&c->mem, path);
    if (!dir) return error_set(err, E_NOMEM, "%s: out of memory", path);
    json_object_foreach((json_t *)map, name, file)
    {
        const char *shard = json_string_value(file);
        if (!shard || !plain_name(shard))
            return error_set(err, E_FORMAT,
                             "%s: tensor '%.120s' is said to be in '%.120s', expected the name of "
                             "a file beside the index",
                             path, name, shard ? shard : json_kind(file));
        if (json_object_get(seen, shard)) continue;
        if (json_object_size(seen) >= MAX_SHARDS)
            return error_set(err, E_LIMIT, "%s: more than %d shards", path, MAX_SHARDS);
        char *full = path_join(&c->mem, dir, shard);
        int32_t first = c->n;
        if (!full || json_object_set_new(seen, shard, json_true()))
            return error_set(err, E_NOMEM, "%s: out of memory", path);
        status st = read(c, full, err);
        if (st == E_OK) st = check_shard(c, first, path, map, shard, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

/* Every tensor of the index is there. */
static status check_index(const container *c, const char *path, const json_t *map, error *err)
{
    if ((size_t)c->n == json_object_size(map)) return E_OK;
    const char *name;
    json_t *file;
    json_object_foreach((json_t *)map, name, file)
    {
        bool there = false;
        for (int32_t i = 0; i < c->n && !there; i++) there = !strcmp(c->t[i].name, name);
        if (!there)
            return error_set(err, E_FORMAT,
                             "%s: tensor '%.120s' is said to be in %s, which does not have it",
                             path, name, json_string_value(file));
    }
    return error_set(err, E_FORMAT, "%s: a tensor is in two shards", path);
}

status shards_read(container *c, const char *path, shard_read *read, error *err)
{
    json_t *json = NULL, *seen = NULL;
    status st = json_open(&json, path, MAX_INDEX, err);
    if (st != E_OK) return st;
    const json_t *map = json_object_get(json, "weight_map");
    seen = json_object();
    if (!seen) st = error_set(err, E_NOMEM, "%s: out of memory", path);
    else if (!json_is_object(map))
        st = error_set(err, E_FORMAT, "%s: weight_map is %s, expected an object", path,
                       json_kind(map));
    else st = read_shards(c, path, read, map, seen, err);
    if (st == E_OK) st = check_index(c, path, map, err);
    json_decref(seen);
    json_decref(json);
    return st;
}
/* SPDX-License-Identifier: MIT */
