import { createPublicKey, verify } from 'node:crypto'
import { encodeCanonical } from '../src/protocol/encoding/canonical-cbor.ts'
import { publicKeyOf, type Verify, verifyEd25519 } from '../src/protocol/encoding/signature.ts'
import { type RoundRules, soundRules } from '../src/protocol/round-rules.ts'

/** What a member is run with. */
export interface Judges {
  readonly rules: RoundRules
  /** The judge of real signatures. */
  readonly verify: Verify
}

/** One rule, broken: what is put in its place, and what that means. */
export interface Mutant {
  readonly says: string
  readonly rules?: Partial<RoundRules>
  /** In place of the judge of real signatures. */
  readonly verify?: Verify
}

/** Every one changes what one function of the rules decides; nothing else in the simulator knows of it. */
export const MUTANTS: Readonly<Record<string, Mutant>> = {
  quorum: {
    says: 'a quorum is one member fewer',
    rules: { quorum: (members) => Math.max(1, soundRules.quorum(members) - 1) }
  },
  certificate: {
    says: 'a certificate needs one endorsement fewer',
    rules: { isCertificate: (endorsements, quorum) => endorsements >= quorum - 1 }
  },
  lock: {
    says: 'a locked member prevotes any fresh cut',
    rules: { mayPrevoteFresh: () => true }
  },
  unlock: {
    says: 'a locked member prevotes a cut that was valid before its lock',
    rules: { mayPrevoteRepeated: () => true }
  },
  proof: {
    says: 'a repeated cut is believed without its prevotes',
    rules: { isProven: () => true }
  },
  'commit-view': {
    says: 'precommits count in the own view only',
    rules: { commitViews: (views, current) => views.filter((view) => view === current) }
  },
  jump: {
    says: 'no member ever jumps to a higher view',
    rules: { jumpTo: () => -1 }
  },
  timeout: {
    says: 'timeouts do not grow',
    rules: { viewTimeout: (base) => base }
  },
  proposer: {
    says: 'the same member proposes in every view',
    rules: { proposerTurn: (start, _view, members) => Number(start % BigInt(members)) }
  },
  persist: {
    says: 'a word is sent before it is in the log',
    rules: { inOrder: (persist, broadcast) => [broadcast, persist] }
  },
  'endorse-once': {
    says: 'every manifest of an author is endorsed',
    rules: { endorsable: (manifests) => manifests }
  },
  'endorse-held': {
    says: 'blocks that are not here, or not valid, are vouched for',
    rules: { isVouchable: () => true }
  },
  'held-out': {
    says: 'an update that does harm is endorsed in spite of a veto',
    rules: { raisesTooMuch: () => false }
  },
  union: {
    says: "a proposal's list need not be its readies' union",
    rules: { isUnion: () => true }
  },
  'ready-count': {
    says: 'a proposal may carry fewer readies than a quorum',
    rules: { isReadyCount: (readies) => readies > 0 }
  },
  void: {
    says: 'too few shards are stacked all the same',
    rules: { isTooFew: () => false }
  },
  certified: {
    says: 'a proposal is believed without certificates',
    rules: { certificateSays: () => 'valid' }
  },
  signature: {
    says: 'signatures are not checked',
    rules: { isSigned: () => true }
  },
  parent: {
    says: 'a message may build on any parent',
    rules: { isOfParent: () => true }
  },
  membership: {
    says: 'whoever is no member of the round speaks for its first member',
    rules: { signerIndex: (members, peer) => Math.max(0, soundRules.signerIndex(members, peer)) }
  },
  ids: {
    says: "a seal's id covers the signatures that were collected",
    rules: {
      idFields: (fields, signatures) => ({ ...fields, signatures: encodeCanonical(signatures ?? null) })
    }
  },
  'attest-digests': {
    says: 'a seal is a quorum for one cut, whatever the digests',
    rules: { attestedAlike: (body) => (body as { cut: unknown }).cut }
  },
  sync: {
    says: 'nobody gives what another lacks',
    rules: { syncGives: () => [] }
  },
  bounds: {
    says: 'any number of distinct messages is kept',
    rules: { keepsMore: () => true }
  },
  early: {
    says: 'any number of envelopes of the next round is kept',
    rules: { keepsEarly: () => true }
  },
  'speak-once': {
    says: 'a member may say another thing where it spoke before',
    rules: { maySpeakAgain: () => true }
  },
  repeat: {
    says: 'a proposer never repeats the cut that is valid',
    rules: { toRepeat: () => undefined }
  },
  evidence: {
    says: 'contradictions are not noticed',
    rules: { convicts: () => false }
  },
  admit: {
    says: 'one member alone lets in, and puts out',
    rules: { isAdmitted: (admits) => admits > 0 }
  },
  joins: {
    says: 'any number may join in one cut',
    rules: { joinsAtMost: () => Number.POSITIVE_INFINITY }
  },
  spent: {
    says: 'a membership request may take effect again',
    rules: { isSpent: () => false }
  },
  'catch-up': {
    says: 'a sealed round is followed without a quorum of attestations',
    rules: { isSeal: (attestations) => attestations > 0 }
  },
  'lost-log': {
    says: 'a member that lost its log signs at once',
    rules: { keepsSilent: () => false }
  },
  rebuild: {
    says: 'a member with a wrong build goes on from it',
    rules: { mayGoOnFrom: () => true }
  },
  reveal: {
    says: "a manifest's reveal need not be the next of its chain",
    rules: { isReveal: () => true }
  },
  samples: {
    says: 'a manifest may claim any number of documents',
    rules: { isSampleCount: () => true }
  },
  'vote-time': {
    says: 'milliseconds that votes took are waited for as seconds',
    rules: { voteTimeout: (set, seen) => Math.max(set, ...seen.map((delay) => 1_000 * delay)) }
  },
  'gather-time': {
    says: 'certificates are waited for without an end',
    rules: { gatherDeadline: () => Number.POSITIVE_INFINITY }
  },
  body: {
    says: 'a cut is precommitted by members that do not hold it',
    rules: { mayPrecommit: () => true }
  },
  retain: {
    says: 'blocks are dropped as soon as their round is sealed',
    rules: { isRetained: () => false }
  },
  'attest-again': {
    says: 'a member that attested one cut attests another',
    rules: { mayAttest: () => true }
  },
  'small-order': {
    says: 'signatures under a key of small order count',
    verify: (peer, message, signature) => {
      const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKeyOf(peer)!])
      return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature)
    }
  }
}

/**
 * The rules with one of them broken; the sound ones without a name.
 *
 * @throws {RangeError} for a name that is no mutant's
 */
export function rulesOf(mutant: string | undefined): RoundRules {
  return judgesOf(mutant).rules
}

/** The rules and the judge of signatures, one of them broken where a mutant is named; see {@link rulesOf}. */
export function judgesOf(mutant: string | undefined): Judges {
  const found: Omit<Mutant, 'says'> | undefined = mutant === undefined ? {} : MUTANTS[mutant]
  if (found === undefined)
    throw new RangeError(`${mutant} is no mutant; there are: ${Object.keys(MUTANTS).join(', ')}`)
  return { rules: { ...soundRules, ...found.rules }, verify: found.verify ?? verifyEd25519 }
}
