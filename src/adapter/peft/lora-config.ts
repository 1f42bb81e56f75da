import { z } from 'zod'
import { findUnreadKeys, type KeyTable } from '../../formats/hugging-face/checked-keys.ts'
import { NOTE_KEYS } from '../../formats/hugging-face/note-keys.ts'
import { AdapterError } from '../pair/adapter-error.ts'
import { fullMatcher, patternMatcher } from './module-patterns.ts'

/** File name of an adapter's configuration. */
export const PEFT_CONFIG_FILE = 'adapter_config.json'

/** What an adapter_config.json says about the adapter beside it. */
export interface LoraConfig {
  readonly rankOf: (module: string) => number
  readonly alphaOf: (module: string) => number
  /** Whether PEFT would adapt a module. */
  readonly targets: (module: string) => boolean
  /** Whether `target_modules` asks for factors of a module by its name or a pattern. */
  readonly names: (module: string) => boolean
  /** Whether the scale is alpha / √rank. */
  readonly rsLora: boolean
  readonly baseModel: string | undefined
}

/** PEFT's defaults for absent keys. */
const DEFAULT_RANK = 8
const DEFAULT_ALPHA = 8

const numberByPattern = z.record(z.string(), z.number().positive()).nullish()
const names = z.union([z.string(), z.array(z.string())]).nullish()
const schema = z.looseObject({
  peft_type: z.literal('LORA', 'only LORA is supported'),
  task_type: z.string().nullish(),
  r: z.int().positive().nullish(),
  lora_alpha: z.number().positive().nullish(),
  rank_pattern: numberByPattern,
  alpha_pattern: numberByPattern,
  use_rslora: z.boolean().nullish(),
  bias: z.literal('none', 'adapters that train biases are not supported').nullish(),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
  target_modules: names,
  exclude_modules: names,
  layers_to_transform: z.union([z.int(), z.array(z.int())]).nullish(),
  layers_pattern: names,
  base_model_name_or_path: z.string().nullish()
})
type RawConfig = z.output<typeof schema>

const MERGE =
  'is not supported: merge the adapter in PEFT, model.merge_and_unload().save_pretrained(folder), and take the folder as the base'

/** All of LoraConfig of PEFT 0.21, and what versions before it wrote. */
const KEYS: KeyTable = {
  file: PEFT_CONFIG_FILE,
  used: Object.keys(schema.shape),
  harmless: [
    ...NOTE_KEYS,
    {
      reason: 'notes',
      keys: ['auto_mapping', 'peft_version', 'revision', 'inference_mode', 'megatron_core', 'eva_config']
    },
    {
      reason: 'only used in training, with the same forward pass',
      keys: ['lora_dropout', 'velora_config', 'runtime_config', 'merge_weights']
    },
    {
      reason: 'only used with values of init_lora_weights that are refused',
      keys: ['loftq_config', 'corda_config', 'lora_ga_config']
    },
    {
      reason: 'how the weights of the base are laid out in memory, which the base itself states',
      keys: ['fan_in_fan_out']
    },
    { reason: 'concerns factors of embeddings, which are refused', keys: ['ensure_weight_tying'] },
    { reason: 'only used with use_qalora, which is refused', keys: ['qalora_group_size'] }
  ],
  refused: {
    use_dora: { cure: `says that the adapter is DoRA, which ${MERGE}` },
    lora_bias: { cure: `says that B has a bias, which ${MERGE}` },
    use_qalora: { cure: `says that the adapter is QALoRA, which ${MERGE}` },
    use_bdlora: { cure: `says that the adapter is BD-LoRA, which ${MERGE}` },
    modules_to_save: { cure: `says that whole modules were trained beside the factors, which ${MERGE}` },
    target_parameters: { cure: `says that parameters outside of linear modules are adapted, which ${MERGE}` },
    trainable_token_indices: { cure: `says that rows of the embedding were trained, which ${MERGE}` },
    layer_replication: { cure: `says that layers of the base are repeated, which ${MERGE}` },
    alora_invocation_tokens: {
      cure: 'says that the adapter is Activated LoRA, which acts only after these tokens: it cannot be merged, and is not supported'
    },
    arrow_config: { cure: 'says that several adapters are routed by token (Arrow), which is not supported' },
    kasa_config: { cure: `says that the adapter is KaSA, which ${MERGE}` },
    monteclora_config: { cure: 'says that the adapter is MonteCLoRA, which is not supported' },
    megatron_config: { cure: 'says that the adapter is of a Megatron model, which is not supported' },
    enable_lora: {
      cure: 'says that parts of a module are adapted (an early version of PEFT), which is not supported'
    }
  }
}

/**
 * Reads a parsed adapter_config.json.
 *
 * @throws {AdapterError} when it is not plain LoRA, naming every key that asks for something else, and what to do
 */
export function readLoraConfig(json: unknown): LoraConfig {
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw new AdapterError(`${PEFT_CONFIG_FILE}: ${z.prettifyError(parsed.error)}`)
  const raw = parsed.data
  const faults = [...findUnreadKeys(raw, KEYS), ...initialisationFault(raw), ...taskFault(raw)]
  if (faults.length > 0) throw new AdapterError(faults.join('; '))
  return {
    rankOf: byPattern(raw.rank_pattern ?? {}, raw.r ?? DEFAULT_RANK),
    alphaOf: byPattern(raw.alpha_pattern ?? {}, raw.lora_alpha ?? DEFAULT_ALPHA),
    targets: targetsOf(raw),
    names: namesOf(raw),
    rsLora: raw.use_rslora ?? false,
    baseModel: raw.base_model_name_or_path ?? undefined
  }
}

/** Initialisations that leave the base unchanged. The others subtract the initial factors from it, or quantise it. */
const PLAIN_STARTS = ['gaussian', 'eva', 'orthogonal', 'mica']

function initialisationFault({ init_lora_weights: start }: RawConfig): string[] {
  if (typeof start !== 'string' || PLAIN_STARTS.includes(start.toLowerCase())) return []
  return [
    `${PEFT_CONFIG_FILE}, init_lora_weights: ${JSON.stringify(start)} means that the factors belong to a base that was changed when training began (PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA do so), not the plain one: convert the adapter where it was trained, model.save_pretrained(folder, path_initial_model_for_weight_conversion=…), or merge it there`
  ]
}

const OTHER_HEADS = ['SEQ_CLS', 'TOKEN_CLS', 'QUESTION_ANS', 'SEQ_2_SEQ_LM']

function taskFault({ task_type: task }: RawConfig): string[] {
  if (task == null || !OTHER_HEADS.includes(task)) return []
  return [
    `${PEFT_CONFIG_FILE}, task_type: ${JSON.stringify(task)} is for a model whose head does not predict the next token`
  ]
}

/** PEFT uses the first pattern that matches. */
function byPattern(values: Readonly<Record<string, number>>, otherwise: number): (module: string) => number {
  const patterns = Object.entries(values).map(([pattern, value]) => ({
    fits: patternMatcher(pattern),
    value
  }))
  return (module) => patterns.find(({ fits }) => fits(module))?.value ?? otherwise
}

/** PEFT's `check_target_module_exists`. */
function targetsOf(raw: RawConfig): (module: string) => boolean {
  const { target_modules: targets, exclude_modules: excluded } = raw
  const isExcluded = excluded == null ? () => false : nameMatcher(excluded)
  if (targets == null || targets === 'all-linear') return (module) => !isExcluded(module)
  const isNamed = nameMatcher(targets)
  const isInLayer = typeof targets === 'string' ? () => true : layerMatcher(raw)
  return (module) => !isExcluded(module) && isNamed(module) && isInLayer(module)
}

/** As `targetsOf`; without `target_modules`, or with a word for all of them, no module is asked for by name. */
function namesOf(raw: RawConfig): (module: string) => boolean {
  return raw.target_modules == null || raw.target_modules === 'all-linear' ? () => false : targetsOf(raw)
}

function nameMatcher(given: string | readonly string[]): (module: string) => boolean {
  if (typeof given === 'string') return fullMatcher(given)
  return (module) => given.some((name) => module === name || module.endsWith(`.${name}`))
}

/** A layer is identified by the first number in a module's name, or the one after a name of `layers_pattern`. */
function layerMatcher({ layers_to_transform, layers_pattern }: RawConfig): (module: string) => boolean {
  const layers = layers_to_transform == null ? [] : [layers_to_transform].flat()
  if (layers.length === 0) return () => true
  const patterns = [layers_pattern ?? []].flat().filter((pattern) => pattern !== '')
  return (module) => {
    const segments = module.split('.')
    const at = segments.findIndex(
      (segment, index) =>
        index > 0 &&
        index < segments.length - 1 &&
        /^\d+$/.test(segment) &&
        (patterns.length === 0 || patterns.includes(segments[index - 1]!))
    )
    return at > 0 && layers.includes(Number(segments[at]))
  }
}
