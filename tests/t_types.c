/* t_types -- BERT's segments: token types given, types of two texts, types of a dump. */
#define TEST_FILE t_types
#include "test.h"
#include "base/file.h"
#include "format/format.h"
#include "model/prompt.h"
#include "opened.h"
#include "tiny.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BERT "goldens/models/bert"

/* ---- given ---- */

/* The golden's lane 2: its ids, and the logits that the original library computed for it with its types. */
static double off_by(const char *types)
{
    container *c, *got;
    char request[1600], ids[200] = "";
    REQUIRE(!container_open(&c, shared_path(BERT "/golden.safetensors"), NULL));
    const tensor_view *t = container_find(c, "lane2/tokens"), *want;
    want = container_find(c, "lane2/logits");
    REQUIRE(t && want);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double id;
        tensor_values(t, i, 1, &id);
        snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%.0f", i ? "," : "", id);
    }
    snprintf(request, sizeof request,
             "{\"model\": \"%s\", \"tokens\": \"%s\", \"sites\": \"logits\"%s}", shared_path(BERT),
             ids, types);
    mt_report *r = ran("cache", request);
    REQUIRE(r);
    got = tensors_in(r);
    const tensor_view *v = container_at(got, 0);
    double gap = 0;
    REQUIRE(tensor_count(v) == tensor_count(want));
    for (int64_t i = 0; i < tensor_count(v); i++) {
        double x, y;
        tensor_values(v, i, 1, &x), tensor_values(want, i, 1, &y);
        gap = worse(gap, fabs(x - y));
    }
    mt_report_free(r);
    container_free(got), container_free(c);
    return gap;
}

TEST("token types that are given are those the original had; without them it is another sentence")
{
    if (!shared_path(BERT)) SKIP("no ../shared");
    CHECK(off_by(", \"token_types\": \"0,0,0,0,0,0,0,1,1,1,1,1,1\"") < 5e-5);
    CHECK(off_by(", \"token_types\": \"[[0,0,0,0,0,0,0,1,1,1,1,1,1]]\"") < 5e-5);
    CHECK(off_by("") > 0.1);
}

TEST("types that are not one a token, not the model's, or of a model without any are refused")
{
    if (!shared_path(BERT)) SKIP("no ../shared");
    static const struct {
        const char *golden, *more, *says;
    } bad[] = {
        { "bert", "\"tokens\": \"1,2,3\", \"token_types\": \"0,1\"", "2 token types for 3 tokens" },
        { "bert", "\"tokens\": \"1,2,3\", \"token_types\": \"0,1,2\"", "expected 0 to 1" },
        { "bert", "\"tokens\": \"1,2,3\", \"token_types\": \"0,1,-1\"", "token type -1" },
        { "bert", "\"tokens\": \"1,2,3\", \"token_types\": \"[[0,0,0],[0,0,0]]\"", "of 2 prompts" },
        { "bert", "\"tokens\": \"1,2,3\", \"token_types\": \"types.json\"",
          "no file of that name" },
        { "bert", "\"tokens\": \"1,2,3\", \"token_types\": \"[0,\\\"a\\\",0]\"", "list" },
        { "gpt2", "\"tokens\": \"1,2,3\", \"token_types\": \"0,0,0\"", "has no token types" },
        { "bert", "\"tokens\": \"1,2,3\", \"second\": [\"b\"]", "for each --prompt" },
        { "gpt2", "\"prompt\": [\"a\"], \"second\": [\"b\"]", "second text" },
        { "bert", "\"prompt\": [\"a\"], \"second\": [\"b\"]", "no tokenizer" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char request[1600], rel[60];
        snprintf(rel, sizeof rel, "goldens/models/%s", bad[i].golden);
        snprintf(request, sizeof request, "{\"model\": \"%s\", %s}", shared_path(rel), bad[i].more);
        refuses("cache", request, bad[i].says);
    }
}

/* ---- two texts ---- */

/* The golden BERT with a tokenizer of eight words, whose template of two texts is `pair`. */
static const char *with_words(const char *pair)
{
    static const char *const name[] = { "config.json", "model.safetensors" };
    char text[3000], from[PATH_MAX], rel[100];
    for (int i = 0; i < 2; i++) {
        snprintf(rel, sizeof rel, BERT "/%s", name[i]);
        REQUIRE(realpath(shared_path(rel), from));
        REQUIRE(symlink(from, test_path(name[i])) == 0 || errno == EEXIST);
    }
    snprintf(
        text, sizeof text,
        "{\"version\":\"1.0\",\"added_tokens\":[],\"normalizer\":null,"
        "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":"
        "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\",\"type_id\":0}},"
        "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[SEP]\","
        "\"type_id\":0}}],\"pair\":[%s],\"special_tokens\":{\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":"
        "[1],\"tokens\":[\"[CLS]\"]},\"[SEP]\":{\"id\":\"[SEP]\",\"ids\":[2],\"tokens\":"
        "[\"[SEP]\"]}}},\"decoder\":null,\"model\":{\"type\":\"WordPiece\",\"unk_token\":"
        "\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100,"
        "\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"one\":3,\"two\":4,\"three\":5,"
        "\"four\":6,\"five\":7}}}",
        pair);
    test_text("tokenizer.json", text);
    return test_dir();
}

#define SPECIAL(name, type) "{\"SpecialToken\":{\"id\":\"" name "\",\"type_id\":" type "}}"
#define TEXT(name, type) "{\"Sequence\":{\"id\":\"" name "\",\"type_id\":" type "}}"

TEST("two texts are [CLS] a [SEP] b [SEP], the second and its [SEP] of type 1")
{
    if (!shared_path(BERT)) SKIP("no ../shared");
    static const int32_t id[] = { 1, 3, 4, 2, 5, 6, 7, 2 };
    static const double type[] = { 0, 0, 0, 0, 1, 1, 1, 1 };
    bench b;
    prompt *p = NULL;
    const char *dir = with_words(SPECIAL("[CLS]", "0") "," TEXT("A", "0") "," SPECIAL(
        "[SEP]", "0") "," TEXT("B", "1") "," SPECIAL("[SEP]", "1"));
    REQUIRE(open_bench(&b, dir, NULL, NULL));
    REQUIRE(!prompt_from_pair(&p, b.m, (const char *[]){ "one two", "three four five" }, NULL));
    CHECK(p->n == 8 && !memcmp(p->id, id, sizeof id) && p->type &&
          !memcmp(p->type, type, sizeof type));
    prompt_free(p);
    close_bench(&b);
}

TEST("a tokenizer that puts two texts together in another way is not taken for BERT's")
{
    if (!shared_path(BERT)) SKIP("no ../shared");
    static const char *const other[] = {
        SPECIAL("[CLS]", "0") "," TEXT("A", "0") "," SPECIAL("[SEP]", "0") "," SPECIAL(
            "[SEP]", "0") "," TEXT("B", "1") "," SPECIAL("[SEP]", "1"),
        SPECIAL("[CLS]", "0") "," TEXT("A", "0") "," SPECIAL("[SEP]", "0") "," TEXT(
            "B", "0") "," SPECIAL("[SEP]", "0"),
        SPECIAL("[CLS]", "0") "," TEXT("B", "0") "," SPECIAL("[SEP]", "0") "," TEXT(
            "A", "1") "," SPECIAL("[SEP]", "1"),
        "",
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        bench b;
        prompt *p = NULL;
        error err = { 0 };
        REQUIRE(open_bench(&b, with_words(other[i]), NULL, NULL));
        CHECK(prompt_from_pair(&p, b.m, (const char *[]){ "one", "two" }, &err) == E_UNSUPPORTED &&
              !p && strstr(err.hint, "--token-types"));
        close_bench(&b);
    }
}

/* ---- a dump ---- */

TEST("verify gives a dump's lanes their token types")
{
    if (!shared_path(BERT)) SKIP("no ../shared");
    char request[1600];
    container *c;
    REQUIRE(!container_open(&c, shared_path(BERT "/golden.safetensors"), NULL));
    for (int with = 0; with < 2; with++) {
        tensor_view keep[4];
        int n = 0;
        static const char *const name[] = { "lane2/tokens", "lane2/logits",
                                            "lane2/token_type_ids" };
        for (int i = 0; i < 2 + with; i++) keep[n++] = *container_find(c, name[i]);
        REQUIRE(!tensors_write(test_path("dump.safetensors"), keep, n, NULL, 0, NULL));
        snprintf(request, sizeof request, "{\"model\": \"%s\", \"against\": \"%s\"}",
                 shared_path(BERT), test_path("dump.safetensors"));
        mt_report *r = ran("verify", request);
        REQUIRE(r);
        CHECK(mt_report_failed(r) == !with && !shows(r, "left alone"));
        mt_report_free(r);
    }
    container_free(c);
}
/* SPDX-License-Identifier: MIT */
