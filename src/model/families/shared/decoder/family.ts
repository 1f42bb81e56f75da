import { initialWeights } from '../initialise.ts'
import { type IdleTensors, type ModelFamily, VALUE_HEAD } from '../model-family.ts'
import { isOfOtherTower, towerJson } from '../text-tower.ts'
import type { DecoderConfig, DecoderNames } from './config.ts'
import { decoderHidden } from './forward.ts'
import {
  decoderLinearModules,
  decoderParameterShapes,
  decoderPrefix,
  embeddingName,
  OUTPUT_HEAD
} from './parameters.ts'

/** A family of decoders: how its config.json is read and written, and its parameter names. */
export interface DecoderDescription<Config extends DecoderConfig>
  extends Pick<ModelFamily<Config>, 'name' | 'modelTypes' | 'parseConfig' | 'configJson'> {
  names(config: Config): DecoderNames
  /** A parameter that every checkpoint of the family has, inside its first layer. */
  readonly landmark?: string
}

const ROTARY_BUFFERS: IdleTensors = {
  reason: 'computed from config.json; transformers no longer saves them',
  isIdle: (name) => /(?:^|\.)rotary_emb\.(?:inv_freq|cos_cached|sin_cached)$/.test(name)
}

/** Tensors of the other parts of a multimodal model, whose names are outside the text model's. */
const OTHER_TOWERS: IdleTensors = {
  reason: 'processes images or sound, which are not part of a text',
  isIdle: isOfOtherTower
}

/** Creates a family of the shared decoder from a description. */
export function decoderFamily<Config extends DecoderConfig>(
  description: DecoderDescription<Config>
): ModelFamily<Config> {
  const { name, modelTypes, parseConfig, configJson, names, landmark = 'input_layernorm' } = description
  const shapes = (config: Config) => decoderParameterShapes(config, names(config))
  return {
    name,
    modelTypes,
    fanInFanOut: false,
    parseConfig,
    configJson: (config) =>
      config.tower === undefined ? configJson(config) : towerJson(config.tower, configJson(config)),
    parameterShapes: shapes,
    prefix: decoderPrefix,
    landmark: `layers.0.${landmark}.weight`,
    idleTensors: ({ tower }) => [ROTARY_BUFFERS, VALUE_HEAD, ...(tower === undefined ? [] : [OTHER_TOWERS])],
    linearModules: (config) => decoderLinearModules(config, names(config)),
    embedding: embeddingName,
    headParameter: (config) => (config.tiedHead ? embeddingName(config) : OUTPUT_HEAD),
    hidden: (config, inputIds, model) => decoderHidden(config, names(config), inputIds, model),
    initialise: (config, seed) =>
      initialWeights(shapes(config), config.layers, seed, (parameter) =>
        roleOf(parameter, names(config), config.normOffset === 1)
      )
  }
}

/** Initial norms multiply by 1, so their weights are 0 if an offset of 1 is added to them. */
function roleOf(parameter: string, names: DecoderNames, isOffset: boolean) {
  if (/norm\.weight$/.test(parameter)) return isOffset ? 'bias' : 'norm'
  if (parameter.endsWith('.bias')) return 'bias'
  const isLast = [names.attentionOutput, names.down].some((module) => parameter.endsWith(`.${module}.weight`))
  return isLast ? 'residual' : 'plain'
}
