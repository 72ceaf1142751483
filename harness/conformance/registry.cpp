// The checks by id, what they ask, and what runs them.
#include "harness/conformance/bench.h"

namespace assay::conformance {
namespace {

struct Registered {
  CheckInfo info;
  CheckFunction run;
  bool needs_programs = false;
};

constexpr uint32_t kLastOp = ASSAY_OP_INDEX_TOPK;

template <uint32_t kKind>
void op_check(Bench& bench) {
  check_op_kind(bench, kKind);
}

template <uint32_t kKind>
void add_ops(std::vector<Registered>* out) {
  const std::string name = op_kind_name(kKind);
  out->push_back({{"ops." + name, "ops", {name, name}, {}}, op_check<kKind>, true});
  if constexpr (kKind < kLastOp) add_ops<kKind + 1>(out);
}

std::vector<Registered> registered() {
  std::vector<Registered> all{
      {{"abi.entry",
        "abi",
        {"Entry, core table, silence", "入口、核心表、静默"},
        {"Serves its ABI major and no other, fills the mandatory functions, prints nothing; its devices stay the same",
         "只服务其 ABI 主版本；必备函数齐全；不向终端输出；设备列表保持不变"}},
       check_entry},
      {{"abi.struct_size",
        "abi",
        {"struct_size is kept", "遵守 struct_size"},
        {"Writes no field beyond what the caller's struct has room for", "不写入调用方结构之外的字段"}},
       check_struct_sizes},
      {{"refusals.programs",
        "refusals",
        {"Bad programs are refused", "拒绝错误程序"},
        {"Unknown ops and dtypes, bad dimensions, missing tensors: refused by status with a reason, no crash",
         "未知算子或数据类型、错误维度、缺失张量：以状态码和原因拒绝，不崩溃"}},
       check_refused_programs,
       true},
      {{"refusals.calls",
        "refusals",
        {"Bad calls are refused", "拒绝错误调用"},
        {"NULL, unknown devices and tensors, ranges outside: refused, and the adapter works on",
         "空指针、未知设备与张量、越界读写：拒绝后适配器仍可用"}},
       check_refused_calls,
       true}};
  add_ops<1>(&all);
  const std::vector<Registered> rest{
      {{"truth.fresh_inputs",
        "truth",
        {"Fresh inputs, fresh outputs", "新输入得新输出"},
        {"New inputs and positions change the outputs rightly: nothing is cached",
         "新输入与位置应正确改变输出：无缓存"}},
       check_fresh_inputs,
       true},
      {{"truth.dtype",
        "truth",
        {"Computes in the dtype asked for", "按所要求的数据类型计算"},
        {"Bits of 1 + 2^-k that survive a product: no silent fallback; each dtype claimed is one of some op",
         "1 + 2^-k 经乘法后保留的位数：无静默降精度；所声明的数据类型均有算子支持"}},
       check_dtype,
       true},
      {{"timing.work",
        "timing",
        {"Twice the work, twice the time", "工作加倍，时间加倍"},
        {"Larger products and more repeats take longer in proportion", "更大的乘法与更多重复应成比例变慢"}},
       check_work,
       true},
      {{"timing.return",
        "timing",
        {"wait() returns when the work is done", "完成后 wait() 才返回"},
        {"Reading the outputs right after wait() costs no more than reading them again",
         "wait() 后立即读取与再次读取同样快"}},
       check_return,
       true},
      {{"timing.device_clock",
        "timing",
        {"Device time against wall time", "设备时间对照墙钟"},
        {"device_ns is in ns, within the host's interval, and grows as it does",
         "device_ns 以纳秒计，不超出主机区间，且同步增长"}},
       check_clock,
       true},
      {{"timing.flush",
        "timing",
        {"A flush makes caches cold", "清空缓存确实生效"},
        {"A step behind flush_caches() is as slow as one behind a sweep of memory, not as fast as a warm one",
         "flush_caches() 之后的单步应与扫过大片内存后一样慢，而不是与热缓存一样快"}},
       check_flush,
       true},
      {{"life.reopen",
        "life",
        {"Open and close, many times", "反复打开与关闭"},
        {"Works the same after every open in one process", "同一进程内每次打开后表现一致"}},
       check_reopen},
      {{"life.leaks",
        "life",
        {"No leaks", "无内存泄漏"},
        {"Resident, heap and device memory stay level over open, prepare and step cycles",
         "打开、准备、单步循环中主机与设备内存保持平稳"}},
       check_leaks},
      {{"life.out_of_memory",
        "life",
        {"Out of memory", "内存不足"},
        {"An absurd size is refused with OUT_OF_MEMORY, and the adapter works on",
         "过大请求以 OUT_OF_MEMORY 拒绝，之后仍可用"}},
       check_memory,
       true},
      {{"threads",
        "threads",
        {"Threads", "线程"},
        {"Programs handed from thread to thread, interleaved, and in two contexts at once",
         "程序跨线程传递、交错运行、两个上下文并行"}},
       check_threads,
       true},
      {{"wait",
        "wait",
        {"wait() and unfinished runs", "wait() 与未完成的运行"},
        {"Long steps are waited for; a second submit and an early destroy neither hang nor crash",
         "等待长步骤；重复提交与提前销毁不挂起、不崩溃"}},
       check_wait,
       true},
      {{"telemetry",
        "telemetry",
        {"Telemetry", "遥测"},
        {"Sensors are plausible, move with the load; the energy counter agrees with power samples and the power limit",
         "读数合理、随负载变化、能量计与功率采样及功率上限一致"}},
       check_telemetry},
      {{"trace",
        "trace",
        {"Trace", "活动记录"},
        {"What ran when: of the program's ops, within the steps' time, each told once",
         "何时运行了什么：属于程序的算子，落在单步时间之内，且只报告一次"}},
       check_trace,
       true},
      {{"requests",
        "requests",
        {"Requests and cancellation", "请求与取消"},
        {"Every request is answered once, counts agree, cancel() and drain() keep their word",
         "每个请求恰好应答一次，计数一致，cancel() 与 drain() 守约"}},
       check_requests},
      {{"coverage",
        "coverage",
        {"Cases of the suites", "套件用例覆盖"},
        {"Which of the shipped suites' cases the adapter takes; not mandatory", "内置套件中可运行的用例；非强制"}},
       check_coverage,
       true}};
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

const std::vector<Registered>& registry() {
  static const std::vector<Registered> kAll = registered();
  return kAll;
}

}  // namespace

const std::vector<CheckInfo>& check_infos() {
  static const std::vector<CheckInfo> kInfos = [] {
    std::vector<CheckInfo> infos;
    for (const Registered& r : registry()) infos.push_back(r.info);
    return infos;
  }();
  return kInfos;
}

namespace {

const Registered* find_check(const std::string& id) {
  for (const Registered& r : registry()) {
    if (r.info.id == id) return &r;
  }
  return nullptr;
}

}  // namespace

CheckFunction check_function(const std::string& id) {
  const Registered* found = find_check(id);
  return found == nullptr ? nullptr : found->run;
}
bool check_needs_programs(const std::string& id) {
  const Registered* found = find_check(id);
  return found != nullptr && found->needs_programs;
}

Text group_title(const std::string& group) {
  static const std::map<std::string, Text> kTitles{{"abi", {"The boundary", "接口"}},
                                                   {"refusals", {"Error paths", "错误路径"}},
                                                   {"ops", {"Numerics, op by op", "逐算子数值"}},
                                                   {"truth", {"Honest results", "结果真实性"}},
                                                   {"timing", {"Timing truth", "计时真实性"}},
                                                   {"life", {"Lifetime and memory", "生命周期与内存"}},
                                                   {"threads", {"Threads", "线程"}},
                                                   {"wait", {"Waiting", "等待"}},
                                                   {"telemetry", {"Telemetry", "遥测"}},
                                                   {"trace", {"Trace", "活动记录"}},
                                                   {"requests", {"Requests", "请求"}},
                                                   {"coverage", {"Suite coverage", "套件覆盖"}}};
  const auto found = kTitles.find(group);
  return found == kTitles.end() ? Text{group, group} : found->second;
}

}  // namespace assay::conformance
