// A vendor without matrix products by descriptors.
#pragma once

#define GPU_BLASLT_LIBRARIES ""
#define gpublasLtCreate none
#define gpublasLtDestroy none
#define gpublasLtMatmulDescCreate none
#define gpublasLtMatmulDescSetAttribute none
#define gpublasLtMatmulDescDestroy none
#define gpublasLtMatrixLayoutCreate none
#define gpublasLtMatrixLayoutSetAttribute none
#define gpublasLtMatrixLayoutDestroy none
#define gpublasLtMatmulPreferenceCreate none
#define gpublasLtMatmulPreferenceSetAttribute none
#define gpublasLtMatmulPreferenceDestroy none
#define gpublasLtMatmulAlgoGetHeuristic none
#define gpublasLtMatmul none
#define gpublasLtMatmulAlgoCheck none
#define gpublasLtGetVersion none
#define GPUBLASLT_TRANSA -1
#define GPUBLASLT_TRANSB -1
#define GPUBLASLT_EPILOGUE -1
#define GPUBLASLT_BIAS_POINTER -1
#define GPUBLASLT_BIAS_TYPE -1
#define GPUBLASLT_BATCH_COUNT -1
#define GPUBLASLT_BATCH_STRIDE -1
#define GPUBLASLT_WORKSPACE_BYTES -1
#define GPUBLASLT_ALGORITHM_WORDS 8
#define GPUBLASLT_A_SCALE_POINTER -1
#define GPUBLASLT_B_SCALE_POINTER -1
#define GPUBLASLT_A_SCALE_MODE -1
#define GPUBLASLT_B_SCALE_MODE -1
#define GPUBLASLT_ALIGN_A -1
#define GPUBLASLT_ALIGN_B -1
#define GPUBLASLT_ALIGN_C -1
#define GPUBLASLT_ALIGN_D -1
