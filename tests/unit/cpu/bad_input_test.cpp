// What the adapter refuses, by which status and with which words.
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {
namespace {

using testing::Test;

class BadInput : public Test {
 protected:
  // The reason why the description is refused; "" if it is not.
  std::string refusal(Program& p, assay_status expected) {
    char why[256] = "";
    EXPECT_EQ(adapter_.program().supports(adapter_.ctx(), p.desc(), why, sizeof(why)), expected);
    assay_program* program = nullptr;
    EXPECT_EQ(adapter_.program().prepare(adapter_.ctx(), p.desc(), &program), expected);
    EXPECT_EQ(program, nullptr);
    return why;
  }
  Adapter adapter_{""};
};

TEST_F(BadInput, UnknownOptionValues) {
  EXPECT_EQ(Adapter("avx3").status, ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter::error(), "option isa: expected generic, avx2 or avx512, found 'avx3'");
  EXPECT_EQ(Adapter("", 0).status, ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter("", -1).status, ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter("", 1000000).status, ASSAY_INVALID_ARGUMENT);
  EXPECT_NE(Adapter::error().find("found '1000000'"), std::string::npos);
}

TEST_F(BadInput, AnotherMajorIsNotServed) { EXPECT_EQ(assay_adapter_entry(ASSAY_ABI_MAJOR + 1), nullptr); }

TEST_F(BadInput, UnsupportedDtypesAndKindsSayWhy) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, 4});
  const uint32_t w = p.tensor(ASSAY_F8E4M3, ASSAY_ROLE_WEIGHT, {2, 4});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 2});
  const uint32_t ids = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {3}),
                 rows = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {3, 4});
  const uint32_t again = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 2});
  p.op(ASSAY_OP_MATMUL, {x, w}, {y});
  p.op(ASSAY_OP_EMBEDDING, {ids, w}, {rows});
  p.op(ASSAY_OP_MATMUL, {x, w}, {again});
  EXPECT_EQ(refusal(p, ASSAY_UNSUPPORTED),
            "f8e4m3 in matmul, embedding (first: op 0, tensor 1); this adapter has f32, f16, bf16, i8 and i32");
  Program q;
  const uint32_t a = q.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, 4});
  q.op(77, {a}, {a});
  EXPECT_EQ(refusal(q, ASSAY_UNSUPPORTED), "op 0: unknown kind 77");
}

TEST_F(BadInput, ShapesThatDoNotFit) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, 4});
  const uint32_t w = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {2, 5});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 2});
  p.op(ASSAY_OP_MATMUL, {x, w}, {y});
  EXPECT_EQ(refusal(p, ASSAY_INVALID_ARGUMENT), "op 0 (matmul): x and w differ in K");
  Program q;
  q.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, -4});
  q.op(ASSAY_OP_ARGMAX, {0}, {0});
  EXPECT_EQ(refusal(q, ASSAY_INVALID_ARGUMENT), "tensor 0: dimension -4, expected at least 1");
  Program r;
  r.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1ll << 40, 1ll << 40});
  r.op(ASSAY_OP_ARGMAX, {0}, {0});
  EXPECT_EQ(refusal(r, ASSAY_INVALID_ARGUMENT), "tensor 0: more than 2^46 elements");
}

TEST_F(BadInput, ReadingBeforeWriting) {
  Program p;
  const uint32_t a = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {1, 4});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 4});
  p.op(ASSAY_OP_ADD, {a, a}, {y});
  EXPECT_EQ(refusal(p, ASSAY_INVALID_ARGUMENT), "op 0: reads tensor 0 before it is written");
}

TEST_F(BadInput, MoreMemoryThanThereIsIsRefusedBeforeAllocating) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1ll << 20, 1ll << 24});
  const uint32_t y = p.tensor(ASSAY_I32, ASSAY_ROLE_OUTPUT, {1ll << 20});
  p.op(ASSAY_OP_ARGMAX, {x}, {y});
  assay_program* program = nullptr;
  EXPECT_EQ(adapter_.program().prepare(adapter_.ctx(), p.desc(), &program), ASSAY_OUT_OF_MEMORY);
  EXPECT_NE(Adapter::error().find("the program needs 67108868 MiB"), std::string::npos) << Adapter::error();
}

TEST_F(BadInput, RangesAndRolesOfReadAndWrite) {
  Program p;
  const uint32_t a = p.tensor(ASSAY_BF16, ASSAY_ROLE_INPUT, {2, 4});
  const uint32_t s = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {2, 4});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {2, 4});
  p.op(ASSAY_OP_ADD, {a, a}, {s});
  p.op(ASSAY_OP_ADD, {s, a}, {y});
  p.prepare(adapter_);
  const auto& api = adapter_.program();
  char bytes[64] = {};
  EXPECT_EQ(api.write(p.handle(), a, 0, bytes, 16), ASSAY_OK);
  EXPECT_EQ(api.write(p.handle(), a, 16, bytes, 0), ASSAY_OK);
  EXPECT_EQ(api.write(p.handle(), a, 14, bytes, 4), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter::error(), "write of tensor 0: bytes 14 + 4 lie outside its 16");
  EXPECT_EQ(api.write(p.handle(), a, ~0ull, bytes, 2), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(api.write(p.handle(), a, 1, bytes, 2), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter::error(), "write of tensor 0: the range cuts an element of 2 bytes");
  EXPECT_EQ(api.write(p.handle(), s, 0, bytes, 4), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(api.write(p.handle(), y, 0, bytes, 4), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(api.write(p.handle(), 9, 0, bytes, 4), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(api.read(p.handle(), y, 0, bytes, 64), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(api.read(p.handle(), s, 0, bytes, 4), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(api.write(nullptr, 0, 0, bytes, 4), ASSAY_INVALID_ARGUMENT);
}

TEST_F(BadInput, DtypesThatItLacksAreRefusedByName) {
  for (const auto& [dtype, name] : {std::pair{ASSAY_F8E4M3, "f8e4m3"}, std::pair{ASSAY_F8E5M2, "f8e5m2"},
                                    std::pair{ASSAY_I4, "i4"}, std::pair{ASSAY_F4E2M1, "f4e2m1"}}) {
    Program p;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {2, 8});
    const uint32_t scale = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {3, 4, 2});
    const uint32_t w = p.tensor(static_cast<uint32_t>(dtype), ASSAY_ROLE_WEIGHT, {3, 4, 8}, 1, 4);
    const uint32_t offsets = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {4});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {2, 4});
    p.op(ASSAY_OP_GROUPED_MATMUL, {x, w, offsets}, {y});
    char why[256];
    EXPECT_EQ(adapter_.program().supports(adapter_.ctx(), p.desc(), why, sizeof(why)), ASSAY_UNSUPPORTED);
    EXPECT_EQ(
        std::string(why),
        name + std::string(" in grouped_matmul (first: op 0, tensor 2); this adapter has f32, f16, bf16, i8 and i32"));
    EXPECT_EQ(scale, 1u);
  }
}

TEST_F(BadInput, ShapesThatDoNotFitAreNamed) {
  const auto why_not = [this](uint32_t kind, const std::vector<std::vector<int64_t>>& dims, size_t n_in,
                              const std::vector<double>& attr) {
    Program p;
    std::vector<uint32_t> in, out;
    for (size_t i = 0; i < dims.size(); ++i) {
      (i < n_in ? in : out).push_back(p.tensor(ASSAY_F32, i < n_in ? ASSAY_ROLE_INPUT : ASSAY_ROLE_OUTPUT, dims[i]));
    }
    p.op(kind, in, out, attr);
    char why[256];
    EXPECT_EQ(adapter_.program().supports(adapter_.ctx(), p.desc(), why, sizeof(why)), ASSAY_INVALID_ARGUMENT);
    return std::string(why);
  };
  EXPECT_EQ(why_not(ASSAY_OP_CONV3D, {{1, 2, 2, 3}, {5, 27}, {1, 2, 2, 5}}, 2, {1, 2, 2, 0, 0, 0}),
            "op 0 (conv3d): a kernel size is not allowed");
  EXPECT_EQ(why_not(ASSAY_OP_CONV3D, {{1, 2, 2, 3}, {5, 26}, {1, 2, 2, 5}}, 2, {1, 3, 3, 0, 0, 0}),
            "op 0 (conv3d): w is not [O, kt*kh*kw*C]");
  EXPECT_EQ(why_not(ASSAY_OP_GROUP_NORM, {{1, 2, 2, 6}, {6}, {6}, {1, 2, 2, 6}}, 3, {1e-5, 4}),
            "op 0 (group_norm): groups does not divide the channels");
  EXPECT_EQ(why_not(ASSAY_OP_PATCHIFY3D, {{1, 1, 2, 4, 5}, {5, 8}}, 1, {2, 2, 2, 0}),
            "op 0 (patchify3d): a patch size does not divide its axis");
  EXPECT_EQ(why_not(ASSAY_OP_LAYER_NORM_MODULATE, {{4, 8}, {2, 15}, {4, 8}}, 2, {2, 1e-5, 0, 8}),
            "op 0 (layer_norm_modulate): the columns lie outside the tensor");
  EXPECT_EQ(why_not(ASSAY_OP_HEAD_MATMUL, {{2, 11}, {3, 2, 4}, {2, 6}}, 2, {3, 0, 4, 0}),
            "op 0 (head_matmul): the columns lie outside the tensor");
}

TEST_F(BadInput, IndexOutsideTheTableFailsTheRunAndOnlyIt) {
  Program p;
  const uint32_t index = p.tensor(ASSAY_I32, ASSAY_ROLE_INPUT, {2});
  const uint32_t table = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {3, 4});
  const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {2, 4});
  p.op(ASSAY_OP_EMBEDDING, {index, table}, {y});
  p.prepare(adapter_);
  p.write_normal(table, 1);
  for (const double wrong : {3.0, -1.0, 2147483647.0}) {
    p.write(index, {0, wrong});
    EXPECT_EQ(p.step(), ASSAY_INVALID_ARGUMENT);
    EXPECT_NE(Adapter::error().find("outside a table of 3 rows"), std::string::npos);
  }
  p.write(index, {0, 2});
  EXPECT_EQ(p.step(), ASSAY_OK);
}

TEST_F(BadInput, PositionOutsideTheCache) {
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {2, 8});
  const uint32_t k = p.tensor(ASSAY_F32, ASSAY_ROLE_STATE, {1, 6, 1, 4});
  const uint32_t v = p.tensor(ASSAY_F32, ASSAY_ROLE_STATE, {1, 6, 1, 4});
  p.op(ASSAY_OP_KV_APPEND, {x, k, v}, {k, v}, {1, 1, 4, 4, 0, 4}, true);
  p.prepare(adapter_);
  EXPECT_EQ(p.step(4), ASSAY_OK);
  EXPECT_EQ(p.step(5), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(Adapter::error(), "submit: op 0: pos 5 and 2 tokens do not fit a KV cache of 6");
  EXPECT_EQ(p.step(-1), ASSAY_INVALID_ARGUMENT);
  EXPECT_EQ(p.step(0, 0), ASSAY_INVALID_ARGUMENT);
}

TEST_F(BadInput, DeviceInfoNamesThisMachine) {
  uint32_t count = 0;
  EXPECT_EQ(Adapter::entry().device_count(adapter_.ctx(), &count), ASSAY_OK);
  EXPECT_EQ(count, 1u);
  assay_device_info info{};
  info.struct_size = sizeof(info);
  ASSERT_EQ(Adapter::entry().device_info(adapter_.ctx(), 0, &info), ASSAY_OK);
  EXPECT_STRNE(info.product, "");
  EXPECT_GT(info.memory_bytes, info.memory_free_bytes);
  EXPECT_EQ(Adapter::entry().device_info(adapter_.ctx(), 1, &info), ASSAY_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace assay::cpu_test
