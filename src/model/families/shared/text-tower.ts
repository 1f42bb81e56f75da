import { z } from 'zod'
import { refuseTowerKeys } from './config-keys.ts'
import { count, readConfig, tokenId } from './config-reader.ts'

/** Supported image-and-text models by `model_type`; only their text model is read. */
export const TOWERS = {
  gemma3: { class: 'Gemma3ForConditionalGeneration', textType: 'gemma3_text' },
  mistral3: { class: 'Mistral3ForConditionalGeneration', textType: 'mistral' }
} as const
/** `model_type` of a multimodal model whose text model is read. */
export type TowerType = keyof typeof TOWERS

/** Prefix of the text model's parameter names inside the multimodal model. */
export const TOWER_PREFIX = 'model.language_model.'

const towerSchema = z.looseObject({
  model_type: z.string(),
  text_config: z.looseObject({
    model_type: z.string().nullish(),
    tie_word_embeddings: z.boolean().nullish()
  }),
  vocab_size: count.nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  bos_token_id: tokenId,
  eos_token_id: tokenId
})

/** Keys about images and sound, and about the tokens that represent them. */
const OTHER_PARTS = [
  ...['vision_config', 'audio_config', 'image_token_index', 'image_token_id', 'video_token_id'],
  ...['boi_token_index', 'eoi_token_index', 'boi_token_id', 'eoi_token_id', 'mm_tokens_per_image'],
  ...['vision_feature_layer', 'vision_feature_select_strategy', 'projector_hidden_act'],
  ...['multimodal_projector_bias', 'spatial_merge_size', 'image_seq_length']
]

/** The text model of a multimodal model, as a separate config.json. */
export interface TextTower {
  readonly tower: TowerType
  readonly json: Readonly<Record<string, unknown>>
}

/**
 * The text model described by the config.json of an image-and-text model; undefined for other models.
 *
 * @throws {UnsupportedModelError} naming a key of the multimodal model that is malformed or not supported
 */
export function textTowerOf(json: unknown, modelType: string): TextTower | undefined {
  if (!isTower(modelType)) return undefined
  const raw = readConfig(towerSchema, json)
  const { class: class_, textType } = TOWERS[modelType]
  refuseTowerKeys(json, { used: Object.keys(towerSchema.shape), harmless: OTHER_PARTS, class: class_ })
  const { architectures: _, ...text } = raw.text_config
  const fallback = (key: 'bos_token_id' | 'eos_token_id') => (raw[key] == null ? {} : { [key]: raw[key] })
  return {
    tower: modelType,
    json: {
      ...fallback('bos_token_id'),
      ...fallback('eos_token_id'),
      ...text,
      model_type: text.model_type ?? textType,
      // The multimodal model ties them unless either config says otherwise.
      tie_word_embeddings: raw.tie_word_embeddings ?? text.tie_word_embeddings ?? true
    }
  }
}

/** The config.json that `textTowerOf` reads back. */
export function towerJson(tower: TowerType, text: Record<string, unknown>): Record<string, unknown> {
  const { tie_word_embeddings, torch_dtype, architectures: _, ...textConfig } = text
  return {
    architectures: [TOWERS[tower].class],
    model_type: tower,
    text_config: textConfig,
    tie_word_embeddings,
    torch_dtype
  }
}

/** Whether the named tensor belongs to a part for images or sound. */
export function isOfOtherTower(name: string): boolean {
  return OTHER_TOWER.test(name)
}
const OTHER_TOWER =
  /^(?:model\.)?(?:vision_tower|vision_model|visual|audio_tower|multi_modal_projector|embed_vision|embed_audio)\./

function isTower(modelType: string): modelType is TowerType {
  return Object.hasOwn(TOWERS, modelType)
}
