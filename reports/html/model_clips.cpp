// The clips that a report's records compose, with their costs.
#include "reports/html/model_parts.h"

namespace assay {

std::vector<ReportClip> clips_of(const std::vector<Record>& records, const ReportPricing* pricing,
                                 const ReportModel& model) {
  std::vector<ReportClip> out;
  for (const ClipEstimate& e : compose_clips(records)) {
    ReportClip clip;
    std::vector<std::string> ids;
    for (const ClipPart& part : e.parts) ids.push_back(part.record);
    clip.chip = chip_of_records(model, ids, e.product);
    clip.clip = e;
    clip.cost.reason = "no prices";
    // A subject without rates: the price of an hour is all that a clip needs of it.
    CostSubject subject;
    subject.product = e.product;
    subject.clip_seconds = exact_estimate(e.seconds(), e.basis, "");
    if (pricing != nullptr) {
      const Result<PricedSubject> priced = price_subject(subject, pricing->choices, pricing->book);
      if (priced.ok()) {
        Estimate seconds = *subject.clip_seconds;
        seconds.low = e.seconds_interval().low;
        seconds.high = e.seconds_interval().high;
        const Cost hour = cost(priced->inputs, pricing->options);
        clip.cost = clip_cost(hour.per_hour, 1, seconds);
        clip.price_basis = hour.price_basis;
      } else {
        clip.cost.reason = priced.error().message;
      }
    }
    out.push_back(std::move(clip));
  }
  return out;
}

}  // namespace assay
