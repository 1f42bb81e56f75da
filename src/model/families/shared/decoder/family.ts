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

/** A family of decoders: how its config.json is read and written, and its names. */
export interface DecoderDescription<Config extends DecoderConfig>
  extends Pick<ModelFamily<Config>, 'name' | 'modelTypes' | 'parseConfig' | 'configJson'> {
  names(config: Config): DecoderNames
  /** A parameter that every checkpoint of the family has, inside its first layer. */
  readonly landmark?: string
}

const ROTARY_BUFFERS: IdleTensors = {
  reason: 'computed from config.json, as transformers does since it stopped saving them',
  isIdle: (name) => /(?:^|\.)rotary_emb\.(?:inv_freq|cos_cached|sin_cached)$/.test(name)
}

/** Other parts of a model for more than text, whose names lie outside the text model's. */
const OTHER_TOWERS: IdleTensors = {
  reason: 'reads images or sound, which texts do not have',
  isIdle: isOfOtherTower
}

/** The family that a description makes of the shared decoder. */
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

/** Fresh norms multiply by 1: where an offset of 1 is added to their weights, these are 0. */
function roleOf(parameter: string, names: DecoderNames, isOffset: boolean) {
  if (/norm\.weight$/.test(parameter)) return isOffset ? 'bias' : 'norm'
  if (parameter.endsWith('.bias')) return 'bias'
  const isLast = [names.attentionOutput, names.down].some((module) => parameter.endsWith(`.${module}.weight`))
  return isLast ? 'residual' : 'plain'
}
