/* hand -- see hand.h. */
#define TEST_FILE hand
#include "hand.h"
#include "ops.gen.h"
#include "test.h"
#include "toy.h"

void hand_open(hand *h, int32_t n_row, int32_t width, const double *v)
{
    graph *g = &h->g;
    graph_init(g, NULL);
    h->x = graph_site(g, graph_input(g, ROW, 1, width), "x");
    h->twice = graph_site(g, op_scale(g, h->x, 2), "twice");
    h->sum = graph_site(g, op_add(g, h->twice, h->x), "sum");
    h->late = graph_site(g, op_scale(g, h->sum, 10), "late");
    h->ten = graph_site(g, op_scale(g, h->x, 10), "ten");
    h->e = toy_engine("reference", "f32", 1, false);
    REQUIRE(session_new(&h->s, g, h->e, NULL) == E_OK);
    REQUIRE(!lane_new(&h->l, h->s, NULL, n_row, NULL) && !lane_give(h->l, h->x, v, NULL));
}

void hand_close(hand *h)
{
    session_free(h->s);
    engine_free(h->e);
    graph_release(&h->g);
}
/* SPDX-License-Identifier: MIT */
