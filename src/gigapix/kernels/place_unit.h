/* The loops of place.h for units of BITS bits; place.h includes this once for each width. Strides and steps are in
bytes, counts in units. */

#define NAME(name) PLACE_NAME(name, BITS)
#define BYTES ((ptrdiff_t)(BITS / 8))
#if BITS == 8
typedef uint8_t NAME(unit);
#elif BITS == 16
typedef uint16_t NAME(unit);
#elif BITS == 32
typedef uint32_t NAME(unit);
#else
typedef uint64_t NAME(unit);
#endif

PLACE_TEMPLATE NAME(unit) NAME(load)(const unsigned char *p, int swap) {
    NAME(unit) v;
    memcpy(&v, p, sizeof v);
    return swap ? NAME(swap)(v) : v;
}

PLACE_TEMPLATE void NAME(copy)(const unsigned char *restrict src, ptrdiff_t stride, unsigned char *restrict dst,
                               ptrdiff_t step, ptrdiff_t count, int swap) {
    for (ptrdiff_t x = 0; x < count; x++) {
        const NAME(unit) v = NAME(load)(src + x * stride, swap);
        memcpy(dst + x * step, &v, sizeof v);
    }
}

PLACE_TEMPLATE void NAME(pick)(const unsigned char *src, ptrdiff_t stride, unsigned char *dst, ptrdiff_t step,
                               ptrdiff_t count, int swap) {
    if (swap) NAME(copy)(src, stride, dst, step, count, 1);
    else NAME(copy)(src, stride, dst, step, count, 0);
}

/* The usual distances, as constants. */
PLACE_CLONES static void NAME(gather_near)(const unsigned char *src, ptrdiff_t units, unsigned char *dst,
                                           ptrdiff_t count, int swap) {
    if (units == 1) NAME(pick)(src, BYTES, dst, BYTES, count, swap);
    else if (units == 2) NAME(pick)(src, 2 * BYTES, dst, BYTES, count, swap);
    else if (units == 3) NAME(pick)(src, 3 * BYTES, dst, BYTES, count, swap);
    else NAME(pick)(src, 4 * BYTES, dst, BYTES, count, swap);
}

/* Every `units`-th unit of the source, swapped or not. */
static void NAME(gather)(const unsigned char *src, ptrdiff_t units, unsigned char *dst, ptrdiff_t step, ptrdiff_t count,
                         int swap) {
    if (step == BYTES && units <= 4) NAME(gather_near)(src, units, dst, count, swap);
    else NAME(pick)(src, units * BYTES, dst, step, count, swap);
}

/* Running sums that begin at `carry`. Source and output have the same step, and may be the same. */
PLACE_CLONES static void NAME(sum)(const unsigned char *src, unsigned char *dst, ptrdiff_t step, ptrdiff_t count,
                                   NAME(unit) carry) {
    ptrdiff_t x = 0;
#if defined(PLACE_VECTORS) && BITS < 64
    if (step == BYTES) {
        NAME(vector) carries = {0}, v, sums;
        carries += carry;
        for (; x + 16 / BYTES <= count; x += 16 / BYTES) {
            memcpy(&v, src + x * BYTES, sizeof v);
            v = NAME(scan)(v);
            sums = v + carries;
            memcpy(dst + x * BYTES, &sums, sizeof sums);
            carries += NAME(last)(v); /* not that of `sums`: so one vector waits for the other by one addition only */
        }
        carry = carries[0];
    }
#endif
    for (; x < count; x++) {
        carry = (NAME(unit))(carry + NAME(load)(src + x * step, 0));
        memcpy(dst + x * step, &carry, sizeof carry);
    }
}

static void NAME(gather_sum)(const unsigned char *src, ptrdiff_t units, unsigned char *dst, ptrdiff_t step,
                             ptrdiff_t count, NAME(unit) carry, int swap) {
    if (units == 1 && step == BYTES && !swap) {
        NAME(sum)(src, dst, step, count, carry);
    } else {
        NAME(gather)(src, units, dst, step, count, swap);
        NAME(sum)(dst, dst, step, count, carry);
    }
}

/* Byte planes `width` apart, the highest byte first, to units. */
PLACE_CLONES static void NAME(unplane)(const unsigned char *restrict planes, ptrdiff_t width,
                                       unsigned char *restrict dst, ptrdiff_t step, ptrdiff_t count) {
    for (ptrdiff_t x = 0; x < count; x++) {
        NAME(unit) v = 0;
        for (int i = 0; i < BYTES; i++)
            v |= (NAME(unit))((NAME(unit))planes[i * width + x] << (BITS - 8 - 8 * i));
        memcpy(dst + x * step, &v, sizeof v);
    }
}

static void NAME(line)(const place_job *job, const unsigned char *src, unsigned char *dst) {
    const ptrdiff_t units = job->units, skip = job->skip, count = job->shape[3], step = job->strides[3];
    if (job->predictor == 3) {
        const ptrdiff_t bytes = (BYTES - 1) * job->width + skip + count;
        place_gather_sum_8(src, units, job->scratch, 1, bytes, 0, 0);
        NAME(unplane)(job->scratch + skip, job->width, dst, step, count);
        return;
    }
    const unsigned char *first = src + skip * units * BYTES;
    if (job->predictor == 2) {
        NAME(unit) carry = 0;
        for (const unsigned char *p = src; p < first; p += units * BYTES)
            carry = (NAME(unit))(carry + NAME(load)(p, job->swap));
        NAME(gather_sum)(first, units, dst, step, count, carry, job->swap);
    } else NAME(gather)(first, units, dst, step, count, job->swap);
}

#undef NAME
#undef BYTES
#undef BITS
