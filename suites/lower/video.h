// The graphs of a text-to-video model: one pass of the diffusion transformer, the text encoder, a tile of the VAE.
#pragma once

#include "suites/suite.h"

namespace assay {

// c: valid, kind dit. layers: 1..c.layers(); of a model with double and single blocks both, in their proportion.
Graph lower_dit(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates);

// c: valid, kind text-encoder. layers: 1..c.layers().
Graph lower_text_encoder(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates);

// c: valid, kind vae-tile.
Graph lower_vae_tile(const Case& c, const DtypePlan& plan, bool expose_intermediates);

// The transformer's parameters, counted from its graph.
double dit_params(const VideoShape& v);

}  // namespace assay
