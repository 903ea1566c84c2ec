/* journal -- see journal.h. */
#include "instrument/journal.h"
#include "base/file.h"
#include "base/hash.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* magic 8, request bytes 8, items 8, values 4, shard 4, shards 4, 4 of zeros, cells 8, hash 64 */
enum { HEAD = 112, WAVE_HEAD = 12, SUM = 32, MAX_REQUEST = 1 << 26, MAX_VALUES = 64 };
#define MAX_ITEMS ((int64_t)1 << 31)
static const char magic[9] = "MTJOURN1";

/* PAGE items next to each other, there from the first of them on, below LEVELS of FAN ways each: a file that says it has
 * 2^31 items costs what it has, and items far from each other cost a page and a way each. */
enum { PAGE = 64, FAN_BITS = 5, FAN = 1 << FAN_BITS, LEVELS = 5 };
_Static_assert((int64_t)PAGE << FAN_BITS * LEVELS == MAX_ITEMS, "a way to every item");
typedef struct page {
    uint8_t known[PAGE], mark[PAGE];
    double value[]; /* [PAGE][n_value] */
} page;

struct journal {
    int fd;
    char *path;
    int64_t n_item, n_cell, n_known, n_torn, end; /* end: of the last whole wave */
    int n_value;
    char hash[JOURNAL_HASH];
    void **
        way; /* [FAN] to the level below, the last level's to pages; NULL: nothing is known there */
    str wave; /* items to be written */
    int64_t n_wave;
};

static void put(str *s, uint64_t v, int n)
{
    unsigned char b[8];
    for (int i = 0; i < n; i++) b[i] = (unsigned char)(v >> 8 * i);
    str_add(s, b, (size_t)n);
}

static uint64_t get(const unsigned char *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static status checksum(char out[HASH_TEXT], const void *p, size_t n, error *err)
{
    hash *h = hash_new();
    if (!h) return error_set(err, E_NOMEM, "journal: out of memory");
    hash_add(h, p, n), hash_text(h, out), hash_free(h);
    return E_OK;
}

static status seal(str *s, error *err)
{
    char sum[HASH_TEXT];
    status st = checksum(sum, s->p ? s->p : "", s->n, err);
    if (st == E_OK) str_add(s, sum, SUM);
    return st == E_OK && s->failed ? error_set(err, E_NOMEM, "journal: out of memory") : st;
}

/* ---- reading ---- */

static status damaged(const char *path, int64_t at, const char *what, error *err)
{
    error_set(err, E_FORMAT, "%s: damaged: %s at byte %lld", path, what, (long long)at);
    error_hint(err,
               "what stands before it is kept by cutting the file there (truncate -s %lld), "
               "the rest is then run again",
               (long long)at);
    return E_FORMAT;
}

static status read_head(journal_of *of, size_t *bytes, const char *path, const file_map *m,
                        error *err)
{
    char sum[HASH_TEXT];
    if (m->bytes < HEAD + SUM || memcmp(m->p, magic, 8) != 0) {
        error_set(err, E_FORMAT, "%s: is no journal of a sweep", path);
        error_hint(err, "name a file that is not there yet, or one that --resume wrote");
        return E_FORMAT;
    }
    uint64_t n = get(m->p + 8, 8);
    if (n > MAX_REQUEST || n > m->bytes - HEAD - SUM)
        return error_set(err, E_FORMAT, "%s: its header is damaged", path);
    status st = checksum(sum, m->p, HEAD + n, err);
    if (st != E_OK) return st;
    if (memcmp(sum, m->p + HEAD + n, SUM) != 0)
        return error_set(err, E_FORMAT, "%s: its header is damaged", path);
    *of = (journal_of){ .n_item = (int64_t)get(m->p + 16, 8),
                        .n_value = (int)get(m->p + 24, 4),
                        .shard = (int)get(m->p + 28, 4),
                        .n_shard = (int)get(m->p + 32, 4),
                        .n_cell = (int64_t)get(m->p + 40, 8) };
    if (of->n_item < 0 || of->n_cell < 0 || of->n_cell > of->n_item || of->n_shard < 1)
        return error_set(err, E_FORMAT, "%s: its header makes no sense", path);
    memcpy(of->hash, m->p + 48, JOURNAL_HASH - 1);
    *bytes = HEAD + n + SUM;
    return E_OK;
}

static status same_request(const journal *j, const journal_of *is, const char *path, error *err)
{
    if (!strcmp(is->hash, j->hash) && is->n_item == j->n_item && is->n_cell == j->n_cell &&
        is->n_value == j->n_value)
        return E_OK;
    if (strcmp(is->hash, j->hash) != 0)
        error_set(err, E_MISMATCH, "%s: belongs to another request: %s, this one is %s", path,
                  is->hash, j->hash);
    else
        error_set(err, E_MISMATCH, "%s: has %lld items of %d values, this request %lld of %d", path,
                  (long long)is->n_item, is->n_value, (long long)j->n_item, j->n_value);
    error_hint(err, "prompts, model, parameters or precision differ; name another file");
    return E_MISMATCH;
}

static size_t page_bytes(const journal *j)
{
    return sizeof(page) + (size_t)PAGE * (size_t)j->n_value * sizeof(double);
}

static void **new_way(void) { return mem_zero(FAN * sizeof(void *)); }

/* Where page `number` hangs, or NULL: no way leads there, and none was made (there was no memory). */
static void **page_at(const journal *j, int64_t number, bool make)
{
    void **at = j->way;
    for (int level = LEVELS - 1; level > 0; level--) {
        void **next = &at[number >> FAN_BITS * level & (FAN - 1)];
        if (!*next && make) *next = new_way();
        if (!*next) return NULL;
        at = *next;
    }
    return &at[number & (FAN - 1)];
}

static page *page_for(journal *j, int64_t item)
{
    void **at = page_at(j, item / PAGE, true);
    if (at && !*at) *at = mem_zero(page_bytes(j));
    return at ? *at : NULL;
}

static void free_ways(const journal *j, void **way, int level)
{
    for (int i = 0; way && i < FAN; i++)
        if (level) free_ways(j, way[i], level - 1);
        else mem_free(way[i], page_bytes(j));
    mem_free(way, FAN * sizeof(void *));
}

static status learn(journal *j, const char *path, const unsigned char *p, error *err)
{
    int64_t i = (int64_t)get(p, 8);
    double v[MAX_VALUES];
    if (i < 0 || i >= j->n_item)
        return error_set(err, E_FORMAT, "%s: has item %lld, expected 0 to %lld", path, (long long)i,
                         (long long)j->n_item - 1);
    for (int k = 0; k < j->n_value; k++) {
        uint64_t bits = get(p + 9 + 8 * k, 8);
        memcpy(&v[k], &bits, 8);
    }
    page *in = page_for(j, i);
    if (!in) return error_set(err, E_NOMEM, "%s: out of memory", path);
    size_t bytes = (size_t)j->n_value * 8;
    double *at = in->value + i % PAGE * j->n_value;
    if (in->known[i % PAGE] && (in->mark[i % PAGE] != p[8] || memcmp(at, v, bytes) != 0))
        return error_set(err, E_MISMATCH, "%s: item %lld is not what it was in another journal",
                         path, (long long)i);
    j->n_known += !in->known[i % PAGE];
    in->known[i % PAGE] = 1, in->mark[i % PAGE] = p[8];
    memcpy(at, v, bytes);
    return E_OK;
}

/* One wave at p, at most `left` bytes; *bytes 0: the tail is torn there. */
static status read_wave(journal *j, const char *path, const unsigned char *p, size_t left,
                        int64_t at, size_t *bytes, error *err)
{
    char sum[HASH_TEXT];
    size_t item = 9 + 8 * (size_t)j->n_value;
    *bytes = 0;
    if (left < WAVE_HEAD) return E_OK;
    uint64_t n = get(p + 4, 4);
    if (memcmp(p, "WAVE", 4) != 0 || (uint32_t)n != ~(uint32_t)get(p + 8, 4))
        return damaged(path, at, "no wave begins", err);
    size_t body = WAVE_HEAD + n * item;
    if (left < body + SUM) return E_OK;
    status st = checksum(sum, p, body, err);
    if (st != E_OK) return st;
    if (memcmp(sum, p + body, SUM) != 0) /* the last wave may never have come to the disk whole */
        return left == body + SUM ? E_OK : damaged(path, at, "a wave with a wrong checksum", err);
    for (uint64_t i = 0; i < n && st == E_OK; i++)
        st = learn(j, path, p + WAVE_HEAD + i * item, err);
    if (st == E_OK) *bytes = body + SUM;
    return st;
}

/* All that a file holds; *end: behind its last whole wave. */
static status read_all(journal *j, const char *path, int64_t *end, int64_t *torn, error *err)
{
    file_map m;
    journal_of is;
    size_t at = 0, n = 1;
    status st = file_open_map(&m, path, err);
    if (st != E_OK) return st;
    st = read_head(&is, &at, path, &m, err);
    if (st == E_OK) st = same_request(j, &is, path, err);
    while (st == E_OK && n && at < m.bytes) {
        st = read_wave(j, path, m.p + at, m.bytes - at, (int64_t)at, &n, err);
        at += n;
    }
    *end = (int64_t)at, *torn = (int64_t)(m.bytes - at);
    file_unmap(&m);
    return st;
}

status journal_join(journal *j, const char *path, error *err)
{
    int64_t end, torn;
    return read_all(j, path, &end, &torn, err);
}

status journal_describe(journal_of *of, const char *path, error *err)
{
    file_map m;
    size_t bytes;
    journal_of is;
    status st = file_open_map(&m, path, err);
    if (st != E_OK) return st;
    st = read_head(&is, &bytes, path, &m, err);
    if (st == E_OK) {
        size_t n = bytes - HEAD - SUM;
        char *text = mem_resize(NULL, 0, n + 1);
        if (!text) st = error_set(err, E_NOMEM, "%s: out of memory", path);
        else memcpy(text, m.p + HEAD, n), text[n] = 0, is.request = text, *of = is;
    }
    file_unmap(&m);
    return st;
}

static bool is_bare(const void *p, size_t bytes)
{
    return bytes < HEAD + SUM && (!bytes || !memcmp(p, magic, bytes < 8 ? bytes : 8));
}

bool journal_is_bare(const char *path)
{
    file_map m;
    if (file_open_map(&m, path, NULL) != E_OK) return false;
    bool bare = is_bare(m.p, m.bytes);
    file_unmap(&m);
    return bare;
}

void journal_text_free(const char *text)
{
    if (text) mem_free((void *)text, strlen(text) + 1);
}

/* ---- writing ---- */

/* All or nothing: what was written in part is taken back. */
static status append(journal *j, const str *s, error *err)
{
    size_t done = 0;
    while (done < s->n) {
        ssize_t k = pwrite(j->fd, s->p + done, s->n - done, j->end + (int64_t)done);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) break;
        done += (size_t)k;
    }
    if (done == s->n && fdatasync(j->fd) == 0) {
        j->end += (int64_t)s->n;
        return E_OK;
    }
    int why = errno ? errno : ENOSPC;
    bool back = ftruncate(j->fd, j->end) == 0;
    error_set(err, E_IO, "%s: cannot write a wave at byte %lld: %s", j->path, (long long)j->end,
              strerror(why));
    error_hint(err, "the waves before it are kept%s; make room and run it again with --resume",
               back ? "" : ", the tail is torn");
    return E_IO;
}

static status write_head(journal *j, const journal_of *of, error *err)
{
    str s = { 0 };
    char name[JOURNAL_HASH] = { 0 };
    const char *request = of->request ? of->request : "";
    snprintf(name, sizeof name, "%s", of->hash);
    str_add(&s, magic, 8);
    put(&s, strlen(request), 8), put(&s, (uint64_t)of->n_item, 8);
    put(&s, (uint64_t)of->n_value, 4), put(&s, (uint64_t)of->shard, 4);
    put(&s, (uint64_t)of->n_shard, 4), put(&s, 0, 4);
    put(&s, (uint64_t)of->n_cell, 8);
    str_add(&s, name, sizeof name), str_puts(&s, request);
    status st = seal(&s, err);
    j->end = 0;
    if (st == E_OK) st = append(j, &s, err);
    str_release(&s);
    return st;
}

static status room_for(journal *j, const char *path, const journal_of *of, error *err)
{
    if (!path) path = "journals";
    if (of->n_item < 0 || of->n_item > MAX_ITEMS || of->n_value < 1 || of->n_value > MAX_VALUES)
        return error_set(err, E_LIMIT, "%s: %lld items of %d values are more than a journal holds",
                         path, (long long)of->n_item, of->n_value);
    j->n_item = of->n_item, j->n_cell = of->n_cell, j->n_value = of->n_value;
    snprintf(j->hash, sizeof j->hash, "%s", of->hash);
    j->path = mem_resize(NULL, 0, strlen(path) + 1);
    j->way = new_way();
    if (!j->path || !j->way) return error_set(err, E_NOMEM, "%s: out of memory", path);
    memcpy(j->path, path, strlen(path) + 1);
    return E_OK;
}

/* The file, locked; what it holds.  Shorter than a header: begun and killed, and begun anew. */
static status open_file(journal *j, const journal_of *of, error *err)
{
    j->fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (j->fd < 0) return error_set(err, E_IO, "%s: cannot open: %s", j->path, strerror(errno));
    if (flock(j->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        error_set(err, E_IO, "%s: another process is writing to it", j->path);
        error_hint(err, "wait for it, or name another file");
        return E_IO;
    }
    char begin[8];
    int64_t n = lseek(j->fd, 0, SEEK_END), k = pread(j->fd, begin, sizeof begin, 0);
    if (n == 0 || (k > 0 && is_bare(begin, (size_t)n))) {
        j->n_torn = n;
        return write_head(j, of, err);
    }
    status st = read_all(j, j->path, &j->end, &j->n_torn, err);
    if (st == E_OK && j->n_torn && ftruncate(j->fd, j->end) != 0)
        st = error_set(err, E_IO, "%s: cannot cut its torn tail: %s", j->path, strerror(errno));
    return st;
}

status journal_open(journal **out, const char *path, const journal_of *of, error *err)
{
    journal *j = mem_zero(sizeof *j);
    if (!j) return error_set(err, E_NOMEM, "journal: out of memory");
    j->fd = -1;
    status st = room_for(j, path, of, err);
    if (st == E_OK && path) st = open_file(j, of, err);
    if (st == E_OK) *out = j;
    else journal_close(j);
    return st;
}

bool journal_has(const journal *j, int64_t item, double *value, uint8_t *mark)
{
    void *const *at = item < 0 || item >= j->n_item ? NULL : page_at(j, item / PAGE, false);
    const page *in = at ? *at : NULL;
    if (!in || !in->known[item % PAGE]) return false;
    if (value)
        memcpy(value, in->value + item % PAGE * j->n_value, (size_t)j->n_value * sizeof *value);
    if (mark) *mark = in->mark[item % PAGE];
    return true;
}

int64_t journal_count(const journal *j) { return j->n_known; }
int64_t journal_torn(const journal *j) { return j->n_torn; }

status journal_add(journal *j, int64_t item, const double *value, uint8_t mark, error *err)
{
    if (item < 0 || item >= j->n_item)
        return error_set(err, E_RANGE, "%s: item %lld, expected 0 to %lld", j->path,
                         (long long)item, (long long)j->n_item - 1);
    put(&j->wave, (uint64_t)item, 8), put(&j->wave, mark, 1);
    for (int k = 0; k < j->n_value; k++) {
        uint64_t bits;
        memcpy(&bits, &value[k], 8);
        put(&j->wave, bits, 8);
    }
    j->n_wave++;
    return j->wave.failed ? error_set(err, E_NOMEM, "%s: out of memory", j->path) : E_OK;
}

status journal_flush(journal *j, error *err)
{
    str s = { 0 };
    if (!j->n_wave) return E_OK;
    uint32_t n = (uint32_t)j->n_wave;
    str_puts(&s, "WAVE"), put(&s, n, 4), put(&s, ~n, 4);
    str_add(&s, j->wave.p, j->wave.n);
    status st = seal(&s, err);
    if (st == E_OK) st = append(j, &s, err);
    size_t item = 9 + 8 * (size_t)j->n_value;
    for (int64_t i = 0; st == E_OK && i < j->n_wave; i++)
        st = learn(j, j->path, (const unsigned char *)j->wave.p + (size_t)i * item, err);
    str_release(&s), str_release(&j->wave);
    j->n_wave = 0;
    return st;
}

void journal_close(journal *j)
{
    if (!j) return;
    if (j->fd >= 0) close(j->fd);
    free_ways(j, j->way, LEVELS - 1);
    if (j->path) mem_free(j->path, strlen(j->path) + 1);
    str_release(&j->wave);
    mem_free(j, sizeof *j);
}
/* SPDX-License-Identifier: MIT */
