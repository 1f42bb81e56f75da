import { encodeText } from '../../src/data/index.ts'
import { createGenerator, loadBaseModel } from '../../src/model/index.ts'

/** Prompts in the styles of the pretraining text. */
const BEGINNINGS = [
  'Fellow-Citizens of the Senate and House of Representatives:',
  'Re: what do you think of the new release?',
  'The Secretary of the Treasury'
] as const

const SAMPLE_TOKENS = 80
const SAMPLE_SEED = 1
const SETTINGS = { temperature: 0.7, topK: 40 } as const

/** A prompt and the model's continuation. */
export interface Sample {
  readonly beginning: string
  readonly continuation: string
}

/** Three short texts, the same each time: seeded, 80 tokens, temperature 0.7, the 40 most likely tokens. */
export async function sampleModel(folder: string, threads: number): Promise<Sample[]> {
  const { config, tokenizer, weights } = loadBaseModel(folder)
  const generator = await createGenerator({ config, threads })
  const stopIds = config.eosId === undefined ? [] : [config.eosId]
  const samples: Sample[] = []
  for (const beginning of BEGINNINGS) {
    const ids = encodeText(tokenizer, beginning)
    const added = await generator.generate({
      ...SETTINGS,
      weights,
      ids,
      maxTokens: SAMPLE_TOKENS,
      seed: SAMPLE_SEED,
      stopIds
    })
    samples.push({ beginning, continuation: tokenizer.decode(added) })
  }
  await generator.dispose()
  return samples
}
