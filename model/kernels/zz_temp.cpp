#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wfloat-conversion"
#include <algorithm>
#include <cmath>
#include <cstring>
#include "model/kernels/matmul.h"
#include "model/kernels/ops.h"
namespace model {
bool rounds_input(DType t) noexcept { return t != DType::kF32 && t != DType::kF16 && t != DType::kBF16; }
void Input::set(const float* x, int64_t n, int64_t cols, int64_t ld, bool quantise, ThreadPool&) {
  x_ = x; n_ = n; cols_ = cols; ld_ = ld; blocks_ = (cols + 31) / 32;
  if (!quantise) return;
  q_.assign(n * blocks_ * 32, 0); d_.assign(n * blocks_, 0);
  for (int64_t i = 0; i < n; ++i) for (int64_t b = 0; b < blocks_; ++b) {
    float m = 0; for (int k = 0; k < 32; ++k) m = std::max(m, std::abs(row(i)[b*32+k]));
    float d = m / 127; d_[i*blocks_+b] = d;
    for (int k = 0; k < 32; ++k) q_[(i*blocks_+b)*32+k] = d > 0 ? (int8_t)std::nearbyint(row(i)[b*32+k]/d) : 0;
  }
}
void Input::rounded(int64_t i, float* out) const noexcept { for (int64_t c = 0; c < cols_; ++c) out[c] = d_[i*blocks_+c/32]*q_[i*blocks_*32+c]; }
void matmul(const Linear& w, const Input& x, float* y, int64_t ld, const Gather* gs, ThreadPool&) noexcept {
  int64_t C = w.weight.cols(), R = w.weight.rows();
  std::vector<float> row(C), xi(C);
  for (int64_t i = 0; i < x.n(); ++i) {
    if (rounds_input(w.weight.dtype)) x.rounded(i, xi.data()); else std::copy_n(x.row(i), C, xi.data());
    const Gather* g = gs ? gs + i : nullptr;
    int64_t G = g && g->group_width ? (C + g->group_width - 1) / g->group_width : 0;
    std::vector<double> gd(G), back(g && g->back ? C : 0), cd(g ? g->n_chosen : 0);
    for (int64_t r = 0; r < R; ++r) {
      dequantize_row(w.weight, r, row.data());
      double s = 0; for (int64_t c = 0; c < C; ++c) s += (double)row[c] * xi[c];
      float b = 0; if (w.bias.data) std::memcpy(&b, w.bias.data + 4*r, 4);
      y[i*ld+r] = (float)(s + b);
      if (!g) continue;
      double rho = g->row_gain ? g->row_gain[r] : 1, u = rho * y[i*ld+r];
      std::vector<double> t(G);
      for (int64_t c = 0; c < C && G; ++c) t[c / g->group_width] += (double)row[c] * xi[c];
      for (int64_t k = 0; k < G; ++k) { gd[k] += t[k]*u; if (g->group_out) g->group_out[k*R+r] = (float)t[k]; }
      if (g->back) for (int64_t c = 0; c < C; ++c) back[c] += row[c] * (g->group_back ? rho * t[c / g->group_width] : u);
      for (int64_t k = 0; k < (int64_t)cd.size(); ++k) cd[k] += row[g->chosen[k]] * u;
    }
    if (!g) continue;
    if (g->group_dot) for (int64_t k = 0; k < G; ++k) g->group_dot[k] = (float)gd[k];
    if (g->back) for (int64_t c = 0; c < C; ++c) g->back[c] = (float)back[c];
    for (size_t k = 0; k < cd.size(); ++k) g->chosen_dot[k] = (float)cd[k];
  }
}
void matmul_back(const Tensor& w, const float* u, float* back, ThreadPool&) noexcept {
  std::vector<float> row(w.cols()); std::vector<double> b(w.cols());
  for (int64_t r = 0; r < w.rows(); ++r) { dequantize_row(w, r, row.data()); for (int64_t c = 0; c < w.cols(); ++c) b[c] += (double)row[c]*u[r]; }
  for (int64_t c = 0; c < w.cols(); ++c) back[c] = (float)b[c];
}
int64_t cache_bytes(CacheType t, int64_t d) noexcept { return t == CacheType::kF32 ? 4*d : 2*d; }
void cache_store(CacheType, const float* x, int64_t d, void* out) noexcept { std::memcpy(out, x, 4*d); }
void cache_load(CacheType, const void* in, int64_t d, float* out) noexcept { std::memcpy(out, in, 4*d); }
void attend(const AttentionHead& h, float* s, float* a, float* z) noexcept {
  std::vector<double> zz(h.d); double top = -1e30, sum = 0;
  for (int64_t j = 0; j < h.end; ++j) { s[j] = 0; a[j] = 0; }
  for (int64_t j = h.first; j < h.end; ++j) { const float* k = (const float*)(h.k + j*h.stride); double t = 0; for (int64_t d = 0; d < h.d; ++d) t += (double)k[d]*h.q[d]; t *= h.scale; if (h.soft_cap > 0) t = h.soft_cap*std::tanh(t/h.soft_cap); s[j] = (float)t; top = std::max(top, t); }
  for (int64_t j = h.first; j < h.end; ++j) { a[j] = std::exp(s[j]-(float)top); sum += a[j]; }
  for (int64_t j = h.first; j < h.end; ++j) { a[j] = (float)(a[j]/sum); const float* v = (const float*)(h.v + j*h.stride); for (int64_t d = 0; d < h.d; ++d) zz[d] += (double)a[j]*v[d]; }
  for (int64_t d = 0; d < h.d; ++d) z[d] = (float)zz[d];
}
void attend_back(const AttentionHead& h, const float* back, const int32_t* p, int64_t n, float* out) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = (float)dot((const float*)(h.v + p[i]*h.stride), back, h.d);
}
float rms_norm(const float* x, const float* g, int64_t n, float eps, float* y) noexcept {
  double s = dot(x, x, n); float r = 1.0F/std::sqrt((float)(s/n)+eps); for (int64_t i = 0; i < n; ++i) y[i] = x[i]*r*(g ? g[i] : 1); return r; }
float layer_norm(const float* x, const float* g, const float* b, int64_t n, float eps, float* y) noexcept {
  double m = 0, v = 0; for (int64_t i = 0; i < n; ++i) m += x[i]; m /= n; for (int64_t i = 0; i < n; ++i) v += (x[i]-m)*(x[i]-m); v /= n;
  float r = (float)(1/std::sqrt(v+eps)); for (int64_t i = 0; i < n; ++i) y[i] = (float)(x[i]-m)*r*g[i] + (b ? b[i] : 0); return r; }
void silu(const float* g, const float* u, int64_t n, float* y) noexcept { for (int64_t i = 0; i < n; ++i) y[i] = g[i]/(1+std::exp(-g[i]))*(u ? u[i] : 1); }
void gelu(const float* g, const float* u, int64_t n, float* y) noexcept { for (int64_t i = 0; i < n; ++i) { double x = g[i]; y[i] = (float)(0.5*x*(1+std::tanh(0.7978845608028654*(x+0.044715*x*x*x))))*(u ? u[i] : 1); } }
void softmax(const float* x, int64_t n, float* y) noexcept { float t = *std::max_element(x, x+n); double s = 0; for (int64_t i = 0; i < n; ++i) { y[i] = std::exp(x[i]-t); s += y[i]; } for (int64_t i = 0; i < n; ++i) y[i] = (float)(y[i]/s); }
void rotate(float* x, int64_t nh, int64_t d, int64_t rot, bool halves, const float* c, const float* s) noexcept {
  for (int64_t h = 0; h < nh; ++h) for (int64_t i = 0; i < rot/2; ++i) { float* a = x+h*d+(halves ? i : 2*i); float* b = halves ? a+rot/2 : a+1; float p = *a, q = *b; *a = p*c[i]-q*s[i]; *b = p*s[i]+q*c[i]; } }
double dot(const float* a, const float* b, int64_t n) noexcept { double s = 0; for (int64_t i = 0; i < n; ++i) s += (double)a[i]*b[i]; return s; }
}
