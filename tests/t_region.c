/* t_region -- regions against a bitmap: every cell on its own, nothing clever. */
#define TEST_FILE t_region
#include "test.h"
#include "base/rand.h"
#include "graph/region.h"
#include <string.h>

enum { SIDE = 12 };

/* The cells of a small plane, one byte each. */
typedef struct bitmap {
    bool at[SIDE][SIDE];
} bitmap;

static void paint(bitmap *m, box b, bool value)
{
    for (int32_t r = b.r0; r < b.r1; r++)
        for (int32_t a = b.a0; a < b.a1; a++) m->at[r][a] = value;
}

/* Where random numbers come from: the next index of a stream. */
typedef struct draw {
    uint32_t stream;
    uint64_t at;
} draw;

static int32_t below(draw *d, int64_t n)
{
    return (int32_t)rand_below(test_seed, d->stream, d->at++, n);
}

/* Empty about one time in five; `thin` boxes make joins that cascade likely. */
static box some_box(draw *d, bool thin)
{
    box b = { below(d, SIDE), 0, below(d, SIDE), 0 };
    b.r1 = b.r0 + below(d, thin ? 3 : SIDE - b.r0 + 1);
    b.a1 = b.a0 + below(d, thin ? 3 : SIDE - b.a0 + 1);
    if (b.r1 > SIDE) b.r1 = SIDE;
    if (b.a1 > SIDE) b.a1 = SIDE;
    return b;
}

/* r covers exactly the cells of m, each once, by boxes that are not empty. */
static void check_same(const region *r, const bitmap *m)
{
    bitmap seen = { 0 };
    for (int i = 0; i < r->n; i++) {
        box b = *region_box(r, i);
        CHECK(!box_empty(b));
        for (int32_t y = b.r0; y < b.r1; y++)
            for (int32_t x = b.a0; x < b.a1; x++) {
                CHECK(!seen.at[y][x]);
                seen.at[y][x] = true;
            }
    }
    CHECK(!memcmp(&seen, m, sizeof seen));
}

static int64_t count(const bitmap *m, box b)
{
    int64_t n = 0;
    for (int32_t r = b.r0; r < b.r1; r++)
        for (int32_t a = b.a0; a < b.a1; a++) n += m->at[r][a];
    return n;
}

static void check_questions(const region *r, const bitmap *m, box b)
{
    int64_t n = count(m, b), area = box_cells(b);
    CHECK(region_cells(r) == count(m, (box){ 0, SIDE, 0, SIDE }));
    CHECK(region_has(r, b) == (n == area));
    CHECK(region_meets(r, b) == (n > 0));
}

/* A random region and its bitmap. */
static region some_region(draw *d, arena *mem, bitmap *m)
{
    region r = { 0 };
    memset(m, 0, sizeof *m);
    bool thin = below(d, 2);
    for (int n = below(d, 8); n > 0; n--) {
        box b = some_box(d, thin);
        region_add(mem, &r, b);
        paint(m, b, true);
    }
    return r;
}

TEST("boxes cut, meet, contain and count like sets of cells")
{
    draw d = { .stream = rand_stream("boxes") };
    for (int i = 0; i < (test_soak ? 200000 : 5000); i++) {
        box x = some_box(&d, below(&d, 2)), y = some_box(&d, below(&d, 2));
        bitmap mx = { 0 }, my = { 0 };
        paint(&mx, x, true), paint(&my, y, true);
        int64_t both = count(&mx, y);
        CHECK(box_cells(x) == count(&mx, (box){ 0, SIDE, 0, SIDE }));
        CHECK(box_empty(x) == (box_cells(x) == 0));
        CHECK(box_cells(box_cut(x, y)) == both);
        CHECK(box_meets(x, y) == (both > 0));
        if (!box_empty(x)) CHECK(box_within(x, y) == (both == box_cells(x)));
    }
}

TEST("any sequence of adding and subtracting boxes is what the same cells say")
{
    draw d = { .stream = rand_stream("region") };
    for (int i = 0; i < (test_soak ? 100000 : 1500); i++) {
        arena mem = { 0 };
        region r = { 0 };
        bitmap m = { 0 };
        bool thin = below(&d, 2);
        for (int step = 0; step < 24; step++) {
            box b = some_box(&d, thin);
            bool add = below(&d, 3) > 0;
            if (add) region_add(&mem, &r, b);
            else region_sub(&mem, &r, b);
            paint(&m, b, add);
            check_same(&r, &m);
            check_questions(&r, &m, some_box(&d, below(&d, 2)));
        }
        CHECK(!mem.failed);
        arena_release(&mem);
    }
}

TEST("joining regions, whole or cut by a box, is the union of their cells")
{
    draw d = { .stream = rand_stream("join") };
    for (int i = 0; i < (test_soak ? 100000 : 3000); i++) {
        arena mem = { 0 };
        bitmap mr, mx;
        region r = some_region(&d, &mem, &mr), x = some_region(&d, &mem, &mx);
        box b = below(&d, 3) ? some_box(&d, false) : (box){ 0, SIDE, 0, SIDE };
        if (below(&d, 2)) {
            region_add_cut(&mem, &r, &x, b);
        } else {
            region_join(&mem, &r, &x);
            b = (box){ 0, SIDE, 0, SIDE };
        }
        for (int32_t y = b.r0; y < b.r1; y++)
            for (int32_t a = b.a0; a < b.a1; a++) mr.at[y][a] |= mx.at[y][a];
        check_same(&r, &mr);
        check_same(&x, &mx);
        arena_release(&mem);
    }
}

TEST("a copy of a region stays as it is while the original changes")
{
    draw d = { .stream = rand_stream("copy") };
    for (int i = 0; i < 1000; i++) {
        arena mem = { 0 };
        bitmap before, after;
        region r = some_region(&d, &mem, &before);
        region c = region_copy(&mem, &r);
        after = before;
        for (int k = 0; k < 4; k++) {
            box b = some_box(&d, true);
            region_add(&mem, &r, b);
            paint(&after, b, true);
        }
        check_same(&c, &before);
        check_same(&r, &after);
        arena_release(&mem);
    }
}

TEST("rows added one after another are one box, in any order")
{
    draw d = { .stream = rand_stream("rows") };
    for (int i = 0; i < 200; i++) {
        arena mem = { 0 };
        region r = { 0 };
        int32_t row[SIDE];
        for (int32_t k = 0; k < SIDE; k++) row[k] = k;
        for (int32_t k = SIDE - 1; k > 0; k--) {
            int32_t j = below(&d, k + 1), t = row[k];
            row[k] = row[j], row[j] = t;
        }
        for (int k = 0; k < SIDE; k++) region_add(&mem, &r, (box){ row[k], row[k] + 1, 2, 5 });
        CHECK(r.n == 1 && box_cells(*region_box(&r, 0)) == SIDE * 3);
        arena_release(&mem);
    }
}

TEST("one box needs no memory")
{
    arena mem = { 0 };
    region r = { 0 };
    region_add(&mem, &r, (box){ 0, 5, 0, 2 });
    region_add(&mem, &r, (box){ 5, 9, 0, 2 });
    region_sub(&mem, &r, (box){ 0, 3, 0, 2 });
    CHECK(r.n == 1 && region_cells(&r) == 12 && !mem.total_bytes);
}

TEST("the whole of 32-bit rows and parts can be counted")
{
    box b = { 0, INT32_MAX, 0, INT32_MAX };
    CHECK(box_cells(b) == (int64_t)INT32_MAX * INT32_MAX);
}

TEST("an arena that gives nothing marks that a region is too small")
{
    arena mem = { 0 };
    region r = { 0 };
    region_add(&mem, &r, (box){ 0, 1, 0, 1 });
    mem_state.fail_at = 0;
    region_add(&mem, &r, (box){ 4, 5, 4, 5 });
    CHECK(mem.failed && region_cells(&r) == 1);
    arena_release(&mem);
}
/* SPDX-License-Identifier: MIT */
