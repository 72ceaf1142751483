// A kernel takes one struct of arguments, `a`.
#pragma once

#if !defined(ASSAY_EMULATED)
#define ASSAY_KERNEL(name, Args) extern "C" __global__ void name(const Args a)
#define ASSAY_DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#ifndef INFINITY
#define INFINITY (__int_as_float(0x7f800000))
#endif
#endif
