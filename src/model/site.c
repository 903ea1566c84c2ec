/* site -- see site.h.  An address is cut into a name and its slices; the name gives nodes, the slices
 * are resolved for each of them (their axes differ), and lists multiply. */
#include "model/site.h"
#include "graph/session.h"
#include "model/alias.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SLICES = 6, MAX_ITEMS = 64, NAME = 128 };

/* One "axis=value|value": the text of each value. */
typedef struct slice {
    char axis[24];
    const char *item[MAX_ITEMS];
    size_t length[MAX_ITEMS];
    int n;
} slice;

typedef struct parser {
    const model *m;
    const prompt *p;
    const char *text; /* the whole address, for messages */
    char name[NAME];
    bool before;
    slice slice[MAX_SLICES];
    int n_slice;
    arena *mem;
    address *out;
    int n_out, cap_out;
    error *err;
} parser;

/* ---- grammar ---- */

static status grammar(parser *x, const char *at, const char *expected)
{
    error_set(x->err, E_USAGE, "address '%.100s': expected %s at character %d", x->text, expected,
              (int)(at - x->text) + 1);
    error_hint(x->err, "for example blocks.5.attn.z[head=3, pos=-1]");
    return E_USAGE;
}

static const char *spaces(const char *p) { return p + strspn(p, " \t"); }

/* The end of a value: '|', ',' or ']', but not inside quotes. */
static const char *value_end(const char *p)
{
    bool quoted = false;
    for (; *p && (quoted || !strchr("|,]", *p)); p++) {
        if (quoted && *p == '\\' && p[1]) p++;
        else if (*p == '"') quoted = !quoted;
    }
    return quoted ? NULL : p;
}

static status parse_values(parser *x, slice *s, const char **p)
{
    for (;;) {
        const char *at = *p = spaces(*p), *end = value_end(at);
        if (!end || end == at)
            return grammar(x, at, "a position, a range like 2:5, or a \"token\"");
        if (s->n == MAX_ITEMS) return grammar(x, at, "at most 64 values in one list");
        *p = end;
        while (end > at && (end[-1] == ' ' || end[-1] == '\t')) end--;
        s->item[s->n] = at, s->length[s->n++] = (size_t)(end - at);
        if (**p != '|') return E_OK;
        ++*p;
    }
}

static status parse_slices(parser *x, const char *p)
{
    if (!*p) return E_OK;
    if (*p++ != '[') return grammar(x, p - 1, "'[' or the end");
    for (;;) {
        slice *s = &x->slice[x->n_slice];
        p = spaces(p);
        size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
        if (!n || n >= sizeof s->axis) return grammar(x, p, "the name of an axis");
        if (x->n_slice++ == MAX_SLICES) return grammar(x, p, "at most 6 slices");
        memcpy(s->axis, p, n);
        s->axis[n] = 0;
        p = spaces(p + n);
        if (*p != '=') return grammar(x, p, "'='");
        p++;
        status st = parse_values(x, s, &p);
        if (st != E_OK) return st;
        if (*p == ']') break;
        if (*p != ',') return grammar(x, p, "',' or ']'");
        p++;
    }
    p = spaces(p + 1);
    return *p ? grammar(x, p, "the end") : E_OK;
}

/* nnterp writes layers_output[5], where brackets are part of the name. */
static const char *name_end(const char *text)
{
    const char *open = strchr(text, '[');
    if (open && (open[1] == '*' || (open[1] >= '0' && open[1] <= '9'))) {
        const char *close = strchr(open, ']');
        if (close) return close + 1;
    }
    return open ? open : text + strlen(text);
}

static status parse(parser *x, const char *text)
{
    static const char before[] = "@before";
    text = spaces(text);
    const char *end = name_end(text), *name_stop;
    size_t n = (size_t)(end - text);
    const char *at = memchr(text, '@', n);
    if (at) {
        if (strncmp(at, before, strlen(before)) || (size_t)(at - text) + strlen(before) != n)
            return grammar(x, at, "@before");
        x->before = true;
        n = (size_t)(at - text);
    }
    name_stop = text + n;
    while (n && name_stop[-1] == ' ') name_stop--, n--;
    if (!n || n >= sizeof x->name) return grammar(x, text, "the name of a site");
    memcpy(x->name, text, n);
    x->name[n] = 0;
    return parse_slices(x, end);
}

/* ---- values ---- */

static status bad_value(parser *x, const slice *s, int i, const char *axis, int32_t size)
{
    error_set(x->err, E_RANGE, "address '%.80s': %s=%.*s, expected %s 0 to %d", x->text, s->axis,
              (int)(s->length[i] < 40 ? s->length[i] : 40), s->item[i], axis, size - 1);
    return E_RANGE;
}

/* A number beyond all sizes is as good as the nearest that can be counted with. */
static bool read_int(const char **p, const char *end, long *out)
{
    const long most = 1L << 40;
    char *stop;
    if (*p == end || !strchr("-0123456789", **p)) return false;
    *out = strtol(*p, &stop, 10);
    *out = *out > most ? most : *out < -most ? -most : *out;
    if (stop == *p || stop > end) return false;
    *p = stop;
    return true;
}

/* Quoted text without its quotes and backslashes; then perhaps #n. */
static bool unquote(const char *p, const char *end, char *out, size_t bytes, size_t *n, long *nth)
{
    *n = 0, *nth = 1;
    for (p++; p < end && *p != '"'; p++) {
        char c = *p;
        if (c == '\\' && p + 1 < end) {
            p++;
            c = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p;
        }
        if (*n + 1 >= bytes) return false;
        out[(*n)++] = c;
    }
    if (p >= end) return false;
    p++;
    if (p == end) return true;
    if (*p++ != '#' || !read_int(&p, end, nth)) return false;
    return p == end && *nth >= 1;
}

/* The position of the nth token with exactly this text. */
static status find_token(parser *x, const char *text, size_t n, long nth, int32_t *out)
{
    char near[300] = "", label[40];
    long seen = 0;
    if (!x->p || !x->p->piece) {
        error_set(x->err, E_USAGE,
                  "address '%.80s': a position by its text needs a prompt and a tokenizer",
                  x->text);
        error_hint(x->err, "write the position as a number");
        return E_USAGE;
    }
    for (int32_t i = 0; i < x->p->n; i++) {
        const piece *t = &x->p->piece[i];
        if (t->n == n && !memcmp(t->p, text, n) && ++seen == nth) {
            *out = i;
            return E_OK;
        }
        prompt_label(x->p, i, label, sizeof label);
        if (strlen(near) + strlen(label) + 8 < sizeof near)
            snprintf(near + strlen(near), sizeof near - strlen(near), "%s\"%s\"", i ? " " : "",
                     label);
    }
    error_set(x->err, E_RANGE, "address '%.60s': the prompt has %ld tokens \"%.40s\"%s", x->text,
              seen, text, seen ? ", and a later one was asked for" : "");
    error_hint(x->err, "its tokens are %s", near);
    return E_RANGE;
}

/* One value on an axis of `size` places, as [lo, hi).  open: from lo to the end, later rows included. */
static status resolve(parser *x, const slice *s, int i, int32_t size, bool rows, bool vocab,
                      int32_t *lo, int32_t *hi, bool *open)
{
    const char *p = s->item[i], *end = p + s->length[i];
    char text[256];
    size_t n;
    long a = 0, b = size, nth;
    *open = false;
    if (*p == '"') {
        if (!unquote(p, end, text, sizeof text, &n, &nth))
            return grammar(x, p, "a \"token\", or \"token\"#2");
        text[n] = 0;
        if (!rows && !vocab)
            return grammar(x, p, "a number: only positions and the vocabulary are found by text");
        status st = vocab ? token_find(x->m, text, n, lo, x->err) : find_token(x, text, n, nth, lo);
        *hi = *lo + 1;
        return st;
    }
    bool first = read_int(&p, end, &a), range = p < end && *p == ':';
    if (range) p++;
    bool last = range && read_int(&p, end, &b);
    if (p != end || (!first && !range))
        return grammar(x, p, "a position, a range like 2:5, or a \"token\"");
    if (((first && a < 0) || (last && b < 0)) && size == ROW_OPEN) {
        error_set(x->err, E_USAGE, "address '%.80s': a position from the end needs a prompt",
                  x->text);
        return E_USAGE;
    }
    if (first && a < 0) a += size;
    if (last && b < 0) b += size;
    if (!range) b = a + 1;
    *open = range && !last && rows;
    if (range && a >= b && a >= 0 && b <= size)
        return error_set(x->err, E_RANGE,
                         "address '%.80s': %s=%.*s is empty: the end is not behind the beginning",
                         x->text, s->axis, (int)(s->length[i] < 40 ? s->length[i] : 40),
                         s->item[i]);
    if (a < 0 || b > size || a >= b) return bad_value(x, s, i, s->axis, size);
    *lo = (int32_t)a, *hi = (int32_t)b;
    return E_OK;
}

/* ---- axes ---- */

typedef enum axis_kind { AXIS_NONE, AXIS_ROWS, AXIS_PARTS, AXIS_WIDTH, AXIS_FOR } axis_kind;

static const char *row_axis(const node *n)
{
    return n->extent == PAIR     ? "query"
           : n->extent == WEIGHT ? "row"
           : n->extent == LANE   ? ""
                                 : "pos";
}

static axis_kind axis_of(const node *n, const char *name)
{
    if (*row_axis(n) && (!strcmp(name, row_axis(n)) || (!strcmp(name, "pos") && n->extent == PAIR)))
        return AXIS_ROWS;
    if (*n->part_axis && !strcmp(name, n->part_axis)) return AXIS_PARTS;
    if (*n->width_axis && !strcmp(name, n->width_axis)) return AXIS_WIDTH;
    if (!strcmp(n->part_axis, "neuron") && !strcmp(name, "d_mlp")) return AXIS_PARTS;
    if (!strcmp(n->part_axis, "head") && !strcmp(name, "kv")) return AXIS_PARTS;
    if (!strcmp(n->part_axis, "column") && !strcmp(name, "col")) return AXIS_PARTS;
    if (!strncmp(n->width_axis, "d_", 2) && !strcmp(name, "dim")) return AXIS_WIDTH;
    return strcmp(name, "for") ? AXIS_NONE : AXIS_FOR;
}

void site_axes(const node *n, char *out, size_t bytes)
{
    const char *first = n->extent == PAIR ? n->part_axis : row_axis(n),
               *second = n->extent == PAIR ? "query" : n->part_axis;
    snprintf(out, bytes, "%s%s%s%s%s", first, *first && *second ? " " : "", second,
             *n->width_axis ? " " : "", n->width_axis);
}

void site_shape(const node *n, char *out, size_t bytes)
{
    if (n->extent == PAIR) snprintf(out, bytes, "[%d, query, key]", n->n_part);
    else if (n->extent == WEIGHT) snprintf(out, bytes, "[%d, %d]", n->n_row, n->n_part);
    else {
        int k = snprintf(out, bytes, n->extent == LANE ? "[" : "[pos");
        if (*n->part_axis && k < (int)bytes)
            k += snprintf(out + k, bytes - (size_t)k, k > 1 ? ", %d" : "%d", n->n_part);
        if (*n->width_axis && k < (int)bytes)
            k += snprintf(out + k, bytes - (size_t)k, k > 1 ? ", %d" : "%d", n->width);
        if (k < (int)bytes) snprintf(out + k, bytes - (size_t)k, "]");
    }
}

static status no_axis(parser *x, const address *a, const char *axis)
{
    char axes[100];
    site_axes(a->n, axes, sizeof axes);
    error_set(x->err, E_NOSITE, "%s has no axis '%s'", a->name, axis);
    error_hint(x->err, "its axes are: %s", axes);
    return E_NOSITE;
}

/* ---- resolving ---- */

static status emit(parser *x, const address *a)
{
    if (x->n_out == x->cap_out) {
        int cap = x->cap_out ? 2 * x->cap_out : 16;
        address *wider = arena_array(x->mem, cap, sizeof *wider);
        if (!wider) return error_set(x->err, E_NOMEM, "address: out of memory");
        if (x->n_out) memcpy(wider, x->out, (size_t)x->n_out * sizeof *wider);
        x->out = wider, x->cap_out = cap;
    }
    x->out[x->n_out++] = *a;
    return E_OK;
}

/* `k[for=3]`: the key as query head 3 sees it. */
static status use_for(parser *x, address *a, const slice *s, int i)
{
    const model *m = x->m;
    int32_t lo, hi;
    bool open;
    for (int32_t l = 0; l < m->config.n_layer; l++) {
        char k[40], v[40];
        snprintf(k, sizeof k, "blocks.%d.attn.k", l), snprintf(v, sizeof v, "blocks.%d.attn.v", l);
        bool key = !strcmp(a->name, k);
        if (!key && strcmp(a->name, v)) continue;
        node *n = key ? m->block[l].k_for : m->block[l].v_for;
        if (n) a->n = n, a->name = graph_name(&m->g, n); /* another tensor: k_for, v_for */
        status st = resolve(x, s, i, m->config.n_head, false, false, &lo, &hi, &open);
        if (st != E_OK) return st;
        a->where.a0 = lo, a->where.a1 = hi, a->has_parts = true;
        return E_OK;
    }
    return no_axis(x, a, "for");
}

static status twice(parser *x, const char *axis)
{
    error_set(x->err, E_USAGE, "address '%.100s': %s is cut twice", x->text, axis);
    error_hint(x->err, "a list is written %s=1|2, a range %s=1:3", axis, axis);
    return E_USAGE;
}

static status apply(parser *x, address *a, const slice *s, int i)
{
    int32_t lo, hi, rows = a->n->extent == WEIGHT ? a->n->n_row : x->p ? x->p->n : ROW_OPEN;
    bool open, vocab = !strcmp(a->n->part_axis, "vocab");
    status st;
    axis_kind kind = axis_of(a->n, s->axis);
    if ((kind == AXIS_ROWS && a->has_rows) || (kind == AXIS_WIDTH && a->has_width) ||
        ((kind == AXIS_PARTS || kind == AXIS_FOR) && a->has_parts))
        return twice(x, s->axis);
    switch (kind) {
    case AXIS_FOR: return use_for(x, a, s, i);
    case AXIS_ROWS:
        st = resolve(x, s, i, rows, true, false, &lo, &hi, &open);
        if (st == E_OK)
            a->where.r0 = lo, a->where.r1 = open && a->n->extent != WEIGHT ? ROW_OPEN : hi,
            a->has_rows = true;
        return st;
    case AXIS_PARTS:
        st = resolve(x, s, i, a->n->n_part, false, vocab, &lo, &hi, &open);
        if (st == E_OK) a->where.a0 = lo, a->where.a1 = hi, a->has_parts = true;
        return st;
    case AXIS_WIDTH:
        st = resolve(x, s, i, a->n->extent == PAIR ? rows : a->n->width, a->n->extent == PAIR,
                     false, &lo, &hi, &open);
        if (st == E_OK) a->w0 = lo, a->w1 = open ? ROW_OPEN : hi, a->has_width = true;
        return st;
    default: return no_axis(x, a, s->axis);
    }
}

/* Lists multiply: the later axes vary fastest. */
static status expand(parser *x, address a, int from)
{
    if (from == x->n_slice) return emit(x, &a);
    for (int i = 0; i < x->slice[from].n; i++) {
        address b = a;
        status st = apply(x, &b, &x->slice[from], i);
        if (st == E_OK) st = expand(x, b, from + 1);
        if (st != E_OK) return st;
    }
    return E_OK;
}

static status take_site(parser *x, const struct site *s)
{
    node *n = s->n;
    address a = { .name = s->name, .n = n, .before = x->before };
    a.where = (box){ 0,
                     n->extent == WEIGHT ? n->n_row
                     : n->extent == LANE ? 1
                                         : ROW_OPEN,
                     0, n->n_part };
    a.w1 = n->extent == PAIR ? ROW_OPEN : n->width;
    if (x->before && !n->op) {
        error_set(x->err, E_NOSITE,
                  "%s@before: a weight or input is not computed, so there is no value before edits",
                  s->name);
        return E_NOSITE;
    }
    return expand(x, a, 0);
}

/* Of sites of one node, the first alone when a glob names them: each place once. */
static status take_matching(parser *x, const char *name, int *n)
{
    const graph *g = &x->m->g;
    bool glob = strchr(name, '*') != NULL;
    *n = 0;
    for (int32_t i = 0; i < g->n_site; i++) {
        if (glob ? !glob_match(name, g->site[i].name) : strcmp(name, g->site[i].name)) continue;
        if (glob && !g->site[i].n->op && strncmp(name, g->site[i].name, 1)) continue;
        status st = take_site(x, &g->site[i]);
        if (st != E_OK) return st;
        ++*n;
    }
    return E_OK;
}

void site_nearest(const model *m, const char *text, char *out, size_t bytes)
{
    const char *best[3] = { NULL };
    int score[3] = { 1000, 1000, 1000 };
    size_t used = 0;
    for (int32_t i = 0; i < m->g.n_site; i++) {
        const char *name = m->g.site[i].name;
        int d = str_distance(text, name), k = 3;
        if (d > (int)strlen(text) / 2 + 2) continue;
        while (k > 0 && d < score[k - 1]) k--;
        for (int j = 2; j > k; j--) score[j] = score[j - 1], best[j] = best[j - 1];
        if (k < 3) score[k] = d, best[k] = name;
    }
    *out = 0;
    for (int i = 0; i < 3 && best[i] && used + strlen(best[i]) + 3 < bytes; i++)
        used += (size_t)snprintf(out + used, bytes - used, "%s%s", i ? ", " : "", best[i]);
}

/* Why an architecture does not have a site that others have. */
static const char *reason(const model *m, const char *name)
{
    const model_config *c = &m->config;
    if (strstr(name, "resid_mid") && !c->d_mlp) return "the model has no MLPs, so no place between";
    if (strstr(name, "resid_mid") && c->parallel)
        return "attention and MLP read the same stream, so there is no place between";
    if (strstr(name, ".mlp.") && !c->d_mlp) return "the model has no MLPs";
    if (c->n_expert &&
        (strstr(name, "mlp.gate") || strstr(name, "mlp.up") || strstr(name, "mlp.p")))
        return "its MLP is a mixture: mlp.experts.0.gate, up, post and out";
    if (strstr(name, "mlp.pre") && c->gated) return "its MLPs are gated: mlp.gate and mlp.up";
    if ((strstr(name, "mlp.gate") || strstr(name, "mlp.up")) && !c->gated)
        return "its MLPs have no gate: mlp.pre";
    if (strstr(name, "rot_") && strcmp(c->position, "rotary"))
        return "its positions are not rotary";
    if (!strcmp(name, "pos_embed") && strcmp(c->position, "learned"))
        return !strcmp(c->position, "alibi")
                   ? "its positions lean on the scores: nothing is added to the embedding"
                   : "its positions are rotary: nothing is added to the embedding";
    if (strstr(name, "ln") && !strcmp(c->norm, "none")) return "the model has no norms";
    if (strstr(name, "router") || strstr(name, "expert")) return "the model has no experts";
    if (strstr(name, "q_raw") || strstr(name, "k_raw")) return "it has no norm on queries and keys";
    return NULL;
}

static status not_found(parser *x, const char *name)
{
    char near[300];
    const char *why = reason(x->m, name);
    site_nearest(x->m, name, near, sizeof near);
    if (why) error_set(x->err, E_NOSITE, "%s has no site '%.100s': %s", x->m->name, name, why);
    else error_set(x->err, E_NOSITE, "%s has no site '%.100s'", x->m->name, name);
    if (*near) error_hint(x->err, "did you mean %s?", near);
    else error_hint(x->err, "'microtome sites %s' lists them", x->m->path);
    return E_NOSITE;
}

static status find(parser *x)
{
    char names[ALIAS_NAMES][ALIAS_BYTES];
    const char *why;
    int n;
    status st = take_matching(x, x->name, &n);
    if (st != E_OK || n) return st;
    int n_alias = alias_find(x->name, names, &why);
    if (why) {
        error_set(x->err, E_UNSUPPORTED, "'%.100s' is no site here", x->name);
        error_hint(x->err, "%s", why);
        return E_UNSUPPORTED;
    }
    for (int i = 0; i < n_alias; i++) {
        st = take_matching(x, names[i], &n);
        if (st != E_OK || n) return st;
    }
    return not_found(x, n_alias ? names[0] : x->name);
}

status site_find(address **out, int *n_out, arena *mem, const model *m, const prompt *p,
                 const char *text, error *err)
{
    parser x = { .m = m, .p = p, .text = text, .mem = mem, .err = err };
    error local = { 0 };
    if (!err) x.err = &local;
    status st = parse(&x, text);
    if (st == E_OK) st = find(&x);
    if (st != E_OK) return st;
    *out = x.out, *n_out = x.n_out;
    return E_OK;
}

status site_find_one(address *out, const model *m, const prompt *p, const char *text, error *err)
{
    arena mem = { 0 };
    address *list;
    int n;
    status st = site_find(&list, &n, &mem, m, p, text, err);
    if (st == E_OK && n != 1) {
        st = error_set(err, E_USAGE, "'%.100s' names %d places, expected one", text, n);
        error_hint(err, "the first two are %s and %s", list[0].name, list[1].name);
    }
    if (st == E_OK) *out = list[0];
    arena_release(&mem);
    return st;
}

/* The comma that ends an item: not inside brackets or quotes. */
static const char *item_end(const char *p)
{
    int depth = 0;
    bool quoted = false;
    for (; *p && (*p != ',' || depth || quoted); p++) {
        if (quoted && *p == '\\' && p[1]) p++;
        else if (*p == '"') quoted = !quoted;
        else if (!quoted) depth += (*p == '[') - (*p == ']');
    }
    return p;
}

status site_find_list(address **out, int *n_out, arena *mem, const model *m, const prompt *p,
                      const char *text, error *err)
{
    address *all = NULL;
    int n = 0;
    for (const char *at = text; *at;) {
        const char *end = item_end(at);
        char *item = arena_get(mem, (size_t)(end - at) + 1);
        address *some;
        int k;
        if (!item) return error_set(err, E_NOMEM, "address: out of memory");
        memcpy(item, at, (size_t)(end - at));
        item[end - at] = 0;
        status st = site_find(&some, &k, mem, m, p, item, err);
        if (st != E_OK) return st;
        address *wider = arena_array(mem, n + k, sizeof *wider);
        if (!wider) return error_set(err, E_NOMEM, "address: out of memory");
        if (n) memcpy(wider, all, (size_t)n * sizeof *wider);
        memcpy(wider + n, some, (size_t)k * sizeof *wider);
        all = wider, n += k;
        at = *end ? end + 1 : end;
    }
    if (!n) return error_set(err, E_USAGE, "no address was given");
    *out = all, *n_out = n;
    return E_OK;
}

/* ---- edges ---- */

static status none_of_kind(const model *m, const char *text, const address *a, bool writers,
                           error *err)
{
    char list[300] = "";
    for (int32_t i = 0; i < m->g.n_site; i++) {
        const struct site *s = &m->g.site[i];
        if (!(writers ? s->n->writer : s->n->reader) || strlen(list) > 200) continue;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "",
                 s->name);
    }
    (void)text;
    error_set(err, E_NOSITE, "%s is no %s of the residual stream", a->name,
              writers ? "writer" : "reader");
    error_hint(err, "%s are %s ...", writers ? "writers" : "readers", list);
    return E_NOSITE;
}

/* "blocks.3.mlp" is the MLP's end, "blocks.3.attn[head=2]" the heads' write, "logits" what reads for them. */
static void end_name(char *out, size_t bytes, const char *text, const char *attn, const char *mlp)
{
    const char *stop = name_end(text);
    size_t n = (size_t)(stop - text);
    while (n && text[n - 1] == ' ') n--;
    const char *more = n > 5 && !strncmp(text + n - 5, ".attn", 5)  ? attn
                       : n > 4 && !strncmp(text + n - 4, ".mlp", 4) ? mlp
                                                                    : "";
    snprintf(out, bytes, "%.*s%s%s", (int)n, text, more, stop);
}

status site_find_writers(address **out, int *n_out, arena *mem, const model *m, const prompt *p,
                         const char *text, error *err)
{
    char full[400];
    end_name(full, sizeof full, spaces(text), ".result", ".out");
    status st = site_find(out, n_out, mem, m, p, full, err);
    for (int i = 0; st == E_OK && i < *n_out; i++)
        if (!(*out)[i].n->writer) st = none_of_kind(m, text, &(*out)[i], true, err);
    return st;
}

/* What reads on behalf of an MLP, or of the logits, by its name: "blocks.*.mlp" is "blocks.*.ln2.out". */
static bool reader_behind(const model *m, const char *text, char *out, size_t bytes)
{
    size_t n = (size_t)(name_end(text) - text);
    while (n && text[n - 1] == ' ') n--;
    if (n == 6 && !strncmp(text, "logits", n))
        return snprintf(out, bytes, "%s", graph_name(&m->g, m->logits_reader)) > 0;
    bool mlp = n > 11 && !strncmp(text, "blocks.", 7) && !strncmp(text + n - 4, ".mlp", 4);
    const char *first =
        mlp && m->block[0].mlp_reader ? graph_name(&m->g, m->block[0].mlp_reader) : NULL;
    if (!first || strncmp(first, "blocks.0.", 9)) return false;
    return snprintf(out, bytes, "%.*s%s", (int)(n - 3), text, first + 9) > 0;
}

status site_find_readers(address **out, int *n_out, arena *mem, const model *m, const prompt *p,
                         const char *text, error *err)
{
    char full[400], name[200];
    text = spaces(text);
    bool behind = reader_behind(m, text, name, sizeof name);
    snprintf(full, sizeof full, "%s%s", behind ? name : text, behind ? name_end(text) : "");
    status st = site_find(out, n_out, mem, m, p, full, err);
    for (int i = 0; st == E_OK && i < *n_out; i++)
        if (!(*out)[i].n->reader) st = none_of_kind(m, text, &(*out)[i], false, err);
    return st;
}

/* ---- writing ---- */

box address_box(const address *a, int32_t len)
{
    box b = a->where;
    if (a->n->extent == ROW || a->n->extent == PAIR) b.r1 = b.r1 < len ? b.r1 : len;
    return b;
}

static void cut_text(char *out, size_t bytes, const char *axis, int32_t lo, int32_t hi)
{
    size_t n = strlen(out);
    out += n, bytes -= n;
    const char *comma = n && out[-1] != '[' ? ", " : "";
    if (hi == lo + 1) snprintf(out, bytes, "%s%s=%d", comma, axis, lo);
    else if (hi == ROW_OPEN) snprintf(out, bytes, "%s%s=%d:", comma, axis, lo);
    else snprintf(out, bytes, "%s%s=%d:%d", comma, axis, lo, hi);
}

void address_text(const address *a, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s%s", a->name, a->before ? "@before" : "");
    if (!a->has_rows && !a->has_parts && !a->has_width) return;
    snprintf(out + strlen(out), bytes - strlen(out), "[");
    if (a->has_rows) cut_text(out, bytes, row_axis(a->n), a->where.r0, a->where.r1);
    if (a->has_parts) cut_text(out, bytes, a->n->part_axis, a->where.a0, a->where.a1);
    if (a->has_width) cut_text(out, bytes, a->n->width_axis, a->w0, a->w1);
    snprintf(out + strlen(out), bytes - strlen(out), "]");
}
/* SPDX-License-Identifier: MIT */
