/* charsmap -- SentencePiece's compiled normalization: a double-array trie (Darts-clone) from texts to texts.
 *
 * A unit packs a label (8 bits and the sign), whether a value follows, and the offset to its children; a value
 * is an index into the texts.  Nothing in it is trusted: every step is held inside the array. */
#include "token/spm.h"
#include <string.h>

status charsmap_read(charsmap *out, arena *mem, const char *p, size_t n, const char *path,
                     error *err)
{
    uint32_t bytes = 0;
    if (n >= 4) memcpy(&bytes, p, 4);
    if (n < 5 || bytes % 4 || bytes < 4 || bytes > n - 5)
        return error_set(err, E_FORMAT, "%s: the normalization table has %zu bytes, its trie %u",
                         path, n, bytes);
    if (p[n - 1])
        return error_set(err, E_FORMAT, "%s: the normalization table does not end with NUL", path);
    uint32_t *unit = arena_copy(mem, p + 4, bytes);
    char *text = arena_copy(mem, p + 4 + bytes, n - 4 - bytes);
    if (!unit || !text) return no_memory(err, path);
    *out = (charsmap){ unit, bytes / 4, text, n - 4 - bytes };
    return E_OK;
}

static uint32_t label_of(uint32_t unit) { return unit & (1u << 31 | 0xff); }
static uint32_t offset_of(uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); }
static bool has_value(uint32_t unit) { return unit >> 8 & 1; }

const char *charsmap_find(const charsmap *m, const char *p, size_t n, size_t *length)
{
    const char *best = NULL;
    if (!m->n_unit) return NULL;
    size_t at = offset_of(m->unit[0]);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        at ^= c;
        if (at >= m->n_unit || label_of(m->unit[at]) != c) break;
        uint32_t unit = m->unit[at];
        at ^= offset_of(unit);
        if (!has_value(unit)) continue;
        uint32_t value = at < m->n_unit ? m->unit[at] & 0x7fffffff : UINT32_MAX;
        if (value >= m->n_text) break;
        best = m->text + value, *length = i + 1;
    }
    return best;
}
/* SPDX-License-Identifier: MIT */
