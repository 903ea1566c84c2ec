/* t_format -- containers: what is written is read back; whatever is wrong with a file is said. */
#define TEST_FILE t_format
#include "test.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/format.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/resource.h>
#include <signal.h>

static status open_it(const char *path, error *err)
{
    container *c = NULL;
    *err = (error){ 0 };
    status st = container_open(&c, path, err);
    CHECK((st == E_OK) == (c != NULL) && (st == E_OK || err->msg[0]));
    container_free(c);
    return st;
}

/* ---- what is written is read ---- */

static const float numbers[6] = { 1, -2, 0.5f, 3e38f, -0.0f, 1e-45f };
static const int64_t ids[3] = { 1, -7, INT64_MAX };
static const tensor_view sample[] = {
    { "b.ids", DTYPE_I64, 1, { 3 }, ids, sizeof ids, 0 },
    { "a", DTYPE_F32, 2, { 2, 3 }, numbers, sizeof numbers, 0 },
    { "scalar", DTYPE_F32, 0, { 0 }, numbers, 4, 0 },
    { "empty", DTYPE_F32, 2, { 0, 5 }, numbers, 0, 0 },
};
enum { N = 4 };

static void round_trip(const char *path)
{
    container *c = NULL;
    error err = { 0 };
    REQUIRE(tensors_write(path, sample, N, NULL, 0, &err) == E_OK &&
            container_open(&c, path, &err) == E_OK);
    CHECK(container_count(c) == N);
    for (int i = 0; i < N; i++) {
        const tensor_view *t = container_find(c, sample[i].name);
        REQUIRE(t && t->dtype == sample[i].dtype && t->n_dim == sample[i].n_dim &&
                t->bytes == sample[i].bytes);
        CHECK(!memcmp(t->dim, sample[i].dim, (size_t)t->n_dim * sizeof *t->dim));
        CHECK(!t->bytes || !memcmp(t->data, sample[i].data, t->bytes));
    }
    container_free(c);
}

TEST("tensors written as safetensors and npz are read back, bit for bit")
{
    round_trip(test_path("x.safetensors"));
    round_trip(test_path("x.npz"));
}

TEST("the hash is of the tensors, not of how they are packed; one bit changes it")
{
    char a[CONTAINER_HASH], b[CONTAINER_HASH], d[CONTAINER_HASH];
    container *c;
    float other[6];
    tensor_view changed[N];
    memcpy(other, numbers, sizeof other);
    memcpy(changed, sample, sizeof changed);
    other[5] = 0, changed[1].data = other;
    REQUIRE(!tensors_write(test_path("x.safetensors"), sample, N,
                           (const char *const[]){ "key", "value" }, 1, NULL));
    REQUIRE(!tensors_write(test_path("x.npz"), sample, N, NULL, 0, NULL) &&
            !tensors_write(test_path("y.npz"), changed, N, NULL, 0, NULL));
    REQUIRE(!container_open(&c, test_path("x.safetensors"), NULL) && !container_hash(c, a, NULL));
    CHECK(!strcmp(container_meta(c, "key"), "value") && !container_meta(c, "other"));
    container_free(c);
    REQUIRE(!container_open(&c, test_path("x.npz"), NULL) && !container_hash(c, b, NULL));
    container_free(c);
    REQUIRE(!container_open(&c, test_path("y.npz"), NULL) && !container_hash(c, d, NULL));
    container_free(c);
    CHECK(!strcmp(a, b) && strcmp(a, d) && !strncmp(a, "xxh3-128:", 9));
}

TEST("half precision widens exactly and rounds to nearest, ties to even")
{
    int wrong = 0;
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t half = (uint16_t)h, back;
        float x = dtype_f16(half), y = dtype_bf16(half);
        dtype_row_from_f32(DTYPE_F16, &x, &back, 1);
        wrong += x == x && back != half;
        dtype_row_from_f32(DTYPE_BF16, &y, &back, 1);
        wrong += y == y && back != half;
        wrong += (half & 0x7c00) == 0x7c00 ? (half & 0x3ff ? x == x : !isinf(x)) : 0;
    }
    CHECK(wrong == 0);
    static const float in[] = { 2049, 2051, 65519.996f, 65520, 6e-8f, 2.9e-8f };
    static const float out[] = { 2048, 2052, 65504, INFINITY, 0x1p-24f, 0 };
    for (int i = 0; i < 6; i++) {
        uint16_t h;
        dtype_row_from_f32(DTYPE_F16, &in[i], &h, 1);
        CHECK(dtype_f16(h) == out[i]);
    }
}

/* ---- what is wrong is said ---- */

static size_t safetensors(char *out, const char *header, size_t data)
{
    uint64_t n = strlen(header);
    memcpy(out, &n, 8);
    memcpy(out + 8, header, n);
    memset(out + 8 + n, 0, data);
    return 8 + n + data;
}

static status with_header(const char *header, size_t data, error *err)
{
    static char bytes[4096];
    const char *path = test_path("x.safetensors");
    REQUIRE(file_write(path, bytes, safetensors(bytes, header, data), NULL) == E_OK);
    return open_it(path, err);
}

TEST("a safetensors header that does not hold together is refused with what was found")
{
    static const struct {
        const char *header;
        size_t data;
        status st;
        const char *says;
    } bad[] = {
        { "[]", 0, E_FORMAT, "an array" },
        { "{\"t\":1}", 0, E_FORMAT, "'t'" },
        { "{\"t\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, E_UNSUPPORTED,
          "F33" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, E_FORMAT,
          "need 8" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,400]}}", 4, E_FORMAT,
          "400" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, E_FORMAT,
          "end before" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, E_FORMAT,
          "shape" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]}}", 4,
          E_FORMAT, "fit" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, E_FORMAT,
          "4 bytes after" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, E_FORMAT,
          "no tensor" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"u\":{\"dtype\":"
          "\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
          8, E_FORMAT, "overlaps" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"t\":{\"dtype\":"
          "\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
          8, E_FORMAT, "duplicate" },
        { "{\"__metadata__\":{\"a\":1}}", 0, E_FORMAT, "__metadata__" },
        { "{\"t\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
          E_UNSUPPORTED, "9 dimensions" },
        { "{nonsense", 0, E_FORMAT, "line 1" },
    };
    error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(with_header(bad[i].header, bad[i].data, &err) == bad[i].st);
        if (!strstr(err.msg, bad[i].says)) fprintf(stderr, "%s\n", err.msg);
        CHECK(strstr(err.msg, bad[i].says) && strstr(err.msg, "x.safetensors"));
    }
    CHECK(with_header("{}", 0, &err) == E_OK);
}

TEST("a file cut off at any byte is refused, whatever its format")
{
    const char *names[] = { "x.safetensors", "x.npz" };
    for (int k = 0; k < 2; k++) {
        str s = { 0 };
        error err;
        REQUIRE(!tensors_write(test_path(names[k]), sample, N, NULL, 0, NULL) &&
                !file_read(&s, test_path(names[k]), 1 << 20, NULL));
        for (size_t n = 0; n < s.n; n++) {
            REQUIRE(file_write(test_path(names[k]), s.p, n, NULL) == E_OK);
            CHECK(open_it(test_path(names[k]), &err) != E_OK);
        }
        str_release(&s);
    }
}

TEST("a header longer than the file, or than the limit, is refused before anything is read")
{
    error err;
    static const unsigned char big[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
                               past[16] = { 100 };
    REQUIRE(!file_write(test_path("big.safetensors"), big, 16, NULL) &&
            !file_write(test_path("past.safetensors"), past, 16, NULL));
    CHECK(open_it(test_path("big.safetensors"), &err) == E_LIMIT);
    CHECK(open_it(test_path("past.safetensors"), &err) == E_FORMAT &&
          strstr(err.hint, "truncated"));
}

static status with_index(const char *text, error *err)
{
    REQUIRE(file_write(test_path("model.safetensors.index.json"), text, strlen(text), NULL) ==
            E_OK);
    return open_it(test_dir(), err);
}

TEST("shards are read through their index, which may name files beside it and nothing else")
{
    error err;
    REQUIRE(!tensors_write(test_path("one.safetensors"), &sample[0], 1, NULL, 0, NULL));
    REQUIRE(!tensors_write(test_path("two.safetensors"), &sample[1], 1, NULL, 0, NULL));
    CHECK(with_index("{\"weight_map\":{\"b.ids\":\"one.safetensors\",\"a\":\"two.safetensors\"}}",
                     &err) == E_OK);
    CHECK(with_index("{\"weight_map\":{\"b.ids\":\"two.safetensors\",\"a\":\"one.safetensors\"}}",
                     &err) == E_FORMAT);
    CHECK(with_index("{\"weight_map\":{\"b.ids\":\"one.safetensors\"}}", &err) == E_OK);
    CHECK(with_index("{\"weight_map\":{\"b.ids\":\"one.safetensors\",\"c\":\"one.safetensors\"}}",
                     &err) == E_FORMAT &&
          strstr(err.msg, "'c'"));
    CHECK(with_index("{\"weight_map\":{\"c\":\"one.safetensors\"}}", &err) == E_FORMAT &&
          strstr(err.msg, "b.ids"));
    CHECK(with_index("{\"weight_map\":{\"a\":\"../two.safetensors\"}}", &err) == E_FORMAT &&
          strstr(err.msg, "beside"));
    CHECK(with_index("{\"weight_map\":{\"a\":\"three.safetensors\"}}", &err) == E_IO &&
          strstr(err.msg, "three"));
    CHECK(with_index("{\"weight_map\":[]}", &err) == E_FORMAT);
    CHECK(with_index("{", &err) == E_FORMAT);
}

TEST("what is no container is refused with what was expected")
{
    error err;
    CHECK(open_it(test_path("nothing.safetensors"), &err) == E_IO && err.hint[0]);
    CHECK(open_it(test_path("nothing"), &err) == E_IO);
    CHECK(open_it(test_dir(), &err) == E_IO && strstr(err.msg, "model.safetensors"));
    REQUIRE(file_write(test_path("weights.gguf"), "", 0, NULL) == E_OK);
    CHECK(open_it(test_dir(), &err) == E_IO && strstr(err.hint, "ends in .gguf"));
    REQUIRE(unlink(test_path("weights.gguf")) == 0);
    CHECK(open_it("/dev/null", &err) == E_UNSUPPORTED);
    CHECK(tensors_write(test_path("x.pt"), sample, N, NULL, 0, &err) == E_USAGE);
}

/* ---- numpy's files ---- */

static void put_npy(const char *name, const char *head, const void *data, size_t n)
{
    str s = { 0 };
    uint16_t length = (uint16_t)strlen(head);
    str_add(&s, "\x93NUMPY\1\0", 8);
    str_add(&s, &length, 2);
    str_puts(&s, head);
    str_add(&s, data, n);
    REQUIRE(!s.failed && file_write(test_path(name), s.p, s.n, NULL) == E_OK);
    str_release(&s);
}

TEST("a directory of .npy files is one container, Fortran's order is put right, its size is not "
     "trusted")
{
    static const char c_order[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
                      f_order[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }\n",
                      object[] = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
                      none[] = "{'descr': '<f4', 'shape': (2, 3), }\n",
                      large[] =
                          "{'descr': '<f4', 'fortran_order': True, 'shape': (99999, 99999), }\n";
    static const float v[6] = { 0, 1, 2, 3, 4, 5 }, turned[6] = { 0, 3, 1, 4, 2, 5 };
    container *c = NULL;
    error err;
    put_npy("a.weight.npy", c_order, v, sizeof v);
    put_npy("b.npy", f_order, v, sizeof v);
    REQUIRE(container_open(&c, test_dir(), NULL) == E_OK);
    const tensor_view *a = container_find(c, "a.weight"), *b = container_find(c, "b");
    CHECK(container_count(c) == 2 && !strcmp(container_format(c), "npy"));
    REQUIRE(a && b && b->dim[0] == 3 && b->dim[1] == 2);
    CHECK(!memcmp(a->data, v, sizeof v) && !memcmp(b->data, turned, sizeof v));
    container_free(c);
    put_npy("x.npy", object, v, 8);
    CHECK(open_it(test_path("x.npy"), &err) == E_UNSUPPORTED && strstr(err.msg, "'|O'"));
    put_npy("x.npy", none, v, sizeof v);
    CHECK(open_it(test_path("x.npy"), &err) == E_FORMAT && strstr(err.msg, "order"));
    put_npy("x.npy", large, v, sizeof v);
    CHECK(open_it(test_path("x.npy"), &err) == E_FORMAT && strstr(err.msg, "24 bytes"));
    CHECK(open_it(test_dir(), &err) == E_FORMAT && strstr(err.msg, "x.npy"));
}

/* ---- llama2.c ---- */

TEST(
    "a llama2.c checkpoint is cut into tensors with their names, and every wrong length is refused")
{
    enum { DIM = 4, HIDDEN = 6, LAYERS = 2, HEADS = 2, KV = 1, VOCAB = 5, SEQ = 3 };
    static struct {
        int32_t h[7];
        float w[4096];
    } f = { { DIM, HIDDEN, LAYERS, HEADS, KV, VOCAB, SEQ }, { 0 } };
    size_t n = VOCAB * DIM +
               LAYERS * (2 * DIM + 2 * DIM * DIM + 2 * DIM * DIM / HEADS + 3 * DIM * HIDDEN) + DIM +
               SEQ * DIM / HEADS;
    container *c;
    error err;
    for (int i = 0; i < 4096; i++) f.w[i] = (float)i;
    REQUIRE(!file_write(test_path("m.bin"), &f, 28 + 4 * n, NULL) &&
            !container_open(&c, test_path("m.bin"), NULL));
    CHECK(container_count(c) == 2 + 9 * LAYERS &&
          strstr(container_meta(c, "config"), "\"max_position_embeddings\": 3,"));
    const tensor_view *k = container_find(c, "model.layers.1.self_attn.k_proj.weight");
    CHECK(k && k->dim[0] == DIM / HEADS && k->dim[1] == DIM);
    container_free(c);
    for (size_t m = 0; m < 28 + 4 * n; m += 13) {
        REQUIRE(file_write(test_path("m.bin"), &f, m, NULL) == E_OK);
        CHECK(open_it(test_path("m.bin"), &err) == E_FORMAT);
    }
    REQUIRE(!file_write(test_path("m.bin"), &f, 28 + 4 * n + 4, NULL));
    CHECK(open_it(test_path("m.bin"), &err) == E_FORMAT && strstr(err.msg, "after"));
    f.h[5] = -VOCAB;
    REQUIRE(!file_write(test_path("m.bin"), &f, 28 + 4 * (n + VOCAB * DIM), NULL) &&
            !container_open(&c, test_path("m.bin"), NULL));
    CHECK(container_find(c, "lm_head.weight") &&
          strstr(container_meta(c, "config"), "\"tie_word_embeddings\": false"));
    container_free(c);
    f.h[5] = VOCAB;
    for (int i = 0; i < 7; i++) {
        int32_t was = f.h[i];
        f.h[i] = i == 5 ? INT32_MIN : -3;
        REQUIRE(!file_write(test_path("m.bin"), &f, 28 + 4 * n, NULL));
        CHECK(open_it(test_path("m.bin"), &err) == E_FORMAT);
        f.h[i] = was;
    }
}

/* ---- nothing lost ---- */

TEST("a zip whose list of entries breaks off is refused, not read as far as it goes")
{
    const char *path = test_path("broken.npz");
    str s = { 0 };
    error err;
    REQUIRE(tensors_write(path, sample, N, NULL, 0, NULL) == E_OK);
    REQUIRE(file_read(&s, path, 1 << 20, NULL) == E_OK);
    size_t last = 0;
    for (size_t i = 0; i + 4 < s.n; i++)
        if (!memcmp(s.p + i, "PK\1\2", 4)) last = i;
    REQUIRE(last);
    s.p[last + 3] = 7;
    REQUIRE(file_write(path, s.p, s.n, NULL) == E_OK);
    CHECK(open_it(path, &err) == E_FORMAT && strstr(err.msg, "breaks off after 3"));
    str_release(&s);
}

TEST("a turned vector is read in the order of the matrix of one column that it is")
{
    float v[8];
    double as_vector[8], as_matrix[8];
    for (int i = 0; i < 8; i++) v[i] = (float)i;
    tensor_view t = { "b", DTYPE_F32, 1, { 8 }, v, sizeof v, 4 }, m = t;
    m.n_dim = 2, m.dim[1] = 1;
    tensor_values(&t, 0, 8, as_vector), tensor_values(&m, 0, 8, as_matrix);
    CHECK(!memcmp(as_vector, as_matrix, sizeof as_vector) && as_vector[1] > 1);
}

TEST("a full disk leaves the old file as it was, and no other")
{
    error err = { 0 };
    static float big[1 << 16];
    tensor_view t = { "t", DTYPE_F32, 1, { 1 << 16 }, big, sizeof big, 0 };
    REQUIRE(!tensors_write(test_path("x.safetensors"), sample, N, NULL, 0, NULL));
    struct rlimit old, small = { 4096, RLIM_INFINITY };
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    status a = tensors_write(test_path("x.safetensors"), &t, 1, NULL, 0, &err),
           b = tensors_write(test_path("y.npz"), &t, 1, NULL, 0, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, was);
    CHECK(a == E_IO && b == E_IO && strstr(err.msg, "x.safetensors"));
    CHECK(open_it(test_path("x.safetensors"), &err) == E_OK && !file_exists(test_path("y.npz")));
    CHECK(tensors_write(test_path("no/such/x.npz"), sample, N, NULL, 0, &err) == E_IO);
}

TEST("allocation failing at any call while writing, opening and hashing leaves nothing behind")
{
    for (int64_t n = 0;; n++) {
        container *c = NULL;
        char hash[CONTAINER_HASH];
        error err = { 0 };
        mem_state.fail_at = n;
        status st = tensors_write(test_path("x.safetensors"), sample, N,
                                  (const char *const[]){ "a", "b" }, 1, &err);
        if (st == E_OK) st = container_open(&c, test_path("x.safetensors"), &err);
        if (st == E_OK) st = container_hash(c, hash, &err);
        mem_state.fail_at = -1;
        container_free(c);
        if (st == E_OK) break;
        CHECK(st == E_NOMEM);
    }
}
/* SPDX-License-Identifier: MIT */
