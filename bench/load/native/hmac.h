// HMAC-SHA-256 as lower-case hexadecimal digits (FIPS 180-4, RFC 2104): what a channel authorisation is.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const uint32_t sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate_right(uint32_t word, int bits) { return (word >> bits) | (word << (32 - bits)); }

static void sha256_block(uint32_t state[8], const unsigned char *block) {
  uint32_t schedule[64], word[8];
  for (int i = 0; i < 16; i++)
    schedule[i] = (uint32_t)block[4 * i] << 24 | block[4 * i + 1] << 16 | block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t early = schedule[i - 15], late = schedule[i - 2];
    schedule[i] = schedule[i - 16] + (rotate_right(early, 7) ^ rotate_right(early, 18) ^ (early >> 3)) +
                  schedule[i - 7] + (rotate_right(late, 17) ^ rotate_right(late, 19) ^ (late >> 10));
  }
  memcpy(word, state, sizeof word);
  for (int i = 0; i < 64; i++) {
    uint32_t choice = (word[4] & word[5]) ^ (~word[4] & word[6]);
    uint32_t majority = (word[0] & word[1]) ^ (word[0] & word[2]) ^ (word[1] & word[2]);
    uint32_t one = word[7] + (rotate_right(word[4], 6) ^ rotate_right(word[4], 11) ^ rotate_right(word[4], 25)) +
                   choice + sha256_constants[i] + schedule[i];
    uint32_t two = (rotate_right(word[0], 2) ^ rotate_right(word[0], 13) ^ rotate_right(word[0], 22)) + majority;
    memmove(word + 1, word, 7 * sizeof *word);
    word[4] += one;
    word[0] = one + two;
  }
  for (int i = 0; i < 8; i++) state[i] += word[i];
}

// Two parts, so that the key of the HMAC need not be copied before the text.
static void sha256(const void *first, size_t first_length, const void *second, size_t second_length,
                   unsigned char digest[32]) {
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  size_t total = first_length + second_length, at = 0;
  size_t padded = (total + 9 + 63) / 64 * 64;
  unsigned char block[64];
  for (; at < padded; at++) {
    unsigned char byte = 0;
    if (at < first_length) byte = ((const unsigned char *)first)[at];
    else if (at < total) byte = ((const unsigned char *)second)[at - first_length];
    else if (at == total) byte = 0x80;
    else if (at >= padded - 8) byte = (unsigned char)((uint64_t)total * 8 >> (8 * (padded - 1 - at)));
    block[at % 64] = byte;
    if (at % 64 == 63) sha256_block(state, block);
  }
  for (int i = 0; i < 32; i++) digest[i] = (unsigned char)(state[i / 4] >> (24 - 8 * (i % 4)));
}

// `hex` takes 64 digits and a zero.
static void hmac_sha256(const char *key, const char *text, char hex[65]) {
  unsigned char inner_key[64] = {0}, outer_key[64], digest[32];
  size_t length = strlen(key);
  if (length > sizeof inner_key) sha256(key, length, "", 0, inner_key);
  else memcpy(inner_key, key, length);
  for (int i = 0; i < 64; i++) {
    outer_key[i] = inner_key[i] ^ 0x5c;
    inner_key[i] ^= 0x36;
  }
  sha256(inner_key, 64, text, strlen(text), digest);
  sha256(outer_key, 64, digest, 32, digest);
  for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
