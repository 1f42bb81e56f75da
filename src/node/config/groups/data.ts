import { z } from 'zod'
import { PACKINGS } from '../../../data/packing/example-stream.ts'
import { RECORD_FORMATS } from '../../../data/records/formats.ts'
import { recordTemplateSchema } from '../../../data/records/template.ts'
import { setting } from '../setting.ts'

/** How this peer's training documents are understood: as `loam train` does. */
export const dataSettings = z.strictObject({
  format: setting(z.enum(RECORD_FORMATS).optional(), {
    description: 'what all records are',
    accepts: `one of ${RECORD_FORMATS.join(', ')}`,
    absent: "what each file's first record says",
    flag: '--format <name>'
  }),
  template: setting(z.preprocess(fromJson, recordTemplateSchema.optional()), {
    description: 'makes text, or prompt and completion, of records with other keys',
    accepts: 'an object like { "prompt": "Q: {question}", "completion": "{answer}" } or { "text": "{body}" }',
    absent: 'none'
  }),
  chatTemplate: setting(z.string().min(1).optional(), {
    description: 'chat template for conversations',
    accepts: 'chatml, or a file',
    absent: "the model's own",
    flag: '--chat-template <file>'
  }),
  loss: setting(z.enum(['completions', 'all']).default('completions'), {
    description: 'what is learned of prompts and completions',
    accepts: 'completions or all',
    flag: '--loss <what>'
  }),
  packing: setting(z.enum(PACKINGS).optional(), {
    description: 'how documents are laid into rows',
    accepts: `one of ${PACKINGS.join(', ')}`,
    absent: 'across for text, else isolated',
    flag: '--packing <how>'
  })
})

/** An object that a flag gives is JSON. */
function fromJson(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
