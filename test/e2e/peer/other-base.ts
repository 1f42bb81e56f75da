import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Home } from '../../../src/node/home/home.ts'
import { makeTinyBase } from '../../support/tiny-base.ts'
import type { TINY_CONFIG } from '../../unit/model/tiny-llama.ts'
import { splitWeights } from '../../unit/node/split-weights.ts'

/**
 * A random base model in two weight files that is not the shipped one, in a folder of its own, with what the shipped one's
 * lacks: tokens of its own at both ends, a chat template, and files that no charter covers.
 *
 * @param shape other sizes than those of the tiny Llama
 */
export async function makeOtherBase(shape: Partial<typeof TINY_CONFIG> = {}): Promise<string> {
  const folder = makeTinyBase(await mkdtemp(join(tmpdir(), 'loam-other-base-')), shape)
  await splitWeights(folder, 2)
  await writeFile(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: 0, max_length: 64 }))
  await writeFile(join(folder, 'special_tokens_map.json'), '{ "eos_token": "<|endoftext|>" }\n')
  await writeFile(
    join(folder, 'chat_template.jinja'),
    '{% for message in messages %}{{ message.content }}{% endfor %}'
  )
  await writeFile(join(folder, 'README.md'), 'a model that knows nothing\n')
  return folder
}

/** A home's settings without the folder of the base model. @returns that folder */
export async function forgetModel(home: Home): Promise<string> {
  const { model, ...settings } = JSON.parse(await readFile(home.config, 'utf8')) as { model: string }
  await writeFile(home.config, JSON.stringify(settings))
  return model
}
