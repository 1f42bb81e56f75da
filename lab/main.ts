import { runNamed } from '../scripts/build/run-named.ts'

runNamed({
  room: 'lab',
  url: import.meta.url,
  programs: {
    experiment: {
      summary: 'aggregation rules compared without a network',
      file: './experiments/experiment.js'
    },
    wire: {
      summary: 'bytes of shards as f32, bf16 and int8, and the resulting loss',
      file: './experiments/wire.js'
    },
    scale: { summary: 'what a round costs as the consortium grows', file: './experiments/scale.js' },
    poison: {
      summary: 'effect of poisoning members on the loss, with and without each defence',
      file: './poison/poison.js'
    },
    'held-out-margin': {
      summary: 'margin that the held-out check needs: honest and poisoned updates on the text of others',
      file: './held-out-margin/held-out-margin.js'
    },
    flood: {
      summary: 'cost of valid but useless messages for the others, with real peers (Linux)',
      file: './flood/flood.js'
    },
    'defence-price': {
      summary: 'additional time of a round with the defences of a new charter, with real peers',
      file: './defence-price/defence-price.js'
    },
    trainers: {
      summary: 'a consortium of three members with three trainers, and the overhead of the trainer contract',
      file: './trainers/trainers.js'
    },
    leak: { summary: 'what a shard leaks about the text of its author', file: './leak/leak.js' },
    'draft-leak': {
      summary: 'what drafts reveal to a curious remote about the training text of an adapter',
      file: './prada/draft-leak.js'
    },
    'prada-exactness': {
      summary: 'every token of steered texts compared with naive decoding: drafters, draft lengths, top k',
      file: './prada/exactness-table.js'
    },
    nat: {
      summary: 'real peers behind routers that block incoming connections (Linux, root)',
      file: './nat/nat.js'
    },
    soak: {
      summary: 'peers over hundreds of short rounds: memory, files, timers, disk',
      file: './soak/soak.js'
    }
  }
})
