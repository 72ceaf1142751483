// The stand-in's integer matrix instruction against a plain triple loop, its operands spread over a warp as the PTX ISA
// lays them out.
#include <gtest/gtest.h>

#include <random>

#include "tests/standin/execute.h"

#include "tests/standin/emulate.h"

namespace assay::gpu_test {
namespace {

constexpr int kRows = 16, kCols = 8, kDepth = 32, kLanes = 32;

// PTX ISA, "Matrix Fragments for mma.m16n8k32", .s8. Of a lane g = lane / 4 is its group and t = lane % 4 its place
// there:
//
//   A [16,32], row major, elements a0 .. a15, four to a register, the first in the lowest byte
//     a0  .. a3   row g,     columns 4t .. 4t+3           a8  .. a11  row g,     columns 4t+16 .. 4t+19
//     a4  .. a7   row g + 8, columns 4t .. 4t+3           a12 .. a15  row g + 8, columns 4t+16 .. 4t+19
//   B [32,8], column major, elements b0 .. b7, four to a register
//     b0  .. b3   rows 4t .. 4t+3, column g               b4  .. b7   rows 4t+16 .. 4t+19, column g
//   C, D [16,8], one element to a register
//     c0, c1      row g,     columns 2t, 2t+1             c2, c3      row g + 8, columns 2t, 2t+1
int a_row(int lane, int i) { return lane / 4 + (i < 4 || (i >= 8 && i < 12) ? 0 : 8); }
int a_col(int lane, int i) { return lane % 4 * 4 + i % 4 + (i >= 8 ? 16 : 0); }
int b_row(int lane, int i) { return lane % 4 * 4 + i % 4 + (i >= 4 ? 16 : 0); }
int b_col(int lane) { return lane / 4; }
int c_row(int lane, int i) { return lane / 4 + (i < 2 ? 0 : 8); }
int c_col(int lane, int i) { return lane % 4 * 2 + i % 2; }

struct Product {
  int8_t a[kRows][kDepth], b[kDepth][kCols];
  int32_t c[kRows][kCols], d[kRows][kCols];
};

unsigned with_byte(unsigned word, int i, int8_t value) {
  return word | static_cast<unsigned>(static_cast<uint8_t>(value)) << (i % 4 * 8);
}

// One lane's part of it; warps of a block multiply each its own.
void multiply(const void* args) {
  Product* products = nullptr;
  std::memcpy(&products, args, sizeof(products));
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kLanes;
  Product& p = products[thread / kLanes];
  unsigned a[4] = {}, b[2] = {};
  int d[4];
  for (int i = 0; i < 16; ++i) a[i / 4] = with_byte(a[i / 4], i, p.a[a_row(lane, i)][a_col(lane, i)]);
  for (int i = 0; i < 8; ++i) b[i / 4] = with_byte(b[i / 4], i, p.b[b_row(lane, i)][b_col(lane)]);
  for (int i = 0; i < 4; ++i) d[i] = p.c[c_row(lane, i)][c_col(lane, i)];
  assay_gpu::matrix_16x8x32(d, a, b);
  for (int i = 0; i < 4; ++i) p.d[c_row(lane, i)][c_col(lane, i)] = d[i];
}

TEST(StandinMatrix, IntegersAsAPlainTripleLoopHasThem) {
  constexpr int kWarps = 3;
  Product products[kWarps];
  std::mt19937 random(11);
  for (Product& p : products) {
    for (auto& row : p.a) {
      for (int8_t& code : row) code = static_cast<int8_t>(random());
    }
    for (auto& row : p.b) {
      for (int8_t& code : row) code = static_cast<int8_t>(random());
    }
    for (auto& row : p.c) {
      for (int32_t& sum : row) sum = static_cast<int32_t>(random()) / 2;
    }
    for (auto& row : p.d) std::fill(std::begin(row), std::end(row), -1);
  }
  for (int k = 0; k < kDepth; ++k) products[0].a[0][k] = products[0].b[k][0] = -128;  // the largest product of all
  const standin::Kernel kernel{"multiply", multiply, true, sizeof(Product*)};
  standin::Launch launch;
  launch.block[0] = kWarps * kLanes;
  launch.args.resize(sizeof(Product*));
  const Product* first = products;
  std::memcpy(launch.args.data(), &first, sizeof(first));
  ASSERT_TRUE(standin::execute(kernel, launch));
  for (const Product& p : products) {
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < kCols; ++j) {
        int32_t sum = p.c[i][j];
        for (int k = 0; k < kDepth; ++k) sum += p.a[i][k] * p.b[k][j];
        EXPECT_EQ(p.d[i][j], sum) << "warp " << &p - products << ", row " << i << ", column " << j;
      }
    }
  }
}

}  // namespace
}  // namespace assay::gpu_test
