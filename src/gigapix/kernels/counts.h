/* Counting, and sums without rounding.

Counting is bound by its own stores: a count that was written a moment ago must be read again, and neighbours tend to
be equal. So up to eight small tables take turns, and are added up at the end.

A float is an integer, its mantissa, times a power of two, its exponent. There are few exponents: each has a bin, to
which mantissas and their squares are added as integers. Nothing is rounded, the bins are put together once at the end
(R. Neal, "Fast exact summation using small and large superaccumulators", 2015, has the same idea for sums).

Values are loaded with memcpy, because they need not be aligned. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define COUNTS_TEMPLATE static inline __attribute__((always_inline)) /* arguments become constants where it is called */
#else
#define COUNTS_TEMPLATE static inline
#endif

typedef struct {
    const unsigned char *data;
    ptrdiff_t rows, columns;
    ptrdiff_t row_stride, stride; /* in bytes */
} counts_view;

enum { COUNTS_TABLES = 8, COUNTS_CHUNK = 1 << 30, COUNTS_SINGLES = 1 << 15 };

/* `period` tables take turns; a chunk of values begins with the first. */
COUNTS_TEMPLATE void counts_8_run(const unsigned char *p, ptrdiff_t n, ptrdiff_t stride, uint32_t *tables, int period) {
    ptrdiff_t i = 0;
    for (; i + period <= n; i += period) {
#pragma GCC unroll 8
        for (int k = 0; k < period; k++) tables[256 * k + p[(i + k) * stride]]++;
    }
    for (int k = 0; i < n; i++, k++) tables[256 * k + p[i * stride]]++;
}

/* Value i of a row belongs to sample i % samples. */
static void counts_8(const counts_view *v, int64_t *counts, ptrdiff_t samples, int sign) {
    uint32_t tables[COUNTS_TABLES * 256];
    const int flip = sign ? 128 : 0;
    if (samples > COUNTS_TABLES) {
        for (ptrdiff_t i = 0, s = 0; i < v->columns; i++, s = s + 1 < samples ? s + 1 : 0)
            counts[256 * s + (v->data[i] ^ flip)]++;
        return;
    }
    const int period = (int)(COUNTS_TABLES / samples * samples);
    ptrdiff_t left = COUNTS_CHUNK / period * period;
    memset(tables, 0, sizeof tables);
    for (ptrdiff_t y = 0; y < v->rows; y++)
        for (ptrdiff_t x = 0, n; x < v->columns; x += n) {
            const unsigned char *p = v->data + y * v->row_stride + x * v->stride;
            n = v->columns - x < left ? v->columns - x : left;
            left -= n;
            if (v->stride == 1 && period == 8) counts_8_run(p, n, 1, tables, 8);
            else if (v->stride == 1 && period == 6) counts_8_run(p, n, 1, tables, 6);
            else if (period == 8) counts_8_run(p, n, v->stride, tables, 8);
            else counts_8_run(p, n, v->stride, tables, period);
            if (left && (y + 1 < v->rows || x + n < v->columns)) continue;
            for (int k = 0; k < period; k++)
                for (int i = 0; i < 256; i++) counts[256 * (k % samples) + (i ^ flip)] += tables[256 * k + i];
            memset(tables, 0, sizeof tables);
            left = COUNTS_CHUNK / period * period;
        }
}

static void counts_16(const counts_view *v, int64_t *counts, int sign) {
    const unsigned flip = sign ? 0x8000 : 0;
    for (ptrdiff_t y = 0; y < v->rows; y++) {
        const unsigned char *p = v->data + y * v->row_stride;
        for (ptrdiff_t x = 0; x < v->columns; x++, p += v->stride) {
            uint16_t value;
            memcpy(&value, p, 2);
            counts[value ^ flip]++;
        }
    }
}

/* Bin i has the values from edges[i] to before edges[i + 1], the last one with its end. The edges rise; where between two
values lie is guessed as if they were equally far apart, and put right. */
#define COUNTS_BINS(name, type)                                                                                     \
    static void counts_bins_##name(const counts_view *v, const double *edges, ptrdiff_t bins, int64_t *counts,      \
                                   const double *nodata) {                                                          \
        const double first = edges[0], last = edges[bins], scale = (double)bins / (last - first);                   \
        const double marker = nodata ? *nodata : NAN;                                                               \
        for (ptrdiff_t y = 0; y < v->rows; y++) {                                                                   \
            const unsigned char *p = v->data + y * v->row_stride;                                                   \
            for (ptrdiff_t x = 0; x < v->columns; x++, p += v->stride) {                                            \
                type stored;                                                                                        \
                memcpy(&stored, p, sizeof stored);                                                                  \
                const double value = (double)stored;                                                                \
                if (!(value >= first && value <= last) || value == marker) continue;                                \
                ptrdiff_t i = (ptrdiff_t)((value - first) * scale);                                                 \
                if (i >= bins) i = bins - 1;                                                                        \
                while (value < edges[i]) i--;                                                                       \
                while (i < bins - 1 && value >= edges[i + 1]) i++;                                                  \
                counts[i]++;                                                                                        \
            }                                                                                                       \
        }                                                                                                           \
    }
COUNTS_BINS(f4, float)
COUNTS_BINS(f8, double)
COUNTS_BINS(i4, int32_t)
COUNTS_BINS(u4, uint32_t)

typedef struct {
    uint64_t low, high; /* of a number of 128 bits with a sign */
} counts_total;

typedef struct {
    uint64_t low, high, top;
} counts_squares;

typedef struct {
    int64_t valid, negative, positive; /* the last two: infinities */
    double low, high;                  /* of floats */
    uint64_t lowest, highest;          /* of integers */
    counts_total total[2048];          /* one bin an exponent, as it lies in the float; integers are all in bin 0 */
    counts_squares squares[2048];
} counts_moments;

static inline void counts_add(counts_total *bin, int64_t value) {
    bin->low += (uint64_t)value;
    bin->high += (uint64_t)(value >> 63) + (bin->low < (uint64_t)value);
}

static inline void counts_add_square(counts_squares *bin, uint64_t low, uint64_t high) {
    bin->low += low;
    const uint64_t carry = bin->low < low; /* a square's high half is at most 2**64 - 2 */
    bin->high += high + carry;
    if (bin->high < high + carry) bin->top++;
}

static inline void counts_square(uint64_t v, uint64_t *low, uint64_t *high) {
#ifdef __SIZEOF_INT128__
    const unsigned __int128 square = (unsigned __int128)v * v;
    *low = (uint64_t)square, *high = (uint64_t)(square >> 64);
#else
    const uint64_t a = v >> 32, b = v & 0xffffffff, ab = a * b;
    *low = v * v;
    *high = a * a + (ab >> 31) + ((ab << 33) > *low);
#endif
}

static void counts_moments_f8(const counts_view *v, counts_moments *m, const double *nodata) {
    const uint64_t one = 1;
    const double marker = nodata ? *nodata : NAN;
    double low = INFINITY, high = -INFINITY;
    int64_t valid = 0;
    for (ptrdiff_t y = 0; y < v->rows; y++) {
        const unsigned char *p = v->data + y * v->row_stride;
        for (ptrdiff_t x = 0; x < v->columns; x++, p += v->stride) {
            double value;
            uint64_t bits, square, square_high;
            memcpy(&value, p, 8);
            memcpy(&bits, p, 8);
            const unsigned exponent = (unsigned)(bits >> 52) & 2047;
            if (value == marker || (exponent == 2047 && value != value)) continue;
            valid++;
            low = value < low ? value : low;
            high = value > high ? value : high;
            if (exponent == 2047) {
                *(value < 0 ? &m->negative : &m->positive) += 1;
                continue;
            }
            const uint64_t mantissa = (bits & ((one << 52) - 1)) | (uint64_t)(exponent != 0) << 52;
            const int64_t sign = -(int64_t)(bits >> 63);
            counts_add(&m->total[exponent], ((int64_t)mantissa ^ sign) - sign);
            counts_square(mantissa, &square, &square_high);
            counts_add_square(&m->squares[exponent], square, square_high);
        }
    }
    m->valid = valid, m->low = low, m->high = high;
}

/* 2**15 squares of 24 bits are below 2**63, so bins of one word do for as many. */
static void counts_moments_f4(const counts_view *v, counts_moments *m, const float *nodata) {
    const float marker = nodata ? *nodata : NAN;
    float low = INFINITY, high = -INFINITY;
    int64_t valid = 0, total[256] = {0};
    uint64_t squares[256] = {0};
    ptrdiff_t left = COUNTS_SINGLES;
    for (ptrdiff_t y = 0; y < v->rows; y++)
        for (ptrdiff_t x = 0, n; x < v->columns; x += n) {
            const unsigned char *p = v->data + y * v->row_stride + x * v->stride;
            n = v->columns - x < left ? v->columns - x : left;
            left -= n;
            for (ptrdiff_t i = 0; i < n; i++, p += v->stride) {
                float value;
                uint32_t bits;
                memcpy(&value, p, 4);
                memcpy(&bits, p, 4);
                const uint32_t exponent = bits >> 23 & 255;
                if (value == marker || (exponent == 255 && value != value)) continue;
                valid++;
                low = value < low ? value : low;
                high = value > high ? value : high;
                if (exponent == 255) {
                    *(value < 0 ? &m->negative : &m->positive) += 1;
                    continue;
                }
                const int64_t mantissa = (bits & 0x7fffff) | (uint32_t)(exponent != 0) << 23;
                const int64_t sign = -(int64_t)(bits >> 31);
                total[exponent] += (mantissa ^ sign) - sign;
                squares[exponent] += (uint64_t)(mantissa * mantissa);
            }
            if (left && (y + 1 < v->rows || x + n < v->columns)) continue;
            for (int i = 0; i < 256; i++) {
                counts_add(&m->total[i], total[i]);
                counts_add_square(&m->squares[i], squares[i], 0);
            }
            memset(total, 0, sizeof total);
            memset(squares, 0, sizeof squares);
            left = COUNTS_SINGLES;
        }
    m->valid = valid, m->low = low, m->high = high;
}

COUNTS_TEMPLATE void counts_moments_of(const counts_view *v, counts_moments *m, int bytes, int sign,
                                       const uint64_t *nodata) {
    const uint64_t flip = (uint64_t)(sign != 0) << 63; /* makes the order that of unsigned numbers */
    const uint64_t marker = nodata ? *nodata : 0;
    uint64_t lowest = UINT64_MAX, highest = 0;
    int64_t valid = 0;
    counts_total total = {0, 0};
    counts_squares squares = {0, 0, 0};
    for (ptrdiff_t y = 0; y < v->rows; y++) {
        const unsigned char *p = v->data + y * v->row_stride;
        for (ptrdiff_t x = 0; x < v->columns; x++, p += v->stride) {
            uint64_t value, square, square_high;
            uint32_t half;
            if (bytes == 8) memcpy(&value, p, 8);
            else memcpy(&half, p, 4), value = sign ? (uint64_t)(int64_t)(int32_t)half : half;
            if (nodata && value == marker) continue;
            valid++;
            const uint64_t order = value ^ flip, minus = sign ? (uint64_t)((int64_t)value >> 63) : 0;
            lowest = order < lowest ? order : lowest;
            highest = order > highest ? order : highest;
            total.low += value;
            total.high += minus + (total.low < value);
            counts_square((value ^ minus) - minus, &square, &square_high);
            counts_add_square(&squares, square, square_high);
        }
    }
    m->valid = valid, m->lowest = lowest ^ flip, m->highest = highest ^ flip;
    m->total[0] = total, m->squares[0] = squares;
}

static void counts_moments_integer(const counts_view *v, counts_moments *m, int bytes, int sign,
                                   const uint64_t *nodata) {
    if (bytes == 4 && sign) counts_moments_of(v, m, 4, 1, nodata);
    else if (bytes == 4) counts_moments_of(v, m, 4, 0, nodata);
    else if (sign) counts_moments_of(v, m, 8, 1, nodata);
    else counts_moments_of(v, m, 8, 0, nodata);
}
