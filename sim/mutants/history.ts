import type { Mutant } from './mutant.ts'

/** Rules on seals, on what is kept and sent to others, and on members that return. */
export const HISTORY_MUTANTS = {
  ids: {
    rule: '6 Ids',
    says: "a seal's id covers the signatures that were collected",
    file: 'history/settle.ts',
    find: "const parent = hashCanonical('seal', {",
    replace: "const parent = hashCanonical('seal', {\n    attestations: (seal as Seal).attestations ?? null,",
    invariant: 'seal-agreement',
    seed: 1
  },
  'attest-digests': {
    rule: '8 Attest',
    says: 'a seal is a quorum for one cut, whatever the digests',
    file: 'rules/attest.ts',
    find: 'hex(encodeCanonical(body))',
    replace: 'hex(encodeCanonical(body.cut))',
    invariant: 'seal-agreement',
    seed: 1
  },
  'attest-again': {
    rule: '8 Attest',
    says: 'a member that attested one cut attests another',
    file: 'rules/attest.ts',
    find: 'said !== undefined && !equalBytes(said.body.cut, body.cut)',
    replace: 'said !== undefined && !equalBytes(said.body.cut, said.body.cut)',
    invariant: 'equivocation',
    seed: 1
  },
  rebuild: {
    rule: '8 Attest',
    says: 'a member with a wrong build goes on from it',
    file: 'rules/advance.ts',
    find: 'diverged = !isSealed',
    replace: 'diverged = !isSealed && isSealed',
    invariant: 'model',
    seed: 1
  },
  sync: {
    rule: '14 Sync',
    says: 'nobody gives what another lacks',
    file: 'sync.ts',
    find: 'if (request.round !== context.round || !equalBytes(request.parent, context.parent))',
    replace: 'if (request.round > 0)',
    invariant: 'stall',
    seed: 1
  },
  bounds: {
    rule: '15 Bounds',
    says: 'any number of distinct messages is kept',
    file: 'state/keep.ts',
    find: 'const isFull = kept.length >= DISTINCT_MAX',
    replace: 'const isFull = false',
    invariant: 'bounds',
    seed: 1
  },
  early: {
    rule: '15 Bounds',
    says: 'any number of envelopes of the next round is kept',
    file: 'rules/hear.ts',
    find: 'if (kept.length >= EARLY_MAX || held + bytes.length > EARLY_BYTES_MAX) return early',
    replace: 'if (held + bytes.length > EARLY_BYTES_MAX) return early',
    invariant: 'bounds',
    seed: 1
  },
  blame: {
    rule: 'Messages',
    says: 'a peer is charged for every faulty message that it passes on',
    file: 'messages/judge.ts',
    find: 'message } : blameAuthor(fault)',
    replace: 'message } : reject(fault)',
    invariant: 'shut-out',
    seed: 1
  },
  'catch-up': {
    rule: '16 Catch-up',
    says: 'a sealed round is followed without a quorum of attestations',
    file: 'messages/judge.ts',
    find: 'attestations.length >= context.quorum',
    replace: 'attestations.length > 0',
    invariant: 'seal-agreement',
    seed: 1
  },
  'lost-log': {
    rule: '17 Lost log',
    says: 'a member that lost its log signs at once',
    file: 'state/say.ts',
    find: 'return context.round <= silentThrough',
    replace: 'return context.round < 0 * silentThrough',
    invariant: 'equivocation',
    seed: 9
  },
  'own-word': {
    rule: '17 Lost log',
    says: 'a member that hears a word of its own that its log does not hold goes on signing',
    file: 'rules/hear.ts',
    find: '\n  hearOwn(draft, message)',
    replace: '\n  if (draft.self < -1) hearOwn(draft, message)',
    invariant: 'copied',
    seed: 1
  },
  listen: {
    rule: '17 Lost log',
    says: 'a member that has heard such a word does not listen for a round before it signs again',
    file: 'rules/lost-log.ts',
    find: 'draft.isContradicted ? through + 1 : through',
    replace: 'draft.isContradicted ? through : through',
    invariant: 'copied',
    seed: 1
  },
  'held-back': {
    rule: '17 Lost log',
    says: 'a member signs before it knows whether another copy of it is running',
    file: 'state/say.ts',
    find: 'return state.heldBack || isSilent(state)',
    replace: 'return isSilent(state)',
    invariant: 'copied',
    seed: 1
  }
} as const satisfies Readonly<Record<string, Mutant>>
