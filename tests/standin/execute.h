// Kernels by name, and one launch of one.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace standin {

struct Kernel {
  const char* name;
  void (*run)(const void* args);  // of the present thread
  bool cooperates;                // its threads wait for each other
  size_t args_bytes;
};
const Kernel* find_kernel(const std::string& name);  // nullptr: none of that name

struct Launch {
  unsigned grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  size_t shared = 0;
  std::vector<char> args;
};
// False if threads of a block wait for each other for ever.
bool execute(const Kernel& kernel, const Launch& launch);

}  // namespace standin
