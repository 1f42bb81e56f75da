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
      summary: 'bytes of shards as f32, bf16 and int8, and the loss that follows',
      file: './experiments/wire.js'
    },
    scale: { summary: 'what a round costs as the consortium grows', file: './experiments/scale.js' },
    poison: {
      summary: 'what members that poison do to the loss, with and without each defence',
      file: './poison/poison.js'
    },
    'held-out-margin': {
      summary: 'what margin the held-out check needs: honest and poisoned updates on the text of others',
      file: './held-out-margin/held-out-margin.js'
    },
    flood: {
      summary: 'what valid messages that nobody needs cost the others, with real peers (Linux)',
      file: './flood/flood.js'
    },
    'defence-price': {
      summary: 'how much longer a round takes with the defences of a new charter, with real peers',
      file: './defence-price/defence-price.js'
    },
    trainers: {
      summary: 'a consortium of three members with three trainers, and what the contract costs',
      file: './trainers/trainers.js'
    },
    leak: { summary: 'what a shard tells about the text of its author', file: './leak/leak.js' },
    'draft-leak': {
      summary: 'what drafts tell a curious remote about the text behind an adapter',
      file: './prada/draft-leak.js'
    },
    'prada-exactness': {
      summary: 'every token of steered texts compared with the naive way: drafters, draft lengths, top k',
      file: './prada/exactness-table.js'
    },
    nat: { summary: 'real peers behind routers that let nothing in (Linux, root)', file: './nat/nat.js' },
    soak: {
      summary: 'peers over hundreds of short rounds: memory, files, timers, disk',
      file: './soak/soak.js'
    }
  }
})
