/* proto -- see proto.h. */
#include "token/proto.h"
#include <string.h>

static bool take_varint(proto *m, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && m->left; shift += 7) {
        unsigned char byte = *m->p++;
        m->left--;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static bool take_fixed(proto *m, uint64_t *out, size_t n)
{
    *out = 0;
    if (m->left < n) return false;
    for (size_t i = 0; i < n; i++) *out |= (uint64_t)m->p[i] << (8 * i);
    m->p += n, m->left -= n;
    return true;
}

static bool take_bytes(proto *m, proto_field *f)
{
    uint64_t n;
    if (!take_varint(m, &n) || n > m->left) return false;
    f->p = m->p, f->n = (size_t)n;
    m->p += n, m->left -= (size_t)n;
    return true;
}

static bool take_value(proto *m, proto_field *f)
{
    switch (f->wire) {
    case 0: return take_varint(m, &f->value);
    case 1: return take_fixed(m, &f->value, 8);
    case 2: return take_bytes(m, f);
    case 5: return take_fixed(m, &f->value, 4);
    default: return false; /* groups, which nobody writes */
    }
}

bool proto_next(proto *m, proto_field *out)
{
    uint64_t tag;
    *out = (proto_field){ 0 };
    if (m->broken || !m->left) return false;
    if (take_varint(m, &tag) && tag >> 3) {
        out->number = tag >> 3, out->wire = (int)(tag & 7);
        if (take_value(m, out)) return true;
    }
    m->broken = true;
    return false;
}

float proto_float(const proto_field *f)
{
    uint32_t bits = (uint32_t)f->value;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
/* SPDX-License-Identifier: MIT */
