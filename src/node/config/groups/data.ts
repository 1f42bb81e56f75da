import { z } from 'zod'
import { PACKINGS } from '../../../data/packing/example-stream.ts'
import { RECORD_FORMATS } from '../../../data/records/formats.ts'
import { recordTemplateSchema } from '../../../data/records/template.ts'
import { TEMPLATE_DATE } from '../../../model/tokenizer/chat-template.ts'
import { setting } from '../setting.ts'
import { NON_NEGATIVE_INTEGER } from '../units.ts'

/** How this peer's training documents are read; the same as in `loam train`. */
export const dataSettings = z.strictObject({
  format: setting(z.enum(RECORD_FORMATS).optional(), {
    description: 'format of the records',
    accepts: `one of ${RECORD_FORMATS.join(', ')}`,
    absent: "detected from each file's first record",
    flag: '--format <name>'
  }),
  template: setting(z.preprocess(fromJson, recordTemplateSchema.optional()), {
    description: 'makes text, or prompt and completion, from records with unknown keys',
    accepts: 'an object like { "prompt": "Q: {question}", "completion": "{answer}" } or { "text": "{body}" }',
    absent: 'none'
  }),
  chatTemplate: setting(z.string().min(1).optional(), {
    description: 'chat template for conversations',
    accepts: 'chatml, or a file',
    absent: "the model's own",
    flag: '--chat-template <file>'
  }),
  templateDate: setting(z.string().refine(isDay, 'must be a day such as 2026-03-01').optional(), {
    absent: TEMPLATE_DATE,
    description:
      'date used by chat templates that write the current date, so that equal data give equal bits',
    accepts: 'a day as YYYY-MM-DD',
    flag: '--template-date <day>'
  }),
  skipBad: setting(z.number().int().nonnegative().optional(), {
    absent: 'none',
    description: 'number of invalid records that may be skipped',
    accepts: NON_NEGATIVE_INTEGER,
    flag: '--skip-bad <n>'
  }),
  loss: setting(z.enum(['completions', 'all']).default('completions'), {
    description: 'which part of prompts and completions to train on',
    accepts: 'completions or all',
    flag: '--loss <what>'
  }),
  packing: setting(z.enum(PACKINGS).optional(), {
    description: 'how documents are packed into rows',
    accepts: `one of ${PACKINGS.join(', ')}`,
    absent: 'across for text, else isolated',
    flag: '--packing <how>'
  })
})

function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`))
}

/** A flag gives an object as JSON. */
function fromJson(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
