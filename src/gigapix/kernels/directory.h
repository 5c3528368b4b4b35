/* The directories of a TIFF that lie in its first bytes: what says how the file is built, as a key, and what differs
between files that are built alike, as numbers. Every offset and count is the file's own claim: each is checked before
it is used, and whatever is out of the ordinary (`return 0`) is left to the parser that knows it all.

Ordinary is: tags in ascending order, known types, values in these bytes, sizes as one unsigned number, no SubIFDs, no
volumes, no old-style JPEG; overviews and masks as `gigapix.formats.tiff.groups` attaches them, the larger one first. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    DIRECTORY_VALUE = 1,     /* of the tags table: its value is the file's own, not its structure's */
    DIRECTORY_TABLE = 2,     /* offsets and byte counts */
    DIRECTORY_STRUCTURE = 4, /* read of every directory, and not of the first one only */
    DIRECTORY_MOST = 60,     /* directories */
    DIRECTORY_HEAD = 5,
    DIRECTORY_NUMBERS = DIRECTORY_HEAD + 1 + 15 * DIRECTORY_MOST + 4 * 64,
    DIRECTORY_FIRST = 16 + 43 + 512, /* header and ghost area, as the parser asks for them */
    DIRECTORY_LIKELY = 1024,         /* of a directory, at once */
    DIRECTORY_LONG = 16384           /* bytes of a value that is not left out */
};

#define DIRECTORY_WIDEST ((int64_t)1 << 26) /* pixels: products are exact in a double */
#define DIRECTORY_FARTHEST ((uint64_t)1 << 62)

typedef struct {
    const unsigned char *data;
    uint64_t size;
    int big_endian, bigtiff;
    const unsigned char *tags; /* 65536 */
    unsigned char *key;
    size_t room, used;
    int64_t *numbers;
    unsigned char *blocks; /* those that the parser looks at are set to 1 */
    uint64_t block;
} directory_job;

typedef struct {
    uint64_t offset, width, height, subfile, samples, planar, tile_width, tile_height, rows;
    int64_t tables[2][4]; /* of offsets and of byte counts: tag, type, count, place */
} directory_page;

static inline uint64_t directory_little(const unsigned char *p, int bytes) {
    const uint64_t low = p[0] | (uint64_t)p[1] << 8;
    if (bytes == 2) return low;
    const uint64_t four = low | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
    if (bytes == 4) return four;
    return four | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

/* Two, four or eight bytes. */
static inline uint64_t directory_load(const directory_job *job, uint64_t at, int bytes) {
    const uint64_t value = directory_little(job->data + at, bytes);
    if (!job->big_endian) return value;
    uint64_t turned = 0;
    for (int i = 0; i < bytes; i++) turned = turned << 8 | (value >> 8 * i & 255);
    return turned;
}

static inline int directory_size(uint64_t type) { /* of one value; 0 of an unknown type */
    static const unsigned char sizes[19] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 2, 8, 8, 8, 8};
    return type < 19 ? sizes[type] : 0;
}

static inline int directory_append(directory_job *job, const void *bytes, size_t count) {
    if (count > job->room - job->used) return 0;
    memcpy(job->key + job->used, bytes, count);
    job->used += count;
    return 1;
}

/* The parser asks for these bytes; 0 where not all of them are here. */
static inline int directory_asked(directory_job *job, uint64_t offset, uint64_t length, int whole) {
    uint64_t end = offset + length;
    if (offset > job->size || length > job->size - offset) {
        if (!whole || offset > job->size) return 0;
        end = job->size;
    }
    for (uint64_t n = offset / job->block; n * job->block < end; n++) job->blocks[n] = 1;
    return 1;
}

/* A number that stands in its entry. */
static inline int directory_number(const directory_job *job, uint64_t type, uint64_t count, uint64_t at,
                                   uint64_t *value) {
    if (count != 1 || (type != 3 && type != 4 && (type != 16 || !job->bigtiff))) return 0;
    *value = directory_load(job, at, directory_size(type));
    return 1;
}

/* One directory, to the key and to `page`. Returns 0, or 1 and the next one's offset. */
static int directory_read(directory_job *job, int number, int whole, directory_page *page, int64_t *values,
                          int64_t *end, uint64_t *next) {
    const int wide = job->bigtiff ? 8 : 2, step = job->bigtiff ? 20 : 12, inlined = job->bigtiff ? 8 : 4;
    const uint64_t offset = page->offset;
    if (offset > job->size || job->size - offset < (uint64_t)(wide + inlined)) return 0;
    const uint64_t count = directory_load(job, offset, wide);
    if (!count || count > 4096 || job->size - offset < wide + count * step + inlined) return 0;
    const uint64_t length = wide + count * step + inlined;
    if (!directory_asked(job, offset, length > DIRECTORY_LIKELY ? length : DIRECTORY_LIKELY, whole)) return 0;
    const uint16_t short_count = (uint16_t)count;
    if (!directory_append(job, &short_count, 2)) return 0;
    page->samples = page->planar = 1;
    page->rows = 0;
    int64_t last = -1;
    uint64_t far = offset + count * step + 16;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t entry = offset + wide + i * step;
        const uint64_t tag = directory_load(job, entry, 2), type = directory_load(job, entry + 2, 2);
        const uint64_t many = directory_load(job, entry + 4, inlined);
        const int size = directory_size(type), role = job->tags[tag];
        if ((int64_t)tag <= last || !size || !many || many > (uint64_t)1 << 32) return 0;
        last = (int64_t)tag;
        const uint64_t bytes = many * size;
        const uint64_t at = bytes > (uint64_t)inlined ? directory_load(job, entry + 4 + inlined, inlined)
                                                      : entry + 4 + inlined;
        if (at > DIRECTORY_FARTHEST) return 0;
        if (at + bytes > far) far = at + bytes;
        if (!directory_append(job, job->data + entry, 4)) return 0;
        uint64_t compression = 0;
        switch (tag) {
        case 255: case 330: case 513: case 514: case 32997: case 32998: return 0;
        case 254: if (!directory_number(job, type, many, at, &page->subfile)) return 0; break;
        case 256: if (!directory_number(job, type, many, at, &page->width)) return 0; continue;
        case 257: if (!directory_number(job, type, many, at, &page->height)) return 0; continue;
        case 259:
            if (!directory_number(job, type, many, at, &compression) || compression == 6) return 0;
            break;
        case 277: if (!directory_number(job, type, many, at, &page->samples)) return 0; break;
        case 278: if (!directory_number(job, type, many, at, &page->rows) || !page->rows) return 0; break;
        case 284: if (!directory_number(job, type, many, at, &page->planar)) return 0; break;
        case 322: if (!directory_number(job, type, many, at, &page->tile_width)) return 0; break;
        case 323: if (!directory_number(job, type, many, at, &page->tile_height)) return 0; break;
        }
        if (role & DIRECTORY_TABLE) { /* of tiles, 324 and 325, where there are those of strips too */
            int64_t *table = page->tables[tag == 279 || tag == 325];
            table[0] = (int64_t)tag, table[1] = (int64_t)type, table[2] = (int64_t)many, table[3] = (int64_t)at;
            continue;
        }
        if (number && !(role & DIRECTORY_STRUCTURE)) continue;
        if (bytes > (uint64_t)inlined && (bytes > DIRECTORY_LONG || at > job->size || bytes > job->size - at ||
                                          !directory_asked(job, at, bytes, 0)))
            return 0;
        if (role & DIRECTORY_VALUE) {
            int64_t *value = values + 4 * job->numbers[2];
            if (job->numbers[2]++ >= 64) return 0;
            value[0] = (int64_t)tag, value[1] = (int64_t)type, value[2] = (int64_t)many, value[3] = (int64_t)at;
        } else {
            const uint32_t short_many = (uint32_t)many;
            if (!directory_append(job, &short_many, 4) || !directory_append(job, job->data + at, bytes)) return 0;
        }
    }
    if (far > (uint64_t)*end) *end = (int64_t)far;
    *next = directory_load(job, offset + wide + count * step, inlined);
    return page->tables[0][0] != 0;
}

/* Whether the layout is one that `gigapix.formats.tiff.layout` refuses in no file of these encodings. */
static int directory_fits(const directory_page *page) {
    const uint64_t wide = page->tile_width ? page->tile_width : page->width;
    const uint64_t high = page->tile_width ? page->tile_height : page->rows ? page->rows : page->height;
    if (!page->width || !page->height || !wide || !high || !page->samples || page->samples > 65535) return 0;
    if (wide > (uint64_t)1 << 31 || (page->tile_width && high > (uint64_t)1 << 31)) return 0;
    const uint64_t grid = ((page->width - 1) / wide + 1) * ((page->height - 1) / high + 1);
    const uint64_t segments = grid * (page->samples > 1 && page->planar == 2 ? page->samples : 1);
    if (grid > ((uint64_t)1 << 32) / page->samples) return 0;
    return (uint64_t)page->tables[0][2] <= 4 * segments + 1024 && (uint64_t)page->tables[1][2] <= 4 * segments + 1024;
}

/* `gigapix.formats.tiff.groups.is_reduction`. */
static int directory_reduces(const directory_page *page, const directory_page *of) {
    if (page->samples != of->samples || !page->width || !page->height) return 0;
    if (page->width > of->width || page->height > of->height) return 0;
    if (page->width == of->width && page->height == of->height) return 0;
    const double w = (double)page->width, h = (double)page->height, W = (double)of->width, H = (double)of->height;
    const double turned = w * H - h * W, along = w - W * h / H, down = h - H * w / W;
    return (turned < 0 ? -turned : turned) <= (W > H ? W : H) || (along < 0 ? -along : along) <= 1 ||
           (down < 0 ? -down : down) <= 1;
}

static int directory_same(const directory_page *a, const directory_page *b) {
    return a->width == b->width && a->height == b->height;
}

/* Which directories make image 0: 1 a level, 2 a mask of one, 0 neither. Returns the number of levels, or 0. */
static int directory_group(const directory_page *pages, int count, unsigned char *roles) {
    int levels = 1;
    uint64_t latest = ~(uint64_t)0;
    memset(roles, 0, count);
    roles[0] = 1;
    for (int n = 1; n < count; n++) {
        const directory_page *page = pages + n;
        if (page->subfile & 4) {
            for (int i = 0; i < n && !roles[n]; i++) roles[n] = roles[i] == 1 && directory_same(pages + i, page) ? 2 : 0;
        } else if (page->subfile & 1 && directory_reduces(page, pages)) {
            if (page->width * page->height > latest) return 0;
            latest = page->width * page->height;
            roles[n] = 1;
            levels++;
        }
        if (!roles[n]) break;
    }
    for (int n = 0; n < count; n++)
        if (roles[n] && !directory_fits(pages + n)) return 0;
    return levels;
}

/* GDAL's ghost area, to the key: all that `gigapix.formats.tiff.ghost` looks at. */
static int directory_ghost(directory_job *job) {
    static const char begins[] = "GDAL_STRUCTURAL_METADATA_SIZE=", ends[] = " bytes\n";
    const uint64_t from = job->bigtiff ? 16 : 8, most = job->size < DIRECTORY_FIRST ? job->size : DIRECTORY_FIRST;
    uint16_t length = 0;
    if (most >= from + 43 && !memcmp(job->data + from, begins, 30) && !memcmp(job->data + from + 36, ends, 7)) {
        uint64_t named = 0;
        int digits = 1;
        for (int i = 30; i < 36; i++) {
            const unsigned char c = job->data[from + i];
            digits &= c >= '0' && c <= '9';
            named = 10 * named + (c - '0');
        }
        if (digits) length = (uint16_t)(named > most - from - 43 ? most - from : 43 + named);
    }
    return directory_append(job, &length, 2) && directory_append(job, job->data + from, length);
}

/* Returns whether the file is ordinary. `numbers` then holds: directories, levels, values, big endian, BigTIFF; the end
of the header; (samples, height, width) of each level; (offset, width, height, segments) of each directory; (tag, type,
count, place) of each value; and twice that of each directory's tables of offsets and of byte counts. */
static int directory_walk(directory_job *job, int whole) {
    directory_page pages[DIRECTORY_MOST];
    unsigned char roles[DIRECTORY_MOST];
    int64_t values[4 * 64], end = 0;
    int count = 0, levels;
    uint64_t next;
    if (job->size < 16) return 0;
    job->big_endian = job->data[0] == 'M';
    if (memcmp(job->data, job->big_endian ? "MM" : "II", 2)) return 0;
    const uint64_t version = directory_load(job, 2, 2);
    job->bigtiff = version == 43;
    if (version != 42 && (version != 43 || directory_load(job, 4, 2) != 8 || directory_load(job, 6, 2) != 0)) return 0;
    const unsigned char form = (unsigned char)(2 * job->bigtiff + job->big_endian);
    if (!directory_asked(job, 0, DIRECTORY_FIRST, whole)) return 0;
    if (!directory_append(job, &form, 1) || !directory_ghost(job)) return 0;
    next = directory_load(job, job->bigtiff ? 8 : 4, job->bigtiff ? 8 : 4);
    job->numbers[2] = 0;
    while (next) {
        if (count == DIRECTORY_MOST) return 0;
        for (int n = 0; n < count; n++)
            if (pages[n].offset == next) return 0;
        memset(pages + count, 0, sizeof(directory_page));
        pages[count].offset = next;
        if (!directory_read(job, count, whole, pages + count, values, &end, &next)) return 0;
        if (pages[count].width > DIRECTORY_WIDEST || pages[count].height > DIRECTORY_WIDEST) return 0;
        count++;
    }
    if (!count || !(levels = directory_group(pages, count, roles)) || !directory_append(job, roles, count)) return 0;
    int64_t *to = job->numbers;
    *to++ = count, *to++ = levels, to++, *to++ = job->big_endian, *to++ = job->bigtiff;
    *to++ = end;
    for (int n = 0; n < count; n++)
        if (roles[n] == 1)
            *to++ = (int64_t)pages[n].samples, *to++ = (int64_t)pages[n].height, *to++ = (int64_t)pages[n].width;
    for (int n = 0; n < count; n++) {
        *to++ = (int64_t)pages[n].offset, *to++ = (int64_t)pages[n].width, *to++ = (int64_t)pages[n].height;
        *to++ = pages[n].tables[0][2];
    }
    memcpy(to, values, 4 * sizeof(int64_t) * job->numbers[2]);
    to += 4 * job->numbers[2];
    for (int n = 0; n < count; n++, to += 8) memcpy(to, pages[n].tables, 8 * sizeof(int64_t));
    return 1;
}
