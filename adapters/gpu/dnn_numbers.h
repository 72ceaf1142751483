// Numbers of cuDNN's backend interface (cudnn_graph_v9.h of 9.19), as far as attention needs them. Those of the SDPA
// node and its masks, whose last ones came with 9.20 and 9.21: two bindings made from headers of 9.22 and 9.24
// (JuliaGPU/CUDA.jl lib/cudnn/src/libcudnn.jl at fd1008d, and a bindgen for Rust), which agree with each other and with
// all numbers here; which attributes the node and the load of pages (there from 9.5 on) are given, and that keys in
// pages are loaded transposed, follows NVIDIA/cudnn-frontend (MIT).
#pragma once

#include <cstddef>

namespace assay::gpu::dnn {

// Kinds of descriptors.
inline constexpr int kPointwise = 0, kEngineConfig = 3, kEngineHeuristics = 4, kExecutionPlan = 5;
inline constexpr int kPointwiseOp = 13, kOperationGraph = 15, kVariantPack = 16, kTensor = 17, kMatmul = 18;
inline constexpr int kMatmulOp = 19, kReduction = 21, kReductionOp = 22, kPagedLoadOp = 35;
inline constexpr int kSdpaOp = 41, kBandOp = 44;

// Types of attributes.
inline constexpr int kHandleType = 0, kDataTypeType = 1, kBoolType = 2, kInt64Type = 3, kDoubleType = 5;
inline constexpr int kPointerType = 6, kHeuristicsModeType = 8, kPointwiseModeType = 14, kDescriptorType = 15;
inline constexpr int kReductionType = 18;

// Attributes.
inline constexpr int kPointwiseMode = 0, kPointwisePrecision = 1, kPointwiseAxis = 9;
inline constexpr int kHeuristicsMode = 200, kHeuristicsGraph = 201, kHeuristicsResults = 202;
inline constexpr int kPlanHandle = 400, kPlanConfig = 401, kPlanWorkspace = 402;
inline constexpr int kPointwiseDesc = 750, kPointwiseX = 751, kPointwiseB = 752, kPointwiseY = 753, kPointwiseT = 758;
inline constexpr int kGraphHandle = 800, kGraphOps = 801;
inline constexpr int kTensorAlignment = 900, kTensorDataType = 901, kTensorDims = 902, kTensorStrides = 903;
inline constexpr int kTensorId = 906, kTensorVirtual = 907, kTensorByValue = 908;
inline constexpr int kPackIds = 1000, kPackPointers = 1001, kPackWorkspace = 1003;
inline constexpr int kMatmulPrecision = 1500, kMatmulPadding = 1503;
inline constexpr int kMatmulA = 1520, kMatmulB = 1521, kMatmulC = 1522, kMatmulDesc = 1523;
inline constexpr int kMatmulRows = 1525, kMatmulCols = 1526, kMatmulInner = 1527;
inline constexpr int kReductionOperator = 1600, kReductionPrecision = 1601;
inline constexpr int kReductionX = 1610, kReductionY = 1611, kReductionDesc = 1612;
inline constexpr int kLoadFrom = 1950, kLoadTo = 1951, kLoadKeys = 1952, kLoadPages = 1953;
inline constexpr int kSdpaQ = 2800, kSdpaK = 2801, kSdpaV = 2802, kSdpaY = 2803, kSdpaScale = 2805;
inline constexpr int kSdpaPagesK = 2807, kSdpaPagesV = 2808, kSdpaQueries = 2809, kSdpaKeys = 2810;
inline constexpr int kSdpaMasks = 2811, kSdpaMasksFrom = 2812, kSdpaMasksTo = 2813;
inline constexpr int kBandX = 3000, kBandKeys = 3001, kBandQueries = 3002, kBandLeft = 3003, kBandNothing = 3005;
inline constexpr int kBandY = 3006, kBandComparison = 3007;

// Values.
inline constexpr int kFloat = 0, kHalf = 2, kInt32 = 4, kBfloat16 = 9, kBoolean = 11;
inline constexpr int kAdd = 0, kMul = 1, kDiv = 6, kSub = 9, kExp = 13, kLog = 15, kGreater = 302, kGreaterEqual = 303,
                     kLess = 304;
inline constexpr int kAnd = 400, kGenerateIndex = 501, kSelect = 601;
inline constexpr int kReduceAdd = 0, kReduceMax = 3;
inline constexpr int kHeuristicsA = 3;

inline constexpr size_t kNodeSince = 92100;  // version from which the SDPA node has masks

}  // namespace assay::gpu::dnn
