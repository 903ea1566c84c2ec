/* product_vec -- whole products, for one row at the speed of memory and for many at that of arithmetic.
 *
 *   weight by inputs               strips of some rows of the weight, as they lie, onto y; of more rows than fit the
 *                                  registers, the first leave a panel for the others
 *   few rows, weight by outputs    blocks of the weight turned in registers
 *   rows, weight by outputs        the rows are turned once, and then the weight's rows are the piece's:
 *                                  nothing of the weight is moved, and what comes out is turned back */
#include "backend/panel.h"
#include "backend/weights.h"

enum {
    TALL = VEC == 16 ? 16 : PANEL_ROWS, /* rows that are one group, perhaps of narrow panels */
    FEW = VEC == 16 ? 9 : 4,            /* rows that would leave much of a panel empty; */
    FEW_HALVES = VEC == 16 ? 12 : 8,    /* of weights of 16 bits, whose turning is cheaper */
    PAGE = 4096,                        /* bytes */
    MOST = 192, /* rows of which the sums of a strip stay in the second cache, */
    MOST_GROUPS = (MOST + PANEL_ROWS - 1) / PANEL_ROWS,
    MOST_K = VEC == 16 ? 128 : 64, /* rows of the weight in any strip, */
    MOST_COL = 1024,               /* and columns */
    TURNED = 256 << 10,            /* floats of turned rows that stay in the second cache */
    PIECE =
        6, /* rows of the weight at once: whole pages apart they still fit the nearest cache, which holds eight */
    STEP = 3 * VEC, /* outputs whose sums are turned back together */
};

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Call f(p, type) with the type as a constant. */
#define BY_TYPE(f, p, ...)                                                                         \
    switch ((p)->w.dtype) {                                                                        \
    case DTYPE_F32: f(p, __VA_ARGS__, DTYPE_F32); break;                                           \
    case DTYPE_F16: f(p, __VA_ARGS__, DTYPE_F16); break;                                           \
    case DTYPE_BF16: f(p, __VA_ARGS__, DTYPE_BF16); break;                                         \
    default: f(p, __VA_ARGS__, (p)->w.dtype); break;                                               \
    }

/* ---- weight by inputs ---- */

/* Some rows of the weight and a strip of its columns, of which one panel after another is met by all rows of x: the first
 * that meet it take its numbers as they lie, and leave them as floats in the nearest cache for the others.  (Rows whole
 * pages apart would drive each other out of it, and each group would widen 16 bits once more.) */
typedef struct strip {
    int64_t k, n_k, col, n_col;
    int64_t ahead; /* bytes from a number to that which is wanted in the next strip */
    int n_group;
    struct group *group;
    float *const *onto; /* [n_row] sums of the strip's columns */
    float *panel;       /* [n_k][PANEL], or [n_k][VEC] of a narrow one */
} strip;

/* How large strips are.  Where memory is what takes the time, no more rows than a processor follows in it; else a panel of
 * one fits the nearest cache. */
typedef struct strip_size {
    int64_t k, col;
} strip_size;

static strip_size size_for(int64_t n_row)
{
    return n_row <= TALL ? (strip_size){ 16, MOST_COL } : (strip_size){ MOST_K, MOST_COL / 2 };
}

/* Rows of x that meet a panel together, turned: number k of row r is x[VEC k + r]; and their sums. */
typedef struct group {
    float *y[TALL];
    float *x;
    int n;
} group;

/* Where the numbers of a panel are: in the weight; there, and to be left in s->panel; in s->panel. */
typedef enum source { LIE, LEAVE, LEFT } source;

/* Sums of `wide` vecs of the strip's columns.  n, `wide`, `whole` (no column is missing) and the source are constants at
 * every call that matters, so that sums live in registers and nothing is asked within the loop.  The rows that meet a
 * panel first wait for memory: they ask for what the next strip has. */
ALWAYS void strip_panel(const product *p, const strip *s, const group *g, int64_t c, int n,
                        int wide, bool whole, source from, dtype t)
{
    const char *w = weight_at(&p->w, p->k0 + s->k);
    int64_t at = p->col0 + s->col + c, step = p->w.row_bytes;
    int left = whole ? wide * VEC : (int)(s->n_col - c);
    int64_t ahead = at * type_bytes(t) + s->ahead;
    float *panel = s->panel;
    const float *x = g->x;
    vec acc[TALL][2];
    for (int r = 0; r < n; r++)
        for (int h = 0; h < wide; h++)
            acc[r][h] = !s->k   ? vec_splat(0.0f)
                        : whole ? vec_load(g->y[r] + c + h * VEC)
                                : vec_load_part(g->y[r] + c + h * VEC, left - h * VEC);
    for (int64_t k = 0; k < s->n_k; k++, w += step, x += VEC, panel += wide * VEC) {
        vec wk[2];
        for (int h = 0; h < wide; h++) {
            if (from != LEFT) vec_prefetch(w + ahead + h * VEC * type_bytes(t));
            wk[h] = from == LEFT ? vec_load(panel + h * VEC)
                                 : load_weights(w, at + h * VEC, whole ? VEC : left - h * VEC, t);
            if (from == LEAVE) vec_store(panel + h * VEC, wk[h]);
        }
        for (int r = 0; r < n; r++) {
            vec xk = vec_splat(x[r]);
            for (int h = 0; h < wide; h++) acc[r][h] = vec_fma(xk, wk[h], acc[r][h]);
        }
    }
    for (int r = 0; r < n; r++)
        for (int h = 0; h < wide; h++)
            if (whole) vec_store(g->y[r] + c + h * VEC, acc[r][h]);
            else vec_store_part(g->y[r] + c + h * VEC, acc[r][h], left - h * VEC);
}

/* Columns of a panel: narrow ones where there are more rows than wide ones have registers for. */
ALWAYS int64_t group_width(int n) { return n > PANEL_ROWS ? VEC : PANEL; }

/* The panels of columns [c, end). */
ALWAYS void strip_rows(const product *p, const strip *s, const group *g, int64_t c, int64_t end,
                       source from, dtype t)
{
#define CASE(i)                                                                                    \
    case i:                                                                                        \
        if (i > (from == LIE ? TALL : PANEL_ROWS)) break;                                          \
        for (; c < end; c += group_width(i))                                                       \
            strip_panel(p, s, g, c, i, (int)group_width(i) / VEC, true, from, t);                  \
        break;
    switch (g->n) {
        NUMBERS_OF_ROWS(CASE)
    default: break;
    }
#undef CASE
}

typedef void strip_fn(const product *p, const strip *s, const group *g, int64_t c, int64_t end);

#define STRIP_OF(name, from, t)                                                                    \
    static __attribute__((noinline)) void strip_##name(const product *p, const strip *s,           \
                                                       const group *g, int64_t c, int64_t end)     \
    {                                                                                              \
        strip_rows(p, s, g, c, end, from, t);                                                      \
    }
STRIP_OF(lie_f32, LIE, DTYPE_F32)
STRIP_OF(lie_f16, LIE, DTYPE_F16)
STRIP_OF(lie_bf16, LIE, DTYPE_BF16)
STRIP_OF(leave_f32, LEAVE, DTYPE_F32)
STRIP_OF(leave_f16, LEAVE, DTYPE_F16)
STRIP_OF(leave_bf16, LEAVE, DTYPE_BF16)
STRIP_OF(left, LEFT, DTYPE_F32)

static strip_fn *strip_for(dtype t, bool alone)
{
    return t == DTYPE_F32    ? (alone ? strip_lie_f32 : strip_leave_f32)
           : t == DTYPE_F16  ? (alone ? strip_lie_f16 : strip_leave_f16)
           : t == DTYPE_BF16 ? (alone ? strip_lie_bf16 : strip_leave_bf16)
                             : NULL;
}

/* A panel that is cut short, or of a weight of any other type: once, for all numbers of rows. */
static __attribute__((noinline)) void strip_rest(const product *p, const strip *s, int64_t c)
{
    for (int i = 0; i < s->n_group; i++) {
        const group *g = s->group + i;
        strip_panel(p, s, g, c, g->n, 1, false, i == 0 ? LEAVE : LEFT, p->w.dtype);
    }
}

/* All columns of the strip. */
static void strip_panels(const product *p, const strip *s)
{
    strip_fn *first = strip_for(p->w.dtype, s->n_group == 1);
    int64_t width = group_width(s->group->n), c = 0, end = first ? s->n_col / width * width : 0;
    if (first && s->n_group == 1) first(p, s, s->group, 0, c = end);
    for (; c < end; c += width) {
        first(p, s, s->group, c, c + width);
        for (int i = 1; i < s->n_group; i++) strip_left(p, s, s->group + i, c, c + width);
    }
    for (; c < s->n_col; c += VEC) strip_rest(p, s, c);
}

/* The rows of x of a group, turned, which are its rows of the product from `row` on. */
static void group_turn(const product *p, const strip *s, group *g, int64_t row)
{
    const char *each[VEC];
    for (int r = 0; r < g->n; r++) g->y[r] = s->onto[row + r];
    for (int r = 0; r < VEC; r++)
        each[r] = (const char *)(p->x[row + (r < g->n ? r : g->n - 1)] + p->x0 + s->k);
    for (int64_t k = 0; k < s->n_k; k += VEC) {
        vec turned[VEC];
        load_turned(turned, each, k, s->n_k - k, NULL, DTYPE_F32);
        for (int i = 0; i < VEC; i++) vec_store(g->x + (k + i) * VEC, turned[i]);
    }
}

/* Groups as equal as can be: 20 are 10 + 10. */
static int group_count(int64_t n_row)
{
    return n_row <= TALL ? 1 : (int)ceil_div(n_row, PANEL_ROWS);
}

/* Columns [s->col, + s->n_col) of all rows. */
static void strip_columns(const product *p, strip *s, int64_t most_k)
{
    for (s->k = 0; s->k < p->n_k; s->k += s->n_k) {
        s->n_k = at_most(p->n_k - s->k, most_k);
        s->ahead = s->k + s->n_k < p->n_k
                       ? s->n_k * p->w.row_bytes
                       : s->n_col * type_bytes(p->w.dtype) - s->k * p->w.row_bytes;
        for (int i = 0; i < s->n_group; i++) {
            int64_t first = i * p->n_row / s->n_group, end = (i + 1) * p->n_row / s->n_group;
            s->group[i].n = (int)(end - first);
            group_turn(p, s, s->group + i, first);
        }
        strip_panels(p, s);
    }
}

/* Sums that are to be added to y lie elsewhere first; so do those of rows whole pages apart, which fall into the same few
 * lines of the nearest cache. */
static bool sums_apart(const product *p)
{
    return p->add || (p->n_row > 1 && ((uintptr_t)p->y[1] - (uintptr_t)p->y[0]) % PAGE == 0);
}

static void sums_home(const product *p, const strip *s)
{
    for (int64_t r = 0; r < p->n_row; r++) {
        float *y = p->y[r] + p->y0 + s->col;
        const float *from = s->onto[r];
        if (!p->add) memcpy(y, from, (size_t)s->n_col * sizeof *y);
        else
            for (int64_t i = 0; i < s->n_col; i++) y[i] = y[i] + from[i];
    }
}

static void strips(const product *p, float *scratch)
{
    strip_size size = size_for(p->n_row);
    if (p->w.pair) size.k = 1; /* its rows do not lie one behind the other */
    float *onto[MOST];
    group each[MOST_GROUPS];
    strip s = { .onto = onto,
                .group = each,
                .n_group = group_count(p->n_row),
                .panel = scratch + p->n_row * (size.col + PANEL) };
    for (int i = 0; i < s.n_group; i++)
        each[i].x = s.panel + size.k * PANEL + i * (size.k + VEC) * VEC;
    bool apart = sums_apart(p);
    for (s.col = 0; s.col < p->n_col; s.col += size.col) {
        s.n_col = at_most(p->n_col - s.col, size.col);
        for (int64_t r = 0; r < p->n_row; r++)
            onto[r] = apart ? scratch + r * (size.col + PANEL) : p->y[r] + p->y0 + s.col;
        strip_columns(p, &s, size.k);
        if (apart) sums_home(p, &s);
    }
}

static void by_in(const product *p, float *scratch)
{
    int64_t n_part = ceil_div(p->n_row, MOST);
    for (int64_t i = 0; i < n_part; i++) {
        product part = *p;
        int64_t first = i * p->n_row / n_part, end = (i + 1) * p->n_row / n_part;
        part.x += first, part.y += first, part.n_row = end - first;
        strips(&part, scratch);
    }
}

/* Floats of strips(): sums, a panel, turned rows. */
static int64_t by_in_floats(const product *p)
{
    int64_t n_row = at_most(p->n_row, MOST);
    strip_size size = size_for(n_row);
    return n_row * (size.col + PANEL) + size.k * PANEL + group_count(n_row) * (size.k + VEC) * VEC;
}

/* ---- few rows, weight by outputs ---- */

ALWAYS void sums_store(float *y, vec sum, int64_t n, bool add)
{
    int part = (int)at_most(n, VEC);
    if (add) sum = vec_add(vec_load_part(y, part), sum);
    vec_store_part(y, sum, part);
}

ALWAYS bool halves(dtype t) { return t == DTYPE_F16 || t == DTYPE_BF16; }

/* One of the two numbers of 16 bits in each word. */
ALWAYS vec half_of(words x, int upper, dtype t)
{
    if (t == DTYPE_BF16) return words_bf16(x, upper);
    return words_f16(upper ? words_bits(x, 16, -1) : x);
}

/* Numbers of 16 bits are turned two by two, which takes half the shuffles.  Where rows are few, four pairs of VEC rows at
 * a time; sixteen rows are copied together first, a line of each: if they lie whole pages apart, they would drive each
 * other's lines out of the nearest cache, which holds eight such. */
ALWAYS int64_t dots_pairs(const product *p, const char *const *row, const char *ahead, vec *acc,
                          int n, dtype t)
{
    enum { NUMBERS = LINE / 2, PAIRS = 4 };
    _Alignas(64) uint8_t line[VEC][LINE];
    const uint8_t *each[VEC];
    int64_t k = 0;
    for (int j = 0; j < VEC; j++)
        each[j] = VEC == 16 ? line[j] : (const uint8_t *)row[j] + p->k0 * 2;
    for (; k + NUMBERS <= p->n_k; k += NUMBERS) {
        for (int j = 0; j < VEC; j++) {
            vec_prefetch(ahead + k * VEC * 2 + j * LINE);
            if (VEC == 16) memcpy(line[j], row[j] + (p->k0 + k) * 2, LINE);
        }
        for (int at = 0; at < NUMBERS; at += 2 * PAIRS) {
            words w[PAIRS];
            words_turn(w, each, (VEC == 16 ? at : k + at) * 2);
            for (int i = 0; i < 2 * PAIRS; i++) {
                vec wi = half_of(w[i / 2], i & 1, t);
                for (int r = 0; r < n; r++)
                    acc[r] = vec_fma(vec_splat(p->x[r][p->x0 + k + at + i]), wi, acc[r]);
            }
        }
    }
    return k;
}

/* The same, VEC pairs at a time: where there are registers for them, and more rows to meet them. */
ALWAYS int64_t dots_squares(const product *p, const char *const *row, const char *ahead, vec *acc,
                            int n, dtype t)
{
    int64_t k = 0;
    for (; k + 2 * VEC <= p->n_k; k += 2 * VEC) {
        vec w[VEC];
        for (int i = 0; i < VEC; i++) {
            vec_prefetch(ahead + (k * VEC + i * 2 * VEC) * 2);
            w[i] = vec_load_bits(row[i] + (p->k0 + k) * 2);
        }
        vec_transpose(w);
        for (int i = 0; i < 2 * VEC; i++) {
            vec wi = half_of(words_of(w[i / 2]), i & 1, t);
            for (int r = 0; r < n; r++)
                acc[r] = vec_fma(vec_splat(p->x[r][p->x0 + k + i]), wi, acc[r]);
        }
    }
    return k;
}

/* VEC sums of each row from output c on, without a panel in between; ahead: the piece of memory that comes next. */
ALWAYS void dots_one(const product *p, const char *const *row, const char *ahead, int64_t c, int n,
                     dtype t)
{
    vec acc[FEW_HALVES];
    for (int r = 0; r < n; r++) acc[r] = vec_splat(0.0f);
    int64_t k = !halves(t)           ? 0
                : VEC == 16 && n > 4 ? dots_squares(p, row, ahead, acc, n, t)
                                     : dots_pairs(p, row, ahead, acc, n, t);
    for (; k < p->n_k; k += VEC) {
        int64_t n_k = at_most(p->n_k - k, VEC);
        vec w[VEC];
        load_turned(w, row, p->k0 + k, n_k, ahead + k * VEC * type_bytes(t), t);
        for (int i = 0; i < n_k; i++)
            for (int r = 0; r < n; r++)
                acc[r] = vec_fma(vec_splat(p->x[r][p->x0 + k + i]), w[i], acc[r]);
    }
    for (int r = 0; r < n; r++) sums_store(p->y[r] + p->y0 + c, acc[r], p->n_col - c, p->add);
}

/* Up to so many rows meet all heads before the next outputs, in the order of memory; more have no registers for it. */
enum { FEW_HEADS = 4 };

ALWAYS void dots(const product *p, int n, dtype t)
{
    for (int64_t c = 0; c < p->n_col; c += VEC) {
        const char *row[VEC];
        for (int64_t j = 0; j < VEC; j++)
            row[j] = weight_at(&p->w, p->col0 + at_most(c + j, p->n_col - 1));
        if (n > FEW_HEADS) dots_one(p, row, row[0] + VEC * p->w.row_bytes, c, n, t);
        for (int64_t k = 0; n <= FEW_HEADS && k < p->n_k; k += p->n_each) {
            product one = product_at(p, k);
            dots_one(&one, row, row[0] + VEC * (p->w.row_bytes + k * type_bytes(t)), c, n, t);
        }
    }
}

ALWAYS int most_few(dtype t) { return halves(t) ? FEW_HALVES : FEW; }

/* A function for each number of rows and each type: in a larger one the compiler keeps less in registers. */
typedef void few_fn(const product *p);

#define FEW_OF(i, name, t)                                                                         \
    static __attribute__((noinline)) void few_##name##_##i(const product *p)                       \
    {                                                                                              \
        if (i <= most_few(t)) dots(p, i, t);                                                       \
    }
#define FEW_F32(i) FEW_OF(i, f32, DTYPE_F32)
#define FEW_F16(i) FEW_OF(i, f16, DTYPE_F16)
#define FEW_BF16(i) FEW_OF(i, bf16, DTYPE_BF16)
NUMBERS_OF_ROWS(FEW_F32)
NUMBERS_OF_ROWS(FEW_F16)
NUMBERS_OF_ROWS(FEW_BF16)

#define F32(i) few_f32_##i,
#define F16(i) few_f16_##i,
#define BF16(i) few_bf16_##i,

/* That for p, NULL where rows are not few or of another type. */
static few_fn *few_for(const product *p)
{
    static few_fn *const f32[] = { NUMBERS_OF_ROWS(F32) }, *const f16[] = { NUMBERS_OF_ROWS(F16) },
                         *const bf16[] = { NUMBERS_OF_ROWS(BF16) };
    dtype t = p->w.dtype;
    if (!p->by_out || p->n_row > most_few(t)) return NULL;
    return t == DTYPE_F32    ? f32[p->n_row - 1]
           : t == DTYPE_F16  ? f16[p->n_row - 1]
           : t == DTYPE_BF16 ? bf16[p->n_row - 1]
                             : NULL;
}

/* ---- rows, weight by outputs ---- */

/* May the weight's numbers be read where they are? */
static bool plain_floats(const product *p)
{
    return p->w.dtype == DTYPE_F32 && (uintptr_t)p->w.base % sizeof(float) == 0 &&
           p->w.row_bytes % (int64_t)sizeof(float) == 0;
}

/* Scratch: the rows turned, sums of a step by panel, rows of the weight as floats. */
typedef struct turned {
    int64_t n_row, n_panel;
    float *x, *sum, *w;
} turned;

/* As many rows at once as stay in the second cache, turned: whole panels, if there are more. */
static int64_t rows_at_once(const product *p)
{
    int64_t most = TURNED / (p->n_k + 1) / PANEL * PANEL;
    return at_most(p->n_row, most < 2 * PANEL ? 2 * PANEL : most);
}

static turned turned_in(const product *p, float *scratch)
{
    turned t = { .n_panel = ceil_div(rows_at_once(p), PANEL), .x = scratch };
    t.sum = t.x + t.n_panel * PANEL * p->n_k;
    t.w = t.sum + t.n_panel * PANEL * STEP;
    return t;
}

static int64_t turned_floats(const product *p)
{
    int64_t n_panel = ceil_div(rows_at_once(p), PANEL);
    return n_panel * PANEL * (p->n_k + STEP) + (p->n_k + VEC) * PIECE;
}

static void turn_rows(const product *p, turned *t, int64_t first)
{
    for (int64_t c = 0; c < t->n_panel; c++) {
        const float *row[PANEL];
        int64_t n = at_most(t->n_row - c * PANEL, PANEL);
        for (int64_t r = 0; r < n; r++) row[r] = p->x[first + c * PANEL + r] + p->x0;
        panel_turn(t->x + c * PANEL * p->n_k, n > VEC ? PANEL : VEC, row, (int)n, p->n_k);
    }
}

ALWAYS void widen(const product *p, int64_t col, float *out, dtype t)
{
    const char *row = weight_at(&p->w, p->col0 + col);
    if (dtype_is_block(t)) {
        dtype_part_f32(t, row, p->k0, p->n_k, out);
        return;
    }
    for (int64_t k = 0; k < p->n_k; k += VEC)
        vec_store(out + k, load_weights(row, p->k0 + k, p->n_k - k, t));
}

/* n <= PIECE rows of the weight from output col on, and all rows, into sums [first of the step ..].  Those that meet them
 * first ask for the next ones. */
static void piece_of_step(const product *p, const turned *t, int64_t col, int n, int first)
{
    const float *w[PIECE];
    float *y[PIECE];
    bool as_it_lies = plain_floats(p);
    for (int j = 0; j < n; j++) {
        w[j] = (const float *)(const void *)weight_at(&p->w, p->col0 + col + j) + p->k0;
        if (as_it_lies) continue;
        float *wide = t->w + j * (p->n_k + VEC);
        BY_TYPE(widen, p, col + j, wide)
        w[j] = wide;
    }
    for (int64_t c = 0; c < t->n_panel; c++) {
        for (int j = 0; j < n; j++) y[j] = t->sum + (c * STEP + first + j) * PANEL;
        int64_t n_col = at_most(t->n_row - c * PANEL, PANEL);
        piece one = { .x = w,
                      .y = y,
                      .panel = t->x + c * PANEL * p->n_k,
                      .n_k = p->n_k,
                      .n_col = (int)n_col,
                      .narrow = true };
        if (c == 0 && !dtype_is_block(p->w.dtype)) {
            one.ahead = weight_at(&p->w, p->col0 + col + n) + p->k0 * type_bytes(p->w.dtype);
            one.ahead_step = n * type_bytes(p->w.dtype);
        }
        panel_multiply(&one, n);
    }
}

/* Sums of n outputs from col on, turned back into rows of y. */
static void step_finish(const product *p, const turned *t, int64_t row, int64_t col, int64_t n)
{
    for (int64_t r = 0; r < t->n_row; r += VEC)
        for (int64_t j = 0; j < n; j += VEC) {
            const float *from = t->sum + (r / PANEL * STEP + j) * PANEL + r % PANEL;
            vec s[VEC];
            for (int i = 0; i < VEC; i++) s[i] = vec_load(from + i * PANEL);
            vec_transpose(s);
            for (int64_t i = 0; i < VEC && r + i < t->n_row; i++)
                sums_store(p->y[row + r + i] + p->y0 + col + j, s[i], n - j, p->add);
        }
}

/* All outputs of the rows that are turned, which begin at `row`. */
static void by_out_rows(const product *p, const turned *t, int64_t row)
{
    for (int64_t col = 0; col < p->n_col; col += STEP) {
        int64_t n = at_most(p->n_col - col, STEP), n_piece = ceil_div(n, PIECE);
        for (int64_t i = 0; i < n_piece; i++) {
            int64_t first = i * n / n_piece, end = (i + 1) * n / n_piece;
            piece_of_step(p, t, col + first, (int)(end - first), (int)first);
        }
        step_finish(p, t, row, col, n);
    }
}

static void by_out(const product *p, float *scratch)
{
    turned t = turned_in(p, scratch);
    int64_t n_panel = ceil_div(p->n_row, PANEL), n_part = ceil_div(n_panel, t.n_panel);
    for (int64_t part = 0; part < n_part; part++) {
        int64_t row = part * n_panel / n_part * PANEL;
        t.n_row = at_most((part + 1) * n_panel / n_part * PANEL, p->n_row) - row;
        t.n_panel = ceil_div(t.n_row, PANEL);
        turn_rows(p, &t, row);
        by_out_rows(p, &t, row);
    }
}

/* ---- the whole ---- */

void product_run(const product *asked, float *scratch)
{
    const product said = product_said(asked), *p = &said;
    few_fn *few = few_for(p);
    if (blocks_fit(p)) blocks_run(p);
    else if (few && p->n_row <= FEW_HEADS) few(p);
    else
        for (int64_t k = 0; k < p->n_k; k += p->n_each) {
            product one = product_at(p, k);
            if (few) few(&one);
            else if (p->by_out) by_out(&one, scratch);
            else by_in(&one, scratch);
        }
}

size_t product_scratch(const product *asked)
{
    const product said = product_said(asked), *p = &said, one = product_at(p, 0);
    if (blocks_fit(p)) return 0;
    return (size_t)(p->by_out ? turned_floats(&one) : by_in_floats(&one)) * sizeof(float);
}
/* SPDX-License-Identifier: MIT */
