/* Deflate and zlib streams (RFC 1951, RFC 1950), decoded so that one can stop at any byte, save, and go on elsewhere.

`inflate_slow` is a state machine that takes one step at a time (some bits, a symbol, a copy) and, before each, has all
the bits of that step: whatever it stands at can be saved and gone on from. It fetches a byte only where the step needs
it, so that a stream's end is known to the byte. `inflate_fast` does the symbols, and nothing else, as long as neither
end is near; what it does not expect (the end of a block, a code that is none) it leaves unread to the state machine.

A table entry is 32 bits. Bits 0 to 5: how many bits it takes in all.
- ENTRY_LITERAL: bits 8 to 15 are the byte. With ENTRY_MORE, bits 16 to 23 are another one, whose code fits in the index
  as well: filtered images are short codes of literals, and take half the steps.
- Without: bits 8 to 11 are the length of the code (what is over is the extra bits), 16 to 31 the base of the length or
  distance. With ENTRY_MORE it is of another kind, in bits 12 and 13. A link stands for longer codes: the rest of their
  bits index the table behind bits 16 to 31.

The output may be anywhere at each call, so the last 32 KiB are copied to a ring. A match looks into the output where it
can and into the ring where it must. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#if defined(__GNUC__)
#define INFLATE_TEMPLATE static inline __attribute__((always_inline))
#define INFLATE_RARE(x) __builtin_expect(!!(x), 0)
#else
#define INFLATE_TEMPLATE static inline
#define INFLATE_RARE(x) (x)
#endif

/* Shifts by a variable are cheaper with instructions younger than x86-64 itself; the loader picks. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define INFLATE_CLONES __attribute__((target_clones("bmi2", "default")))
#else
#define INFLATE_CLONES
#endif

enum { INFLATE_RAW, INFLATE_ZLIB, INFLATE_ZLIB_UNVERIFIED };
enum { INFLATE_MORE, INFLATE_END, INFLATE_FAULT };
enum {
    MODE_HEADER, MODE_BLOCK, MODE_STORED_LENGTH, MODE_STORED, MODE_COUNTS, MODE_CODE_LENGTHS, MODE_LENGTHS,
    MODE_SYMBOL, MODE_DISTANCE, MODE_COPY, MODE_TRAILER, MODE_END, MODE_FAULT
};
enum {
    ENTRY_LITERAL = 1 << 6, ENTRY_MORE = 1 << 7, ENTRY_KIND = 3 << 12,
    ENTRY_LINK = 1 << 12 | ENTRY_MORE, ENTRY_END = 2 << 12 | ENTRY_MORE, ENTRY_INVALID = 3 << 12 | ENTRY_MORE
};
enum {
    FAULT_NONE, FAULT_HEADER, FAULT_METHOD, FAULT_WINDOW, FAULT_DICTIONARY, FAULT_BLOCK, FAULT_STORED, FAULT_COUNTS,
    FAULT_CODE_LENGTHS, FAULT_REPEAT, FAULT_NO_END, FAULT_LITERALS, FAULT_DISTANCES, FAULT_SYMBOL, FAULT_DISTANCE,
    FAULT_FAR, FAULT_CHECKSUM
};

enum {
    INFLATE_MAGIC = 0x31495847, /* in native byte order: a state from a machine of the other one is refused */
    INFLATE_WINDOW = 1 << 15,
    INFLATE_LONGEST = 258,
    INFLATE_UNKNOWN = 63, /* an entry that takes more bits than there can be */
    /* More bits take longer to fill in than they save: a block is some 16,000 symbols. A table behind a link has up to
    32 entries (literals) or 64 (distances), and at least 6 or 7 of the 288 or 32 symbols. */
    LITERAL_BITS = 10, LITERAL_TABLE = (1 << LITERAL_BITS) + 48 * 32,
    DISTANCE_BITS = 9, DISTANCE_TABLE = (1 << DISTANCE_BITS) + 5 * 64,
    CODE_BITS = 7,
    FAST_IN = 32, FAST_OUT = INFLATE_LONGEST + 48
};

/* All that is saved, besides the window. */
typedef struct {
    uint32_t magic;
    uint8_t mode, last, wrapper, block; /* block: 0 none, 1 fixed, 2 dynamic: whose codes the tables are of */
    uint64_t total;                     /* bytes given out */
    uint32_t bits, adler;
    uint8_t nbits, fault;
    uint16_t stored;           /* bytes left of the stored block */
    uint16_t length, distance; /* of the match that is under way */
    uint16_t literals, distances, codes, have;
    uint8_t code_lengths[20];
    uint8_t lengths[320]; /* literals, then distances */
} inflate_head;

typedef struct {
    inflate_head head;
    uint32_t literal[LITERAL_TABLE];
    uint32_t distance[DISTANCE_TABLE]; /* while the lengths are read: of the code lengths' code */
    uint8_t window[INFLATE_WINDOW];    /* byte i of the output is at i % INFLATE_WINDOW */
} inflate_state;

typedef struct {
    const uint8_t *in, *in_start, *in_end;
    uint8_t *out, *out_start, *out_end;
    const uint8_t *base; /* before out_start: what was given out before and is still there */
} inflate_io;

static inline uint64_t inflate_load(const uint8_t *p) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
#else
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
#endif
}

static uint32_t inflate_adler(uint32_t adler, const uint8_t *p, size_t n) {
    uint32_t a = adler & 0xffff, b = adler >> 16;
    while (n) {
        size_t part = n < 5552 ? n : 5552; /* as many as don't overflow */
        n -= part;
#ifdef __SSE2__
        const __m128i zero = _mm_setzero_si128();
        const __m128i high = _mm_setr_epi16(16, 15, 14, 13, 12, 11, 10, 9);
        const __m128i low = _mm_setr_epi16(8, 7, 6, 5, 4, 3, 2, 1);
        __m128i sums = zero, before = zero, weighted = zero;
        const uint32_t blocks = (uint32_t)(part / 16);
        for (; part >= 16; part -= 16, p += 16) {
            const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
            before = _mm_add_epi32(before, sums);
            sums = _mm_add_epi32(sums, _mm_sad_epu8(v, zero));
            weighted = _mm_add_epi32(weighted, _mm_madd_epi16(_mm_unpacklo_epi8(v, zero), high));
            weighted = _mm_add_epi32(weighted, _mm_madd_epi16(_mm_unpackhi_epi8(v, zero), low));
        }
        uint32_t s[4], t[4], w[4];
        memcpy(s, &sums, 16), memcpy(t, &before, 16), memcpy(w, &weighted, 16);
        b += 16 * blocks * a + 16 * (t[0] + t[2]) + w[0] + w[1] + w[2] + w[3];
        a += s[0] + s[2];
#endif
        for (; part; part--) b += a += *p++;
        a %= 65521, b %= 65521;
    }
    return b << 16 | a;
}

/* ---- tables ---- */

static const uint8_t inflate_order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
static const uint8_t inflate_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                          2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

/* The entry of a symbol, all but the length of its code, which is added to bits 0 and 8. */
static inline uint32_t inflate_literal_entry(unsigned symbol) {
    if (symbol < 256) return ENTRY_LITERAL | (uint32_t)symbol << 8;
    if (symbol == 256) return ENTRY_END;
    if (symbol > 285) return ENTRY_INVALID;
    const unsigned i = symbol - 257, extra = inflate_extra[i];
    const unsigned base = i == 28 ? 258 : i < 8 ? 3 + i : 3 + ((4 + (i & 3)) << extra);
    return (uint32_t)base << 16 | extra;
}

static inline uint32_t inflate_distance_entry(unsigned symbol) {
    if (symbol > 29) return ENTRY_INVALID;
    const unsigned extra = symbol < 4 ? 0 : symbol / 2 - 1;
    return (uint32_t)(symbol < 4 ? 1 + symbol : 1 + ((2 + (symbol & 1)) << extra)) << 16 | extra;
}

static inline uint32_t inflate_entry(int what, unsigned symbol, unsigned length) {
    if (what == CODE_BITS) return (uint32_t)symbol << 16 | length << 8 | length;
    if (what == DISTANCE_BITS) return inflate_distance_entry(symbol) + (length << 8 | length);
    const uint32_t entry = inflate_literal_entry(symbol);
    return entry + (entry & ENTRY_LITERAL ? length : length << 8 | length);
}

/* Fills the table of the code that has these lengths; `bits`, the bits that index it, also tells what they are of.
Returns 0 where there is no such code: too many codes, or too few, but that there may be none, or (not of code lengths)
a single one of one bit. So does zlib; of code lengths, "none" comes out as zeros only, which have no code for the end.
*/
INFLATE_TEMPLATE int inflate_table(uint32_t *table, unsigned room, const uint8_t *lengths, unsigned n, int bits) {
    uint16_t count[16] = {0}, offset[16], sorted[320];
    for (unsigned i = 0; i < n; i++) count[lengths[i]]++;
    int left = 1;
    unsigned longest = 0;
    offset[0] = 0;
    for (unsigned l = 1; l < 16; l++) {
        left = 2 * left - count[l];
        if (left < 0) return 0;
        if (count[l]) longest = l;
        offset[l] = (uint16_t)(offset[l - 1] + count[l - 1]);
    }
    if (left && (longest > 1 || (longest && bits == CODE_BITS))) return 0;
    for (unsigned i = 0; i < n; i++) sorted[offset[lengths[i]]++] = (uint16_t)i; /* the unused ones come first */
    const uint16_t *next = sorted + count[0];
    const unsigned mask = (1u << bits) - 1;
    if (left) {
        for (unsigned i = 0; i <= mask; i++)
            table[i] = longest && !(i & 1) ? inflate_entry(bits, *next, 1) : ENTRY_INVALID | 1 << 8 | 1;
        return 1;
    }
    /* Codes are read from their first bit on, so the table is indexed by the code reversed. It is filled as one of 1
    bit, doubled for codes of 2 bits, and so on. */
    unsigned code = 0, used = 1u << bits, link = ~0u, start = 0, link_bits = 0;
    for (unsigned l = 1; l <= longest; l++) {
        if (l <= (unsigned)bits) memcpy(table + (1u << (l - 1)), table, sizeof *table << (l - 1));
        for (unsigned left_of = count[l]; left_of; left_of--) {
            const uint32_t entry = inflate_entry(bits, *next++, l);
            if (l <= (unsigned)bits) table[code] = entry;
            else {
                if ((code & mask) != link) {
                    link = code & mask;
                    link_bits = l - (unsigned)bits;
                    for (unsigned have = left_of; have < 1u << link_bits;)
                        have = 2 * have + count[(unsigned)bits + ++link_bits];
                    start = used;
                    used += 1u << link_bits;
                    if (used > room) return 0;
                    table[link] = (uint32_t)start << 16 | ENTRY_LINK | link_bits << 8;
                }
                for (unsigned i = code >> bits; i < 1u << link_bits; i += 1u << (l - (unsigned)bits))
                    table[start + i] = entry;
            }
            /* The next code, reversed: the first zero from the top becomes a one, the ones above it zeros. */
            unsigned bit = 1u << (l - 1);
            while (code & bit) bit >>= 1;
            code = bit ? (code & (bit - 1)) | bit : 0;
        }
    }
    for (unsigned l = longest; l < (unsigned)bits; l++) memcpy(table + (1u << l), table, sizeof *table << l);
    return 1;
}

/* Joins literals whose codes fit in the index together. From the top: what is behind is then still single. */
static void inflate_join(uint32_t *table) {
    for (unsigned i = 1u << LITERAL_BITS; i--;) {
        const uint32_t a = table[i], b = table[i >> (a & 15)];
        const uint32_t taken = (a & 63) + (b & 63), both = (b & 0xff00) << 8 | (a & 0xff00);
        table[i] = (a & b & ENTRY_LITERAL) && taken <= LITERAL_BITS ? both | ENTRY_LITERAL | ENTRY_MORE | taken : a;
    }
}

/* The tables of the block whose code lengths the head has; a fault where they are no codes. */
static int inflate_tables(inflate_state *s) {
    const inflate_head *h = &s->head;
    if (!inflate_table(s->literal, LITERAL_TABLE, h->lengths, h->literals, LITERAL_BITS)) return FAULT_LITERALS;
    if (!inflate_table(s->distance, DISTANCE_TABLE, h->lengths + h->literals, h->distances, DISTANCE_BITS))
        return FAULT_DISTANCES;
    inflate_join(s->literal);
    return FAULT_NONE;
}

static int inflate_fixed(inflate_state *s) {
    inflate_head *h = &s->head;
    h->literals = 288, h->distances = 32;
    memset(h->lengths, 8, 144);
    memset(h->lengths + 144, 9, 112);
    memset(h->lengths + 256, 7, 24);
    memset(h->lengths + 280, 8, 8);
    memset(h->lengths + 288, 5, 32);
    return inflate_tables(s);
}

/* ---- matches ---- */

/* `n` bytes, up to the size of the ring, at byte `at` of the whole output. */
static void inflate_from_ring(const uint8_t *window, uint64_t at, uint8_t *to, size_t n) {
    const size_t start = (size_t)(at % INFLATE_WINDOW), first = INFLATE_WINDOW - start < n ? INFLATE_WINDOW - start : n;
    memcpy(to, window + start, first);
    memcpy(to + first, window, n - first);
}

static void inflate_to_ring(uint8_t *window, uint64_t at, const uint8_t *from, size_t n) {
    const size_t start = (size_t)(at % INFLATE_WINDOW), first = INFLATE_WINDOW - start < n ? INFLATE_WINDOW - start : n;
    memcpy(window + start, from, first);
    memcpy(window, from + first, n - first);
}

/* As much of a match as lies before `base`: the bytes that were copied. */
static unsigned inflate_before(const inflate_state *s, const inflate_io *io, uint8_t *out, unsigned length,
                               unsigned distance) {
    const unsigned behind = distance - (unsigned)(out - io->base), n = length < behind ? length : behind;
    inflate_from_ring(s->window, s->head.total + (uint64_t)(out - io->out_start) - distance, out, n);
    return n;
}

/* In words, up to 15 bytes too far. */
INFLATE_TEMPLATE void inflate_copy(uint8_t *out, unsigned length, unsigned distance) {
    const uint8_t *from = out - distance;
    uint8_t *const end = out + length;
    if (distance >= 16) {
        do memcpy(out, from, 16), out += 16, from += 16;
        while (out < end);
    } else if (distance == 1) {
        const uint64_t v = *from * 0x0101010101010101u;
        do memcpy(out, &v, 8), memcpy(out + 8, &v, 8), out += 16;
        while (out < end);
    } else if (distance >= 8) {
        do memcpy(out, from, 8), out += 8, from += 8;
        while (out < end);
    } else { /* of each word, the first `distance` bytes are right */
        do {
            uint64_t v;
            memcpy(&v, from, 8);
            memcpy(out, &v, 8);
            out += distance, from += distance;
        } while (out < end);
    }
}

/* ---- the fast loop ---- */

#define INFLATE_REFILL() (bits |= inflate_load(in) << (nbits & 63), in += (~nbits & 63) >> 3, nbits |= 56)
#define INFLATE_TAKE(entry) (bits >>= (entry) & 63, nbits -= (entry)) /* of nbits, the low 6 bits count */
#define INFLATE_LITERALS(entry)                                                                                       \
    do {                                                                                                              \
        const uint16_t literals_ = (uint16_t)((entry) >> 8);                                                          \
        memcpy(out, &literals_, 2);                                                                                   \
        out += 1 + ((entry) >> 7 & 1);                                                                                \
        INFLATE_TAKE(entry);                                                                                          \
    } while (0)
#define INFLATE_VALUE(entry, saved)                                                                                   \
    (((entry) >> 16) + (unsigned)(((saved) & (((uint64_t)1 << ((entry) & 63)) - 1)) >> ((entry) >> 8 & 15)))
#define INFLATE_FOLLOW(table, entry, index_bits)                                                                      \
    (table)[((entry) >> 16) + (unsigned)(bits >> (index_bits) & (((uint64_t)1 << ((entry) >> 8 & 15)) - 1))]

INFLATE_CLONES static void inflate_fast(inflate_state *s, inflate_io *io) {
    const uint8_t *in = io->in, *const in_safe = io->in_end - FAST_IN;
    uint8_t *out = io->out, *const out_safe = io->out_end - FAST_OUT;
    const uint32_t *const literal = s->literal, *const distance_table = s->distance;
    const uint64_t mask = (1 << LITERAL_BITS) - 1;
    uint64_t bits = s->head.bits, nbits = s->head.nbits;
    INFLATE_REFILL();
    uint32_t entry = literal[bits & mask];
    do {
        if (entry & ENTRY_LITERAL) {
            INFLATE_LITERALS(entry);
            entry = literal[bits & mask];
            if (entry & ENTRY_LITERAL) {
                INFLATE_LITERALS(entry);
                entry = literal[bits & mask];
                if (entry & ENTRY_LITERAL) {
                    INFLATE_LITERALS(entry);
                    entry = literal[bits & mask]; /* 56 - 30 bits are still there */
                    INFLATE_REFILL();
                    continue;
                }
            }
            INFLATE_REFILL();
        }
        if (INFLATE_RARE(entry & ENTRY_MORE)) {
            if ((entry & ENTRY_KIND) == (ENTRY_LINK & ENTRY_KIND)) entry = INFLATE_FOLLOW(literal, entry, LITERAL_BITS);
            if (entry & ENTRY_LITERAL) {
                INFLATE_LITERALS(entry);
                entry = literal[bits & mask];
                INFLATE_REFILL();
                continue;
            }
            if (entry & ENTRY_MORE) break;
        }
        const uint64_t bits_before = bits, nbits_before = nbits;
        const unsigned length = INFLATE_VALUE(entry, bits);
        INFLATE_TAKE(entry);
        entry = distance_table[bits & ((1 << DISTANCE_BITS) - 1)];
        if (INFLATE_RARE((entry & (ENTRY_KIND | ENTRY_MORE)) == ENTRY_LINK))
            entry = INFLATE_FOLLOW(distance_table, entry, DISTANCE_BITS);
        const unsigned distance = INFLATE_VALUE(entry, bits);
        const size_t there = (size_t)(out - io->base);
        if (INFLATE_RARE((entry & ENTRY_MORE) || distance > there)) {
            if ((entry & ENTRY_MORE) || distance > s->head.total + (uint64_t)(out - io->out_start)) {
                bits = bits_before, nbits = nbits_before;
                break;
            }
            INFLATE_TAKE(entry);
            const unsigned copied = inflate_before(s, io, out, length, distance);
            if (copied < length) inflate_copy(out + copied, length - copied, distance);
            INFLATE_REFILL();
            entry = literal[bits & mask];
        } else {
            INFLATE_TAKE(entry);
            INFLATE_REFILL();
            entry = literal[bits & mask];
            inflate_copy(out, length, distance);
        }
        out += length;
    } while (in <= in_safe && out <= out_safe);
    nbits &= 63;
    const uint64_t whole = nbits >> 3, here = (uint64_t)(in - io->in_start), back = whole < here ? whole : here;
    in -= back, nbits -= 8 * back;
    s->head.bits = (uint32_t)(bits & (((uint64_t)1 << nbits) - 1)), s->head.nbits = (uint8_t)nbits;
    io->in = in, io->out = out;
}

/* ---- the state machine ---- */

#define INFLATE_FETCH()                                                                                               \
    do {                                                                                                              \
        if (io->in == io->in_end) goto pause;                                                                         \
        bits |= (uint64_t)*io->in++ << nbits, nbits += 8;                                                             \
    } while (0)
#define INFLATE_NEED(n)                                                                                               \
    while (nbits < (unsigned)(n)) INFLATE_FETCH()
#define INFLATE_DROP(n) (bits >>= (n), nbits -= (unsigned)(n))
#define INFLATE_FAIL(why)                                                                                             \
    do {                                                                                                              \
        h->fault = (why), h->mode = MODE_FAULT;                                                                       \
        goto pause;                                                                                                   \
    } while (0)

static void inflate_slow(inflate_state *s, inflate_io *io) {
    inflate_head *h = &s->head;
    uint64_t bits = h->bits;
    unsigned nbits = h->nbits;
    uint32_t entry;
    for (;;) switch (h->mode) {
        case MODE_HEADER:
            INFLATE_NEED(16);
            if (((bits & 255) << 8 | bits >> 8) % 31) INFLATE_FAIL(FAULT_HEADER);
            if ((bits & 15) != 8) INFLATE_FAIL(FAULT_METHOD);
            if ((bits >> 4 & 15) > 7) INFLATE_FAIL(FAULT_WINDOW);
            if (bits >> 13 & 1) INFLATE_FAIL(FAULT_DICTIONARY);
            INFLATE_DROP(16);
            h->mode = MODE_BLOCK;
            break;
        case MODE_BLOCK:
            if (h->last) {
                INFLATE_DROP(nbits & 7);
                h->mode = h->wrapper == INFLATE_RAW ? MODE_END : MODE_TRAILER;
                break;
            }
            INFLATE_NEED(3);
            h->last = bits & 1;
            switch (bits >> 1 & 3) {
                case 0: h->mode = MODE_STORED_LENGTH; break;
                case 1:
                    if (h->block != 1) inflate_fixed(s);
                    h->block = 1, h->mode = MODE_SYMBOL;
                    break;
                case 2: h->mode = MODE_COUNTS; break;
                default: INFLATE_FAIL(FAULT_BLOCK);
            }
            INFLATE_DROP(3);
            if (h->mode == MODE_STORED_LENGTH) INFLATE_DROP(nbits & 7);
            break;
        case MODE_STORED_LENGTH:
            INFLATE_NEED(32);
            if ((bits & 0xffff) != (~bits >> 16 & 0xffff)) INFLATE_FAIL(FAULT_STORED);
            h->stored = bits & 0xffff;
            INFLATE_DROP(32);
            h->mode = MODE_STORED;
            break;
        case MODE_STORED: {
            size_t n = h->stored;
            if (n > (size_t)(io->in_end - io->in)) n = (size_t)(io->in_end - io->in);
            if (n > (size_t)(io->out_end - io->out)) n = (size_t)(io->out_end - io->out);
            if (n) memcpy(io->out, io->in, n);
            io->in += n, io->out += n;
            h->stored = (uint16_t)(h->stored - n);
            if (h->stored) goto pause;
            h->mode = MODE_BLOCK;
            break;
        }
        case MODE_COUNTS:
            INFLATE_NEED(14);
            h->literals = (uint16_t)(257 + (bits & 31)), h->distances = (uint16_t)(1 + (bits >> 5 & 31));
            h->codes = (uint16_t)(4 + (bits >> 10 & 15));
            if (h->literals > 286 || h->distances > 30) INFLATE_FAIL(FAULT_COUNTS);
            INFLATE_DROP(14);
            memset(h->code_lengths, 0, sizeof h->code_lengths);
            h->have = 0, h->block = 0;
            h->mode = MODE_CODE_LENGTHS;
            break;
        case MODE_CODE_LENGTHS:
            while (h->have < h->codes) {
                INFLATE_NEED(3);
                h->code_lengths[inflate_order[h->have++]] = bits & 7;
                INFLATE_DROP(3);
            }
            if (!inflate_table(s->distance, DISTANCE_TABLE, h->code_lengths, 19, CODE_BITS))
                INFLATE_FAIL(FAULT_CODE_LENGTHS);
            h->have = 0;
            h->mode = MODE_LENGTHS;
            break;
        case MODE_LENGTHS: {
            const unsigned all = (unsigned)h->literals + h->distances;
            while (h->have < all) {
                for (;;) {
                    entry = s->distance[bits & ((1 << CODE_BITS) - 1)];
                    if ((entry & 63) <= nbits) break;
                    INFLATE_FETCH();
                }
                const unsigned length = entry & 63, symbol = entry >> 16;
                if (symbol < 16) {
                    INFLATE_DROP(length);
                    h->lengths[h->have++] = (uint8_t)symbol;
                    continue;
                }
                const unsigned extra = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
                INFLATE_NEED(length + extra);
                const unsigned n = (symbol == 18 ? 11 : 3) + (unsigned)(bits >> length & ((1u << extra) - 1));
                if ((symbol == 16 && !h->have) || h->have + n > all) INFLATE_FAIL(FAULT_REPEAT);
                memset(h->lengths + h->have, symbol == 16 ? h->lengths[h->have - 1] : 0, n);
                INFLATE_DROP(length + extra);
                h->have = (uint16_t)(h->have + n);
            }
            if (!h->lengths[256]) INFLATE_FAIL(FAULT_NO_END);
            const int fault = inflate_tables(s);
            if (fault) INFLATE_FAIL(fault);
            h->block = 2, h->mode = MODE_SYMBOL;
            break;
        }
        case MODE_SYMBOL:
            if (io->in_end - io->in >= FAST_IN && io->out_end - io->out >= FAST_OUT) {
                h->bits = (uint32_t)bits, h->nbits = (uint8_t)nbits;
                inflate_fast(s, io);
                bits = h->bits, nbits = h->nbits;
            }
            for (;;) { /* one symbol, of joined literals the first */
                entry = s->literal[bits & ((1 << LITERAL_BITS) - 1)];
                if ((entry & (ENTRY_LITERAL | ENTRY_KIND | ENTRY_MORE)) == ENTRY_LINK)
                    entry = nbits < LITERAL_BITS ? INFLATE_UNKNOWN : INFLATE_FOLLOW(s->literal, entry, LITERAL_BITS);
                if (entry & ENTRY_LITERAL) entry = (entry & 0xff00) | ENTRY_LITERAL | h->lengths[entry >> 8 & 255];
                if ((entry & 63) <= nbits) break;
                INFLATE_FETCH();
            }
            if (entry & ENTRY_LITERAL) {
                if (io->out == io->out_end) goto pause;
                *io->out++ = (uint8_t)(entry >> 8);
                INFLATE_DROP(entry & 63);
                break;
            }
            if ((entry & ENTRY_INVALID) == ENTRY_INVALID) INFLATE_FAIL(FAULT_SYMBOL);
            h->length = (uint16_t)INFLATE_VALUE(entry, bits);
            h->mode = entry & ENTRY_MORE ? MODE_BLOCK : MODE_DISTANCE;
            INFLATE_DROP(entry & 63);
            break;
        case MODE_DISTANCE: {
            for (;;) {
                entry = s->distance[bits & ((1 << DISTANCE_BITS) - 1)];
                if ((entry & (ENTRY_KIND | ENTRY_MORE)) == ENTRY_LINK)
                    entry = nbits < DISTANCE_BITS ? INFLATE_UNKNOWN : INFLATE_FOLLOW(s->distance, entry, DISTANCE_BITS);
                if ((entry & 63) <= nbits) break;
                INFLATE_FETCH();
            }
            if (entry & ENTRY_MORE) INFLATE_FAIL(FAULT_DISTANCE);
            const unsigned distance = INFLATE_VALUE(entry, bits);
            if (distance > h->total + (uint64_t)(io->out - io->out_start)) INFLATE_FAIL(FAULT_FAR);
            h->distance = (uint16_t)distance;
            INFLATE_DROP(entry & 63);
            h->mode = MODE_COPY;
            break;
        }
        case MODE_COPY: {
            const size_t room = (size_t)(io->out_end - io->out);
            unsigned n = h->length < room ? h->length : (unsigned)room;
            h->length = (uint16_t)(h->length - n);
            if (h->distance > io->out - io->base) {
                const unsigned copied = inflate_before(s, io, io->out, n, h->distance);
                io->out += copied, n -= copied;
            }
            for (; n; n--, io->out++) *io->out = *(io->out - h->distance);
            if (h->length) goto pause;
            h->mode = MODE_SYMBOL;
            break;
        }
        case MODE_TRAILER: {
            INFLATE_NEED(32);
            uint32_t sum = 0; /* highest byte first */
            for (int i = 0; i < 4; i++) sum = sum << 8 | (bits >> 8 * i & 255);
            const uint32_t ours = inflate_adler(h->adler, io->out_start, (size_t)(io->out - io->out_start));
            if (h->wrapper == INFLATE_ZLIB && sum != ours) INFLATE_FAIL(FAULT_CHECKSUM);
            INFLATE_DROP(32);
            h->mode = MODE_END;
            break;
        }
        default: goto pause;
    }
pause:
    h->bits = (uint32_t)bits, h->nbits = (uint8_t)nbits;
}

/* ---- what is called ---- */

static void inflate_start(inflate_state *s, int wrapper) {
    memset(&s->head, 0, sizeof s->head);
    s->head.magic = INFLATE_MAGIC, s->head.wrapper = (uint8_t)wrapper, s->head.adler = 1;
    s->head.mode = wrapper == INFLATE_RAW ? MODE_BLOCK : MODE_HEADER;
}

/* `written` bytes of `dst` are what was given out last. */
static int inflate_run(inflate_state *s, const uint8_t *src, size_t *consumed, uint8_t *dst, size_t *produced,
                       size_t written) {
    inflate_io io = {src, src, src + *consumed, dst + written, dst + written, dst + *produced, dst};
    inflate_head *h = &s->head;
    inflate_slow(s, &io);
    size_t n = (size_t)(io.out - io.out_start);
    *consumed = (size_t)(io.in - src), *produced = n;
    if (h->wrapper == INFLATE_ZLIB) h->adler = inflate_adler(h->adler, io.out_start, n);
    h->total += n;
    if (n > INFLATE_WINDOW) n = INFLATE_WINDOW;
    if (n) inflate_to_ring(s->window, h->total - n, io.out - n, n);
    return h->mode == MODE_END ? INFLATE_END : h->mode == MODE_FAULT ? INFLATE_FAULT : INFLATE_MORE;
}

static size_t inflate_history(const inflate_head *h) {
    return h->total < INFLATE_WINDOW ? (size_t)h->total : INFLATE_WINDOW;
}

/* The head, the window from its oldest byte on, and the Adler-32 of both: inflate_save_bytes in all. */
static size_t inflate_save_bytes(const inflate_head *h) { return sizeof *h + inflate_history(h) + 4; }

static void inflate_save(const inflate_state *s, uint8_t *to) {
    const inflate_head *h = &s->head;
    const size_t n = inflate_history(h);
    memcpy(to, h, sizeof *h);
    inflate_from_ring(s->window, h->total - n, to + sizeof *h, n);
    const uint32_t sum = inflate_adler(1, to, sizeof *h + n);
    memcpy(to + sizeof *h + n, &sum, 4);
}

/* Whether the saved bytes are a state that `inflate_slow` can be in: it and the tables trust these figures. */
static int inflate_is_sound(const inflate_head *h) {
    const int codes = h->mode >= MODE_SYMBOL && h->mode <= MODE_COPY;
    if (h->magic != INFLATE_MAGIC || h->mode > MODE_END || h->last > 1 || h->wrapper > INFLATE_ZLIB_UNVERIFIED ||
        h->block > 2 || h->fault)
        return 0;
    if (h->nbits > 31 || h->bits >> h->nbits || (h->adler & 0xffff) > 65520 || h->adler >> 16 > 65520) return 0;
    if (h->wrapper == INFLATE_RAW && (h->mode == MODE_HEADER || h->mode == MODE_TRAILER)) return 0;
    if (h->mode == MODE_STORED && h->nbits) return 0;
    for (int i = 0; i < 320; i++)
        if (h->lengths[i] > 15) return 0;
    for (int i = 0; i < 19; i++)
        if (h->code_lengths[i] > 7) return 0;
    if (h->mode == MODE_CODE_LENGTHS || h->mode == MODE_LENGTHS || h->block == 2) {
        if (h->literals < 257 || h->literals > 286 || h->distances < 1 || h->distances > 30) return 0;
        const int all = h->mode == MODE_CODE_LENGTHS ? h->codes : h->literals + h->distances;
        if (h->codes < 4 || h->codes > 19 || h->have > all) return 0;
    }
    if (codes && (!h->block || (h->block == 2 && !h->lengths[256]))) return 0;
    if (h->mode == MODE_DISTANCE && (h->length < 3 || h->length > INFLATE_LONGEST)) return 0;
    if (h->mode == MODE_COPY && (h->length < 1 || h->length > INFLATE_LONGEST || h->distance < 1 ||
                                 h->distance > INFLATE_WINDOW || h->distance > h->total))
        return 0;
    return 1;
}

/* 0 where the bytes are not what `inflate_save` made; the state is then no longer of use. */
static int inflate_resume(inflate_state *s, const uint8_t *from, size_t n) {
    inflate_head *h = &s->head;
    uint32_t sum;
    if (n < sizeof *h + 4) return 0;
    memcpy(h, from, sizeof *h);
    memcpy(&sum, from + n - 4, 4);
    if (!inflate_is_sound(h) || n != inflate_save_bytes(h) || sum != inflate_adler(1, from, n - 4)) return 0;
    const size_t history = inflate_history(h);
    inflate_to_ring(s->window, h->total - history, from + sizeof *h, history);
    if (h->mode == MODE_LENGTHS) return inflate_table(s->distance, DISTANCE_TABLE, h->code_lengths, 19, CODE_BITS);
    if (h->block == 1) return inflate_fixed(s) == FAULT_NONE;
    return h->block == 0 || inflate_tables(s) == FAULT_NONE;
}
