// The reasons that our own code writes into records and costs, in Chinese. They form a closed list; what is none of them
// (a driver's message, a source's own words) stands as it is.
import type { Lang } from "./text";

type Phrase = readonly [pattern: RegExp, zh: string];

/** Whole sentences; $1, $2, ... are kept from the English. */
const sentences: Phrase[] = [
  // why a run ended
  [/^precision$/, "精度达标"],
  [/^time-limit$/, "到达时限"],
  [/^fixed$/, "步数达到上限"],
  [/^limit$/, "预热到达上限"],
  [/^drift-ended$/, "漂移已结束"],
  [/^interrupted$/, "被中断"],
  [/^failed$/, "失败"],
  [/^unsupported$/, "不支持"],
  [/^reported$/, "引用"],
  [/^ok$/, "正常"],
  [/^stopped on request$/, "应要求停止"],
  [/^not reached$/, "未执行到"],
  [/^switched off$/, "已关闭"],
  // energy
  [/^no energy source$/, "没有能耗来源"],
  [/^no energy source; looked for (.+)$/, "没有能耗来源；已查找：$1"],
  [/^stands among the reported figures$/, "见引用数值"],
  [/^the source states none$/, "来源未给出"],
  [/^the window is empty$/, "积分区间为空"],
  [/^only (\S+) (counter updates|power samples) in (\S+) s; (\S+) are needed$/, "$3 s 内只有 $1 次读数，至少需要 $4 次"],
  [/^no reading for (\S+) s at an end of the (\S+) s window$/, "$2 s 的区间在一端有 $1 s 没有读数"],
  [/^no power sample for (\S+) s of (\S+) s$/, "$2 s 中有 $1 s 没有功率采样"],
  [/^the counter went back, from (.+) to (.+)$/, "能量计数器回退：从 $1 到 $2"],
  [/^the counter is stuck: it did not move in (\S+) readings$/, "能量计数器卡死：$1 次读数没有变化"],
  [/^the sensor is stuck: (\S+) W in every sample of (\S+) s$/, "功率传感器卡死：$2 s 内每次采样都是 $1 W"],
  [/^the source averages over (\S+) s, too long for a window of (\S+) s$/, "读数按 $1 s 平均，对 $2 s 的区间过长"],
  [/^untrusted: the counter says (.+), its own power readings (.+)$/, "不可信：计数器为 $1，而同一来源的功率积分为 $2"],
  [/^idle watts absent: (.+)$/, "没有空闲功率：$1"],
  [/^(.+): no valid reading$/, "$1：没有有效读数"],
  // ceilings, numbers, rates
  [/^no ceiling was measured$/, "未测上限"],
  [/^this case measures a ceiling itself$/, "本用例自身即为上限"],
  [/^a ceiling is its own denominator$/, "上限以自身为分母"],
  [/^reported: nothing was measured beside it$/, "引用数据，未同时测量"],
  [/^reported: outputs were not checked here$/, "引用数据，未在此校验输出"],
  [/^ops checked at (.+) to bound memory and time$/, "为控制内存与时间，算子按 $1 校验"],
  [/^numerics: (.+)$/, "数值校验未通过：$1"],
  [/^the source doesn't say of how many accelerators its rate is$/, "来源未说明该吞吐量由几张加速卡得到"],
  [/^no rate of tokens is stated$/, "来源未给出 token 吞吐量"],
  [/^the source calls the run (\S+)(?:: (.+))?$/, "来源将该次运行标为 $1 $2"],
  [/^no request was completed$/, "没有完成任何请求"],
  [/^the source counts (\S+) errors of the submission$/, "来源记有 $1 处提交错误"],
  [/^(\d+)\/(\d+) layers$/, "$2 层中的 $1 层"],
  [/^(\d+)\/(\d+) experts$/, "$2 个专家中的 $1 个"],
  [/^(\d+)\/(\d+) layers, (\d+)\/(\d+) experts$/, "$2 层中的 $1 层，$4 个专家中的 $3 个"],
  [/^a part of the model$/, "部分模型"],
  [/^(\d+) of (\d+) layers$/, "$2 层中的 $1 层"],
  [/^(\d+) layers$/, "$1 层"],
  [/^whole model projected$/, "推算到整个模型"],
  [/^one layer alone would take about (\d+) s a step, over (\d+) s(?:: .+)?$/, "仅一层每步就约需 $1 s，超过 $2 s"],
  [/^the whole would take about (\d+) s a step, over (\d+) s(?:: .+)?$/, "每步约需 $1 s，超过 $2 s"],
  // marks of a curve over the context
  [/^not up to the model's limit of (\d+)$/, "直到模型上限 $1 均未超过"],
  [/^the device does not say how much memory it has$/, "设备未给出显存容量"],
  [/^none: the whole model does not fit$/, "放不下整个模型"],
  [/^no line$/, "没有拟合直线"],
  [/^attention is most of the step at any context$/, "任何长度下注意力都占大部分"],
  [/^the step does not grow with the context$/, "时延不随上下文增长"],
  [/^can't be told: the slope's interval holds 0$/, "无法判断：斜率的区间包含 0"],
  // warnings
  [/^times are the adapter's own \(clock\/1\); host noise and energy were not watched$/, "时间由适配器自身时钟给出；未监测主机噪声与能耗"],
  [/^stopped at (\S+) steps: the sample buffer is full$/, "样本缓冲区已满，停在 $1 步"],
  [/^used (\S+) CPUs for (\S+) threads: affinity or other load took the rest$/, "$2 个线程只用到 $1 个 CPU：受亲和性或其他负载限制"],
  [/^of (\S+) accelerators as given at import; the source does not say$/, "导入时指定为 $1 张加速卡；来源未说明"],
  [/^Power_Result has no Power_Units: .+$/, "Power_Result 没有单位，按原文保留，不作为数值"],
  [/^the source gives this language model in (.+); since round v4.1 the rules give it in tokens\/s$/, "来源以 $1 给出该语言模型的结果；自 v4.1 起规则应为 tokens/s"],
  [/^implausible: (.+)$/, "不合常理：$1"],
  [/^time does not grow with work: (.+)$/, "耗时不随工作量增长：$1"],
  [/^adapter lies about time: (.+)$/, "适配器的计时不可信：$1"],
  [/^adapter printed: (.+)$/, "适配器输出：$1"],
  // factors from a target to the cost
  [/^electricity alone at the reference tariff, at the roofline's peak rate, over the target$/, "以参考电价、按 Roofline 峰值吞吐量计的电费 ÷ 目标"],
  [/^electricity alone at the reference tariff, at the rate at saturation, as no peak is known, over the target$/, "以参考电价、按饱和吞吐量计的电费 ÷ 目标（峰值未知）"],
  [/^1 CNY an hour, at the roofline's peak rate, over the target \(no power figure\)$/, "按 Roofline 峰值吞吐量计、每小时 1 元的成本 ÷ 目标（无功率数据）"],
  [/^1 CNY an hour, at the rate at saturation, as no peak is known, over the target \(no power figure\)$/, "按饱和吞吐量计、每小时 1 元的成本 ÷ 目标（峰值未知，无功率数据）"],
  [/^not known: no peak to hold the rate against$/, "未知：没有可对照的峰值"],
  [/^peak rate over the rate at saturation$/, "峰值吞吐量 ÷ 饱和吞吐量"],
  [/^rate at saturation over the rate within the limits of latency$/, "饱和吞吐量 ÷ 时延约束内的吞吐量"],
  [/^an hour of use over an hour, both paid$/, "每有效小时的成本 ÷ 每小时的成本"],
  [/^rent over power alone at the reference tariff$/, "租金 ÷ 参考电价下的电费"],
  [/^in the rent: its provider pays the power$/, "含在租金内：电费由出租方支付"],
  [/^owning and power over power alone$/, "购置与电费合计 ÷ 电费"],
  [/^rent over 1 CNY an hour$/, "租金 ÷ 每小时 1 元"],
  [/^owning and power over 1 CNY an hour$/, "购置与电费合计 ÷ 每小时 1 元"],
  [/^PUE: power at the meter over power of the machine$/, "PUE：电表功率 ÷ 整机功率"],
  [/^tariff over the reference tariff$/, "电价 ÷ 参考电价"],
  [/^cached input at its own cost over charged as a miss$/, "缓存命中按自身成本计 ÷ 按未命中计"],
  // costs
  [/^blended needs the rates of input and of output tokens$/, "综合成本需要输入与输出两类吞吐量"],
  [/^no rate of output tokens \(decode\)$/, "没有输出 tokens 的吞吐量（解码）"],
  [/^no rate of input tokens \(prefill\)$/, "没有输入 tokens 的吞吐量（预填充）"],
  [/^no rent and no chip price$/, "既无租金也无芯片单价"],
  [/^(.+): the source states a rate without an interval; its cost has none either$/, "$1：来源给出的吞吐量没有区间，成本也没有区间"],
  [/^clocks held down by (.+?) ([\d.]+ %) of the timed part$/, "计时段中有 $2 因 $1 降频"],
  [/^no power at the wall or no tariff$/, "缺整机功率或电价"],
  [/^output tokens bear the whole cost: input was served in the same time$/, "输入与输出在同一时间内完成，全部成本计入输出 tokens"],
  [/^the cost of (.+?) needs (.+?); give it with .+$/, "计算 $1 的成本还缺：$2（可用 --set、--rent、--price 或 --prices 给出）"],
  [/^rates of (.+) at the prices of (.+), as --chip says$/, "按 --chip 的指定，以 $2 的价格计算 $1 的吞吐量"],
  [/^assumption of this price book$/, "本价目表的假设"],
  [/^rented by the hour of use$/, "按使用小时租用"],
  [/^the power at the wall has the facility's overhead in it$/, "整机分摊功率已含机房开销"],
  [/^idle power is not charged; give your own$/, "未计空闲功率，可自行给出"],
  [/^share of host, network and chassis$/, "主机、网络与机箱的分摊"],
  [/^years until it is written off$/, "折旧完的年数"],
  [/^cost of capital a year$/, "每年资金成本"],
  [/^of the price with server, at the end of the life$/, "占含服务器价格的比例，折旧期末"],
  [/^of the price with server a year$/, "每年占含服务器价格的比例"],
  [/^the range is an assumption$/, "范围为假设"],
  [/^large data centres$/, "大型数据中心"],
  [/^range over (\d+) sources$/, "范围取自 $1 个来源"],
  [/^given on the command line$/, "由命令行给出"],
  [/^no interval is known$/, "无已知区间"],
  [/^the rent of (\S+) rests on one source without a range \((.+), grade (.)\): .+$/, "$1 的租金只有一个来源、没有范围（$2，等级 $3）：区间未计入其误差"],
  [/^the chip's price of (\S+) rests on one source without a range \((.+), grade (.)\): .+$/, "$1 的单价只有一个来源、没有范围（$2，等级 $3）：区间未计入其误差"],
  [/^(\S+): no subsidy, it is for domestic chips$/, "$1：补贴仅限国产芯片，未计"],
  [/^low: a long contract, 0\.7 of it by the same source$/, "低值：长期合同，按同一来源打 7 折"],
  [/^the tracker's estimate$/, "该追踪者的估计"],
  [/^record ([0-9a-f]{8}), (.+)$/, "记录 $1，$2"],
  [/^1 (\w+) = (\S+) CNY \((.+)\)$/, "1 $1 = $2 元（$3）"],
  [/^mean of its bands over the year$/, "各时段价格的全年平均"],
  [/^(.+) was disturbed$/, "$1 的测量受干扰"],
];

/** Causes of a disturbed run, each with its share. */
const causes: Phrase[] = [
  [/^steal (\S+ %)$/, "虚拟机抢占 $1"],
  [/^foreign CPU (\S+ %)$/, "其他进程占用 CPU $1"],
  [/^run-queue wait (\S+ %)$/, "等待调度 $1"],
  [/^late wakes (\S+ %)$/, "唤醒延迟 $1"],
  [/^clock drift (\S+ %)$/, "主频漂移 $1"],
  [/^gaps (\S+ %)$/, "主机停顿 $1"],
];

/** Names within a sentence that is kept in English otherwise. */
const words: Phrase[] = [
  [/adapter telemetry \(the adapter has none\)/g, "适配器遥测（该适配器没有）"],
  [/adapter telemetry/g, "适配器遥测"],
  [/powercap \(no (\S+)\)/g, "powercap（没有 $1）"],
];

function translated(text: string): string {
  const launch = /^launch (\d+): (.+)$/s.exec(text);
  if (launch) return `第 ${launch[1]} 次启动：${translated(launch[2])}`;
  for (const [pattern, zh] of [...sentences, ...causes]) if (pattern.test(text)) return text.replace(pattern, zh).trimEnd();
  return text;
}

export function reasonText(text: string, lang: Lang): string {
  if (lang !== "zh") return text;
  const status = /^(failed|unsupported|interrupted): (.+)$/s.exec(text);
  if (status) return `${translated(status[1])}：${reasonText(status[2], lang)}`;
  const whole = /^launch \d+: [^;]+; /.test(text) ? text : translated(text); // several causes, each of its launch
  const parts = whole === text && text.includes("; ") ? text.split("; ").map(translated).join("；") : whole;
  return words.reduce((out, [pattern, zh]) => out.replace(pattern, zh), parts);
}
