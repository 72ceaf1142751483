// Our own declarations of NVIDIA's interfaces against its headers, where the toolkit is installed: numbers of
// attributes and places of fields, which compile or do not. And cuDNN itself, asked whether it knows our graph of
// attention.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstddef>

#include "adapters/gpu/activity_records.h"

#if __has_include(<cublasLt.h>) && __has_include(<cupti.h>) && __has_include(<cudnn.h>)
#include <cublasLt.h>
#include <cudnn.h>
#include <cupti.h>

// With their inner side: what is asked of the library is built here without a device.
#include "adapters/gpu/dnn_graph.cpp"
#include "adapters/gpu/library.cpp"
#include "adapters/gpu/sdpa.cpp"
#if __has_include(<cupti_range_profiler.h>)
#include "adapters/gpu/range_counters.cpp"
#include "tests/unit/gpu/range_params_check.h"
#endif

namespace assay::gpu {
namespace {

#define ASSAY_SAME(ours, theirs) static_assert((ours) == static_cast<int>(theirs), #theirs)
ASSAY_SAME(GPUBLASLT_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA);
ASSAY_SAME(GPUBLASLT_TRANSB, CUBLASLT_MATMUL_DESC_TRANSB);
ASSAY_SAME(GPUBLASLT_EPILOGUE, CUBLASLT_MATMUL_DESC_EPILOGUE);
ASSAY_SAME(GPUBLASLT_BIAS_POINTER, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
ASSAY_SAME(GPUBLASLT_BIAS_TYPE, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE);
ASSAY_SAME(GPUBLASLT_A_SCALE_POINTER, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER);
ASSAY_SAME(GPUBLASLT_B_SCALE_POINTER, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER);
ASSAY_SAME(GPUBLASLT_A_SCALE_MODE, CUBLASLT_MATMUL_DESC_A_SCALE_MODE);
ASSAY_SAME(GPUBLASLT_B_SCALE_MODE, CUBLASLT_MATMUL_DESC_B_SCALE_MODE);
ASSAY_SAME(GPUBLASLT_BATCH_COUNT, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
ASSAY_SAME(GPUBLASLT_BATCH_STRIDE, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
ASSAY_SAME(GPUBLASLT_WORKSPACE_BYTES, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
ASSAY_SAME(GPUBLASLT_ALIGN_A, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
ASSAY_SAME(GPUBLASLT_ALIGN_B, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
ASSAY_SAME(GPUBLASLT_ALIGN_C, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
ASSAY_SAME(GPUBLASLT_ALIGN_D, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(GPUBLASLT_ALGORITHM_WORDS * 8 == sizeof(cublasLtMatmulAlgo_t));
ASSAY_SAME(GPUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F);
ASSAY_SAME(GPUBLAS_COMPUTE_32I, CUBLAS_COMPUTE_32I);
ASSAY_SAME(GPUBLAS_COMPUTE_TF32, CUBLAS_COMPUTE_32F_FAST_TF32);
// The numbers that blaslt.h has for all vendors.
ASSAY_SAME(28, CUDA_R_8F_E4M3);
ASSAY_SAME(3, CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F);
ASSAY_SAME(4, CUBLASLT_EPILOGUE_BIAS);

#define ASSAY_FIELD(Ours, ours, Theirs, theirs) \
  static_assert(offsetof(activity_records::Ours, ours) == offsetof(Theirs, theirs), #Theirs "." #theirs)
#define ASSAY_KERNEL_RECORD(Theirs)                        \
  ASSAY_FIELD(Kernel, start, Theirs, start);               \
  ASSAY_FIELD(Kernel, end, Theirs, end);                   \
  ASSAY_FIELD(Kernel, correlation, Theirs, correlationId); \
  ASSAY_FIELD(Kernel, name, Theirs, name);                 \
  ASSAY_FIELD(Kernel, graph_node, Theirs, graphNodeId)
ASSAY_KERNEL_RECORD(CUpti_ActivityKernel9);  // toolkit 12
ASSAY_KERNEL_RECORD(CUpti_ActivityKernel10);
ASSAY_FIELD(Memset, start, CUpti_ActivityMemset4, start);
ASSAY_FIELD(Memset, end, CUpti_ActivityMemset4, end);
ASSAY_FIELD(Memset, correlation, CUpti_ActivityMemset4, correlationId);
ASSAY_FIELD(Memset, graph_node, CUpti_ActivityMemset4, graphNodeId);
ASSAY_FIELD(ExternalCorrelation, external_kind, CUpti_ActivityExternalCorrelation, externalKind);
ASSAY_FIELD(ExternalCorrelation, external_id, CUpti_ActivityExternalCorrelation, externalId);
ASSAY_FIELD(ExternalCorrelation, correlation, CUpti_ActivityExternalCorrelation, correlationId);
ASSAY_SAME(activity_records::kKernel, CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
#define ASSAY_COPY_RECORD(Theirs)                          \
  ASSAY_FIELD(Memcpy, copy_kind, Theirs, copyKind);        \
  ASSAY_FIELD(Memcpy, bytes, Theirs, bytes);               \
  ASSAY_FIELD(Memcpy, start, Theirs, start);               \
  ASSAY_FIELD(Memcpy, end, Theirs, end);                   \
  ASSAY_FIELD(Memcpy, correlation, Theirs, correlationId); \
  ASSAY_FIELD(Memcpy, graph_node, Theirs, graphNodeId)
ASSAY_COPY_RECORD(CUpti_ActivityMemcpy5);  // toolkit 12
ASSAY_COPY_RECORD(CUpti_ActivityMemcpy6);
ASSAY_FIELD(Memset, bytes, CUpti_ActivityMemset4, bytes);
ASSAY_SAME(activity_records::kToDevice, CUPTI_ACTIVITY_MEMCPY_KIND_HTOD);
ASSAY_SAME(activity_records::kToHost, CUPTI_ACTIVITY_MEMCPY_KIND_DTOH);
ASSAY_SAME(activity_records::kOnDevice, CUPTI_ACTIVITY_MEMCPY_KIND_DTOD);
ASSAY_SAME(activity_records::kMemcpy, CUPTI_ACTIVITY_KIND_MEMCPY);
ASSAY_SAME(activity_records::kMemset, CUPTI_ACTIVITY_KIND_MEMSET);
ASSAY_SAME(activity_records::kDriver, CUPTI_ACTIVITY_KIND_DRIVER);
ASSAY_SAME(activity_records::kRuntime, CUPTI_ACTIVITY_KIND_RUNTIME);
ASSAY_SAME(activity_records::kExternalCorrelation, CUPTI_ACTIVITY_KIND_EXTERNAL_CORRELATION);
ASSAY_SAME(3, CUPTI_EXTERNAL_CORRELATION_KIND_CUSTOM0);
ASSAY_SAME(1, CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);

ASSAY_SAME(dnn::kPointwise, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
ASSAY_SAME(dnn::kEngineConfig, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
ASSAY_SAME(dnn::kEngineHeuristics, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
ASSAY_SAME(dnn::kExecutionPlan, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
ASSAY_SAME(dnn::kPointwiseOp, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
ASSAY_SAME(dnn::kOperationGraph, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
ASSAY_SAME(dnn::kVariantPack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
ASSAY_SAME(dnn::kTensor, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
ASSAY_SAME(dnn::kMatmul, CUDNN_BACKEND_MATMUL_DESCRIPTOR);
ASSAY_SAME(dnn::kMatmulOp, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
ASSAY_SAME(dnn::kReduction, CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
ASSAY_SAME(dnn::kReductionOp, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
ASSAY_SAME(dnn::kSdpaOp, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
ASSAY_SAME(dnn::kSdpaQ, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC);
ASSAY_SAME(dnn::kSdpaK, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC);
ASSAY_SAME(dnn::kSdpaV, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC);
ASSAY_SAME(dnn::kSdpaY, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC);
ASSAY_SAME(dnn::kSdpaScale, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC);
ASSAY_SAME(dnn::kSdpaPagesK, CUDNN_ATTR_OPERATION_SDPA_FWD_PAGE_TABLE_KDESC);
ASSAY_SAME(dnn::kSdpaPagesV, CUDNN_ATTR_OPERATION_SDPA_FWD_PAGE_TABLE_VDESC);
ASSAY_SAME(dnn::kPagedLoadOp, CUDNN_BACKEND_OPERATION_PAGED_CACHE_LOAD_DESCRIPTOR);
ASSAY_SAME(dnn::kLoadFrom, CUDNN_ATTR_OPERATION_PAGED_CACHE_LOAD_CONTAINER_DESC);
ASSAY_SAME(dnn::kLoadTo, CUDNN_ATTR_OPERATION_PAGED_CACHE_LOAD_YDESC);
ASSAY_SAME(dnn::kLoadKeys, CUDNN_ATTR_OPERATION_PAGED_CACHE_LOAD_SEQUENCE_DESC);
ASSAY_SAME(dnn::kLoadPages, CUDNN_ATTR_OPERATION_PAGED_CACHE_LOAD_PAGE_TABLE_DESC);
ASSAY_SAME(dnn::kSdpaQueries, CUDNN_ATTR_OPERATION_SDPA_FWD_SEQ_LEN_QDESC);
ASSAY_SAME(dnn::kSdpaKeys, CUDNN_ATTR_OPERATION_SDPA_FWD_SEQ_LEN_KVDESC);
#if CUDNN_VERSION >= 92100
ASSAY_SAME(dnn::kSdpaMasks, CUDNN_ATTR_OPERATION_SDPA_FWD_SUBGRAPH);
ASSAY_SAME(dnn::kSdpaMasksFrom, CUDNN_ATTR_OPERATION_SDPA_FWD_SUBGRAPH_INPUT_UID);
ASSAY_SAME(dnn::kSdpaMasksTo, CUDNN_ATTR_OPERATION_SDPA_FWD_SUBGRAPH_OUTPUT_UID);
ASSAY_SAME(dnn::kBandOp, CUDNN_BACKEND_OPERATION_DIAGONAL_BAND_MASK_DESCRIPTOR);
ASSAY_SAME(dnn::kBandX, CUDNN_ATTR_OPERATION_DIAGONAL_BAND_MASK_XDESC);
ASSAY_SAME(dnn::kBandKeys, CUDNN_ATTR_OPERATION_DIAGONAL_BAND_MASK_SEQ_LEN_KVDESC);
ASSAY_SAME(dnn::kBandQueries, CUDNN_ATTR_OPERATION_DIAGONAL_BAND_MASK_SEQ_LEN_QDESC);
ASSAY_SAME(dnn::kBandLeft, CUDNN_ATTR_OPERATION_DIAGONAL_BAND_MASK_LEFT_BOUND_DESC);
ASSAY_SAME(dnn::kBandNothing, CUDNN_ATTR_OPERATION_DIAGONAL_BAND_MASK_BDESC);
ASSAY_SAME(dnn::kBandY, CUDNN_ATTR_OPERATION_DIAGONAL_BAND_MASK_YDESC);
ASSAY_SAME(dnn::kBandComparison, CUDNN_ATTR_OPERATION_DIAGONAL_BAND_MASK_COMPARISON_MODE);
#endif
ASSAY_SAME(dnn::kHandleType, CUDNN_TYPE_HANDLE);
ASSAY_SAME(dnn::kDataTypeType, CUDNN_TYPE_DATA_TYPE);
ASSAY_SAME(dnn::kBoolType, CUDNN_TYPE_BOOLEAN);
ASSAY_SAME(dnn::kInt64Type, CUDNN_TYPE_INT64);
ASSAY_SAME(dnn::kDoubleType, CUDNN_TYPE_DOUBLE);
ASSAY_SAME(dnn::kPointerType, CUDNN_TYPE_VOID_PTR);
ASSAY_SAME(dnn::kHeuristicsModeType, CUDNN_TYPE_HEUR_MODE);
ASSAY_SAME(dnn::kPointwiseModeType, CUDNN_TYPE_POINTWISE_MODE);
ASSAY_SAME(dnn::kDescriptorType, CUDNN_TYPE_BACKEND_DESCRIPTOR);
ASSAY_SAME(dnn::kReductionType, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE);
ASSAY_SAME(dnn::kPointwiseMode, CUDNN_ATTR_POINTWISE_MODE);
ASSAY_SAME(dnn::kPointwisePrecision, CUDNN_ATTR_POINTWISE_MATH_PREC);
ASSAY_SAME(dnn::kPointwiseAxis, CUDNN_ATTR_POINTWISE_AXIS);
ASSAY_SAME(dnn::kHeuristicsMode, CUDNN_ATTR_ENGINEHEUR_MODE);
ASSAY_SAME(dnn::kHeuristicsGraph, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
ASSAY_SAME(dnn::kHeuristicsResults, CUDNN_ATTR_ENGINEHEUR_RESULTS);
ASSAY_SAME(dnn::kPlanConfig, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
ASSAY_SAME(dnn::kPlanWorkspace, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
ASSAY_SAME(dnn::kPointwiseDesc, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
ASSAY_SAME(dnn::kPointwiseX, CUDNN_ATTR_OPERATION_POINTWISE_XDESC);
ASSAY_SAME(dnn::kPointwiseB, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
ASSAY_SAME(dnn::kPointwiseY, CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
ASSAY_SAME(dnn::kPointwiseT, CUDNN_ATTR_OPERATION_POINTWISE_TDESC);
ASSAY_SAME(dnn::kGraphOps, CUDNN_ATTR_OPERATIONGRAPH_OPS);
ASSAY_SAME(dnn::kTensorAlignment, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
ASSAY_SAME(dnn::kTensorDataType, CUDNN_ATTR_TENSOR_DATA_TYPE);
ASSAY_SAME(dnn::kTensorDims, CUDNN_ATTR_TENSOR_DIMENSIONS);
ASSAY_SAME(dnn::kTensorStrides, CUDNN_ATTR_TENSOR_STRIDES);
ASSAY_SAME(dnn::kTensorId, CUDNN_ATTR_TENSOR_UNIQUE_ID);
ASSAY_SAME(dnn::kTensorVirtual, CUDNN_ATTR_TENSOR_IS_VIRTUAL);
ASSAY_SAME(dnn::kTensorByValue, CUDNN_ATTR_TENSOR_IS_BY_VALUE);
ASSAY_SAME(dnn::kPackIds, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
ASSAY_SAME(dnn::kPackPointers, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
ASSAY_SAME(dnn::kPackWorkspace, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
ASSAY_SAME(dnn::kMatmulPrecision, CUDNN_ATTR_MATMUL_COMP_TYPE);
ASSAY_SAME(dnn::kMatmulPadding, CUDNN_ATTR_MATMUL_PADDING_VALUE);
ASSAY_SAME(dnn::kMatmulA, CUDNN_ATTR_OPERATION_MATMUL_ADESC);
ASSAY_SAME(dnn::kMatmulB, CUDNN_ATTR_OPERATION_MATMUL_BDESC);
ASSAY_SAME(dnn::kMatmulC, CUDNN_ATTR_OPERATION_MATMUL_CDESC);
ASSAY_SAME(dnn::kMatmulDesc, CUDNN_ATTR_OPERATION_MATMUL_DESC);
ASSAY_SAME(dnn::kMatmulRows, CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC);
ASSAY_SAME(dnn::kMatmulCols, CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC);
ASSAY_SAME(dnn::kMatmulInner, CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC);
ASSAY_SAME(dnn::kReductionOperator, CUDNN_ATTR_REDUCTION_OPERATOR);
ASSAY_SAME(dnn::kReductionPrecision, CUDNN_ATTR_REDUCTION_COMP_TYPE);
ASSAY_SAME(dnn::kReductionX, CUDNN_ATTR_OPERATION_REDUCTION_XDESC);
ASSAY_SAME(dnn::kReductionY, CUDNN_ATTR_OPERATION_REDUCTION_YDESC);
ASSAY_SAME(dnn::kReductionDesc, CUDNN_ATTR_OPERATION_REDUCTION_DESC);
ASSAY_SAME(dnn::kHalf, CUDNN_DATA_HALF);
ASSAY_SAME(dnn::kInt32, CUDNN_DATA_INT32);
ASSAY_SAME(dnn::kBfloat16, CUDNN_DATA_BFLOAT16);
ASSAY_SAME(dnn::kBoolean, CUDNN_DATA_BOOLEAN);
ASSAY_SAME(dnn::kAdd, CUDNN_POINTWISE_ADD);
ASSAY_SAME(dnn::kMul, CUDNN_POINTWISE_MUL);
ASSAY_SAME(dnn::kDiv, CUDNN_POINTWISE_DIV);
ASSAY_SAME(dnn::kSub, CUDNN_POINTWISE_SUB);
ASSAY_SAME(dnn::kExp, CUDNN_POINTWISE_EXP);
ASSAY_SAME(dnn::kLog, CUDNN_POINTWISE_LOG);
ASSAY_SAME(dnn::kGreater, CUDNN_POINTWISE_CMP_GT);
ASSAY_SAME(dnn::kGreaterEqual, CUDNN_POINTWISE_CMP_GE);
ASSAY_SAME(dnn::kLess, CUDNN_POINTWISE_CMP_LT);
ASSAY_SAME(dnn::kAnd, CUDNN_POINTWISE_LOGICAL_AND);
ASSAY_SAME(dnn::kGenerateIndex, CUDNN_POINTWISE_GEN_INDEX);
ASSAY_SAME(dnn::kSelect, CUDNN_POINTWISE_BINARY_SELECT);
ASSAY_SAME(dnn::kReduceMax, CUDNN_REDUCE_TENSOR_MAX);
ASSAY_SAME(dnn::kHeuristicsA, CUDNN_HEUR_MODE_A);

constexpr const char* kFolder = "/usr/local/cuda/lib64";
constexpr int kDeviceProfile = 38, kProfileText = 2702, kCharType = 24, kHeuristicsProfile = 204;
constexpr int kConfigWorkspace = 303;
// What cuDNN asks about a device, of an H100.
constexpr char kH100[] =
    R"({"cudaDeviceId":0,"deviceVer":900,"driverVer":13000,"deviceName":"NVIDIA H100 80GB HBM3",
"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,"multiProcessorCount":132,
"warpSize":32,"maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":232448,"reservedSharedMemoryPerBlock":1024,
"maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,"maxThreadsPerSM":2048,"pciDeviceId":0,
"isTccDriver":0,"supportCoopLaunch":1,"smClockRateKHz":1980000,"memClockRateKHz":2619000,"l2CacheSize":52428800,
"totalGlobalMem":85899345920})";

// How many engines cuDNN proposes, at least, for attention of this shape on an H100, and the bytes that the first
// needs; none is there.
int64_t engines(const Library9& library, const SdpaShape& shape, bool node, int64_t* workspace) {
  Builder b(library, nullptr);
  void* profile = b.made(kDeviceProfile);
  accept(library.BackendSetAttribute(profile, kProfileText, kCharType, sizeof(kH100), kH100));
  b.finish(profile);
  void* heuristics = b.made(kEngineHeuristics);
  b.link(heuristics, kHeuristicsGraph, node ? attention_node(b, shape) : attention_graph(b, shape));
  b.link(heuristics, kHeuristicsProfile, profile);
  b.choice(heuristics, kHeuristicsMode, kHeuristicsModeType, kHeuristicsA);
  b.finish(heuristics);
  std::vector<void*> configs{b.made(kEngineConfig)};
  int64_t n = 0;
  accept(library.BackendGetAttribute(heuristics, kHeuristicsResults, kDescriptorType, 1, &n, configs.data()));
  if (n > 0) {
    int64_t got = 0;
    accept(library.BackendGetAttribute(configs[0], kConfigWorkspace, kInt64Type, 1, &got, workspace));
  }
  return n;
}

#if __has_include(<cupti_range_profiler.h>)
template <typename Params>
int call(const Library& library, const char* name, Params* params) {
  auto* function = reinterpret_cast<int (*)(Params*)>(library.find(name));
  return function == nullptr ? -1 : function(params);
}

// CUPTI's host side needs no device: the counters that are asked for are those of an H100, and one pass reads them all.
TEST(Toolkit, CuptiKnowsOurCountersOfAnH100) {
  const Library library({GPU_PROFILER_LIBRARIES}, kFolder);
  if (!library.loaded()) GTEST_SKIP() << "no CUPTI here: " << library.why();
  HostStart host{ASSAY_RANGE_SIZE(HostStart, host), nullptr, kRangeProfiler, "GH100", nullptr, nullptr};
  ASSERT_EQ(call(library, GPU_TEXT(gpuprofHostInitialize), &host), 0);
  std::vector<const char*> names;
  for (const RangeMetric& metric : kMetrics) {
    Properties properties{};
    properties.size = ASSAY_RANGE_SIZE(Properties, type);
    properties.host = host.host;
    properties.metric = metric.name;
    EXPECT_EQ(call(library, GPU_TEXT(gpuprofHostGetMetricProperties), &properties), 0) << metric.name;
    EXPECT_STREQ(properties.dimension, metric.unit) << metric.name;
    names.push_back(metric.name);
  }
  AddMetrics add{ASSAY_RANGE_SIZE(AddMetrics, n), nullptr, host.host, names.data(), names.size()};
  ASSERT_EQ(call(library, GPU_TEXT(gpuprofHostConfigAddMetrics), &add), 0);
  ConfigSize size{ASSAY_RANGE_SIZE(ConfigSize, bytes), nullptr, host.host, 0};
  ASSERT_EQ(call(library, GPU_TEXT(gpuprofHostGetConfigImageSize), &size), 0);
  std::vector<uint8_t> image(size.bytes);
  Config config{ASSAY_RANGE_SIZE(Config, image), nullptr, host.host, image.size(), image.data()};
  ASSERT_EQ(call(library, GPU_TEXT(gpuprofHostGetConfigImage), &config), 0);
  CUpti_Profiler_Host_GetNumOfPasses_Params passes{};
  passes.structSize = CUpti_Profiler_Host_GetNumOfPasses_Params_STRUCT_SIZE;
  passes.configImageSize = image.size();
  passes.pConfigImage = image.data();
  ASSERT_EQ(call(library, "cuptiProfilerHostGetNumOfPasses", &passes), 0);
  EXPECT_EQ(passes.numOfPasses, 1U);
  HostEnd end{ASSAY_RANGE_SIZE(HostEnd, host), nullptr, host.host};
  EXPECT_EQ(call(library, GPU_TEXT(gpuprofHostDeinitialize), &end), 0);
}
#endif

TEST(Toolkit, CudnnKnowsOurFormsOfAttention) {
  // Its engines ask for a driver's library by name; the toolkit's empty one has that name.
  void* driver = dlopen((std::string(kFolder) + "/stubs/libcuda.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
  const Library found({GPU_DNN_LIBRARIES}, kFolder);
  if (driver == nullptr || !found.loaded()) GTEST_SKIP() << "no cuDNN 9 with a toolkit here";
  Library9 library;
  const auto load = [&](auto*& function, const char* name) {
    void* symbol = found.find(name);
    std::memcpy(&function, &symbol, sizeof(symbol));
    ASSERT_NE(symbol, nullptr) << name;
  };
#define ASSAY_LOAD(name, result, parameters) load(library.name, GPU_TEXT(gpudnn##name));
  ASSAY_GPU_DNN(ASSAY_LOAD)
  // Llama-3.1-8B: prefill of 8K, decode of 64 at 4K, a window; MLA's prefill of 4K; Wan2.1-14B: its video tokens, and
  // those with the prompt's. In pages: Llama's decode, eight tokens at once, a chunk. MLA's decode in the latent space,
  // in one block and in pages.
  const SdpaShape shapes[] = {
      {ASSAY_BF16, 1, 32, 8, 8192, 8192, 128, 128, 6144, 128, 128, true, 0, 1},
      {ASSAY_BF16, 64, 32, 8, 1, 4096, 128, 128, 6144, 128, 128, true, 0, 1},
      {ASSAY_BF16, 1, 32, 8, 2048, 4096, 128, 128, 6144, 128, 128, true, 512, 1},
      {ASSAY_BF16, 1, 128, 128, 4096, 4096, 192, 128, 24576, 192, 128, true, 0, 1},
      {ASSAY_BF16, 1, 40, 40, 75600, 75600, 128, 128, 15360, 128, 128, false, 0, 1},
      {ASSAY_F16, 1, 40, 40, 75600, 512, 128, 128, 5120, 128, 128, false, 0, 1},
      {ASSAY_BF16, 64, 32, 8, 1, 4096, 128, 128, 6144, 128, 128, true, 0, 1, 16, 16384},
      {ASSAY_BF16, 8, 32, 8, 8, 4096, 128, 128, 6144, 128, 128, true, 0, 1, 64, 512},
      {ASSAY_F16, 1, 32, 8, 2048, 8192, 128, 128, 6144, 128, 128, true, 0, 1, 128, 64},
      {ASSAY_BF16, 64, 128, 1, 1, 4096, 576, 512, 73728, 576, 576, true, 0, 1},
      {ASSAY_BF16, 64, 16, 1, 1, 4096, 576, 512, 9216, 576, 576, true, 0, 1, 64, 4096},
  };
  const size_t version = library.GetVersion();
  int64_t workspace = 0;
  const auto proposed = [&](const SdpaShape& shape, bool node) {
    try {
      return engines(library, shape, node, &workspace);
    } catch (const Refused& refused) {
      return -static_cast<int64_t>(refused.status);
    }
  };
  for (const SdpaShape& shape : shapes) {
    const int64_t as_graph = proposed(shape, false), as_node = proposed(shape, true);
    // Later ones drop the graph; the node without masks is as old as the oldest version met here, with masks it is not.
    const bool masks = version >= kNodeSince, one = shape.tokens == 1 && shape.window == 0;
    EXPECT_TRUE(masks || as_graph >= 1) << sdpa_key(shape) << ": status " << -as_graph;
    EXPECT_EQ(as_node >= 1, masks || one || !shape.causal) << sdpa_key(shape) << ": status " << -as_node;
  }
  // One query of few sequences: blocks share its keys and put their parts together in memory.
  const SdpaShape decode{ASSAY_BF16, 1, 32, 8, 1, 4096, 128, 128, 6144, 128, 128, true, 0, 1, 16, 256};
  EXPECT_GE(proposed(decode, version >= kNodeSince), 1);
  EXPECT_GT(workspace, 0);
}

}  // namespace
}  // namespace assay::gpu

#else

TEST(Toolkit, CudnnKnowsOurFormsOfAttention) { GTEST_SKIP() << "no CUDA toolkit here"; }

#endif
