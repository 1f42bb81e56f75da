import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Template } from '@huggingface/jinja'
import { z } from 'zod'
import type { RenderChat } from '../../data/records/tokenize-example.ts'
import { requireRegularFile } from '../../formats/files/regular-file.ts'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'

const specialToken = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish()
const namedTemplate = z.looseObject({ name: z.string(), template: z.string() })
const configSchema = z.looseObject({
  chat_template: z.union([z.string(), z.array(namedTemplate)]).nullish(),
  bos_token: specialToken,
  eos_token: specialToken
})

/** Templates that have a name here, for models without one of their own. */
export const CHAT_TEMPLATES: Readonly<Record<string, string>> = {
  chatml:
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}" +
    '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}'
}

/** Tokens that templates write by name. */
interface SpecialTokens {
  readonly bosToken?: string
  readonly eosToken?: string
}

/**
 * A Jinja chat template as a function, rendered as Hugging Face's libraries do: blocks trimmed, `messages`,
 * `add_generation_prompt`, `bos_token` and `eos_token` at hand.
 *
 * @throws {Error} when the template is no Jinja
 */
export function createChatTemplate(
  source: string,
  { bosToken = '', eosToken = '' }: SpecialTokens = {}
): RenderChat {
  const template = new Template(source)
  return (messages, { addGenerationPrompt }) =>
    template.render({
      messages,
      add_generation_prompt: addGenerationPrompt,
      bos_token: bosToken,
      eos_token: eosToken
    })
}

/**
 * The chat template of a model's folder: `chat_template` in tokenizer_config.json (of several the one named default), or
 * chat_template.jinja.
 *
 * @param override a name in `CHAT_TEMPLATES`, or a file with a template, in place of the folder's own
 * @returns undefined if the folder has none
 * @throws {Error} when a file is missing or malformed
 */
export function loadChatTemplate(folder: string, override?: string): RenderChat | undefined {
  const config = configSchema.safeParse(readJsonObject(join(folder, 'tokenizer_config.json')))
  if (!config.success) throw new Error(`tokenizer_config.json: ${z.prettifyError(config.error)}`)
  const { chat_template: named, bos_token, eos_token } = config.data
  const own = Array.isArray(named) ? named.find(({ name }) => name === 'default')?.template : named
  const source =
    override === undefined ? (own ?? readTemplate(join(folder, 'chat_template.jinja'))) : chosen(override)
  if (source === undefined) return undefined
  const bosToken = textOf(bos_token)
  const eosToken = textOf(eos_token)
  return createChatTemplate(source, {
    ...(bosToken !== undefined && { bosToken }),
    ...(eosToken !== undefined && { eosToken })
  })
}

function chosen(override: string): string {
  const found = CHAT_TEMPLATES[override] ?? readTemplate(override)
  if (found !== undefined) return found
  throw new Error(
    `there is no chat template ${override}: name a file, or ${Object.keys(CHAT_TEMPLATES).join(', ')}`
  )
}

function readTemplate(path: string): string | undefined {
  if (!existsSync(path)) return undefined
  requireRegularFile(path)
  return readFileSync(path, 'utf8')
}

function textOf(token: z.infer<typeof specialToken>): string | undefined {
  return typeof token === 'object' ? token?.content : token
}
