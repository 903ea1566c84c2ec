/* t_pytorch -- what torch.save writes: tensors are the originals', and nothing but tensors comes of a file.
 *
 * torch_zip.pt and torch_stream.pt were written by torch itself (torch_cases.py); bad pickles are written here. */
#define TEST_FILE t_pytorch
#include "test.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/format.h"
#include <stdlib.h>
#include <string.h>

/* Not file_write: thousands of them need no fsync. */
static const char *put(const void *p, size_t n)
{
    const char *path = test_path("x.pt");
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(p, 1, n, f) == n && !fclose(f));
    return path;
}

static void hash_of(const char *path, char out[CONTAINER_HASH])
{
    container *c = NULL;
    error err = { 0 };
    if (container_open(&c, path, &err)) printf("  %s\n", err.msg);
    REQUIRE(c && container_hash(c, out, NULL) == E_OK);
    container_free(c);
}

TEST("tensors saved by torch, as a zip and as a stream, are those torch loads: views, ties, every "
     "type")
{
    char want[CONTAINER_HASH], zip[CONTAINER_HASH], stream[CONTAINER_HASH];
    hash_of(source_path("tests/torch_want.safetensors"), want);
    hash_of(source_path("tests/torch_zip.pt"), zip);
    hash_of(source_path("tests/torch_stream.pt"), stream);
    CHECK(!strcmp(want, zip) && !strcmp(want, stream));
}

TEST("storages are mapped: a tensor in order is not copied, and tied tensors are one")
{
    container *c = NULL;
    REQUIRE(container_open(&c, source_path("tests/torch_zip.pt"), NULL) == E_OK);
    const tensor_view *plain = container_find(c, "plain"), *tied = container_find(c, "tied"),
                      *row = container_find(c, "row"), *turned = container_find(c, "turned");
    REQUIRE(plain && tied && row && turned);
    CHECK(plain->data == tied->data && row->data == (const char *)plain->data + 2 * 6 * 4);
    CHECK(turned->data != plain->data && turned->dim[0] == 6 && turned->dim[1] == 4);
    CHECK(!container_find(c, "optimizer.step") && !container_find(c, "step"));
    container_free(c);
}

TEST(".bin is what its first bytes say, whatever it is called; in a directory safetensors comes "
     "first")
{
    str s = { 0 };
    container *c = NULL;
    REQUIRE(file_read(&s, source_path("tests/torch_stream.pt"), 1 << 20, NULL) == E_OK);
    REQUIRE(!file_write(test_path("x.bin"), s.p, s.n, NULL) &&
            !file_write(test_path("pytorch_model.bin"), s.p, s.n, NULL));
    CHECK(!strcmp(format_of(test_path("x.bin"), NULL), "pytorch") &&
          !strcmp(format_of("no/such.bin", NULL), "llama2c") &&
          !strcmp(format_of("no/pytorch_model.bin", NULL), "pytorch"));
    REQUIRE(container_open(&c, test_dir(), NULL) == E_OK);
    CHECK(!strcmp(container_format(c), "pytorch"));
    container_free(c);
    static const char index[] = "{\"weight_map\":{\"a\":\"y.bin\"}}";
    REQUIRE(!file_write(test_path("pytorch_model.bin.index.json"), index, sizeof index - 1, NULL));
    error err = { 0 };
    CHECK(container_open(&c, test_path("pytorch_model.bin.index.json"), &err) == E_IO &&
          strstr(err.msg, "y.bin"));
    const tensor_view t = { "t", DTYPE_U8, 1, { 3 }, "abc", 3, 0 };
    REQUIRE(!tensors_write(test_path("model.safetensors"), &t, 1, NULL, 0, NULL) &&
            !container_open(&c, test_dir(), NULL));
    CHECK(!strcmp(container_format(c), "safetensors"));
    container_free(c);
    str_release(&s);
}

/* ---- what is refused ---- */

/* A stream around a pickle, with one storage "0" of two float32. */
static void put_stream(str *s, const char *pickle, size_t n, const char *keys, size_t n_keys)
{
    static const char head[] =
        "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03."
        "\x80\x02}X\x0d\0\0\0little_endian\x88s.\x80\x02",
                      numbers[] = "\x02\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40";
    str_add(s, head, sizeof head - 1);
    str_add(s, pickle, n);
    str_add(s, ".\x80\x02", 3);
    str_add(s, keys, n_keys);
    str_add(s, ".", 1);
    if (n_keys > 2) str_add(s, numbers, sizeof numbers - 1);
}

#define STORAGE                                                                                    \
    "(U\x07storagectorch\nFloatStorage\nU\x01"                                                     \
    "0U\x03"                                                                                       \
    "cpuK\x02tQ"
#define CALL "ctorch._utils\n_rebuild_tensor_v2\n("
#define REST "\x89)tR"
#define NAMED(tensor) "}U\x01w" tensor "s"

static status refused(const char *pickle, size_t n, error *err)
{
    str s = { 0 };
    container *c = NULL;
    static const char one[] = "FloatStorage\nU\1"
                              "0";
    bool uses = n && memmem(pickle, n, one, sizeof one - 1);
    put_stream(&s, pickle, n,
               "]U\x01"
               "0a",
               uses ? 5 : 1);
    *err = (error){ 0 };
    REQUIRE(!s.failed);
    status st = container_open(&c, put(s.p, s.n), err);
    str_release(&s);
    container_free(c);
    return st;
}

TEST("what is no tensor of plain data is refused by its name, before anything of it is done")
{
    static const struct {
        const char *pickle;
        size_t n;
        status st;
        const char *says;
    } bad[] = {
#define P(text) text, sizeof text - 1
        { P("cos\nsystem\n(U\x02idtR"), E_UNSUPPORTED, "'os.system'" },
        { P("U\x08"
            "builtinsU\x04"
            "eval\x93"),
          E_UNSUPPORTED, "'builtins.eval'" },
        { P("(U\x06modulectorch.nn\nLinear\ntQ"), E_UNSUPPORTED, "'torch.nn.Linear'" },
        { P("(U\x06moduleNU\x01"
            "0tQ"),
          E_UNSUPPORTED, "module" },
        { P("ctorch\nComplexFloatStorage\n"), E_UNSUPPORTED, "ComplexFloatStorage" },
        { P("I1\n"), E_UNSUPPORTED, "0x49" },
        { P("P1\n"), E_UNSUPPORTED, "0x50" },
        { P("i"), E_UNSUPPORTED, "0x69" },
        { P("K\x01)R"), E_UNSUPPORTED, "cannot be called" },
        { P("ctorch\nfloat32\n)R"), E_UNSUPPORTED, "cannot be called" },
        { P("]}b"), E_UNSUPPORTED, "attributes" },
        { P("}"), E_FORMAT, "no tensors" },
        { P("K\x01"), E_FORMAT, "no tensors" },
        { P(""), E_FORMAT, "no value" },
        { P("("), E_FORMAT, "no value" },
        { P("t"), E_FORMAT, "mark" },
        { P("\x87"), E_FORMAT, "fewer" },
        { P("(K\x01\x86"), E_FORMAT, "fewer" },
        { P("K\x01q\xff"), E_FORMAT, "memo" },
        { P("K\x01r\xff\xff\xff\xff"), E_FORMAT, "memo" },
        { P("h\x05"), E_FORMAT, "remembered" },
        { P("]K\x01K\x02s"), E_FORMAT, "no such list" },
        { P("K\x01"
            "a"),
          E_FORMAT, "without a list" },
        { P("X\xff\xff\xff\x7fx"), E_FORMAT, "inside a text" },
        { P("\x8d\xff\xff\xff\xff\xff\xff\xff\xffx"), E_FORMAT, "inside a text" },
        { P("\x8b\xff\xff\xff\xffx"), E_FORMAT, "inside a number" },
        { P(NAMED(CALL "NK\0K\x02\x85K\x01\x85" REST)), E_FORMAT, "storage" },
        { P(NAMED(CALL STORAGE "K\0K\x03\x85K\x01\x85" REST)), E_FORMAT, "'w': ends after" },
        { P(NAMED(CALL STORAGE "K\x01K\x02\x85K\x01\x85" REST)), E_FORMAT, "ends after" },
        { P(NAMED(CALL STORAGE "K\0K\x03\x85K\0\x85" REST)), E_FORMAT, "expanded" },
        { P(NAMED(CALL STORAGE "K\0J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86K\0K\0\x86" REST)),
          E_FORMAT, "fit" },
        { P(NAMED(CALL STORAGE "J\xff\xff\xff\xffK\x01\x85K\x01\x85" REST)), E_FORMAT, "length" },
        { P(NAMED(CALL STORAGE "K\0K\x02\x85J\xff\xff\xff\xff\x85" REST)), E_FORMAT, "length" },
        { P(NAMED(CALL STORAGE "K\0K\x02\x85K\x01K\x01\x86" REST)), E_FORMAT, "as many" },
        { P(NAMED(CALL STORAGE "K\0(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01t2" REST)),
          E_UNSUPPORTED, "9 dimensions" },
        { P(NAMED(CALL "(U\x07storagectorch\nFloatStorage\nU\x01"
                       "9U\x03"
                       "cpuK\x02tQ"
                       "K\0K\x02\x85K\x01\x85" REST)),
          E_FORMAT, "'9'" },
        { P(NAMED(CALL "(U\x07storagectorch\nFloatStorage\nU\x01"
                       "0U\x03"
                       "cpuK\x03tQ"
                       "K\0K\x02\x85K\x01\x85" REST)),
          E_FORMAT, "3 numbers" },
        { P("}N" CALL STORAGE "K\0K\x02\x85K\x01\x85" REST "s"), E_UNSUPPORTED, "no text" },
        { P("}U\x03"
            "a\0b" CALL STORAGE "K\0K\x02\x85K\x01\x85" REST "s"),
          E_UNSUPPORTED, "no text" },
        { P("}(U\x01wNU\x01w" CALL STORAGE "K\0K\x02\x85K\x01\x85" REST "q\0U\x01wh\0u"), E_FORMAT,
          "twice" },
        { P("](}U\x01w" CALL STORAGE "K\0K\x02\x85K\x01\x85" REST "sq\0h\0e"), E_UNSUPPORTED,
          "two names" },
    };
    error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        status st = refused(bad[i].pickle, bad[i].n, &err);
        if (st != bad[i].st || !strstr(err.msg, bad[i].says))
            printf("  %zu: %d, expected %s: %s\n", i, st, bad[i].says, err.msg);
        CHECK(st == bad[i].st && strstr(err.msg, bad[i].says));
    }
    CHECK(refused(P(NAMED(CALL STORAGE "K\0K\x02\x85K\x01\x85" REST)), &err) == E_OK);
    CHECK(refused(P("]q\0h\0a" NAMED(CALL STORAGE "K\0K\x02\x85K\x01\x85" REST) "a"), &err) ==
              E_UNSUPPORTED &&
          strstr(err.msg, "two names"));
#undef P
}

TEST("nesting, sharing and views cannot make a small file cost much")
{
    str s = { 0 };
    error err;
    for (int i = 0; i < 100000; i++) str_add(&s, "]", 1);
    for (int i = 1; i < 100000; i++) str_add(&s, "a", 1);
    CHECK(refused(s.p, s.n, &err) == E_LIMIT && strstr(err.msg, "deep"));
    str_release(&s);
    str_add(&s, "]", 1);
    for (int i = 0; i < 40; i++) str_add(&s, "2\x86", 2); /* (x, x) forty times: 2^40 ways */
    CHECK(refused(s.p, s.n, &err) == E_FORMAT && strstr(err.msg, "no tensors"));
    str_release(&s);
    str_add(&s, "](", 2);
    for (int i = 0; i < 100;
         i++) { /* [1, 2] with strides [1, 2] is in order; of a [2, 1] it is too */
        static const char view[] = CALL STORAGE "K\0K\x01K\x02\x86K\x01K\x01\x86" REST;
        str_add(&s, view, sizeof view - 1);
    }
    str_add(&s, "e", 1);
    CHECK(refused(s.p, s.n, &err) == E_OK);
    str_release(&s);
    mem_state.peak_bytes = mem_state.live_bytes;
    int64_t before = mem_state.live_bytes;
    for (int i = 0; i < 30; i++) str_add(&s, "]", 1);
    str_add(&s, "r\xff\xff\xff\x7f", 5);
    CHECK(refused(s.p, s.n, &err) == E_FORMAT && mem_state.peak_bytes - before < 1 << 20);
    str_release(&s);
    str_puts(
        &s, "ccollections\nOrderedDict\nq\2NN\x86q\1"); /* one list, again and again a dict of it */
    str_add(&s, "]q\0(", 4);
    for (int i = 0; i < 100000; i++) str_add(&s, "h\1", 2);
    str_add(&s, "e](", 3);
    for (int i = 0; i < 100000; i++) str_add(&s, "h\2h\0\x85R", 6);
    str_add(&s, "e", 1);
    CHECK(refused(s.p, s.n, &err) == E_LIMIT && strstr(err.msg, "values"));
    str_release(&s);
}

TEST("a torch file cut off at any byte is refused, and no byte that changes does more than that")
{
    static const char *const names[] = { "torch_zip.pt", "torch_stream.pt" };
    for (int k = 0; k < 2; k++) {
        char from[64];
        str s = { 0 };
        container *c = NULL;
        error err = { 0 };
        snprintf(from, sizeof from, "tests/%s", names[k]);
        REQUIRE(file_read(&s, source_path(from), 1 << 20, NULL) == E_OK);
        for (size_t n = 0; n < s.n; n += 29) {
            CHECK(container_open(&c, put(s.p, n), &err) != E_OK && err.msg[0]);
        }
        for (size_t n = 0; n < s.n; n += 37) {
            s.p[n] = (char)(s.p[n] ^ (1 << n % 8));
            c = NULL;
            if (container_open(&c, put(s.p, s.n), NULL) == E_OK) container_free(c);
            s.p[n] = (char)(s.p[n] ^ (1 << n % 8));
        }
        str_release(&s);
    }
}

TEST("allocation failing at any call while a torch file is opened leaves nothing behind")
{
    static const char *const names[] = { "tests/torch_zip.pt", "tests/torch_stream.pt" };
    for (int k = 0; k < 2; k++)
        for (int64_t n = 0;; n++) {
            container *c = NULL;
            error err = { 0 };
            mem_state.fail_at = n;
            status st = container_open(&c, source_path(names[k]), &err);
            mem_state.fail_at = -1;
            container_free(c);
            if (st == E_OK) break;
            CHECK(st == E_NOMEM);
        }
}
/* SPDX-License-Identifier: MIT */
