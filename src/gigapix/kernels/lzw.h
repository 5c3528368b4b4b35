/* LZW as TIFF has it: codes of 9 to 12 bits, 256 clears the table, 257 ends (TIFF 6.0, section 13).

A string of the table is never copied into the table: an entry says where in the output the string was written
before ("from", counted from the last Clear code) and how long it is ("size"), and holds its first eight bytes
("head"). Data that come from a camera make strings of one to four bytes, so the common step is one unconditional
store of the head, without a branch on the size and without reading back what has just been written; only strings over
eight bytes are copied from the output.

`lzw_fast` does four codes for each load of 64 bits, as long as nothing unusual can happen. Whatever it doesn't
expect (a code that isn't in the table yet, Clear, EOI, an end of either buffer, a change of width) it leaves, unread,
to `lzw_decode`, which takes one code with every check and then hands back. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LZW_CLEAR = 256, LZW_EOI = 257, LZW_FIRST = 258, LZW_FULL = 4096, LZW_HEAD = 8, LZW_SLACK = 64 };

typedef struct {
    uint64_t head; /* the first eight bytes, the first one lowest; 0 beyond the size */
    uint64_t tail; /* from << 32 | size. A table is full after 3838 strings of at most 3839 bytes: "from" fits */
} lzw_string;

typedef struct {
    uint64_t bit;        /* of the source, the next one */
    ptrdiff_t written;   /* bytes since the last Clear code */
    uint64_t next;       /* the code that the next new string gets */
    uint64_t head, size; /* of the string written last; size 0 right after a Clear code */
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

/* A new string: the last one, which ends at `written`, and the first byte of the one that follows it. */
static inline lzw_string lzw_grow(uint64_t head, uint64_t size, ptrdiff_t written, uint64_t following) {
    const uint64_t byte = (following & 255) << (8 * size & 63);
    lzw_string s;
    s.head = head | (size < LZW_HEAD ? byte : 0);
    s.tail = ((uint64_t)written - size) << 32 | (size + 1);
    return s;
}

/* `safe` is LZW_SLACK short of the end of the output; `safe_bit` the last bit from which 64 can be loaded. */
static inline void lzw_fast(lzw_state *s, const unsigned char *src, uint64_t safe_bit, unsigned char *base,
                            ptrdiff_t safe, unsigned width, uint64_t limit) {
    uint64_t bit = s->bit, next = s->next, head = s->head, size = s->size;
    ptrdiff_t written = s->written;
    lzw_string *table = s->table;
    while (written < safe && bit <= safe_bit && next + 4 < limit) {
        uint64_t bits = lzw_load(src + (bit >> 3)) << (bit & 7);
        int i;
#pragma GCC unroll 4
        for (i = 0; i < 4; i++) {
            const uint64_t code = bits >> (64 - width);
            if (code >= next) break;
            const uint64_t h = table[code].head, n = (uint32_t)table[code].tail;
            unsigned char *to = base + written;
            lzw_store(to, h);
            if (n > LZW_HEAD) {
                if (n > LZW_FULL || written + (ptrdiff_t)n > safe) break; /* Clear and EOI have an absurd size */
                const unsigned char *from = base + (table[code].tail >> 32);
                /* The string begins at least n - 1 bytes before `to`, so eight at a time don't overlap. */
                for (ptrdiff_t k = LZW_HEAD; k < (ptrdiff_t)n; k += 8) memcpy(to + k, from + k, 8);
            }
            bits <<= width;
            bit += width;
            table[next++] = lzw_grow(head, size, written, h);
            head = h;
            size = n;
            written += (ptrdiff_t)n;
        }
        if (i < 4) break;
    }
    s->bit = bit, s->next = next, s->head = head, s->size = size, s->written = written;
}

/* Decodes until `dst` is full, EOI, or the end of the source, and returns the bytes written. A code that can't be gives
-1 - (the byte where it begins). `lsb` is the style of before TIFF 6.0: codes begin at the lowest bit of a byte, and
widen one code later. */
static ptrdiff_t lzw_decode(const unsigned char *src, ptrdiff_t n, unsigned char *dst, ptrdiff_t room, int lsb) {
    lzw_state state, *s = &state;
    const uint64_t bits = 8 * (uint64_t)n, early = !lsb;
    unsigned char *base = dst, *const end = dst + room;
    unsigned width = 9;
    uint64_t limit = 512 - early; /* the number of codes at which they widen */
    for (int i = 0; i < LZW_FIRST; i++) {
        s->table[i].head = i & 255;
        s->table[i].tail = i < 256 ? 1 : UINT32_MAX;
    }
    s->bit = 0, s->written = 0, s->next = LZW_FIRST, s->head = 0, s->size = 0;
    while (s->written < end - base) {
        if (!lsb && s->size && n >= 8) {
            const ptrdiff_t safe = end - base - LZW_SLACK;
            switch (width) { /* one loop a width, as shifts by a constant are cheaper */
                case 9: lzw_fast(s, src, bits - 64, base, safe, 9, limit); break;
                case 10: lzw_fast(s, src, bits - 64, base, safe, 10, limit); break;
                case 11: lzw_fast(s, src, bits - 64, base, safe, 11, limit); break;
                default: lzw_fast(s, src, bits - 64, base, safe, 12, limit);
            }
        }
        if (s->bit + width > bits) break;
        const ptrdiff_t at = (ptrdiff_t)(s->bit >> 3);
        const unsigned shift = s->bit & 7;
        uint64_t code = 0;
        for (int i = 0; i < 3; i++) /* 12 bits touch at most three bytes */
            code |= (uint64_t)(at + i < n ? src[at + i] : 0) << (lsb ? 8 * i : 16 - 8 * i);
        code = (lsb ? code >> shift : code >> (24 - width - shift)) & (((uint64_t)1 << width) - 1);
        s->bit += width;
        if (code == LZW_EOI) break;
        if (code == LZW_CLEAR) {
            width = 9, limit = 512 - early;
            base += s->written;
            s->written = 0, s->next = LZW_FIRST, s->head = 0, s->size = 0;
            continue;
        }
        if (s->size && s->next < LZW_FULL) {
            /* The code that is just being defined begins as the last string does. */
            const uint64_t following = code < s->next ? s->table[code].head : s->head;
            s->table[s->next++] = lzw_grow(s->head, s->size, s->written, following);
        }
        if (code >= s->next) return -1 - at;
        s->head = s->table[code].head, s->size = (uint32_t)s->table[code].tail;
        unsigned char *to = base + s->written;
        const unsigned char *from = base + (s->table[code].tail >> 32);
        const ptrdiff_t left = end - to, size = (ptrdiff_t)s->size < left ? (ptrdiff_t)s->size : left;
        for (ptrdiff_t k = 0; k < size; k++) to[k] = k < LZW_HEAD ? (unsigned char)(s->head >> 8 * k) : from[k];
        s->written += size;
        if (s->next >= limit && width < 12) {
            width++;
            limit = width < 12 ? ((uint64_t)1 << width) - early : LZW_FULL;
        }
    }
    return base + s->written - dst;
}
