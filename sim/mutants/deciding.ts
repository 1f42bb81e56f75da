import type { Mutant } from './mutant.ts'

/** Rules on proposals, votes and their deadlines. */
export const DECIDING_MUTANTS = {
  quorum: {
    rule: 'Quorums',
    says: 'a quorum is one member fewer',
    file: 'charter/quorum.ts',
    find: 'return Math.floor((members + maximumFaulty(members)) / 2) + 1',
    replace: 'return Math.max(1, Math.floor((members + maximumFaulty(members)) / 2))',
    invariant: 'certified-only',
    seed: 1
  },
  union: {
    rule: '4 Propose',
    says: "a proposal's list need not be its readies' union",
    file: 'rules/propose.ts',
    find: 'if (listed.length !== union.length || listed.some((author, index) => author !== union[index]))',
    replace: 'if (union.length < 0)',
    invariant: 'union',
    seed: 1
  },
  'ready-count': {
    rule: '4 Propose',
    says: 'a proposal may carry fewer readies than a quorum',
    file: 'messages/judge.ts',
    find: 'body.readies.length !== context.quorum',
    replace: 'body.readies.length === 0',
    invariant: 'union',
    seed: 1
  },
  void: {
    rule: '4 Propose',
    says: 'too few shards are stacked all the same',
    file: 'rules/propose.ts',
    find: 'return union.length < Math.min(context.charter.minShards, context.trainers.length) ? [] : union',
    replace: 'return union',
    invariant: 'void',
    seed: 1
  },
  certified: {
    rule: '4 Propose',
    says: 'a proposal is believed without certificates',
    file: 'rules/propose.ts',
    find: "if (isOther) return 'invalid'\n  return certified.includes(undefined) ? 'waiting' : 'valid'",
    replace: "return isOther ? 'valid' : 'valid'",
    invariant: 'certified-only',
    seed: 1
  },
  proposer: {
    rule: '4 Propose',
    says: 'the same member proposes in every view',
    file: 'round/proposer.ts',
    find: 'firstTurn(seed) + BigInt(view)',
    replace: 'firstTurn(seed) + BigInt(view) * 0n',
    invariant: 'stall',
    seed: 1
  },
  repeat: {
    rule: '4 Propose',
    says: 'a proposer never repeats the valid cut',
    file: 'rules/propose.ts',
    find: 'if (valid !== undefined) {',
    replace: 'if (valid !== undefined && draft.view < 0) {',
    invariant: 'stall',
    seed: 1
  },
  lock: {
    rule: '5 Vote',
    says: 'a locked member prevotes any fresh cut',
    file: 'rules/vote.ts',
    find: "return judgement === 'valid' && isUnlocked ? 'for' : 'against'",
    replace: "return judgement === 'valid' ? 'for' : 'against'",
    invariant: 'agreement',
    seed: 1
  },
  unlock: {
    rule: '5 Vote',
    says: 'a locked member prevotes a cut that was valid before its lock',
    file: 'rules/vote.ts',
    find: "return isUnlocked || locked.view <= validView ? 'for' : 'against'",
    replace: "return 'for'",
    invariant: 'agreement',
    seed: 1
  },
  proof: {
    rule: '5 Vote',
    says: 'a repeated cut is believed without its prevotes',
    file: 'rules/vote.ts',
    find: "if (votesFor(draft, 'prevote', validView, id) < quorum) return 'waiting'",
    replace: '',
    invariant: 'agreement',
    seed: 1
  },
  body: {
    rule: '5 Vote',
    says: 'a cut is precommitted by members that do not hold it',
    file: 'rules/vote.ts',
    find: 'if (isAgainst || isOver) precommit(draft, null)',
    replace: `const bodiless = messagesOf(draft, 'prevote', view)
      .flatMap(({ body }) => body.cut ?? [])
      .find((cut) => votesFor(draft, 'prevote', view, cut) >= context.quorum)
    if (bodiless !== undefined) {
      draft.locked = { view, id: bodiless }
      precommit(draft, bodiless)
    } else if (isAgainst || isOver) precommit(draft, null)`,
    invariant: 'body',
    seed: 19
  },
  jump: {
    rule: '5 Vote',
    says: 'no member ever jumps to a higher view',
    file: 'rules/vote.ts',
    find: 'if (reached !== undefined && reached > draft.view) startView(draft, reached)',
    replace: 'if (reached === -1) startView(draft, reached)',
    invariant: 'stall',
    seed: 20
  },
  'gone-proposer': {
    rule: '5 Vote',
    says: 'a proposer that has not been heard for rounds is waited for',
    file: 'rules/vote.ts',
    find: ' || isGone(draft, proposerOf(draft.context, draft.view))',
    replace: '',
    invariant: 'waited',
    seed: 1
  },
  'gone-view': {
    rule: '5 Vote',
    says: 'the view of such a proposer ends no earlier than any other',
    file: 'rules/vote.ts',
    find: 'if (isVain || draft.expired',
    replace: 'if ((isVain && view < 0) || draft.expired',
    invariant: 'waited',
    seed: 1
  },
  'commit-view': {
    rule: '5 Vote',
    says: 'precommits count in the current view only',
    file: 'rules/vote.ts',
    find: 'views.filter(isAgreed)',
    replace: 'views.filter((view) => view === draft.view && isAgreed(view))',
    invariant: 'stall',
    seed: 1
  },
  timeout: {
    rule: '5 Vote',
    says: 'timeouts do not grow',
    file: 'rules/vote.ts',
    find: 'return milliseconds + view * context.charter.timeouts.growthMs',
    replace: 'return milliseconds + 0 * view * context.charter.timeouts.growthMs',
    invariant: 'stall',
    seed: 2
  },
  'vote-time': {
    rule: 'Deadlines',
    says: 'milliseconds that votes took are waited for as seconds',
    file: 'timing/deadlines.ts',
    find: 'return Math.min(Math.max(4 * lowerMedian(measured), set / DEADLINE_RANGE), set * DEADLINE_RANGE)',
    replace: 'return Math.max(set, ...measured.map((delay) => 1_000 * delay))',
    invariant: 'stall',
    seed: 1
  },
  'gather-time': {
    rule: 'Deadlines',
    says: 'certificates are waited for without end',
    file: 'timing/deadlines.ts',
    find: 'const longest = set * 2 ** doubled',
    replace: 'return Number.POSITIVE_INFINITY\n  const longest = set * 2 ** doubled',
    invariant: 'stall',
    seed: 1
  },
  'speak-once': {
    rule: '5 Vote',
    says: 'a member may send another message where it sent one before',
    file: 'state/say.ts',
    find: 'if (keptOf(draft, kind, slot, draft.self).length > 0) return',
    replace: '',
    invariant: 'evidence',
    seed: 1
  },
  persist: {
    rule: 'What is persisted, and when',
    says: 'a message is sent before it is in the log',
    file: 'state/say.ts',
    find: "draft.effects.push({ type: 'persist', record }, { type: 'broadcast', message })",
    replace: "draft.effects.push({ type: 'broadcast', message }, { type: 'persist', record })",
    invariant: 'equivocation',
    seed: 6
  }
} as const satisfies Readonly<Record<string, Mutant>>
