/* t_model -- loaded = original: every site that the reference implementation stored, within its tolerance; every
 * site there is fires or is refused by name; the stored greedy text; the stored edits. */
#define TEST_FILE t_model
#include "test.h"
#include "opened.h"
#include "tiny.h"
#include "model/config.h"
#include "backend/backend.h"
#include "base/file.h"
#include "base/json.h"
#include "format/format.h"
#include "graph/session.h"
#include "model/prompt.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- parity ---- */

/* Its token types, where it has some. */
static const double *golden_types(const container *c, int k, prompt *p)
{
    char name[64];
    snprintf(name, sizeof name, "lane%d/token_type_ids", k);
    const tensor_view *t = container_find(c, name);
    double *v = t ? arena_array(&p->mem, p->n, sizeof *v) : NULL;
    if (v) tensor_values(t, 0, p->n, v);
    return v;
}

/* A golden's lane k: its tokens as a lane. */
static lane *golden_lane(bench *b, const container *c, int k)
{
    char name[64];
    int64_t id[4096];
    prompt *p;
    lane *l;
    error err = { 0 };
    snprintf(name, sizeof name, "lane%d/tokens", k);
    const tensor_view *t = container_find(c, name);
    if (!t) return NULL;
    int64_t n = t->dim[t->n_dim - 1];
    for (int64_t i = 0; i < n; i++) { id[i] = (int64_t)value_at(t, i); }
    REQUIRE(prompt_from_ids(&p, b->m, id, n, &err) == E_OK);
    p->type = golden_types(c, k, p);
    REQUIRE(!lane_new(&l, b->s, NULL, p->n, NULL) && !prompt_give(p, b->m, l, NULL));
    prompt_free(p);
    return l;
}

/* The stored value at (row, part, i) of a node: PAIR is stored [head, query, key], everything else [pos, ...]. */
static double stored(const tensor_view *t, const node *n, int32_t len, int32_t r, int32_t a,
                     int32_t i)
{
    int64_t at = n->extent == PAIR ? ((int64_t)a * len + r) * len + node_first_key(n, r) + i
                                   : ((int64_t)r * n->n_part + a) * n->width + i;
    return value_at(t, at);
}

/* Largest absolute difference, and the largest stored entry. */
static double site_error(lane *l, const node *n, const tensor_view *t, double *scale)
{
    box all = node_all(n, l);
    double *v = calloc((size_t)node_numbers(n, all, l), sizeof *v), worst = 0;
    REQUIRE(v && lane_read(l, n, all, v, NULL) == E_OK);
    int64_t at = 0;
    *scale = 0;
    for (int32_t r = 0; r < all.r1; r++)
        for (int32_t a = 0; a < all.a1; a++)
            for (int32_t i = 0; i < node_width(n, r, l); i++, at++) {
                double want = stored(t, n, all.r1, r, a, i), gap = fabs(v[at] - want);
                if (fabs(want) > *scale) *scale = fabs(want);
                worst = worse(worst, gap);
            }
    free(v);
    return worst;
}

/* What docs/models.md says of one golden. */
typedef struct parity_line {
    int n_site, n_stored;
    double worst;
    char arch[32], where[64];
} parity_line;

/* Every stored site of every lane; how many there were. */
static int parity(const char *dir, const char *file, const char *precision, double site_tolerance,
                  double logit_tolerance, parity_line *line)
{
    bench b;
    container *c;
    int n_site = 0;
    char path[1200], prefix[32];
    double worst = 0;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    REQUIRE(open_bench(&b, dir, NULL, precision) && container_open(&c, path, NULL) == E_OK);
    for (int k = 0;; k++) {
        lane *l = golden_lane(&b, c, k);
        if (!l) break;
        size_t n = (size_t)snprintf(prefix, sizeof prefix, "lane%d/", k);
        lane_keep(l);
        for (int32_t i = 0; i < b.m->g.n_site; i++)
            if (b.m->g.site[i].n->op)
                REQUIRE(!lane_ask(l, b.m->g.site[i].n, node_all(b.m->g.site[i].n, l), NULL));
        REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
        for (int32_t i = 0; i < container_count(c); i++) {
            const tensor_view *t = container_at(c, i);
            if (strncmp(t->name, prefix, n) || !strcmp(t->name + n, "tokens") ||
                !strcmp(t->name + n, "token_type_ids") || !strcmp(t->name + n, "logits_f64"))
                continue;
            node *site = graph_find(&b.m->g, t->name + n);
            if (!site) printf("  %s %s: there is no such site\n", dir, t->name);
            CHECK(site && site->op);
            if (!site || !site->op) continue;
            double scale,
                gap = site_error(l, site, t, &scale),
                limit = strcmp(t->name + n, "logits") ? site_tolerance * scale : logit_tolerance;
            if (!(gap <= limit))
                printf("  %s %s: off by %g, largest entry %g\n", dir, t->name, gap, scale);
            CHECK(gap <= limit);
            if (scale > 0 && gap / scale > worst) {
                worst = gap / scale;
                snprintf(line->where, sizeof line->where, "%s", t->name + n);
            }
            n_site++;
        }
        lane_drop(l);
    }
    printf("  %s %s: %d sites, largest error %.2g of the largest entry\n", strrchr(dir, '/') + 1,
           precision, n_site, worst);
    line->worst = worst, line->n_stored = n_site, line->n_site = b.m->n_site;
    snprintf(line->arch, sizeof line->arch, "%s", b.m->config.arch);
    container_free(c);
    close_bench(&b);
    return n_site;
}

/* One or more of each architecture; tests of all architectures go through this list. */
static const char *const GOLDEN[] = { "gpt2",
                                      "gpt2_sharded",
                                      "llama_gqa",
                                      "llama3_rope",
                                      "mistral",
                                      "qwen2",
                                      "qwen2_f16",
                                      "llama_bf16",
                                      "qwen3",
                                      "phi3",
                                      "gemma",
                                      "gemma2",
                                      "gemma3",
                                      "phi",
                                      "gpt_neox",
                                      "gpt_neox_serial_legacy",
                                      "gptj",
                                      "gpt_neo",
                                      "opt",
                                      "opt_postnorm",
                                      "bert",
                                      "olmo2",
                                      "bloom",
                                      "falcon",
                                      "falcon_alibi",
                                      "mixtral",
                                      "qwen2_moe",
                                      "olmoe",
                                      NULL };

static const char MODELS_HEAD[] =
    "# Models\n\n"
    "What opens, and how far from the reference it computes: written by the tests "
    "(`MICROTOME_WRITE_DOCS=1 build/check/tests \"golden models\"`), and a test fails when it is "
    "no "
    "longer true. Each line is a small random model of the family, run by the original library; "
    "every "
    "activation it stored is compared, in float32 and in float64. The float32 bits are the same on "
    "every machine, so "
    "the errors are too. Configurations are read in the older and the newer spelling. The "
    "reference models "
    "carry no tokenizer: the last column is a stored tokenizer of the kind that the family's "
    "published models use, and how many of its vectors (ids, offsets, decoded text) come out "
    "exactly; more in [formats.md](formats.md).\n\n"
    "| architecture | model | loads | sites | stored values compared | worst site | its error / "
    "its largest entry | tokenizer: kind, vectors exact |\n|---|---|---|---|---|---|---|---|\n";

static const char MODELS_TAIL[] =
    "\nNot built, and refused by name: BERT "
    "without its masked language model head, rope types `dynamic` and `longrope`.\n";

/* The tokenizer of a family's published models is of the kind of this one. */
static const struct {
    const char *arch, *folder;
} TOKENIZER[] = {
    { "gpt2", "bpe_gpt2" },
    { "gptj", "bpe_gpt2" },
    { "gpt_neo", "bpe_gpt2" },
    { "phi", "bpe_gpt2" },
    { "opt", "bpe_gpt2" },
    { "bloom", "bpe_gpt2" },
    { "falcon", "bpe_gpt2" },
    { "gpt_neox", "bpe_neox_added" },
    { "olmoe", "bpe_neox_added" },
    { "olmo2", "bpe_llama3" },
    { "llama", "bpe_llama3" },
    { "mistral", "bpe_llama2_legacy" },
    { "mixtral", "bpe_llama2_legacy" },
    { "phi3", "bpe_llama2_legacy" },
    { "gemma", "bpe_llama2_metaspace" },
    { "gemma2", "bpe_llama2_metaspace" },
    { "gemma3", "bpe_llama2_metaspace" },
    { "qwen2", "bpe_qwen2" },
    { "qwen3", "bpe_qwen2" },
    { "qwen2_moe", "bpe_qwen2" },
    { "bert", "wordpiece_bert" },
};

/* "bpe (`bpe_gpt2`): 507 of 507", as encoded just now. */
static const char *tokenizer_column(const char *arch)
{
    static char text[160];
    char tokens[200], lines[200];
    tokenizer *t;
    int64_t right, wrong;
    size_t i = 0, n = sizeof TOKENIZER / sizeof *TOKENIZER;
    while (i < n && strcmp(TOKENIZER[i].arch, arch)) i++;
    REQUIRE(i < n);
    snprintf(tokens, sizeof tokens, "goldens/tokenizers/%s", TOKENIZER[i].folder);
    REQUIRE(tokenizer_open(&t, shared_path(tokens), NULL) == E_OK);
    snprintf(lines, sizeof lines, "goldens/tokenizers/%s/vectors.jsonl", TOKENIZER[i].folder);
    REQUIRE(tokenizer_check(t, shared_path(lines), NULL, NULL, &right, &wrong, NULL) == E_OK);
    CHECK(right > 500 && wrong == 0);
    snprintf(text, sizeof text, "%s (`%s`): %lld of %lld", tokenizer_kind(t), TOKENIZER[i].folder,
             (long long)right, (long long)(right + wrong));
    tokenizer_free(t);
    return text;
}

static void check_models_page(const str *page)
{
    const char *path = source_path("docs/models.md");
    str old = { 0 };
    if (getenv("MICROTOME_WRITE_DOCS")) REQUIRE(file_write(path, page->p, page->n, NULL) == E_OK);
    REQUIRE(file_read(&old, path, 1 << 20, NULL) == E_OK);
    bool same = old.n == page->n && !memcmp(old.p, page->p, page->n);
    if (!same) printf("  docs/models.md is out of date; MICROTOME_WRITE_DOCS=1 writes it\n");
    CHECK(same);
    str_release(&old);
}

TEST("every stored site of the golden models is reproduced, in f32 and in f64, as docs/models.md "
     "says")
{
    if (!shared_path("goldens/models")) SKIP("no ../shared");
    str page = { 0 };
    str_puts(&page, MODELS_HEAD);
    for (int i = 0; GOLDEN[i]; i++) {
        char rel[64], line[400];
        parity_line f32 = { 0 }, f64 = { 0 };
        snprintf(rel, sizeof rel, "goldens/models/%s", GOLDEN[i]);
        const char *dir = shared_path(rel);
        CHECK(parity(dir, "golden.safetensors", "f32", 1e-5, 5e-5, &f32) > 40);
        CHECK(parity(dir, "golden.safetensors", "f64", 1e-5, 5e-5, &f64) > 40);
        snprintf(line, sizeof line, "| %s | %s | yes | %d | %d | `%s` | %.1e | %s |\n", f32.arch,
                 GOLDEN[i], f32.n_site, f32.n_stored, f32.where, f32.worst,
                 tokenizer_column(f32.arch));
        str_puts(&page, line);
    }
    str_puts(&page, MODELS_TAIL);
    check_models_page(&page);
    str_release(&page);
}

/* A directory with the golden's weights and another config.json. */
static const char *with_config(const char *golden, const char *config, size_t n)
{
    static char dir[600];
    char path[700], from[1300];
    snprintf(dir, sizeof dir, "%s/%s", test_dir(), golden);
    REQUIRE(mkdir(dir, 0777) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/config.json", dir);
    REQUIRE(file_write(path, config, n, NULL) == E_OK);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    snprintf(from, sizeof from, "goldens/models/%s/model.safetensors", golden);
    const char *at = shared_path(from);
    REQUIRE(at && realpath(at, from) && (symlink(from, path) == 0 || errno == EEXIST));
    return dir;
}

TEST("configurations in the older spelling give the same model")
{
    if (!shared_path("goldens/models")) SKIP("no ../shared");
    int n = 0;
    for (int i = 0; GOLDEN[i]; i++) {
        char rel[80], golden[1300];
        str old = { 0 };
        parity_line line = { 0 };
        snprintf(rel, sizeof rel, "goldens/models/%s/config.v4.json", GOLDEN[i]);
        const char *path = shared_path(rel);
        if (!path) continue;
        REQUIRE(file_read(&old, path, 1 << 20, NULL) == E_OK);
        const char *dir = with_config(GOLDEN[i], old.p, old.n);
        snprintf(rel, sizeof rel, "goldens/models/%s/golden.safetensors", GOLDEN[i]);
        REQUIRE(realpath(shared_path(rel), golden));
        snprintf(rel, sizeof rel, "%s", "golden.safetensors");
        char link[700];
        snprintf(link, sizeof link, "%s/%s", dir, rel);
        REQUIRE(symlink(golden, link) == 0);
        CHECK(parity(dir, rel, "f32", 1e-5, 5e-5, &line) > 40);
        str_release(&old);
        n++;
    }
    CHECK(n >= 12);
}

/* A golden model with one place of its configuration changed. */
static status open_changed(model **m, const char *golden, const char *from, const char *to,
                           error *err)
{
    char rel[80], text[8000];
    str old = { 0 };
    snprintf(rel, sizeof rel, "goldens/models/%s/config.json", golden);
    REQUIRE(file_read(&old, shared_path(rel), 1 << 12, NULL) == E_OK);
    const char *at = strstr(old.p, from);
    if (!at) printf("  %s: no %s\n", golden, from);
    REQUIRE(at != NULL);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - old.p), old.p, to, at + strlen(from));
    str_release(&old);
    return model_open(m, with_config(golden, text, strlen(text)), NULL, err);
}

TEST("what changes with the prompt's length, and what is not built, is refused by name; what is "
     "built "
     "may be said")
{
    static const struct {
        const char *golden, *from, *to, *says; /* says NULL: it opens */
    } bad[] = {
        { "llama_gqa", "\"rope_type\": \"default\"", "\"rope_type\": \"dynamic\", \"factor\": 2.0",
          "dynamic" },
        { "phi3", "\"rope_type\": \"default\"", "\"rope_type\": \"longrope\"", "longrope" },
        { "opt", "\"enable_bias\": true", "\"enable_bias\": false", "enable_bias" },
        { "bert", "\"is_decoder\": false", "\"is_decoder\": true", "is_decoder" },
        { "bert", "\"is_decoder\"", "\"position_embedding_type\": \"absolute\", \"is_decoder\"",
          NULL }, /* as published */
        { "gemma2", "\"sliding_attention\"", "\"chunked_attention\"", "chunked_attention" },
        { "mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 6", "6 experts" },
        { "gptj", "\"rotary_dim\": 6", "\"rotary_dim\": 13", "rotary_dim" },
        { "phi", "\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 1.5", "1.5" },
    };
    if (!shared_path("goldens/models")) SKIP("no ../shared");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error err = { 0 };
        model *m = NULL;
        status st = open_changed(&m, bad[i].golden, bad[i].from, bad[i].to, &err);
        bool fine = bad[i].says ? st != E_OK && strstr(err.msg, bad[i].says) : st == E_OK;
        if (!fine) printf("  %s: %d %s\n", bad[i].golden, st, err.msg);
        CHECK(fine);
        model_free(st == E_OK ? m : NULL);
    }
}

/* ---- the models the methods were run on: logits of both prompts of every pair, in f64 ---- */

static void method_logits(const char *rel, double tolerance)
{
    bench b;
    container *c;
    json_t *prompts;
    char path[1200];
    const char *dir = shared_path(rel);
    snprintf(path, sizeof path, "%s/golden_f64.safetensors", dir);
    REQUIRE(open_bench(&b, dir, NULL, "f64") && container_open(&c, path, NULL) == E_OK);
    snprintf(path, sizeof path, "%s/prompts.json", dir);
    REQUIRE(json_open(&prompts, path, 1 << 20, NULL) == E_OK);
    for (int which = 0; which < 2; which++) {
        const json_t *list = json_object_get(prompts, which ? "corrupt" : "clean");
        const tensor_view *t = container_find(c, which ? "logits_corrupt" : "logits_clean");
        REQUIRE(t && t->dtype == DTYPE_F64);
        int64_t per = t->dim[1] * t->dim[2];
        for (size_t i = 0; i < json_array_size(list); i++) {
            double v[64], *got = calloc((size_t)per, sizeof *got), worst = 0;
            lane *l;
            for (int64_t k = 0; k < t->dim[1]; k++)
                v[k] =
                    (double)json_integer_value(json_array_get(json_array_get(list, i), (size_t)k));
            REQUIRE(!lane_new(&l, b.s, NULL, (int32_t)t->dim[1], NULL) &&
                    !lane_give(l, b.m->token, v, NULL));
            box all = node_all(b.m->logits, l);
            REQUIRE(!lane_ask(l, b.m->logits, all, NULL) && !session_run(b.s, NULL, NULL) &&
                    !lane_read(l, b.m->logits, all, got, NULL));
            for (int64_t k = 0; k < per; k++)
                worst =
                    worse(worst, fabs(got[k] - ((const double *)t->data)[(int64_t)i * per + k]));
            if (worst > tolerance) printf("  %s: off by %g\n", rel, worst);
            CHECK(worst <= tolerance);
            free(got);
        }
    }
    json_decref(prompts);
    container_free(c);
    close_bench(&b);
}

TEST("the models that the methods were run on give the reference's float64 logits to a billionth")
{
    if (!shared_path("goldens/methods/tl-patching-gpt2")) SKIP("no ../shared");
    method_logits("goldens/methods/tl-patching-gpt2", 1e-9);
    method_logits("goldens/methods/tl-patching-llama", 1e-9);
}

/* ---- stored edits ---- */

static int32_t field(const json_t *v, const char *key)
{
    const json_t *x = json_object_get(v, key);
    return json_is_integer(x) ? (int32_t)json_integer_value(x) : -1;
}

static lane *ids_lane(bench *b, const json_t *ids)
{
    double v[64];
    lane *l;
    int32_t n = (int32_t)json_array_size(ids);
    for (int32_t i = 0; i < n; i++)
        v[i] = (double)json_integer_value(json_array_get(ids, (size_t)i));
    REQUIRE(!lane_new(&l, b->s, NULL, n, NULL) && !lane_give(l, b->m->token, v, NULL));
    return l;
}

/* One edit of a golden as ours. */
static edit golden_edit(bench *b, const json_t *v, lane *other, double *values)
{
    const char *site = json_string_value(json_object_get(v, "site")),
               *op = json_string_value(json_object_get(v, "op"));
    const json_t *value = json_object_get(v, "value");
    int32_t pos = field(v, "pos"),
            part = field(v, "head") >= 0 ? field(v, "head") : field(v, "neuron");
    node *n = graph_find(&b->m->g, site);
    REQUIRE(n && op);
    edit e = { .n = n,
               .where = { 0, ROW_OPEN, 0, n->n_part },
               .w1 = n->extent == PAIR ? ROW_OPEN : n->width };
    if (pos >= 0) e.where.r0 = pos, e.where.r1 = pos + 1;
    if (part >= 0) e.where.a0 = part, e.where.a1 = part + 1;
    for (size_t i = 0; i < json_array_size(value); i++)
        values[i] = json_number_value(json_array_get(value, i));
    if (json_is_number(value)) e.factor = json_number_value(value);
    if (json_array_size(value)) e.v = values, e.part_step = n->width == 1 && part < 0 ? 1 : 0;
    if (!strcmp(op, "zero")) e.kind = EDIT_SET;
    else if (!strcmp(op, "set")) e.kind = EDIT_SET;
    else if (!strcmp(op, "add")) e.kind = EDIT_ADD;
    else if (!strcmp(op, "scale"))
        e.kind = EDIT_SCALE, e.factor = json_number_value(json_object_get(v, "by"));
    else if (!strcmp(op, "project_out")) e.kind = EDIT_PROJECT;
    else if (!strcmp(op, "resample")) e = edit_take(e, other);
    else printf("  op %s is not known\n", op);
    return e;
}

static void edits_of(const char *name)
{
    bench b;
    str text = { 0 };
    char rel[64];
    double worst = 0, values[512];
    int n_case = 0;
    snprintf(rel, sizeof rel, "goldens/models/%s", name);
    REQUIRE(open_bench(&b, shared_path(rel), NULL, "f32"));
    snprintf(rel, sizeof rel, "goldens/edits/%s.jsonl", name);
    REQUIRE(file_read(&text, shared_path(rel), 1 << 28, NULL) == E_OK);
    for (char *line = strtok(text.p, "\n"); line; line = strtok(NULL, "\n"), n_case++) {
        json_t *v;
        error err = { 0 };
        REQUIRE(json_parse(&v, line, strlen(line), rel, NULL) == E_OK);
        lane *other = ids_lane(&b, json_object_get(v, "resample_tokens")),
             *l = ids_lane(&b, json_object_get(v, "tokens"));
        const json_t *edits = json_object_get(v, "edits"), *logits = json_object_get(v, "logits");
        lane_sweep(l); /* some were in vain */
        for (size_t i = 0; i < json_array_size(edits); i++) {
            edit e = golden_edit(&b, json_array_get(edits, i), other, values);
            if (lane_edit(l, &e, &err)) printf("  case %d: %s\n", n_case, err.msg);
            CHECK(err.code == E_OK);
        }
        box all = node_all(b.m->logits, l);
        double *got = calloc((size_t)node_numbers(b.m->logits, all, l), sizeof *got), gap = 0;
        REQUIRE(!lane_ask(l, b.m->logits, all, NULL) && !session_run(b.s, NULL, NULL) &&
                !lane_read(l, b.m->logits, all, got, NULL));
        for (int32_t r = 0; r < all.r1; r++)
            for (int32_t a = 0; a < all.a1; a++)
                gap = worse(gap, fabs(got[r * all.a1 + a] -
                                      json_number_value(json_array_get(
                                          json_array_get(logits, (size_t)r), (size_t)a))));
        if (!(gap <= 5e-5))
            printf("  %s case %d: off by %g: %s\n", name, n_case, gap,
                   json_dumps(edits, JSON_COMPACT));
        CHECK(gap <= 5e-5);
        worst = worse(worst, gap);
        free(got);
        json_decref(v);
        lane_drop(l), lane_drop(other);
    }
    printf("  %s: %d cases, largest error %.2g\n", name, n_case, worst);
    CHECK(n_case > 10);
    str_release(&text);
    close_bench(&b);
}

TEST("every stored edit gives the reference's logits")
{
    if (!shared_path("goldens/edits")) SKIP("no ../shared");
    edits_of("gpt2");
    edits_of("llama_gqa");
}

/* ---- windows ---- */

/* Windows of two layers of a golden whose configuration has no sliding_window and these types. */
static void windows_of(const char *golden, const char *types, int32_t first, int32_t second)
{
    char from[1200], to[1200];
    bench b;
    snprintf(from, sizeof from, "%s/model.safetensors", shared_path(golden));
    snprintf(to, sizeof to, "%s/model.safetensors", test_dir());
    unlink(to);
    REQUIRE(!symlink(from, to));
    snprintf(from, sizeof from, "%s/config.json", shared_path(golden));
    snprintf(to, sizeof to, "%s/config.json", test_dir());
    json_t *config = json_load_file(from, 0, NULL);
    REQUIRE(config && !json_object_del(config, "sliding_window"));
    if (types) json_object_set_new(config, "layer_types", json_loads(types, 0, NULL));
    REQUIRE(!json_dump_file(config, to, 0));
    json_decref(config);
    REQUIRE(open_bench(&b, test_dir(), NULL, "f32"));
    CHECK(graph_find(&b.m->g, "blocks.0.attn.scores")->window == first);
    CHECK(graph_find(&b.m->g, "blocks.1.attn.scores")->window == second);
    close_bench(&b);
}

TEST("layer_types says which layers slide also where sliding_window is left to its default")
{
    if (!shared_path("goldens/models/gemma2")) SKIP("no ../shared");
    windows_of("goldens/models/gemma2",
               "[\"full_attention\", \"sliding_attention\", \"full_attention\"]", 0, 4096);
    windows_of("goldens/models/mistral", "[\"full_attention\", \"sliding_attention\"]", 0, 4096);
    windows_of("goldens/models/mistral", NULL, 4096, 4096);
}

/* ---- greedy text ---- */

TEST("stories260K continues with the text that llama2.c wrote, greedily, one row a token")
{
    if (!shared_path("data/lm-stories260K")) SKIP("no ../shared");
    bench b;
    str want = { 0 }, got = { 0 };
    int32_t id[256] = { 1 }, n = 1;
    double v[256] = { 1 };
    lane *l, *next;
    REQUIRE(open_bench(&b, shared_path("data/lm-stories260K/stories260K.bin"), NULL, "f32"));
    REQUIRE(file_read(&want, shared_path("data/lm-stories260K/golden_greedy_200steps.txt"), 1 << 20,
                      NULL) == E_OK);
    REQUIRE(!lane_new(&l, b.s, NULL, 1, NULL) && !lane_give(l, b.m->token, v, NULL));
    double *logit = calloc(512, sizeof *logit);
    for (; n < 201; n++) {
        box last = { n - 1, n, 0, 512 };
        REQUIRE(!lane_keep_spans(l, NULL) && !lane_ask(l, b.m->logits, last, NULL) &&
                !session_run(b.s, NULL, NULL));
        REQUIRE(!lane_read(l, b.m->logits, last, logit, NULL));
        int best = 0;
        for (int i = 1; i < 512; i++) best = logit[i] > logit[best] ? i : best;
        if (best == 1) break;
        id[n] = best, v[n] = best;
        REQUIRE(!lane_new(&next, b.s, l, n + 1, NULL) && !lane_give(next, b.m->token, v, NULL));
        l = next;
    }
    tokenizer_decode(b.m->tokens, id, n, true, &got);
    while (want.n && want.p[want.n - 1] == '\n') want.n--;
    while (got.n && (got.p[got.n - 1] == '\n' || got.p[got.n - 1] == ' ')) got.n--;
    bool same = got.n <= want.n + 2 && want.n <= got.n + 2 &&
                !strncmp(want.p, got.p, want.n < got.n ? want.n : got.n);
    if (!same) printf("  wrote %zu bytes, expected %zu:\n%s\n", got.n, want.n, got.p);
    CHECK(same);
    free(logit);
    str_release(&want), str_release(&got);
    close_bench(&b);
}

/* ---- the embedded model ---- */

static double attends(bench *b, lane *l, const char *site, int head, int query, int key)
{
    double v[64];
    node *n = graph_find(&b->m->g, site);
    REQUIRE(n && !lane_read(l, n, (box){ query, query + 1, head, head + 1 }, v, NULL));
    return v[key];
}

TEST("demo:induction has the heads it was built with, and says what came after the word before")
{
    bench b;
    prompt *p;
    lane *l;
    static const char text[] = "the cat sat on the mat and the cat";
    REQUIRE(open_bench(&b, "demo:induction", NULL, "f32"));
    REQUIRE(prompt_from_text(&p, b.m, text, sizeof text - 1, BOS_AUTO, NULL) == E_OK);
    CHECK(p->n == 10 && p->has_bos);
    REQUIRE(!lane_new(&l, b.s, NULL, p->n, NULL) && !lane_give(l, b.m->token, p->value, NULL));
    for (int32_t i = 0; i < b.m->g.n_site; i++)
        if (b.m->g.site[i].n->op)
            lane_ask(l, b.m->g.site[i].n, node_all(b.m->g.site[i].n, l), NULL);
    REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
    for (int q = 1; q < p->n; q++)
        CHECK(attends(&b, l, "blocks.0.attn.pattern", 1, q, q - 1) > 0.999999);
    CHECK(attends(&b, l, "blocks.1.attn.pattern", 2, 9, 3) >
          0.999999); /* "cat" after "cat" looks at "sat" */
    double v[40];
    int32_t sat;
    REQUIRE(!lane_read(l, b.m->logits, (box){ 9, 10, 0, 40 }, v, NULL) &&
            !token_find(b.m, "sat", 3, &sat, NULL));
    for (int i = 0; i < 40; i++) CHECK(i == sat ? fabs(v[i] - 40) < 1e-4 : fabs(v[i]) < 1e-4);
    prompt_free(p);
    close_bench(&b);
}

/* ---- sites ---- */

TEST("rotary frequencies are the floats that float32 code gets, step by step")
{
    static const int at[] = { 1, 17, 30, 33, 36, 40, 63 };
    static const float plain[] = { 0x1.bb5faep-1f, 0x1.62b2fp-4f, 0x1.b4f7e4p-7f, 0x1.1bc25ap-7f,
                                   0x1.708938p-8f, 0x1.9e7c7p-9f, 0x1.e459c4p-14f },
                       llama3[] = { 0x1.a11582p-1f, 0x1.f5ea7ep-6f,  0x1.67a23ap-10f,
                                    0x1.47e21p-12f, 0x1.46831ap-14f, 0x1.1f91fp-15f,
                                    0x1.4985fep-22f }; /* transformers 5, d_head 128 */
    static const char *const config[] = {
        "{\"rope_theta\": 10000.0}",
        "{\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, "
        "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
        "\"original_max_position_embeddings\": 8192}}"
    };
    for (int k = 0; k < 2; k++) {
        json_t *json = NULL;
        model_config c = { .d_head = 128 };
        double f[128];
        REQUIRE(!json_parse(&json, config[k], strlen(config[k]), "config", NULL) &&
                !config_rotary_of(json, NULL, 10000, 1, &c, f, NULL));
        for (int i = 0; i < 7; i++) {
            double want = (double)(k ? llama3 : plain)[i];
            CHECK(f[64 + at[i]] == want && fabs(f[at[i]] - want) < 1e-6 * want);
        }
        json_decref(json);
    }
}

TEST("every site of every architecture fires: changing it changes the logits or something after it")
{
    for (int k = -1; k < 0 || GOLDEN[k]; k++) {
        char rel[64];
        snprintf(rel, sizeof rel, "goldens/models/%s", k < 0 ? "" : GOLDEN[k]);
        const char *path = k < 0 ? "demo:induction" : shared_path(rel);
        bench b;
        if (!path) continue;
        double v[] = { 0, 1, 2, 3, 1, 2 };
        lane *base, *f;
        REQUIRE(open_bench(&b, path, NULL, "f32") && !lane_new(&base, b.s, NULL, 6, NULL) &&
                !ids_give(v, NULL, b.m, base, NULL));
        for (int32_t i = 0; i < b.m->g.n_site; i++) {
            node *n = b.m->g.site[i].n;
            if (!n->op) continue;
            edit e = { .n = n,
                       .where = node_all(n, base),
                       .w1 = n->extent == PAIR ? 6 : n->width,
                       .kind = EDIT_ADD,
                       .factor = 0.5 };
            REQUIRE(!lane_fork(&f, base, NULL) && !lane_edit(f, &e, NULL) &&
                    !lane_ask(f, n, node_all(n, f), NULL));
            CHECK(session_run(b.s, NULL, NULL) == E_OK);
            if (lane_effect(f) != EFFECT_CHANGED)
                printf("  %s: %s did not fire\n", path, b.m->g.site[i].name);
            CHECK(lane_effect(f) == EFFECT_CHANGED);
            lane_drop(f);
        }
        close_bench(&b);
    }
}

static lane *six_tokens(bench *b, lane *parent)
{
    static const double v[] = { 0, 1, 2, 3, 1, 2 };
    lane *l;
    if (parent) REQUIRE(!lane_fork(&l, parent, NULL));
    else REQUIRE(!lane_new(&l, b->s, NULL, 6, NULL) && !ids_give(v, NULL, b->m, l, NULL));
    return l;
}

static edit added(const node *n, int32_t row, double by)
{
    return (edit){ .n = (node *)n,
                   .where = { row, row + 1, 0, n->n_part },
                   .w1 = n->extent == PAIR ? ROW_OPEN : n->width,
                   .kind = EDIT_ADD,
                   .factor = by };
}

TEST("in every architecture a fork has the bits of a fresh run with the same edit, at every site")
{
    if (!shared_path("goldens/models")) SKIP("no ../shared");
    static const char *const edited[] = { "blocks.0.attn.k", "blocks.0.mlp.contribution",
                                          "blocks.1.attn.z" };
    for (int k = 0; GOLDEN[k]; k++) {
        char rel[64];
        bench b;
        snprintf(rel, sizeof rel, "goldens/models/%s", GOLDEN[k]);
        REQUIRE(open_bench(&b, shared_path(rel), NULL, "f32"));
        lane *base = six_tokens(&b, NULL);
        for (int i = 0; i < 3; i++) {
            edit e = added(graph_find(&b.m->g, edited[i]), 2 + i, 0.25);
            lane *both[2] = { six_tokens(&b, base), six_tokens(&b, NULL) };
            for (int j = 0; j < 2; j++) {
                REQUIRE(!lane_edit(both[j], &e, NULL));
                for (int32_t s = 0; s < b.m->g.n_site; s++)
                    if (b.m->g.site[s].n->op)
                        REQUIRE(!lane_ask(both[j], b.m->g.site[s].n,
                                          node_all(b.m->g.site[s].n, both[j]), NULL));
            }
            REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
            for (int32_t s = 0; s < b.m->g.n_site; s++) {
                const node *n = b.m->g.site[s].n;
                if (!n->op) continue;
                box all = node_all(n, base);
                size_t bytes = (size_t)node_numbers(n, all, base) * sizeof(double);
                double *u = malloc(bytes), *v = malloc(bytes);
                REQUIRE(u && v && !lane_read(both[0], n, all, u, NULL) &&
                        !lane_read(both[1], n, all, v, NULL));
                if (memcmp(u, v, bytes)) printf("  %s: %s\n", rel, b.m->g.site[s].name);
                CHECK(!memcmp(u, v, bytes));
                free(u), free(v);
            }
            lane_drop(both[0]), lane_drop(both[1]);
        }
        close_bench(&b);
    }
}

/* ---- routes ---- */

static void read_row(lane *l, const bench *b, const char *site, int32_t row, double *v)
{
    const node *n = graph_find(&b->m->g, site);
    box at = { row, row + 1, 0, n ? n->n_part : 1 };
    REQUIRE(n && !lane_read(l, n, at, v, NULL));
}

TEST("a route that is edited reroutes: other experts, their weights, their sum")
{
    if (!shared_path("goldens/models/mixtral")) SKIP("no ../shared");
    bench b;
    static const double index[] = { 4, 1 }, logits[] = { 0, 0, 100, 0, 0 };
    double got[2], weight[2], y[2][64], sum[64];
    REQUIRE(open_bench(&b, shared_path("goldens/models/mixtral"), NULL, "f32"));
    lane *base = six_tokens(&b, NULL), *l = six_tokens(&b, base), *m = six_tokens(&b, base);
    node *chosen = graph_find(&b.m->g, "blocks.0.mlp.expert_indices"),
         *router = graph_find(&b.m->g, "blocks.0.mlp.router_logits");
    REQUIRE(chosen && router && chosen->n_part == 2 && router->n_part == 5);
    edit e = added(chosen, 3, 0), f = added(router, 3, 0);
    e.kind = f.kind = EDIT_SET, e.v = index, f.v = logits, e.part_step = f.part_step = 1;
    REQUIRE(!lane_edit(l, &e, NULL) && !lane_edit(m, &f, NULL));
    for (int32_t s = 0; s < b.m->g.n_site; s++)
        if (b.m->g.site[s].n->op)
            REQUIRE(!lane_ask(l, b.m->g.site[s].n, node_all(b.m->g.site[s].n, l), NULL) &&
                    !lane_ask(m, b.m->g.site[s].n, node_all(b.m->g.site[s].n, m), NULL));
    REQUIRE(session_run(b.s, NULL, NULL) == E_OK);
    read_row(l, &b, "blocks.0.mlp.expert_weights", 3, weight);
    read_row(l, &b, "blocks.0.mlp.experts.1.out", 3, y[0]);
    read_row(l, &b, "blocks.0.mlp.experts.4.out", 3, y[1]);
    read_row(l, &b, "blocks.0.mlp.out", 3, sum);
    CHECK(fabs(weight[0] + weight[1] - 1) < 1e-6 && weight[0] > 0 && weight[1] > 0);
    for (int i = 0; i < b.m->config.d_model; i++) {
        CHECK(fabs(sum[i] - weight[1] * y[0][i] - weight[0] * y[1][i]) < 1e-5);
        CHECK(y[0][i] != 0 && y[1][i] != 0);
    }
    read_row(l, &b, "blocks.0.mlp.experts.0.out", 3, y[0]);
    CHECK(y[0][0] == 0); /* not chosen: not computed */
    read_row(m, &b, "blocks.0.mlp.expert_indices", 3, got);
    read_row(m, &b, "blocks.0.mlp.expert_weights", 3, weight);
    CHECK(got[0] == 2 && weight[0] == 1 && weight[1] < 1e-40); /* exp(-100) */
    close_bench(&b);
}
/* SPDX-License-Identifier: MIT */
