import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { FormatError, readJsonObject } from '../../../formats/index.ts'
import { loadBaseModel } from '../../../model/index.ts'
import { baseNorm } from '../../../node/consortium/base-norm.ts'
import { createCharter } from '../../../node/consortium/create-charter.ts'
import { createHomeFolders, homeAt } from '../../../node/home/home.ts'
import {
  loadOrCreateIdentity,
  type MemberCard,
  memberCard,
  memberCardSchema
} from '../../../node/home/identity.ts'
import { writeFileAtomic } from '../../../node/storage/index.ts'
import { encodeCharter } from '../../../protocol/index.ts'
import { baseModelFolder } from '../../options/shipped-model.ts'
import { printResult } from '../../terminal/output.ts'
import { charterSummaryText, summariseCharter } from './charter-summary.ts'
import type { CreateOptions } from './create.ts'

/** Draws up a charter, signs it as the founder and writes it. */
export async function runCreate(options: CreateOptions): Promise<void> {
  const home = homeAt(options.home)
  requireNewFile(options.out)
  const given = readCards(options.member)
  await createHomeFolders(home)
  const identity = await loadOrCreateIdentity(home.identity)
  const own = memberCard(identity)
  const others = given.filter(({ peerId }) => peerId !== own.peerId)
  if (given.some(({ peerId, anchor }) => peerId === own.peerId && anchor !== own.anchor))
    throw new Error(`the card of ${own.peerId} does not match ${home.identity}: leave it out`)
  const milliseconds = { trainMs: options.trainSeconds, gatherMs: options.gatherSeconds }
  const timeouts = Object.entries(milliseconds).filter(([, seconds]) => seconds !== undefined)
  const base = loadBaseModel(baseModelFolder(options.model))
  const charter = await createCharter({
    name: options.name,
    members: [own, ...others],
    base,
    targetModules: options.modules,
    maximumNorm: options.maxNorm ?? baseNorm(base, options.modules),
    dtype: options.dtype,
    clip: options.clip,
    timeouts: Object.fromEntries(timeouts.map(([name, seconds]) => [name, seconds! * 1000])),
    ...(options.minShards === undefined ? {} : { minShards: options.minShards }),
    ...(options.trainers === undefined ? {} : { trainers: options.trainers }),
    ...(options.committee === undefined ? {} : { committee: committeeTerms(options, options.committee) }),
    ...(options.maxRank === undefined ? {} : { maximumRank: options.maxRank }),
    ...(options.heldOutVeto === undefined ? {} : { heldOutMargin: options.heldOutVeto }),
    ...(options.weights === undefined ? {} : { weights: options.weights }),
    ...(options.retain === undefined ? {} : { retain: options.retain })
  })
  await writeFileAtomic(options.out, encodeCharter(charter, [identity.signer]))
  const summary = await summariseCharter(options.out)
  printResult(summary, options, () => charterSummaryText(summary))
}

function committeeTerms({ assumedFaulty, epsilon, committeeRounds }: CreateOptions, size: number) {
  return { size, assumedFaulty, epsilon, rounds: committeeRounds }
}

/** A charter that was already handed out must not be overwritten. */
function requireNewFile(path: string): void {
  if (existsSync(path)) throw new Error(`${path} exists already: choose another name with --out`)
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) throw new Error(`the folder ${folder} for --out does not exist: create it first`)
}

/** Reads member cards from files; each member may occur once. */
function readCards(paths: readonly string[]): MemberCard[] {
  const pathOf = new Map<string, string>()
  const cards: MemberCard[] = []
  for (const path of paths) {
    let card: MemberCard
    try {
      card = memberCardSchema.parse(readJsonObject(path))
    } catch (error) {
      if (!existsSync(path)) throw new Error(`member card not found: ${path}`)
      if (error instanceof FormatError) throw error
      throw new Error(`${path} is not a member card: make one with loam identity --json`, { cause: error })
    }
    const before = pathOf.get(card.peerId)
    if (before !== undefined)
      throw new Error(`${path} and ${before} are both cards of ${card.peerId}: give each member's card once`)
    pathOf.set(card.peerId, path)
    cards.push(card)
  }
  return cards
}
