// The cases of video diffusion: what their fields say, and their form in JSON.
#pragma once

#include <string>
#include <vector>

#include "suites/base/json_input.h"
#include "suites/suite.h"

namespace assay {

bool is_video_step(StepKind kind);

// All that is wrong with the fields of a video case.
std::vector<std::string> video_case_faults(const Case& c);
// Behind suite and kind: "wan2.1-1.3b/bf16/b1/81f480x832", ".../t512" for a text encoder.
std::string video_case_id(const Case& c);
// Canonical JSON object of the fields of a video case alone.
std::string video_case_json(const Case& c);
// Reads them; faults go to the input that `root` belongs to. The shape's own faults come back as the error.
Status read_video_case(const JsonNode& root, const std::string& where, Case* c);

// Sets the fields that follow from the others: tokens.
void complete_video_case(Case* c);

// One block of a suite: kind, dtypes, video_models and
//   dit: clips ([frames, height, width], or "reference"), and passes (sequences in a step; default [1])
//   text-encoder: tokens (default: the model's) and batch (default [1])
//   vae-tile: tiles ([frames, height, width])
// `kind` is one of the three. Cases in the order in which they run, without suite_hash.
std::vector<Case> read_video_block(const JsonNode& block, StepKind kind, const std::string& suite,
                                   const std::vector<std::string>& dtypes, const std::vector<VideoShape>& videos);

// A smaller case of the same kind, for checks that need not have the whole size; false where it can't shrink.
bool shrink_video_case(Case* c);

}  // namespace assay
