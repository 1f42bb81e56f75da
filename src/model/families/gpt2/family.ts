import { initialWeights } from '../shared/initialise.ts'
import { type ModelFamily, VALUE_HEAD } from '../shared/model-family.ts'
import { GPT2_MODEL_TYPES, type Gpt2Config, gpt2ConfigJson, parseGpt2Config } from './config.ts'
import { gpt2Hidden } from './forward.ts'
import { gpt2LinearModules, gpt2ParameterShapes, OUTPUT_HEAD, PREFIX, TOKEN_EMBEDDING } from './parameters.ts'

/** GPT-2: LayerNorm, learned positions, GELU, one projection for queries, keys and values. */
export const gpt2Family: ModelFamily<Gpt2Config> = {
  name: 'gpt2',
  modelTypes: GPT2_MODEL_TYPES,
  fanInFanOut: true,
  parseConfig: parseGpt2Config,
  configJson: gpt2ConfigJson,
  parameterShapes: gpt2ParameterShapes,
  prefix: () => PREFIX,
  landmark: 'h.0.ln_1.weight',
  idleTensors: () => [
    {
      reason: 'the causal mask, which is the same for all models',
      isIdle: (name, { length }) => /\.attn\.(?:bias|masked_bias)$/.test(name) && length !== 1
    },
    VALUE_HEAD
  ],
  linearModules: gpt2LinearModules,
  embedding: () => TOKEN_EMBEDDING,
  headParameter: ({ tiedHead }) => (tiedHead ? TOKEN_EMBEDDING : OUTPUT_HEAD),
  hidden: gpt2Hidden,
  initialise: (config, seed) =>
    initialWeights(gpt2ParameterShapes(config), config.layers, seed, (name) => {
      if (name.endsWith('.bias')) return 'bias'
      if (/\.ln_[12f]\.weight$/.test(name)) return 'norm'
      return name.endsWith('.c_proj.weight') ? 'residual' : 'plain'
    })
}
