// Compiled with -ffp-contract=off, like quantize.cpp. Sums run in kLanes lanes, so that the
// compiler can vectorise them without changing their order.
#include "model/quantize_k.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "model/dtype.h"

namespace model {
namespace {

constexpr int kLanes = 8;

// The nearest whole number, ties to even, inside [low, high]; NaN gives low. Both bounds must be
// far below 2^22: adding 1.5 * 2^23 leaves no bit for a fraction.
float nearest(float value, float low, float high) noexcept {
  const float inside = value > low ? (value < high ? value : high) : low;
  return (inside + 0x1.8p23F) - 0x1.8p23F;
}

float sum(const float (&lanes)[kLanes]) noexcept {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// x ~ scale * q - min with q in 0 .. 15 and both not negative, as a sub-block of Q4_K wants it.
constexpr int kPart = 32;
struct Affine {
  float scale = 0.0F;
  float min = 0.0F;
};

// The scale and min of the least sum of w (x - scale q + min)^2 for given q, by the normal
// equations; error: that sum, less the constant sum of w x^2.
struct AffineFit {
  Affine line;
  double error = 0.0;
};
AffineFit fit(const float* x, const float* w, const float* q) noexcept {
  float w_[kLanes] = {};
  float wx_[kLanes] = {};
  float wq_[kLanes] = {};
  float wqq_[kLanes] = {};
  float wxq_[kLanes] = {};
  for (int i = 0; i < kPart; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) {
      const float wq = w[i + k] * q[i + k];
      w_[k] += w[i + k];
      wx_[k] += w[i + k] * x[i + k];
      wq_[k] += wq;
      wqq_[k] += wq * q[i + k];
      wxq_[k] += wq * x[i + k];
    }
  }
  const double sw = sum(w_);
  const double sx = sum(wx_);
  const double sq = sum(wq_);
  const double sqq = sum(wqq_);
  const double sxq = sum(wxq_);
  const double determinant = sw * sqq - sq * sq;
  double scale = 0.0;
  double min = 0.0;
  // Where all q are alike it is zero but for what sums in float32 leave; where one of 15 differs by
  // 1 it is above 1e-5 of the first product.
  constexpr double kNoise = 1e-6;
  if (determinant > kNoise * sw * sqq) {
    scale = (sw * sxq - sx * sq) / determinant;
    min = (sq * sxq - sqq * sx) / determinant;
  }
  if (!(min > 0.0)) {
    min = 0.0;
    scale = sqq > 0.0 ? sxq / sqq : 0.0;
  }
  if (!(scale > 0.0)) scale = 0.0;
  const double error = scale * scale * sqq - 2.0 * scale * sxq + min * min * sw + 2.0 * min * sx -
                       2.0 * scale * min * sq;
  return {{static_cast<float>(scale), static_cast<float>(min)}, error};
}

// Tries ranges a little wider and narrower than that of the values, and keeps the best fit.
Affine search_affine(const float* x, const float* w) noexcept {
  float low = 0.0F;
  float high = x[0];
  for (int i = 0; i < kPart; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
  }
  if (!(high > low)) return {0.0F, -low};
  AffineFit best{{(high - low) / 15.0F, -low}, 0.0};
  bool found = false;
  for (int step = -6; step <= 6; ++step) {
    const float inverse = (15.0F + 0.2F * static_cast<float>(step)) / (high - low);
    float q[kPart];
    for (int i = 0; i < kPart; ++i) q[i] = nearest(inverse * (x[i] - low), 0.0F, 15.0F);
    const AffineFit candidate = fit(x, w, q);
    if (!found || candidate.error < best.error) best = candidate;
    found = true;
  }
  return best.line;
}

// Large weights count more: w = |x| + their root mean square.
void weigh(const float* x, float* w) noexcept {
  float squares = 0.0F;
  for (int i = 0; i < kPart; ++i) squares += x[i] * x[i];
  const float rms = std::sqrt(squares / kPart);
  for (int i = 0; i < kPart; ++i) w[i] = rms + std::fabs(x[i]);
}

// The line of whole multiples of d and dmin, as it is read back.
struct Stored {
  float scale;   // 0 .. 63
  float min;     // 0 .. 63
  float step;    // d * scale
  float offset;  // dmin * min

  float inverse() const noexcept { return step > 0.0F ? 1.0F / step : 0.0F; }
};

// The sum of w (x - y)^2 with the nearest y that the line can give.
float error_of(const Stored& line, const float* x, const float* w) noexcept {
  const float inverse = line.inverse();
  float errors[kLanes] = {};
  for (int i = 0; i < kPart; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) {
      const float q = nearest((x[i + k] + line.offset) * inverse, 0.0F, 15.0F);
      const float miss = x[i + k] - (line.step * q - line.offset);
      errors[k] += w[i + k] * (miss * miss);
    }
  }
  return sum(errors);
}

// The nearest multiples are not the best pair, as each could make up for the other's rounding:
// their neighbours are tried as well.
Stored round_line(const float* x, const float* w, const Affine& line, float d,
                  float dmin) noexcept {
  const float scale = nearest(line.scale / d, 0.0F, 63.0F);
  const float min = nearest(line.min / dmin, 0.0F, 63.0F);
  Stored best{scale, min, d * scale, dmin * min};
  float least = error_of(best, x, w);
  for (const float more : {-1.0F, 0.0F, 1.0F}) {
    for (const float lift : {-1.0F, 0.0F, 1.0F}) {
      const float s = nearest(scale + more, 0.0F, 63.0F);
      const float m = nearest(min + lift, 0.0F, 63.0F);
      const Stored tried{s, m, d * s, dmin * m};
      const float error = error_of(tried, x, w);
      if (error < least) {
        least = error;
        best = tried;
      }
    }
  }
  return best;
}

// The inverse of dequantize.cpp's scale_min_k4().
void pack_scale_min(uint8_t* scales, int part, unsigned scale, unsigned min) noexcept {
  const auto set = [](uint8_t& byte, unsigned bits) { byte = static_cast<uint8_t>(byte | bits); };
  if (part < 4) {
    set(scales[part], scale);
    set(scales[part + 4], min);
  } else {
    set(scales[part + 4], (scale & 15U) | (min & 15U) << 4);
    set(scales[part - 4], scale >> 4 << 6);
    set(scales[part], min >> 4 << 6);
  }
}

// x ~ scale * q with q in -32 .. 31, as a sub-block of 16 values of Q6_K wants it.
constexpr int kSmallPart = 16;
float search_symmetric(const float* x) noexcept {
  float extreme = 0.0F;
  for (int i = 0; i < kSmallPart; ++i) {
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  }
  if (extreme == 0.0F) return 0.0F;
  double best_gain = -1.0;
  double best_scale = 0.0;
  for (int step = -9; step <= 9; ++step) {
    // The extreme goes to the side that reaches further.
    const float inverse = -(32.0F + 0.1F * static_cast<float>(step)) / extreme;
    float xq_[kLanes] = {};
    float qq_[kLanes] = {};
    for (int i = 0; i < kSmallPart; i += kLanes) {
      for (int k = 0; k < kLanes; ++k) {
        const float value = x[i + k];
        const float q = nearest(inverse * value, -32.0F, 31.0F);
        const float wq = value * value * q;  // the weight is the square
        xq_[k] += wq * value;
        qq_[k] += wq * q;
      }
    }
    const double xq = sum(xq_);
    const double qq = sum(qq_);
    // With scale = xq / qq the error falls by xq^2 / qq.
    if (qq > 0.0 && xq * xq / qq > best_gain) {
      best_gain = xq * xq / qq;
      best_scale = xq / qq;
    }
  }
  return static_cast<float>(best_scale);
}

}  // namespace

void encode(const float* x, BlockQ4K& b) noexcept {
  float w[8][kPart];
  Affine lines[8];
  float top_scale = 0.0F;
  float top_min = 0.0F;
  for (int part = 0; part < 8; ++part) {
    weigh(x + kPart * part, w[part]);
    lines[part] = search_affine(x + kPart * part, w[part]);
    top_scale = std::max(top_scale, lines[part].scale);
    top_min = std::max(top_min, lines[part].min);
  }
  b = {f16_from_f32(top_scale / 63.0F), f16_from_f32(top_min / 63.0F), {}, {}};
  const float d = f32_from_f16(b.d);
  const float dmin = f32_from_f16(b.dmin);
  for (int part = 0; part < 8; ++part) {
    const Stored line = round_line(x + kPart * part, w[part], lines[part], d, dmin);
    pack_scale_min(b.scales, part, static_cast<unsigned>(line.scale),
                   static_cast<unsigned>(line.min));
    const float inverse = line.inverse();
    for (int i = 0; i < kPart; ++i) {
      const float q = nearest((x[kPart * part + i] + line.offset) * inverse, 0.0F, 15.0F);
      uint8_t& byte = b.qs[part / 2 * 32 + i];
      byte = static_cast<uint8_t>(byte | static_cast<unsigned>(q) << (part % 2 * 4));
    }
  }
}

void encode(const float* x, BlockQ6K& b) noexcept {
  float scales[16];
  float top = 0.0F;
  for (int part = 0; part < 16; ++part) {
    scales[part] = search_symmetric(x + kSmallPart * part);
    if (std::fabs(scales[part]) > std::fabs(top)) top = scales[part];
  }
  b = {{}, {}, {}, f16_from_f32(top / -128.0F)};
  const float d = f32_from_f16(b.d);
  for (int part = 0; part < 16; ++part) {
    const float scale = nearest(scales[part] / d, -128.0F, 127.0F);
    b.scales[part] = static_cast<int8_t>(scale);
    const float step = d * scale;
    for (int i = kSmallPart * part; i < kSmallPart * (part + 1); ++i) {
      const float q = step != 0.0F ? nearest(x[i] / step, -32.0F, 31.0F) : 0.0F;
      const auto bits = static_cast<unsigned>(q + 32.0F);
      uint8_t& lower = b.ql[i / 128 * 64 + i % 64];
      uint8_t& upper = b.qh[i / 128 * 32 + i % 32];
      lower = static_cast<uint8_t>(lower | (bits & 15U) << (i % 128 / 64 * 4));
      upper = static_cast<uint8_t>(upper | bits >> 4 << (i % 128 / 32 * 2));
    }
  }
}

}  // namespace model
