/* proto -- reading protobuf messages, field by field, without trusting a length.
 *
 *     tag: varint (field << 3 | wire) | value: varint (0), 8 bytes (1), length and bytes (2), 4 bytes (5) | ... */
#ifndef MICROTOME_TOKEN_PROTO_H
#define MICROTOME_TOKEN_PROTO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct proto {
    const unsigned char *p;
    size_t left;
    bool broken; /* it ended inside a field, or has a wire type that is not known */
} proto;

typedef struct proto_field {
    uint64_t number;
    int wire;
    uint64_t value;         /* of wire 0, 1, 5 */
    const unsigned char *p; /* of wire 2: n bytes inside the message */
    size_t n;
} proto_field;

/* The next field; false at the end, or where the message is broken.
 *
 * [err: m->broken | owns: borrowed | thread: m's own | cost: O(1)] */
bool proto_next(proto *m, proto_field *out);

/* A value of wire 5 as a float.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
float proto_float(const proto_field *f);

#endif
/* SPDX-License-Identifier: MIT */
