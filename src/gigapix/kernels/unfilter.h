/* PNG's filters undone, in place (PNG specification, section 9).

A byte depends on the one a pixel to its left, so a row is a chain, and takes as long as the chain: all that does not
hang on the left pixel is kept out of it, and the left pixel stays in registers. The bytes of a pixel are independent,
and go through the chain side by side in the 16-bit lanes of a vector.

Paeth's three distances are replaced by one threshold. With a, b, c = left, above, above left, and t = 3c - a - b, the
predictor is max(a, b) where t <= min(a, b), min(a, b) where t >= max(a, b), and else c.

`bpp`, the bytes a pixel, and the filter are constants wherever the templates are called. The vectors are the compiler's
own (GCC, Clang), so they are SSE2 here and NEON there; other compilers take the plain loop. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define UNFILTER_TEMPLATE static inline __attribute__((always_inline))
#else
#define UNFILTER_TEMPLATE static inline
#endif

enum { UNFILTER_NONE, UNFILTER_SUB, UNFILTER_UP, UNFILTER_AVERAGE, UNFILTER_PAETH };

UNFILTER_TEMPLATE int unfilter_byte(int raw, int a, int b, int c, int filter) {
    if (filter == UNFILTER_SUB) return (raw + a) & 255;
    if (filter == UNFILTER_AVERAGE) return (raw + ((a + b) >> 1)) & 255;
    const int t = 3 * c - b - a, low = a < b ? a : b, high = a < b ? b : a;
    const int other = t >= high ? low : c;
    return (raw + (t <= low ? high : other)) & 255;
}

/* From byte `start`, where a pixel begins. */
UNFILTER_TEMPLATE void unfilter_plain(unsigned char *row, const unsigned char *above, ptrdiff_t start, ptrdiff_t n,
                                      int bpp, int filter) {
    int left[8] = {0}, corner[8] = {0};
    for (int k = 0; start && k < bpp; k++) left[k] = row[start - bpp + k], corner[k] = above[start - bpp + k];
    for (ptrdiff_t i = start; i < n; i += bpp)
        for (int k = 0; k < bpp && (i + bpp <= n || i + k < n); k++) {
            const int b = above[i + k];
            left[k] = unfilter_byte(row[i + k], left[k], b, corner[k], filter);
            corner[k] = b;
            row[i + k] = (unsigned char)left[k];
        }
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_convertvector)
#define UNFILTER_VECTORS
typedef uint8_t unfilter_bytes __attribute__((vector_size(8)));
typedef int16_t unfilter_lanes __attribute__((vector_size(16)));
typedef uint8_t unfilter_wrapping __attribute__((vector_size(16)));

#ifdef __SSE2__
#include <emmintrin.h>
#define unfilter_low(a, b) ((unfilter_lanes)_mm_min_epi16((__m128i)(a), (__m128i)(b)))
#define unfilter_high(a, b) ((unfilter_lanes)_mm_max_epi16((__m128i)(a), (__m128i)(b)))
#else
#define unfilter_low(a, b) (((a) & ((a) < (b))) | ((b) & ((a) >= (b))))
#define unfilter_high(a, b) (((b) & ((a) < (b))) | ((a) & ((a) >= (b))))
#endif

UNFILTER_TEMPLATE unfilter_lanes unfilter_load(const unsigned char *p, int width) {
    unfilter_bytes bytes = {0};
    memcpy(&bytes, p, (size_t)width);
    return __builtin_convertvector(bytes, unfilter_lanes);
}

UNFILTER_TEMPLATE void unfilter_store(unsigned char *p, unfilter_lanes lanes, int width) {
    const unfilter_bytes bytes = __builtin_convertvector(lanes, unfilter_bytes);
    memcpy(p, &bytes, (size_t)width);
}

UNFILTER_TEMPLATE unfilter_lanes unfilter_pixel(unfilter_lanes raw, unfilter_lanes a, unfilter_lanes b,
                                                unfilter_lanes c, int filter) {
    unfilter_lanes predictor;
    if (filter == UNFILTER_SUB) predictor = a;
    else if (filter == UNFILTER_AVERAGE) predictor = (a + b) >> 1;
    else {
        const unfilter_lanes t = 3 * c - b - a, low = unfilter_low(a, b), high = unfilter_high(a, b);
        /* Where two of the three hold, low, high and t are equal. */
        predictor = (high & (t <= low)) | (low & (t >= high)) | (c & (t > low) & (t < high));
    }
    return (unfilter_lanes)((unfilter_wrapping)raw + (unfilter_wrapping)predictor);
}

/* Loads and stores are of 4 or 8 bytes: a store spills into the next pixel, which is in a register by then. Returns
where the last pixels begin, for which there is no room to do so. */
UNFILTER_TEMPLATE ptrdiff_t unfilter_vectors(unsigned char *row, const unsigned char *above, ptrdiff_t n, int bpp,
                                             int filter) {
    const int width = bpp > 4 ? 8 : 4;
    if (n < width) return 0;
    ptrdiff_t i = 0;
    unfilter_lanes raw = unfilter_load(row, width), a = {0}, c = {0};
    for (; i + bpp + width <= n; i += bpp) {
        const unfilter_lanes next = unfilter_load(row + i + bpp, width), b = unfilter_load(above + i, width);
        a = unfilter_pixel(raw, a, b, c, filter);
        unfilter_store(row + i, a, width);
        c = b;
        raw = next;
    }
    unfilter_store(row + i, raw, width);
    return i;
}
#endif
#endif

UNFILTER_TEMPLATE void unfilter_row(unsigned char *row, const unsigned char *above, ptrdiff_t n, int bpp, int filter) {
    ptrdiff_t start = 0;
#ifdef UNFILTER_VECTORS
    if (bpp > 2) start = unfilter_vectors(row, above, n, bpp, filter);
#endif
    unfilter_plain(row, above, start, n, bpp, filter);
}

/* Not inlined: `restrict` tells the compiler that the rows lie apart. */
static void unfilter_up(unsigned char *restrict row, const unsigned char *restrict above, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) row[i] = (unsigned char)(row[i] + above[i]);
}

UNFILTER_TEMPLATE ptrdiff_t unfilter_rows(unsigned char *rows, unsigned char *previous, ptrdiff_t n,
                                          ptrdiff_t row_bytes, int bpp) {
    const unsigned char *above = previous;
    ptrdiff_t y = 0;
    for (; y < n && rows[y * (row_bytes + 1)] <= UNFILTER_PAETH; y++) {
        unsigned char *row = rows + y * (row_bytes + 1) + 1;
        switch (row[-1]) {
            case UNFILTER_SUB: unfilter_row(row, above, row_bytes, bpp, UNFILTER_SUB); break;
            case UNFILTER_UP: unfilter_up(row, above, row_bytes); break;
            case UNFILTER_AVERAGE: unfilter_row(row, above, row_bytes, bpp, UNFILTER_AVERAGE); break;
            case UNFILTER_PAETH: unfilter_row(row, above, row_bytes, bpp, UNFILTER_PAETH); break;
        }
        above = row;
    }
    if (y) memcpy(previous, above, (size_t)row_bytes);
    return y;
}

/* `n` rows, each a filter byte and `row_bytes` bytes; bpp is 1, 2, 3, 4, 6 or 8. Returns how many rows have a filter
that exists, before the first that has none. */
static ptrdiff_t unfilter_all(unsigned char *rows, unsigned char *previous, ptrdiff_t n, ptrdiff_t row_bytes, int bpp) {
    switch (bpp) {
        case 1: return unfilter_rows(rows, previous, n, row_bytes, 1);
        case 2: return unfilter_rows(rows, previous, n, row_bytes, 2);
        case 3: return unfilter_rows(rows, previous, n, row_bytes, 3);
        case 4: return unfilter_rows(rows, previous, n, row_bytes, 4);
        case 6: return unfilter_rows(rows, previous, n, row_bytes, 6);
        default: return unfilter_rows(rows, previous, n, row_bytes, 8);
    }
}
