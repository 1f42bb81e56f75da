import { runNamed } from '../scripts/build/run-named.ts'

runNamed({
  room: 'bench',
  url: import.meta.url,
  programs: {
    train: { summary: 'a LoRA step beside PyTorch', file: './train/bench-train.js' },
    generate: { summary: 'generation beside PyTorch', file: './generate/bench-generate.js' },
    executors: {
      summary: 'a LoRA step on every executor that works here',
      file: './executors/bench-executors.js'
    },
    merge: {
      summary: 'stack and merge of adapters beside OpenBLAS and a plain copy',
      file: './merge/merge.js',
      nodeFlags: ['--expose-gc']
    },
    blocks: {
      summary: 'shard exchange: pairs, swarms, slow lines, memory',
      file: './blocks/bench-blocks.js'
    },
    consensus: {
      summary: 'what a round of the protocol costs a member',
      file: './consensus/consensus.js',
      nodeFlags: ['--max-semi-space-size=64']
    },
    large: {
      summary: 'a training step of a model with a thousand million weights',
      file: './large/large.js'
    },
    memory: { summary: 'memory of a LoRA training run', file: './memory/memory.js' },
    'peer-memory': { summary: 'memory of a whole peer over two rounds', file: './memory/peer-memory.js' },
    prada: {
      summary: 'the logits offset: draft lengths, bytes, fine-tuning',
      file: './prada/bench-prada.js'
    },
    roofline: { summary: 'what a training step could take at best', file: './train/roofline.js' }
  }
})
