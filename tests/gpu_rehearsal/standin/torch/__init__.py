"""A stand-in of PyTorch for rehearsing gpu_torch.py where there is none: tensors have a shape, a dtype and a device and no
values, and a call with arguments that PyTorch (2.9 to 2.11) would refuse is refused. Its times are no measurement:
SIMULATED says so, and what gpu_torch.py writes carries it as basis."""

import builtins
import math
import operator
import types

SIMULATED = True
__version__ = "0.0.0+standin"
bfloat16, float32, int64 = "bfloat16", "float32", "int64"


def refuse(what):
    raise RuntimeError(what)


def together(*tensors):
    """Shape, dtype and device of an elementwise result."""
    shape = ()
    for t in tensors:
        wide = max(len(shape), len(t.shape))
        pairs = zip((1,) * (wide - len(shape)) + shape, (1,) * (wide - len(t.shape)) + t.shape)
        shape = tuple(b if a == 1 else a if b in (a, 1) else refuse(f"sizes {a} and {b} must match") for a, b in pairs)
    devices = {t.device for t in tensors if t.shape}  # a number on the CPU goes with anything
    if len(devices) > 1:
        refuse("Expected all tensors to be on the same device")
    dtypes = {t.dtype for t in tensors}
    dtype = float32 if float32 in dtypes else bfloat16 if bfloat16 in dtypes else int64
    return Tensor(shape, dtype, devices.pop() if devices else tensors[0].device)


def binary(self, other):
    if isinstance(other, Tensor):
        return together(self, other)
    return Tensor(self.shape, float32 if isinstance(other, float) and self.dtype == int64 else self.dtype, self.device)


class Tensor:
    def __init__(self, shape, dtype, device):
        self.shape, self.dtype, self.device = tuple(shape), dtype, device

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __mod__ = binary

    def __neg__(self):
        return self

    def __truediv__(self, other):
        out = binary(self, other)
        return Tensor(out.shape, float32 if out.dtype == int64 else out.dtype, out.device)

    def like(self, shape=None, dtype=None, device=None):
        return Tensor(self.shape if shape is None else shape, dtype or self.dtype, device or self.device)

    def __getitem__(self, at):
        if isinstance(at, Tensor):
            return self.like(at.shape + self.shape[1:]) if at.dtype == int64 else refuse("tensors used as indices must be int64")
        shape, axis = [], 0
        for key in at if isinstance(at, tuple) else (at,):
            if key is None:
                shape.append(1)
                continue
            if axis >= len(self.shape):
                raise IndexError("too many indices for tensor")
            if isinstance(key, slice):
                shape.append(len(range(*key.indices(self.shape[axis]))))
            elif not -self.shape[axis] <= operator.index(key) < self.shape[axis]:
                raise IndexError(f"index {key} is out of bounds for dimension of size {self.shape[axis]}")
            axis += 1
        return self.like(tuple(shape) + self.shape[axis:])

    def __setitem__(self, at, value):
        if together(self[at], value).shape != self[at].shape:
            refuse(f"shape mismatch: {value.shape} into {self[at].shape}")

    def normal_(self, mean=0.0, std=1.0, *, generator=None):
        return self

    def cos(self):
        return self

    sin = cos

    def bfloat16(self):
        return self.like(dtype=bfloat16)

    def cuda(self):
        return self.like(device="cuda")

    def t(self):
        return self.transpose(0, 1)

    def transpose(self, a, b):
        shape = list(self.shape)
        shape[a], shape[b] = shape[b], shape[a]
        return self.like(shape)

    def view(self, *shape):
        known = math.prod(n for n in shape if n != -1)
        shape = tuple(math.prod(self.shape) // known if n == -1 else n for n in shape)
        return self.like(shape) if math.prod(shape) == math.prod(self.shape) else refuse(f"view: {self.shape} as {shape}")

    reshape = view

    def split(self, sizes, dim=0):
        if builtins.sum(sizes) != self.shape[dim]:
            refuse(f"split_with_sizes expects split_sizes to sum exactly to {self.shape[dim]}")
        axis = dim % len(self.shape)
        return tuple(self.like(self.shape[:axis] + (n,) + self.shape[axis + 1:]) for n in sizes)

    def chunk(self, chunks, dim=0):
        return self.split([self.shape[dim] // chunks] * chunks, dim)

    def argmax(self, dim=None, keepdim=False):
        axis = dim % len(self.shape)
        return self.like(self.shape[:axis] + self.shape[axis + 1:], int64)


def empty(*size, dtype=float32, device="cpu"):
    return Tensor(size, dtype, device)


ones = randn = empty


def arange(*ends):
    return Tensor((len(range(*ends)),), int64, "cpu")


def randint(high, size, *, device="cpu"):
    return Tensor(size, int64, device)


def tensor(data):
    return Tensor((), float32 if isinstance(data, float) else int64, "cpu")


def pow(base, exponent):
    return together(base, exponent)


def cat(tensors, dim=0):
    first, axis = tensors[0], dim % len(tensors[0].shape)
    for t in tensors:
        if t.shape[:axis] + t.shape[axis + 1:] != first.shape[:axis] + first.shape[axis + 1:]:
            refuse("Sizes of tensors must match except in dimension")
    return first.like(first.shape[:axis] + (builtins.sum(t.shape[axis] for t in tensors),) + first.shape[axis + 1:])


class no_grad:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None, disable=False):
    if mode is not None and options is not None:
        refuse("Either mode or options can be specified, but both can't be specified at the same time.")
    if mode not in (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"):
        refuse(f"Unrecognized mode={mode}")
    return model


from . import cuda, nn  # noqa: E402 (they use what stands above)

backends = types.SimpleNamespace(cudnn=types.SimpleNamespace(version=lambda: 0))
