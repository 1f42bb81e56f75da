import { accuracy, type Case, either, nats, outcome, refusal, targets, targetsOf } from './case.ts'

const TEXT = '{cases}/base-text/text.txt'
const PLAIN = '{cases}/data-plain'

/** `loam eval --text` with a model of the cases. */
function evalText(model: string, adapter?: string): string {
  const use = adapter === undefined ? '' : ` --adapter {cases}/${adapter}`
  return `eval --model {cases}/${model}${use} --text ${TEXT} --json`
}

function importAdapter(adapter: string): string {
  return `adapter import {cases}/${adapter} --model {cases}/base --json`
}

function train(data: string, model = 'base', flags = ''): string {
  return `train --model {cases}/${model} --data ${data} --steps 1 --out {out}/trained${flags} --json`
}

function trainCase(name: string, file: string, expectation: Case['expectation'], flags = ''): Case {
  return { name: `${name}/${file}`, command: train(`{cases}/${name}/${file}`, 'base', flags), expectation }
}

const MODELS: readonly Case[] = [
  { name: 'base', command: evalText('base'), expectation: nats(6.4201) },
  { name: 'base-tied', command: evalText('base-tied'), expectation: nats(6.5545) },
  {
    name: 'rope-per-layer-type',
    command: evalText('rope-per-layer-type'),
    expectation: either(nats(6.5193), refusal('names rope_parameters', /rope_parameters/))
  },
  {
    name: 'tied-only-head',
    command: evalText('tied-only-head'),
    expectation: either(
      nats(6.3659),
      refusal('names lm_head.weight', /lm_head\.weight.*tie_word_embeddings/s)
    )
  },
  {
    name: 'tied-with-other-head',
    command: evalText('tied-with-other-head'),
    expectation: either(
      nats(6.4201),
      refusal('names lm_head.weight', /lm_head\.weight.*tie_word_embeddings/s)
    )
  },
  { name: 'keys-no-prefix', command: evalText('keys-no-prefix'), expectation: nats(6.5545) },
  {
    name: 'cfg-dtype-v5',
    command: 'adapter import {cases}/ad-plain --model {cases}/cfg-dtype-v5 --out {out}/m --dtype f32 --json',
    file: '{out}/m/config.json',
    expectation: outcome(
      'float32 and no other dtype in config.json',
      ({ json }) =>
        [json?.dtype, json?.torch_dtype].filter((dtype) => dtype !== undefined).join() === 'float32'
    )
  },
  {
    name: 'files-lfs-pointer',
    command: evalText('files-lfs-pointer'),
    expectation: refusal('names the file and git lfs', /model\.safetensors/, /git lfs/i)
  },
  {
    name: 'files-truncated',
    command: evalText('files-truncated'),
    expectation: refusal('names the file: truncated', /model\.safetensors/, /truncated|download/i)
  },
  {
    name: 'tok-model-only',
    command: evalText('tok-model-only'),
    expectation: refusal('names tokenizer.model and how to convert it', /tokenizer\.model/, /tokenizer\.json/)
  }
]

const NAMES_TENSOR = refusal('names the tensor', /model\.[\w.]+\.weight/)
const NOT_FINITE: readonly Case[] = [
  {
    name: 'weights-nan eval --text',
    command: evalText('weights-nan'),
    expectation: NAMES_TENSOR
  },
  {
    name: 'weights-nan eval --choices',
    command: 'eval --model {cases}/weights-nan --choices {cases}/choices-plain/q.jsonl --json',
    expectation: NAMES_TENSOR
  },
  {
    name: 'weights-nan generate',
    command: 'generate --model {cases}/weights-nan --prompt shell --max-tokens 4 --json',
    expectation: NAMES_TENSOR
  },
  {
    name: 'weights-nan train',
    command: train(`${PLAIN}/text.jsonl`, 'weights-nan'),
    expectation: NAMES_TENSOR
  }
]

function adapterCases(name: string, expectation: Case['expectation']): Case[] {
  const importable = outcome(expectation.right, (result) =>
    expectation.right.startsWith('error') ? expectation.fits(result) : result.code === 0
  )
  return [
    { name: `${name} eval`, command: evalText('base', name), expectation },
    { name: `${name} import`, command: importAdapter(name), expectation: importable }
  ]
}

const ADAPTERS: readonly Case[] = [
  ...adapterCases('ad-plain', nats(6.5993)),
  ...adapterCases('ad-empty', refusal('it holds no factors', /no factors|no LoRA factors/)),
  ...adapterCases('ad-pissa', refusal('names pissa and the conversion', /init_lora_weights/, /pissa/i)),
  ...adapterCases('ad-alora', refusal('names alora_invocation_tokens', /alora_invocation_tokens/)),
  ...adapterCases('ad-rank-regex', nats(6.5607)),
  ...adapterCases('ad-modules-to-save', refusal('names modules_to_save', /modules_to_save/)),
  ...adapterCases('ad-keys-bare', nats(6.5993)),
  ...adapterCases('ad-keys-default', nats(6.5993)),
  ...adapterCases(
    'ad-bin-only',
    refusal('adapter_model.bin: save as safetensors', /adapter_model\.bin/, /safetensors/)
  )
]

const TOKENS: readonly Case[] = [
  {
    name: 'gpt2-hub',
    command: train(`${PLAIN}/alpaca.jsonl`, 'gpt2-hub'),
    expectation: targets(328)
  },
  {
    name: 'tok-bos-not-added',
    command: 'eval --model {cases}/tok-bos-not-added --choices {cases}/choices-bos/q.jsonl --json',
    expectation: accuracy(0.4)
  },
  {
    name: 'choices-empty-context',
    command: 'eval --model {cases}/base --choices {cases}/choices-empty-context/q.jsonl --json',
    expectation: accuracy(0.35)
  },
  {
    name: 'chat-two-templates',
    command: 'generate --model {cases}/chat-two-templates --chat --prompt shell --max-tokens 1 --json',
    expectation: outcome('55 prompt tokens: the .jinja file wins', ({ json }) => json?.promptTokens === 55)
  },
  {
    name: 'chat-think',
    command: train('{cases}/chat-data/think.jsonl', 'chat-think'),
    expectation: outcome('learned', (result) => result.code === 0 && (targetsOf(result) ?? 0) > 0)
  },
  { name: 'tok-pad-beyond', command: evalText('tok-pad-beyond'), expectation: nats(6.4201) }
]

const GENERATION: readonly Case[] = [
  {
    name: 'gen-llama2',
    before: 'generate --model {cases}/gen-llama2 --prompt shell --max-tokens 8 --seed 1 --json',
    command: 'generate --model {cases}/gen-llama2 --prompt shell --max-tokens 8 --seed 2 --json',
    expectation: outcome('greedy', ({ json }, first) => json !== undefined && json.text === first?.json?.text)
  },
  {
    name: 'gen-rep-penalty',
    before: 'generate --model {cases}/base --prompt shell --max-tokens 32 --json',
    command: 'generate --model {cases}/gen-rep-penalty --prompt shell --max-tokens 32 --json',
    expectation: outcome(
      'used or named',
      ({ stderr, json }, first) =>
        json !== undefined && (json.text !== first?.json?.text || /repetition_penalty/.test(stderr))
    )
  }
]

const CHATML = ' --chat-template chatml'
const DATA: readonly Case[] = [
  trainCase('data-plain', 'alpaca.jsonl', targets(328)),
  trainCase('data-alpaca-history', 'train.jsonl', refusal('names the field', /system|history/)),
  trainCase('data-sharegpt-tools', 'train.jsonl', refusal('names tools', /tools/), CHATML),
  trainCase('data-openai-weight', 'weight.jsonl', targets(60), CHATML),
  trainCase(
    'data-openai-tools',
    'null.jsonl',
    refusal('names the tools', /"tools"|"tool_calls"|"messages/),
    CHATML
  ),
  trainCase(
    'data-openai-tools',
    'empty.jsonl',
    refusal('names the tools', /"tools"|"tool_calls"|"messages/),
    CHATML
  ),
  trainCase(
    'data-trl',
    'conversational.jsonl',
    outcome('read', ({ code }) => code === 0),
    CHATML
  ),
  trainCase('data-trl', 'kto.jsonl', either(targets(42), refusal('names label', /label/))),
  trainCase('data-trl', 'dpo.jsonl', refusal('chosen, rejected', /chosen/)),
  trainCase('data-alpaca-text', 'train.jsonl', either(targets(328), refusal('say --format', /--format/))),
  trainCase('data-alpaca-empty', 'alpaca.jsonl', refusal('all lines at once', /\d+.*\d+.*\d+/s)),
  trainCase('data-alpaca-empty', 'alpaca.json', refusal('all records at once', /\d+.*\d+.*\d+/s)),
  trainCase('data-alpaca-empty', 'blank-cell.csv', refusal('names the row', /blank-cell\.csv:3/)),
  trainCase(
    'data-hub-folder',
    '',
    outcome('the card is not training text', ({ stderr }) => /README/.test(stderr))
  ),
  trainCase(
    'data-gz-folder',
    '',
    // Its c.parquet only begins and ends like a Parquet file.
    refusal('names c.parquet, which is damaged', /c\.parquet is not a Parquet file that can be read/)
  ),
  trainCase('data-gz', 'one.jsonl.gz', targets(527)),
  ...['latin1.jsonl', 'latin1.csv', 'latin1.txt'].map((file) =>
    trainCase('data-encoding', file, refusal('not UTF-8', /UTF-8/))
  ),
  trainCase('data-encoding', 'utf16.jsonl', refusal('UTF-16', /UTF-16/)),
  ...['bom.jsonl', 'bom.json'].map((file) =>
    trainCase(
      'data-bom',
      file,
      outcome('read', ({ code, stderr }) => code === 0 && /\b8 examples/.test(stderr))
    )
  ),
  ...['bom.csv', 'bom.txt'].map((file) =>
    trainCase(
      'data-bom',
      file,
      outcome('read', ({ code }) => code === 0)
    )
  ),
  {
    name: 'data-bom/train-config.json',
    command: 'train --config {cases}/data-bom/train-config.json --out {out}/t',
    expectation: refusal('past the mark: the data file is missing', /data-plain\/text\.jsonl/)
  },
  trainCase(
    'data-u2028',
    'sep.jsonl',
    outcome('4 examples', ({ stderr }) => /\b4 examples/.test(stderr))
  ),
  trainCase('data-csv', 'semicolon.csv', either(targets(15), refusal('names the semicolon', /;|semicolon/i))),
  trainCase('data-csv', 'dup-header.csv', refusal('names the column', /twice|repeated|two columns/i)),
  trainCase('data-csv', 'unclosed.csv', refusal('names the place', /quote|line/i)),
  trainCase('data-csv', 'inner-quote.csv', refusal('names the place', /quote|line/i)),
  trainCase(
    'data-csv',
    'upper.csv',
    outcome('read or named', ({ code, stderr }) => code === 0 || /upper\.csv:2: .*known format/.test(stderr))
  ),
  {
    name: 'data-winpath',
    command: 'train --config {cases}/data-winpath/config.json --out {out}/t',
    expectation: refusal('line and column of the backslash', /line 1|:1:/, /column|:1:\d+/)
  },
  ...['plain', 'bom', 'utf16'].map((form) => ({
    name: `card-utf16/${form}.json`,
    before: 'identity --home {out}/home --json',
    command: `consortium create --home {out}/home --name reef --member {cases}/card-utf16/${form}.json --model {cases}/base --out {out}/charter.cbor --json`,
    expectation:
      form === 'utf16'
        ? either(
            outcome('read', ({ code }) => code === 0),
            refusal('UTF-16', /UTF-16/)
          )
        : outcome('read', ({ code }) => code === 0)
  }))
]

/** All inputs from outside that are tried; `gguf-qwen` needs a consortium's home and is tried in the exports' tests. */
export const CASES: readonly Case[] = [
  ...MODELS,
  ...NOT_FINITE,
  ...ADAPTERS,
  ...TOKENS,
  ...GENERATION,
  ...DATA
]
