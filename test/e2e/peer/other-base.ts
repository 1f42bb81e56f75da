import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeSafetensors, encodeSafetensors } from '../../../src/formats/index.ts'
import type { Home } from '../../../src/node/home/home.ts'
import { makeTinyBase } from '../../support/tiny-base.ts'
import { splitWeights } from '../../unit/node/split-weights.ts'

/**
 * A random base model in two weight files that is not the shipped one, in a folder of its own, with what the shipped one's
 * lacks: tokens of its own at both ends, a chat template, and files that no charter covers.
 *
 * @param tableBytes of a tensor beside the parameters, a kept table of angles that nothing reads: many blocks for
 *   little work
 */
export async function makeOtherBase(tableBytes = 0): Promise<string> {
  const folder = makeTinyBase(await mkdtemp(join(tmpdir(), 'loam-other-base-')))
  await splitWeights(folder, 2)
  if (tableBytes > 0) await addTable(join(folder, 'model-00001-of-00002.safetensors'), tableBytes)
  await writeFile(join(folder, 'generation_config.json'), JSON.stringify({ eos_token_id: 0, max_length: 64 }))
  await writeFile(join(folder, 'special_tokens_map.json'), '{ "eos_token": "<|endoftext|>" }\n')
  await writeFile(
    join(folder, 'chat_template.jinja'),
    '{% for message in messages %}{{ message.content }}{% endfor %}'
  )
  await writeFile(join(folder, 'README.md'), 'a model that knows nothing\n')
  return folder
}

async function addTable(path: string, bytes: number): Promise<void> {
  const { tensors } = decodeSafetensors(await readFile(path))
  const data = new Float32Array(Uint8Array.from(randomBytes(bytes)).buffer)
  tensors.set('model.layers.0.self_attn.rotary_emb.cos_cached', { shape: [data.length], data })
  await writeFile(path, encodeSafetensors(tensors))
}

/** A home's settings without the base model folder. @returns that folder */
export async function forgetModel(home: Home): Promise<string> {
  const { model, ...settings } = JSON.parse(await readFile(home.config, 'utf8')) as { model: string }
  await writeFile(home.config, JSON.stringify(settings))
  return model
}
