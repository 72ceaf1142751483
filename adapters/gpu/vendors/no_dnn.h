// A vendor without attention as a graph of ops that this adapter knows.
#pragma once

#define GPU_DNN_LIBRARIES ""
#define gpudnnCreate none
#define gpudnnDestroy none
#define gpudnnSetStream none
#define gpudnnGetVersion none
#define gpudnnBackendCreateDescriptor none
#define gpudnnBackendDestroyDescriptor none
#define gpudnnBackendSetAttribute none
#define gpudnnBackendGetAttribute none
#define gpudnnBackendFinalize none
#define gpudnnBackendExecute none
