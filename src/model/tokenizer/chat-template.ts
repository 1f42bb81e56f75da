import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import type { ChatMessage } from '../../data/records/example.ts'
import type { RenderChat } from '../../data/records/tokenize-example.ts'
import { readTextFile } from '../../formats/files/read-text.ts'
import { readJsonObject } from '../../formats/hugging-face/read-json.ts'
import { compileJinja } from './jinja/template.ts'
import type { SpecialTokens } from './special-tokens.ts'
import { specialTokensOf } from './tokenizer.ts'

const namedTemplate = z.looseObject({ name: z.string(), template: z.string() })
const configSchema = z.looseObject({
  chat_template: z.union([z.string(), z.array(namedTemplate)]).nullish()
})

/** Named templates, for models that have none. */
export const CHAT_TEMPLATES: Readonly<Record<string, string>> = {
  chatml:
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}" +
    '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}'
}

/**
 * Default date for templates that write one: the date that Llama 3's templates use without a clock. Training data that
 * depended on the clock would not be reproducible.
 */
export const TEMPLATE_DATE = '2024-07-26'

/** Variables of a template besides the messages. */
export interface ChatTemplateOptions {
  /** Tokens by name, such as `bos_token`; a name without a token is undefined in the template. */
  readonly specialTokens?: SpecialTokens
  /** The date for templates that write one; `TEMPLATE_DATE` if absent. Called only by such templates. */
  readonly date?: () => Date
}

/** A folder's chat templates: most folders have one, named default. */
export type ChatTemplateSources = ReadonlyMap<string, string>

/**
 * A Jinja chat template as a function, rendered as transformers does: `messages`, `tools`, `add_generation_prompt` and
 * the special tokens at hand, empty keys of messages left out.
 *
 * @param source one template, or several by name: `tool_use` is taken if there are tools, otherwise `default`
 * @throws {Error} when the template is not valid Jinja
 */
export function createChatTemplate(
  source: string | ChatTemplateSources,
  { specialTokens = {}, date = () => new Date(`${TEMPLATE_DATE}T00:00:00Z`) }: ChatTemplateOptions = {}
): RenderChat {
  const sources = typeof source === 'string' ? new Map([['default', source]]) : source
  const compiled = new Map([...sources].map(([name, text]) => [name, compileJinja(text)]))
  const tokens = Object.fromEntries(Object.entries(specialTokens).filter(([, token]) => token !== null))
  return (messages, { addGenerationPrompt, tools }) => {
    const template = (tools && compiled.get('tool_use')) ?? compiled.get('default')
    if (template === undefined)
      throw new Error(`there are templates named ${[...compiled.keys()].join(', ')}, but none named default`)
    return template.render(
      {
        ...tokens,
        messages: messages.map(templateMessage),
        add_generation_prompt: addGenerationPrompt,
        ...(tools && { tools })
      },
      date
    )
  }
}

function templateMessage({ role, content, extra }: ChatMessage): Record<string, unknown> {
  return { role, ...(content !== undefined && { content }), ...extra }
}

/**
 * The chat template of a model's folder: chat_template.jinja, or `chat_template` in tokenizer_config.json; of several the
 * one named default.
 *
 * @param override a name in `CHAT_TEMPLATES`, or a file with a template, in place of the folder's own
 * @returns undefined if the folder has none
 * @throws {Error} when a file is missing or malformed
 */
export function loadChatTemplate(
  folder: string,
  override?: string,
  options: Pick<ChatTemplateOptions, 'date'> = {}
): RenderChat | undefined {
  const sources = override === undefined ? chatTemplateSources(folder) : chosen(override)
  if (sources.size === 0) return undefined
  const specialTokens = specialTokensOf(folder)
  try {
    return createChatTemplate(sources, { ...options, specialTokens })
  } catch (error) {
    throw new Error(
      `the chat template of ${override ?? folder} is not Jinja that is supported: ${(error as Error).message}`
    )
  }
}

/** The chat templates of a model's folder by name; none if it has none. @throws {Error} when a file is malformed */
export function chatTemplateSources(folder: string): ChatTemplateSources {
  const path = join(folder, 'tokenizer_config.json')
  const config = configSchema.safeParse(existsSync(path) ? readJsonObject(path) : {})
  if (!config.success) throw new Error(`tokenizer_config.json: ${z.prettifyError(config.error)}`)
  const own = config.data.chat_template ?? []
  const files = templateFiles(folder)
  if (files.size > 0) return files
  if (typeof own === 'string') return new Map([['default', own]])
  return new Map(own.map(({ name, template }) => [name, template]))
}

/** Template files take precedence over tokenizer_config.json, as in transformers. */
function templateFiles(folder: string): Map<string, string> {
  const found = new Map<string, string>()
  const main = join(folder, 'chat_template.jinja')
  if (existsSync(main)) found.set('default', readTextFile(main))
  const more = join(folder, 'additional_chat_templates')
  if (!existsSync(more)) return found
  for (const file of readdirSync(more).sort())
    if (file.endsWith('.jinja')) found.set(basename(file, '.jinja'), readTextFile(join(more, file)))
  return found
}

function chosen(override: string): ChatTemplateSources {
  const found = CHAT_TEMPLATES[override] ?? (existsSync(override) ? readTextFile(override) : undefined)
  if (found !== undefined) return new Map([['default', found]])
  throw new Error(
    `unknown chat template ${override}: give a file, or ${Object.keys(CHAT_TEMPLATES).join(', ')}`
  )
}
