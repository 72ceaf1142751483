#include "adapters/spirv/opencl.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "adapters/spirv/handle.h"
#include "adapters/spirv/opencl_api.h"

namespace assay::spirv {

namespace {

constexpr const char* kBuildOptions = "-cl-std=CL1.2 -cl-kernel-arg-info";

template <typename T>
using Owned = Handle<T, cl_int>;

std::string text_of(cl_device_id device, cl_device_info what) {
  size_t size = 0;
  if (opencl().clGetDeviceInfo(device, what, 0, nullptr, &size) != CL_SUCCESS || size == 0) return "";
  std::string text(size, '\0');
  check_cl(opencl().clGetDeviceInfo(device, what, size, text.data(), nullptr), "device information");
  text.resize(text.find_last_not_of(std::string(" \0", 2)) + 1);
  return text;
}

template <typename T>
T number_of(cl_device_id device, cl_device_info what) {
  T value{};
  if (opencl().clGetDeviceInfo(device, what, sizeof(value), &value, nullptr) != CL_SUCCESS) return T{};
  return value;
}

// By the vendors' own queries; 0: none answers.
uint32_t largest_sub_group(cl_device_id device) {
  constexpr cl_device_info kIntelSizes = 0x4108, kNvidiaWarp = 0x4003, kAmdWavefront = 0x4043;
  std::array<size_t, 16> sizes{};
  if (opencl().clGetDeviceInfo(device, kIntelSizes, sizeof(sizes), sizes.data(), nullptr) == CL_SUCCESS) {
    return static_cast<uint32_t>(*std::max_element(sizes.begin(), sizes.end()));
  }
  return std::max(number_of<cl_uint>(device, kNvidiaWarp), number_of<cl_uint>(device, kAmdWavefront));
}

// Bytes that a device in host memory can still get; 0 = unknown.
uint64_t available_host_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name;
  uint64_t kib = 0;
  for (std::string unit; file >> name >> kib; std::getline(file, unit)) {
    if (name == "MemAvailable:") return kib * 1024;
  }
  return 0;
}

// Memory of the host in huge pages, where there are some, for a device that computes in it: small pages cost a decode
// step a tenth of its time. Empty where it is too small for one.
class HugePages {
 public:
  explicit HugePages(uint64_t bytes) {
    if (bytes < kPage) return;
    bytes_ = (bytes + kPage - 1) / kPage * kPage + kPage;  // one more, to begin at a page
    void* mapped = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return;
    mapped_ = static_cast<char*>(mapped);
    madvise(mapped_, bytes_, MADV_HUGEPAGE);  // refused where there are none: then small pages
  }
  HugePages(HugePages&& other) noexcept : mapped_(std::exchange(other.mapped_, nullptr)), bytes_(other.bytes_) {}
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;
  HugePages& operator=(HugePages&&) = delete;
  ~HugePages() {
    if (mapped_ != nullptr) munmap(mapped_, bytes_);
  }
  [[nodiscard]] void* data() const {
    if (mapped_ == nullptr) return nullptr;
    return mapped_ + (kPage - reinterpret_cast<uintptr_t>(mapped_) % kPage) % kPage;
  }

 private:
  static constexpr uint64_t kPage = 2u << 20;
  char* mapped_ = nullptr;
  uint64_t bytes_ = 0;
};

class ClMemory : public Memory {
 public:
  ClMemory(HugePages pages, Owned<cl_mem> handle, uint64_t size)
      : pages_(std::move(pages)), handle_(std::move(handle)), size_(size) {}
  [[nodiscard]] cl_mem get() const { return handle_.get(); }
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  HugePages pages_;  // outlive the buffer that lies in them
  Owned<cl_mem> handle_;
  uint64_t size_;
};

const ClMemory& cl(const Memory& memory) { return static_cast<const ClMemory&>(memory); }

struct ClLaunch {
  Owned<cl_kernel> kernel;
  std::array<size_t, 3> global, local;
};

// Every launch is a kernel object of its own, whose arguments are set once.
class ClStep : public Step {
 public:
  ClStep(cl_command_queue queue, std::vector<ClLaunch> launches, std::vector<Owned<cl_mem>> pieces, uint64_t tick_ns)
      : queue_(queue), launches_(std::move(launches)), pieces_(std::move(pieces)), tick_ns_(tick_ns) {}
  ~ClStep() override { opencl().clFinish(queue_); }
  void start(uint32_t repeat) override {
    const OpenCl& api = opencl();
    // Joined launches count their tasks in memory, and one that ended early would let the next do nothing, fast.
    check_cl(broken_, "a step after one that failed");
    broken_ = CL_INVALID_OPERATION;
    for (uint32_t r = 0; r < repeat; ++r) {
      for (size_t i = 0; i < launches_.size(); ++i) {
        const ClLaunch& l = launches_[i];
        cl_event* event = nullptr;
        if (r == 0 && i == 0) event = &first_;
        if (r + 1 == repeat && i + 1 == launches_.size()) event = &last_;
        if (event == &last_ && r == 0 && i == 0) first_ = nullptr;
        check_cl(api.clEnqueueNDRangeKernel(queue_, l.kernel.get(), 3, nullptr, l.global.data(), l.local.data(), 0,
                                            nullptr, event),
                 "launch " + std::to_string(i));
      }
    }
    check_cl(api.clFlush(queue_), "submit");
  }
  void finish(assay_run_result& result) override {
    const OpenCl& api = opencl();
    const cl_int done = api.clFinish(queue_);
    const Owned<cl_event> first(std::exchange(first_, nullptr), api.clReleaseEvent);
    const Owned<cl_event> last(std::exchange(last_, nullptr), api.clReleaseEvent);
    check_cl(done, "wait");
    cl_int state = CL_COMPLETE;
    check_cl(api.clGetEventInfo(last.get(), CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state, nullptr), "wait");
    check_cl(state < 0 ? state : CL_SUCCESS, "a kernel of the step failed");
    broken_ = CL_SUCCESS;
    cl_ulong begin = 0;
    cl_ulong end = 0;
    cl_event opening = first.get() != nullptr ? first.get() : last.get();
    if (api.clGetEventProfilingInfo(opening, CL_PROFILING_COMMAND_START, sizeof(begin), &begin, nullptr) ==
            CL_SUCCESS &&
        api.clGetEventProfilingInfo(last.get(), CL_PROFILING_COMMAND_END, sizeof(end), &end, nullptr) == CL_SUCCESS &&
        end >= begin) {
      result.device_clock = ASSAY_CLOCK_DEVICE_EVENT;
      result.device_ns = end - begin;
      result.device_clock_step_ns = tick_ns_;
    }
  }

 private:
  cl_command_queue queue_;
  std::vector<ClLaunch> launches_;
  std::vector<Owned<cl_mem>> pieces_;  // parts of buffers that arguments point into
  uint64_t tick_ns_;
  cl_event first_ = nullptr, last_ = nullptr;
  cl_int broken_ = CL_SUCCESS;  // else: a step was begun and did not end well
};

class ClDevice : public Device {
 public:
  ClDevice(cl_device_id id, const Options& options) : id_(id), options_(options) {
    cpu_ = (number_of<cl_device_type>(id, CL_DEVICE_TYPE) & CL_DEVICE_TYPE_CPU) != 0;
  }
  [[nodiscard]] sdk::Device card() const override;
  [[nodiscard]] Traits traits() const override;
  [[nodiscard]] std::string refusal() const override;
  [[nodiscard]] std::string lowering() const override { return reads_spirv() ? "SPIR-V" : "OpenCL C source"; }
  std::unique_ptr<Memory> allocate(uint64_t bytes) override;
  void write(Memory& to, uint64_t offset, const void* from, uint64_t bytes) override;
  void read(const Memory& from, uint64_t offset, void* to, uint64_t bytes) override;
  std::unique_ptr<Step> record(const std::vector<Launch>& launches,
                               const std::vector<std::unique_ptr<Memory>>& buffers) override;

 private:
  void start_up();
  void build();
  [[nodiscard]] Traits kernel_traits() const;  // but for groups_meet
  [[nodiscard]] bool takes_spirv() const;
  [[nodiscard]] bool reads_spirv() const { return options_.program != "source" && takes_spirv(); }
  void warm_up(const std::vector<Launch>& launches, const std::vector<ClLaunch>& made);
  ClLaunch prepared(const Launch& launch, const std::vector<std::unique_ptr<Memory>>& buffers,
                    std::map<std::pair<uint32_t, uint64_t>, Owned<cl_mem>>& pieces);

  cl_device_id id_;
  Options options_;
  bool cpu_ = false;
  // Made when the first program comes: listing devices starts nothing.
  Owned<cl_context> context_;
  Owned<cl_command_queue> queue_;
  Owned<cl_program> program_;
  std::set<std::pair<std::string, std::array<size_t, 3>>> warm_;  // launched before
};

sdk::Device ClDevice::card() const {
  sdk::Device card;
  card.product = text_of(id_, CL_DEVICE_NAME);
  card.arch = text_of(id_, CL_DEVICE_VERSION);
  card.driver = text_of(id_, CL_DRIVER_VERSION);
  card.memory_bytes = number_of<cl_ulong>(id_, CL_DEVICE_GLOBAL_MEM_SIZE);
  if (cpu_) card.memory_free_bytes = std::min(card.memory_bytes, available_host_memory());
  card.cache_bytes = number_of<cl_ulong>(id_, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
  card.dtypes = 1u << ASSAY_F32 | 1u << ASSAY_F16 | 1u << ASSAY_BF16 | 1u << ASSAY_I8 | 1u << ASSAY_I32;
  card.basis = ASSAY_BASIS_MEASURED;
  card.support = ASSAY_SUPPORT_VERIFIED_ON_CPU;
  return card;
}

Traits ClDevice::traits() const {
  Traits t = kernel_traits();
  t.groups_meet = cpu_ && (options_.program == "source" || !takes_spirv());
  return t;
}

Traits ClDevice::kernel_traits() const {
  Traits t;
  t.units = std::max<cl_uint>(1, number_of<cl_uint>(id_, CL_DEVICE_MAX_COMPUTE_UNITS));
  t.max_group = static_cast<uint32_t>(std::max<size_t>(1, number_of<size_t>(id_, CL_DEVICE_MAX_WORK_GROUP_SIZE)));
  t.max_allocation = number_of<cl_ulong>(id_, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  choose_kernels(options_, cpu_, cpu_ ? 0 : largest_sub_group(id_), &t);
  return t;
}

bool ClDevice::takes_spirv() const {
  constexpr cl_device_info kIlVersion = 0x105B;  // CL_DEVICE_IL_VERSION, since OpenCL 2.1
  return opencl().clCreateProgramWithIL != nullptr && text_of(id_, kIlVersion).find("SPIR-V") != std::string::npos &&
         !kernel_text(kernel_traits().form).spirv.empty();
}

std::string ClDevice::refusal() const {
  if (options_.program != "spirv" || takes_spirv()) return "";
  return "option program=spirv: this device or this build has no SPIR-V";
}

void ClDevice::start_up() {
  if (context_.get() != nullptr) return;
  const OpenCl& api = opencl();
  cl_int code = CL_SUCCESS;
  Owned<cl_context> context(api.clCreateContext(nullptr, 1, &id_, nullptr, nullptr, &code), api.clReleaseContext);
  check_cl(code, "context");
  queue_ = Owned<cl_command_queue>(api.clCreateCommandQueue(context.get(), id_, CL_QUEUE_PROFILING_ENABLE, &code),
                                   api.clReleaseCommandQueue);
  check_cl(code, "queue");
  context_ = std::move(context);
}

void ClDevice::build() {
  if (program_.get() != nullptr) return;
  const OpenCl& api = opencl();
  const KernelText text = kernel_text(traits().form);
  cl_int code = CL_SUCCESS;
  const char* source = text.source.c_str();
  Owned<cl_program> program(reads_spirv()
                                ? api.clCreateProgramWithIL(context_.get(), text.spirv.data(), text.spirv.size(), &code)
                                : api.clCreateProgramWithSource(context_.get(), 1, &source, nullptr, &code),
                            api.clReleaseProgram);
  check_cl(code, "program");
  code = api.clBuildProgram(program.get(), 1, &id_, kBuildOptions, nullptr, nullptr);
  if (code != CL_SUCCESS) {
    std::string log(4096, '\0');
    api.clGetProgramBuildInfo(program.get(), id_, CL_PROGRAM_BUILD_LOG, log.size(), log.data(), nullptr);
    throw sdk::Failure(ASSAY_INTERNAL, "the kernels do not build on this device: " + std::string(log.c_str()));
  }
  program_ = std::move(program);
}

std::unique_ptr<Memory> ClDevice::allocate(uint64_t bytes) {
  start_up();
  cl_int code = CL_SUCCESS;
  HugePages pages(cpu_ ? bytes : 0);
  const cl_mem_flags flags = CL_MEM_READ_WRITE | (pages.data() != nullptr ? CL_MEM_USE_HOST_PTR : 0);
  Owned<cl_mem> handle(opencl().clCreateBuffer(context_.get(), flags, bytes, pages.data(), &code),
                       opencl().clReleaseMemObject);
  check_cl(code, "allocation of " + std::to_string(bytes) + " bytes");
  const uint8_t zero = 0;
  check_cl(opencl().clEnqueueFillBuffer(queue_.get(), handle.get(), &zero, sizeof(zero), 0, bytes, 0, nullptr, nullptr),
           "first use of " + std::to_string(bytes) + " bytes");
  check_cl(opencl().clFinish(queue_.get()), "first use of " + std::to_string(bytes) + " bytes");
  return std::make_unique<ClMemory>(std::move(pages), std::move(handle), bytes);
}

void ClDevice::write(Memory& to, uint64_t offset, const void* from, uint64_t bytes) {
  check_cl(opencl().clEnqueueWriteBuffer(queue_.get(), cl(to).get(), CL_TRUE, offset, bytes, from, 0, nullptr, nullptr),
           "write");
}

void ClDevice::read(const Memory& from, uint64_t offset, void* to, uint64_t bytes) {
  check_cl(opencl().clEnqueueReadBuffer(queue_.get(), cl(from).get(), CL_TRUE, offset, bytes, to, 0, nullptr, nullptr),
           "read");
}

ClLaunch ClDevice::prepared(const Launch& launch, const std::vector<std::unique_ptr<Memory>>& buffers,
                            std::map<std::pair<uint32_t, uint64_t>, Owned<cl_mem>>& pieces) {
  const OpenCl& api = opencl();
  cl_int code = CL_SUCCESS;
  ClLaunch made;
  made.kernel = Owned<cl_kernel>(api.clCreateKernel(program_.get(), launch.kernel.c_str(), &code), api.clReleaseKernel);
  check_cl(code, "kernel " + launch.kernel);
  made.local = launch.local;
  for (size_t i = 0; i < 3; ++i) made.global[i] = launch.groups[i] * launch.local[i];
  cl_uint index = 0;
  const auto set = [&](size_t size, const void* value) {
    check_cl(api.clSetKernelArg(made.kernel.get(), index, size, value),
             "argument " + std::to_string(index) + " of kernel " + launch.kernel);
    ++index;
  };
  const auto piece = [&](const View& view) {
    const ClMemory& whole = cl(*buffers[view.buffer]);
    if (view.offset == 0) return whole.get();
    Owned<cl_mem>& part = pieces[{view.buffer, view.offset}];
    if (part.get() == nullptr) {
      const cl_buffer_region region{view.offset, whole.size() - view.offset};
      part = Owned<cl_mem>(
          api.clCreateSubBuffer(whole.get(), CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code),
          api.clReleaseMemObject);
      check_cl(code, "part of a buffer");
    }
    return part.get();
  };
  for (const Argument& argument : launch.arguments) {
    if (const View* view = std::get_if<View>(&argument)) {
      cl_mem memory = piece(*view);
      set(sizeof(cl_mem), &memory);
    } else if (std::holds_alternative<Absent>(argument)) {
      set(sizeof(cl_mem), nullptr);
    } else if (const int64_t* wide = std::get_if<int64_t>(&argument)) {
      set(sizeof(*wide), wide);
    } else {
      std::visit([&](const auto& value) { set(4, &value); }, argument);
    }
  }
  return made;
}

// A runtime may compile a kernel at its first launch with a group's size: one group of each, so that no step pays for
// it.
void ClDevice::warm_up(const std::vector<Launch>& launches, const std::vector<ClLaunch>& made) {
  for (size_t i = 0; i < made.size(); ++i) {
    if (!warm_.insert({launches[i].kernel, launches[i].local}).second) continue;
    check_cl(opencl().clEnqueueNDRangeKernel(queue_.get(), made[i].kernel.get(), 3, nullptr, made[i].local.data(),
                                             made[i].local.data(), 0, nullptr, nullptr),
             "first launch of kernel " + launches[i].kernel);
  }
  check_cl(opencl().clFinish(queue_.get()), "first launches");
}

std::unique_ptr<Step> ClDevice::record(const std::vector<Launch>& launches,
                                       const std::vector<std::unique_ptr<Memory>>& buffers) {
  start_up();
  build();
  std::vector<ClLaunch> made;
  std::map<std::pair<uint32_t, uint64_t>, Owned<cl_mem>> pieces;
  made.reserve(launches.size());
  for (const Launch& launch : launches) made.push_back(prepared(launch, buffers, pieces));
  std::vector<Owned<cl_mem>> kept;
  kept.reserve(pieces.size());
  for (auto& [key, piece] : pieces) kept.push_back(std::move(piece));
  warm_up(launches, made);
  const auto tick = number_of<size_t>(id_, CL_DEVICE_PROFILING_TIMER_RESOLUTION);
  return std::make_unique<ClStep>(queue_.get(), std::move(made), std::move(kept), std::max<uint64_t>(1, tick));
}

}  // namespace

std::vector<std::unique_ptr<Device>> opencl_devices(const Options& options) {
  constexpr cl_int kNoPlatform = -1001;  // CL_PLATFORM_NOT_FOUND_KHR
  const OpenCl& api = opencl();
  cl_uint n = 0;
  const cl_int code = api.clGetPlatformIDs(0, nullptr, &n);
  if (code == kNoPlatform || (code == CL_SUCCESS && n == 0)) {
    throw sdk::Failure(ASSAY_UNSUPPORTED,
                       "no OpenCL platform: no driver is registered with the loader (/etc/OpenCL/vendors)");
  }
  check_cl(code, "platforms");
  std::vector<cl_platform_id> platforms(n);
  check_cl(api.clGetPlatformIDs(n, platforms.data(), nullptr), "platforms");
  std::vector<std::unique_ptr<Device>> found;
  for (cl_platform_id platform : platforms) {
    cl_uint count = 0;
    if (api.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, nullptr, &count) != CL_SUCCESS || count == 0) continue;
    std::vector<cl_device_id> ids(count);
    check_cl(api.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids.data(), nullptr), "devices");
    for (cl_device_id id : ids) found.push_back(std::make_unique<ClDevice>(id, options));
  }
  if (found.empty()) {
    throw sdk::Failure(ASSAY_UNSUPPORTED, "no OpenCL device on " + std::to_string(n) + " platform(s)");
  }
  return found;
}

}  // namespace assay::spirv
