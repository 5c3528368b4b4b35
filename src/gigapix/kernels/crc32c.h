/* CRC-32C (Castagnoli; RFC 3720, appendix B.4), eight bytes at a time. The tables are made by the caller, once. */
#ifndef GIGAPIX_CRC32C_H
#define GIGAPIX_CRC32C_H

#include <stddef.h>
#include <stdint.h>

static void crc32c_tables(uint32_t tables[8][256])
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t value = n;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
        tables[0][n] = value;
    }
    for (uint32_t n = 0; n < 256; n++)
        for (int table = 1; table < 8; table++)
            tables[table][n] = tables[table - 1][n] >> 8 ^ tables[0][tables[table - 1][n] & 255];
}

static uint32_t crc32c_run(uint32_t tables[8][256], const unsigned char *data, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu;
    for (; size >= 8; size -= 8, data += 8) {
        uint32_t low = crc ^ (data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24);
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24]
            ^ tables[3][data[4]] ^ tables[2][data[5]] ^ tables[1][data[6]] ^ tables[0][data[7]];
    }
    for (; size; size--, data++)
        crc = crc >> 8 ^ tables[0][(crc ^ *data) & 255];
    return ~crc;
}

#endif
