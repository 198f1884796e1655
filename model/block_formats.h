// How the block formats lie in memory, byte for byte
// (source: ggml's ggml-common.h and docs/gguf.md; MXFP4: OCP Microscaling Formats v1.0).
// d, dmin, m are binary16. A row is a whole number of blocks.
#pragma once

#include <cstdint>

namespace model {

// 32 values a block; nibble i is value i, its upper half value i + 16.
struct BlockQ4_0 {  // d (q - 8)
  uint16_t d;
  uint8_t qs[16];
};
struct BlockQ4_1 {  // d q + m
  uint16_t d;
  uint16_t m;
  uint8_t qs[16];
};
struct BlockQ5_0 {  // d (q - 16); bit i of qh is the fifth bit of value i
  uint16_t d;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ5_1 {  // d q + m
  uint16_t d;
  uint16_t m;
  uint8_t qh[4];
  uint8_t qs[16];
};
struct BlockQ8_0 {  // d q
  uint16_t d;
  int8_t qs[32];
};
struct BlockIq4Nl {  // d table[q]
  uint16_t d;
  uint8_t qs[16];
};
struct BlockMxfp4 {  // 2^(e - 127) table[q], E8M0 scale and E2M1 values
  uint8_t e;
  uint8_t qs[16];
};

// 256 values a block, in sub-blocks of 16 or 32.
struct BlockQ2K {  // d (scale & 15) q - dmin (scale >> 4), 16 values a scale
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d;
  uint16_t dmin;
};
struct BlockQ3K {  // d (scale - 32) (q - 4), 16 values a 6-bit scale; hmask: the third bits
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;
};
struct BlockQ4K {  // d scale q - dmin min, 32 values a pair of 6-bit scale and min
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qs[128];
};
struct BlockQ5K {  // as Q4_K; qh: the fifth bits
  uint16_t d;
  uint16_t dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];
};
struct BlockQ6K {  // d scale (q - 32), 16 values a signed 8-bit scale
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;
};
struct BlockIq4Xs {  // d (scale - 32) table[q], 32 values a 6-bit scale
  uint16_t d;
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];
};

static_assert(sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20 && sizeof(BlockQ5_0) == 22 &&
              sizeof(BlockQ5_1) == 24 && sizeof(BlockQ8_0) == 34 && sizeof(BlockIq4Nl) == 18 &&
              sizeof(BlockMxfp4) == 17);
static_assert(sizeof(BlockQ2K) == 84 && sizeof(BlockQ3K) == 110 && sizeof(BlockQ4K) == 144 &&
              sizeof(BlockQ5K) == 176 && sizeof(BlockQ6K) == 210 && sizeof(BlockIq4Xs) == 136);

// The sixteen values of IQ4_NL and IQ4_XS.
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                          1,    13,   25,  38,  53,  69,  89,  113};
// E2M1 values times two; the block's scale is halved instead.
inline constexpr int8_t kMxfp4Values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                            0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace model
