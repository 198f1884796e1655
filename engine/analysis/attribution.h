// The shares of one sum: how much each term carries of what it adds up to.
//
// For y = sum_i t_i, share_i = <t_i, y> / |y|^2. Shares keep their sign and sum to 1.
// All sums are in double precision.
#pragma once

#include <cstdint>
#include <span>

namespace engine {

double dot(const float* a, const float* b, int64_t n) noexcept;

// |y|^2 below which a sum is nothing and its terms have no share.
inline constexpr double kNothing = 1e-24;

// shares[h] = <o_h, da> / |da|^2 for the rows o_h of head_out (H, C); da their sum (C).
void head_shares(const float* head_out, const float* da, int64_t heads, int64_t width,
                 std::span<float> shares) noexcept;

// shares[j] = a_j <W_O,h v_j, o_h> / |o_h|^2 = a_j (v_j . back) / (z . back), since
// back = W_O,h^T o_h and z = sum_j a_j v_j. v_j lies at values + j * stride.
void read_shares(const float* weights, const float* values, int64_t stride, const float* back,
                 const float* z, int64_t head_width, std::span<float> shares) noexcept;

// shares[n] = act_n <w_n, df> / |df|^2 = act_n back_n / (act . back), since
// back = W_down^T df.
void neuron_shares(const float* act, const float* back, std::span<float> shares) noexcept;

}  // namespace engine
