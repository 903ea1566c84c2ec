/* gguf_made -- see gguf_made.h. */
#include "gguf_made.h"
#include "base/file.h"
#include "test.h"
#include <string.h>

enum { U32 = 4, I32 = 5, F32 = 6, BOOL = 7, TEXT = 8, ARRAY = 9 };

uint32_t made_type(dtype t)
{
    static const struct {
        dtype t;
        uint32_t number;
    } types[] = { { DTYPE_F32, 0 },   { DTYPE_F16, 1 },   { DTYPE_BF16, 30 }, { DTYPE_Q4_0, 2 },
                  { DTYPE_Q4_1, 3 },  { DTYPE_Q5_0, 6 },  { DTYPE_Q5_1, 7 },  { DTYPE_Q8_0, 8 },
                  { DTYPE_Q2_K, 10 }, { DTYPE_Q3_K, 11 }, { DTYPE_Q4_K, 12 }, { DTYPE_Q5_K, 13 },
                  { DTYPE_Q6_K, 14 }, { DTYPE_F64, 28 } };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].t == t) return types[i].number;
    return 999;
}

static void put_u32(str *s, uint32_t x) { str_add(s, &x, sizeof x); }
static void put_u64(str *s, uint64_t x) { str_add(s, &x, sizeof x); }

static void put_text(str *s, const char *text)
{
    put_u64(s, strlen(text));
    str_puts(s, text);
}

static str *begin_value(gguf_made *g, const char *key, uint32_t type)
{
    put_text(&g->value, key);
    put_u32(&g->value, type);
    g->n_value++;
    return &g->value;
}

static str *begin_array(gguf_made *g, const char *key, uint32_t type, int64_t n)
{
    put_u32(begin_value(g, key, ARRAY), type);
    put_u64(&g->value, (uint64_t)n);
    return &g->value;
}

void made_begin(gguf_made *g, const char *architecture)
{
    *g = (gguf_made){ .version = 3, .align = 32 };
    made_text(g, "general.architecture", architecture);
}

void made_text(gguf_made *g, const char *key, const char *value)
{
    put_text(begin_value(g, key, TEXT), value);
}

void made_u32(gguf_made *g, const char *key, uint32_t value)
{
    put_u32(begin_value(g, key, U32), value);
}

void made_f32(gguf_made *g, const char *key, float value)
{
    str_add(begin_value(g, key, F32), &value, sizeof value);
}

void made_flag(gguf_made *g, const char *key, bool value)
{
    str_add(begin_value(g, key, BOOL), value ? "\1" : "\0", 1);
}

void made_texts(gguf_made *g, const char *key, const char *const *text, int64_t n)
{
    begin_array(g, key, TEXT, n);
    for (int64_t i = 0; i < n; i++) put_text(&g->value, text[i]);
}

void made_floats(gguf_made *g, const char *key, const float *x, int64_t n)
{
    str_add(begin_array(g, key, F32, n), x, (size_t)n * sizeof *x);
}

void made_ints(gguf_made *g, const char *key, const int32_t *x, int64_t n)
{
    str_add(begin_array(g, key, I32, n), x, (size_t)n * sizeof *x);
}

static void pad(str *s, uint32_t align)
{
    while (s->n % align) str_add(s, "", 1);
}

void made_tensor(gguf_made *g, const char *name, dtype t, int64_t n_row, int64_t n_col,
                 const void *data)
{
    pad(&g->data, g->align);
    put_text(&g->tensor, name);
    put_u32(&g->tensor, n_row ? 2 : 1);
    put_u64(&g->tensor, (uint64_t)n_col);
    if (n_row) put_u64(&g->tensor, (uint64_t)n_row);
    put_u32(&g->tensor, made_type(t));
    put_u64(&g->tensor, g->data.n);
    str_add(&g->data, data, dtype_size(t, (n_row ? n_row : 1) * n_col));
    g->n_tensor++;
}

void made_file(gguf_made *g, const char *path)
{
    str s = { 0 };
    str_puts(&s, "GGUF");
    put_u32(&s, g->version);
    put_u64(&s, g->n_tensor);
    put_u64(&s, g->n_value);
    str_add(&s, g->value.p, g->value.n);
    if (g->tensor.n) str_add(&s, g->tensor.p, g->tensor.n);
    pad(&s, g->align);
    if (g->data.n) str_add(&s, g->data.p, g->data.n);
    REQUIRE(!s.failed && file_write(path, s.p, s.n, NULL) == E_OK);
    str_release(&s), str_release(&g->value), str_release(&g->tensor), str_release(&g->data);
}
/* SPDX-License-Identifier: MIT */
