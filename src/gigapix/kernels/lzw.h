/* LZW as TIFF has it: codes of 9 to 12 bits, 256 clears the table, 257 ends (TIFF 6.0, section 13).

It stops and goes on at any byte of input and output, and looks back at neither. So a string of the table is in the
table: an entry holds its last one to eight bytes ("chunk"), such that what is before them ("link") is a string of whole
chunks. Data that come from a camera make strings of one to four bytes, so the common step is one store of eight bytes
without a branch on the size; longer strings are written from their end, eight bytes at a time.

`lzw_fast` does four codes for each load of 64 bits, as long as nothing unusual can happen. Whatever it doesn't
expect (a code that isn't in the table yet, Clear, EOI, an end of either buffer, a change of width) it leaves, unread,
to `lzw_run`, which takes one code with every check and then hands back. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LZW_CLEAR = 256, LZW_EOI = 257, LZW_FIRST = 258, LZW_FULL = 4096, LZW_HEAD = 8, LZW_SLACK = 64 };
enum { LZW_MSB = 0, LZW_LSB = 1, LZW_GUESS = 2 };
enum { LZW_MORE = 0, LZW_END = 1, LZW_FAULT = 2 };

typedef struct {
    uint64_t chunk; /* the last bytes, the first of them lowest; 0 beyond them */
    uint64_t facts; /* first byte << 32 | link << 16 | size of the whole, at most 3839 (of Clear and EOI: 65535) */
} lzw_string;

typedef struct {
    uint64_t taken;   /* bytes of the source that were used before this call */
    uint64_t clear;   /* the bit of the source behind the last Clear code; where the stream begins if there was none */
    uint64_t since;   /* bytes written since then */
    uint64_t fault;   /* the byte of the source with the code that can't be */
    uint32_t order;   /* LZW_MSB ... */
    uint32_t status;  /* LZW_MORE ... */
    uint32_t width;   /* bits of the next code */
    uint32_t next;    /* the code that the next new string gets */
    uint32_t last;    /* the code that was read last; LZW_CLEAR right after a Clear code */
    uint32_t shift;   /* bits of the first kept byte that are used */
    uint32_t kept;    /* bytes that are taken, but not used up */
    uint32_t waiting; /* bytes of `spill` that had no room; they are its last ones */
    uint32_t spilled; /* bytes of `spill` */
    unsigned char keep[8];
    unsigned char spill[LZW_FULL + LZW_HEAD];
    lzw_string table[LZW_FULL];
} lzw_state;

/* Byte by byte whatever the machine's order; compilers make one instruction of each. */
static inline uint64_t lzw_load(const unsigned char *p) {
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 |
           (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 | (uint64_t)p[6] << 8 | (uint64_t)p[7];
}

static inline void lzw_store(unsigned char *p, uint64_t v) {
    p[0] = (unsigned char)v, p[1] = (unsigned char)(v >> 8), p[2] = (unsigned char)(v >> 16);
    p[3] = (unsigned char)(v >> 24), p[4] = (unsigned char)(v >> 32), p[5] = (unsigned char)(v >> 40);
    p[6] = (unsigned char)(v >> 48), p[7] = (unsigned char)(v >> 56);
}

static inline uint32_t lzw_size(lzw_string s) { return s.facts & 0xffff; }
static inline uint32_t lzw_link(lzw_string s) { return s.facts >> 16 & 0xffff; }

/* A string, and up to seven bytes behind it. */
static inline void lzw_write(const lzw_string *table, lzw_string s, unsigned char *to) {
    size_t k = (lzw_size(s) - 1u) & ~(size_t)7;
    lzw_store(to + k, s.chunk);
    while (k) {
        s = table[lzw_link(s)];
        k -= LZW_HEAD;
        lzw_store(to + k, s.chunk);
    }
}

/* A new string: the last one and the first byte of the string `following`. */
static inline lzw_string lzw_grow(lzw_string last, uint64_t code, lzw_string following) {
    const uint64_t used = last.facts & 7, byte = following.facts >> 32;
    lzw_string s;
    s.facts = last.facts + 1;
    s.chunk = last.chunk | byte << 8 * used;
    if (!used) s.chunk = byte, s.facts = (s.facts & ~(uint64_t)0xffff0000) | code << 16;
    return s;
}

/* `safe` is LZW_SLACK short of the end of the output; `safe_bit` the last bit from which 64 can be loaded. */
static inline void lzw_fast(lzw_state *s, const unsigned char *src, int64_t *at, int64_t safe_bit, unsigned char **to,
                            const unsigned char *safe, unsigned width, uint32_t limit) {
    int64_t bit = *at;
    uint32_t next = s->next, last = s->last;
    unsigned char *p = *to;
    lzw_string *table = s->table, string = table[last];
    while (p < safe && bit <= safe_bit && next + 4 < limit) {
        uint64_t bits = lzw_load(src + (bit >> 3)) << (bit & 7);
        int i;
#pragma GCC unroll 4
        for (i = 0; i < 4; i++) {
            const uint32_t code = (uint32_t)(bits >> (64 - width));
            if (code >= next) break;
            const lzw_string found = table[code];
            if (lzw_size(found) > LZW_HEAD) {
                if (lzw_size(found) > LZW_FULL || lzw_size(found) > safe - p) break;
                lzw_write(table, found, p);
            } else
                lzw_store(p, found.chunk);
            bits <<= width;
            bit += width;
            table[next++] = lzw_grow(string, last, found);
            string = found;
            last = code;
            p += lzw_size(found);
        }
        if (i < 4) break;
    }
    *at = bit, *to = p, s->next = next, s->last = last;
}

static inline uint32_t lzw_limit(const lzw_state *s) { /* the number of codes at which they widen */
    return s->width < 12 ? ((uint32_t)1 << s->width) - (s->order != LZW_LSB) : LZW_FULL;
}

/* `shift`: bits of the first byte that belong to what came before. */
static void lzw_start(lzw_state *s, int order, unsigned shift) {
    memset(s, 0, offsetof(lzw_state, table));
    for (int i = 0; i < LZW_FIRST; i++) {
        s->table[i].chunk = i & 255;
        s->table[i].facts = (uint64_t)(i & 255) << 32 | (i < LZW_CLEAR ? 1 : UINT16_MAX);
    }
    s->order = (uint32_t)order, s->shift = shift, s->clear = shift;
    s->width = 9, s->next = LZW_FIRST, s->last = LZW_CLEAR;
}

/* Decodes until `dst` is full, EOI, a code that can't be, or the end of the source; returns the bytes written, and in
`used` those that were taken of the source: all of them if there was room. */
static ptrdiff_t lzw_run(lzw_state *s, const unsigned char *src, ptrdiff_t n, unsigned char *dst, ptrdiff_t room,
                         ptrdiff_t *used) {
    const ptrdiff_t kept = s->kept;
    int64_t bit = (int64_t)s->shift - 8 * kept; /* before 0 lie the bytes that are kept */
    const int64_t bits = 8 * (int64_t)n;
    unsigned char *to = dst, *const end = dst + room, *base = dst; /* base: where counting `since` begins */
    while (s->waiting && to < end) {
        *to++ = s->spill[s->spilled - s->waiting--];
    }
    while (to < end && s->status == LZW_MORE) {
        if (s->order == LZW_MSB && s->last != LZW_CLEAR && bit >= 0 && n >= 8 && room > LZW_SLACK) {
            const unsigned char *safe = end - LZW_SLACK;
            const uint32_t limit = lzw_limit(s);
            switch (s->width) { /* one loop a width, as shifts by a constant are cheaper */
                case 9: lzw_fast(s, src, &bit, bits - 64, &to, safe, 9, limit); break;
                case 10: lzw_fast(s, src, &bit, bits - 64, &to, safe, 10, limit); break;
                case 11: lzw_fast(s, src, &bit, bits - 64, &to, safe, 11, limit); break;
                default: lzw_fast(s, src, &bit, bits - 64, &to, safe, 12, limit);
            }
        }
        if (bit + s->width > bits) break;
        const ptrdiff_t at = (ptrdiff_t)(bit >> 3); /* rounds down, below 0 too */
        const unsigned shift = bit & 7;
        unsigned char b[3]; /* 12 bits touch at most three bytes */
        for (ptrdiff_t i = 0; i < 3; i++) b[i] = at + i < 0 ? s->keep[(kept + at + i) & 7] : at + i < n ? src[at + i] : 0;
        /* libtiff's test for the style of before TIFF 6.0: the first code is Clear, lowest bit first. */
        if (s->order == LZW_GUESS) s->order = b[0] == 0 && b[1] & 1 ? LZW_LSB : LZW_MSB;
        uint32_t code = s->order == LZW_LSB ? (b[0] | b[1] << 8 | (uint32_t)b[2] << 16) >> shift
                                            : ((uint32_t)b[0] << 16 | b[1] << 8 | b[2]) >> (24 - s->width - shift);
        code &= ((uint32_t)1 << s->width) - 1;
        bit += s->width;
        if (code == LZW_EOI) {
            s->status = LZW_END;
        } else if (code == LZW_CLEAR) {
            s->width = 9, s->next = LZW_FIRST, s->last = LZW_CLEAR;
            s->clear = (uint64_t)((int64_t)(8 * s->taken) + bit);
            s->since = 0, base = to;
        } else {
            if (s->last != LZW_CLEAR && s->next < LZW_FULL) {
                /* The code that is just being defined begins as the last string does. */
                const lzw_string last = s->table[s->last];
                s->table[s->next] = lzw_grow(last, s->last, code < s->next ? s->table[code] : last);
                s->next++;
            }
            if (code >= s->next) {
                s->status = LZW_FAULT, s->fault = s->taken + (uint64_t)at;
                break;
            }
            s->last = code;
            const ptrdiff_t size = lzw_size(s->table[code]);
            if (end - to >= size + LZW_HEAD) {
                lzw_write(s->table, s->table[code], to);
                to += size;
            } else {
                lzw_write(s->table, s->table[code], s->spill);
                const ptrdiff_t fits = size < end - to ? size : end - to;
                memcpy(to, s->spill, (size_t)fits);
                to += fits;
                s->spilled = (uint32_t)size, s->waiting = (uint32_t)(size - fits);
            }
            if (s->next >= lzw_limit(s) && s->width < 12) s->width++;
        }
    }
    const ptrdiff_t at = (ptrdiff_t)(bit >> 3), started = at + ((bit & 7) != 0);
    const ptrdiff_t taken = (to < end && s->status == LZW_MORE) || started > n ? n : started > 0 ? started : 0;
    unsigned char keep[sizeof s->keep] = {0};
    s->kept = 0, s->shift = bit & 7;
    for (ptrdiff_t i = at; i < taken && s->kept < sizeof keep; i++)
        keep[s->kept++] = i < 0 ? s->keep[(kept + i) & 7] : src[i];
    memcpy(s->keep, keep, sizeof keep);
    s->taken += (uint64_t)taken, s->since += (uint64_t)(to - base);
    *used = taken;
    return to - dst;
}
