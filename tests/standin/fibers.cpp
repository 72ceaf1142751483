// The threads of a block as fibers.
#include <ucontext.h>
#include <csetjmp>

#include <vector>

#include "tests/standin/emulate.h"
#include "tests/standin/execute.h"

namespace standin {

Index thread_index, block_index, block_size, grid_size;

namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr unsigned kLanes = 32;

// Entered once by a context of its own; from then on by jumps, because swapping contexts is a system call each time.
struct Fiber {
  ucontext_t context{};
  std::jmp_buf place{};
  std::vector<char> stack;
  bool entered = false, done = false;
};

// One launch at a time: streams are drained under the runtime's lock.
struct Block {
  std::jmp_buf scheduler{};
  ucontext_t unused{};
  std::vector<Fiber> fibers;
  std::vector<char> shared;
  std::vector<float> exchanged;
  std::vector<const unsigned*> left, right;
  const Kernel* kernel = nullptr;
  const void* args = nullptr;
  unsigned running = 0, threads = 0, gone = 0;
  // Threads that reached the present barrier of the block, or of a warp, and how often it has opened.
  unsigned arrived = 0, opened = 0;
  std::vector<unsigned> warp_arrived, warp_opened;
};
Block block;

void give_way() {
  if (_setjmp(block.fibers[block.running].place) == 0) _longjmp(block.scheduler, 1);
}

void resume(Fiber& fiber) {
  if (_setjmp(block.scheduler) != 0) return;
  if (fiber.entered) _longjmp(fiber.place, 1);
  fiber.entered = true;
  swapcontext(&block.unused, &fiber.context);
}

void warp_barrier() {
  const unsigned warp = block.running / kLanes;
  const unsigned first = warp * kLanes;
  const unsigned lanes = block.threads - first < kLanes ? block.threads - first : kLanes;
  const unsigned turn = block.warp_opened[warp];
  if (++block.warp_arrived[warp] == lanes) {
    block.warp_arrived[warp] = 0;
    ++block.warp_opened[warp];
    return;
  }
  while (block.warp_opened[warp] == turn) give_way();
}

void enter() {
  block.kernel->run(block.args);
  block.fibers[block.running].done = true;
  ++block.gone;
  while (true) give_way();
}

// Fibers take turns until all are done. Where a whole round passes and none could go on, the kernel's barriers do not
// match: some threads left, or wait at another one.
bool run_block() {
  ucontext_t here{};
  getcontext(&here);
  for (unsigned t = 0; t < block.threads; ++t) {
    Fiber& fiber = block.fibers[t];
    fiber.done = fiber.entered = false;
    fiber.stack.resize(kStackBytes);
    fiber.context = here;
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, enter, 0);
  }
  unsigned left = block.threads;
  while (left > 0) {
    const unsigned before = left, opened = block.opened;
    unsigned warps_opened = 0, warps_before = 0;
    for (const unsigned n : block.warp_opened) warps_before += n;
    for (unsigned t = 0; t < block.threads; ++t) {
      if (block.fibers[t].done) continue;
      block.running = t;
      thread_index.x = t;
      resume(block.fibers[t]);
      if (block.fibers[t].done) --left;
    }
    for (const unsigned n : block.warp_opened) warps_opened += n;
    if (left == before && block.opened == opened && warps_opened == warps_before) return false;
  }
  return true;
}

}  // namespace

// A thread that has left counts as having arrived, as on the devices.
void barrier() {
  const unsigned turn = block.opened;
  ++block.arrived;
  while (block.opened == turn) {
    if (block.arrived + block.gone == block.threads) {
      block.arrived = 0;
      ++block.opened;
      return;
    }
    give_way();
  }
}

float exchange_from(float value, int lane) {
  block.exchanged[block.running] = value;
  warp_barrier();
  const float got = block.exchanged[block.running / kLanes * kLanes + static_cast<unsigned>(lane)];
  warp_barrier();
  return got;
}

float exchange(float value, int lane_xor) {
  return exchange_from(value, static_cast<int>(block.running % kLanes ^ static_cast<unsigned>(lane_xor)));
}

char* dynamic_shared() { return block.shared.data(); }

namespace {

float element(unsigned pair, int which, bool bf16) {
  const auto code = static_cast<uint16_t>(pair >> (which * 16));
  if (!bf16) return half_value(code);
  const uint32_t bits = static_cast<uint32_t>(code) << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace

// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type": lane = 4 * group + t. a0: row group, columns
// 2t, 2t+1; a1: row group+8; a2, a3: the same rows, columns + 8. b0: rows 2t, 2t+1 of column group; b1: rows + 8. d0,
// d1: row group, columns 2t, 2t+1; d2, d3: row group+8.
void matrix(float* d, const unsigned* a, const unsigned* b, bool bf16) {
  block.left[block.running] = a;
  block.right[block.running] = b;
  warp_barrier();
  const unsigned first = block.running / kLanes * kLanes, lane = block.running % kLanes;
  for (unsigned e = 0; e < 4; ++e) {
    const unsigned row = lane / 4 + e / 2 * 8, col = lane % 4 * 2 + e % 2;
    float sum = 0;
    for (unsigned k = 0; k < 16; ++k) {
      const unsigned* left = block.left[first + row % 8 * 4 + k % 8 / 2];
      const unsigned* right = block.right[first + col * 4 + k % 8 / 2];
      sum += element(left[row / 8 + k / 8 * 2], static_cast<int>(k % 2), bf16) *
             element(right[k / 8], static_cast<int>(k % 2), bf16);
    }
    d[e] += sum;
  }
  warp_barrier();
}

// PTX ISA, "Matrix Fragments for mma.m16n8k32", .s8: a0: row group, columns 4t to 4t+3, the lowest in the word's lowest
// byte; a1: row group+8; a2, a3: the same rows, columns + 16. b0: rows 4t to 4t+3 of column group; b1: rows + 16. d as
// above, in .s32; without .satfinite a sum that overflows wraps.
void matrix(int* d, const unsigned* a, const unsigned* b) {
  block.left[block.running] = a;
  block.right[block.running] = b;
  warp_barrier();
  const unsigned first = block.running / kLanes * kLanes, lane = block.running % kLanes;
  const auto code = [](unsigned word, unsigned byte) { return static_cast<int8_t>(word >> (byte * 8)); };
  for (unsigned e = 0; e < 4; ++e) {
    const unsigned row = lane / 4 + e / 2 * 8, col = lane % 4 * 2 + e % 2;
    auto sum = static_cast<unsigned>(d[e]);
    for (unsigned k = 0; k < 32; ++k) {
      const unsigned* left = block.left[first + row % 8 * 4 + k % 16 / 4];
      const unsigned* right = block.right[first + col * 4 + k % 16 / 4];
      sum += static_cast<unsigned>(code(left[row / 8 + k / 16 * 2], k % 4) * code(right[k / 16], k % 4));
    }
    d[e] = static_cast<int>(sum);
  }
  warp_barrier();
}

// PTX ISA, movmatrix .trans: row i of an 8 x 8 matrix lies in lanes 4 i to 4 i + 3, before and after.
unsigned transposed_8x8(unsigned pair) {
  block.left[block.running] = &pair;
  warp_barrier();
  const unsigned first = block.running / kLanes * kLanes, row = block.running % kLanes / 4, col = block.running % 4 * 2;
  const auto element_at = [&](unsigned i, unsigned j) {
    return *block.left[first + i * 4 + j / 2] >> (j % 2 * 16) & 0xffffu;
  };
  const unsigned out = element_at(col, row) | element_at(col + 1, row) << 16;
  warp_barrier();
  return out;
}

float half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const auto fraction = static_cast<float>(bits & 1023);
  float magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) magnitude = fraction == 0 ? INFINITY : NAN;
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

uint16_t half_code(float value) {
  const auto sign = static_cast<uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const float magnitude = std::fabs(value);
  if (magnitude == 0) return sign;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 65520) return static_cast<uint16_t>(sign | 0x7c00);
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  exponent = exponent < -13 ? -13 : exponent;  // below 2^-14 all steps are equal
  const auto steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 11 - exponent)));
  return static_cast<uint16_t>(sign | (steps + (exponent + 13) * 1024));
}

bool execute(const Kernel& kernel, const Launch& launch) {
  block.kernel = &kernel;
  block.args = launch.args.data();
  block.threads = launch.block[0];
  block_size = {launch.block[0], 1, 1};
  grid_size = {launch.grid[0], launch.grid[1], launch.grid[2]};
  if (block.fibers.size() < block.threads) block.fibers.resize(block.threads);
  block.shared.assign(launch.shared, static_cast<char>(0xff));  // as others left it: no number
  block.exchanged.assign(block.threads + kLanes, 0);
  block.left.assign(block.threads + kLanes, nullptr);
  block.right.assign(block.threads + kLanes, nullptr);
  for (unsigned z = 0; z < launch.grid[2]; ++z) {
    for (unsigned y = 0; y < launch.grid[1]; ++y) {
      for (unsigned x = 0; x < launch.grid[0]; ++x) {
        block_index = {x, y, z};
        block.arrived = block.opened = block.gone = 0;
        block.warp_arrived.assign(block.threads / kLanes + 1, 0);
        block.warp_opened.assign(block.threads / kLanes + 1, 0);
        if (!kernel.cooperates) {
          for (unsigned t = 0; t < block.threads; ++t) {
            thread_index = {t, 0, 0};
            kernel.run(launch.args.data());
          }
        } else if (!run_block()) {
          return false;
        }
      }
    }
  }
  return true;
}

}  // namespace standin
