import assert from 'node:assert/strict'
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadBaseModel } from '../../../../src/model/index.ts'
import { describeBase, requireCharterBase } from '../../../../src/node/consortium/charter-base.ts'
import { PeerError } from '../../../../src/node/storage/peer-error.ts'
import { packageRoot } from '../../../../src/package-root.ts'
import type { Charter } from '../../../../src/protocol/index.ts'
import { splitWeights } from '../split-weights.ts'

const SHIPPED = join(packageRoot(), 'models', 'loam-base-1m')
const NEEDED = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
const HARMLESS = [
  'README.md',
  'LICENSE',
  'Notice.txt',
  '.gitattributes',
  'training.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'model-q4.gguf',
  'modeling_own.py',
  'preprocessor_config.json',
  'consolidated.safetensors'
]
const COVERED = [
  'added_tokens.json',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
  'special_tokens_map.json'
]
const REFUSED = ['adapter_model.safetensors', 'quantize_config.json', 'rope.json', 'template.jinja']

describe('the base model that a charter names', () => {
  let folder: string
  let charter: Charter

  const describeFolder = async () => (await describeBase(loadBaseModel(folder), ['q_proj'])).files
  const names = async () => (await describeFolder()).map(({ path }) => path)
  const check = () => requireCharterBase(folder, charter)
  const put = (name: string, text = '{}') => writeFile(join(folder, name), text)
  const differs = async (expected: RegExp) =>
    assert.rejects(check(), (error) => error instanceof PeerError && expected.test(error.message))

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'loam-charter-base-'))
    for (const name of NEEDED) await copyFile(join(SHIPPED, name), join(folder, name))
    charter = { base: { files: await describeFolder() } } as unknown as Charter
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('covers files that change a result, ignores those that change none, and refuses others by name', async () => {
    for (const name of HARMLESS) await put(name)
    await mkdir(join(folder, 'onnx'))
    await symlink('onnx', join(folder, 'linked'))
    assert.deepEqual(await names(), NEEDED)
    for (const name of COVERED) await put(name)
    assert.deepEqual(await names(), [...NEEDED, ...COVERED].sort())
    for (const name of REFUSED) {
      await put(name)
      await assert.rejects(
        describeFolder(),
        (error) =>
          error instanceof PeerError &&
          error.message.startsWith(join(folder, name)) &&
          /move it out/.test(error.message)
      )
      await rm(join(folder, name))
    }
    await put('adapter_config.json')
    await assert.rejects(
      describeFolder(),
      /contains a base model and adapter_config\.json, .*: move the adapter/
    )
    await rm(join(folder, 'adapter_config.json'))
    await mkdir(join(folder, 'additional_chat_templates'))
    await assert.rejects(describeFolder(), /additional_chat_templates could change/)
  })

  it('covers the weight files that are read, and their index', async () => {
    await splitWeights(folder, 3)
    await put('model-extra.safetensors', 'not in the index')
    assert.deepEqual(await names(), [
      'config.json',
      ...[1, 2, 3].map((part) => `model-0000${part}-of-00003.safetensors`),
      'model.safetensors.index.json',
      'tokenizer.json',
      'tokenizer_config.json'
    ])
  })

  it('covers no empty file, and none above the size of such files', async () => {
    await put('added_tokens.json', '')
    await assert.rejects(describeFolder(), /added_tokens\.json is not JSON: .*the text is empty/)
    await rm(join(folder, 'added_tokens.json'))
    await put('chat_template.jinja', '')
    await assert.rejects(describeFolder(), /chat_template\.jinja has 0 bytes/)
    await rm(join(folder, 'chat_template.jinja'))
    await put('special_tokens_map.json', `{}${' '.repeat(1024 * 1024 - 1)}`)
    await assert.rejects(
      describeFolder(),
      /special_tokens_map\.json has 1048577 bytes: a charter covers files of 1 to 1048576/
    )
  })

  it('is found complete, with the files to serve', async () => {
    await put('README.md', 'of the member’s own')
    const files = await check()
    assert.deepEqual(
      files.map(({ path }) => path),
      NEEDED.map((name) => join(folder, name))
    )
  })

  it('is refused by the name of a missing, different or added file', async () => {
    await put('generation_config.json')
    await differs(/it has generation_config\.json, which the charter's does not have/)
    await rm(join(folder, 'generation_config.json'))
    const config = await readFile(join(folder, 'tokenizer_config.json'))
    await writeFile(join(folder, 'tokenizer_config.json'), Buffer.concat([config, Buffer.from(' ')]))
    await differs(/its tokenizer_config\.json has \d+ bytes, the charter's \d+/)
    config[config.length - 1]! ^= 1
    await writeFile(join(folder, 'tokenizer_config.json'), config)
    await differs(/its tokenizer_config\.json differs/)
    await rm(join(folder, 'tokenizer_config.json'))
    await differs(/contains no base model \(no tokenizer_config\.json\)/)
    await copyFile(join(SHIPPED, 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'))
    await put('chat_template.jinja', 'x')
    charter = { base: { files: await describeFolder() } } as unknown as Charter
    await rm(join(folder, 'chat_template.jinja'))
    await differs(/it has no chat_template\.jinja/)
    await rm(join(folder, 'model.safetensors'))
    await differs(/contains no base model: .*neither model\.safetensors nor/)
  })
})
