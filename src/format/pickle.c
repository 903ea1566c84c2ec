/* pickle -- see pickle.h: the machine.
 *
 * The stack holds values; marks are values of no kind that only the machine knows.  The memo is an array: an index
 * must be below the number of bytes read so far, so that it is no way to ask for memory. */
#include "format/pickle.h"
#include <stdio.h>
#include <string.h>

typedef struct machine {
    arena *mem;
    const unsigned char *begin, *p, *end;
    const char *what;
    const pickle_host *host;
    pick **stack, **memo;
    size_t n_stack, cap_stack, n_memo, cap_memo; /* memo entries that were never put are NULL */
    int64_t n_value;
    error *err;
} machine;

static pick mark_value; /* its address is the mark */

static status bad(machine *m, const char *what)
{
    return error_set(m->err, E_FORMAT, "%s: pickle, byte %zu: %s", m->what,
                     (size_t)(m->p - m->begin), what);
}

static status nomem(machine *m) { return error_set(m->err, E_NOMEM, "%s: out of memory", m->what); }

/* ---- values ---- */

pick *pick_new(arena *mem, pick_kind kind)
{
    pick *v = arena_zero(mem, sizeof *v);
    if (v) v->kind = kind;
    return v;
}

bool pick_is(const pick *v, const char *text)
{
    return v && v->kind == PICK_TEXT && v->u.text.n == strlen(text) &&
           !memcmp(v->u.text.p, text, v->u.text.n);
}

static bool has_items(const pick *v)
{
    return v && (v->kind == PICK_LIST || v->kind == PICK_TUPLE || v->kind == PICK_DICT);
}

const pick *pick_at(const pick *v, int32_t i)
{
    return has_items(v) && i >= 0 && i < v->u.list.n ? v->u.list.item[i] : NULL;
}

bool pick_int(const pick *v, int64_t *out)
{
    if (!v || v->kind != PICK_INT) return false;
    *out = v->u.i;
    return true;
}

const pick *pick_find(const pick *dict, const char *key)
{
    if (!dict || dict->kind != PICK_DICT) return NULL;
    for (int32_t i = dict->u.list.n - 2; i >= 0; i -= 2)
        if (pick_is(dict->u.list.item[i], key)) return dict->u.list.item[i + 1];
    return NULL;
}

/* ---- stack, memo ---- */

/* Room for `need` pointers in an array. */
static pick **widen(machine *m, pick **old, size_t n, size_t *cap, size_t need)
{
    if (need <= *cap) return old;
    size_t wide = need < 64 ? 64 : 2 * need;
    pick **p = arena_array(m->mem, (int64_t)wide, sizeof *p);
    if (!p) return NULL;
    if (n) memcpy(p, old, n * sizeof *p);
    *cap = wide;
    return p;
}

static status push(machine *m, pick *v)
{
    pick **s = v ? widen(m, m->stack, m->n_stack, &m->cap_stack, m->n_stack + 1) : NULL;
    if (!s) return nomem(m);
    m->stack = s;
    s[m->n_stack++] = v;
    return E_OK;
}

/* So many more values are about to be made. */
static status count(machine *m, int64_t n)
{
    m->n_value += n;
    if (m->n_value <= PICKLE_VALUES) return E_OK;
    return error_set(m->err, E_LIMIT, "%s: its pickle makes more than %d values", m->what,
                     PICKLE_VALUES);
}

static status push_new(machine *m, pick_kind kind, pick **out)
{
    if (count(m, 1) != E_OK) return E_LIMIT;
    *out = pick_new(m->mem, kind);
    return push(m, *out);
}

/* The value on top, which is no mark. */
static pick *top(machine *m)
{
    pick *v = m->n_stack ? m->stack[m->n_stack - 1] : NULL;
    return v == &mark_value ? NULL : v;
}

static pick *pop(machine *m)
{
    pick *v = top(m);
    if (v) m->n_stack--;
    return v;
}

/* How many values lie above the last mark; SIZE_MAX: there is none. */
static size_t above_mark(const machine *m)
{
    for (size_t i = m->n_stack; i > 0; i--)
        if (m->stack[i - 1] == &mark_value) return m->n_stack - i;
    return SIZE_MAX;
}

static status memo_put(machine *m, uint64_t at)
{
    pick *v = top(m);
    if (!v) return bad(m, "nothing to remember");
    if (at > (uint64_t)(m->p - m->begin))
        return bad(m, "the memo's index is larger than the number of bytes so far");
    size_t need = (size_t)at + 1;
    pick **s = widen(m, m->memo, m->n_memo, &m->cap_memo, need);
    if (!s) return nomem(m);
    m->memo = s;
    if (need > m->n_memo) m->n_memo = need;
    s[at] = v;
    return E_OK;
}

static status memo_get(machine *m, uint64_t at)
{
    if (at >= m->n_memo || !m->memo[at]) return bad(m, "nothing is remembered there");
    return push(m, m->memo[at]);
}

/* ---- reading bytes ---- */

static bool take(machine *m, size_t n, const unsigned char **p)
{
    if (n > (size_t)(m->end - m->p)) return false;
    *p = m->p;
    m->p += n;
    return true;
}

/* An unsigned number of n bytes. */
static bool number(machine *m, size_t n, uint64_t *out)
{
    const unsigned char *p;
    if (!take(m, n, &p)) return false;
    *out = 0;
    for (size_t i = n; i > 0; i--) *out = *out << 8 | p[i - 1];
    return true;
}

static bool line(machine *m, char *out, size_t size)
{
    size_t n = 0;
    for (; m->p < m->end && *m->p != '\n'; m->p++) {
        if (n + 1 >= size || !*m->p) return false;
        out[n++] = (char)*m->p;
    }
    out[n] = 0;
    return m->p < m->end && *m->p++ == '\n';
}

/* ---- numbers and texts ---- */

static status push_int(machine *m, int64_t i)
{
    pick *v;
    status st = push_new(m, PICK_INT, &v);
    if (st == E_OK) v->u.i = i;
    return st;
}

static status int_of(machine *m, size_t n)
{
    uint64_t u;
    if (!number(m, n, &u)) return bad(m, "ends inside a number");
    return push_int(m, n == 4 ? (int32_t)(uint32_t)u : (int64_t)u);
}

/* A two's complement number of any width, whose width has n bytes. */
static status long_of(machine *m, size_t n)
{
    uint64_t bytes;
    const unsigned char *p;
    pick *v;
    if (!number(m, n, &bytes) || !take(m, (size_t)bytes, &p)) return bad(m, "ends inside a number");
    if (bytes <= 8) {
        uint64_t u = bytes && p[bytes - 1] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = (size_t)bytes; i > 0; i--) u = u << 8 | p[i - 1];
        return push_int(m, (int64_t)u);
    }
    status st = push_new(m, PICK_LONG, &v);
    if (st == E_OK) v->u.text.p = (const char *)p, v->u.text.n = (size_t)bytes;
    return st;
}

static status float_of(machine *m)
{
    const unsigned char *p;
    uint64_t u = 0;
    pick *v;
    if (!take(m, 8, &p)) return bad(m, "ends inside a number");
    for (int i = 0; i < 8; i++) u = u << 8 | p[i]; /* the one big-endian thing in a pickle */
    status st = push_new(m, PICK_FLOAT, &v);
    if (st == E_OK) memcpy(&v->u.x, &u, 8);
    return st;
}

static status text_of(machine *m, size_t n)
{
    uint64_t bytes;
    const unsigned char *p;
    pick *v;
    if (!number(m, n, &bytes) || bytes > (uint64_t)(m->end - m->p) || !take(m, (size_t)bytes, &p))
        return bad(m, "ends inside a text");
    status st = push_new(m, PICK_TEXT, &v);
    if (st == E_OK) v->u.text.p = (const char *)p, v->u.text.n = (size_t)bytes;
    return st;
}

static status flag(machine *m, pick_kind kind, bool on)
{
    pick *v;
    status st = push_new(m, kind, &v);
    if (st == E_OK) v->u.i = on;
    return st;
}

/* ---- lists, tuples, dicts ---- */

static status add_item(machine *m, pick *list, pick *v)
{
    if (list->u.list.n == list->u.list.cap) {
        int32_t cap = list->u.list.cap ? 2 * list->u.list.cap : 4;
        pick **wide = arena_array(m->mem, cap, sizeof *wide);
        if (!wide) return nomem(m);
        if (list->u.list.n) memcpy(wide, list->u.list.item, (size_t)list->u.list.n * sizeof *wide);
        list->u.list.item = wide, list->u.list.cap = cap;
    }
    list->u.list.item[list->u.list.n++] = v;
    return E_OK;
}

/* The n values on top, to the end of that list. */
static status move_items(machine *m, pick *list, size_t n)
{
    status st = E_OK;
    if (n > (size_t)(INT32_MAX / 4) - (size_t)list->u.list.n)
        return error_set(m->err, E_LIMIT, "%s: a list of its pickle is too long", m->what);
    for (size_t i = m->n_stack - n; i < m->n_stack && st == E_OK; i++)
        st = add_item(m, list, m->stack[i]);
    m->n_stack -= n;
    return st;
}

/* A container of the n values on top. */
static status gather(machine *m, pick_kind kind, size_t n)
{
    if (count(m, 1) != E_OK) return E_LIMIT;
    if (n > m->n_stack) return bad(m, "fewer values than a tuple needs");
    for (size_t i = m->n_stack - n; i < m->n_stack; i++)
        if (m->stack[i] == &mark_value) return bad(m, "fewer values than a tuple needs");
    pick *v = pick_new(m->mem, kind);
    if (!v) return nomem(m);
    status st = move_items(m, v, n);
    return st == E_OK ? push(m, v) : st;
}

static status gather_marked(machine *m, pick_kind kind)
{
    size_t n = above_mark(m);
    if (n == SIZE_MAX || (kind == PICK_DICT && n % 2)) return bad(m, "there is no mark");
    pick *v;
    status st = gather(m, kind, n);
    if (st != E_OK) return st;
    v = pop(m);
    m->n_stack--; /* the mark */
    return push(m, v);
}

/* Values on top into the container below them: n, or those above the mark. */
static status append(machine *m, pick_kind kind, size_t n, bool marked)
{
    if (marked) n = above_mark(m);
    size_t below = n == SIZE_MAX ? SIZE_MAX : n + marked + 1;
    if (below == SIZE_MAX || below > m->n_stack || (kind == PICK_DICT && n % 2))
        return bad(m, "values without a list to add them to");
    pick *list = m->stack[m->n_stack - below];
    if (list == &mark_value || list->kind != kind)
        return bad(m, "values are added to what is no such list");
    for (size_t i = m->n_stack - n; i < m->n_stack; i++)
        if (m->stack[i] == &mark_value) return bad(m, "a mark among values");
    status st = move_items(m, list, n);
    m->n_stack -= marked;
    return st;
}

/* ---- the host ---- */

static status global(machine *m, const char *name)
{
    pick *v = NULL;
    status st = m->host->global(m->host->user, name, &v, m->err);
    return st == E_OK ? push(m, v) : st;
}

static status global_lines(machine *m)
{
    char name[256];
    if (!line(m, name, 128)) return bad(m, "the name of a global is cut off or too long");
    size_t n = strlen(name);
    name[n] = '.';
    if (!line(m, name + n + 1, 127)) return bad(m, "the name of a global is cut off or too long");
    return global(m, name);
}

static status global_stacked(machine *m)
{
    char name[256];
    const pick *part = pop(m), *module = pop(m);
    if (!part || !module || part->kind != PICK_TEXT || module->kind != PICK_TEXT ||
        part->u.text.n > 120 || module->u.text.n > 120)
        return bad(m, "the name of a global is no short text");
    snprintf(name, sizeof name, "%.*s.%.*s", (int)module->u.text.n, module->u.text.p,
             (int)part->u.text.n, part->u.text.p);
    return global(m, name);
}

static status call(machine *m)
{
    pick *args = pop(m), *callee = pop(m), *v = NULL;
    if (!args || !callee || args->kind != PICK_TUPLE) return bad(m, "a call without arguments");
    const pick *first = pick_at(args, 0); /* what is made of a list may be as long */
    if (count(m, 1 + (first && first->kind == PICK_LIST ? first->u.list.n : 0)) != E_OK)
        return E_LIMIT;
    status st = m->host->call(m->host->user, callee, args, &v, m->err);
    return st == E_OK ? push(m, v) : st;
}

static status persistent(machine *m)
{
    pick *id = pop(m), *v = NULL;
    if (!id) return bad(m, "nothing outside is named");
    status st = m->host->persistent(m->host->user, id, &v, m->err);
    return st == E_OK ? push(m, v) : st;
}

/* Attributes of a dict (a state dict's _metadata) are left out; nothing else has any. */
static status build(machine *m)
{
    if (!pop(m) || !top(m)) return bad(m, "attributes of nothing");
    if (top(m)->kind == PICK_DICT) return E_OK;
    return error_set(m->err, E_UNSUPPORTED, "%s: its pickle sets attributes of an object", m->what);
}

/* ---- instructions ---- */

static status refuse(machine *m, int op)
{
    error_set(m->err, E_UNSUPPORTED, "%s: pickle, byte %zu: instruction 0x%02x is not built",
              m->what, (size_t)(m->p - m->begin) - 1, op);
    error_hint(m->err, "pickles of protocol 2 to 5 that hold plain data and tensors are read");
    return E_UNSUPPORTED;
}

static status step_memo(machine *m, int op)
{
    uint64_t at;
    size_t n = op == 'q' || op == 'h' ? 1 : 4;
    if (op == 0x94) return memo_put(m, m->n_memo);
    if (!number(m, n, &at)) return bad(m, "ends inside a number");
    return op == 'q' || op == 'r' ? memo_put(m, at) : memo_get(m, at);
}

static status step_mark(machine *m, int op)
{
    size_t n;
    switch (op) {
    case '(': return push(m, &mark_value);
    case '0': return pop(m) ? E_OK : bad(m, "nothing to drop");
    case '2': return top(m) ? push(m, top(m)) : bad(m, "nothing to repeat");
    default: /* '1' */
        n = above_mark(m);
        if (n == SIZE_MAX) return bad(m, "there is no mark");
        m->n_stack -= n + 1;
        return E_OK;
    }
}

static status step_list(machine *m, int op)
{
    pick *v;
    switch (op) {
    case ']':
    case 0x8f: return push_new(m, PICK_LIST, &v);
    case '}': return push_new(m, PICK_DICT, &v);
    case ')': return push_new(m, PICK_TUPLE, &v);
    case 0x85:
    case 0x86:
    case 0x87: return gather(m, PICK_TUPLE, (size_t)(op - 0x84));
    case 't': return gather_marked(m, PICK_TUPLE);
    case 'l': return gather_marked(m, PICK_LIST);
    case 'd': return gather_marked(m, PICK_DICT);
    case 'a': return append(m, PICK_LIST, 1, false);
    case 'e':
    case 0x90: return append(m, PICK_LIST, 0, true);
    case 's': return append(m, PICK_DICT, 2, false);
    default: return append(m, PICK_DICT, 0, true); /* 'u' */
    }
}

static status step(machine *m, int op)
{
    switch (op) {
    case 'N': return flag(m, PICK_NONE, false);
    case 0x88: return flag(m, PICK_BOOL, true);
    case 0x89: return flag(m, PICK_BOOL, false);
    case 'K': return int_of(m, 1);
    case 'M': return int_of(m, 2);
    case 'J': return int_of(m, 4);
    case 0x8a: return long_of(m, 1);
    case 0x8b: return long_of(m, 4);
    case 'G': return float_of(m);
    case 0x8c:
    case 'U':
    case 'C': return text_of(m, 1);
    case 'X':
    case 'T':
    case 'B': return text_of(m, 4);
    case 0x8d:
    case 0x8e: return text_of(m, 8);
    case 'c': return global_lines(m);
    case 0x93: return global_stacked(m);
    case 'R':
    case 0x81: return call(m);
    case 'Q': return persistent(m);
    case 'b': return build(m);
    case 'q':
    case 'r':
    case 'h':
    case 'j':
    case 0x94: return step_memo(m, op);
    case '(':
    case '0':
    case '1':
    case '2': return step_mark(m, op);
    default:
        return op && strchr("]})\x8f\x85\x86\x87tldae\x90su", op) ? step_list(m, op)
                                                                  : refuse(m, op);
    }
}

/* 0x80 and the protocol; frames (0x95 and eight bytes) only say where bytes end. */
static status header(machine *m)
{
    uint64_t protocol;
    if (m->p == m->end || *m->p++ != 0x80 || !number(m, 1, &protocol) || protocol < 2 ||
        protocol > 5)
        return bad(m, "no pickle of protocol 2 to 5 begins here");
    return E_OK;
}

static status run(machine *m)
{
    status st = header(m);
    uint64_t skipped;
    while (st == E_OK) {
        if (m->p == m->end) return bad(m, "ends before its last instruction");
        int op = *m->p++;
        if (op == '.') break;
        if (op == 0x95) st = number(m, 8, &skipped) ? E_OK : bad(m, "ends inside a number");
        else if (op == 0x80) st = number(m, 1, &skipped) ? E_OK : bad(m, "ends inside a number");
        else st = step(m, op);
    }
    if (st == E_OK && !top(m)) return bad(m, "leaves no value");
    return st;
}

status pickle_run(pick **out, arena *mem, const unsigned char *p, size_t n, const char *what,
                  const pickle_host *host, size_t *used, error *err)
{
    machine m = {
        .mem = mem, .begin = p, .p = p, .end = p + n, .what = what, .host = host, .err = err
    };
    status st = run(&m);
    if (st != E_OK) return st;
    *out = top(&m);
    if (used) *used = (size_t)(m.p - m.begin);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
